from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.life import TRANSITIONS, Known, Life, begin, fold
from shared.contracts.vocabulary import (
    Category,
    Channel,
    Colour,
    Decider,
    DisputeReason,
    FiledBy,
    HolderKind,
    Language,
    Outcome,
    PlaceSource,
    Role,
    Status,
    WithdrawalReason,
)
from shared.ids import new_id
from tests.support.builders import START, Builder

REQUEST, LEAD, OTHER = new_id(), new_id(), new_id()
RECEIVED = r.RequestReceived(
    receipt="H7K3-92QF-X",
    channel=Channel.APP,
    filed_by=FiledBy.RESIDENT,
    language=Language.ZH,
    area="pinghu/dushangang/huxiao/06",
    place_source=PlaceSource.ADDRESS,
    place_confidence=0.9,
    contact_hash="c",
    text_id=new_id(),
    text_hash="t",
    filed_at=START,
    received_at=START,
)
TRIAGED = r.RequestTriaged(
    revision=1, category=Category.MEDICAL, colour=Colour.RED, decided_by=Decider.MACHINE, policy_version="1"
)


def task(kind: type[r.TaskFact], role: Role = Role.LEAD, **more: object) -> r.TaskFact:
    given_ = {"task_id": LEAD if role is Role.LEAD else OTHER, "role": role, "organisation": "central-hospital"}
    return kind.model_validate(given_ | more)


def assigned(role: Role = Role.LEAD, liaison: str = "central-hospital.day") -> r.TaskFact:
    return task(r.TaskAssigned, role, liaison=liaison, rule="medical", attempt=1, accept_by=START, policy_version="1")


ACCEPTED = task(r.TaskAccepted, liaison="central-hospital.day")
ANSWERED = task(r.RequestAnswered, text_id=new_id(), text_hash="t")
PROMISED = task(r.RequestAnswered, text_id=new_id(), text_hash="t", fulfil_by=START + timedelta(days=1))
WITHDRAWN = r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)
DISPUTED = r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)
CONFIRMED = r.RequestClosed(outcome=Outcome.CONFIRMED)
MERGED = r.RequestMerged(into=new_id())


def after(*facts: Fact) -> Life:
    build = Builder()
    life = begin(build.event(RECEIVED, REQUEST))  # type: ignore[arg-type] # it is what it is
    for n, fact in enumerate(facts):
        life = fold(life, build.event(fact, REQUEST, time=START + timedelta(minutes=n)))
    return life


def test_the_whole_way() -> None:
    way = [TRIAGED, assigned(), ACCEPTED, ANSWERED, CONFIRMED]
    statuses = [after(*way[:n]).status for n in range(6)]
    assert statuses == ["received", "triaged", "assigned", "accepted", "answered", "closed"]
    assert after(*way).outcome is Outcome.CONFIRMED
    assert after(*way).holder is None


def test_each_status_has_exactly_one_holder() -> None:
    way = [TRIAGED, assigned(), ACCEPTED, ANSWERED]
    holders = [after(*way[:n]).holder for n in range(5)]
    names = [(h.kind, h.name) for h in holders if h]
    assert names == [
        (HolderKind.SERVICE, "triage"),
        (HolderKind.SERVICE, "dispatch"),
        (HolderKind.ORGANISATION, "central-hospital"),
        (HolderKind.ORGANISATION, "central-hospital"),
        (HolderKind.SERVICE, "followup"),
    ]


def test_the_time_held_runs_on_while_the_same_person_holds() -> None:
    holder = after(TRIAGED, assigned(), ACCEPTED).holder
    assert holder is not None
    assert holder.since == START + timedelta(minutes=1)


def test_who_promised_holds_until_the_promise_is_kept() -> None:
    promised = after(TRIAGED, assigned(), ACCEPTED, PROMISED)
    assert promised.holder is not None
    assert (promised.holder.name, promised.fulfil_by) == ("central-hospital", START + timedelta(days=1))
    kept = after(TRIAGED, assigned(), ACCEPTED, PROMISED, task(r.TaskFulfilled))
    assert kept.holder is not None
    assert (kept.status, kept.holder.name, kept.fulfil_by) == (Status.ANSWERED, "followup", None)


def test_assisting_tasks_change_nothing() -> None:
    life = after(TRIAGED, assigned(), assigned(Role.ASSISTING, "transport-team.day"), ACCEPTED)
    assert (life.status, life.lead) == (Status.ACCEPTED, LEAD)
    assert after(TRIAGED, assigned(Role.ASSISTING)).status is Status.TRIAGED


def test_whatever_comes_after_an_ending_is_history_only() -> None:
    for late in (TRIAGED, assigned(), ACCEPTED, ANSWERED, DISPUTED, CONFIRMED, MERGED):
        assert after(TRIAGED, WITHDRAWN, late).status is Status.WITHDRAWN


def test_a_closed_request_can_be_disputed_and_nothing_else() -> None:
    closed = [TRIAGED, assigned(), ACCEPTED, ANSWERED, CONFIRMED]
    assert after(*closed, WITHDRAWN).status is Status.CLOSED
    reopened = after(*closed, DISPUTED)
    assert (reopened.status, reopened.reopened, reopened.outcome) == (Status.DISPUTED, 1, None)


def test_triaged_again_changes_colour_and_not_status() -> None:
    green = TRIAGED.model_copy(update={"colour": Colour.GREEN, "revision": 2})
    life = after(TRIAGED, assigned(), green)
    assert (life.status, life.colour) == (Status.ASSIGNED, Colour.GREEN)


def test_times_never_run_backwards() -> None:
    build = Builder()
    life = after(TRIAGED, assigned())
    early = fold(life, build.event(ACCEPTED, REQUEST, time=START - timedelta(hours=1)))
    assert early.changed_at == life.changed_at


@pytest.mark.parametrize("fact", TRANSITIONS, ids=lambda f: f.__name__)
def test_every_row_of_the_table_is_about_a_request(fact: type[Fact]) -> None:
    assert fact.TOPIC == "heed.requests"
    assert fact.TYPE.startswith("heed.request.")


FACTS = st.sampled_from(
    [TRIAGED, assigned(), ACCEPTED, ANSWERED, PROMISED, WITHDRAWN, DISPUTED, CONFIRMED, MERGED, task(r.TaskFulfilled)]
)


@given(st.lists(st.tuples(st.sampled_from(["intake", "followup"]), FACTS), max_size=12), st.data())
def test_who_states_and_who_listens_agree_once_all_is_heard(
    stated: list[tuple[str, Fact]], data: st.DataObject
) -> None:
    """One service states its facts ahead of hearing the log; another only listens."""
    build = Builder()
    start = begin(build.event(RECEIVED, REQUEST))  # type: ignore[arg-type] # it is what it is
    log: list[Event[Fact]] = [build.event(fact, REQUEST, source=source) for source, fact in stated]
    known, said = Known(start, start), 0
    for n, event in enumerate(log):
        own = [e for e in log if e.source == "intake"]
        may_say = len(own) - said
        must_say = max(0, sum(e.source == "intake" for e in log[: n + 1]) - said)
        for _ in range(data.draw(st.integers(must_say, may_say)) if may_say else 0):
            known = known.say(own[said].fact, own[said].time)
            said += 1
        known = known.hear(event, own=event.source == "intake")
    listener = start
    for event in log:
        listener = fold(listener, event)
    assert known.life == listener
    assert known.ahead == listener
    assert known.unheard == 0
