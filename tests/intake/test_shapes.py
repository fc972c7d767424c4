"""The smallest area around a point; shapely's own answer, shape by shape, is what it is held against."""

import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from intake.shapes import Shapes
from shared.areas import common
from shared.contracts.shapes import METRES_PER_DEGREE, Geometry, Polygon, Shape, shape_of

METRE = 1 / METRES_PER_DEGREE
"""In degrees of latitude; of longitude on the equator, where these shapes are."""


def box(west: float, south: float, east: float, north: float) -> Geometry:
    shape = shape_of(((west, south), (east, south), (east, north), (west, north)), None)
    assert shape is not None
    return shape


def geometry(kind: str, coordinates: object) -> Geometry:
    adapter: TypeAdapter[Geometry] = TypeAdapter(Shape)
    return adapter.validate_python({"type": kind, "coordinates": coordinates})


def ring(west: float, south: float, east: float, north: float) -> list[tuple[float, float]]:
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


TWO = Shapes([("c", box(0, 0, 2, 1)), ("c/west", box(0, 0, 1, 1)), ("c/east", box(1, 0, 2, 1))])


def test_a_hole_belongs_to_what_fills_it() -> None:
    ring_road = geometry("Polygon", [ring(0, 0, 3, 3), ring(1, 1, 2, 2)])
    shapes = Shapes([("c", box(0, 0, 3, 3)), ("c/around", ring_road), ("c/middle", box(1, 1, 2, 2))])
    assert shapes.around(1.5, 1.5) == ("c/middle", True)
    assert shapes.around(0.5, 0.5) == ("c/around", True)
    assert Shapes([("c/around", ring_road)]).around(1.5, 1.5) == (None, False)


def test_an_exclave_belongs_to_its_area() -> None:
    apart = geometry("MultiPolygon", [[ring(0, 0, 1, 1)], [ring(4, 0, 5, 1)]])
    shapes = Shapes([("c", box(0, 0, 5, 1)), ("c/apart", apart)])
    assert shapes.around(4.5, 0.5) == ("c/apart", True)
    assert shapes.around(2.5, 0.5) == ("c", True)


