"""The event log as a reader from outside sees it: each request's life folded by the one table, and counts."""

import json
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts import FACTS
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, begin, fold
from shared.contracts.operations import AlarmRaised
from shared.contracts.vocabulary import Role, Status

STAGES = (Status.TRIAGED, Status.ASSIGNED, Status.ACCEPTED, Status.ANSWERED)


class Ledger:
    """What the events told so far say."""

    def __init__(self) -> None:
        self.lives: dict[UUID, Life] = {}
        self.counts: Counter[type[Fact]] = Counter()
        self.late: set[UUID] = set()
        """Requests of which a clock has run out, until they are answered or end."""
        self.stages: dict[Status, dict[UUID, float]] = {status: {} for status in STAGES}
        """Minutes from receipt to when a request first came to each status."""
        self.holders: dict[UUID, str] = {}
        """The liaison or deputy of each task."""
        self._known: set[UUID] = set()

    def read(self, event: Event[Fact]) -> bool:
        """Take one event in; False where it was known already."""
        if event.id in self._known:
            return False
        self._known.add(event.id)
        self.counts[type(event.fact)] += 1
        if isinstance(event.fact, r.RequestFact):
            self._fold(event, event.fact)
        return True

    def _fold(self, event: Event[Fact], fact: r.RequestFact) -> None:
        request_id = UUID(event.subject)
        if isinstance(fact, r.RequestReceived):
            self.lives[request_id] = begin(event)  # type: ignore[arg-type]  # the fact was just looked at
            return
        if isinstance(fact, r.TaskAssigned | r.TaskAccepted):
            self.holders[fact.task_id] = fact.liaison
        life = self.lives[request_id] = fold(self.lives[request_id], event)
        self._time_stage(life)
        if isinstance(fact, r.TaskNudged) and fact.role is Role.LEAD:
            self.late.add(request_id)
        if life.status.is_ending or (life.status is Status.ANSWERED and life.fulfil_by is None):
            self.late.discard(request_id)

    def _time_stage(self, life: Life) -> None:
        if life.status in self.stages:
            minutes = (life.changed_at - life.received_at).total_seconds() / 60
            self.stages[life.status].setdefault(life.request_id, minutes)

    def statuses(self) -> Counter[Status]:
        """How many requests stand where."""
        return Counter(life.status for life in self.lives.values())

    @property
    def alarms(self) -> int:
        """How many alarms were raised."""
        return self.counts[AlarmRaised]


def read_event(data: str) -> Event[Fact] | None:
    """The event in the data of GET /v1/events (a CloudEvent as JSON); None where its type is not known."""
    said: dict[str, Any] = json.loads(data)
    kind = FACTS.get(said["type"])
    if kind is None:
        return None
    return Event(
        id=UUID(said["id"]),
        source=said["source"].removeprefix("/heed/"),
        subject=said["subject"],
        key=said["subject"],
        time=datetime.fromisoformat(said["time"]),
        sequence=int(said["sequence"]),
        fact=kind.model_validate(said["data"] or {}),
    )
