"""Facts from the bus become deliveries to partners and notices to people; and what the timers do."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from typing import Any
from uuid import UUID

from services.callbacks import endpoints, notices, queue, store
from services.callbacks.model import PROVIDER_ID, Endpoint, KeptFact, Limits
from services.callbacks.notices import Case, Draft, Said
from shared.contracts import FACTS, Event, Fact
from shared.contracts import requests as r
from shared.contracts.directory import OrganisationRecorded
from shared.contracts.drills import DrillAsked, DrillClosed
from shared.contracts.vocabulary import Addressee, Medium, NoticeOutcome
from shared.ids import derived_id
from shared.messaging.work import Timer, Work

RETENTION_TIMER = "retention"
RETENTION_EVERY = timedelta(hours=6)
RETENTION_ROWS = 5000
LOOK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the handlers need beside the database."""

    limits: Limits
    words: Mapping[str, Any]
    """notices.yaml."""
    zone: tzinfo
    retention: timedelta
    has_provider: bool


@dataclass(slots=True, kw_only=True)
class Batch:
    """What a batch of facts comes to, in memory, before it is written."""

    parts: Parts
    names: dict[str, Said]
    cases: dict[UUID, Case]
    merged: dict[UUID, UUID]
    """Into which request each merged one went, to the end of the chain."""
    new_names: dict[str, Said] = field(default_factory=dict)
    changed: set[UUID] = field(default_factory=set)
    kept: list[KeptFact] = field(default_factory=list)
    facts_before: dict[UUID, int] = field(default_factory=dict)
    first_tasks: dict[UUID, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Per request, the organisations that got their first task on it."""
    notices: list[dict[str, Any]] = field(default_factory=list)

    def name(self, event: Event[Any]) -> None:
        """An organisation's name."""
        said = event.fact.name.model_dump()
        self.names[event.fact.organisation] = self.new_names[event.fact.organisation] = said

    def begin(self, event: Event[Any]) -> None:
        """A request was received: its resident is told at once, which is the acknowledgement."""
        case = notices.begin_case(event)
        self.cases[case.request_id] = case
        self._tell(Draft(request_id=case.request_id, addressee=Addressee.RESIDENT, words="received"), event)
        self._keep(case, event)

    def go_on(self, event: Event[Fact]) -> None:
        """Something happened to a request."""
        before = self.cases.get(UUID(event.subject))
        if before is None:
            return  # archived and forgotten
        after = self.cases[before.request_id] = before.after(event)
        self.first_tasks[before.request_id] |= after.organisations - before.organisations
        self._tell_residents(before, event)
        for draft in notices.to_handlers(before, event.fact):
            self._tell(draft, event)
        self._keep(after, event)

    def ask(self, event: Event[DrillAsked]) -> None:
        """A drill asks an organisation's people whether they can be reached."""
        self.kept.append(_kept(event, None, 1))
        self.notices.append(notices.write_drill(event, self.parts.words, self.parts.zone))

    def report(self, event: Event[DrillClosed]) -> None:
        """A drill is over, and who did not answer is known."""
        self.kept.append(_kept(event, None, 1))

    def _tell_residents(self, before: Case, event: Event[Fact]) -> None:
        draft = notices.to_resident(before, event.fact)
        if draft is None:
            return
        self._tell(draft, event)
        for follower in sorted(of for of, into in self.merged.items() if into == before.request_id):
            told = notices.to_merged(draft, event.fact, self.cases[follower])
            if told:
                self._tell(told, event)
        if isinstance(event.fact, r.RequestMerged):
            self._merge(before.request_id, event.fact.into)

    def _merge(self, request_id: UUID, into: UUID) -> None:
        """Whatever was merged into this request goes with it, so that its residents are still told everything."""
        end = self.merged.get(into, into)
        for merged in [request_id, *(of for of, old in self.merged.items() if old == request_id)]:
            self.merged[merged] = end
            self.changed.add(merged)

    def _tell(self, draft: Draft, event: Event[Fact]) -> None:
        case = self.cases[draft.request_id]
        told = (draft.request_id, draft.addressee, draft.organisation, draft.liaison, draft.words)
        row = {
            "id": derived_id(event.id, *told, Medium.APP),
            "request_id": draft.request_id,
            "addressee": draft.addressee,
            "organisation": draft.organisation,
            "liaison": draft.liaison,
            "medium": Medium.APP,
            "about": event.type,
            "event_id": event.id,
            "text": notices.write(draft, case, self.names, self.parts.words, self.parts.zone),
            "language": case.language,
        }
        self.notices.append(row)
        if self.parts.has_provider and draft.addressee is Addressee.RESIDENT:
            by_provider = {"id": derived_id(event.id, *told, Medium.PROVIDER), "medium": Medium.PROVIDER}
            self.notices.append(row | by_provider)

    def _keep(self, case: Case, event: Event[Fact]) -> None:
        self.changed.add(case.request_id)
        self.facts_before.setdefault(case.request_id, case.facts - 1)
        self.kept.append(_kept(event, case.request_id, case.facts))

    def with_a_past(self, hearing: Collection[str]) -> list[UUID]:
        """Requests whose earlier facts somebody must hear, now that an organisation that listens got its first task."""
        return [
            request_id
            for request_id, first in self.first_tasks.items()
            if self.facts_before[request_id] > 0 and not first.isdisjoint(hearing)
        ]

    def deliveries(
        self, listening: Sequence[Endpoint], earlier: Iterable[KeptFact]
    ) -> Iterable[tuple[Endpoint, KeptFact]]:
        """Which fact goes to which endpoint, in order; `earlier`: the facts, known before, of those with a past."""
        for fact in earlier:
            assert fact.request_id  # noqa: S101 looked up by it
            if fact.number <= self.facts_before[fact.request_id]:
                first = self.first_tasks[fact.request_id]
                yield from ((e, fact) for e in listening if e.organisation in first and e.wants(fact.type))
        for fact in self.kept:
            about = fact.request_id
            entitled = self.cases[about].organisations if about else frozenset({fact.data["organisation"]})
            yield from ((e, fact) for e in listening if e.is_entitled(entitled) and e.wants(fact.type))


HANDLES: dict[type[Fact], Callable[[Batch, Event[Any]], None]] = {
    **{fact: Batch.go_on for fact in FACTS.values() if fact.TOPIC == r.TOPIC},
    r.RequestReceived: Batch.begin,
    OrganisationRecorded: Batch.name,
    DrillAsked: Batch.ask,
    DrillClosed: Batch.report,
}
"""What is done with each fact that is taken."""


class Handlers:
    """The two doors through which the floor comes in."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: what is not in the database."""
        self._parts = parts

    async def take(self, work: Work, events: Sequence[Event[Fact]]) -> None:
        """Facts from the bus: kept, queued for those entitled, and told to those concerned."""
        cases, merged = await store.load_cases(work.connection, _requests_in(events))
        names = await store.load_names(work.connection)
        batch = Batch(parts=self._parts, names=names, cases=cases, merged=merged)
        for event in events:
            HANDLES[type(event.fact)](batch, event)
        await self._save(work, batch)

    async def _save(self, work: Work, batch: Batch) -> None:
        connection = work.connection
        await store.save_names(connection, batch.new_names)
        await store.save_cases(connection, (batch.cases[request] for request in batch.changed), batch.merged)
        await store.add_facts(connection, batch.kept, work.now)
        listening = await store.list_enabled(connection) if batch.kept else []
        hearing = {endpoint.organisation for endpoint in listening if endpoint.organisation}
        earlier = await store.list_facts(connection, batch.with_a_past(hearing))
        await queue.add_deliveries(connection, list(batch.deliveries(listening, earlier)), work.now)
        await self._save_notices(work, batch.notices)

    async def _save_notices(self, work: Work, told: Sequence[dict[str, Any]]) -> None:
        """The app's inbox has a notice once it is stored; the provider's are sent."""
        stored = {"created_at": work.now, "outcome": NoticeOutcome.DELIVERED, "outcome_at": work.now}
        waiting = stored | {"outcome": None, "outcome_at": None}
        rows = [row | (stored if row["medium"] == Medium.APP else waiting) for row in told]
        await store.add_notices(work.connection, rows)
        to_provider = [row for row in rows if row["medium"] == Medium.PROVIDER]
        await queue.add_notice_deliveries(work.connection, PROVIDER_ID, to_provider, work.now)
        for row in rows:
            if row["medium"] == Medium.APP and row["request_id"] is not None:
                state_notified(work, row, NoticeOutcome.DELIVERED)

    async def fire(self, work: Work, timers: Sequence[Timer]) -> None:
        """Due timers: disable what has failed for too long, forget what is old."""
        failing = {UUID(timer.key) for timer in timers if timer.kind == endpoints.FAILING_TIMER}
        for endpoint in (await store.lock_endpoints(work.connection, failing)).values() if failing else ():
            await self._judge(work, endpoint)
        if any(timer.kind == RETENTION_TIMER for timer in timers):
            await self.forget(work)

    async def _judge(self, work: Work, endpoint: Endpoint) -> None:
        if endpoint.has_lastingly_failed(work.now, self._parts.limits):
            failed = endpoint.fail_for_good()
            await store.save_endpoint(work.connection, failed)
            endpoints.state_disabled(work, failed)
        elif endpoint.enabled and endpoint.failing_since is not None:
            work.set_timer(endpoints.FAILING_TIMER, str(endpoint.id), work.now + LOOK_AGAIN)

    async def forget(self, work: Work) -> None:
        """Delete what is older than its retention, and look again later; at once where there may be more."""
        gone = await store.forget_before(work.connection, work.now - self._parts.retention, RETENTION_ROWS)
        again = timedelta(seconds=1) if gone >= RETENTION_ROWS else RETENTION_EVERY
        work.set_timer(RETENTION_TIMER, RETENTION_TIMER, work.now + again)


def state_notified(work: Work, notice: Mapping[str, Any], outcome: NoticeOutcome) -> None:
    """State how a notice ended."""
    fact = r.PersonNotified(
        notice_id=notice["id"],
        addressee=notice["addressee"],
        organisation=notice["organisation"],
        medium=notice["medium"],
        about=notice["about"],
        outcome=outcome,
    )
    work.state(fact, notice["request_id"])


def _kept(event: Event[Any], request_id: UUID | None, number: int) -> KeptFact:
    return KeptFact(
        event_id=event.id,
        request_id=request_id,
        number=number,
        type=event.type,
        source=event.source,
        sequence=event.sequence,
        at=event.time,
        data=event.fact.model_dump(mode="json", exclude_none=True),
    )


def _requests_in(events: Sequence[Event[Fact]]) -> set[UUID]:
    """The requests that these facts are about, and those into which one was merged."""
    about = {UUID(event.subject) for event in events if isinstance(event.fact, r.RequestFact)}
    return about | {event.fact.into for event in events if isinstance(event.fact, r.RequestMerged)}
