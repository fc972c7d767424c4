"""The HTTP door of the bulletin: as JSON, Markdown, or one HTML page; as of now, or of any moment before."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, TypeAdapter

from followup import bulletin, figure_store, store
from followup.bulletin import Bulletin, Excluded, Source, Tallies
from followup.bulletin_page import to_html
from followup.bulletin_text import to_markdown
from followup.recount import rows
from shared.contracts import Event, Fact, decode
from shared.contracts.requests import TOPIC
from shared.contracts.vocabulary import Language
from shared.problems import Forbidden, InvalidInput, Problem
from shared.service import Here, Service
from shared.web import Caller, responses

router = APIRouter(prefix="/v1", tags=["figures"])
MOST_EVENTS = 100_000
"""The longest log that is recounted for a bulletin: some ten seconds."""
READ_AT_ONCE = 1000
BULLETIN = TypeAdapter(Bulletin)


class LogTooLong(Problem):
    """The log holds more events than a bulletin of an earlier moment recounts here. Leave `at` out for the present one,
    and keep the bulletins of the moments that matter as they are issued; `events` and `most` say how many there are."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Log too long"


class Format(StrEnum):
    """How the bulletin is written."""

    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


MEDIA = {Format.JSON: "application/json", Format.MARKDOWN: "text/markdown", Format.HTML: "text/html"}
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "vary": "accept",
}


@router.get(
    "/bulletin",
    responses=responses(Forbidden, InvalidInput, LogTooLong)
    | {200: {"description": "The bulletin.", "model": Bulletin, "content": {MEDIA[f]: {} for f in list(Format)[1:]}}},
    response_class=Response,
)
async def read_bulletin(
    caller: Caller,
    service: Here,
    at: Annotated[
        AwareDatetime | None,
        Query(
            description="As of this moment: every request that was received by then, as it stood then, recounted from "
            "the log where that is not too long. Without it: as of now, from the sums kept as events come."
        ),
    ] = None,
    format: Annotated[Format | None, Query(description="Else by Accept; JSON where that names none.")] = None,  # noqa: A002 the parameter's public name
    lang: Annotated[Language, Query(description="The language of Markdown and HTML.")] = Language.ZH,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """The bulletin: the figures since opening, their charts, where every request is, and the model's sentence."""
    if not caller.is_staff:
        raise Forbidden
    now = service.clock.now()
    if at is not None and at > now:
        raise InvalidInput("`at` lies ahead. Nobody knows yet; leave it out for the present bulletin.")
    made = await _kept(service, now) if at is None else await _recounted(service, at.astimezone(UTC))
    shown = replace(made, names=await service.query(store.names.load, made.ids))
    kind = format or next((one for one in (Format.HTML, Format.MARKDOWN) if MEDIA[one] in accept), Format.JSON)
    return Response(_written(shown, kind, lang, service), media_type=MEDIA[kind], headers=PAGE_HEADERS)


def _written(shown: Bulletin, kind: Format, lang: Language, service: Service) -> str | bytes:
    zone = ZoneInfo(service.settings.time_zone)
    match kind:
        case Format.HTML:
            return to_html(shown, lang, zone)
        case Format.MARKDOWN:
            return to_markdown(shown, lang, zone)
        case Format.JSON:
            return BULLETIN.dump_json(shown)


async def _kept(service: Service, now: datetime) -> Bulletin:
    """As of now, from the sums."""
    tallies, excluded = await service.query(figure_store.read_tallies, now)
    alarms = await service.query(store.count_alarms)
    return bulletin.make(tallies, now, Source.KEPT, excluded, alarms)


async def _recounted(service: Service, at: datetime) -> Bulletin:
    """As of an earlier moment, from the log."""
    events = await _read_log(service)
    promises = (await service.query(store.load_policy)).plan.promises

    def count() -> tuple[Tallies, Sequence[Excluded]]:
        told = bulletin.until(events, at)
        return bulletin.tallies_of(rows(told, at, promises)), bulletin.excluded(told)

    tallies, excluded = await asyncio.to_thread(count)  # seconds of work, with calls to answer meanwhile
    return bulletin.make(tallies, at, Source.RECOUNTED, excluded, None)


async def _read_log(service: Service) -> list[Event[Fact]]:
    """All events of the log of requests, each partition in its order; raises LogTooLong."""
    ends = await service.bus.ends([TOPIC])
    if (there := sum(ends.values())) > MOST_EVENTS:
        raise LogTooLong(events=there, most=MOST_EVENTS)
    positions, events = dict.fromkeys(ends, 0), list[Event[Fact]]()
    async with service.bus.reader() as reader:
        while any(positions[partition] < end for partition, end in ends.items()):
            for delivered in await reader.read(positions, READ_AT_ONCE, patience_seconds=1.0):
                positions[delivered.partition] = delivered.position + 1
                if (event := decode(delivered.record)) is not None:
                    events.append(event)
    return events
