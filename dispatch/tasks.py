"""A task: one organisation's part in a case, with its clocks. Pure; what moves it stands in model.py."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from dispatch.clocks import Clock
from shared.contracts.vocabulary import Role, Stage
from shared.problems import NotInThisState, Problem, RevisionConflict


class TaskStatus(StrEnum):
    """Where a task is in its life."""

    WAITING = "waiting"
    """Nobody could be reached yet to take it."""
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    ANSWERED = "answered"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class TaskHeldByAnother(Problem):
    """Somebody else holds this task now; `organisation` and `liaison` say who. Leave it to them."""

    status = HTTPStatus.CONFLICT
    title = "Task held by another"


class NotTheLead(Problem):
    """Only the lead task answers. Say `fulfil` when your part is done."""

    status = HTTPStatus.CONFLICT
    title = "Not the lead"


class NothingOwed(Problem):
    """The answer promised nothing that is still to come."""

    status = HTTPStatus.CONFLICT
    title = "Nothing owed"


class ReturnsExhausted(Problem):
    """This task was returned as often as it may be. Handle it, or ask the duty office to decide whose it is."""

    status = HTTPStatus.CONFLICT
    title = "Returns exhausted"


class OwnerNotNamed(Problem):
    """Say in `belongs_to` whose it is: another organisation of the directory."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Owner not named"


class UnknownOrganisation(Problem):
    """There is no organisation of this id. GET /v1/organisations lists them."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Unknown organisation"


class AlreadyHasTask(Problem):
    """This organisation has an open task on the request already; `task_id` says which."""

    status = HTTPStatus.CONFLICT
    title = "Already has a task"


class FulfilmentInThePast(Problem):
    """`fulfil_by` is when what you promise will have happened. Give a time to come, or leave it out."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Fulfilment in the past"


@dataclass(slots=True, kw_only=True)
class Task:
    """One organisation's part in a case: the lead answers, the others assist."""

    id: UUID
    role: Role
    organisation: str
    rule: str
    created_at: datetime
    changed_at: datetime
    liaison: str | None = None
    level: int = 0
    """0: with the liaison on duty, 1: with the deputy, 2: with the supervisor of its organisation."""
    status: TaskStatus = TaskStatus.WAITING
    revision: int = 1
    attempt: int = 0
    assigned_at: datetime | None = None
    first_assigned_at: datetime | None = None
    """The first assignment, or the first since the request was reopened."""
    clocks: dict[Stage, Clock] = field(default_factory=dict)
    organisations: list[str] = field(default_factory=list)
    """All that have or had it."""
    tried: list[str] = field(default_factory=list)
    """People who let it lie since it last began at the bottom."""
    returned_by: list[str] = field(default_factory=list)
    needs_person: bool = False
    """Returned as often as it may be: a person must decide whose it is."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still owes something on it."""
        if self.status is TaskStatus.ANSWERED:
            return self.owes_fulfilment
        return self.status in {TaskStatus.WAITING, TaskStatus.ASSIGNED, TaskStatus.ACCEPTED}

    @property
    def owes_fulfilment(self) -> bool:
        """Whether its answer promised something that has not been said to have happened."""
        return self.status is TaskStatus.ANSWERED and Stage.FULFILLED in self.clocks

    def due(self, stage: Stage) -> datetime | None:
        """When the stage is, or was, due."""
        clock = self.clocks.get(stage)
        return clock.due_at if clock else None

    def running(self) -> list[tuple[Stage, Clock]]:
        """The clocks that run, the one that is due first before the others."""
        if not self.is_open:
            return []
        return sorted(((s, c) for s, c in self.clocks.items() if c.is_running), key=lambda at: at[1].due_at)

    def start(self, stage: Stage, started_at: datetime, due_at: datetime, now: datetime) -> None:
        """Start a stage's clock; the nudges it has had before stay counted."""
        before = self.clocks.get(stage)
        self.clocks[stage] = Clock(
            started_at=started_at, due_at=due_at, watched_from=now, nudges=before.nudges if before else 0
        )

    def stop(self, now: datetime, *stages: Stage) -> None:
        """Stop these clocks; all, where none is named."""
        for stage in stages or tuple(self.clocks):
            if clock := self.clocks.get(stage):
                clock.stop(now)

    def change(self, now: datetime) -> None:
        """Note that something changed on which somebody may have decided."""
        self.revision += 1
        self.changed_at = now

    def check(self, revision: int, *states: TaskStatus) -> None:
        """Raise where the caller decided on an older revision, or where the state does not allow it."""
        if revision != self.revision:
            raise RevisionConflict(revision=self.revision)
        if self.status not in states:
            raise NotInThisState(state=self.status.value)
