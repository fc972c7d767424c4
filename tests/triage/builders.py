"""What triage's tests say, and as whom."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx2

from shared.contracts import Event, Fact
from shared.contracts.requests import RequestReceived, TaskAssigned
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import Category, Channel, FiledBy, Language, PlaceSource, Role, TextKind
from shared.identity import Kind, Principal
from shared.ids import new_id
from tests.support.builders import START, Builder
from tests.support.harness import Harness
from triage import rules
from triage.model import Assessment, assess

ZONE = ZoneInfo("Asia/Shanghai")
FILED_AT = datetime(2022, 10, 25, 15, 0, tzinfo=ZONE)
STORY = "我家住金茂花苑，现在被隔离在家。狂犬疫苗第一针打过了，第二针应在10月26日接种，人出不了门，怎么办？"
DOUBTFUL = "奶奶一个人住，打了一天电话都联系不上，她腿脚不便"
"""Red, and the machine is unsure."""
UNKNOWN = "这件事情想麻烦帮帮忙"
"""A call for help that no rule understands: yellow, and unsure."""
SUPPOSED = "请问如果楼里发生火灾，登记手续怎么办理"
"""Green, and unsure: a danger is named, though as one that is only imagined."""
CALM = "请问医保报销需要带哪些材料？"
VILLAGE = "pinghu/dushangang/huxiao"
GRID = f"{VILLAGE}/06"

OPERATOR = Principal(kind=Kind.OPERATOR, id="operator")
SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")
INSPECTOR = Principal(kind=Kind.INSPECTOR, id="inspector")
GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="grid_worker", area=VILLAGE)
OTHER_GRID_WORKER = Principal(kind=Kind.GRID_WORKER, id="other", area="pinghu/dushangang/jufu")
SERVICE = Principal(kind=Kind.SERVICE, id="callbacks")


def handler(kind: Kind, organisation: str = "central-hospital") -> Principal:
    """Somebody who acts for an organisation."""
    return Principal(kind=kind, id=f"{organisation}.{kind}", organisation=organisation)


def resident(request_id: UUID) -> Principal:
    """Who holds the tracking token of that request."""
    return Principal(kind=Kind.RESIDENT, id=str(request_id), request_id=request_id)


def the_rules() -> rules.Rules:
    """The rules as they ship."""
    return rules.load(ZONE)


def read(text: str, *, filed_at: datetime = FILED_AT, stated: Category | None = None) -> Assessment:
    """The machine's assessment of a text that was received when it was said."""
    return assess(text, Language.ZH, filed_at, filed_at, stated, the_rules())


class Request:
    """One request's events as intake and dispatch would state them, numbered."""

    def __init__(self, area: str | None = GRID) -> None:
        """`area` is where it is."""
        self.id = new_id()
        self._area = area
        self._numbers = Builder()

    def event(self, fact: Fact, **attributes: Any) -> Event[Fact]:
        """A fact about this request."""
        return self._numbers.event(fact, self.id, **attributes)

    def received(self) -> Event[Fact]:
        """The receipt."""
        return self.event(
            RequestReceived(
                receipt="K7M4-2",
                channel=Channel.APP,
                filed_by=FiledBy.RESIDENT,
                language=Language.ZH,
                area=self._area,
                place_source=PlaceSource.AREA,
                place_confidence=1.0,
                contact_hash="h",
                text_id=new_id(),
                text_hash="h",
                filed_at=START,
                received_at=START,
            )
        )

    def text(self, words: str, kind: TextKind = TextKind.REQUEST, at: datetime = START, **changes: Any) -> Event[Fact]:
        """A text, said and received at `at`."""
        return self.event(
            TextRecorded(
                text_id=new_id(),
                request_id=self.id,
                kind=kind,
                text=words,
                language=Language.ZH,
                **({"filed_at": at, "received_at": at} | changes),
            )
        )

    def amendment(self, words: str, *, after_minutes: float = 1, **changes: Any) -> Event[Fact]:
        """Another text."""
        return self.text(words, TextKind.AMENDMENT, START + timedelta(minutes=after_minutes), **changes)

    def assigned(self, organisation: str = "central-hospital") -> Event[Fact]:
        """The lead task went to an organisation."""
        return self.event(
            TaskAssigned(
                task_id=new_id(),
                role=Role.LEAD,
                organisation=organisation,
                liaison=f"{organisation}.day",
                rule="hospital",
                attempt=1,
                accept_by=START + timedelta(minutes=5),
                policy_version="1",
            )
        )


async def get(harness: Harness, path: str, caller: Principal = OPERATOR, **query: Any) -> httpx2.Response:
    """Read as somebody."""
    async with harness.client(caller) as client:
        return await client.get(path, params=query)


async def post(
    harness: Harness, path: str, body: Any, caller: Principal = OPERATOR, key: str | None = None
) -> httpx2.Response:
    """Call as somebody, with an Idempotency-Key or without."""
    headers = {"idempotency-key": key} if key else {}
    async with harness.client(caller, **headers) as client:
        return await client.post(path, json=body)


async def items(harness: Harness, path: str, caller: Principal = OPERATOR, **query: Any) -> list[dict[str, Any]]:
    """The items of a page."""
    response = await get(harness, path, caller, **query)
    assert response.status_code == 200, response.text
    listed: list[dict[str, Any]] = response.json()["items"]
    return listed
