"""Names of areas, found in what people write: an address in Chinese or English, in one spelling. Pure.

A name counts where it stands as words of its own, the longest first, and not where it only names a road.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import ahocorasick
from opencc import OpenCC

from shared.areas import parent

SHORTEST_NAME = 2
_HAN = r"\u3400-\u9fff\U00020000-\U0003ffff"
_COUNTED = "一二三四五六七八九"
_BUILDING = "幢|栋|座|号楼"
_COUNT = re.compile(rf"(?<![{_COUNTED}十])([{_COUNTED}]?)(十?)([{_COUNTED}]?)(?={_BUILDING})")
_TOKEN = re.compile(rf"[{_HAN}]+|\d+|[^\W\d_{_HAN}]+|[#~-]|\w|[,;:、。·/|\n]+")
_SEPARATORS = frozenset(",;:、。·/|\n")
_IS_HAN = re.compile(f"[{_HAN}]")
_RANGES = (
    re.compile(rf"(.+?)(\d+)(?:至|到|~|-)(\d+)(?:{_BUILDING}|号)"),
    re.compile(r"(.+?)(?:buildings?|blocks?)(\d+)(?:to|~|-)(\d+)"),
)
_NUMBER_AFTER = (
    re.compile(rf"(\d+)(?:{_BUILDING}|号|#|-)"),
    re.compile(r"(?:building|bldg|block|tower|no)(\d+)"),
)
_NUMBER_BEFORE = re.compile(r"(?:building|bldg|block|tower|no)(\d+)$")
_LONGEST_NUMBER = 12
_ROAD = re.compile(
    r"[东南西北中上下前后新老]?(?:路|街(?!道)|大道|大街|巷|胡同)"
    r"|(?:east|west|north|south|middle|new|old)?(?:road|rd|street|st|avenue|ave|lane|ln|boulevard|blvd)"
)
_PLACE = re.compile(r"(?:省|市|县|区|镇|乡|村|街道|网格|city|town|township|district|village|grid\d*)$")
"""A name that ends so is a place; what follows is a road in it, not one called after it."""


def _spelling() -> dict[int, str | None]:
    """For each character that has another spelling, the one that counts, alike wherever it stands."""
    characters = [chr(n) for first, last in ((0x3400, 0x9FFF), (0x20000, 0x3134F)) for n in range(first, last + 1)]
    simplified = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    spelling: dict[int, str | None] = {ord(a): b for a, b in zip(characters, simplified, strict=True) if a != b}
    return spelling | {ord("第"): None} | dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")


_SPELLING = _spelling()


@dataclass(frozen=True, slots=True)
class Plain:
    """Words in one spelling: no blanks, no punctuation, no 第, no leading zeros, no case, one script."""

    text: str
    seams: list[int]
    """Where two words in letters met: the text alone does not show it."""
    breaks: list[int]
    """Where a mark stood that keeps apart what is before and after it."""

    def is_edge(self, at: int) -> bool:
        """Whether a word begins or ends there: hill is not in hillary, 6网格 not in 16网格."""
        if at in (0, len(self.text)) or at in self.seams:
            return True
        before, after = self.text[at - 1], self.text[at]
        if before.isdecimal() or after.isdecimal():
            return before.isdecimal() != after.isdecimal()
        return not (_is_letter(before) and _is_letter(after))


def _is_letter(character: str) -> bool:
    return character.isalpha() and not _IS_HAN.match(character)


def plain(words: str) -> Plain:
    """These words in one spelling."""
    spelled = unicodedata.normalize("NFKC", words).casefold().translate(_SPELLING)
    kept, length, seams, breaks = list[str](), 0, list[int](), list[int]()
    after_number = False
    for token in _TOKEN.findall(_COUNT.sub(_in_digits, spelled)):
        first = token[0]
        if first in _SEPARATORS:
            breaks.append(length)
            continue
        word, is_number = token, first.isdecimal()
        if is_number:
            apart = "-" if after_number else ""  # 8 502 is not 8502
            word = apart + (token.lstrip("0") or "0")
        seams.append(length)
        kept.append(word)
        length += len(word)
        after_number = is_number
    return Plain("".join(kept), seams, breaks)


def _in_digits(count: re.Match[str]) -> str:
    """十二 before a building's word as 12; what is no number below a hundred stays."""
    tens, ten, ones = count.groups()
    if not ten:
        return str(_COUNTED.index(ones or tens) + 1) if bool(tens) != bool(ones) else count[0]
    return str(10 * (_COUNTED.index(tens) + 1 if tens else 1) + (_COUNTED.index(ones) + 1 if ones else 0))


