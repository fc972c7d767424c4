"""A case by itself: its verbs, the limits on them, and that its facts are what every reader will fold."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dispatch.city import OnDuty
from dispatch.model import Case, TextRef
from dispatch.routing import Duty
from dispatch.tasks import (
    AlreadyHasTask,
    FulfilmentInThePast,
    NothingOwed,
    NotTheLead,
    OwnerNotNamed,
    ReturnsExhausted,
    Task,
    TaskHeldByAnother,
    TaskStatus,
    UnknownOrganisation,
)
from dispatch.waking import next_moment, wake
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.life import Life, applies, begin, fold
from shared.contracts.vocabulary import (
    ENDINGS,
    Category,
    Colour,
    Decider,
    DisputeReason,
    Medium,
    RejectionReason,
    ReturnReason,
    Role,
    Stage,
    Status,
)
from shared.ids import new_id
from shared.problems import NotInThisState, Problem, RevisionConflict
from tests.dispatch.stories import CLOSED, WITHDRAWN, received, sample_city, sample_duty, triaged
from tests.support.builders import START, Builder

TEXT = TextRef(new_id(), "hash")
MINUTE = timedelta(minutes=1)
CITY = sample_city()
Kinds = list[type[Fact]]


class Told:
    """A case, what it has stated since it was last asked, and the clock."""

    def __init__(self, *facts: Fact, area: str | None = "pinghu/dushangang/huxiao/06") -> None:
        self.request_id, self.builder, self.now = new_id(), Builder(), START
        first = self.event(received(area))
        assert isinstance(first.fact, r.RequestReceived)
        self.case = Case.begin(first)  # type: ignore[arg-type] # its fact was looked at
        self.tell(*facts)

    def duty(self) -> Duty:
        return sample_duty(self.now, city=CITY)

    def event(self, fact: Fact) -> Event[Fact]:
        return self.builder.event(fact, self.request_id, time=self.now)

    def tell(self, *facts: Fact) -> list[Fact]:
        """Others state this; what dispatch had stated before stands in the history already."""
        self.read_own()
        for fact in facts:
            self.case.read(self.event(fact), self.duty())
        return list(self.case.facts)

    def read_own(self) -> None:
        own, self.case.facts[:] = list(self.case.facts), []
        for fact in own:
            self.case.read(self.event(fact), self.duty())

    def stated(self) -> list[Fact]:
        return list(self.case.facts)

    def turn(self, **by: float) -> list[Fact]:
        """Let the time go, waking the case at each of its moments: what it stated."""
        self.read_own()
        until = self.now + timedelta(**by)
        while (at := next_moment(self.case, self.duty())) is not None and at <= until:
            self.now = max(at, self.now)
            wake(self.case, self.duty())
        self.now = until
        return list(self.case.facts)

    @property
    def lead(self) -> Task:
        assert self.case.lead is not None
        return self.case.lead

    def seat(self, task: Task | None = None) -> OnDuty:
        """Whoever holds the task now."""
        task = task or self.lead
        assert task.liaison is not None
        return OnDuty(task.organisation, task.liaison, task.level)

    def accept(self, task: Task | None = None) -> Task:
        task = task or self.lead
        self.case.accept(task, self.seat(task), task.revision, self.now)
        return task

    def answer(self, fulfil_by: datetime | None = None) -> Task:
        task = self.accept()
        self.case.answer(task, task.revision, TEXT, fulfil_by, self.now)
        return task

    def give_back(self, reason: ReturnReason = ReturnReason.NO_CAPACITY, belongs_to: str | None = None) -> None:
        self.case.give_back(self.lead, self.lead.revision, reason, belongs_to, None, self.duty())


def kinds(facts: list[Fact]) -> Kinds:
    return [type(fact) for fact in facts]


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


# Who never acts


def test_who_never_acts_loses_it_up_to_the_backstop_and_nobody_gets_it_twice() -> None:
    told = Told(triaged())
    facts = told.turn(minutes=25)
    assert [(f.organisation, f.liaison) for f in facts if isinstance(f, r.TaskAssigned)] == [
        ("central-hospital", "central-hospital.deputy"),
        ("central-hospital", "central-hospital.supervisor"),
        ("duty-office", "duty-office.day"),
        ("duty-office", "duty-office.deputy"),
        ("duty-office", "duty-office.supervisor"),
    ]
    levels = [f.level for f in facts if isinstance(f, r.TaskEscalated) and f.stage is Stage.ACCEPTED]
    assert levels == [1, 2, 3, 1, 2]
    assert told.lead.rule == "backstop"


def test_at_the_top_it_is_urged_on_and_given_to_the_next_shift() -> None:
    told = Told(triaged())
    told.turn(minutes=35)
    assert told.lead.liaison == "duty-office.supervisor"
    told.turn(hours=3)
    assert told.lead.liaison == "duty-office.supervisor"
    clock = told.lead.clocks[Stage.ACCEPTED]
    assert clock.nudges > 15
    facts = told.turn(hours=2)  # the night shift begins at 20:00 in the city
    assert "duty-office.night" in {f.liaison for f in facts if isinstance(f, r.TaskAssigned)}


def test_recall_keeps_history_contact_and_answer_clocks() -> None:
    told = Told(triaged())
    contact, answer = told.lead.due(Stage.CONTACTED), told.lead.due(Stage.ANSWERED)
    told.turn(minutes=6)
    assert told.lead.liaison == "central-hospital.deputy"
    assert (told.lead.due(Stage.CONTACTED), told.lead.due(Stage.ANSWERED)) == (contact, answer)
    assert told.lead.attempt == 2
    assert len(told.case.tasks) == 1


# Verbs


def test_an_old_revision_conflicts_and_so_does_accepting_twice() -> None:
    told = Told(triaged())
    revision = told.lead.revision
    told.accept()
    with pytest.raises(RevisionConflict) as conflict:
        told.case.accept(told.lead, told.seat(), revision, told.now)
    assert conflict.value.members == {"revision": told.lead.revision}


def test_somebody_else_hears_who_accepted() -> None:
    told = Told(triaged())
    task = told.accept()
    other = OnDuty("central-hospital", "central-hospital.deputy", 1)
    with pytest.raises(TaskHeldByAnother) as held:
        told.case.accept(task, other, task.revision, told.now)
    assert held.value.members == {"organisation": "central-hospital", "liaison": "central-hospital.day"}


def test_an_answer_needs_acceptance_the_lead_and_a_promise_to_come() -> None:
    told = Told(triaged(needs=("transport",)))
    assistant = told.case.tasks[1]
    with pytest.raises(NotInThisState):
        told.case.answer(told.lead, told.lead.revision, TEXT, None, told.now)
    told.accept(assistant)
    with pytest.raises(NotTheLead):
        told.case.answer(assistant, assistant.revision, TEXT, None, told.now)
    told.accept()
    with pytest.raises(FulfilmentInThePast):
        told.case.answer(told.lead, told.lead.revision, TEXT, told.now, told.now)


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
        told.case.fulfil(task, task.revision, None, told.now)


def test_a_promise_is_reminded_of_nudged_and_done_with_when_fulfilled() -> None:
    told = Told(triaged())
    task = told.answer(START + timedelta(minutes=100))
    facts = told.turn(minutes=115)
    seen = [(type(f), f.stage) for f in facts if isinstance(f, r.TaskReminded | r.TaskNudged)]
    assert seen == [(r.TaskReminded, Stage.FULFILLED)] * 2 + [(r.TaskNudged, Stage.FULFILLED)] * 2
    told.case.fulfil(task, task.revision, None, told.now)
    assert next_moment(told.case, told.duty()) is None


# Returns


def test_not_ours_says_whose_and_it_goes_there() -> None:
    told = Told(triaged())
    for wrong, problem in ((None, OwnerNotNamed), ("nobody", UnknownOrganisation), ("central-hospital", OwnerNotNamed)):
        with pytest.raises(problem):
            told.give_back(ReturnReason.NOT_OURS, wrong)
    assert told.stated() == [] or kinds(told.stated()) == [r.TaskAssigned]
    told.read_own()
    told.give_back(ReturnReason.NOT_OURS, "pharmacy-supply")
    assert kinds(told.stated()) == [r.TaskReturned, r.TaskAssigned]
    assert told.lead.organisation == "pharmacy-supply"


def test_other_reasons_go_by_the_rules_without_who_returned_it() -> None:
    told = Told(triaged(Colour.GREEN, Category.QUARANTINE_POLICY))
    assert told.lead.organisation == "huxiao-office"
    told.give_back(ReturnReason.WRONG_AREA)
    assert told.lead.organisation == "town-office"


def test_after_the_second_return_a_person_decides_and_there_is_no_third() -> None:
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    assert (told.lead.organisation, told.lead.needs_person) == ("duty-office", True)
    with pytest.raises(ReturnsExhausted):
        told.give_back(ReturnReason.NOT_OURS, "utilities")


def test_two_that_name_each_other_do_not_play_on() -> None:
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "central-hospital")
    assert (told.lead.organisation, told.lead.needs_person) == ("duty-office", True)


def test_the_backstop_gives_back_only_to_somebody_it_names() -> None:
    told = Told(triaged(Colour.GREEN, Category.OTHER), area=None)
    assert told.lead.organisation == "duty-office"
    with pytest.raises(OwnerNotNamed):
        told.give_back(ReturnReason.NO_CAPACITY)
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    assert (told.lead.organisation, told.lead.needs_person) == ("utilities", False)


def test_the_answer_clock_runs_on_over_a_return() -> None:
    told = Told(triaged())
    due = told.lead.due(Stage.ANSWERED)
    told.now += 4 * MINUTE
    told.give_back(ReturnReason.NOT_OURS, "police")
    assert told.lead.due(Stage.ANSWERED) == due
    assert told.lead.due(Stage.ACCEPTED) == told.now + 5 * MINUTE


# What others do


@pytest.mark.parametrize("ending", [WITHDRAWN, r.RequestMerged(into=new_id())])
def test_an_ending_cancels_what_is_open_and_silences_it(ending: Fact) -> None:
    told = Told(triaged(needs=("transport",)))
    assert kinds(told.tell(ending)) == [r.TaskCancelled] * 2
    assert next_moment(told.case, told.duty()) is None
    with pytest.raises(NotInThisState):
        told.case.accept(told.lead, OnDuty("central-hospital", "central-hospital.day", 0), told.lead.revision, told.now)


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
    assert kinds(facts) == [r.TaskEscalated, r.TaskAssigned]
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


# Any history


class AnyHistory(RuleBasedStateMachine):
    """Handlers, desk, residents, followup and time do what they like; dispatch reads the log when it gets to it.

    The log is the truth: whatever dispatch states must take its place in it and be what every reader folds.
    """

    @initialize(colour=st.sampled_from(list(Colour)), needs=st.sampled_from([(), ("transport",)]))
    def begin(self, colour: Colour, needs: tuple[str, ...]) -> None:
        self.request_id, self.builder, self.now = new_id(), Builder(), START
        self.log: list[Event[Fact]] = []
        self.read_to = 0
        self.triages = 1
        first = self._append(received())
        self.case = Case.begin(first)  # type: ignore[arg-type] # its fact is a receipt
        self.read_to = 1
        self._append(triaged(colour, needs=needs))

    def _duty(self) -> Duty:
        return sample_duty(self.now, city=CITY)

    def _append(self, fact: Fact) -> Event[Fact]:
        event = self.builder.event(fact, self.request_id, time=self.now)
        self.log.append(event)
        return event

    def _flush(self) -> None:
        facts, self.case.facts[:] = list(self.case.facts), []
        for fact in facts:
            self._append(fact)

    def _folded(self) -> Life:
        life = begin(self.log[0])  # type: ignore[arg-type] # a receipt stands first
        for event in self.log[1:]:
            life = fold(life, event)
        return life

    @rule(events=st.integers(1, 4))
    def read(self, events: int) -> None:
        """Dispatch reads a little, or all, of what it has not read."""
        for event in self.log[self.read_to : self.read_to + events]:
            self.read_to += 1
            self.case.read(event, self._duty())
            self._flush()

    @rule(minutes=st.integers(1, 600))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        at = next_moment(self.case, self._duty())
        if at is not None and at <= self.now:
            wake(self.case, self._duty())
            self._flush()

    @precondition(lambda self: bool(self.case.tasks))
    @rule(
        pick=st.integers(0, 5),
        verb=st.sampled_from(["accept", "return", "contact", "progress", "answer", "promise", "fulfil"]),
        stale=st.booleans(),
        owner=st.sampled_from([None, "police", "utilities", "duty-office"]),
        reason=st.sampled_from(list(ReturnReason)),
    )
    def handle(self, pick: int, verb: str, stale: bool, owner: str | None, reason: ReturnReason) -> None:
        task = self.case.tasks[pick % len(self.case.tasks)]
        before, revision = task.revision, task.revision - stale
        try:
            self._act(task, verb, revision, owner, reason)
        except Problem:
            assert self.case.facts == []
            assert task.revision == before
        else:
            assert not stale
            assert task.revision > before
        self._flush()

    def _act(self, task: Task, verb: str, revision: int, owner: str | None, reason: ReturnReason) -> None:
        case, now = self.case, self.now
        match verb:
            case "accept":
                case.accept(task, OnDuty(task.organisation, task.liaison or "nobody", task.level), revision, now)
            case "return":
                case.give_back(task, revision, reason, owner, TEXT, self._duty())
            case "contact":
                case.contact(task, revision, Medium.PHONE, now)
            case "progress":
                case.progress(task, revision, TEXT, now)
            case "fulfil":
                case.fulfil(task, revision, None, now)
            case _:
                case.answer(task, revision, TEXT, now + 90 * MINUTE if verb == "promise" else None, now)

    @rule(organisation=st.sampled_from(["police", "food-supply"]), nudge=st.booleans())
    def desk(self, organisation: str, nudge: bool) -> None:
        try:
            if nudge:
                self.case.nudge()
            else:
                self.case.add_assisting(organisation, None, self._duty())
        except Problem:
            assert self.case.facts == []
        self._flush()

    @rule(colour=st.sampled_from(list(Colour)), by=st.sampled_from(list(Decider)))
    def triage_again(self, colour: Colour, by: Decider) -> None:
        self.triages += 1
        self._append(triaged(colour, revision=self.triages, by=by))

    @precondition(lambda self: len(self.log) > 4)
    @rule(fact=st.sampled_from([WITHDRAWN, rejected(), r.RequestMerged(into=UUID(int=1))]))
    def end(self, fact: Fact) -> None:
        if self._folded().status not in ENDINGS:
            self._append(fact)

    @rule(close=st.booleans())
    def follow_up(self, close: bool) -> None:
        fact = CLOSED if close else r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)
        if applies(self._folded(), fact):
            self._append(fact)

    @invariant()
    def returns_are_bounded(self) -> None:
        returned = [e.fact for e in self.log if isinstance(e.fact, r.TaskReturned)]
        for task in self.case.tasks:
            by = [f.organisation for f in returned if f.task_id == task.id]
            assert len(by) <= 2
            assert len(by) == len(set(by))

    @invariant()
    def what_is_open_has_a_next_moment(self) -> None:
        open_tasks = [task for task in self.case.tasks if task.is_open]
        assert (next_moment(self.case, self._duty()) is not None) == bool(open_tasks)
        assert all(task.running() for task in open_tasks)

    @invariant()
    def read_to_its_end_the_log_says_what_dispatch_says(self) -> None:
        if self.read_to < len(self.log) or not self.case.tasks:
            return
        folded = self._folded()
        assert self.case.life == folded
        assert self.case.status is folded.status
        lead = self.case.lead
        assert lead is not None
        if folded.status in {Status.ASSIGNED, Status.ACCEPTED}:
            assert folded.holder is not None
            assert (folded.holder.name, folded.holder.liaison) == (lead.organisation, lead.liaison)
        if folded.status in ENDINGS:
            assert not any(task.is_open for task in self.case.tasks)
        else:
            assert lead.status is not TaskStatus.CANCELLED
            assert lead.is_open == (folded.status is not Status.ANSWERED or folded.fulfil_by is not None)

    @invariant()
    def who_accepted_is_asked_no_more_to_accept(self) -> None:
        for task in self.case.tasks:
            asked = Stage.ACCEPTED in {stage for stage, _ in task.running()}
            assert asked == (task.status is TaskStatus.ASSIGNED)

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        while self.read_to < len(self.log):
            self.read(4)
        self.read_to_its_end_the_log_says_what_dispatch_says()
        self._own_facts_take_effect()

    def _own_facts_take_effect(self) -> None:
        """Each of our status facts was legal where it stands, but for those that a fact of others overtook."""
        life = begin(self.log[0])  # type: ignore[arg-type] # a receipt stands first
        for event in self.log[1:]:
            fact: Any = event.fact
            is_step = isinstance(fact, r.TaskAssigned | r.TaskAccepted | r.TaskReturned | r.TaskRecalled)
            if (is_step or isinstance(fact, r.RequestAnswered)) and fact.role is Role.LEAD:
                assert applies(life, fact) or life.status in ENDINGS, (life.status, fact)
            life = fold(life, event)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
