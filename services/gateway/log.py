"""The log as it stands, record by record: for whoever checks its seals, or keeps a copy."""

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.gateway import tail
from shared.bus import Delivered, write_positions
from shared.contracts import requests
from shared.identity import DESK
from shared.messaging.positions import read_to
from shared.problems import Forbidden, InvalidInput
from shared.service import Here
from shared.web import Caller, responses

router = APIRouter()
PATIENCE_SECONDS = 2.0
"""How long a page waits for records that the log should have."""


class Standing(BaseModel):
    """A record where it stands; a value that is null is a tombstone's."""

    topic: str
    partition: int
    position: int
    key: str
    headers: dict[str, str]
    value: str | None = Field(description="The bytes in base64.")


class LogPage(BaseModel):
    """The next records of each partition in its order; the partitions do not wait for each other."""

    items: list[Standing]
    next: str = Field(description="From where to go on: `<topic>:<position of partition 0>,<of 1>…;<topic>:…`.")
    ends: str = Field(description="Where the log ends now, in the same form.")
    read: str = Field(description="How far the requests and the queue shown by this API have followed heed.requests.")


@router.get("/v1/log", responses=responses(Forbidden, InvalidInput))
async def read_log(
    caller: Caller,
    service: Here,
    topic: Annotated[list[str], Query(description="With or without `heed.`; several are allowed.")] = [],  # noqa: B006 FastAPI copies it
    start: Annotated[
        str, Query(alias="from", max_length=4000, description="beginning, latest, a time, or `next` of a page.")
    ] = tail.BEGINNING,
    limit: Annotated[int, Query(ge=1, le=2000, description="About how many records.")] = 1000,
) -> LogPage:
    """The records of the log as they are stored, from any place on, for operators and supervisors: key, headers and the
    bytes of the value, with their positions."""
    if caller.kind not in DESK:
        raise Forbidden
    topics = tail.topics_named(topic)
    positions = await tail.start_positions(service.bus, topics, start)
    ends = await service.bus.ends(topics)
    if behind := {p: at for p, at in positions.items() if at < ends[p]}:
        async with service.bus.reader() as reader:
            found = await reader.read(behind, limit, PATIENCE_SECONDS)
    else:
        found = []
    positions |= {delivered.partition: delivered.position + 1 for delivered in found}
    return LogPage(
        items=[_standing(delivered) for delivered in found],
        next=write_positions(positions),
        ends=write_positions(ends),
        read=await service.query(read_to, requests.TOPIC),
    )


def _standing(delivered: Delivered) -> Standing:
    record = delivered.record
    return Standing(
        topic=record.topic,
        partition=delivered.partition.number,
        position=delivered.position,
        key=record.key,
        headers=dict(record.headers),
        value=None if record.value is None else b64encode(record.value).decode(),
    )
