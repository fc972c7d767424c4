"""Over random histories, in which dispatch reads late: what it states is what every reader folds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dispatch import concessions, oversight, playbooks, questions
from dispatch.city import OnDuty
from dispatch.model import Case
from dispatch.returns import give_back
from dispatch.routing import Duty
from dispatch.tasks import (
    Task,
    TaskStatus,
    TextRef,
)
from dispatch.waking import next_moment, wake
from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.life import Life, applies, begin, fold
from shared.contracts.vocabulary import (
    ENDINGS,
    Colour,
    Decider,
    DisputeReason,
    Medium,
    RejectionReason,
    ReturnReason,
    Role,
    Stage,
    Status,
    TransferCause,
)
from shared.ids import new_id
from shared.problems import Problem
from tests.dispatch.stories import CLOSED, WITHDRAWN, received, sample_city, sample_duty, triaged
from tests.support.builders import START, Builder

TEXT = TextRef(new_id(), "hash")
MINUTE = timedelta(minutes=1)
CITY = sample_city()


CONCESSIONS: dict[str, Callable[[Case, Task, int, Duty], object]] = {
    "confirm": lambda c, t, revision, d: playbooks.confirm(c, t, revision, d.now + 60 * MINUTE, None, d),
    "waive": playbooks.waive,
    "extend": lambda c, t, revision, d: concessions.extend(c, t, revision, later(t, d), TEXT, d, hard=False),
    "hard": lambda c, t, revision, d: concessions.extend(c, t, revision, later(t, d), TEXT, d, hard=True),
    "interim": lambda c, t, revision, d: concessions.interim_answer(c, t, revision, TEXT, d),
    "transfer": lambda c, t, revision, d: concessions.transfer(c, t, revision, f"{t.organisation}.deputy", None, d),
    "ask": lambda c, t, revision, d: questions.ask(c, t, revision, TEXT, d),
    "answer order": lambda c, t, revision, d: oversight.answer_order(c, t, revision, TEXT, d),
}
VERBS = ["accept", "return", "contact", "progress", "answer", "promise", "fulfil", *CONCESSIONS]
DESK: dict[str, Callable[[Case, str, Duty], object]] = {
    "nudge": lambda case, _organisation, _duty: case.nudge(),
    "add": lambda case, organisation, duty: case.add_assisting(organisation, None, duty, required=True, quantity=3),
    "arbitrate": lambda case, organisation, duty: oversight.arbitrate(case, organisation, None, duty),
    "supervise": lambda case, _organisation, duty: oversight.order_by_hand(case, None, None, duty),
}


def later(task: Task, duty: Duty) -> datetime:
    return (task.due(Stage.ANSWERED) or duty.now) + 60 * MINUTE


def rejected() -> r.RequestRejected:
    return r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON)


class AnyHistory(RuleBasedStateMachine):
    """Handlers, desk, residents, followup and time do what they like; dispatch reads the log when it gets to it.

    The log is the truth: whatever dispatch states must take its place in it and be what every reader folds.
    """

    @initialize(
        colour=st.sampled_from(list(Colour)), needs=st.sampled_from([(), ("transport",)]), pressing=st.booleans()
    )
    def begin(self, colour: Colour, needs: tuple[str, ...], pressing: bool) -> None:
        self.request_id, self.builder, self.now = new_id(), Builder(), START
        self.log: list[Event[Fact]] = []
        self.read_to = 0
        self.triages = 1
        first = self._append(received())
        self.case = Case.begin(first)  # type: ignore[arg-type] # its fact is a receipt
        self.read_to = 1
        self._append(triaged(colour, needs=needs, deadline=START + 1200 * MINUTE if pressing else None))

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
            left = next_moment(self.case, self._duty())
            assert left is None or left > self.now, "something that was due passed unnoticed"

    @precondition(lambda self: bool(self.case.tasks))
    @rule(
        pick=st.integers(0, 5),
        verb=st.sampled_from(VERBS),
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
        if verb in CONCESSIONS:
            CONCESSIONS[verb](case, task, revision, self._duty())
            return
        match verb:
            case "accept":
                case.accept(
                    task, OnDuty(task.organisation, task.liaison or "nobody", task.level), revision, self._duty()
                )
            case "return":
                give_back(case, task, revision, reason, owner, TEXT, self._duty())
            case "contact":
                case.contact(task, revision, Medium.PHONE, now)
            case "progress":
                case.progress(task, revision, TEXT, now)
            case "fulfil":
                case.fulfil(task, revision, None, self._duty())
            case _:
                case.answer(task, revision, TEXT, now + 90 * MINUTE if verb == "promise" else None, self._duty())

    @rule(organisation=st.sampled_from(["police", "food-supply"]), what=st.sampled_from(list(DESK)))
    def desk(self, organisation: str, what: str) -> None:
        try:
            DESK[what](self.case, organisation, self._duty())
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
    def each_task_has_one_holder_and_no_organisation_two_tasks(self) -> None:
        for task in self.case.tasks:
            held = task.status in {TaskStatus.ASSIGNED, TaskStatus.ACCEPTED, TaskStatus.ANSWERED}
            assert (task.liaison is not None) or not held
            assert task.organisation in task.organisations
        lead_facts = [e.fact for e in self.log if isinstance(e.fact, r.TaskAssigned) and e.fact.role is Role.LEAD]
        assert len({fact.task_id for fact in lead_facts}) <= 1

    @invariant()
    def nobody_answers_while_a_required_task_is_open(self) -> None:
        lead = self.case.lead
        if lead is not None and lead.status is TaskStatus.ANSWERED:
            answered = max(e.time for e in self.log if isinstance(e.fact, r.RequestAnswered))
            assert not [t for t in self.case.tasks if t.required and t.created_at < answered and t.is_open
                        and t.confirmed_at is None]  # fmt: skip

    @invariant()
    def extensions_and_transfers_are_bounded(self) -> None:
        extended = [e.fact for e in self.log if isinstance(e.fact, w.TaskExtended)]
        reopened = sum(isinstance(e.fact, r.RequestDisputed) for e in self.log)
        assert len(extended) <= 1 + reopened
        assert all(f.due_at > f.before for f in extended)
        for task in self.case.tasks:
            by_hand = [e for e in self.log if isinstance(e.fact, w.TaskTransferred) and e.fact.task_id == task.id
                       and e.fact.cause is TransferCause.BY_HAND]  # fmt: skip
            assert len(by_hand) <= 3

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
