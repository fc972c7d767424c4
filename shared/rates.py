"""Rates: a share is shown with the interval that its number allows. Pure."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Rate:
    """n of `of`, with the 95 % Wilson interval; null where there is nothing to divide by."""

    value: float | None
    n: int
    of: int
    low: float | None
    high: float | None


def rate(n: int, of: int) -> Rate:
    """The rate; nulls for an empty denominator."""
    if of == 0:
        return Rate(None, n, of, None, None)
    return Rate(n / of, n, of, *wilson(n, of))


def wilson(n: float, of: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of n out of `of` > 0: 333 of 333 is 98.9 to 100 %.

    An effective sample size need not be whole.
    """
    share, z2 = n / of, Z * Z
    middle = share + z2 / (2 * of)
    half = Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = (middle - half) / (1 + z2 / of), (middle + half) / (1 + z2 / of)
    return (0.0 if n == 0 else low), (1.0 if n == of else high)
