"""Requests for dispatch to work on, and the people who work on them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Channel, Colour, Decider, FiledBy, Language, PlaceSource
from shared.identity import Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder
from tests.support.harness import Harness

OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
HUXIAO = "pinghu/dushangang/huxiao/06"


def liaison(organisation: str = "central-hospital", kind: Kind = Kind.LIAISON) -> Principal:
    return Principal(kind=kind, id=f"{organisation}.{kind.value}", organisation=organisation)


def received(at: datetime = START, area: str | None = HUXIAO) -> r.RequestReceived:
    return r.RequestReceived(
        receipt="H7K3-92QF-X",
        channel=Channel.APP,
        filed_by=FiledBy.RESIDENT,
        language=Language.ZH,
        area=area,
        place_source=PlaceSource.AREA if area else PlaceSource.NONE,
        place_confidence=1.0 if area else 0.0,
        contact_hash="c",
        text_id=new_id(),
        text_hash="t",
        filed_at=at,
        received_at=at,
    )


def triaged(
    colour: Colour = Colour.RED,
    category: Category = Category.MEDICAL,
    *,
    revision: int = 1,
    deadline: datetime | None = None,
    needs: tuple[str, ...] = (),
) -> r.RequestTriaged:
    return r.RequestTriaged(
        revision=revision,
        category=category,
        colour=colour,
        deadline=deadline,
        needs=needs,
        decided_by=Decider.MACHINE,
        policy_version="1",
    )


@dataclass
class Story:
    """One request on its way through dispatch."""

    harness: Harness
    build: Builder = field(default_factory=Builder)
    request_id: UUID = field(default_factory=new_id)

    async def tell(self, *facts: Any) -> None:
        """Let others state facts about the request."""
        now = self.harness.clock.now()
        await self.harness.take(*(self.build.event(fact, self.request_id, time=now) for fact in facts))

    async def begin(self, colour: Colour = Colour.RED, category: Category = Category.MEDICAL, **more: Any) -> "Story":
        """Received and triaged at once."""
        await self.tell(received(self.harness.clock.now()), triaged(colour, category, **more))
        return self

    async def facts(self, *kinds: type[Any]) -> list[Any]:
        """The facts that dispatch stated about the request."""
        stated = await self.harness.stated(*(kinds or (r.TaskFact,)))
        return [event.fact for event in stated if event.subject == str(self.request_id)]

    async def tasks(self) -> list[dict[str, Any]]:
        """All tasks, the lead first."""
        async with self.harness.client(OPERATOR) as client:
            answer = await client.get("/v1/tasks", params={"request_id": str(self.request_id)})
        items: list[dict[str, Any]] = answer.json()["items"]
        return sorted(items, key=lambda task: task["role"] != "lead")

    async def lead(self) -> dict[str, Any]:
        """The lead task as it is now."""
        return (await self.tasks())[0]

    async def act(self, verb: str, who: Principal, **body: Any) -> httpx2.Response:
        """Do something on the lead task, on its present revision unless another is given."""
        task = await self.lead()
        return await self.act_on(task, verb, who, **body)

    async def act_on(self, task: dict[str, Any], verb: str, who: Principal, **body: Any) -> httpx2.Response:
        """Do something on a task."""
        async with self.harness.client(who) as client:
            return await client.post(f"/v1/tasks/{task['id']}/{verb}", json={"revision": task["revision"]} | body)
