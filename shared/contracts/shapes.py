"""Shapes of places as GeoJSON geometry (RFC 7946): (longitude, latitude) in degrees, WGS 84."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Tag

METRES_PER_DEGREE = 111_320.0
"""Of latitude; of longitude, times the cosine of the latitude."""
ERROR_METRES = 100.0
"""How far a border, or a position, may be off: by a satellite's error, or by the hand that drew it."""


def _flat(position: Any) -> Any:
    """A position without its altitude, which RFC 7946 allows and nothing here asks for."""
    return position[:2] if isinstance(position, list | tuple) and len(position) == 3 else position


Position = Annotated[tuple[float, float], BeforeValidator(_flat)]
Ring = tuple[Position, ...]
"""A closed line: its last corner is its first again."""


class Polygon(BaseModel):
    """One surface: its outer ring, then its holes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["Polygon"]
    coordinates: tuple[Ring, ...]


class MultiPolygon(BaseModel):
    """Several surfaces, each with its holes: with an island, or an exclave."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["MultiPolygon"]
    coordinates: tuple[tuple[Ring, ...], ...]


Geometry = Polygon | MultiPolygon


def _type(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else getattr(value, "type", None)


Shape = Annotated[
    Annotated[Polygon, Tag("Polygon")] | Annotated[MultiPolygon, Tag("MultiPolygon")],
    Discriminator(_type, "no_shape", "must be a GeoJSON geometry, a Polygon or a MultiPolygon"),
]
"""Told apart by hand: the keyword that pydantic would write is none of AsyncAPI's."""


def shape_of(polygon: Ring, shape: Geometry | None) -> Geometry | None:
    """The shape of an area that says it in either way: as one ring, closed or not, or in full; None where in none."""
    if shape is not None or not polygon:
        return shape
    closed = polygon if polygon[0] == polygon[-1] else (*polygon, polygon[0])
    return Polygon.model_construct(type="Polygon", coordinates=(closed,))  # checked as a polygon before


def rings(shape: Geometry) -> Iterator[Ring]:
    """All rings, outer ones and holes."""
    if isinstance(shape, Polygon):
        yield from shape.coordinates
    else:
        for surface in shape.coordinates:
            yield from surface
