"""What happens to a request around dispatch, told in a word each; and the sample city in memory."""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from httpx2 import Response

from dispatch.city import City
from dispatch.files import FileKind, make_city, parse
from dispatch.routing import Duty, RoutingPolicy
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Category,
    Channel,
    Colour,
    Decider,
    DisputeReason,
    FiledBy,
    Language,
    Outcome,
    PlaceSource,
    WithdrawalReason,
)
from shared.identity import Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder
from tests.support.harness import Harness, project_root

SAMPLE = project_root() / "deploy" / "sample"
GRID = "pinghu/dushangang/huxiao/06"
OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")
INSPECTOR = Principal(kind=Kind.INSPECTOR, id="inspector")
GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="grid_worker", area="pinghu/dushangang/huxiao")


def liaison(organisation: str) -> Principal:
    return Principal(kind=Kind.LIAISON, id=f"{organisation}.liaison", organisation=organisation)


def deputy(organisation: str) -> Principal:
    return Principal(kind=Kind.DEPUTY, id=f"{organisation}.deputy", organisation=organisation)


def head(organisation: str) -> Principal:
    """The organisation's own supervisor, as the directory knows him."""
    return Principal(kind=Kind.PARTNER, id=f"{organisation}.supervisor", organisation=organisation)


def resident(request_id: UUID) -> Principal:
    return Principal(kind=Kind.RESIDENT, id=str(request_id), request_id=request_id)


@cache
def sample(kind: FileKind) -> Any:
    return parse(kind, (SAMPLE / f"{kind}.yaml").read_text(encoding="utf-8"))


def sample_city() -> City:
    directory, areas = sample(FileKind.DIRECTORY), sample(FileKind.AREAS)
    return make_city(directory, areas)


def sample_duty(now: datetime = START, city: City | None = None, routing: RoutingPolicy | None = None) -> Duty:
    """Who decides, on the sample city's files, at this moment."""
    return Duty(
        city=city or sample_city(),
        routing=routing or sample(FileKind.ROUTING),
        clocks=sample(FileKind.CLOCKS),
        now=now,
        new_id=new_id,
    )


def received(area: str | None = GRID, at: datetime = START) -> r.RequestReceived:
    return r.RequestReceived(
        receipt="HD-1",
        channel=Channel.APP,
        filed_by=FiledBy.RESIDENT,
        language=Language.ZH,
        area=area,
        place_source=PlaceSource.AREA,
        place_confidence=1,
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
    deadline: datetime | None = None,
    needs: tuple[str, ...] = (),
    revision: int = 1,
    by: Decider = Decider.MACHINE,
) -> r.RequestTriaged:
    return r.RequestTriaged(
        revision=revision,
        category=category,
        colour=colour,
        deadline=deadline,
        needs=needs,
        decided_by=by,
        policy_version="1",
    )


class Story:
    """Requests around one dispatch service, and those who handle them."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.builder = Builder()
        self.told: list[Event[Fact]] = []
        """All that others stated, in order."""

    async def tell(self, request_id: UUID, *facts: Fact) -> None:
        """Others state these facts, and dispatch reads them."""
        events = [self._event(fact, request_id) for fact in facts]
        self.told += events
        await self.harness.take(*events)

    def _event(self, fact: Fact, request_id: UUID) -> Event[Fact]:
        return self.builder.event(fact, request_id, time=self.harness.clock.now())

    async def file(self, fact: r.RequestTriaged, area: str | None = GRID) -> UUID:
        """A request received and triaged now."""
        request_id = new_id()
        await self.tell(request_id, received(area, self.harness.clock.now()), fact)
        return request_id

    async def read_back(self) -> None:
        """Dispatch reads, from the bus, all that it has stated so far; what it knows already changes nothing."""
        await self.harness.take(*(e for e in await self.harness.stated() if e.topic == r.TOPIC))

    async def page(self, who: Principal = OPERATOR, **parameters: Any) -> dict[str, Any]:
        """A page of the list of tasks."""
        async with self.harness.client(who) as client:
            answer = await client.get("/v1/tasks", params={"limit": 200, **parameters})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def tasks(self, who: Principal = OPERATOR, **parameters: Any) -> list[dict[str, Any]]:
        """The first page's tasks."""
        return list((await self.page(who, **parameters))["items"])

    async def lead(self, request_id: UUID) -> dict[str, Any]:
        """The lead task as it is now."""
        [event, *_] = [e for e in await self.stated(request_id, r.TaskAssigned) if e.fact.role == "lead"]
        return await self.task(event.fact.task_id)

    async def task(self, task_id: Any) -> dict[str, Any]:
        async with self.harness.client(OPERATOR) as client:
            answer = await client.get(f"/v1/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def do(self, who: Principal, task: dict[str, Any], verb: str, **body: Any) -> Response:
        """A verb on a task, with the revision of the task as given."""
        async with self.harness.client(who) as client:
            return await client.post(f"/v1/tasks/{task['id']}/{verb}", json={"revision": task["revision"], **body})

    async def done(self, who: Principal, task: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
        """The same, and it must succeed."""
        answer = await self.do(who, task, verb, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def stated(self, request_id: UUID | None, *kinds: type[Fact]) -> list[Event[Any]]:
        """What dispatch stated of a request."""
        return [e for e in await self.harness.stated(*kinds) if request_id is None or e.subject == str(request_id)]

    async def answered(self, organisation: str = "central-hospital", **body: Any) -> tuple[UUID, dict[str, Any]]:
        """A request that was handled up to its answer."""
        request_id = await self.file(triaged())
        task = await self.done(liaison(organisation), await self.lead(request_id), "accept")
        task = await self.done(liaison(organisation), task, "answer", text="A car comes at eight.", **body)
        await self.read_back()
        return request_id, task

    async def dispute(self, request_id: UUID, reason: DisputeReason = DisputeReason.NOT_SOLVED) -> None:
        await self.tell(request_id, r.RequestDisputed(reason=reason))


WITHDRAWN = r.RequestWithdrawn(reason=WithdrawalReason.NO_LONGER_NEEDED)
CLOSED = r.RequestClosed(outcome=Outcome.CONFIRMED)
