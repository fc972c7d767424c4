"""Places: the smallest area that a request is in, from what its filer said; with how it was found and how surely.

A stated area comes first, then coordinates, then the address, then a place named in the text itself. What comes later
is believed where it lies within what was found before: the town chosen from a list, the estate from the address.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus

from shared.contracts.vocabulary import PlaceSource
from shared.problems import Problem

SURE_STATED, SURE_COORDINATES, SURE_ADDRESS = 1.0, 0.95, 0.9
SURE_AMBIGUOUS = 0.5
"""Of an address whose names point to several places: their common area is taken."""
SURE_TEXT = 0.5
"""Factor where the place was only mentioned in the text: it may be where somebody wants to go."""
SHORTEST_NAME = 2
SEARCHED_CHARACTERS = 1000
"""Of a text: people say first where they are, and the search must stay quick for the longest text."""
Ring = tuple[tuple[float, float], ...]
_RANGE = re.compile(r"(.+?)(\d+)(?:至|到|~|-)(\d+)(?:幢|栋|号楼|号)")
_NUMBER = re.compile(r"(\d+)(?:幢|栋|号楼|号|#|-|座)")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


class UnknownArea(Problem):
    """There is no such area. Take an id from GET /v1/areas, or leave `area` out and send the address or coordinates."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Unknown area"


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A place in the tree; its id is the path of ids above it."""

    id: str
    names: tuple[str, ...]
    """Names in every language, and aliases."""
    polygon: Ring = ()
    """Corners as (longitude, latitude) in degrees; the first is not repeated."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request is, as far as we could tell."""

    area: str | None
    source: PlaceSource
    confidence: float


NOWHERE = Place(None, PlaceSource.NONE, 0.0)


class Areas:
    """The areas, arranged for finding: the time that takes does not grow with their number but for shapes."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self._ids: set[str] = set()
        self._named: dict[str, set[str]] = defaultdict(set)
        self._ranges: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        shapes = []
        for area in areas:
            self._ids.add(area.id)
            for name in area.names:
                self._name(_plain(name), area.id)
            if len(area.polygon) > 2:
                shapes.append((abs(_double_area(area.polygon)), area.id, area.polygon, _box(area.polygon)))
        self._shapes = sorted(shapes)
        lengths: dict[str, set[int]] = defaultdict(set)
        for name in self._named:
            lengths[name[0]].add(len(name))
        self._lengths = {first: sorted(of, reverse=True) for first, of in lengths.items()}

    def _name(self, name: str, area: str) -> None:
        numbers = _RANGE.fullmatch(name)
        if numbers:  # 金茂花苑7至12幢: an estate's buildings from 7 to 12
            self._ranges[numbers[1]].append((int(numbers[2]), int(numbers[3]), area))
            self._named[numbers[1]].add(parent(area) or area)
        elif len(name) >= SHORTEST_NAME:
            self._named[name].add(area)

    def find(
        self,
        *,
        area: str | None = None,
        coordinates: tuple[float, float] | None = None,
        address: str | None = None,
        text: str = "",
    ) -> Place:
        """Where that is; `coordinates` are (longitude, latitude). Raises UnknownArea."""
        if area is not None and area not in self._ids:
            raise UnknownArea
        found = Place(area, PlaceSource.AREA, SURE_STATED) if area else NOWHERE
        if coordinates:
            found = _narrower(found, self._containing(*coordinates))
        by_address = self._mentioned_in(address) if address else NOWHERE
        if by_address.area is None and found.area is None:
            mentioned = self._mentioned_in(text[:SEARCHED_CHARACTERS])
            return replace(mentioned, confidence=mentioned.confidence * SURE_TEXT)
        return _narrower(found, by_address)

    def _containing(self, longitude: float, latitude: float) -> Place:
        """The smallest shape around the point."""
        for _, area, ring, (west, south, east, north) in self._shapes:
            if west <= longitude <= east and south <= latitude <= north and _contains(ring, longitude, latitude):
                return Place(area, PlaceSource.COORDINATES, SURE_COORDINATES)
        return NOWHERE

    def _mentioned_in(self, words: str) -> Place:
        """The area that most of the named places speak for, each by the length of its name."""
        mentions = self._mentions(_plain(words))
        if not mentions:
            return NOWHERE
        candidates = {area for _, areas in mentions for area in areas}
        said = {area: sum(n for n, areas in mentions if any(_within(area, a) for a in areas)) for area in candidates}
        most = max(said.values())
        best = [area for area in sorted(candidates) if said[area] == most]
        area = best[0] if len(best) == 1 else _common(best)
        if area is None:
            return NOWHERE
        is_plain = len(best) == 1 and most == sum(n for n, _ in mentions)
        return Place(area, PlaceSource.ADDRESS, SURE_ADDRESS if is_plain else SURE_AMBIGUOUS)

    def _mentions(self, words: str) -> list[tuple[int, set[str]]]:
        """The names that occur, the longest at each place, none inside another: (length, areas so called)."""
        mentions: list[tuple[int, set[str]]] = []
        at = 0
        while at < len(words):
            length = next((n for n in self._lengths.get(words[at], ()) if self._occurs(words, at, n)), 0)
            if length:
                name = words[at : at + length]
                mentions.append((length, self._by_number(name, words[at + length :]) or self._named[name]))
            at += length or 1
        return mentions

    def _occurs(self, words: str, at: int, length: int) -> bool:
        """Whether a name stands there, and not within a longer number: 6网格 is not in 16网格."""
        name = words[at : at + length]
        if len(name) < length or name not in self._named:
            return False
        before, after = words[at - 1 : at], words[at + length : at + length + 1]
        return not (name[0].isdigit() and before.isdigit()) and not (name[-1].isdigit() and after.isdigit())

    def _by_number(self, estate: str, after: str) -> set[str]:
        """The areas that have the building whose number follows the estate's name."""
        number = _NUMBER.match(after) if estate in self._ranges else None
        return {a for low, high, a in self._ranges[estate] if low <= int(number[1]) <= high} if number else set()


def parent(area: str) -> str | None:
    """The area around it; None for the city."""
    return area.rpartition("/")[0] or None


def _within(area: str, around: str) -> bool:
    return area == around or area.startswith(f"{around}/")


def _narrower(found: Place, other: Place) -> Place:
    """The other place where it lies within the one found, or nothing was found; else the one found."""
    if found.area is None or (other.area and other.area != found.area and _within(other.area, found.area)):
        return other
    return found


def _common(areas: list[str]) -> str | None:
    """The smallest area around all of them."""
    around: str | None = areas[0]
    while around and not all(_within(area, around) for area in areas):
        around = parent(around)
    return around


def _plain(words: str) -> str:
    """One spelling of names and addresses: no blanks, no punctuation, no 第, no leading zeros, no case."""
    folded = unicodedata.normalize("NFKC", words).casefold()
    kept = "".join(c for c in folded if c.isalnum() or c in "#-~")
    return _LEADING_ZEROS.sub("", kept.replace("第", ""))


def _double_area(ring: Ring) -> float:
    """Twice the signed area, in square degrees: enough to compare neighbours."""
    corners = zip(ring, ring[1:] + ring[:1], strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in corners)


def _box(ring: Ring) -> tuple[float, float, float, float]:
    longitudes, latitudes = zip(*ring, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _contains(ring: Ring, x: float, y: float) -> bool:
    """The even-odd rule: a ray to the east crosses the ring an odd number of times."""
    inside = False
    for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside
