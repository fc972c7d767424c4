"""A case by itself: its verbs, the limits on them, and that its facts are what every reader will fold."""

from datetime import timedelta

import pytest

from dispatch.city import OnDuty
from dispatch.tasks import (
    AlreadyHasTask,
    FulfilmentInThePast,
    NothingOwed,
    NotTheLead,
    TaskHeldByAnother,
    TaskStatus,
    UnknownOrganisation,
)
from dispatch.waking import next_moment
from shared.contracts import Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Category,
    Colour,
    Decider,
    DisputeReason,
    Medium,
    RejectionReason,
    Role,
    Stage,
    Status,
)
from shared.ids import new_id
from shared.problems import NotInThisState, RevisionConflict
from tests.dispatch.stories import CLOSED, WITHDRAWN, triaged
from tests.dispatch.told import CITY, MINUTE, TEXT, Told, kinds
from tests.support.builders import START

# Opening


def test_triage_makes_a_lead_and_an_assistant_for_each_need() -> None:
    told = Told(triaged(needs=("transport", "transport")))
    assert [(t.role, t.organisation) for t in told.case.tasks] == [
        (Role.LEAD, "central-hospital"), (Role.ASSISTING, "transport-team")
    ]  # fmt: skip


def test_a_need_that_the_lead_meets_itself_makes_no_second_task() -> None:
    told = Told(triaged(category=Category.TRANSPORT, needs=("transport",)))
    assert [t.organisation for t in told.case.tasks] == ["transport-team"]


def test_a_request_withdrawn_before_triage_gets_no_task() -> None:
    assert Told(WITHDRAWN, triaged()).case.tasks == []


def test_rules_never_run_again_on_an_edit() -> None:
    told = Told(triaged(Colour.GREEN, Category.MEDICAL))
    before = told.lead.organisation
    facts = told.tell(triaged(Colour.RED, Category.FOOD_SUPPLIES, revision=2, by=Decider.PERSON))
    assert told.lead.organisation == before == "central-hospital"
    assert facts == []


def test_an_edit_that_names_a_new_need_adds_help_once() -> None:
    told = Told(triaged())
    told.tell(triaged(needs=("transport",), revision=2), triaged(needs=("transport",), revision=3))
    assert [t.organisation for t in told.case.tasks] == ["central-hospital", "transport-team"]


# Clocks under an edit


@pytest.mark.parametrize("before", [Colour.GREEN, Colour.YELLOW])
def test_raised_clocks_move_only_earlier_and_never_into_the_past(before: Colour) -> None:
    told = Told(triaged(before))
    told.turn(minutes=20)
    old = {stage: clock.due_at for stage, clock in told.lead.running()}
    told.tell(triaged(Colour.RED, revision=2))
    new = {stage: clock.due_at for stage, clock in told.lead.running()}
    assert new[Stage.ACCEPTED] == told.now + 5 * MINUTE
    assert new[Stage.CONTACTED] == told.now
    assert new[Stage.ANSWERED] == START + 120 * MINUTE
    assert all(new[stage] <= old[stage] for stage in new)


def test_only_a_person_lowers_and_then_the_clocks_give_time_back() -> None:
    told = Told(triaged(Colour.YELLOW))
    told.tell(triaged(Colour.GREEN, revision=2))
    assert told.lead.due(Stage.ANSWERED) == START + 1440 * MINUTE
    told.tell(triaged(Colour.GREEN, revision=3, by=Decider.PERSON))
    assert told.lead.due(Stage.ANSWERED) == START + 4320 * MINUTE


def test_a_deadline_found_later_pulls_the_clocks_and_stays_when_read_again() -> None:
    told = Told(triaged(Colour.GREEN, needs=("transport",)))
    deadline = START + timedelta(hours=26)
    told.tell(triaged(Colour.GREEN, needs=("transport",), deadline=deadline, revision=2))
    assert told.lead.due(Stage.ANSWERED) == deadline - timedelta(hours=2)
    told.now = deadline - MINUTE
    told.tell(triaged(Colour.YELLOW, needs=("transport",), deadline=deadline, revision=3))
    assert told.lead.due(Stage.ANSWERED) == deadline - timedelta(hours=2)


