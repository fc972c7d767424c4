"""Charts and pages: complete in themselves, sound as XML, and drawn where the values are."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.charts import COLUMNS, WIDTH, Bar, bars, columns, key, on_log_scale, page


def drawn(svg: str, kind: str) -> list[dict[str, str]]:
    return [node.attrib for node in ET.fromstring(svg).iter(kind)]


def test_a_bar_is_as_long_as_its_share() -> None:
    found = drawn(bars([Bar("a", "1", 0.25), Bar("b", "2", None)], "t", ink="black"), "rect")
    assert [float(one["width"]) for one in found if one["fill"] == "black"] == [WIDTH / 4]


def test_an_interval_is_drawn_with_its_point() -> None:
    found = drawn(bars([Bar("a", "", 0.5, 0.4, 0.7)], "t", ink="black"), "rect")
    span, point = (one for one in found if one["fill"] == "black")
    assert (float(span["x"]), float(span["width"])) == pytest.approx((0.4 * WIDTH, 0.3 * WIDTH))
    assert float(point["x"]) + 1.5 == pytest.approx(0.5 * WIDTH)


def test_a_stack_is_as_high_as_its_share_of_the_highest() -> None:
    found = drawn(columns([[1, 3], [2, 0]], ["red", "blue"], ("a", "b"), "t"), "rect")
    heights = [(one["fill"], round(float(one["height"]), 1)) for one in found]
    whole = COLUMNS - 12
    assert heights == [("red", whole / 4), ("blue", whole * 3 / 4), ("red", whole / 2)]


def test_nothing_makes_an_empty_chart() -> None:
    assert drawn(columns([], ["red"], ("", ""), "t"), "rect") == []
    assert drawn(bars([], "t"), "rect") == []


@given(st.text(max_size=20, alphabet=st.characters(exclude_categories=["Cc", "Cs"])))
def test_words_cannot_leave_their_place(words: str) -> None:
    root = ET.fromstring(bars([Bar(words, words, 0.1)], words, ticks=[(0.5, words)]))
    assert {node.tag for node in root.iter()} == {"svg", "text", "rect", "path"}
    assert "<script" not in page("<script>", key([("red", "<script>")]), "en")


@pytest.mark.parametrize(("value", "share"), [(1, 0), (0, 0), (10, 0.5), (100, 1), (9999, 1)])
def test_each_step_of_a_log_scale_is_a_factor(value: float, share: float) -> None:
    assert on_log_scale(value, 1, 100) == pytest.approx(share)


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    written = page("t", bars([Bar("a", "1", 0.5)], "t"), "en")
    assert not any(word in written for word in ("http", "src=", "<script", "@import", "url("))
