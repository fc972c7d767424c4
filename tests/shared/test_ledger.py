"""The holder ledger over random histories: one holder at each moment, and minutes that add up exactly."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import cast
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.ledger import begin_ledger, hold, total
from shared.contracts.life import Life, begin, fold
from shared.contracts.vocabulary import ENDINGS, Decider, HolderKind, Role
from shared.ids import new_id
from tests.contract.examples import EXAMPLES
from tests.support.builders import START, Builder

LEAD = {"task_id": UUID(int=1), "role": Role.LEAD}
OTHER_FACTS = [f for f in EXAMPLES if isinstance(f, r.RequestFact) and not isinstance(f, r.RequestReceived)]
RECEIVED = next(f for f in EXAMPLES if isinstance(f, r.RequestReceived))


def assigned(organisation: str) -> Fact:
    [like] = [f for f in EXAMPLES if isinstance(f, r.TaskAssigned)]
    return like.model_copy(update={**LEAD, "organisation": organisation, "liaison": f"{organisation}.day"})


def begun(builder: Builder, request_id: UUID) -> Life:
    return begin(cast("Event[r.RequestReceived]", builder.event(RECEIVED, request_id, time=START)))


ANY_FACT = st.one_of(st.sampled_from(OTHER_FACTS), st.sampled_from(["a", "b"]).map(assigned))
STEPS = st.lists(st.tuples(ANY_FACT, st.integers(-30, 600)), max_size=30)


@given(steps=STEPS)
def test_minutes_per_holder_add_up_exactly_to_the_time_it_was_open(steps: list[tuple[Fact, int]]) -> None:
    builder, request_id, now = Builder(), new_id(), START
    life = begun(builder, request_id)
    ledger, opened, open_time = begin_ledger(life), START, timedelta()
    for fact, minutes in steps:
        now += timedelta(minutes=minutes)  # a clock that runs backwards, now and then
        before, life = life, fold(life, builder.event(fact, request_id, time=now))
        ledger = hold(ledger, before, life)
        open_time, opened = _count(open_time, opened, before.status in ENDINGS, life.status in ENDINGS, life.changed_at)
        holding = [span for span in ledger if span.until is None]
        assert len(holding) == (life.status not in ENDINGS)
        assert all(a.until is not None and a.until <= b.since for a, b in pairwise(ledger))
    until = life.changed_at + timedelta(hours=1)
    expected = open_time if life.status in ENDINGS else open_time + (until - opened)
    assert total(ledger, until) == expected


def _count(
    counted: timedelta, opened: datetime, was_over: bool, is_over: bool, at: datetime
) -> tuple[timedelta, datetime]:
    """The time that a request was open, counted apart from any holder."""
    if is_over and not was_over:
        return counted + (at - opened), opened
    return counted, at if was_over and not is_over else opened


def test_no_act_of_a_holder_makes_his_own_minutes_vanish() -> None:
    builder, request_id = Builder(), new_id()
    life = begun(builder, request_id)
    ledger = begin_ledger(life)
    [triaged] = [f for f in EXAMPLES if isinstance(f, r.RequestTriaged)]
    said = {**LEAD, "organisation": "a"}
    acts: list[Fact] = [
        r.TaskAccepted.model_validate(said | {"liaison": "a.day"}),
        r.TaskProgressed.model_validate(said | {"text_id": UUID(int=2), "text_hash": "h"}),
        w.TaskTransferred.model_validate(said | {"cause": "by_hand", "from_liaison": "a.day", "liaison": "a.deputy"}),
        r.TaskReturned.model_validate(said | {"reason": "not_ours", "belongs_to": "b"}),
    ]
    at = START
    for n, fact in enumerate([triaged, assigned("a"), *acts, assigned("b")]):
        at = START + timedelta(minutes=10 * (n + 1))
        before, life = life, fold(life, builder.event(fact, request_id, time=at))
        ledger = hold(ledger, before, life)
    held = {span.name: span.lasted(at) for span in ledger if span.kind is HolderKind.ORGANISATION}
    assert held == {"a": timedelta(minutes=40), "b": timedelta()}
    assert total(ledger, at) == at - START


def test_an_ending_ends_the_last_span() -> None:
    builder, request_id = Builder(), new_id()
    life = begun(builder, request_id)
    ledger = begin_ledger(life)
    end = r.RequestRejected(reason="test", decided_by=Decider.PERSON)  # type: ignore[arg-type] # as it is on the wire
    before, life = life, fold(life, builder.event(end, request_id, time=START + timedelta(minutes=3)))
    ledger = hold(ledger, before, life)
    assert total(ledger, START + timedelta(days=1)) == timedelta(minutes=3)
