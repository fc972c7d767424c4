"""A case: what dispatch does about one request, as one or several tasks. Pure.

One task leads and answers; the others assist. A task keeps its id while it goes from hand to hand. How tasks are given
out stands in `assignment`, what their holders do in `holding`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from dispatch import clocks
from dispatch.clocks import Clock, Pace
from dispatch.routing import City, Seat
from shared.contracts.life import Known
from shared.contracts.vocabulary import Category, Colour, Role, Stage
from shared.problems import NotFound


class TaskStatus(StrEnum):
    """Where a task is."""

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ANSWERED = "answered"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


@dataclass(slots=True, kw_only=True)
class Task:
    """One organisation's part in a case."""

    id: UUID
    role: Role
    need: str | None
    organisation: str
    liaison: str
    level: int
    rule: str
    assigned_at: datetime
    status: TaskStatus = TaskStatus.ASSIGNED
    revision: int = 1
    attempt: int = 1
    fulfil_by: datetime | None = None
    arbitration: bool = False
    """Returned so often that a person must decide whose it is."""
    organisations: list[str] = field(default_factory=list)
    """All that have or had it."""
    returned_by: list[str] = field(default_factory=list)
    clocks: dict[Stage, Clock] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether something is still owed."""
        return self.status in {TaskStatus.ASSIGNED, TaskStatus.ACCEPTED} or self.fulfil_by is not None

    def about(self) -> dict[str, Any]:
        """What every fact about it says."""
        return {"task_id": self.id, "role": self.role, "organisation": self.organisation}

    @property
    def seat(self) -> Seat:
        """Who holds it."""
        return Seat(self.organisation, self.liaison, self.level)

    def running(self) -> Iterator[tuple[Stage, Clock]]:
        """Its clocks that run."""
        return ((stage, clock) for stage, clock in self.clocks.items() if clock.is_running)

    def next_due(self) -> tuple[Stage, datetime] | None:
        """What is due next, and when."""
        return min(((stage, clock.due_at) for stage, clock in self.running()), key=lambda due: due[1], default=None)

    def stop(self, now: datetime, *stages: Stage) -> None:
        """Stop these clocks, all where none is named."""
        for stage, clock in self.clocks.items():
            if stage in stages or not stages:
                clock.stop(now)


@dataclass(slots=True, kw_only=True)
class Case:
    """All that dispatch does about one request."""

    known: Known
    needs: tuple[str, ...] = ()
    tasks: list[Task] = field(default_factory=list)
    first_assigned_at: datetime | None = None
    deadline_known_at: datetime | None = None

    @property
    def request_id(self) -> UUID:
        """The request's id."""
        return self.known.life.request_id

    @property
    def colour(self) -> Colour:
        """Red until triage says otherwise: in doubt, the higher colour."""
        return self.known.ahead.colour or Colour.RED

    @property
    def category(self) -> Category:
        """What it is about."""
        return Category(self.known.ahead.category or Category.OTHER)

    @property
    def lead(self) -> Task | None:
        """The task that answers."""
        return next((task for task in self.tasks if task.role is Role.LEAD), None)

    @property
    def open_tasks(self) -> list[Task]:
        """Those in which something is owed."""
        return [task for task in self.tasks if task.is_open]

    def task(self, task_id: UUID) -> Task:
        """The task with this id; raises NotFound."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise NotFound

    def pace(self, city: City) -> Pace:
        """How long each stage may take."""
        life = self.known.ahead
        lead = city.clocks.lead((*self.needs, self.category))
        known_at = self.deadline_known_at or life.received_at
        return clocks.pace(city.clocks, self.colour, life.received_at, life.deadline, lead, known_at)

    def next_moment(self, city: City) -> datetime | None:
        """When a clock wants to be looked at again."""
        moments = [
            moment
            for task in self.open_tasks
            for _, clock in task.running()
            if (moment := clock.next_moment(city.clocks, self.colour)) is not None
        ]
        return min(moments, default=None)
