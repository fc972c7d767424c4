"""The facts of a request's life, as the services would state them, and callers."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.directory import Named, OrganisationRecorded
from shared.contracts.vocabulary import (
    Category,
    Channel,
    Colour,
    Decider,
    FiledBy,
    Language,
    PlaceSource,
    Role,
)
from shared.identity import Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder

HOSPITAL, TRANSPORT, POLICE = "central-hospital", "transport-team", "police"
AREA = "pinghu/dushangang/huxiao/06"
OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")
INSPECTOR = Principal(kind=Kind.INSPECTOR, id="inspector")
GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="grid_worker", area="pinghu/dushangang/huxiao")
OTHER_GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="grid_worker_2", area="pinghu/dushangang/jufu")


def handler(organisation: str, kind: Kind = Kind.LIAISON) -> Principal:
    """Somebody of an organisation."""
    return Principal(kind=kind, id=f"{organisation}.{kind}", organisation=organisation)


def resident(request_id: UUID) -> Principal:
    """Who holds the request's tracking token."""
    return Principal(kind=Kind.RESIDENT, id=str(request_id), request_id=request_id)


def directory(build: Builder) -> list[Event[Fact]]:
    """The organisations' names."""
    names = {
        HOSPITAL: ("中心医院", "Central Hospital"),
        TRANSPORT: ("车队", "Transport Team"),
        POLICE: ("公安", "Police"),
    }
    return [
        build.event(OrganisationRecorded(organisation=key, name=Named(zh=zh, en=en)), key, source="dispatch")
        for key, (zh, en) in names.items()
    ]


class Story:
    """One request and the facts about it."""

    def __init__(self, build: Builder, request_id: UUID | None = None, at: datetime = START) -> None:
        self.id = request_id or new_id()
        self._build, self._at = build, at
        self.tasks: dict[str, UUID] = {}

    def _event(self, fact: Fact) -> Event[Fact]:
        return self._build.event(fact, self.id, time=self._at)

    def received(self, receipt: str = "PH-0001") -> Event[Fact]:
        return self._event(
            r.RequestReceived(
                receipt=receipt,
                channel=Channel.APP,
                filed_by=FiledBy.RESIDENT,
                language=Language.ZH,
                area=AREA,
                place_source=PlaceSource.ADDRESS,
                place_confidence=0.9,
                contact_hash="c0ffee",
                text_id=new_id(),
                text_hash="beef",
                filed_at=self._at,
                received_at=self._at,
            )
        )

    def triaged(self, colour: Colour = Colour.RED, *, emergency: bool = False, revision: int = 1) -> Event[Fact]:
        return self._event(
            r.RequestTriaged(
                revision=revision,
                category=Category.MEDICAL,
                colour=colour,
                emergency=emergency,
                decided_by=Decider.MACHINE,
                policy_version="1",
            )
        )

    def of_task(
        self, fact: type[r.TaskFact], organisation: str = HOSPITAL, role: Role = Role.LEAD, **values: Any
    ) -> Event[Fact]:
        """A fact about the organisation's task."""
        task_id = self.tasks.setdefault(organisation, new_id())
        return self._event(fact(task_id=task_id, role=role, organisation=organisation, **values))

    def assigned(self, organisation: str = HOSPITAL, role: Role = Role.LEAD, liaison: str = "day") -> Event[Fact]:
        return self.of_task(
            r.TaskAssigned,
            organisation,
            role,
            liaison=f"{organisation}.{liaison}",
            rule="medical",
            attempt=1,
            accept_by=self._at + timedelta(minutes=5),
            answer_by=self._at + timedelta(minutes=120) if role is Role.LEAD else None,
            policy_version="1",
        )

    def accepted(self, organisation: str = HOSPITAL, role: Role = Role.LEAD) -> Event[Fact]:
        return self.of_task(r.TaskAccepted, organisation, role, liaison=f"{organisation}.day")

    def answered(self, fulfil_by: datetime | None = None) -> Event[Fact]:
        return self.of_task(r.RequestAnswered, text_id=new_id(), text_hash="beef", fulfil_by=fulfil_by)

    def progressed(self, organisation: str = HOSPITAL, role: Role = Role.LEAD) -> Event[Fact]:
        return self.of_task(r.TaskProgressed, organisation, role, text_id=new_id(), text_hash="beef")

    def fact(self, fact: Fact) -> Event[Fact]:
        """Any other fact about the request."""
        return self._event(fact)
