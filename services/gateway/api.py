"""The gateway's own routes: a request, the queue, live streams, categories."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from services.gateway import shown, store, tail
from services.gateway.identity import Callers
from services.gateway.limits import Limits
from services.gateway.model import View, as_receipt
from services.gateway.reading import Found, Reader, readable
from services.gateway.words import CATEGORIES
from shared.bus import write_positions
from shared.contracts.directory import Named
from shared.contracts.requests import RequestArchived
from shared.contracts.vocabulary import Category, Colour, Status
from shared.identity import DESK, OVERSIGHT, Kind, Principal
from shared.problems import Forbidden, InvalidInput, NotFound, TooManyRequests
from shared.service import Here, Service
from shared.web import Caller, Page, encode_cursor, read_cursor, responses

router = APIRouter()
RETRY_MILLISECONDS = 3000
STREAM_HEADERS = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with, made in app.py."""

    reader: Reader
    limits: Limits
    callers: Callers


def parts_of(request: Request) -> Parts:
    """The parts of the app that was called."""
    parts: Parts = request.app.state.parts
    return parts


Ours = Annotated[Parts, Depends(parts_of)]
HeedSeen = Annotated[
    str | None, Header(description="`<source>:<subject>:<sequence>` of an earlier answer: what it wrote will be there.")
]


async def visible(request_id: UUID, caller: Caller, parts: Ours, heed_seen: HeedSeen = None) -> Found:
    """The request of the path, for whoever may read it; raises NotFound."""
    return await parts.reader.find(caller, request_id, heed_seen)


Visible = Annotated[Found, Depends(visible)]


@router.get("/v1/requests/{request_id}", responses=responses(NotFound, InvalidInput))
async def read_request(found: Visible, caller: Caller, service: Here) -> shown.RequestShown:
    """A request as it stands, and all that happened to it, as far as the caller may know."""
    return shown.request(found.view, found.entries, caller, found.names, service.clock.now())


# The queue


class Asked(BaseModel):
    """What of the queue is asked for."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = []
    colour: list[Colour] = []
    organisation: str | None = None
    area: str | None = None
    overdue: bool | None = None
    q: str | None = Field(None, min_length=2, max_length=100, description="A receipt, or words of the text.")
    cursor: str | None = None
    limit: int = Field(50, ge=1, le=200)


@router.get("/v1/queue", responses=responses(Forbidden, InvalidInput))
async def read_queue(
    asked: Annotated[Asked, Query()], caller: Caller, service: Here, parts: Ours, heed_seen: HeedSeen = None
) -> Page[shown.Summary]:
    """Open requests, the most urgent first: by colour, by what is due next, by receipt. A handler's are those on which
    his organisation has a task, a grid worker's those of his area. One status that is an ending lists the requests that
    ended so, the newest first. A receipt as `q` finds its request in whatever status."""
    wanted = _wanted(asked, caller)
    await parts.reader.catch_up(heed_seen)
    now = service.clock.now()
    if asked.q and not asked.cursor and (receipt := as_receipt(asked.q)):
        named = await service.query(store.find_by_receipt, receipt)
        if named and readable(caller, named):
            return Page(items=await _summaries(service, [named], caller, now))
    ended = [status for status in asked.status if status.is_ending]
    if ended and len(asked.status) > 1:
        raise InvalidInput("An ending is listed alone: ask for one status at a time.")
    query, place = (store.list_ended, store.ended_place) if ended else (store.list_queue, store.queue_place)
    after = read_cursor(asked.cursor, *(ENDED_PLACE if ended else QUEUE_PLACE))
    views = await service.query(query, wanted, now, after, asked.limit + 1)
    items = views[: asked.limit]
    more = len(views) > asked.limit
    return Page(
        items=await _summaries(service, items, caller, now),
        next_cursor=encode_cursor(*place(items[-1])) if more else None,
    )


QUEUE_PLACE = (int, datetime, datetime, UUID)
ENDED_PLACE = (datetime, UUID)


def _wanted(asked: Asked, caller: Principal) -> store.Wanted:
    """What is asked for, within what is the caller's; raises Forbidden."""
    is_grid_worker = caller.kind is Kind.GRID_WORKER
    if not (
        caller.kind in OVERSIGHT or (is_grid_worker and caller.area) or (caller.is_handler and caller.organisation)
    ):
        raise Forbidden
    return store.Wanted(
        statuses=tuple(asked.status),
        colours=tuple(asked.colour),
        organisation=asked.organisation,
        area=asked.area,
        overdue=asked.overdue,
        words=asked.q,
        own_organisation=caller.organisation if caller.is_handler else None,
        own_area=caller.area if is_grid_worker else None,
    )


