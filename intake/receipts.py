"""Receipts: short, to be read out over a phone, with a check character (ISO 7064, as MOD 31-2).

No 0, 1, I, L, O or U: what is not in the alphabet cannot be taken for something else. With a prime modulus every single
wrong character and every swap of neighbours is noticed; the 31st check character does not exist here, so those numbers
are passed over.
"""

from stdnum.iso7064 import mod_37_2

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
COUNT = len(ALPHABET) ** LENGTH
"""How many numbers there are: 6.6e11."""
_WITHOUT_CHARACTER = "*"
_CHECK_ALPHABET = ALPHABET + _WITHOUT_CHARACTER
_SEPARATORS = str.maketrans("", "", " -_.\u2010\u2011\u2012\u2013\u2014\u3000")


def make(number: int) -> str:
    """The receipt for a number below COUNT, such as `H7K3-92QF-X`; neighbours may share one."""
    while True:
        characters = _spell(number % COUNT)
        check: str = mod_37_2.calc_check_digit(characters, alphabet=_CHECK_ALPHABET)
        if check != _WITHOUT_CHARACTER:
            return f"{characters[:4]}-{characters[4:]}-{check}"
        number += 1


def read(words: str) -> str | None:
    """The receipt in a person's spelling, without or with other separators; None where it is no receipt of ours."""
    characters = words.translate(_SEPARATORS).upper()
    if len(characters) != LENGTH + 1 or not set(characters) <= set(ALPHABET):
        return None
    if not mod_37_2.is_valid(characters, alphabet=_CHECK_ALPHABET):
        return None
    return f"{characters[:4]}-{characters[4:8]}-{characters[8]}"


def _spell(number: int) -> str:
    characters = []
    for _ in range(LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[rest])
    return "".join(reversed(characters))
