"""Contact details in one spelling, so that equal ones can be recognised: phone, household, building."""

import re
import unicodedata

import phonenumbers

DEFAULT_REGION = "CN"
_PLAIN_MOBILE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})")
_ADMINISTRATIVE = re.compile(r"(?:.{1,8}?(?:省|市|县|镇|乡|街道|(?<![小园社校厂库])区|(?<!新)村))+")
_STEPS = re.compile(r"(?<=[0-9a-z])(?:号楼|单元|幢|栋|座|号|#)-?")
_ROOM_WORD = re.compile(r"(?:室|房|户)+$")
_BUILDING = re.compile(r".*?\d[a-z]?(?=-|$)")


class NotAPhone(ValueError):
    """The number cannot be rung."""


def normalise_phone(words: str) -> str:
    """The number in E.164 (`+8613800138000`); numbers without a country are Chinese. Raises NotAPhone."""
    plain = unicodedata.normalize("NFKC", words)
    mobile = _PLAIN_MOBILE.fullmatch(plain)
    if mobile:
        return f"+86{mobile[1]}"
    try:
        number = phonenumbers.parse(plain, DEFAULT_REGION)
    except phonenumbers.NumberParseException as unreadable:
        raise NotAPhone("must be a phone number, a landline with its area code") from unreadable
    if number.extension:
        raise NotAPhone("must be without an extension; say it in the text")
    if not phonenumbers.is_valid_number(number):
        raise NotAPhone("must be a phone number that exists, a landline with its area code")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def household(address: str) -> str | None:
    """The address down to the door, in one spelling (`金茂花苑3-502`); None where it names no door."""
    plain = "".join(unicodedata.normalize("NFKC", address).casefold().split())
    plain = re.sub(r"[,，。、;；]", "", plain)
    plain = _ADMINISTRATIVE.sub("", plain, count=1) or plain
    plain = _ROOM_WORD.sub("", _STEPS.sub("-", plain)).strip("-")
    return plain if any(c.isdigit() for c in plain) else None


def building(of_household: str) -> str | None:
    """The building of a household in that spelling (`金茂花苑3`); None where it names none."""
    found = _BUILDING.match(of_household)
    return found[0] if found else None
