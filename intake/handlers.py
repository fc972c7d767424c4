"""What intake can do with a request that is there: verbs from the API, facts from the bus. Filing is in filing.py."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from intake import model, receipts, store
from intake.answers import Amended, ContactView, LoggedView, Standing
from intake.custody import Custody
from intake.filing import Tools
from intake.model import Act, Case, Details
from shared.contracts import Event, Fact, requests, texts
from shared.contracts.directory import AreaRecorded
from shared.contracts.life import TRANSITIONS
from shared.contracts.operations import AlarmRaised
from shared.contracts.vocabulary import AlarmKind, Decider, Language, RejectionReason, TextKind, WithdrawalReason
from shared.database import Transaction
from shared.identity import Kind, Principal
from shared.ids import new_id
from shared.masking import mask
from shared.messaging.work import Work
from shared.problems import Problem
from shared.tokens import make_tracking_token
from shared.web import Page, page, read_cursor


class ContactLost(Problem):
    """The contact of this request was lost with a database that had to be restored. Look for it in the texts."""

    status = HTTPStatus.GONE
    title = "Contact lost"


# Verbs


async def withdraw(work: Work, caller: Principal, request_id: UUID, reason: WithdrawalReason) -> Standing:
    """Take a request back."""
    case = model.permit(caller, Act.WITHDRAW, await _lock(work, request_id))
    return await _end(work, case, requests.RequestWithdrawn(reason=reason))


async def amend(work: Work, tools: Tools, caller: Principal, request_id: UUID, words: str) -> Amended:
    """Add something to a request that is open."""
    case = model.permit(caller, Act.AMEND, await _lock(work, request_id))
    model.must_be_open(case)
    filing = await store.load_filing(work.connection, request_id)
    text = await _keep_text(tools.custody, work, filing, words, TextKind.AMENDMENT)
    fact = requests.RequestAmended(text_id=text.text_id, text_hash=tools.custody.text_hash(text.text_id, text.text))
    work.state(fact, request_id)
    work.state(text, request_id, text.text_id)
    await store.save_cases(work.connection, [case.say(fact, work.now)])
    return Amended(id=request_id, status=case.known.ahead.status, text_id=text.text_id)


async def reject(
    work: Work, tools: Tools, caller: Principal, request_id: UUID, reason: RejectionReason, explanation: str | None
) -> Standing:
    """Decide that this is no valid request, and say why; the explanation is for the resident to read."""
    case = model.permit(caller, Act.REJECT, await _lock(work, request_id))
    if explanation is None:
        bare = requests.RequestRejected(reason=reason, decided_by=Decider.PERSON, approved_by=caller.id)
        return await _end(work, case, bare)
    filing = await store.load_filing(work.connection, request_id)
    text = await _keep_text(tools.custody, work, filing, explanation, TextKind.NOTE)
    fact = requests.RequestRejected(
        reason=reason,
        decided_by=Decider.PERSON,
        approved_by=caller.id,
        text_id=text.text_id,
        text_hash=tools.custody.text_hash(text.text_id, text.text),
    )
    standing = await _end(work, case, fact)
    work.state(text, request_id, text.text_id)
    return standing


async def merge(work: Work, caller: Principal, request_id: UUID, into: str) -> Standing:
    """Handle a request within another, which is named by its id or its receipt."""
    target_id = await _find_target(work.connection, into)
    cases = await store.lock_cases(work.connection, {request_id, *([target_id] if target_id else [])})
    case = model.permit(caller, Act.MERGE, cases.get(request_id))
    target = cases.get(target_id) if target_id else None
    if target is None:
        raise model.NoSuchTarget
    fact = requests.RequestMerged(into=target.known.life.request_id)
    model.must_apply(case, fact)
    model.must_take(target, case)
    return await _end(work, case, fact)


async def view_contact(work: Work, tools: Tools, caller: Principal, request_id: UUID, purpose: str) -> ContactView:
    """Who asks for help and where exactly; that somebody looked is logged."""
    model.permit(caller, Act.VIEW_CONTACT, await store.find_case(work.connection, request_id))
    filing = await store.load_filing(work.connection, request_id)
    details = _details(tools.custody, filing)
    await store.add_view(
        work.connection,
        {
            "view_id": new_id(),
            "request_id": request_id,
            "viewer_kind": caller.kind.value,
            "viewer_id": caller.id,
            "organisation": caller.organisation,
            "purpose": mask(purpose, also=details.names, places=details.places),
            "viewed_at": work.now,
        },
    )
    originals = await store.list_originals(work.connection, request_id)
    is_service = caller.kind is Kind.SERVICE
    return ContactView(
        id=request_id,
        name=details.name,
        phone=details.phone,
        address=details.address,
        latitude=details.latitude,
        longitude=details.longitude,
        accuracy_m=details.accuracy_m,
        on_behalf_of=details.on_behalf_of,
        originals={text_id: tools.custody.open_text(text_id, sealed) for text_id, sealed in originals},
        tracking_token=make_tracking_token(tools.tracking_secret, request_id) if is_service else None,
    )


async def list_views(
    connection: Transaction, caller: Principal, request_id: UUID, cursor: str | None, limit: int
) -> Page[LoggedView]:
    """Who saw the contact, the first first."""
    model.permit(caller, Act.READ_VIEWS, await store.find_case(connection, request_id))
    (after,) = read_cursor(cursor, UUID) or (None,)
    rows = await store.list_views(connection, request_id, after, limit + 1)
    return page(rows, limit, _logged, lambda row: (row.view_id,))


def _logged(row: Any) -> LoggedView:
    return LoggedView(
        id=row.view_id,
        viewer_kind=row.viewer_kind,
        viewer_id=row.viewer_id,
        organisation=row.organisation,
        purpose=row.purpose,
        viewed_at=row.viewed_at,
    )


async def _lock(work: Work, request_id: UUID) -> Case | None:
    return (await store.lock_cases(work.connection, [request_id])).get(request_id)


async def _find_target(connection: Transaction, into: str) -> UUID | None:
    try:
        return UUID(into)
    except ValueError:
        receipt = receipts.read(into)
    return await store.find_id(connection, receipt) if receipt else None


async def _end(work: Work, case: Case, fact: requests.RequestFact) -> Standing:
    """State a fact that ends the request, where it may."""
    model.must_apply(case, fact)
    life = case.known.life
    work.state(fact, life.request_id)
    case = case.say(fact, work.now)
    await store.save_cases(work.connection, [case])
    return Standing(id=life.request_id, status=case.known.ahead.status, merged_into=case.known.ahead.merged_into)


async def _keep_text(
    custody: Custody, work: Work, filing: store.NewFiling, words: str, kind: TextKind
) -> texts.TextRecorded:
    """The text as it may leave; where that differs, the original is kept."""
    details = custody.open_details(filing.request_id, filing.details) if filing.details else None
    masked = mask(words, also=details.names if details else (), places=details.places if details else ())
    text_id = new_id()
    if masked != words:
        await store.add_originals(work.connection, [(text_id, filing.request_id, custody.seal_text(text_id, words))])
    return texts.TextRecorded(
        text_id=text_id,
        request_id=filing.request_id,
        kind=kind,
        text=masked,
        language=Language.of(words),
        filed_at=work.now,
        received_at=work.now,
        channel=filing.channel,
        stated_category=filing.category,
        persons=filing.persons,
    )


def _details(custody: Custody, filing: store.NewFiling) -> Details:
    if filing.details is None:
        raise ContactLost
    return custody.open_details(filing.request_id, filing.details)


# Facts


async def on_area_recorded(work: Work, events: Sequence[Event[Fact]]) -> None:
    """Keep the areas, by which a request's place is found."""
    await store.save_areas(work.connection, [e.fact for e in events if isinstance(e.fact, AreaRecorded)])


