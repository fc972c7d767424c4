"""Everything triage can do: verbs from the API, facts from the bus, and what is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts import Event, Fact, requests
from shared.contracts.life import TRANSITIONS
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.texts import TextErased, TextRecorded
from shared.contracts.vocabulary import AlarmKind, Language, Stage, TextKind
from shared.database import Transaction
from shared.identity import DESK, Principal
from shared.masking import mask
from shared.messaging.timers import moments_missed
from shared.messaging.work import Timer, Work
from shared.problems import Forbidden
from shared.web import Page, page, read_cursor
from triage import model, store
from triage.answers import AssessmentShown, ReasonShown, ReviewShown, StandardAnswerShown
from triage.model import Case, Override
from triage.policies import InForce
from triage.reading import Text
from triage.recall import recall
from triage.rules import Rules
from triage.standard import proposed
from triage.store import Decision
from triage.tree import below

REVIEW_OVERDUE = "review_overdue"
WORSENS = "worsens"
TRIAGED_KINDS = {TextKind.REQUEST, TextKind.AMENDMENT}


# Verbs


async def decide(
    work: Work, caller: Principal, request_id: UUID, decision: Override, reason: str, revision: int
) -> AssessmentShown:
    """A person's word in place of the machine's, or in confirmation of it; the request leaves the review queue."""
    before = model.permit(caller, (await store.lock_cases(work.connection, [request_id])).get(request_id), DESK)
    after = model.override(before, decision, revision)
    kept = Decision(
        request_id=request_id,
        revision=after.revision,
        assessment=model.assessment_of(after),
        at=work.now,
        decided_by_id=caller.id,
        reason=mask(reason),
    )
    await store.add_decisions(work.connection, [kept])
    await store.save_cases(work.connection, [after])
    work.state(model.triaged(after), request_id)
    _mind_review(work, before, after)
    work.cancel_timers(str(request_id), WORSENS)
    return _shown(kept, await _texts_of(work.connection, request_id))


async def list_assessments(
    connection: Transaction, caller: Principal, request_id: UUID, cursor: str | None, limit: int
) -> Page[AssessmentShown]:
    """What triage decided on a request, the newest first."""
    model.permit(caller, await store.find_case(connection, request_id), model.READERS)
    (before,) = read_cursor(cursor, int) or (None,)
    kept = await store.list_decisions(connection, request_id, before, limit + 1)
    texts = await _texts_of(connection, request_id)
    return page(kept, limit, lambda each: _shown(each, texts), lambda each: (each.revision,))


async def list_reviews(
    connection: Transaction, caller: Principal, now: datetime, cursor: str | None, limit: int
) -> Page[ReviewShown]:
    """What a person must look at, the dearest mistakes first, then what is due first."""
    if caller.kind not in DESK:
        raise Forbidden
    reviews = await store.list_reviews(connection, read_cursor(cursor, int, datetime, UUID), limit + 1)
    return page(
        reviews,
        limit,
        lambda each: _review_shown(each, now),
        lambda each: (each.order, each.due_at.isoformat(), each.case.request_id),
    )


async def propose_answers(
    connection: Transaction, caller: Principal, in_force: InForce, request_id: UUID, now: datetime
) -> list[StandardAnswerShown]:
    """Standard answers to what was asked, for the person who answers."""
    model.permit(caller, await store.find_case(connection, request_id), model.READERS)
    rules = await in_force.rules(connection)
    today = now.astimezone(rules.zone).date()
    found: list[StandardAnswerShown] = []
    for text in (await store.load_texts(connection, [request_id]))[request_id]:
        for answer, hit in proposed(rules.answers, rules.phrasebook.read(text.text).hits, today):
            shown = StandardAnswerShown(
                **answer.model_dump(include={"id", "source", "valid_from", "valid_until", "review_by"}),
                answer={Language.ZH: answer.answer.zh, Language.EN: answer.answer.en},
                review_overdue=answer.review_by < today,
                words=text.text[hit.start : hit.end],
            )
            found += [shown] if all(each.id != shown.id for each in found) else []
    return found


async def _texts_of(connection: Transaction, request_id: UUID) -> dict[UUID, str]:
    texts = await store.load_texts(connection, [request_id])
    return {text.id: text.text for text in texts[request_id] if text.id}


def _shown(kept: Decision, texts: dict[UUID, str]) -> AssessmentShown:
    a = kept.assessment
    return AssessmentShown(
        revision=kept.revision,
        category=a.category,
        subcategory=below(a.reasons),
        colour=a.colour,
        deadline=a.deadline,
        needs=list(a.needs),
        emergency=a.emergency,
        reasons=[
            ReasonShown(
                **reason.model_dump(),
                words=texts[reason.text_id][reason.start : reason.end] if reason.text_id in texts else None,
            )
            for reason in a.reasons
        ],
        decided_by=a.decided_by,
        decided_by_id=kept.decided_by_id,
        reason=kept.reason,
        unsure=a.unsure,
        review_due_at=a.review_due_at,
        policy_version=a.policy_version,
        at=kept.at,
    )


def _review_shown(review: store.Review, now: datetime) -> ReviewShown:
    a = model.assessment_of(review.case)
    return ReviewShown(
        request_id=review.case.request_id,
        revision=review.case.revision,
        category=a.category,
        colour=a.colour,
        deadline=a.deadline,
        emergency=a.emergency,
        area=review.case.area,
        review_due_at=review.due_at,
        overdue=review.due_at <= now,
    )


# Facts


@dataclass(slots=True)
class Batch:
    """What a batch of events needs and changes, in memory."""

    rules: Rules
    now: datetime
    cases: dict[UUID, Case]
    said: dict[UUID, list[Text]]
    """All texts of the requests that had some before."""
    new_texts: dict[UUID, list[Text]] = field(default_factory=dict)
    erased: set[UUID] = field(default_factory=set)
    archived: set[UUID] = field(default_factory=set)
    decisions: list[Decision] = field(default_factory=list)
    recalled: list[Decision] = field(default_factory=list)
    """Those that the log has already."""

    def decide(self, case: Case) -> None:
        """Keep a case with a new revision."""
        self.cases[case.request_id] = case
        self.decisions.append(_decision(case, self.now))

    def recall(self, case: Case, at: datetime) -> None:
        """Keep a case with a revision that the log has, in place of what was decided anew."""
        self.cases[case.request_id] = case
        made_again = (case.request_id, case.revision)
        self.decisions = [d for d in self.decisions if (d.request_id, d.revision) != made_again]
        self.recalled.append(_decision(case, at))


def _decision(case: Case, at: datetime) -> Decision:
    return Decision(request_id=case.request_id, revision=case.revision, assessment=model.assessment_of(case), at=at)


def on_text_recorded(batch: Batch, event: Event[Fact]) -> None:
    """A request's text, or an amendment's: assess it, unless the request has ended."""
    fact = event.fact
    assert isinstance(fact, TextRecorded)  # noqa: S101 as HANDLES says
    case = batch.cases.get(fact.request_id)
    if fact.kind not in TRIAGED_KINDS or case is None or case.has_ended:
        return
    text = Text(
        id=fact.text_id,
        text=fact.text,
        language=fact.language,
        filed_at=fact.filed_at,
        received_at=fact.received_at,
        stated_category=fact.stated_category,
        vulnerability=fact.vulnerability,
    )
    said = batch.said.setdefault(fact.request_id, [])
    said.append(text)
    batch.new_texts.setdefault(fact.request_id, []).append(text)
    after = model.after_text(case, said, batch.rules)
    if after.revision != case.revision:
        batch.decide(after)


def on_text_erased(batch: Batch, event: Event[Fact]) -> None:
    """The words go; what was decided stays."""
    batch.erased.add(UUID(event.key))


def on_life(batch: Batch, event: Event[Fact]) -> None:
    """Where the request stands, where it is, and who has a task on it."""
    case = batch.cases.get(UUID(event.subject))
    if case is not None:
        batch.cases[case.request_id] = case.hear(event)


def on_request_merged(batch: Batch, event: Event[Fact]) -> None:
    """Somebody asks for the second time: the request that stays may rise."""
    fact = event.fact
    assert isinstance(fact, requests.RequestMerged)  # noqa: S101 as HANDLES says
    on_life(batch, event)
    into = batch.cases.get(fact.into)
    if into is None or into.current is None or into.has_ended or into.person_decided:
        return
    after = model.contacted_again(into.current, event.time, batch.rules)
    if after is not into.current:
        batch.decide(into.decide(after))


def on_foretold(batch: Batch, event: Event[Fact]) -> None:
    """What a lost state of the database had decided stands."""
    case = batch.cases.get(UUID(event.subject))
    if case is not None and isinstance(event.fact, requests.RequestTriaged):
        batch.recall(recall(case, event.fact), event.time)


def on_request_archived(batch: Batch, event: Event[Fact]) -> None:
    """What persons wrote about it goes too."""
    batch.archived.add(UUID(event.subject))
    on_life(batch, event)


HANDLES: dict[type[Fact], Callable[[Batch, Event[Fact]], None]] = {
    **dict.fromkeys(TRANSITIONS, on_life),
    requests.RequestReceived: on_life,
    requests.RequestArchived: on_request_archived,
    requests.RequestMerged: on_request_merged,
    TextRecorded: on_text_recorded,
    TextErased: on_text_erased,
}


async def take(in_force: InForce, work: Work, events: Sequence[Event[Fact]]) -> None:
    """Facts from the bus: load what the batch needs, decide in memory, write what changed."""
    beginning = {_request_id(event) for event in events if _begins(event)}
    known = {_request_id(event) for event in events if not isinstance(event.fact, TextErased)}
    known |= {event.fact.into for event in events if isinstance(event.fact, requests.RequestMerged)}
    known -= beginning
    rules = await in_force.rules(work.connection)
    cases = await store.open_cases(work.connection, beginning)
    cases |= await store.lock_cases(work.connection, known) if known else {}
    before = dict(cases)
    spoken = {each for each, case in cases.items() if case.current and each in beginning}
    batch = Batch(rules, work.now, cases, await store.load_texts(work.connection, spoken) if spoken else {})
    for event in events:
        HANDLES[type(event.fact)](batch, event)
        if str(event.id) in work.foretold:
            on_foretold(batch, event)
    await _save(work, batch, before)


def _begins(event: Event[Fact]) -> bool:
    """Whether a case may begin with it: the request's receipt, or its text, whichever is read first."""
    fact = event.fact
    if isinstance(fact, TextRecorded):
        return fact.kind in TRIAGED_KINDS
    return isinstance(fact, requests.RequestReceived)


