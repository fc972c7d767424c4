"""What the read side makes of a history: what is owed, who is at it, how urgent it is."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import intake.model
from services.gateway import model
from services.gateway.model import HistoryWithoutBeginning, View, advance, as_receipt, is_overdue, next_due, promises
from services.gateway.store import VIEWS
from shared.contracts import Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour, Decider, DisputeReason, Medium, Outcome, ReturnReason, Role, Stage
from shared.contracts.vocabulary import WithdrawalReason as W
from shared.ids import new_id
from tests.gateway.histories import HOSPITAL, PHARMACY, TRANSPORT, History
from tests.support.builders import START, Builder


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def view_of(history: History, before: View | None = None) -> View:
    view = before
    for event in history.new():
        if isinstance(event.fact, r.RequestFact):
            view = advance(view, event)
    assert view is not None
    return view


def new() -> History:
    return History(Builder())


def test_what_intake_promises_is_what_is_shown() -> None:
    assert intake.model.TRIAGE_PROMISE == model.TRIAGE_WITHIN
    assert promises(view_of(new().received())) == {"triage_by": START + minutes(1)}


def test_a_promise_is_gone_once_it_is_kept() -> None:
    history = new().received().triaged().assigned()
    view = view_of(history)
    assert promises(view) == {
        "accept_by": START + minutes(5),
        "contact_by": START + minutes(15),
        "answer_by": START + minutes(120),
    }
    view = view_of(history.accepted(), view)
    assert promises(view).keys() == {"contact_by", "answer_by"}
    view = view_of(history.add(r.ResidentContacted(medium=Medium.PHONE, **history.task())), view)
    assert promises(view).keys() == {"answer_by"}
    view = view_of(history.answered(), view)
    assert promises(view) == {}


def test_an_answer_may_owe_its_fulfilment() -> None:
    tomorrow = START + timedelta(days=1)
    history = new().in_hand().answered(fulfil_by=tomorrow)
    view = view_of(history)
    assert promises(view) == {"fulfil_by": tomorrow}
    view = view_of(history.add(r.TaskFulfilled(**history.task())), view)
    assert promises(view) == {}


def test_an_unsure_assessment_owes_a_persons_word() -> None:
    due = START + minutes(5)
    history = new().received().triaged(unsure=True, review_due_at=due)
    view = view_of(history)
    assert promises(view) == {"triage_by": due}
    view = view_of(history.triaged(revision=2, decided_by=Decider.PERSON), view)
    assert promises(view) == {}
    assert view.revision == 2


def test_overdue_is_a_matter_of_the_moment() -> None:
    view = view_of(new().received().triaged().assigned())
    assert not is_overdue(view, START + minutes(5))
    assert is_overdue(
        view,
        START
        + minutes(
            5,
        )
        + timedelta(seconds=1),
    )


def test_nothing_is_owed_after_an_ending() -> None:
    history = new().received().triaged().assigned().add(r.RequestWithdrawn(reason=W.UNSTATED))
    view = view_of(history)
    assert promises(view) == {}
    assert not view.is_open
    assert not is_overdue(view, START + timedelta(days=365))


def test_a_dispute_takes_the_answer_back_and_new_promises_come() -> None:
    history = new().in_hand().answered(minutes=30)
    view = view_of(history)
    assert view.answer is not None
    view = view_of(history.add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED), 60), view)
    assert view.answer is None
    assert promises(view) == {}
    view = view_of(history.assigned(minutes=1), view)
    assert promises(view).keys() == {"accept_by", "contact_by", "answer_by"}


def test_an_extension_moves_the_promise_and_keeps_what_was_promised_first() -> None:
    history = new().in_hand()
    view = view_of(history)
    first = view.answer_by
    assert first is not None
    assert view.first_answer_by is None
    moved: dict[str, Any] = {
        "stage": Stage.ANSWERED,
        "before": first,
        "due_at": first + minutes(60),
        "policy_version": "1",
    }
    said: dict[str, Any] = {"text_id": new_id(), "text_hash": "h"}
    view = view_of(history.add(w.TaskExtended(**history.task(), **moved, **said)), view)
    assert promises(view)["answer_by"] == first + minutes(60)
    assert view.first_answer_by == first
    view = view_of(history.answered().add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)), view)
    assert view.first_answer_by is None, "the promises are new ones"


def test_the_tasks_say_who_is_at_it_and_who_was() -> None:
    history = new().in_hand()
    view = view_of(history)
    assert view.handling == view.organisations == {HOSPITAL, TRANSPORT}
    history.add(r.TaskReturned(reason=ReturnReason.NOT_OURS, **history.task())).assigned(PHARMACY)
    view = view_of(history, view)
    assert view.handling == {PHARMACY, TRANSPORT}
    assert view.organisations == {HOSPITAL, PHARMACY, TRANSPORT}
    assert view.life.status == "assigned"
    assert view.counts == {"returns": 1}
    history.add(r.TaskFulfilled(**history.task(TRANSPORT, Role.ASSISTING)))
    assert view_of(history, view).handling == {PHARMACY}


def test_a_task_goes_to_the_deputy() -> None:
    history = new().received().triaged().assigned()
    history.add(r.TaskRecalled(liaison=f"{HOSPITAL}.day", **history.task()))
    history.assigned(liaison=f"{HOSPITAL}.deputy", attempt=2)
    view = view_of(history)
    assert [t.liaison for t in view.tasks] == [f"{HOSPITAL}.deputy"]
    assert view.life.holder is not None
    assert view.life.holder.liaison == f"{HOSPITAL}.deputy"


def test_every_nudge_is_counted_those_missed_too() -> None:
    history = new().received().triaged().assigned()
    for count, missed in ((1, 0), (4, 2)):
        fact = r.TaskNudged(stage=Stage.ACCEPTED, count=count, missed=missed, due_at=START, **history.task())
        history.add(fact)
    assert view_of(history).nudges == 4


@pytest.mark.parametrize(("colour", "rank"), [(Colour.RED, 2), (Colour.YELLOW, 1), (Colour.GREEN, 0)])
def test_the_colour_ranks(colour: Colour, rank: int) -> None:
    assert view_of(new().received().triaged(colour)).rank == rank


def test_what_nobody_has_looked_at_ranks_as_red() -> None:
    assert view_of(new().received()).rank == Colour.RED.rank


def test_a_history_without_its_beginning_is_not_guessed() -> None:
    history = new().triaged()
    with pytest.raises(HistoryWithoutBeginning):
        advance(None, history.new()[0])


def test_a_view_survives_being_stored() -> None:
    view = view_of(new().in_hand().answered(fulfil_by=START))
    assert VIEWS.validate_json(VIEWS.dump_json(view)) == view


@given(st.text(max_size=40))
def test_only_a_receipt_is_taken_for_one(words: str) -> None:
    read = as_receipt(words)
    assert read is None or as_receipt(read) == read


@pytest.mark.parametrize("words", ["H7K3-92QF-X", "h7k392qfx", " H7K3 92QF X ", "H7K3.92QF_X"])
def test_a_receipt_is_known_in_any_spelling(words: str) -> None:
    assert as_receipt(words) == "H7K3-92QF-X"


STEPS = ["triaged", "assigned", "accepted", "answered", "disputed", "withdrawn", "returned", "fulfilled", "closed"]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 300)), max_size=12))
def test_whatever_the_order_what_is_due_next_is_the_earliest_promise(steps: list[tuple[str, int]]) -> None:
    history = new().received()
    for step, after in steps:
        history.now += minutes(after)
        _add(history, step)
    view = view_of(history)
    assert next_due(view) == min(promises(view).values(), default=None)
    assert view.is_open or not promises(view)
    assert view.entries == 1 + len(steps)
    assert view.handling <= view.organisations


def _add(history: History, step: str) -> None:
    facts: dict[str, Fact] = {
        "disputed": r.RequestDisputed(reason=DisputeReason.NOT_SOLVED),
        "withdrawn": r.RequestWithdrawn(reason=W.UNSTATED),
        "returned": r.TaskReturned(reason=ReturnReason.NOT_OURS, **history.task()),
        "fulfilled": r.TaskFulfilled(**history.task()),
        "closed": r.RequestClosed(outcome=Outcome.CONFIRMED),
    }
    history.add(facts[step]) if step in facts else getattr(history, step)()