def test_a_deadline_that_is_past_moves_nothing() -> None:
    told = Told(triaged(Colour.RED, deadline=START - timedelta(days=1)))
    assert told.lead.due(Stage.ANSWERED) == START + 120 * MINUTE
    assert told.lead.due(Stage.ACCEPTED) == START + 5 * MINUTE


# Verbs


def test_an_old_revision_conflicts_and_so_does_accepting_twice() -> None:
    told = Told(triaged())
    revision = told.lead.revision
    told.accept()
    with pytest.raises(RevisionConflict) as conflict:
        told.case.accept(told.lead, told.seat(), revision, told.duty())
    assert conflict.value.members == {"revision": told.lead.revision}


def test_somebody_else_hears_who_accepted() -> None:
    told = Told(triaged())
    task = told.accept()
    other = OnDuty("central-hospital", "central-hospital.deputy", 1)
    with pytest.raises(TaskHeldByAnother) as held:
        told.case.accept(task, other, task.revision, told.duty())
    assert held.value.members == {"organisation": "central-hospital", "liaison": "central-hospital.day"}


def test_an_answer_needs_acceptance_the_lead_and_a_promise_to_come() -> None:
    told = Told(triaged(needs=("transport",)))
    assistant = told.case.tasks[1]
    with pytest.raises(NotInThisState):
        told.case.answer(told.lead, told.lead.revision, TEXT, None, told.duty())
    told.accept(assistant)
    with pytest.raises(NotTheLead):
        told.case.answer(assistant, assistant.revision, TEXT, None, told.duty())
    told.accept()
    with pytest.raises(FulfilmentInThePast):
        told.case.answer(told.lead, told.lead.revision, TEXT, told.now, told.duty())


def test_contact_by_anybody_stops_the_contact_clock_of_the_case() -> None:
    told = Told(triaged(needs=("transport",)))
    assistant = told.accept(told.case.tasks[1])
    told.case.contact(assistant, assistant.revision, Medium.PHONE, told.now)
    assert Stage.CONTACTED not in {stage for stage, _ in told.lead.running()}


def test_an_answer_stops_every_clock_unless_something_is_owed() -> None:
    told = Told(triaged())
    task = told.answer()
    assert not task.is_open
    assert next_moment(told.case, told.duty()) is None
    with pytest.raises(NothingOwed):
        told.case.fulfil(task, task.revision, None, told.duty())


def test_a_promise_is_reminded_of_nudged_and_done_with_when_fulfilled() -> None:
    told = Told(triaged())
    task = told.answer(START + timedelta(minutes=100))
    facts = told.turn(minutes=115)
    seen = [(type(f), f.stage) for f in facts if isinstance(f, r.TaskReminded | r.TaskNudged)]
    assert seen == [(r.TaskReminded, Stage.FULFILLED)] * 2 + [(r.TaskNudged, Stage.FULFILLED)] * 2
    told.case.fulfil(task, task.revision, None, told.duty())
    assert next_moment(told.case, told.duty()) is None


# What others do


@pytest.mark.parametrize("ending", [WITHDRAWN, r.RequestMerged(into=new_id())])
def test_an_ending_cancels_what_is_open_and_silences_it(ending: Fact) -> None:
    told = Told(triaged(needs=("transport",)))
    assert kinds(told.tell(ending)) == [r.TaskCancelled] * 2
    assert next_moment(told.case, told.duty()) is None
    with pytest.raises(NotInThisState):
        told.case.accept(
            told.lead, OnDuty("central-hospital", "central-hospital.day", 0), told.lead.revision, told.duty()
        )


