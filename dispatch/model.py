"""A case: one request in the hands of dispatch, its tasks, and which facts follow from what happens. Pure.

Two things are kept apart. `life` is the history as read from the bus, by the table all readers share: it decides which
facts of others take effect. The tasks are what dispatch itself has decided, a step ahead of what it has read back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatch import playbooks, questions
from dispatch.city import OnDuty, Post
from dispatch.clocks import Nudge
from dispatch.oversight import order
from dispatch.pacing import help_by, move_clocks, pace_of
from dispatch.playbooks import Planned
from dispatch.routing import BACKSTOP, Duty, Route
from dispatch.tasks import (
    AlreadyHasTask,
    FulfilmentInThePast,
    NothingOwed,
    NotTheLead,
    Task,
    TaskHeldByAnother,
    TaskStatus,
    TextRef,
    UnknownOrganisation,
    said,
)
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, applies, begin, fold
from shared.contracts.vocabulary import (
    ENDINGS,
    Colour,
    Decider,
    DisputeReason,
    Medium,
    Role,
    Stage,
    Status,
    SupervisionCause,
)
from shared.problems import NotInThisState

S = TaskStatus
HIGHEST = len(Post) - 1
BY_HAND = "by-hand"


@dataclass(slots=True, kw_only=True)
class Case:
    """A request's tasks, with what their clocks rest on."""

    life: Life
    began_at: datetime
    """Receipt, or the last dispute: from here the table's clocks run."""
    colour: Colour = Colour.GREEN
    """In force for the clocks: as triaged, or red since a promise was missed."""
    deadline: datetime | None = None
    deadline_known_at: datetime | None = None
    needs: tuple[str, ...] = ()
    tasks: list[Task] = field(default_factory=list)
    playbook: str | None = None
    planned: list[Planned] = field(default_factory=list)
    """Steps of the playbook that are still to be opened."""
    waits_for: list[str] = field(default_factory=list)
    """The required tasks that the answer waits for, as it was last kept."""
    place_confidence: float = 1
    household: str | None = None
    building: str | None = None
    """Keyed hashes: equal for one household, one building."""
    facts: list[Fact] = field(default_factory=list)
    """To be stated, in this order; not kept."""

    @classmethod
    def begin(cls, event: Event[r.RequestReceived]) -> "Case":
        """The case of a request that was just received; it has no task before it is triaged."""
        fact = event.fact
        return cls(
            life=begin(event),
            began_at=fact.received_at,
            place_confidence=fact.place_confidence,
            household=fact.household_hash,
            building=fact.building_hash,
        )

    @property
    def lead(self) -> Task | None:
        """The task that answers, once triaged."""
        return next((task for task in self.tasks if task.role is Role.LEAD), None)

    @property
    def organisations(self) -> frozenset[str]:
        """All that have or had a task."""
        return frozenset(organisation for task in self.tasks for organisation in task.organisations)

    def place(self, duty: Duty) -> str | None:
        """Where it is, for routing."""
        return duty.place(self.life.area, self.place_confidence)

    # What others state

    def read(self, event: Event[Fact], duty: Duty) -> None:
        """Take the next fact of the history, and do what follows where it takes effect."""
        fact, before, takes_effect = event.fact, self.life, applies(self.life, event.fact)
        self.life = fold(before, event)
        match fact:
            case r.RequestTriaged() if takes_effect:
                self._open(fact, duty)
            case r.RequestTriaged():
                self._revise(fact, duty)
            case r.RequestDisputed() if takes_effect:
                self._reopen(fact, duty)
            case r.RequestRejected() | r.RequestMerged() | r.RequestWithdrawn() | r.RequestClosed() if takes_effect:
                self._cancel_open(duty.now)
            case r.RequestAmended():
                questions.hear(self, before, duty.now)
            case _:
                pass

    def _open(self, fact: r.RequestTriaged, duty: Duty) -> None:
        self.colour, self.needs = fact.colour, fact.needs
        self.deadline, self.deadline_known_at = fact.deadline, duty.now
        route = duty.route(fact.category, self.place(duty), fact.colour)
        lead = self._add(Role.LEAD, route, duty)
        playbook = duty.playbook(fact.category, fact.needs, fact.deadline)
        if playbook is not None:
            playbooks.begin(self, lead, playbook, duty)
        covered = {step.need for step in playbook.steps} if playbook else set()
        for need in dict.fromkeys(fact.needs):
            if need not in covered:
                self._add_need(need, lead, duty)

    def open_step(self, step: Planned, happens_at: datetime | None, duty: Duty) -> None:
        """A step's turn has come; it is arranged for the time that the one before it gave."""
        extra: dict[str, Any] = {"step": step.id, "required": step.required, "happens_at": happens_at}
        extra |= {"asked": step.quantity, "unit": step.unit}
        self._add(Role.ASSISTING, Route(step.organisation, step.rule), duty, **extra)

    def _add(self, role: Role, route: Route, duty: Duty, note: TextRef | None = None, **extra: Any) -> Task:
        task = Task(
            id=duty.new_id(),
            role=role,
            organisation=route.organisation,
            rule=route.rule,
            created_at=duty.now,
            changed_at=duty.now,
            organisations=[route.organisation],
            **extra,
        )
        self.tasks.append(task)
        self.assign(task, duty, note=note)
        return task

    def _add_need(self, need: str, lead: Task, duty: Duty) -> None:
        """An assisting task, unless an organisation that is at work on the request gives this help itself."""
        route = duty.route_need(need, self.place(duty))
        if route.organisation != lead.organisation and not self._open_task_of(route.organisation):
            self._add(Role.ASSISTING, route, duty)

    def _open_task_of(self, organisation: str) -> Task | None:
        return next((t for t in self.tasks if t.is_open and t.organisation == organisation), None)

    def _revise(self, fact: r.RequestTriaged, duty: Duty) -> None:
        """Triaged again: the clocks move, help is added; the owner stays, whatever the rules would say now."""
        lead = self.lead
        if lead is None or not any(task.is_open for task in self.tasks):
            return
        colour, deadline = fact.colour, fact.deadline
        if colour.rank < self.colour.rank and fact.decided_by is Decider.MACHINE:
            colour = self.colour
        before = self.colour
        if (colour, deadline) != (before, self.deadline):
            if deadline != self.deadline:
                self.deadline, self.deadline_known_at = deadline, duty.now
            self.colour = colour
            move_clocks(self, before, duty)
            questions.lapse_if_due(self, lead, duty.now)
        for need in fact.needs:
            if need not in self.needs:
                self._add_need(need, lead, duty)
        self.needs = tuple(dict.fromkeys((*self.needs, *fact.needs)))

    def _reopen(self, fact: r.RequestDisputed, duty: Duty) -> None:
        """The answer does not stand: to whom is on duty now, one level higher, the same clocks again."""
        lead = self.lead
        if lead is None:
            return
        missed = fact.reason is DisputeReason.FULFILMENT_MISSED
        if missed:
            self.colour = Colour.RED
        self.began_at, self.deadline_known_at = self.life.changed_at, duty.now
        lead.stop(duty.now)
        lead.clocks.pop(Stage.FULFILLED, None)
        lead.first_assigned_at, lead.tried, lead.extended_to, lead.interim_at = None, [], None, None
        level = min(lead.level + 1, HIGHEST)
        stage = Stage.FULFILLED if missed else Stage.ANSWERED
        self.state(r.TaskEscalated, lead, stage=stage, level=level)
        self.assign(lead, duty, level)
        order(self, lead, stage, SupervisionCause.REOPENED, duty)

    def _cancel_open(self, now: datetime) -> None:
        self.planned.clear()
        for task in self.tasks:
            if task.is_open:
                task.status = S.CANCELLED
                task.stop(now)
                task.change(now)
                self.state(r.TaskCancelled, task)

    # Whose it is

    def assign(self, task: Task, duty: Duty, level: int = 0, note: TextRef | None = None) -> None:
        """Give the task to somebody on duty, from this level upwards; where nobody is, it waits."""
        chosen = duty.choose(task.organisation, level, task.tried, area=self.place(duty))
        if chosen is None:
            self._wait(task, duty, level)
        else:
            self.give(task, chosen, duty, note)

    def _wait(self, task: Task, duty: Duty, level: int) -> None:
        if task.status is not S.WAITING or Stage.ASSIGNED not in task.clocks:
            due = self.began_at + pace_of(self, duty).assigned
            task.start(Stage.ASSIGNED, self.began_at, due, duty.now, duty.policy_version)
            task.stop(duty.now, Stage.ACCEPTED)
            task.change(duty.now)
        task.status, task.liaison, task.level = S.WAITING, None, level

    def give(
        self, task: Task, chosen: OnDuty, duty: Duty, note: TextRef | None = None, latest: datetime | None = None
    ) -> None:
        """Give the task to this person: the accept clock begins, and with the first assignment the others.

        `latest` is when it must be accepted at the latest, where that was due before.
        """
        now, new = duty.now, pace_of(self, duty)
        accept_by = now + new.accepted if latest is None else max(now, min(latest, now + new.accepted))
        if chosen.organisation != task.organisation:
            task.rule = BACKSTOP
        task.organisation, task.liaison, task.level = chosen.organisation, chosen.liaison, chosen.level
        if chosen.organisation not in task.organisations:
            task.organisations.append(chosen.organisation)
        task.status, task.assigned_at, task.attempt = S.ASSIGNED, now, task.attempt + 1
        task.duty_ends_at = duty.city.duty_ends(chosen.liaison, now)
        task.stop(now, Stage.ASSIGNED)
        task.start(Stage.ACCEPTED, now, accept_by, now, duty.policy_version)
        if task.first_assigned_at is None:
            task.first_assigned_at = now
            self.start_work(task, duty, now)
        if task.attempt > 1:
            task.change(now)
        is_lead = task.role is Role.LEAD
        self.state(
            r.TaskAssigned,
            task,
            liaison=chosen.liaison,
            rule=task.rule,
            attempt=task.attempt,
            accept_by=task.clocks[Stage.ACCEPTED].due_at,
            contact_by=task.due(Stage.CONTACTED) if is_lead else None,
            answer_by=task.due(Stage.ANSWERED) if is_lead else None,
            policy_version=duty.policy_version,
            beyond_capacity=chosen.beyond_capacity,
            **said(note),
        )

    def start_work(self, task: Task, duty: Duty, now: datetime) -> None:
        """The clocks that run from the first assignment on, whoever accepts."""
        new, version = pace_of(self, duty), duty.policy_version
        if task.role is Role.LEAD:
            task.start(Stage.CONTACTED, now, now + new.contacted, now, version)
            task.start(Stage.ANSWERED, self.began_at, self.began_at + new.answered, now, version)
        else:
            task.start(Stage.FULFILLED, now, max(help_by(self, task, new, now), now + new.accepted), now, version)

    # What the handlers do

    def accept(self, task: Task, actor: OnDuty, revision: int, duty: Duty) -> None:
        """The task is signed for; it binds the person."""
        if task.status is S.ACCEPTED and revision == task.revision and actor.liaison != task.liaison:
            raise TaskHeldByAnother(organisation=task.organisation, liaison=task.liaison)
        task.check(revision, S.ASSIGNED)
        now = duty.now
        task.status, task.liaison, task.level = S.ACCEPTED, actor.liaison, max(task.level, actor.level)
        task.duty_ends_at = duty.city.duty_ends(actor.liaison, now)
        task.question_ends_at = None
        task.stop(now, Stage.ACCEPTED)
        task.change(now)
        self.state(r.TaskAccepted, task, liaison=actor.liaison)

    def contact(self, task: Task, revision: int, medium: Medium, now: datetime) -> None:
        """A human spoke with the resident: that counts for the whole case, whoever it was."""
        self._check_at_work(task, revision)
        for each in self.tasks:
            each.stop(now, Stage.CONTACTED)
            each.question_ends_at = None
        task.change(now)
        self.state(r.ResidentContacted, task, medium=medium)

    def progress(self, task: Task, revision: int, text: TextRef, now: datetime) -> None:
        """News from the work."""
        self._check_at_work(task, revision)
        task.change(now)
        self.state(r.TaskProgressed, task, text_id=text.text_id, text_hash=text.text_hash)

    def _check_at_work(self, task: Task, revision: int) -> None:
        task.check(revision, S.ACCEPTED, *((S.ANSWERED,) if task.owes_fulfilment else ()))

    def answer(self, task: Task, revision: int, text: TextRef, fulfil_by: datetime | None, duty: Duty) -> None:
        """The lead says what was done; with `fulfil_by`, what will have been done by then."""
        if task.role is not Role.LEAD:
            raise NotTheLead
        task.check(revision, S.ACCEPTED)
        now = duty.now
        if fulfil_by is not None and fulfil_by <= now:
            raise FulfilmentInThePast
        playbooks.check_may_answer(self)
        task.status = S.ANSWERED
        task.stop(now)
        if fulfil_by is not None:
            task.start(Stage.FULFILLED, now, fulfil_by, now, duty.policy_version)
        task.change(now)
        self.state(r.RequestAnswered, task, **said(text), words_hash=text.words_hash, fulfil_by=fulfil_by)

    def fulfil(self, task: Task, revision: int, note: TextRef | None, duty: Duty, quantity: int | None = None) -> None:
        """What was promised has happened; or an assistant's part is done, or a `quantity` of it."""
        now = duty.now
        if task.role is Role.LEAD:
            task.check(revision, S.ANSWERED)
            if not task.owes_fulfilment:
                raise NothingOwed
        else:
            task.check(revision, S.ACCEPTED)
        task_is_done = playbooks.deliver(self, task, quantity)
        task.change(now)
        if task_is_done:
            task.status = S.FULFILLED
            task.stop(now)
            self.state(r.TaskFulfilled, task, **said(note))
            playbooks.go_on(self, duty)

    # What the desk and the resident do

    def add_assisting(
        self,
        organisation: str,
        note: TextRef | None,
        duty: Duty,
        *,
        required: bool = False,
        quantity: int | None = None,
        unit: str | None = None,
    ) -> Task:
        """One more organisation helps; with how much of what, and whether the answer waits for it."""
        lead = self.lead
        if lead is None or not lead.is_open:
            raise NotInThisState(state=self.status.value)
        if organisation not in duty.city.organisations:
            raise UnknownOrganisation
        if at_work := self._open_task_of(organisation):
            raise AlreadyHasTask(task_id=str(at_work.id))
        extra: dict[str, Any] = {"required": required, "asked": quantity, "unit": unit}
        return self._add(Role.ASSISTING, Route(organisation, BY_HAND), duty, note, **extra)

    def nudge(self) -> tuple[Task, Stage]:
        """A person urges the holder of the lead: counted with the nudges of the stage that is due first."""
        lead = self.lead
        if lead is None or not (running := lead.running()):
            raise NotInThisState(state=self.status.value)
        stage, clock = running[0]
        self.nudged(lead, stage, clock.nudge_by_hand(), clock.due_at)
        return lead, stage

    # What it comes to

    @property
    def status(self) -> Status:
        """The request's status as dispatch knows it: its own step ahead of the history it has read."""
        lead = self.lead
        if lead is None or self.life.status in ENDINGS or lead.status is S.CANCELLED:
            return self.life.status
        match lead.status:
            case S.WAITING:
                return self.life.status if self.life.status is Status.DISPUTED else Status.TRIAGED
            case S.ASSIGNED:
                return Status.ASSIGNED
            case S.ACCEPTED:
                return Status.ACCEPTED
            case _:
                return Status.ANSWERED

    def nudged(self, task: Task, stage: Stage, nudge: Nudge, due_at: datetime) -> None:
        """State that the holder is urged."""
        self.state(r.TaskNudged, task, stage=stage, count=nudge.count, missed=nudge.missed, due_at=due_at)

    def state(self, kind: type[r.TaskFact], task: Task, **values: Any) -> None:
        """Note a fact about a task, to be stated."""
        fields = {"task_id": task.id, "role": task.role, "organisation": task.organisation, **values}
        self.facts.append(kind.model_validate(fields))
