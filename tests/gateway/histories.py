"""Histories of requests, as the services would state them, one fact after another."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.directory import AreaRecorded, Named, OrganisationRecorded
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import (
    Category,
    Channel,
    Colour,
    Decider,
    FiledBy,
    Language,
    PlaceSource,
    Role,
    TextKind,
)
from shared.identity import Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder

HUXIAO = "pinghu/dushangang/huxiao"
LONGYIN = "pinghu/dushangang/longyin"
GRID = f"{HUXIAO}/06"
HOSPITAL, TRANSPORT, PHARMACY = "central-hospital", "transport-team", "pharmacy-supply"

OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")
INSPECTOR = Principal(kind=Kind.INSPECTOR, id="inspector")
GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="grid_worker", area=HUXIAO)


def liaison_of(organisation: str, kind: Kind = Kind.LIAISON) -> Principal:
    return Principal(kind=kind, id=f"{organisation}.{kind.value}", organisation=organisation)


def directory(builder: Builder) -> list[Event[Fact]]:
    """The names that the tests need."""
    named = {HOSPITAL: Named(zh="中心医院", en="Central Hospital"), TRANSPORT: Named(zh="车队", en="Transport team")}
    organisations: list[Fact] = [OrganisationRecorded(organisation=key, name=name) for key, name in named.items()]
    area = AreaRecorded(area=GRID, level="grid", name=Named(zh="06网格", en="Grid 06"))
    return [builder.event(f, getattr(f, "organisation", GRID)) for f in [*organisations, area]]


class History:
    """One request's facts and texts; `new()` gives those that were added since it was last asked."""

    def __init__(self, builder: Builder, *, area: str | None = GRID, at: datetime = START) -> None:
        self.builder, self.area, self.now = builder, area, at
        self.id: UUID = new_id()
        self.lead, self.assisting = new_id(), new_id()
        self.receipt = "".join(c if c not in "01" else "Z" for c in self.id.hex[-9:].upper())
        self.receipt = f"{self.receipt[:4]}-{self.receipt[4:8]}-{self.receipt[8]}"
        self._new: list[Event[Fact]] = []

    @property
    def resident(self) -> Principal:
        return Principal(kind=Kind.RESIDENT, id=str(self.id), request_id=self.id)

    def new(self) -> list[Event[Fact]]:
        added, self._new = self._new, []
        return added

    def add(self, fact: Fact, minutes: float = 0, **names: Any) -> "History":
        self.now += timedelta(minutes=minutes)
        self._new.append(self.builder.event(fact, self.id, time=self.now, **names))
        return self

    def text(self, kind: TextKind, words: str, text_id: UUID) -> "History":
        fact = TextRecorded(
            text_id=text_id,
            request_id=self.id,
            kind=kind,
            text=words,
            language=Language.ZH,
            filed_at=self.now,
            received_at=self.now,
        )
        return self.add(fact)

    def received(self, words: str = "需要打第二针狂犬疫苗", **fields: Any) -> "History":
        text_id = new_id()
        values: dict[str, Any] = {
            "receipt": self.receipt,
            "channel": Channel.APP,
            "filed_by": FiledBy.RESIDENT,
            "language": Language.ZH,
            "area": self.area,
            "place_source": PlaceSource.AREA,
            "place_confidence": 1.0,
            "contact_hash": "hash-of-a-contact",
            "text_id": text_id,
            "text_hash": "hash-of-a-text",
            "filed_at": self.now,
            "received_at": self.now,
        }
        self.add(r.RequestReceived(**values | fields))
        return self.text(TextKind.REQUEST, words, text_id)

    def triaged(self, colour: Colour = Colour.RED, minutes: float = 0, **fields: Any) -> "History":
        values: dict[str, Any] = {
            "revision": 1,
            "category": Category.MEDICAL,
            "colour": colour,
            "decided_by": Decider.MACHINE,
            "reasons": (r.Reason(rule="rabies-dose", gives="red"), r.Reason(rule="tomorrow", gives="deadline")),
            "policy_version": "1",
        }
        return self.add(r.RequestTriaged(**values | fields), minutes)

    def assigned(
        self, organisation: str = HOSPITAL, role: Role = Role.LEAD, minutes: float = 0, **fields: Any
    ) -> "History":
        at = self.now + timedelta(minutes=minutes)
        lead = role is Role.LEAD
        values: dict[str, Any] = {
            "liaison": f"{organisation}.day",
            "rule": "medical-huxiao",
            "attempt": 1,
            "accept_by": at + timedelta(minutes=5),
            "contact_by": at + timedelta(minutes=15) if lead else None,
            "answer_by": at + timedelta(minutes=120) if lead else None,
            "policy_version": "1",
        }
        return self.add(r.TaskAssigned(**self.task(organisation, role), **values | fields), minutes)

    def task(self, organisation: str = HOSPITAL, role: Role = Role.LEAD) -> dict[str, Any]:
        task_id = self.lead if role is Role.LEAD else self.assisting
        return {"task_id": task_id, "role": role, "organisation": organisation}

    def accepted(self, minutes: float = 0) -> "History":
        return self.add(r.TaskAccepted(liaison=f"{HOSPITAL}.day", **self.task()), minutes)

    def answered(self, words: str = "专车已安排", minutes: float = 0, fulfil_by: datetime | None = None) -> "History":
        text_id = new_id()
        self.add(r.RequestAnswered(text_id=text_id, text_hash="h", fulfil_by=fulfil_by, **self.task()), minutes)
        return self.text(TextKind.ANSWER, words, text_id)

    def in_hand(self) -> "History":
        """Received, triaged red, with the hospital in the lead and the transport team assisting."""
        return self.received().triaged().assigned().assigned(TRANSPORT, Role.ASSISTING).accepted()
