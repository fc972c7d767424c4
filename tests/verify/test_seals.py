"""The running hash: the bytes as docs/verify.md writes them, two ways to the same one, and every change found."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup import chain
from services.verify import seals
from services.verify.seals import Check, Seal
from services.verify.sources import Standing
from shared.bus import Partition
from shared.contracts import Record

AT = Partition("heed.requests", 3)
WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
RECORDS = st.lists(
    st.builds(
        lambda gap, key, headers, value: (gap, Record(topic=AT.topic, key=key, headers=headers, value=value)),
        st.integers(1, 3),
        WORDS,
        st.dictionaries(WORDS, WORDS, max_size=4),
        st.none() | st.binary(max_size=20),
    ),
    max_size=8,
)
Log = list[Standing]


def stand(records: list[tuple[int, Record]], begin: int = -1) -> Log:
    """The records in a log; on Kafka positions have gaps."""
    log, position = [], begin
    for gap, record in records:
        position += gap
        log.append(Standing(AT, position, record.key, record.headers, record.value))
    return log


def sealed(log: Log, every: int = 1, first: int = 0) -> list[Seal]:
    """What followup would seal after each `every` records."""
    made, running = [], chain.begin(*AT, first)
    for n, one in enumerate(log, 1):
        record = Record(topic=AT.topic, key=one.key, headers=one.headers, value=one.value)
        running = chain.extend(running, one.position, record)
        if n % every == 0:
            made.append(Seal(AT, running.first_position, running.position, running.hash.hex(), f"moment {n}"))
    return made


def checked(log: Log, given_seals: list[Seal], *, may_be_cut: bool = False) -> Check:
    check = Check(AT, given_seals, may_be_cut=may_be_cut)
    for one in log:
        check.take(one)
    check.end()
    return check


def some_log(count: int = 9) -> Log:
    headers = {"ce_type": "heed.request.received", "ce_id": "x"}
    records = [Record(topic=AT.topic, key=f"k{n}", headers=headers, value=b'{"n":%d}' % n) for n in range(count)]
    return stand([(1, record) for record in records])


def test_the_bytes_are_those_of_the_page() -> None:
    """docs/verify.md gives this very example, for whoever writes a third way."""
    before = hashlib.sha256(b"heed.log/1 heed.requests/3").digest()
    written = bytes.fromhex(
        "000000000000002a"  # position 42
        "00000002" "6b31"  # the key k1
        "00000002"  # two headers, in the order of their names
        "00000005" "63655f6964" "00000001" "78"  # ce_id: x
        "00000007" "63655f74797065" "00000001" "74"  # ce_type: t
        "00000002" "7b7d"  # the value {}
    )  # fmt: skip
    expected = hashlib.sha256(before + written).digest()
    headers = {"ce_type": "t", "ce_id": "x"}
    one = Standing(AT, 42, "k1", headers, b"{}")
    record = Record(topic=AT.topic, key="k1", headers=headers, value=b"{}")
    assert chain.extend(chain.begin(*AT, 42), 42, record).hash == expected
    assert seals.link(seals.start(AT), one) == expected
    assert expected.hex() == "b15dc4da5201ae484d25a4e3493215c356059cbfce7937b1c98f3046ceac5b05"


@given(RECORDS, st.integers(1, 4))
def test_both_ways_come_to_the_same_hash(records: list[tuple[int, Record]], every: int) -> None:
    log = stand(records)
    check = checked(log, sealed(log, every, first=log[0].position if log else 0))
    assert check.difference is None
    assert check.sealed == len(log) - len(log) % every


def value_changed(log: Log) -> Log:
    return [*log[:4], log[4]._replace(value=b'{"n":5}'), *log[5:]]


def header_changed(log: Log) -> Log:
    return [*log[:4], log[4]._replace(headers={**log[4].headers, "ce_id": "y"}), *log[5:]]


def key_changed(log: Log) -> Log:
    return [*log[:4], log[4]._replace(key="k5"), *log[5:]]


def made_a_tombstone(log: Log) -> Log:
    return [*log[:4], log[4]._replace(value=None), *log[5:]]


def removed(log: Log) -> Log:
    return [*log[:4], *log[5:]]


def removed_and_moved_up(log: Log) -> Log:
    return [*log[:4], *(one._replace(position=one.position - 1) for one in log[5:])]


def inserted(log: Log) -> Log:
    return [*log[:4], log[4], *(one._replace(position=one.position + 1) for one in log[4:])]


def exchanged(log: Log) -> Log:
    return [*log[:4], log[5]._replace(position=4), log[4]._replace(position=5), *log[6:]]


def last_removed(log: Log) -> Log:
    return log[:-1]


def first_removed(log: Log) -> Log:
    return log[1:]


CHANGES: list[Callable[[Log], Log]] = [
    value_changed, header_changed, key_changed, made_a_tombstone, removed, removed_and_moved_up, inserted, exchanged,
    last_removed, first_removed,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("every", [1, 3, 9])
def test_every_change_under_a_seal_is_found(change: Callable[[Log], Log], every: int) -> None:
    log = some_log()
    assert checked(log, sealed(log, every)).difference is None
    assert checked(change(log), sealed(log, every)).difference is not None


def test_the_place_is_named_as_narrowly_as_the_seals_allow() -> None:
    log = some_log()
    difference = checked(value_changed(log), sealed(log, every=3)).difference
    assert difference is not None
    assert "from position 3 to 5" in difference.says
    assert "moment 6" in difference.says


def test_what_came_after_the_last_seal_is_not_proven() -> None:
    log = some_log()
    check = checked([*log[:8], log[8]._replace(value=b"{}")], sealed(log, every=4))
    assert (check.difference, check.sealed, check.records) == (None, 8, 9)


def test_a_log_whose_beginning_was_cut_is_checked_from_the_next_seal_on() -> None:
    log = some_log()
    given_seals = sealed(log, every=3)
    assert checked(log[4:], given_seals).difference is not None
    left = checked(log[4:], given_seals, may_be_cut=True)
    assert (left.difference, left.sealed) == (None, 3)
    changed = [*log[4:7], log[7]._replace(value=b"{}"), log[8]]
    assert checked(changed, given_seals, may_be_cut=True).difference is not None


def test_a_hash_that_began_later_stands_beside_one_that_began_first() -> None:
    """Where sealing came to a log that was there, and where followup then lost its database and read all of it."""
    log = some_log()
    given_seals = [*sealed(log[5:], first=5), *sealed(log)]
    assert checked(log, given_seals).difference is None
    assert checked(value_changed(log), given_seals).difference is not None
    assert checked(value_changed(log), sealed(log[5:], first=5)).difference is None


def test_a_seal_that_was_changed_is_found() -> None:
    log = some_log()
    *rest, last = sealed(log)
    assert checked(log, [*rest, replace(last, hash="00" * 32)]).difference is not None
