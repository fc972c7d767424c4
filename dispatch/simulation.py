"""A city on a virtual clock: the real model decides, made-up people act, and days pass in seconds.

Nothing here decides whose a request is or what happens when nobody acts: that is the model's own code. What is made up
is when people act: who is there signs within minutes, works on one request at a time, the most urgent first.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from math import inf
from random import Random
from typing import cast
from uuid import UUID

from dispatch.city import OnDuty
from dispatch.clocks import ClockPolicy
from dispatch.model import Case
from dispatch.routing import Duty
from dispatch.scenario import AREA, BEGINS, Arrival, Scenario, arrivals, make_city, make_routing
from dispatch.tasks import Task, TaskStatus, TextRef
from dispatch.waking import next_moment, wake
from shared.contracts import Event, Fact
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Channel,
    Colour,
    Decider,
    DisputeReason,
    FiledBy,
    Language,
    Medium,
    PlaceSource,
    Role,
    Stage,
)

TRIAGE = timedelta(minutes=1)
SIGNS_WITHIN_MINUTES = (0.5, 3.0)
DISPUTED_AFTER = timedelta(hours=3)
TEXT = TextRef(UUID(int=0), "simulated")
NOTHING = UUID(int=0)
READ_BACK = (r.TaskAssigned, r.TaskAccepted, r.TaskReturned, r.TaskRecalled, r.RequestAnswered, r.TaskFulfilled)
"""What dispatch reads of its own from the log."""


def _spread_evenly(liaisons: Sequence[str], scenario: Scenario) -> Iterator[str]:
    """So many of every organisation, by the share, whoever it may be: else a run is judged by who was drawn."""
    lots = {person: Random(f"{scenario.seed} {person}").random() for person in liaisons}
    in_order = sorted(liaisons, key=lambda person: (person.partition(".")[0], lots[person]))
    for n, person in enumerate(in_order):
        if int((n + 1.5) * scenario.silent) > int((n + 0.5) * scenario.silent):
            yield person


@dataclass(slots=True)
class Handled:
    """What became of one request."""

    arrived_at: datetime
    colour: Colour
    effort: float
    doubt: float
    organisation: str = ""
    due_at: datetime | None = None
    answered_at: datetime | None = None
    reopened: bool = False


@dataclass(slots=True)
class Ran:
    """What came of a run."""

    scenario: Scenario
    until: datetime
    requests: list[Handled] = field(default_factory=list)
    facts: Counter[type[Fact]] = field(default_factory=Counter)
    late: int = 0
    """Requests whose answer was not there when it was due, so far."""
    cut_short: bool = False
    """Stopped before its end, since more were late than were allowed."""
    gave_up: bool = False
    """Stopped before all had come, since more were late than were allowed."""


class Simulation:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, clocks: ClockPolicy) -> None:
        """`clocks` is the city's own policy, as it is in force."""
        self._scenario, self._chance = scenario, Random(scenario.seed)
        ids = count(1)
        self._duty = Duty(
            city=make_city(scenario),
            routing=make_routing(),
            clocks=clocks,
            now=BEGINS,
            new_id=lambda: UUID(int=next(ids)),
        )
        self._ids = self._duty.new_id
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._wakes: dict[UUID, datetime] = {}
        self._desks: defaultdict[str, list[tuple[int, datetime, int, Case, Task]]] = defaultdict(list)
        self._busy: set[str] = set()
        liaisons = [person for person in self._duty.city.liaisons if ".liaison" in person]
        self.silent = frozenset(_spread_evenly(liaisons, scenario))
        """Who never acts."""
        self._known: dict[UUID, Handled] = {}
        hours = scenario.hours + scenario.run_on_hours
        self.ran = Ran(scenario, BEGINS + timedelta(hours=hours))

    def run(self, late_allowed: float = inf, *, till_all_came: bool = False) -> Ran:
        """Let it all happen; stop where more are late than would be allowed, with `till_all_came` not before that."""
        to_come = arrivals(self._scenario)
        all_came_at = max([BEGINS + timedelta(hours=self._scenario.hours), *(arrival.at for arrival in to_come)])
        for arrival in to_come:
            self._plan(arrival.at, partial(self._arrive, arrival))
        while self._agenda and self._agenda[0][0] <= self.ran.until:
            at, _, happens = heapq.heappop(self._agenda)
            self._duty.now = max(at, self._duty.now)
            happens()
            if self.ran.late > late_allowed and (at > all_came_at or not till_all_came):
                self.ran.cut_short, self.ran.gave_up, self.ran.until = True, at <= all_came_at, at
                break
        return self.ran

    def _plan(self, at: datetime, happens: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), happens))

    # Requests

    def _arrive(self, arrival: Arrival) -> None:
        now, request_id = self._duty.now, self._ids()
        received = r.RequestReceived(
            receipt="simulated",
            channel=Channel.APP,
            filed_by=FiledBy.RESIDENT,
            language=Language.ZH,
            area=AREA,
            place_source=PlaceSource.AREA,
            place_confidence=1,
            contact_hash=arrival.household,
            household_hash=arrival.household,
            text_id=NOTHING,
            text_hash="simulated",
            filed_at=now,
            received_at=now,
        )
        case = Case.begin(cast("Event[r.RequestReceived]", self._event(request_id, received)))
        self._known[request_id] = Handled(now, arrival.colour, arrival.effort, arrival.doubt)
        self.ran.requests.append(self._known[request_id])
        triaged = r.RequestTriaged(
            revision=1,
            category=arrival.category,
            colour=arrival.colour,
            decided_by=Decider.MACHINE,
            policy_version="simulated",
        )
        self._plan(now + TRIAGE, lambda: self._read(case, triaged))

    def _event(self, request_id: UUID, fact: Fact) -> Event[Fact]:
        return Event(
            id=NOTHING,
            source="simulated",
            subject=str(request_id),
            key=str(request_id),
            time=self._duty.now,
            sequence=1,
            fact=fact,
        )

    def _read(self, case: Case, fact: Fact) -> None:
        case.read(self._event(case.life.request_id, fact), self._duty)
        self._settle(case)

    def _settle(self, case: Case) -> None:
        """What the model stated becomes history, people hear of it, and the case's timer is set."""
        request_id = case.life.request_id
        while case.facts:
            facts, case.facts[:] = list(case.facts), []
            for fact in facts:
                self.ran.facts[type(fact)] += 1 + (fact.missed if isinstance(fact, r.TaskNudged) else 0)
                if isinstance(fact, READ_BACK):
                    case.read(self._event(request_id, fact), self._duty)
                self._hear(case, fact)
        at = next_moment(case, self._duty)
        if at is not None and self._wakes.get(request_id) != at:
            self._wakes[request_id] = at
            self._plan(at, lambda: self._wake(case, at))

    def _wake(self, case: Case, at: datetime) -> None:
        if self._wakes.get(case.life.request_id) == at:
            del self._wakes[case.life.request_id]
            wake(case, self._duty)
            self._settle(case)

    # People

    def _hear(self, case: Case, fact: Fact) -> None:
        loads = self._duty.loads
        match fact:
            case r.TaskAssigned():
                self._on_assigned(case, fact)
            case r.TaskRecalled():
                loads[fact.liaison] -= 1
                loads[fact.organisation] -= 1
            case r.TaskNudged(stage=Stage.ANSWERED) if fact.count == 1 + fact.missed:
                self.ran.late += 1
            case w.TaskTransferred():
                loads[fact.from_liaison] -= 1
            case r.RequestAnswered():
                self._on_answered(case, fact)
            case _:
                pass

    def _on_assigned(self, case: Case, fact: r.TaskAssigned) -> None:
        known = self._known[case.life.request_id]
        known.organisation = fact.organisation
        known.due_at = known.due_at or fact.answer_by
        if fact.liaison not in self.silent:
            minutes = self._chance.uniform(*SIGNS_WITHIN_MINUTES)
            task = next(task for task in case.tasks if task.id == fact.task_id)
            self._plan(self._duty.now + timedelta(minutes=minutes), lambda: self._sign(case, task, fact))

    def _sign(self, case: Case, task: Task, fact: r.TaskAssigned) -> None:
        if task.status is not TaskStatus.ASSIGNED or task.attempt != fact.attempt:
            return
        case.accept(task, OnDuty(fact.organisation, fact.liaison, task.level), task.revision, self._duty)
        due = self._known[case.life.request_id].due_at or self._duty.now
        heapq.heappush(self._desks[fact.liaison], (-case.colour.rank, due, next(self._order), case, task))
        self._settle(case)
        self._begin(fact.liaison)

    def _begin(self, person: str) -> None:
        """The most urgent on his desk that is his still, if he has nothing in hand."""
        desk = self._desks[person]
        while desk and person not in self._busy:
            _, _, _, case, task = heapq.heappop(desk)
            if task.status is not TaskStatus.ACCEPTED or task.liaison != person:
                continue
            self._busy.add(person)
            case.contact(task, task.revision, Medium.PHONE, self._duty.now)
            self._settle(case)
            minutes = self._known[case.life.request_id].effort * self._scenario.work_minutes
            self._plan(self._duty.now + timedelta(minutes=minutes), partial(self._finish, person, case, task))

    def _finish(self, person: str, case: Case, task: Task) -> None:
        self._busy.discard(person)
        if task.status is TaskStatus.ACCEPTED and task.liaison == person and task.role is Role.LEAD:
            case.answer(task, task.revision, TEXT, None, self._duty)
            self._settle(case)
        self._begin(person)

    def _on_answered(self, case: Case, fact: r.RequestAnswered) -> None:
        lead, known = case.lead, self._known[case.life.request_id]
        if lead is not None and lead.liaison is not None:
            self._duty.loads[lead.liaison] -= 1
        self._duty.loads[fact.organisation] -= 1
        known.answered_at = self._duty.now
        if not known.reopened and known.doubt < self._scenario.disputed:
            disputed = r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)
            self._plan(self._duty.now + DISPUTED_AFTER, lambda: self._dispute(case, disputed))

    def _dispute(self, case: Case, fact: r.RequestDisputed) -> None:
        known = self._known[case.life.request_id]
        known.reopened, known.answered_at = True, None
        self._read(case, fact)
