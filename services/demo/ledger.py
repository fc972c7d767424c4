"""The event log as a reader from outside sees it: each request's life folded by the one table, and counts."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.contracts import FACTS
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.life import Life, begin, fold
from shared.contracts.operations import AlarmRaised
from shared.contracts.vocabulary import AlarmKind, Colour, Role, Status

FRESH = frozenset({Status.RECEIVED, Status.TRIAGED})
TENSE_FOR = timedelta(minutes=12)
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
        self.alarms: Counter[AlarmKind] = Counter()
        self._fresh: dict[UUID, datetime] = {}
        self._known: set[UUID] = set()

    def read(self, event: Event[Fact]) -> bool:
        """Take one event in; False where it was known already."""
        if event.id in self._known:
            return False
        self._known.add(event.id)
        self.counts[type(event.fact)] += 1
        if isinstance(event.fact, r.RequestFact):
            self._fold(event, event.fact)
        if isinstance(event.fact, AlarmRaised):
            self.alarms[event.fact.kind] += 1
        return True

    def _fold(self, event: Event[Fact], fact: r.RequestFact) -> None:
        request_id = UUID(event.subject)
        if isinstance(fact, r.RequestReceived):
            self.lives[request_id] = begin(event)  # type: ignore[arg-type]  # the fact was just looked at
            self._fresh[request_id] = event.time
            return
        if isinstance(fact, r.TaskAssigned | r.TaskAccepted):
            self.holders[fact.task_id] = fact.liaison
        life = self.lives[request_id] = fold(self.lives[request_id], event)
        self._time_stage(life)
        if life.status in FRESH or (life.status is Status.ASSIGNED and life.colour is Colour.RED):
            self._fresh.setdefault(request_id, event.time)
        else:
            self._fresh.pop(request_id, None)
        if isinstance(fact, r.TaskNudged) and fact.role is Role.LEAD:
            self.late.add(request_id)
        if life.status.is_ending or (life.status is Status.ANSWERED and life.fulfil_by is None):
            self.late.discard(request_id)

    def _time_stage(self, life: Life) -> None:
        if life.status in self.stages:
            minutes = (life.changed_at - life.received_at).total_seconds() / 60
            self.stages[life.status].setdefault(life.request_id, minutes)

    def is_tense(self, now: datetime) -> bool:
        """Whether something is on its way to a handler, or a red one waits to be accepted, since a short while."""
        self._fresh = {name: since for name, since in self._fresh.items() if now - since < TENSE_FOR}
        return bool(self._fresh)

    def statuses(self) -> Counter[Status]:
        """How many requests stand where."""
        return Counter(life.status for life in self.lives.values())


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
