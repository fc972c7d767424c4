"""A case in memory, with those around it."""

from datetime import datetime, timedelta

from dispatch.city import OnDuty
from dispatch.model import Case
from dispatch.returns import give_back
from dispatch.routing import Duty
from dispatch.tasks import (
    Task,
    TextRef,
)
from dispatch.waking import next_moment, wake
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    ReturnReason,
)
from shared.ids import new_id
from tests.dispatch.stories import received, sample_city, sample_duty
from tests.support.builders import START, Builder

TEXT = TextRef(new_id(), "hash")
MINUTE = timedelta(minutes=1)
CITY = sample_city()
Kinds = list[type[Fact]]


class Told:
    """A case, what it has stated since it was last asked, and the clock."""

    def __init__(self, *facts: Fact, area: str | None = "pinghu/dushangang/huxiao/06") -> None:
        self.request_id, self.builder, self.now = new_id(), Builder(), START
        first = self.event(received(area))
        assert isinstance(first.fact, r.RequestReceived)
        self.case = Case.begin(first)  # type: ignore[arg-type] # its fact was looked at
        self.tell(*facts)

    def duty(self) -> Duty:
        return sample_duty(self.now, city=CITY)

    def event(self, fact: Fact) -> Event[Fact]:
        return self.builder.event(fact, self.request_id, time=self.now)

    def tell(self, *facts: Fact) -> list[Fact]:
        """Others state this; what dispatch had stated before stands in the history already."""
        self.read_own()
        for fact in facts:
            self.case.read(self.event(fact), self.duty())
        return list(self.case.facts)

    def read_own(self) -> None:
        own, self.case.facts[:] = list(self.case.facts), []
        for fact in own:
            self.case.read(self.event(fact), self.duty())

    def stated(self) -> list[Fact]:
        return list(self.case.facts)

    def turn(self, **by: float) -> list[Fact]:
        """Let the time go, waking the case at each of its moments: what it stated."""
        self.read_own()
        until = self.now + timedelta(**by)
        while (at := next_moment(self.case, self.duty())) is not None and at <= until:
            self.now = max(at, self.now)
            wake(self.case, self.duty())
        self.now = until
        return list(self.case.facts)

    @property
    def lead(self) -> Task:
        assert self.case.lead is not None
        return self.case.lead

    def seat(self, task: Task | None = None) -> OnDuty:
        """Whoever holds the task now."""
        task = task or self.lead
        assert task.liaison is not None
        return OnDuty(task.organisation, task.liaison, task.level)

    def accept(self, task: Task | None = None) -> Task:
        task = task or self.lead
        self.case.accept(task, self.seat(task), task.revision, self.duty())
        return task

    def answer(self, fulfil_by: datetime | None = None) -> Task:
        task = self.accept()
        self.case.answer(task, task.revision, TEXT, fulfil_by, self.duty())
        return task

    def give_back(self, reason: ReturnReason = ReturnReason.NO_CAPACITY, belongs_to: str | None = None) -> None:
        give_back(self.case, self.lead, self.lead.revision, reason, belongs_to, TEXT, self.duty())


def kinds(facts: list[Fact]) -> Kinds:
    return [type(fact) for fact in facts]