async def _summaries(service: Service, views: list[View], caller: Principal, now: datetime) -> list[shown.Summary]:
    names = await service.query(store.names.load, [name for view in views for name in shown.ids_named(view)])
    return [shown.Summary.model_validate(shown.summary(view, caller, names, now)) for view in views]


# Live streams


def stream_of(caller: Caller, parts: Ours, response: Response) -> Iterator[None]:
    """One of the caller's live streams, for as long as the answer lasts; raises TooManyRequests."""
    response.headers.update(STREAM_HEADERS)
    with parts.limits.stream(caller):
        yield


LastEventId = Annotated[str | None, Header(max_length=4000, description="Where a broken stream goes on.")]


def _number(last_event_id: LastEventId = None) -> int:
    if last_event_id is None or last_event_id == "":
        return 0
    if not (last_event_id.isdigit() and len(last_event_id) < 10):
        raise InvalidInput("Last-Event-ID is the number of a timeline entry.")
    return int(last_event_id)


@router.get(
    "/v1/requests/{request_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(stream_of)],
    responses=responses(NotFound, InvalidInput, TooManyRequests),
)
async def follow_request(
    found: Visible, caller: Caller, parts: Ours, last: Annotated[int, Depends(_number)]
) -> AsyncIterator[ServerSentEvent]:
    """The timeline as it grows: each entry as in the request's `timeline`, with its number as the event's id.
    Ends only when the request is archived."""
    yield ServerSentEvent(retry=RETRY_MILLISECONDS)
    async for entries, names in parts.reader.grow(found.view.life.request_id, last):
        for entry in entries:
            if told := shown.entry(entry, caller, names):
                yield ServerSentEvent(id=str(entry.number), raw_data=told.model_dump_json())
            if entry.type == RequestArchived.TYPE:
                return


async def _from(
    caller: Caller,
    service: Here,
    topic: Annotated[list[str], Query(description="With or without `heed.`; several are allowed.")] = [],  # noqa: B006 FastAPI copies it
    start: Annotated[
        str, Query(alias="from", max_length=4000, description="beginning, latest, a time, or an event's id.")
    ] = tail.LATEST,
    last_event_id: LastEventId = None,
) -> tail.Positions:
    if caller.kind not in DESK:
        raise Forbidden
    return await tail.start_positions(service.bus, tail.topics_named(topic), last_event_id or start)


@router.get(
    "/v1/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(stream_of)],
    responses=responses(Forbidden, InvalidInput, TooManyRequests),
)
async def follow_events(
    positions: Annotated[tail.Positions, Depends(_from)],
    service: Here,
    types: Annotated[list[str], Query(description="Event types, such as heed.request.received.")] = [],  # noqa: B006 FastAPI copies it
    request: Annotated[UUID | None, Query(description="Events about one request only.")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Every fact as it is stated, as CloudEvents in JSON. The event's id names a place in the log: a stream that begins
    there, by Last-Event-ID or `from`, goes on where this one ended, also after a restart."""
    names = frozenset(name for item in types for name in item.split(",") if name)
    wanted = tail.Filter(types=names, request=str(request) if request else None)
    yield ServerSentEvent(retry=RETRY_MILLISECONDS, id=write_positions(positions))
    async for told in tail.follow(service.bus, service.clock, positions, wanted, service.settings.poll_seconds):
        data = json.dumps(told.event, ensure_ascii=False, separators=(",", ":")) if told.event else None
        yield ServerSentEvent(id=told.id, raw_data=data)


# Categories


class CategoryShown(BaseModel):
    """What a request may be about, and what to ask then."""

    id: Category
    name: Named
    ask: Named


@router.get("/v1/categories")
async def read_categories() -> Page[CategoryShown]:
    """The categories, in Chinese and English, with what whoever takes the call should ask."""
    return Page(items=[CategoryShown(id=key, name=name, ask=ask) for key, (name, ask) in CATEGORIES.items()])