def _request_id(event: Event[Fact]) -> UUID:
    return event.fact.request_id if isinstance(event.fact, TextRecorded) else UUID(event.subject)


async def _save(work: Work, batch: Batch, before: dict[UUID, Case]) -> None:
    changed = [case for each, case in batch.cases.items() if case != before[each]]
    for case in changed:
        _mind_review(work, before[case.request_id], case)
        _mind_worsening(work, before[case.request_id], case, batch.rules)
    closed = {case.request_id for case in changed if not case.awaits_review}
    settled = [replace(case, alarms=0) if case.request_id in closed else case for case in changed]
    await store.add_texts(work.connection, batch.new_texts)
    await store.add_decisions(work.connection, batch.decisions)
    await store.add_decisions(work.connection, batch.recalled)
    await store.save_cases(work.connection, settled)
    await store.erase_texts(work.connection, batch.erased)
    await store.erase_reasons(work.connection, batch.archived)
    for decision in batch.decisions:
        case = replace(before[decision.request_id], revision=decision.revision, current=decision.assessment)
        work.state(model.triaged(case), decision.request_id)


def _mind_review(work: Work, before: Case, after: Case) -> None:
    """Set the clock of a review that opened or moved; stop it, and clear its alarm, where it is over."""
    key = str(after.request_id)
    if after.awaits_review and after.current and after.current.review_due_at:
        known = before.current.review_due_at if before.current and before.awaits_review else None
        if after.current.review_due_at != known:
            work.set_timer(REVIEW_OVERDUE, key, after.current.review_due_at)
    elif before.awaits_review:
        work.cancel_timers(key, REVIEW_OVERDUE)
        if before.alarms:
            work.state(
                AlarmCleared(service=work.source, kind=AlarmKind.REVIEW_OVERDUE, request_id=after.request_id), key
            )


