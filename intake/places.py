"""Places: the smallest area that a request is in, from what its filer said; with how it was found and how surely.

A stated area is believed. Coordinates, the address, and where there is neither a place named in the text make it
narrower. Where they contradict each other it is the smallest area around all that it might be, and not sure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from http import HTTPStatus

from intake.naming import Mention, Names
from intake.shapes import Shapes
from shared.areas import common, lies_in, upwards
from shared.contracts.shapes import Geometry
from shared.contracts.vocabulary import PlaceDoubt, PlaceSource
from shared.problems import Problem

SURE_STATED, SURE_COORDINATES, SURE_ADDRESS = 1.0, 0.95, 0.9
SURE_NEAR = 0.7
"""Of coordinates just outside a shape."""
SURE_AMBIGUOUS = 0.5
"""Where names, or coordinates and address, point to several places: their common area is taken."""
SURE_TEXT = 0.5
"""Factor where the place was only mentioned in the text: it may be where somebody wants to go."""
SEARCHED_CHARACTERS = 1000
"""Of a text: people say first where they are, and the search must stay quick for the longest text."""


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
    shape: Geometry | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request is, as far as we could tell."""

    area: str | None
    source: PlaceSource
    confidence: float
    doubt: PlaceDoubt | None = None
    """Why it is not sure; None where it is."""


NOWHERE = Place(None, PlaceSource.NONE, 0.0)


class Areas:
    """The areas, arranged for finding: the time that takes hardly grows with their number."""

    def __init__(self, areas: Iterable[Area]) -> None:
        known = list(areas)
        self._ids = {area.id for area in known}
        self._names = Names((area.id, area.names) for area in known)
        self._shapes = Shapes((area.id, area.shape) for area in known if area.shape is not None)

    def find(
        self,
        *,
        area: str | None = None,
        coordinates: tuple[float, float] | None = None,
        accuracy_m: float = 0,
        address: str | None = None,
        text: str = "",
    ) -> Place:
        """Where that is; `coordinates` are (longitude, latitude), right to `accuracy_m`. Raises UnknownArea."""
        if area is not None and area not in self._ids:
            raise UnknownArea
        found = Place(area, PlaceSource.AREA, SURE_STATED) if area else NOWHERE
        hints = [self._containing(*coordinates, accuracy_m)] if coordinates else []
        if address:
            known = next((hint.area for hint in (*hints, found) if hint.area), None)
            hints.append(self._mentioned_in(address, known))
        if area:
            hints = [hint for hint in hints if hint.area and _agree(hint.area, area)]
        found = reduce(_joined, hints, found)
        if found != NOWHERE:
            return found
        mentioned = self._mentioned_in(text[:SEARCHED_CHARACTERS], None)
        if mentioned.area is None:
            return NOWHERE
        return replace(mentioned, confidence=mentioned.confidence * SURE_TEXT, doubt=PlaceDoubt.TEXT)

    def _containing(self, longitude: float, latitude: float, accuracy_m: float) -> Place:
        area, is_sure = self._shapes.around(longitude, latitude, accuracy_m)
        if area is None:
            return NOWHERE
        if is_sure:
            return Place(area, PlaceSource.COORDINATES, SURE_COORDINATES)
        return Place(area, PlaceSource.COORDINATES, SURE_NEAR, PlaceDoubt.NEAR)

    def _mentioned_in(self, words: str, known: str | None) -> Place:
        """The area that all of the named places speak for; where none has all, the smallest around what they name."""
        mentions = [_nearby(mention, known) for mention in dict.fromkeys(self._names.mentions(words))]
        if not mentions:
            return NOWHERE
        paths = {area: list(upwards(area)) for mention in mentions for area in mention.areas}
        said = {area: sum(m.length for m in mentions if not m.areas.isdisjoint(path)) for area, path in paths.items()}
        most = max(said.values())
        best = [area for area in sorted(paths) if said[area] == most]
        if len(best) == 1 and most == sum(m.length for m in mentions):
            return Place(best[0], PlaceSource.ADDRESS, SURE_ADDRESS)
        others = (m.areas for m in mentions if all(m.areas.isdisjoint(paths[area]) for area in best))
        around = common(best + [area for areas in others for area in areas])
        return Place(around, PlaceSource.ADDRESS, SURE_AMBIGUOUS, PlaceDoubt.NAMES) if around else NOWHERE


def _nearby(mention: Mention, known: str | None) -> Mention:
    """Of several areas of that name, those that agree with what is known; all where none does."""
    if known is None or len(mention.areas) == 1:
        return mention
    nearby = frozenset(area for area in mention.areas if _agree(area, known))
    return Mention(mention.length, nearby) if nearby else mention


def _agree(area: str, other: str) -> bool:
    """Whether one lies in the other."""
    return lies_in(area, other) or lies_in(other, area)


def _joined(found: Place, other: Place) -> Place:
    """What both say together: the narrower where they agree, else the smallest area around both."""
    if found.area is None or other.area is None:
        return other if found.area is None else found
    if found.area == other.area:
        return max(found, other, key=lambda place: place.confidence)
    if _agree(found.area, other.area):
        return other if lies_in(other.area, found.area) else found
    around = common((found.area, other.area))
    if around is None:
        return replace(NOWHERE, doubt=PlaceDoubt.CONFLICT)
    return Place(around, found.source, SURE_AMBIGUOUS, PlaceDoubt.CONFLICT)
