"""What intake's tests file, and as whom."""

from typing import Any
from uuid import UUID

import httpx2

from shared.contracts.directory import AreaRecorded, Named
from shared.contracts.requests import RequestTriaged, TaskAccepted, TaskAssigned
from shared.contracts.vocabulary import Category, Colour, Decider, Role
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder
from tests.support.harness import Harness

NAME, PHONE, ADDRESS = "王小明", "13800138000", "金茂花苑3幢502室"
TEXT = f"我叫{NAME}，住{ADDRESS}，电话138 0013 8000，第二针狂犬疫苗要在26号打，出不去"
MASKED = "我叫[name]，住[door]，电话[phone]，第二针狂犬疫苗要在26号打，出不去"
TOWN, VILLAGE = "pinghu/dushangang", "pinghu/dushangang/huxiao"
GRID, OTHER = f"{VILLAGE}/06", f"{TOWN}/jufu"

OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")
INSPECTOR = Principal(kind=Kind.INSPECTOR, id="inspector")
SERVICE = Principal(kind=Kind.SERVICE, id="callbacks")
GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="grid_worker", area=VILLAGE)
IMPORTER = Principal(kind=Kind.OPERATOR, id="operator", rights=frozenset({"import"}))


def handler(kind: Kind, organisation: str = "central-hospital") -> Principal:
    """Somebody who acts for an organisation."""
    return Principal(kind=kind, id=f"{organisation}.{kind}", organisation=organisation)


def resident(request_id: UUID) -> Principal:
    """Who holds the tracking token of that request."""
    return Principal(kind=Kind.RESIDENT, id=str(request_id), request_id=request_id)


def body(**changes: Any) -> dict[str, Any]:
    """A filing as an app would send it; None leaves a field out."""
    filing = {
        "text": TEXT,
        "contact": {"name": NAME, "phone": PHONE},
        "place": {"address": ADDRESS},
    } | changes
    return {name: value for name, value in filing.items() if value is not None}


async def post(harness: Harness, path: str, sent: Any, caller: Principal, **headers: str) -> httpx2.Response:
    """Call as somebody."""
    async with harness.client(caller, **headers) as client:
        return await client.post(path, json=sent)


async def file(harness: Harness, caller: Principal = ANONYMOUS, **changes: Any) -> UUID:
    """File a request; its id."""
    response = await post(harness, "/v1/requests", body(**changes), caller)
    assert response.status_code == 201, response.text
    return UUID(response.json()["id"])


def area(identifier: str, zh: str, en: str, *aliases: str, **more: Any) -> AreaRecorded:
    """An area as dispatch announces it."""
    level = ("city", "town", "village", "grid", "micro_grid")[identifier.count("/")]
    return AreaRecorded(area=identifier, level=level, name=Named(zh=zh, en=en), aliases=aliases, **more)


_build = Builder()
AREAS = [
    _build.event(fact, fact.area)
    for fact in (
        area("pinghu", "平湖市", "Pinghu"),
        area(TOWN, "独山港镇", "Dushangang", polygon=((121.1, 30.6), (121.2, 30.6), (121.2, 30.7), (121.1, 30.7))),
        area(VILLAGE, "虎啸村", "Huxiao Village", "虎啸"),
        area(GRID, "虎啸村第06网格", "Huxiao grid 06", "金茂花苑", "Jinmao Garden"),
        area(OTHER, "聚福村", "Jufu Village"),
    )
]


def triaged() -> RequestTriaged:
    """Triage is done with it."""
    return RequestTriaged(
        revision=1,
        category=Category.MEDICAL,
        colour=Colour.RED,
        decided_by=Decider.MACHINE,
        policy_version="1",
    )


def assigned(task_id: UUID, organisation: str = "central-hospital", role: Role = Role.LEAD) -> TaskAssigned:
    """An organisation was given a task."""
    return TaskAssigned(
        task_id=task_id,
        role=role,
        organisation=organisation,
        liaison=f"{organisation}.day",
        rule="r1",
        attempt=1,
        accept_by=START,
        policy_version="1",
    )


def accepted(task_id: UUID, organisation: str = "central-hospital") -> TaskAccepted:
    """The organisation signed for it."""
    return TaskAccepted(task_id=task_id, role=Role.LEAD, organisation=organisation, liaison=f"{organisation}.day")


async def assign(harness: Harness, build: Builder, request_id: UUID, organisation: str = "central-hospital") -> UUID:
    """Let intake hear that an organisation was given the request; the task."""
    task_id = new_id()
    await harness.take(build.event(assigned(task_id, organisation), request_id))
    return task_id