def _mind_worsening(work: Work, before: Case, after: Case, rules: Rules) -> None:
    """Set the clock by which mere time raises a colour; stop it where it no longer may."""
    due, known = model.worsens_at(after, rules), model.worsens_at(before, rules)
    if due and (known is None or due[0] != known[0]):
        work.set_timer(WORSENS, str(after.request_id), due[0])
    elif known and not due:
        work.cancel_timers(str(after.request_id), WORSENS)


# What is due


async def fire(in_force: InForce, work: Work, timers: Sequence[Timer]) -> None:
    """A review is overdue, or time has made a request more urgent."""
    rules = await in_force.rules(work.connection)
    cases = await store.lock_cases(work.connection, {UUID(timer.key) for timer in timers})
    await _worsen(rules, work, [timer for timer in timers if timer.kind == WORSENS], cases)
    await _alarm(rules, work, [timer for timer in timers if timer.kind == REVIEW_OVERDUE], cases)


async def _worsen(rules: Rules, work: Work, timers: Sequence[Timer], cases: dict[UUID, Case]) -> None:
    """Raise what time has made more urgent; the cases are as they are after it."""
    batch = Batch(rules, work.now, cases, {})
    before = dict(cases)
    for timer in timers:
        case = cases.get(UUID(timer.key))
        after = model.worsened(case, work.now, rules) if case else None
        if case and after and after is not case:
            batch.decide(after)
        elif case and (due := model.worsens_at(case, rules)):
            work.set_timer(WORSENS, timer.key, due[0])
    await _save(work, batch, before)


async def _alarm(rules: Rules, work: Work, timers: Sequence[Timer], cases: dict[UUID, Case]) -> None:
    """Say that a review is overdue, and again until somebody looks."""
    raised = []
    for timer in timers:
        case = cases.get(UUID(timer.key))
        if case is None or not case.awaits_review:
            continue
        every = timedelta(minutes=rules.alarm_every_minutes[model.assessment_of(case).colour])
        missed, again_at = moments_missed(timer.due_at, every, work.now)
        case = replace(case, alarms=case.alarms + 1 + missed)
        raised.append(case)
        work.set_timer(timer.kind, timer.key, again_at)
        work.state(
            AlarmRaised(
                service=work.source,
                kind=AlarmKind.REVIEW_OVERDUE,
                request_id=case.request_id,
                stage=Stage.TRIAGE_CONFIRMED,
                count=case.alarms,
            ),
            timer.key,
        )
    await store.save_cases(work.connection, raised)