async def on_request_fact(work: Work, events: Sequence[Event[Fact]]) -> None:
    """Fold where requests stand, and which organisations have tasks on them."""
    before = await store.lock_cases(work.connection, {UUID(e.subject) for e in events})
    after = dict(before)
    for event in events:
        request_id = UUID(event.subject)
        if isinstance(event.fact, requests.RequestReceived):
            if request_id not in after:
                after[request_id] = before[request_id] = await _restore(work, event.fact, request_id)
        elif request_id in after:
            after[request_id] = after[request_id].hear(event, own=event.source == work.source)
    await store.save_cases(work.connection, model.changed(before, after))


async def _restore(work: Work, fact: requests.RequestReceived, request_id: UUID) -> Case:
    """A request that the log knows and a restored database does not: kept without its contact, and an alarm."""
    new = store.NewRequest(
        request_id=request_id,
        receipt=fact.receipt,
        area=fact.area,
        contact_hash=fact.contact_hash,
        received_at=fact.received_at,
    )
    filing = store.NewFiling(
        request_id=request_id,
        channel=fact.channel,
        category=fact.stated_category,
        persons=fact.persons,
        words="",
        details=None,
    )
    await store.add_requests(work.connection, [new])
    await store.add_filings(work.connection, [filing])
    alarm = AlarmRaised(service=work.source, kind=AlarmKind.CONTACT_LOST, request_id=request_id)
    work.state(alarm, request_id)
    return (await store.lock_cases(work.connection, [request_id]))[request_id]


Handler = Callable[[Work, Sequence[Event[Fact]]], Awaitable[None]]
FOLDED: tuple[type[Fact], ...] = (
    requests.RequestReceived,
    requests.RequestAmended,
    requests.TaskCancelled,
    requests.TaskFulfilled,
    *TRANSITIONS,
)
HANDLES: dict[type[Fact], Handler] = {AreaRecorded: on_area_recorded, **dict.fromkeys(FOLDED, on_request_fact)}


async def take(work: Work, events: Sequence[Event[Fact]]) -> None:
    """What the bus brings, in its order; each kind of handler gets what is for it."""
    for handler in dict.fromkeys(HANDLES.values()):
        mine = [event for event in events if HANDLES.get(type(event.fact)) is handler]
        if mine:
            await handler(work, mine)
