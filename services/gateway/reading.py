"""Reading a request from the views: whole, as far as the caller may, and not before what he wrote is in them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from services.gateway import shown, store
from services.gateway.hub import Hub
from services.gateway.model import View
from shared.clock import wall_now
from shared.contracts.directory import Named
from shared.database import Transaction
from shared.identity import Kind, Principal, may_read
from shared.ids import made_at
from shared.messaging.work import Seen
from shared.problems import InvalidInput, NotFound
from shared.service import Service

WAIT_SECONDS = 2.0
YOUNG = timedelta(seconds=10)
TEXT_SECONDS = 2.0
MOST_MARKS = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A request as one transaction finds it."""

    view: View
    entries: list[store.Entry]
    names: dict[str, Named]
    seen: bool
    """Whether the views have come as far as the caller's marks."""

    def is_whole(self, young_since: datetime) -> bool:
        """Whether nothing is on its way that the caller may expect to find."""
        late = any(shown.waits_for_text(e) and e.at > young_since for e in self.entries)
        return self.seen and not late


def read_marks(header: str | None) -> list[Seen]:
    """What the caller has seen elsewhere, from the header Heed-Seen; raises InvalidInput."""
    marks = []
    for mark in header.split(",")[:MOST_MARKS] if header else ():
        source, _, rest = mark.strip().partition(":")
        subject, _, number = rest.rpartition(":")
        if not (source and subject and number.isdigit() and len(number) < 19):
            raise InvalidInput("Heed-Seen is `<source>:<subject>:<sequence>`, as an answer gave it; several by comma.")
        marks.append(Seen(source, subject, int(number)))
    return marks


async def load(connection: Transaction, request_id: UUID, marks: list[Seen], after: int = 0) -> Found | None:
    """The request with all that is shown of it, its timeline from an entry on; None where it is not known here.

    Whether all was seen is asked first: what is committed between two queries may only make the answer newer.
    """
    seen = await store.has_seen(connection, marks) if marks else True
    view = await store.find_view(connection, request_id)
    if view is None:
        return None
    entries = await store.list_entries(connection, request_id, after)
    names = await store.names.load(connection, shown.ids_named(view))
    return Found(view, entries, names, seen)


class Reader:
    """Reads requests for callers, and waits where what they look for is still on its way."""

    def __init__(self, service: Service, hub: Hub) -> None:
        """`hub` says when there is news."""
        self._service, self._hub = service, hub

    async def find(self, caller: Principal, request_id: UUID, heed_seen: str | None) -> Found:
        """The request; raises NotFound where there is none, or none that the caller may read."""
        if caller.kind is Kind.ANONYMOUS or (caller.kind is Kind.RESIDENT and caller.request_id != request_id):
            raise NotFound
        marks = [mark for mark in read_marks(heed_seen) if mark.subject == str(request_id)]
        last: Found | None = None

        async def look() -> Found | None:
            nonlocal last
            last = await self._service.query(load, request_id, marks)
            return last if last and last.is_whole(self._service.clock.now() - YOUNG) else None

        patience = WAIT_SECONDS if marks or is_young(request_id) else 0.0
        found = await self._hub.until(str(request_id), look, patience) or last
        if found is None or not readable(caller, found.view):
            raise NotFound
        return found

    async def catch_up(self, heed_seen: str | None) -> None:
        """Wait until the views have come as far as the caller's marks, but not for long."""
        marks = read_marks(heed_seen)
        if not marks:
            return

        async def look() -> bool | None:
            return await self._service.query(store.has_seen, marks) or None

        await self._hub.until(marks[-1].subject, look, WAIT_SECONDS)

    async def grow(self, request_id: UUID, last: int) -> AsyncIterator[tuple[list[store.Entry], dict[str, Named]]]:
        """The entries after `last` as they come, with the names they need; for ever. A fact is held back while its
        text is on its way, but not for long."""
        held = (0, 0.0)
        async for _ in self._hub.each(str(request_id)):
            found = await self._service.query(load, request_id, [], last)
            if found is None:
                continue
            young_since, time = self._service.clock.now() - YOUNG, asyncio.get_running_loop().time()
            ready = _ready(found.entries, young_since)
            if len(ready) < len(found.entries):
                late = found.entries[len(ready)].number
                held = held if held[0] == late else (late, time)
                if time >= held[1] + TEXT_SECONDS:
                    ready = found.entries
            if ready:
                last = ready[-1].number
                yield ready, found.names


def _ready(entries: list[store.Entry], young_since: datetime) -> list[store.Entry]:
    """The entries before the first whose text is still on its way."""
    return list(takewhile(lambda e: not (shown.waits_for_text(e) and e.at > young_since), entries))


def readable(caller: Principal, view: View) -> bool:
    """Whether the caller may read the request."""
    return may_read(caller, view.life.request_id, view.life.area, view.organisations)


def is_young(request_id: UUID) -> bool:
    """Whether the id was made so lately that its request may still be on its way here."""
    try:
        return request_id.version == 7 and wall_now() - made_at(request_id) < YOUNG
    except (ValueError, OverflowError):
        return False
