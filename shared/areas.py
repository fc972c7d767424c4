"""Places by their ids: an area's id is the path of ids above it, `city/town/village/grid`. Pure."""

from collections.abc import Iterable, Iterator


def lies_in(area: str | None, wider: str) -> bool:
    """Whether `area` is `wider` or lies in it."""
    return area is not None and (area == wider or area.startswith(f"{wider}/"))


def parent(area: str) -> str | None:
    """The area around it; None for the city."""
    return area.rpartition("/")[0] or None


def upwards(area: str | None) -> Iterator[str]:
    """The area, then each one it lies in, up to the city."""
    while area:
        yield area
        area = parent(area)


def common(areas: Iterable[str]) -> str | None:
    """The smallest area around all of them; None where there is none."""
    first, *others = areas
    return next((around for around in upwards(first) if all(lies_in(area, around) for area in others)), None)