def test_a_concave_shape_does_not_hold_its_bay() -> None:
    bay = shape_of(((0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (1, 1), (1, 4), (0, 4)), None)
    assert bay is not None
    shapes = Shapes([("u", bay)])
    assert shapes.around(2.0, 3.0) == (None, False)
    assert shapes.around(0.5, 3.0) == shapes.around(3.5, 3.0) == ("u", True)


@pytest.mark.parametrize("order", [1, -1])
def test_a_point_on_a_border_belongs_to_one_area_whatever_the_order_of_the_files(order: int) -> None:
    known = [("c", box(0, 0, 2, 1)), ("c/west", box(0, 0, 1, 1)), ("c/east", box(1, 0, 2, 1))]
    assert Shapes(known[::order]).around(1, 0.5) == ("c/east", True)
    assert Shapes(known[::order]).around(1, 1) == ("c/east", True)


def test_who_is_just_outside_belongs_to_the_nearest_but_not_surely() -> None:
    assert TWO.around(-90 * METRE, 0.5) == ("c/west", False)
    assert TWO.around(2 + 90 * METRE, 0.5) == ("c/east", False)
    assert TWO.around(2 + 110 * METRE, 0.5) == (None, False)


def test_a_metre_is_as_long_in_the_north() -> None:
    north = Shapes([("c", box(0, 60, 1, 61))])
    assert north.around(-150 * METRE, 60.5) == ("c", False)  # half as far as on the equator
    assert north.around(0.5, 60 - 150 * METRE) == (None, False)


def test_a_position_that_may_be_in_either_is_in_what_holds_both() -> None:
    assert TWO.around(1 - 30 * METRE, 0.5, 20) == ("c/west", True)
    assert TWO.around(1 - 30 * METRE, 0.5, 40) == ("c", True)


def test_a_position_that_may_be_outside_is_in_the_area_that_holds_the_rest_but_not_surely() -> None:
    assert TWO.around(30 * METRE, 0.5, 40) == ("c/west", False)
    assert TWO.around(-30 * METRE, 0.5, 40) == ("c/west", False)
    assert TWO.around(-30 * METRE, 0.5, 20) == ("c/west", False)
    assert TWO.around(1, -30 * METRE, 40) == ("c", False)
    assert TWO.around(-1, 0.5, 20) == (None, False)


def test_the_antimeridian_has_two_names() -> None:
    """Cut in two there, as RFC 7946 wants it."""
    islands = geometry("MultiPolygon", [[ring(179, 0, 180, 1)], [ring(-180, 0, -179, 1)]])
    shapes = Shapes([("c", islands), ("c/west", box(179, 0, 180, 1))])
    assert shapes.around(179.5, 0.5) == ("c/west", True)
    assert shapes.around(-179.5, 0.5) == ("c", True)
    assert shapes.around(180, 0.5) == shapes.around(-180, 0.5) == ("c/west", True)


def test_shapes_that_an_older_log_may_hold_are_made_the_best_of() -> None:
    line = shape_of(((0, 0), (1, 1)), None)
    crossed = shape_of(((0, 0), (1, 1), (1, 0), (0, 1)), None)
    nothing = Polygon(type="Polygon", coordinates=())
    assert line is not None
    assert crossed is not None
    shapes = Shapes([("line", line), ("crossed", crossed), ("nothing", nothing)])
    assert shapes.around(0.9, 0.5) == ("crossed", True)
    assert shapes.around(0.5, 0.9) == (None, False)
    assert Shapes([]).around(0, 0) == (None, False)
    assert Shapes([]).around(0, 0, 10) == (None, False)


WHOLE = st.integers(0, 12)
AREA = st.sampled_from(["c", "c/a", "c/b", "c/a/1", "c/a/2", "c/b/1", "c/a/1/x"])


@st.composite
def triangles(draw: st.DrawFn) -> Geometry:
    corners = draw(st.lists(st.tuples(WHOLE, WHOLE), min_size=3, max_size=3, unique=True))
    shape = shape_of(tuple(corners), None)
    assert shape is not None
    return shape


@given(
    known=st.dictionaries(AREA, triangles(), max_size=7),
    x=st.one_of(WHOLE.map(float), st.floats(0, 12)),
    y=st.one_of(WHOLE.map(float), st.floats(0, 12)),
)
@example(known={"c/a": box(0, 0, 1, 1), "c/b": box(1, 0, 2, 1)}, x=1.0, y=0.5)
def test_of_all_shapes_that_cover_a_point_the_deepest_is_chosen(known: dict[str, Geometry], x: float, y: float) -> None:
    point = shapely.Point(x, y)
    surfaces = {area: shapely.make_valid(shapely.geometry.shape(s.model_dump())) for area, s in known.items()}
    covering = {area for area, surface in surfaces.items() if surface.covers(point)}
    found, is_sure = Shapes(known.items()).around(x, y)
    if not covering:
        assert not is_sure
        return
    assert is_sure
    deepest = max(area.count("/") for area in covering)
    equals = {area for area in covering if area.count("/") == deepest}
    assert found == min(equals, key=lambda area: (surfaces[area].area, area))


@given(known=st.dictionaries(AREA, triangles(), min_size=1), x=WHOLE, y=WHOLE, accuracy=st.floats(1, 500_000))
def test_a_less_exact_position_never_gives_an_area_that_its_middle_rules_out(
    known: dict[str, Geometry], x: float, y: float, accuracy: float
) -> None:
    shapes = Shapes(known.items())
    found, is_sure = shapes.around(x, y, accuracy)
    if is_sure:
        assert found is not None
        surface = shapely.make_valid(shapely.geometry.shape(known[found].model_dump()))
        assert surface.covers(shapely.Point(x, y))
    if found is None:
        assert shapes.around(x, y)[0] is None or common(known) is None


@pytest.mark.parametrize(
    ("areas", "around"),
    [(("a/b/c", "a/b/d"), "a/b"), (("a/b", "a/b/d"), "a/b"), (("a/b", "a/bc"), "a"), (("a",), "a"), (("a", "b"), None)],
)
def test_the_common_area_is_the_smallest_around_all(areas: tuple[str, ...], around: str | None) -> None:
    assert common(areas) == around
