"""What is wrong with the shapes of areas, said so that whoever drew them can put it right. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from math import cos, radians

import numpy as np
import shapely
from shapely.geometry import shape as surface_of
from shapely.geometry.base import BaseGeometry

from dispatch.city import Area
from shared.areas import upwards
from shared.contracts.shapes import ERROR_METRES, METRES_PER_DEGREE, Geometry, Ring, rings

MOST_CORNERS = 10_000
"""Of one area: what it says of itself is one event, and Kafka takes a megabyte."""
SHORTEST_RING = 4
WIDEST_DEGREES = 180
FARTHEST = (180.0, 90.0)
"""Degrees of longitude and of latitude, to either side."""
GEOS_WORDS = {
    "Self-intersection": "its border crosses itself",
    "Ring Self-intersection": "its border touches itself",
    "Hole lies outside shell": "a hole lies outside of it",
    "Holes are nested": "a hole lies in a hole",
    "Nested shells": "one of its parts lies in another",
    "Interior is disconnected": "its holes cut it in two",
    "Too few points in geometry component": "a ring has fewer than three different corners",
}

Flaw = tuple[int, str]
"""The area's place in the list, and what is wrong with its shape."""


def flaws(areas: Sequence[Area]) -> Iterator[Flaw]:
    """All that is wrong: with each shape, and with those that reach beyond the area around them."""
    surfaces: dict[str, BaseGeometry] = {}
    for n, area in enumerate(areas):
        if area.polygon and area.shape is not None:
            yield n, f"{area.id} has a polygon and a shape: leave one out"
        elif (outline := area.outline) is not None:
            surface = _surface(outline)
            if isinstance(surface, str):
                yield n, f"the shape of {area.id} is not right: {surface}"
            else:
                surfaces[area.id] = surface
    yield from _outside(areas, surfaces)


def _surface(shape: Geometry) -> BaseGeometry | str:
    """The surface, or what is wrong with it."""
    if flaw := _flaw_of_rings(shape):
        return flaw
    surface = surface_of(shape.model_dump())
    return _flaw_of_surface(surface) or surface


def _flaw_of_rings(shape: Geometry) -> str | None:
    lines = list(rings(shape))
    if not lines:
        return "it has no corners"
    if sum(map(len, lines)) > MOST_CORNERS:
        return f"it has more than {MOST_CORNERS} corners; leave out those that matter least"
    return next((flaw for ring in lines if (flaw := _flaw_of_ring(ring))), None)


def _flaw_of_surface(surface: BaseGeometry) -> str | None:
    for part in getattr(surface, "geoms", (surface,)):
        if part.bounds[2] - part.bounds[0] > WIDEST_DEGREES:
            return "it is wider than half the earth; cut it in two at the antimeridian (RFC 7946, 3.1.9)"
    return None if surface.is_valid else _in_words(shapely.is_valid_reason(surface))


def _flaw_of_ring(ring: Ring) -> str | None:
    if not (np.abs(np.array(ring).reshape(-1, 2)) <= FARTHEST).all():
        return _off_the_earth(ring)
    if len(ring) < SHORTEST_RING:
        return "a ring has fewer than three corners"
    if ring[0] != ring[-1]:
        return f"a ring is not closed: it begins at {_at(ring[0])} and ends at {_at(ring[-1])}"
    return None


def _off_the_earth(ring: Ring) -> str:
    longitude, latitude = next((x, y) for x, y in ring if not (abs(x) <= FARTHEST[0] and abs(y) <= FARTHEST[1]))
    swapped = abs(latitude) <= FARTHEST[0] and abs(longitude) <= FARTHEST[1]
    hint = "longitude comes first, are they swapped?" if swapped else "is it in degrees, WGS 84?"
    return f"{longitude}, {latitude} is no longitude and latitude; {hint}"


def _at(position: tuple[float, float]) -> str:
    return f"{position[0]}, {position[1]}"


def _in_words(reason: str) -> str:
    """`Self-intersection[0.5 0.5]`, as GEOS says it."""
    what, _, where = reason.partition("[")
    words = GEOS_WORDS.get(what, what)
    return f"{words} at {where.rstrip(']').replace(' ', ', ')}" if where else words


def _outside(areas: Sequence[Area], surfaces: Mapping[str, BaseGeometry]) -> Iterator[Flaw]:
    """The areas of which a part lies outside the next one around that has a shape, farther than a border may be off."""
    widened: dict[str, BaseGeometry] = {}
    for n, area in enumerate(areas):
        surface = surfaces.get(area.id)
        around = next((wider for wider in upwards(area.id) if wider != area.id and wider in surfaces), None)
        if surface is None or around is None or surfaces[around].covers(surface):
            continue
        if around not in widened:
            widened[around] = _widened(surfaces[around])
            shapely.prepare(widened[around])
        if not widened[around].covers(surface):
            swapped = shapely.transform(surface, lambda at: at[:, ::-1])
            hint = ": longitude comes first, are they swapped?" if widened[around].covers(swapped) else ""
            yield n, f"the shape of {area.id} reaches more than {ERROR_METRES:.0f} m beyond {around}{hint}"


def _widened(surface: BaseGeometry) -> BaseGeometry:
    """The surface and all that is within ERROR_METRES of it; a degree of longitude is as long as at its middle."""
    longitude = METRES_PER_DEGREE * cos(radians(surface.centroid.y))
    metres = shapely.transform(surface, lambda at: at * (longitude, METRES_PER_DEGREE))
    return shapely.transform(metres.buffer(ERROR_METRES), lambda at: at / (longitude, METRES_PER_DEGREE))
