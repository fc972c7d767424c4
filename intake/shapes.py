"""Shapes of areas, arranged for finding the smallest around a point, or around all that a point might be. Pure.

Shapes may be as they like here: what dispatch would refuse today may stand in an older log.
"""

from collections.abc import Iterable
from math import cos, radians
from typing import Any

import numpy as np
import shapely

from shared.areas import common
from shared.contracts.shapes import ERROR_METRES, METRES_PER_DEGREE, Geometry, Polygon, rings

SHORTEST_RING = 4
FLATTEST = 0.01
"""Of the cosine of a latitude: at the poles a degree of longitude has no length."""
NEGLIGIBLE = 1e-6
"""The share of a surface that is an error of computing."""
_CORNERS = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE = np.column_stack((np.cos(_CORNERS), np.sin(_CORNERS))) / np.cos(np.pi / 16)  # around the true circle
_HERE = shapely.Point(0, 0)
Indices = np.ndarray[Any, np.dtype[np.intp]]


class Shapes:
    """Many shapes in a tree by their boxes, the deepest area first, then the smallest, then by id."""

    def __init__(self, shapes: Iterable[tuple[str, Geometry]]) -> None:
        usable = [(area, s) for area, s in shapes if _is_usable(s)]
        found = [(area, _surface(s)) for area, s in usable]
        found.sort(key=lambda one: (-one[0].count("/"), one[1].area, one[0]))
        self._areas = [area for area, _ in found]
        self._surfaces = np.array([surface for _, surface in found], dtype=object)
        crossed = ~shapely.is_valid(self._surfaces)
        self._surfaces[crossed] = shapely.make_valid(self._surfaces[crossed])
        shapely.prepare(self._surfaces)
        self._tree = shapely.STRtree(self._surfaces)

    def around(self, longitude: float, latitude: float, accuracy_m: float = 0) -> tuple[str | None, bool]:
        """The smallest area around a point that is known to so many metres; and whether it surely lies in it.

        A point on a border belongs to one area, always to the same. One outside of all, by no more than ERROR_METRES,
        belongs to the nearest, not surely.
        """
        inside = self._containing(longitude, latitude)
        if accuracy_m > 0:
            return self._around_disc(inside, longitude, latitude, accuracy_m)
        if len(inside):
            return self._areas[inside[0]], True
        return self._nearest(longitude, latitude), False

    def _containing(self, longitude: float, latitude: float) -> Indices:
        """The shapes with the point in them or on their border; the antimeridian has two names."""
        both = (longitude, -longitude) if abs(longitude) == 180 else (longitude,)
        found = [self._on(x, latitude) for x in both]
        return np.sort(np.concatenate(found)) if len(found) > 1 else found[0]

    def _on(self, longitude: float, latitude: float) -> Indices:
        near: Indices = self._tree.query(shapely.Point(longitude, latitude))
        near.sort()
        return near[shapely.intersects_xy(self._surfaces[near], longitude, latitude)]

    def _around_disc(
        self, inside: Indices, longitude: float, latitude: float, radius_m: float
    ) -> tuple[str | None, bool]:
        disc = _disc(longitude, latitude, radius_m)
        around = inside[shapely.covers(self._surfaces[inside], disc)]
        if len(around):
            return self._areas[around[0]], True
        touched = np.sort(self._tree.query(disc, predicate="intersects"))
        if not len(touched):
            return self._nearest(longitude, latitude), False
        surfaces = self._surfaces[touched]
        ours = shapely.intersection(disc, shapely.union_all(surfaces))
        left_out = shapely.area(shapely.difference(ours, surfaces))
        around = touched[left_out <= NEGLIGIBLE * ours.area]
        return (self._areas[around[0]] if len(around) else common([self._areas[n] for n in touched])), False

    def _nearest(self, longitude: float, latitude: float) -> str | None:
        near = np.sort(self._tree.query(_disc(longitude, latitude, ERROR_METRES), predicate="intersects"))
        if not len(near):
            return None
        flat = shapely.transform(self._surfaces[near], lambda at: (at - (longitude, latitude)) * _scale(latitude))
        centimetres = np.round(shapely.distance(flat, _HERE), 2)
        nearest = int(centimetres.argmin())
        return self._areas[near[nearest]] if centimetres[nearest] <= ERROR_METRES else None


def _is_usable(shape: Geometry) -> bool:
    lengths = [len(ring) for ring in rings(shape)]
    return bool(lengths) and min(lengths) >= SHORTEST_RING


def _surface(shape: Geometry) -> shapely.Polygon | shapely.MultiPolygon:
    parts = [shape.coordinates] if isinstance(shape, Polygon) else shape.coordinates
    surfaces = [shapely.Polygon(outer, holes) for outer, *holes in parts]
    return surfaces[0] if len(surfaces) == 1 else shapely.MultiPolygon(surfaces)


def _scale(latitude: float) -> tuple[float, float]:
    """Metres to a degree of longitude and of latitude, near enough for a city."""
    return METRES_PER_DEGREE * max(cos(radians(latitude)), FLATTEST), METRES_PER_DEGREE


def _disc(longitude: float, latitude: float, radius_m: float) -> shapely.Polygon:
    return shapely.Polygon(_CIRCLE * radius_m / _scale(latitude) + (longitude, latitude))
