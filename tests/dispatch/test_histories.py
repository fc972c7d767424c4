"""Over random histories, in which dispatch reads late and dies: one holder, a next moment, one truth for all."""

import os
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import TypeAdapter

from dispatch.clocks import Nudge
from dispatch.model import Case
from dispatch.routing import Duty
from dispatch.tasks import (
    TaskStatus,
)
from dispatch.waking import next_moment, wake
from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.ledger import begin_ledger, hold, total
from shared.contracts.life import applies, begin, fold
from shared.contracts.vocabulary import (
    ENDINGS,
    Category,
    Colour,
    Decider,
    DisputeReason,
    HolderKind,
    ReturnReason,
    Role,
    Stage,
    Status,
    TransferCause,
)
from shared.ids import new_id
from shared.problems import Problem
from tests.dispatch.acts import DESK, MINUTE, USUAL, VERBS, act, rejected
from tests.dispatch.stories import CLOSED, WITHDRAWN, received, sample_city, sample_duty, triaged
from tests.support.builders import START, Builder

CITY = sample_city()
CASE = TypeAdapter(Case)
RUNS = int(os.environ.get("HEED_HISTORIES", "400"))
"""`make histories` takes thousands."""
DIES = st.integers(0, 7).map(lambda n: n == 7)
"""Whether the process dies before the end of the transaction."""


