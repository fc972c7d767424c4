"""Facts become views: a batch is read, folded in memory, and written in few statements."""

from collections.abc import Sequence
from uuid import UUID

from services.gateway import store
from services.gateway.hub import Hub
from services.gateway.model import View, advance
from shared.contracts import FACTS, Event, Fact, requests
from shared.contracts.directory import AreaRecorded, OrganisationRecorded
from shared.contracts.requests import RequestFact
from shared.contracts.texts import TextErased, TextRecorded
from shared.database import Transaction
from shared.messaging.work import Work

HANDLES: tuple[type[Fact], ...] = (
    *(fact for fact in FACTS.values() if fact.TOPIC == requests.TOPIC),
    TextRecorded,
    TextErased,
    AreaRecorded,
    OrganisationRecorded,
)


class Views:
    """Takes batches of facts into the views, and tells those who wait for them."""

    def __init__(self, hub: Hub) -> None:
        """`hub` is told what the batch is about; whoever waits is woken after the commit."""
        self._hub = hub

    async def take(self, work: Work, events: Sequence[Event[Fact]]) -> None:
        """Every fact about a request goes into its view and timeline; texts and names are kept, or forgotten."""
        connection = work.connection
        await _take_requests(connection, [e for e in events if isinstance(e.fact, RequestFact)])
        await _take_texts(connection, [e for e in events if isinstance(e.fact, TextRecorded | TextErased)])
        await store.names.take(connection, (e.fact for e in events))
        self._hub.note(e.subject for e in events)


async def _take_requests(connection: Transaction, events: Sequence[Event[Fact]]) -> None:
    if not events:
        return
    views: dict[UUID, View] = await store.load_views(connection, {UUID(e.subject) for e in events})
    entries = []
    for event in events:
        request_id = UUID(event.subject)
        view = views[request_id] = advance(views.get(request_id), event)
        entries.append((request_id, view.entries, view.life.changed_at, event))
    await store.save_views(connection, {UUID(e.subject): views[UUID(e.subject)] for e in events}.values())
    await store.add_entries(connection, entries)


async def _take_texts(connection: Transaction, events: Sequence[Event[Fact]]) -> None:
    """The last word on each text: kept as it is now, or gone."""
    last = {UUID(e.key): e.fact for e in events}
    recorded = {text_id: fact for text_id, fact in last.items() if isinstance(fact, TextRecorded)}
    if recorded:
        await store.save_texts(connection, recorded)
    if erased := last.keys() - recorded.keys():
        await store.remove_texts(connection, erased)
