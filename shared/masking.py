"""Masks in a text what tells who somebody is and which door is theirs, before the text leaves the house.

Replaced by fixed marks: phone numbers, id and card numbers, mail addresses, doors, and words that the caller names.
Kept: short numbers to ring (110, 12345), dates, times, doses, money, temperatures, and places larger than a building.
Where a number could be either, it is masked: a mark too many costs a look at the original, one too few a secret.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PHONE, ID, MAIL, DOOR, NAME = "[phone]", "[id]", "[mail]", "[door]", "[name]"
MARKS = (PHONE, ID, MAIL, DOOR, NAME)
SHORTEST_NAME = 2
"""Characters: one alone (王) would blot out every word that holds it."""


class Span(NamedTuple):
    """What is to be replaced by which mark."""

    start: int
    end: int
    mark: str


# A text is searched in its shadow: as long as itself, character by character, with one digit for every script's digit,
# one hyphen for every dash, one space for every blank, one mark for every character that is not seen.

UNSEEN = "\u200b"
_DECIMALS = {c: str(unicodedata.digit(chr(c))) for c in range(0x80, 0x1FC00) if chr(c).isdecimal()}
_FULL_WIDTH = {c: chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)}
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣ー﹘"), "-")
_BLANKS = dict.fromkeys(map(ord, "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"), " ")
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u200e\u200f\u2060\ufeff"), UNSEEN)
_SHADOW = {**_FULL_WIDTH, **_DECIMALS, **_DASHES, **_BLANKS, ord("\u3000"): " ", ord("\u202f"): " ", **_UNSEEN}
_UNWRITTEN = re.compile(r"[ \t\n\u200b().\-]")
NUMERALS = dict(zip("〇零○一二三四五六七八九幺", "0001234567891", strict=True))
_SPOKEN = {ord(c): digit for c, digit in NUMERALS.items()}

_N = "".join(NUMERALS)
_SEP = r"[ \t\u200b()\-]{0,3}"
_DATE = r"(?:19|20)\d\d-?(?:0?[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?!\d)"
_EXTENSION = r"(?:\s?(?:转|分机|ext\.?|x|#)\s?\d{1,6})?"
_UNIT = r"\s?(?:元|块|万|千|百|亿|人|名|个|户|份|支|盒|片|粒|度|米|升|斤|吨|%|yuan|rmb|mg|ml|kg|g\b|km|iu)"

_NUMBERS = tuple(
    (mark, re.compile(pattern, re.IGNORECASE))
    for mark, pattern in (
        # Resident identity cards of 18 and 15 characters (GB 11643) and whatever looks like one; bank cards
        (ID, rf"(?<!\d)\d(?:{_SEP}\d){{16}}{_SEP}[\dx](?![0-9a-z])"),
        (ID, rf"(?<!\d)\d{{6}}{_SEP}\d{{6}}{_SEP}\d{{3}}(?!\d)"),
        (ID, r"(?<!\d)\d{4}(?:[ -]?\d{4}){3}(?:[ -]?\d{1,3})?(?!\d)"),
        (ID, r"(?<!\d)\d{15,}(?!\d)"),
        # Passports and permits; not 国药准字H…, a medicine's approval
        (ID, r"(?<![a-z0-9字])[a-z]{1,2}\d{7,10}(?![0-9a-z])"),
        (ID, r"(?:微信|wechat|weixin|vx)(?:号| id)?[:是 ]{0,3}(?P<it>[a-z][a-z0-9_-]{5,19})"),
        # Chinese mobiles, however they are grouped; then grouped by other signs
        (PHONE, rf"(?<!\d)(?!{_DATE})(?:(?:(?:\+|00){_SEP})?86{_SEP})?1{_SEP}[3-9](?:{_SEP}\d){{9}}(?!\d){_EXTENSION}"),
        (PHONE, r"(?<!\d)(?:\+?86[., ])?1[3-9]\d(?P<sep>[.,、/_*~·])\d{4}(?P=sep)\d{4}(?!\d)"),
        # International; `15:00 2022…` is none
        (PHONE, rf"(?<![0-9a-z+])\+{_SEP}[1-9](?:[ \t\u200b().\-]{{0,3}}\d){{6,14}}(?!\d){_EXTENSION}"),
        (PHONE, rf"(?<![0-9a-z:.,])00[1-9](?:{_SEP}\d){{6,13}}(?!\d){_EXTENSION}"),
        # Landlines with their area code, and foreign numbers with a trunk 0
        (PHONE, rf"(?<![0-9a-z:.,/\-])(?:86{_SEP})?(?:\(0\d{{1,4}}\)|0\d)(?:{_SEP}\d){{6,10}}(?!\d){_EXTENSION}"),
        (PHONE, rf"(?<!\d)[48]00(?:{_SEP}\d){{7}}(?!\d)"),
        (PHONE, r"(?<![\d.])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d.])"),
        # Landlines without area code: seven or eight digits that are no date and no amount
        (PHONE, rf"(?<![0-9a-z.,¥$€£第:/\-])(?!{_DATE})[2-9]\d{{6,7}}(?![0-9a-z]|{_UNIT}|[.,:/\-]\d)"),
        # Whatever follows a word that announces a number
        (
            PHONE,
            r"(?:电话|手机|座机|号码|联系|拨打|致电|微信|wechat|qq|tel|phone|mobile|cell|call|contact|whatsapp)"
            rf"[^\d\n]{{0,10}}(?P<it>(?!{_DATE}|\d{{4}}[年./])\+?\d(?:[ \t\u200b().-]{{0,3}}\d){{5,14}})(?!\d|{_UNIT})",
        ),
    )
)
_SPOKEN_RUN = re.compile(rf"[{_N}\d](?:[ ,、\u200b-]{{0,2}}[{_N}\d]){{6,}}")
_SPOKEN_MOBILE = re.compile(r"1\D{0,2}[3-9](?:\D{0,2}\d){9}$")
_DIGIT_WORD = r"(?:(?:double|triple) )?(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine)"
_ENGLISH_RUN = re.compile(rf"(?<![a-z]){_DIGIT_WORD}(?:[\s,\-]{{1,3}}{_DIGIT_WORD}){{6,}}(?![a-z])", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.+-])[a-z0-9_.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}", re.IGNORECASE)

_DIGITS_ENOUGH = re.compile(r"\d(?:[ \t\u200b().\-,、/_*~·]{0,3}\d){5}")
_ANNOUNCES_WECHAT = re.compile(r"微信|wechat|weixin|vx", re.IGNORECASE)

# Doors. `12号` alone is left: it may be the 12th of the month, on which a deadline hangs.
_D = r"(?<!\d)\d{1,4}[A-Za-z]?"
_C = "[一二三四五六七八九十百零〇]"
_HOUSE = (
    rf"(?:(?:{_D}|[A-Za-z]\d{{0,2}}|{_C}{{1,4}})\s?(?:号楼|单元)"
    rf"|(?:{_D}|[A-Za-z]\d?|(?![一两][幢栋]楼){_C}{{1,4}})\s?[幢栋]|(?<!\d)\d{{1,3}}#楼?)"
)
_ROOM = rf"(?:(?:{_D}|[A-Za-z]\d{{1,4}}|{_C}{{2,4}})\s?(?:室(?!\s?[\d一二两三]?厅)|号房|号室))"
_BARE_ROOM = r"(?:\d{3,4}(?![\d:：.]|\s?[人名个元块户位度点年月日号岁天m%]|[kK][gG]|-\d)|[一二三四五六七八九零〇]{3,4})"
_FLOOR = rf"(?:(?:\d{{1,2}}|{_C}{{1,3}})\s?[楼层](?!上|下))"
_GAP = r"[ ,，\-]?"
_NO_ROOM_BUT = r"(?!\s+(?:days?|people|persons?|hours?|minutes?|times?|of|more)\b)"
# Each with the characters of which one must be there, so that most texts pass at a glance.
_DOORS = tuple(
    (triggers, re.compile(pattern))
    for triggers, pattern in (
        (
            "幢栋#元楼",
            rf"(?:{_D}\s?弄{_GAP})?{_HOUSE}(?:{_GAP}(?:{_HOUSE}|{_FLOOR}))*(?:{_GAP}(?:{_ROOM}|{_BARE_ROOM}))?",
        ),
        ("室房", rf"(?:{_D}\s?[弄号]{_GAP})*{_ROOM}"),
        # 3-2-502; 花苑3-502; not 10-26-2022
        ("-", r"(?<![\d.:\-])\d{1,3}-\d{1,2}-(?!(?:19|20)\d\d(?!\d))\d{3,4}(?:室|号|房)?(?![\d\-])"),
        ("-", r"(?<=[苑园区庭府城邨村里居寓湾郡墅场院])\s?\d{1,3}-\d{3,4}(?:室|房)?(?![\d\-])"),
        # 新华路88号; not 铁路26号, which may be a date; 12组5号; 村88号, since no month has so many days
        (
            "号",
            rf"(?<=[路街巷弄])(?<![道铁公马条段水电]路)\s?(?:{_D}\s?弄\s?)?{_D}\s?号(?!线)(?:{_GAP}{_BARE_ROOM})?",
        ),
        ("组", rf"(?:{_D}|{_C}{{1,2}})\s?组\s?{_D}\s?号"),
        ("号", r"(?<=[村里浜埭])\s?(?:3[2-9]|[4-9]\d|\d{3,4})号(?!楼)"),
    )
)
_ENGLISH_DOORS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![A-Za-z])(?i:room|rm|apartment|apt|flat|unit|suite|door|building|bldg|block|house)(?![A-Za-z])\.?\s?"
        r"(?:(?i:no|number)(?![A-Za-z])\.?\s?)?"
        rf"#?(?:\d{{1,5}}[A-Za-z]?|[A-Z]\d{{1,4}}|[B-HJ-Z]|A(?!\s[a-z]))(?![0-9A-Za-z]){_NO_ROOM_BUT}",
        r"(?<![0-9A-Za-z])\d{1,4}[A-Za-z]?(?=,?\s+(?:[A-Z][a-z]+\s+){1,3}(?:Road|Rd|Street|St|Avenue|Ave|Lane)\b)",
    )
)
_LATIN_WORDS = re.compile(r"[A-Za-z]{2}")


def mask(text: str, also: Iterable[str] = (), places: Iterable[str] = ()) -> str:
    """The text with fixed marks for what is personal; `also` and `places` are further words: names, and addresses."""
    shadow = text.translate(_SHADOW)
    named = [*_named(shadow, also, NAME), *_named(shadow, places, DOOR)]
    return _replace(text, [*named, *_numbers(shadow), *_doors(shadow)])


def _replace(text: str, spans: list[Span]) -> str:
    """Each span by its mark; those that overlap become one, with the mark of the one that was found first."""
    order = {span: n for n, span in reversed(list(enumerate(spans)))}
    parts: list[str] = []
    end, best, opened = 0, len(spans), False
    for span in sorted(order, key=lambda s: (s.start, s.end)):
        if opened and span.start < end:
            end, best = max(end, span.end), min(best, order[span])
        else:
            parts += [spans[best].mark] if opened else []
            parts.append(text[end : span.start])
            end, best, opened = span.end, order[span], True
    parts += [spans[best].mark] if opened else []
    return "".join((*parts, text[end:]))


def _named(shadow: str, also: Iterable[str], mark: str) -> Iterator[Span]:
    """Where words occur that the caller names, whatever blanks and hyphens stand in them."""
    written = _written(shadow)
    for words in also:
        wanted = _written(words.translate(_SHADOW))
        if len(wanted) < SHORTEST_NAME or wanted not in written:
            continue
        at = [n for n, c in enumerate(shadow) if not _UNWRITTEN.match(c)]
        found = written.find(wanted)
        while found >= 0:
            start, end = at[found], at[found + len(wanted) - 1] + 1
            if not (_is_latin(shadow[start - 1 : start + 1]) or _is_latin(shadow[end - 1 : end + 1])):
                yield Span(start, end, mark)
            found = written.find(wanted, found + 1)


def _written(shadow: str) -> str:
    """What is left without blanks, hyphens and the like, in lower case; characters keep their places."""
    plain = _UNWRITTEN.sub("", shadow)
    lower = plain.lower()
    return lower if len(lower) == len(plain) else "".join(c.lower()[0] for c in plain)


def _is_latin(pair: str) -> bool:
    """Whether two neighbours are letters or digits of one Latin word: then no name begins or ends between them."""
    return len(pair) == 2 and pair.isascii() and pair.isalnum()


def _numbers(shadow: str) -> Iterator[Span]:
    if _DIGITS_ENOUGH.search(shadow) or _ANNOUNCES_WECHAT.search(shadow):
        for mark, pattern in _NUMBERS:
            for found in pattern.finditer(shadow):
                yield Span(*found.span("it" if "it" in pattern.groupindex else 0), mark)
    for found in _SPOKEN_RUN.finditer(shadow):
        yield from _spoken(found[0], found.start())
    for found in _ENGLISH_RUN.finditer(shadow) if _LATIN_WORDS.search(shadow) else ():
        yield Span(*found.span(), PHONE)
    for found in _MAIL.finditer(shadow) if "@" in shadow else ():
        yield Span(*found.span(), MAIL)


def _spoken(run: str, at: int) -> Iterator[Span]:
    """A number said digit by digit, 一三八零零…; nothing where it is a date, or hardly spoken at all."""
    if sum(c in NUMERALS for c in run) < 3:
        return
    digits = run.translate(_SPOKEN)
    if re.fullmatch(_DATE, digits):
        return
    mobile = _SPOKEN_MOBILE.search(digits)  # leaves the 三 of 周三 where the number follows at once
    start = mobile.start() if mobile and mobile.start() <= 2 else 0
    yield Span(at + start, at + len(run), PHONE)


def _doors(shadow: str) -> Iterator[Span]:
    patterns = [pattern for triggers, pattern in _DOORS if any(c in shadow for c in triggers)]
    if _LATIN_WORDS.search(shadow):
        patterns += _ENGLISH_DOORS
    for pattern in patterns:
        for found in pattern.finditer(shadow):
            yield Span(*found.span(), DOOR)
