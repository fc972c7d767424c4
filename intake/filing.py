"""Filing: many requests at the same time, kept in one transaction; the hottest path of all."""

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from intake import contacts, duplicates, model, receipts, store
from intake.answers import Filed, FiledForStaff, PossibleDuplicate, Promises
from intake.custody import Custody
from intake.model import Filing
from intake.places import Areas, Place
from shared.contracts import requests, texts
from shared.contracts.vocabulary import Channel, Language, Status, TextKind
from shared.database import Transaction
from shared.identity import Principal
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Work
from shared.problems import Problem
from shared.tokens import make_tracking_token


class Atlas:
    """The areas in memory, loaded again when somebody has changed them."""

    def __init__(self) -> None:
        self._version = -1
        self._areas = Areas(())

    async def areas(self, connection: Transaction) -> Areas:
        """The areas as they are."""
        version = await store.load_atlas_version(connection)
        if version != self._version:
            self._areas, self._version = await store.load_areas(connection), version
        return self._areas


@dataclass(frozen=True, slots=True)
class Tools:
    """What verbs need beside the database."""

    custody: Custody
    tracking_secret: bytes
    atlas: Atlas


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A filing with all that can be worked out before the transaction."""

    caller: Principal
    filing: Filing
    request_id: UUID
    text_id: UUID
    words: str
    """The masked text."""
    language: Language
    contact_hash: str
    details: bytes
    original: bytes | None


def prepare(tools: Tools, caller: Principal, filing: Filing) -> Prepared:
    """Mask, seal and hash: the costly part, done while another transaction runs."""
    custody, request_id, text_id = tools.custody, new_id(), new_id()
    words = mask(filing.text, also=filing.details.names, places=filing.details.places)
    return Prepared(
        caller=caller,
        filing=filing,
        request_id=request_id,
        text_id=text_id,
        words=words,
        language=Language.of(filing.text),
        contact_hash=custody.hash("contact", filing.details.phone),
        details=custody.seal_details(request_id, filing.details),
        original=None if words == filing.text else custody.seal_text(text_id, filing.text),
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """A filing that is let in, with what the transaction knows of it."""

    prepared: Prepared
    channel: Channel
    place: Place
    receipt: str
    filed_at: datetime


async def file_requests(tools: Tools, work: Work, filings: list[Prepared]) -> list[Filed | Problem]:
    """Keep what is filed at the same time, in one transaction, and give each its receipt."""
    areas = await tools.atlas.areas(work.connection)
    outcomes = [_admit(areas, prepared, work.now) for prepared in filings]
    admitted = await _keep(work, [o for o in outcomes if isinstance(o, Admitted)])
    likely = await _find_duplicates(work, list(admitted.values()))
    for one in admitted.values():
        _state_filing(tools, work, one)
    return [
        o if isinstance(o, Problem) else _filed(tools, work.now, admitted[o.prepared.request_id], likely)
        for o in outcomes
    ]


def _admit(areas: Areas, prepared: Prepared, now: datetime) -> Admitted | Problem:
    filing, caller = prepared.filing, prepared.caller
    try:
        channel = model.channel_of(caller, filing.channel)
        filed_at = model.filed_at(caller, filing.filed_at, now)
        where = filing.details
        place = areas.find(
            area=filing.area,
            coordinates=where.coordinates,
            accuracy_m=where.accuracy_m or 0,
            address=where.address,
            text=filing.text,
        )
    except Problem as problem:
        return problem
    return Admitted(prepared, channel, place, _new_receipt(), filed_at)


async def _keep(work: Work, admitted: Sequence[Admitted]) -> dict[UUID, Admitted]:
    """Write them; one whose receipt is taken already gets another."""
    kept: dict[UUID, Admitted] = {}
    left = list(admitted)
    while left:
        ids = await store.add_requests(work.connection, [_new_request(a, work.now) for a in left])
        kept |= {a.prepared.request_id: a for a in left if a.prepared.request_id in ids}
        left = [replace(a, receipt=_new_receipt()) for a in left if a.prepared.request_id not in ids]
    if kept:
        await store.add_filings(work.connection, [_new_filing(a) for a in kept.values()])
        originals = [
            (a.prepared.text_id, a.prepared.request_id, a.prepared.original)
            for a in kept.values()
            if a.prepared.original is not None
        ]
        await store.add_originals(work.connection, originals)
    return kept


def _new_receipt() -> str:
    return receipts.make(secrets.randbelow(receipts.COUNT))


def _new_request(admitted: Admitted, now: datetime) -> store.NewRequest:
    return store.NewRequest(
        request_id=admitted.prepared.request_id,
        receipt=admitted.receipt,
        area=admitted.place.area,
        contact_hash=admitted.prepared.contact_hash,
        received_at=now,
    )


def _new_filing(admitted: Admitted) -> store.NewFiling:
    prepared = admitted.prepared
    return store.NewFiling(
        request_id=prepared.request_id,
        channel=admitted.channel,
        category=prepared.filing.category,
        persons=prepared.filing.persons,
        words=prepared.words,
        details=prepared.details,
    )


async def _find_duplicates(work: Work, admitted: Sequence[Admitted]) -> dict[str, list[duplicates.Candidate]]:
    """The open requests of the contacts for whom staff filed, by contact."""
    hashes = {a.prepared.contact_hash for a in admitted if a.prepared.caller.is_staff}
    found: dict[str, list[duplicates.Candidate]] = defaultdict(list)
    for candidate in await store.list_candidates(work.connection, hashes, work.now - duplicates.WINDOW):
        found[candidate.contact_hash].append(candidate)
    return found


def _state_filing(tools: Tools, work: Work, admitted: Admitted) -> None:
    """That it was received stands before its text, so that nobody reads a text of a request he does not know."""
    prepared = admitted.prepared
    work.state(_received(tools.custody, admitted, work.now), prepared.request_id)
    text = texts.TextRecorded(
        text_id=prepared.text_id,
        request_id=prepared.request_id,
        kind=TextKind.REQUEST,
        text=prepared.words,
        language=prepared.language,
        filed_at=admitted.filed_at,
        received_at=work.now,
        channel=admitted.channel,
        stated_category=prepared.filing.category,
        persons=prepared.filing.persons,
        vulnerability=prepared.filing.vulnerability,
    )
    work.state(text, prepared.request_id, prepared.text_id)


def _received(custody: Custody, admitted: Admitted, now: datetime) -> requests.RequestReceived:
    prepared, place = admitted.prepared, admitted.place
    filing, address = prepared.filing, prepared.filing.details.address
    household = contacts.household(address) if address else None
    building = contacts.building(household) if household else None
    return requests.RequestReceived(
        receipt=admitted.receipt,
        channel=admitted.channel,
        filed_by=model.filed_by(prepared.caller),
        on_behalf=filing.details.on_behalf_of is not None,
        language=prepared.language,
        area=place.area,
        place_source=place.source,
        place_confidence=place.confidence,
        place_doubt=place.doubt,
        contact_hash=prepared.contact_hash,
        household_hash=custody.hash("household", f"{place.area or ''}|{household}") if household else None,
        building_hash=custody.hash("building", f"{place.area or ''}|{building}") if building else None,
        stated_category=filing.category,
        persons=filing.persons,
        vulnerability=filing.vulnerability,
        text_id=prepared.text_id,
        text_hash=custody.text_hash(prepared.text_id, prepared.words),
        filed_at=admitted.filed_at,
        received_at=now,
    )


def _filed(tools: Tools, now: datetime, admitted: Admitted, likely: dict[str, list[duplicates.Candidate]]) -> Filed:
    prepared = admitted.prepared
    answer: dict[str, Any] = {
        "id": prepared.request_id,
        "receipt": admitted.receipt,
        "status": Status.RECEIVED,
        "tracking_token": _tracking_token(tools, prepared),
        "promises": Promises(triage_by=now + model.TRIAGE_PROMISE),
    }
    if not prepared.caller.is_staff:
        return Filed(**answer)
    others = [c for c in likely[prepared.contact_hash] if c.request_id != prepared.request_id]
    named = [
        PossibleDuplicate(
            id=c.request_id,
            receipt=c.receipt,
            status=c.status,
            received_at=c.received_at,
            similarity=round(similarity, 2),
        )
        for similarity, c in duplicates.rank(prepared.words, others)
    ]
    return FiledForStaff(**answer, possible_duplicates=named)


def _tracking_token(tools: Tools, prepared: Prepared) -> str | None:
    """None for handlers, who could rate their own answer with it."""
    return None if prepared.caller.is_handler else make_tracking_token(tools.tracking_secret, prepared.request_id)
