"""Histories of requests for tests of followup, one fact after another, as the other services would state them."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from followup.model import Case, Stratum, fold
from followup.plan import Plan
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.casework import QuestionLapsed, ResidentQuestioned, TaskExtended, TaskSupervised
from shared.contracts.vocabulary import (
    Addressee,
    Category,
    Channel,
    Colour,
    Decider,
    FiledBy,
    Language,
    Medium,
    NoticeOutcome,
    PlaceSource,
    ReturnReason,
    Role,
    Stage,
    SupervisionCause,
)
from shared.identity import Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder

HUXIAO = "pinghu/dushangang/huxiao/06"
LIMITS = {Colour.RED: 120, Colour.YELLOW: 1440, Colour.GREEN: 4320}
INSPECTOR = Principal(kind=Kind.INSPECTOR, id="inspector")
SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")
OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def _make(kind: type[Fact], values: dict[str, Any]) -> Fact:
    return kind(**values)


def drawable(case: Case) -> Case:
    """The case of an answer that came up for look-back."""
    return replace(case, stratum=Stratum("other", case.life.colour or "", case.organisation or "", certain=False))


class Story:
    """One request's history as it grows; `now` is the time of the next fact."""

    def __init__(self, builder: Builder | None = None, request_id: UUID | None = None, at: datetime = START) -> None:
        self.builder, self.id = builder or Builder(), request_id or new_id()
        self.began = self.now = at
        self.events: list[Event[Fact]] = []
        self.told = 0
        self.task, self.assisting, self.colour = new_id(), new_id(), Colour.GREEN

    def add(self, fact: Fact, after: float = 0) -> "Story":
        """The fact, `after` minutes later."""
        self.now += minutes(after)
        self.events.append(self.builder.event(fact, self.id, time=self.now))
        return self

    def new(self) -> list[Event[Fact]]:
        """What was added since this was last asked."""
        told, self.told = self.told, len(self.events)
        return self.events[told:]

    @property
    def resident(self) -> Principal:
        return Principal(kind=Kind.RESIDENT, id=str(self.id), request_id=self.id)

    def received(self, **fields: Any) -> "Story":
        return self.add(
            _make(
                r.RequestReceived,
                {
                    "receipt": "HD-1",
                    "channel": Channel.APP,
                    "filed_by": FiledBy.RESIDENT,
                    "language": Language.ZH,
                    "area": HUXIAO,
                    "place_source": PlaceSource.AREA,
                    "place_confidence": 1.0,
                    "contact_hash": "c",
                    "text_id": new_id(),
                    "text_hash": "t",
                    "filed_at": self.now,
                    "received_at": self.now,
                }
                | fields,
            )
        )

    def told_received(self, after: float = 0, outcome: NoticeOutcome = NoticeOutcome.DELIVERED) -> "Story":
        return self.add(
            r.PersonNotified(
                notice_id=new_id(),
                addressee=Addressee.RESIDENT,
                medium=Medium.APP,
                about=r.RequestReceived.TYPE,
                outcome=outcome,
            ),
            after,
        )

    def triaged(self, colour: Colour = Colour.GREEN, after: float = 0, **fields: Any) -> "Story":
        self.colour = colour
        return self.add(
            _make(
                r.RequestTriaged,
                {
                    "revision": 1,
                    "category": Category.MEDICAL,
                    "colour": colour,
                    "decided_by": Decider.MACHINE,
                    "policy_version": "1",
                }
                | fields,
            ),
            after,
        )

    def assigned(self, organisation: str = "central-hospital", after: float = 0, **fields: Any) -> "Story":
        at = self.now + minutes(after)
        values: dict[str, Any] = {
            "task_id": self.task,
            "role": Role.LEAD,
            "organisation": organisation,
            "liaison": f"{organisation}.day",
            "rule": "x",
            "attempt": 1,
            "accept_by": at + minutes(5),
            "contact_by": at + minutes(15),
            "answer_by": self.began + minutes(LIMITS[self.colour]),
            "policy_version": "1",
        }
        return self.add(r.TaskAssigned(**values | fields), after)

    def _task(self, organisation: str, role: Role = Role.LEAD) -> dict[str, Any]:
        task = self.task if role is Role.LEAD else self.assisting
        return {"task_id": task, "role": role, "organisation": organisation}

    def assisted(self, organisation: str = "transport-team") -> "Story":
        return self.assigned(organisation, task_id=self.assisting, role=Role.ASSISTING, contact_by=None, answer_by=None)

    def accepted(self, after: float = 0, organisation: str = "central-hospital") -> "Story":
        return self.add(r.TaskAccepted(liaison="x", **self._task(organisation)), after)

    def contacted(self, after: float = 0, organisation: str = "central-hospital") -> "Story":
        return self.add(r.ResidentContacted(medium=Medium.PHONE, **self._task(organisation)), after)

    def progressed(self, after: float = 0, organisation: str = "central-hospital") -> "Story":
        return self.add(r.TaskProgressed(text_id=new_id(), text_hash="t", **self._task(organisation)), after)

    def recalled(self, after: float = 0, organisation: str = "central-hospital") -> "Story":
        return self.add(r.TaskRecalled(liaison="x", **self._task(organisation)), after)

    def returned(self, after: float = 0, organisation: str = "central-hospital", role: Role = Role.LEAD) -> "Story":
        return self.add(r.TaskReturned(reason=ReturnReason.NO_CAPACITY, **self._task(organisation, role)), after)

    def nudged(self, missed: int = 0, after: float = 0) -> "Story":
        fact = r.TaskNudged(
            stage=Stage.ANSWERED, count=1, missed=missed, due_at=self.now, **self._task("central-hospital")
        )
        return self.add(fact, after)

    def supervised(self, after: float = 0) -> "Story":
        fact = TaskSupervised(
            cause=SupervisionCause.BY_HAND,
            stage=Stage.ANSWERED,
            leader="leader",
            answer_by=self.now + minutes(60),
            policy_version="1",
            **self._task("central-hospital"),
        )
        return self.add(fact, after)

    def questioned(self, after: float = 0) -> "Story":
        said: dict[str, Any] = {"text_id": new_id(), "text_hash": "t", "policy_version": "1"}
        fact = ResidentQuestioned(number=1, answer_by=self.now + minutes(60), **said, **self._task("central-hospital"))
        return self.add(fact, after)

    def extended(self, by_minutes: float) -> "Story":
        said: dict[str, Any] = {"text_id": new_id(), "text_hash": "t", "policy_version": "1"}
        moved: dict[str, Any] = {"before": self.now + minutes(60), "due_at": self.now + minutes(60 + by_minutes)}
        return self.add(TaskExtended(stage=Stage.ANSWERED, **moved, **said, **self._task("central-hospital")))

    def question_lapsed(self) -> "Story":
        return self.add(QuestionLapsed(number=1, **self._task("central-hospital")))

    def answered(
        self, after: float = 0, fulfil_by: datetime | None = None, organisation: str = "central-hospital"
    ) -> "Story":
        fact = r.RequestAnswered(text_id=new_id(), text_hash="t", fulfil_by=fulfil_by, **self._task(organisation))
        return self.add(fact, after)

    def fulfilled(self, after: float = 0, organisation: str = "central-hospital") -> "Story":
        return self.add(r.TaskFulfilled(**self._task(organisation)), after)

    def begun(self, colour: Colour = Colour.GREEN) -> "Story":
        """Received, told, triaged, assigned and accepted, within no time."""
        return self.received().told_received().triaged(colour).assigned().accepted()

    def case(self, plan: Plan) -> Case:
        """The case that followup folds from it."""
        case: Case | None = None
        for event in self.events:
            case = fold(case, event, plan.promises)
        assert case is not None
        return case