class AnyHistory(RuleBasedStateMachine):
    """Handlers, desk, residents, followup, operators and time do what they like; dispatch reads, states and dies.

    The log is the truth: whatever dispatch states must take its place in it and be what every reader folds. What is
    done is kept in one transaction, with the timer and with what goes out, or not at all: a process may die at any
    moment, and the next one knows nothing but what was kept.
    """

    @initialize(
        colour=st.sampled_from(list(Colour)),
        category=st.sampled_from([Category.MEDICAL, Category.FOOD_SUPPLIES]),
        needs=st.sampled_from([(), ("transport",)]),
        pressing=st.booleans(),
    )
    def begin(self, colour: Colour, category: Category, needs: tuple[str, ...], pressing: bool) -> None:
        self.request_id, self.builder, self.now, self.level = new_id(), Builder(), START, 0
        self.log: list[Event[Fact]] = []
        self.outbox: list[Event[Fact]] = []
        self.own: list[Event[Any]] = []
        """All that dispatch has stated, on the log or on the way there."""
        self.read_to, self.triages, self.opened_at, self.open_time = 1, 1, START, timedelta()
        first: Any = self.builder.event(received(), self.request_id, time=START)
        self.log.append(first)
        self.folded = begin(first)
        self.ledger = begin_ledger(self.folded)
        self.timer: datetime | None = None
        self._keep(Case.begin(first))
        deadline = START + 1200 * MINUTE if pressing else None
        self._append(triaged(colour, category, needs=needs, deadline=deadline))

    def _duty(self) -> Duty:
        duty = sample_duty(self.now, city=CITY)
        duty.clocks = duty.clocks.at_level(self.level)
        return duty

    def _append(self, fact: Fact) -> None:
        """Others state something."""
        self._put(self.builder.event(fact, self.request_id, time=self.now))

    def _put(self, event: Event[Fact]) -> None:
        """An event takes its place in the log, and every reader folds it."""
        self.log.append(event)
        before, self.folded = self.folded, fold(self.folded, event)
        self.ledger = hold(self.ledger, before, self.folded)
        was_over, is_over = before.status in ENDINGS, self.folded.status in ENDINGS
        if is_over and not was_over:
            self.open_time += self.folded.changed_at - self.opened_at
        elif was_over and not is_over:
            self.opened_at = self.folded.changed_at

    def _load(self) -> Case:
        return CASE.validate_json(self.kept)

    def _keep(self, case: Case) -> None:
        """The end of a transaction: the case, what goes out, and the timer."""
        events = [self.builder.event(fact, self.request_id, time=self.now) for fact in case.facts]
        self.outbox += events
        self.own += events
        case.facts.clear()
        self.kept = CASE.dump_json(case)
        self.case = self._load()
        self.timer = next_moment(self.case, self._duty())

    @rule(events=st.integers(1, 4), dies=DIES)
    def read(self, events: int, dies: bool) -> None:
        """Dispatch reads a little, or all, of what it has not read."""
        case = self._load()
        for event in self.log[self.read_to : self.read_to + events]:
            case.read(event, self._duty())
        if not dies:
            self.read_to = min(self.read_to + events, len(self.log))
            self._keep(case)

    @rule(events=st.integers(1, 9))
    def relay(self, events: int) -> None:
        """What was stated gets to the log, in its order; what others state may come between."""
        sent, self.outbox = self.outbox[:events], self.outbox[events:]
        for event in sent:
            self._put(event)

    @rule(minutes=st.integers(1, 600))
    def wait(self, minutes: int) -> None:
        """Time goes by, whether or not a process is there."""
        self.now += timedelta(minutes=minutes)

    @rule(dies=DIES)
    def fire(self, dies: bool) -> None:
        """The timer fires, if it is due; a process that dies over it leaves it as it was."""
        if self.timer is None or self.timer > self.now:
            return
        case = self._load()
        wake(case, self._duty())
        if dies:
            return
        self._keep(case)
        left = next_moment(self.case, self._duty())
        assert left is None or left > self.now, "something that was due passed unnoticed"
        every = timedelta(minutes=self._duty().clocks.nudge_every_minutes[case.colour])
        for task in self.case.tasks:
            for _, clock in task.running():
                late = clock.is_overdue(self.now) and clock.upcoming(self._duty().clocks, case.colour)
                nudges = [at for at, ring in late or () if isinstance(ring, Nudge)]
                assert all(at <= self.now + every for at in nudges), "a nudge was swallowed"

    @rule(level=st.integers(0, 1))
    def declare(self, level: int) -> None:
        """An emergency level comes into force, or ends."""
        self.level = level

    @rule()
    def amend(self) -> None:
        """The resident adds something, maybe the answer to a question."""
        if self.folded.status not in ENDINGS:
            self._append(r.RequestAmended(text_id=new_id(), text_hash="h"))

    @precondition(lambda self: bool(self.case.tasks))
    @rule(
        pick=st.sampled_from([0, 0, 1, 2, 3]),
        choices=st.lists(st.integers(0, 999), min_size=1, max_size=5),
        usual=st.integers(0, 4).map(bool),
        stale=DIES,
        owner=st.sampled_from([None, "police", "utilities", "duty-office"]),
        reason=st.sampled_from(list(ReturnReason)),
        dies=DIES,
    )
    def handle(
        self,
        pick: int,
        choices: list[int],
        usual: bool,
        stale: bool,
        owner: str | None,
        reason: ReturnReason,
        dies: bool,
    ) -> None:
        """People do this and that with a task."""
        for choice in choices:
            task = self.case.tasks[pick % len(self.case.tasks)]
            verbs = USUAL.get(task.status, VERBS) if usual else VERBS
            self._try(pick, verbs[choice % len(verbs)], stale, owner, reason, dies)

    def _try(self, pick: int, verb: str, stale: bool, owner: str | None, reason: ReturnReason, dies: bool) -> None:
        case = self._load()
        task = case.tasks[pick % len(case.tasks)]
        before, revision = task.revision, task.revision - stale
        try:
            act(case, task, verb, revision, self._duty(), owner, reason)
        except Problem:
            assert case.facts == []
            assert task.revision == before
            return
        assert not stale
        assert task.revision > before
        if not dies:
            self._keep(case)
            self._lose(pick, verb, revision, owner, reason)

    def _lose(self, pick: int, verb: str, revision: int, owner: str | None, reason: ReturnReason) -> None:
        """Who read the same revision and comes second changes nothing."""
        case = self._load()
        with pytest.raises(Problem):
            act(case, case.tasks[pick % len(case.tasks)], verb, revision, self._duty(), owner, reason)
        assert case.facts == []

    @rule(organisation=st.sampled_from(["police", "food-supply"]), what=st.sampled_from(list(DESK)))
    def desk(self, organisation: str, what: str) -> None:
        case = self._load()
        try:
            DESK[what](case, organisation, self._duty())
        except Problem:
            assert case.facts == []
        else:
            self._keep(case)

    @rule(colour=st.sampled_from(list(Colour)), by=st.sampled_from(list(Decider)))
    def triage_again(self, colour: Colour, by: Decider) -> None:
        self.triages += 1
        self._append(triaged(colour, revision=self.triages, by=by))

    @precondition(lambda self: bool(self.case.tasks))
    @rule(promise=st.booleans())
    def go_on(self, promise: bool) -> None:
        """Everything as it should be: read, woken, accepted, arranged, answered."""
        self.relay(99)
        self.read(99, dies=False)
        self.fire(dies=False)
        for pick, task in enumerate(self.case.tasks):
            lead = self.case.tasks[pick].role is Role.LEAD
            then = ("promise" if promise else "answer") if lead else "confirm"
            step = {TaskStatus.ASSIGNED: "accept", TaskStatus.ACCEPTED: then}.get(task.status)
            if step is not None:
                case = self._load()
                with suppress(Problem):
                    mine = case.tasks[pick]
                    act(case, mine, step, mine.revision, self._duty(), None, ReturnReason.NOT_OURS)
                    self._keep(case)

    @precondition(lambda self: len(self.log) > 4)
    @rule(fact=st.sampled_from([WITHDRAWN, rejected(), r.RequestMerged(into=UUID(int=1))]), really=DIES)
    def end(self, fact: Fact, really: bool) -> None:
        if really and self.folded.status not in ENDINGS:
            self._append(fact)

    @rule(close=st.booleans())
    def follow_up(self, close: bool) -> None:
        fact = CLOSED if close else r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)
        if applies(self.folded, fact):
            self._append(fact)

    @invariant()
    def returns_are_bounded(self) -> None:
        returned = [e.fact for e in self.own if isinstance(e.fact, r.TaskReturned)]
        for task in self.case.tasks:
            by = [f.organisation for f in returned if f.task_id == task.id]
            assert len(by) <= 2
            assert len(by) == len(set(by))

    @invariant()
    def what_is_open_has_a_next_moment_and_a_timer_for_it(self) -> None:
        open_tasks = [task for task in self.case.tasks if task.is_open]
        assert (next_moment(self.case, self._duty()) is not None) == bool(open_tasks) == (self.timer is not None)
        assert all(task.running() for task in open_tasks)
        for task in open_tasks:
            assert self.timer is not None
            assert self.timer <= min(max(clock.due_at, clock.watched_from) for _, clock in task.running()) or any(
                clock.moments for _, clock in task.running()
            )

    @invariant()
    def there_is_one_holder_and_the_ledger_adds_up(self) -> None:
        is_over = self.folded.status in ENDINGS
        assert (self.folded.holder is None) == is_over
        assert sum(span.until is None for span in self.ledger) == (not is_over)
        at = max(self.now, self.folded.changed_at)
        assert total(self.ledger, at) == self.open_time + (timedelta() if is_over else at - self.opened_at)

    @invariant()
    def questions_are_bounded_and_only_they_make_the_resident_the_holder(self) -> None:
        asked = [e.fact for e in self.own if isinstance(e.fact, w.ResidentQuestioned)]
        assert [fact.number for fact in asked] == list(range(1, len(asked) + 1))
        assert len(asked) <= 2
        holder = self.folded.holder
        assert (holder is not None and holder.kind is HolderKind.RESIDENT) == (self.folded.question is not None)

    @invariant()
    def no_assignment_is_given_twice(self) -> None:
        attempts: dict[UUID, list[int]] = {}
        for event in self.own:
            if isinstance(event.fact, r.TaskAssigned):
                attempts.setdefault(event.fact.task_id, []).append(event.fact.attempt)
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in attempts.values())

    @invariant()
    def each_task_has_one_holder_and_no_organisation_two_tasks(self) -> None:
        for task in self.case.tasks:
            held = task.status in {TaskStatus.ASSIGNED, TaskStatus.ACCEPTED, TaskStatus.ANSWERED}
            assert (task.liaison is not None) or not held
            assert task.organisation in task.organisations
        lead_facts = [e.fact for e in self.own if isinstance(e.fact, r.TaskAssigned) and e.fact.role is Role.LEAD]
        assert len({fact.task_id for fact in lead_facts}) <= 1

    @invariant()
    def nobody_answers_while_a_required_task_is_open(self) -> None:
        lead = self.case.lead
        if lead is not None and lead.status is TaskStatus.ANSWERED:
            answered = max(e.time for e in self.own if isinstance(e.fact, r.RequestAnswered))
            assert not [t for t in self.case.tasks if t.required and t.created_at < answered and t.is_open
                        and t.confirmed_at is None]  # fmt: skip

    @invariant()
    def extensions_and_transfers_are_bounded(self) -> None:
        extended = [e.fact for e in self.own if isinstance(e.fact, w.TaskExtended)]
        reopened = sum(isinstance(e.fact, r.RequestDisputed) for e in self.log)
        assert len(extended) <= 1 + reopened
        assert all(f.due_at > f.before for f in extended)
        for task in self.case.tasks:
            by_hand = [e for e in self.own if isinstance(e.fact, w.TaskTransferred) and e.fact.task_id == task.id
                       and e.fact.cause is TransferCause.BY_HAND]  # fmt: skip
            assert len(by_hand) <= 3

    @invariant()
    def read_to_its_end_the_log_says_what_dispatch_says(self) -> None:
        if self.outbox or self.read_to < len(self.log) or not self.case.tasks:
            return
        folded = self.folded
        assert self.case.life == folded
        assert self.case.status is folded.status
        lead = self.case.lead
        assert lead is not None
        assert (folded.question is not None) == (lead.question_until is not None)
        if folded.status in {Status.ASSIGNED, Status.ACCEPTED} and folded.question is None:
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
        while self.outbox or self.read_to < len(self.log):
            self.relay(9)
            self.read(4, dies=False)
        while self.timer is not None and self.timer <= self.now:
            self.fire(dies=False)
            self.relay(99)
            self.read(99, dies=False)
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
TestAnyHistory.settings = settings(max_examples=RUNS, stateful_step_count=40, deadline=None)
