"""Questions to the resident: he holds the request, no clock waits for him, and nobody gains by asking."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatch import oversight, questions
from dispatch.questions import QuestionRefused, RedIsAskedByPhone
from dispatch.tasks import NotTheLead
from dispatch.waking import next_moment
from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.ledger import Ledger, begin_ledger, hold, total
from shared.contracts.life import begin, fold
from shared.contracts.vocabulary import Colour, HolderKind, Medium, Stage
from shared.ids import new_id
from shared.problems import NotInThisState
from tests.dispatch.stories import Story, liaison, received, triaged
from tests.dispatch.told import MINUTE, TEXT, Told, kinds

HOSPITAL = liaison("central-hospital")
HOUR = timedelta(hours=1)
AMENDED = r.RequestAmended(text_id=new_id(), text_hash="h")


def in_hand(colour: Colour = Colour.YELLOW) -> Told:
    told = Told(triaged(colour))
    told.accept()
    return told


def ask(told: Told) -> None:
    questions.ask(told.case, told.lead, told.lead.revision, TEXT, told.duty())


def asking(told: Told) -> bool:
    """Whether the log, read to its end, has the resident as the holder, and dispatch says the same."""
    told.read_own()
    holder = told.case.life.holder
    by_the_log = holder is not None and holder.kind is HolderKind.RESIDENT
    assert by_the_log == (told.lead.question_until is not None)
    return by_the_log


def test_a_question_makes_the_resident_the_holder_and_his_answer_the_lead_again() -> None:
    told = in_hand()
    ask(told)
    assert asking(told)
    revision = told.lead.revision
    told.turn(minutes=30)
    told.tell(AMENDED)
    assert not asking(told)
    holder = told.case.life.holder
    assert holder is not None
    assert (holder.name, holder.liaison, holder.since) == ("central-hospital", told.lead.liaison, told.now)
    assert told.lead.revision > revision, "who acts next has to read the answer first"


def test_no_clock_waits_and_no_promise_moves_for_a_question() -> None:
    asked, silent = in_hand(), in_hand()
    ask(asked)
    for told in (asked, silent):
        told.turn(hours=30)
    assert [(s, c.due_at, c.nudges) for s, c in asked.lead.running()] == [
        (s, c.due_at, c.nudges) for s, c in silent.lead.running()
    ]


@pytest.mark.parametrize("colour", [Colour.YELLOW, Colour.GREEN])
def test_the_resident_is_waited_for_only_so_long(colour: Colour) -> None:
    told = in_hand(colour)
    ask(told)
    minutes = told.duty().clocks.questions.minutes[colour]
    assert w.QuestionLapsed not in kinds(told.turn(minutes=minutes - 1))
    assert asking(told)
    assert w.QuestionLapsed in kinds(told.turn(minutes=1))
    assert not asking(told)


def test_a_change_of_shift_waits_until_the_resident_has_answered() -> None:
    told = in_hand(Colour.GREEN)
    asker = told.lead.liaison
    ask(told)
    assert w.TaskTransferred not in kinds(told.turn(hours=6))
    assert asking(told)
    told.tell(AMENDED)
    assert w.TaskTransferred in kinds(told.turn(minutes=0))
    assert told.lead.liaison != asker


def test_a_question_never_outlasts_the_promise_and_none_is_asked_once_it_is_late() -> None:
    told = in_hand()
    due = told.now + 40 * MINUTE
    told.lead.clocks[Stage.ANSWERED].move(due, told.now)
    told.turn(minutes=30)
    ask(told)
    assert told.lead.question_until == due
    told.turn(minutes=10)
    assert not asking(told)
    with pytest.raises(QuestionRefused):
        ask(told)


def test_asking_is_bounded_and_one_at_a_time() -> None:
    told = in_hand(Colour.GREEN)
    for _ in range(told.duty().clocks.questions.in_all):
        ask(told)
        with pytest.raises(QuestionRefused):
            ask(told)
        told.tell(AMENDED)
    with pytest.raises(QuestionRefused):
        ask(told)


def test_red_never_waits_for_an_answer_in_writing() -> None:
    with pytest.raises(RedIsAskedByPhone):
        ask(in_hand(Colour.RED))
    told = in_hand()
    ask(told)
    assert w.QuestionLapsed in kinds(told.tell(triaged(Colour.RED, revision=2)))
    assert not asking(told)


def test_only_who_accepted_the_lead_asks() -> None:
    told = Told(triaged(Colour.YELLOW, needs=("transport",)))
    with pytest.raises(NotInThisState):
        ask(told)
    assistant = told.accept(told.case.tasks[1])
    with pytest.raises(NotTheLead):
        questions.ask(told.case, assistant, assistant.revision, TEXT, told.duty())


def spoken(told: Told) -> None:
    told.case.contact(told.lead, told.lead.revision, Medium.PHONE, told.now)


def promised(told: Told) -> None:
    told.case.answer(told.lead, told.lead.revision, TEXT, told.now + HOUR, told.duty())


def answered(told: Told) -> None:
    told.case.answer(told.lead, told.lead.revision, TEXT, None, told.duty())


def decided(told: Told) -> None:
    oversight.arbitrate(told.case, "police", None, told.duty())


@pytest.mark.parametrize("act", [spoken, answered, promised, Told.give_back, decided])
def test_what_the_lead_does_next_ends_the_question(act: Callable[[Told], None]) -> None:
    told = in_hand()
    ask(told)
    act(told)
    assert not asking(told)


def test_what_stands_before_the_question_in_the_history_does_not_answer_it() -> None:
    told = in_hand()
    told.read_own()
    ask(told)
    stated, told.case.facts[:] = list(told.case.facts), []
    for fact in [AMENDED, *stated]:  # the resident wrote while the question was on its way
        told.case.read(told.event(fact), told.duty())
    assert asking(told)


def test_an_answer_that_came_with_the_lapse_does_not_answer_the_next_question() -> None:
    told = in_hand(Colour.GREEN)
    ask(told)
    told.lead.duty_ends_at = None  # his shift lasts
    told.turn(minutes=480)
    lapsed, told.case.facts[:] = list(told.case.facts), []
    ask(told)
    second, told.case.facts[:] = list(told.case.facts), []
    for fact in [AMENDED, *lapsed, *second]:
        told.case.read(told.event(fact), told.duty())
    assert asking(told)
    at = next_moment(told.case, told.duty())
    assert at is not None
    assert at <= told.now + 480 * MINUTE


def test_the_ledger_names_each_holder_and_no_minute_of_the_asker_vanishes() -> None:
    told = Told(triaged(Colour.YELLOW))
    events: list[tuple[datetime, Fact]] = []

    def note(minutes: int) -> None:
        events.extend((told.now, fact) for fact in told.case.facts)
        told.read_own()
        told.now += minutes * MINUTE

    note(5)
    told.accept()
    note(20)
    ask(told)
    note(45)
    events.append((told.now, AMENDED))
    told.tell(AMENDED)
    note(15)
    answered(told)
    note(0)
    ledger = _ledger(told, events)
    held = [(span.kind, span.lasted(told.now) / MINUTE) for span in ledger]
    assert held[-4:] == [
        (HolderKind.ORGANISATION, 25), (HolderKind.RESIDENT, 45), (HolderKind.ORGANISATION, 15), (HolderKind.SERVICE, 0)
    ]  # fmt: skip
    assert total(ledger, told.now) == 85 * MINUTE


def _ledger(told: Told, facts: list[tuple[datetime, Fact]]) -> Ledger:
    """As every reader folds it."""
    start = told.now - 85 * MINUTE
    first = told.builder.event(received(at=start), told.request_id, time=start)
    life = begin(first)  # type: ignore[arg-type] # its fact is a receipt
    ledger = begin_ledger(life)
    for at, fact in [(start, triaged(Colour.YELLOW)), *facts]:
        event: Event[Fact] = told.builder.event(fact, told.request_id, time=at)
        before, life = life, fold(life, event)
        ledger = hold(ledger, before, life)
    return ledger


async def test_a_question_over_the_api_until_the_resident_adds_something(story: Story) -> None:
    request_id, task = await _accepted(story)
    task = await story.done(HOSPITAL, task, "question", text="Which dose is it? Ring 13800001234.")
    assert task["questions"] == 1
    assert task["question_until"] is not None
    [asked] = await story.stated(request_id, w.ResidentQuestioned)
    assert asked.fact.answer_by == datetime.fromisoformat(task["question_until"])
    again = await story.do(HOSPITAL, task, "question", text="And when?")
    assert (again.status_code, again.json()["title"]) == (409, "Question refused")
    await story.read_back()
    await story.tell(request_id, AMENDED)
    assert (await story.lead(request_id))["question_until"] is None
    assert (await story.do(HOSPITAL, task, "answer", text="All settled.")).status_code == 409, "he has not read it"


async def test_a_question_whose_time_is_over_wakes_the_case(story: Story) -> None:
    request_id, task = await _accepted(story)
    await story.done(HOSPITAL, task, "question", text="Which dose is it?")
    await story.harness.turn(minutes=121)
    assert len(await story.stated(request_id, w.QuestionLapsed)) == 1
    assert (await story.lead(request_id))["question_until"] is None


async def _accepted(story: Story) -> tuple[UUID, dict[str, Any]]:
    request_id = await story.file(triaged(Colour.YELLOW))
    return request_id, await story.done(HOSPITAL, await story.lead(request_id), "accept")