class Mention(NamedTuple):
    """A name that stands somewhere: how many characters speak for which areas, all of them called so."""

    length: int
    areas: frozenset[str]


class Names:
    """All names, found in one pass whose time does not grow with their number."""

    def __init__(self, named: Iterable[tuple[str, Iterable[str]]]) -> None:
        named_so: dict[str, set[str]] = defaultdict(set)
        self._numbered: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for area, names in named:
            for name in names:
                self._add(plain(name).text, area, named_so)
        self._named = {name: frozenset(areas) for name, areas in named_so.items()}
        self._automaton = ahocorasick.Automaton()
        for name in self._named:
            self._automaton.add_word(name, len(name))
        self._automaton.make_automaton()

    def _add(self, name: str, area: str, named: dict[str, set[str]]) -> None:
        numbers = next((found for ranges in _RANGES if (found := ranges.fullmatch(name))), None)
        if numbers:  # 金茂花苑7至12幢: an estate's buildings from 7 to 12
            self._numbered[numbers[1]].append((int(numbers[2]), int(numbers[3]), area))
            named[numbers[1]].add(parent(area) or area)
        elif len(name) >= SHORTEST_NAME:
            named[name].add(area)

    def mentions(self, words: str) -> list[Mention]:
        """The names that stand in these words, the longest first, none within another."""
        said, found = plain(words), list[Mention]()
        taken = bytearray(len(said.text))
        for length, start in sorted(self._spans(said)):
            end = start - length
            if 1 not in taken[start:end]:
                taken[start:end] = b"\x01" * -length
                if not _names_a_road(said, start, end):
                    found.append(Mention(-length, self._called(said.text, start, end)))
        return found

    def _spans(self, said: Plain) -> Iterator[tuple[int, int]]:
        """Where names stand: (the length, less than zero so that the longest is first, where it begins)."""
        if not self._named:
            return
        for last, length in self._automaton.iter(said.text):
            start, end = last + 1 - length, last + 1
            if said.is_edge(start) and said.is_edge(end):
                yield -length, start

    def _called(self, text: str, start: int, end: int) -> frozenset[str]:
        """The areas of that name; where a building's number stands beside it, those that have this building."""
        name = text[start:end]
        numbered = self._numbered.get(name)
        number = _number_beside(text, start, end) if numbered else None
        if numbered is None or number is None:
            return self._named[name]
        having = frozenset(area for low, high, area in numbered if low <= number <= high)
        return having or self._named[name]


def _number_beside(text: str, start: int, end: int) -> int | None:
    before = text[max(0, start - _LONGEST_NUMBER) : start]
    after = text[end : end + _LONGEST_NUMBER]
    found = next((f for number in _NUMBER_AFTER if (f := number.match(after))), None) or _NUMBER_BEFORE.search(before)
    return int(found[1]) if found else None


def _names_a_road(said: Plain, start: int, end: int) -> bool:
    """Whether a road is called after the place there: 虎啸路, Huxiao Road; that road may be anywhere."""
    if end in said.breaks or _PLACE.search(said.text, start, end):
        return False
    road = _ROAD.match(said.text, end)
    return road is not None and said.is_edge(road.end())
