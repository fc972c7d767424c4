"""Pages and cursors: what a list gave leads on, and nothing else does."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.problems import InvalidInput
from shared.web import encode_cursor, page, read_cursor

NAMED = str(UUID(int=7))
NUMBERS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]))


@given(NUMBERS, TIMES, st.uuids(), st.text())
def test_a_cursor_leads_back_to_its_values(number: int, at: datetime, named: UUID, words: str) -> None:
    cursor = encode_cursor(number, at, named, words)
    try:
        at.astimezone(UTC)
    except OverflowError:
        return
    assert read_cursor(cursor, int, datetime, UUID, str) == (number, at, named, words)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "é",
        "bm8",
        encode_cursor(),
        encode_cursor("x"),
        encode_cursor("x", 1),
        encode_cursor(NAMED, "1"),
        encode_cursor(NAMED, True),
        encode_cursor(NAMED, 2**63),
        encode_cursor(NAMED, 1, 1),
    ],
)
def test_another_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(cursor, UUID, int)


@pytest.mark.parametrize("at", ["2026-11-27T08:00:00", "0001-01-01T00:00:00+14:00", "today", 1])
def test_a_time_has_its_offset_and_can_be_written_in_utc(at: object) -> None:
    with pytest.raises(InvalidInput):
        read_cursor(encode_cursor(at), datetime)


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 10))
def test_pages_show_everything_once(rows: list[int], limit: int) -> None:
    shown, first = [], 0
    while True:
        found = page(rows[first : first + limit + 1], limit, str, lambda row: (row,))
        shown += found.items
        if found.next_cursor is None:
            break
        first += limit
        assert read_cursor(found.next_cursor, int) == (rows[first - 1],)
    assert shown == [str(row) for row in rows]