def rejected() -> r.RequestRejected:
    return r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON)


def test_a_rejection_counts_only_where_it_stands_before_our_assignment() -> None:
    told = Told(triaged())
    assert told.tell(rejected()) == []
    assert told.lead.status is TaskStatus.ASSIGNED
    early = Told(triaged())
    early.case.facts.clear()  # stated, but behind the rejection in the log
    early.case.read(early.event(rejected()), early.duty())
    assert kinds(early.stated()) == [r.TaskCancelled]


def test_an_answer_after_a_withdrawal_that_we_had_not_read_changes_nothing() -> None:
    told = Told(triaged())
    told.read_own()
    told.answer()
    answered, told.case.facts[:] = list(told.case.facts), []
    told.case.read(told.event(WITHDRAWN), told.duty())
    for fact in answered:
        told.case.read(told.event(fact), told.duty())
    assert told.case.status is Status.WITHDRAWN


def test_a_dispute_goes_one_level_higher_to_who_is_on_duty_with_the_clocks_anew() -> None:
    told = Told(triaged())
    told.answer()
    told.now = START + timedelta(days=2)
    facts = told.tell(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    assert kinds(facts) == [r.TaskEscalated, r.TaskAssigned, w.TaskSupervised]
    assert (told.lead.liaison, told.lead.level, told.lead.attempt) == ("central-hospital.deputy", 1, 2)
    assert told.lead.due(Stage.ANSWERED) == told.now + 120 * MINUTE
    assert told.lead.due(Stage.CONTACTED) == told.now + 15 * MINUTE


def test_reopened_while_the_one_above_is_off_duty_it_goes_to_somebody_who_is_there() -> None:
    told = Told(triaged())
    told.answer()
    told.read_own()
    duty = told.duty()
    liaisons = [p for p in CITY.liaisons.values() if p.id != "central-hospital.deputy"]
    duty.city = type(CITY)("Asia/Shanghai", list(CITY.organisations.values()), liaisons, [], [])
    told.case.read(told.event(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)), duty)
    assert told.lead.liaison == "central-hospital.supervisor"


def test_a_missed_promise_reopens_as_red() -> None:
    told = Told(triaged(Colour.GREEN))
    told.answer(START + timedelta(hours=1))
    told.now += timedelta(hours=2)
    told.tell(r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED))
    assert told.case.colour is Colour.RED
    assert told.lead.due(Stage.ACCEPTED) == told.now + 5 * MINUTE


def test_closing_frees_assistants_that_are_still_at_work() -> None:
    told = Told(triaged(needs=("transport",)))
    told.answer()
    facts = told.tell(CLOSED)
    assert [(type(f), f.organisation) for f in facts if isinstance(f, r.TaskFact)] == [
        (r.TaskCancelled, "transport-team")
    ]


def test_a_second_dispute_of_the_same_answer_changes_nothing() -> None:
    told = Told(triaged())
    told.answer()
    told.tell(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    assert told.tell(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)) == []


# Desk and resident


def test_the_desk_adds_help_once_per_organisation_and_not_before_triage() -> None:
    told = Told()
    with pytest.raises(NotInThisState):
        told.case.add_assisting("police", None, told.duty())
    told.tell(triaged())
    with pytest.raises(UnknownOrganisation):
        told.case.add_assisting("nobody", None, told.duty())
    told.case.add_assisting("police", TEXT, told.duty())
    with pytest.raises(AlreadyHasTask):
        told.case.add_assisting("police", None, told.duty())


def test_a_nudge_by_hand_urges_what_is_due_first() -> None:
    told = Told(triaged())
    assert told.case.nudge() == (told.lead, Stage.ACCEPTED)
    told.accept()
    assert told.case.nudge()[1] is Stage.CONTACTED
    [first, second] = [f for f in told.stated() if isinstance(f, r.TaskNudged)]
    assert (first.count, second.count) == (1, 1)
