"""What triage decides: an assessment of a text, and what becomes of it when more is said. Pure.

Machine and person are held apart: the machine may raise what it decided and never lowers it; what a person decided
it only overrules upward, to red.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.contracts import Event, Fact
from shared.contracts.life import Life, fold
from shared.contracts.requests import Reason, RequestReceived, RequestTriaged, TaskAssigned
from shared.contracts.vocabulary import ENDINGS, Category, Colour, Decider, Language, Status
from shared.identity import HANDLERS, OVERSIGHT, Kind, Principal, may_read
from shared.problems import Forbidden, NotFound, NotInThisState, RevisionConflict
from triage.colours import Finding, Found, higher, soon_by, verdict
from triage.deterioration import HANDLED, Deterioration, by_contact, next_due
from triage.reading import Read, Text, read_all
from triage.rules import OTHER, Rules
from triage.tree import BELOW

MOST_REASONS = 12
TRANSPORT = "transport"
READERS = OVERSIGHT | HANDLERS | {Kind.GRID_WORKER}
"""Who may read the assessments of a request that is theirs to see."""
MOST_COST = 9
RAISED = {Colour.GREEN: Colour.YELLOW, Colour.YELLOW: Colour.RED, Colour.RED: Colour.RED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What triage holds of a request."""

    category: Category
    colour: Colour
    deadline: datetime | None = None
    needs: tuple[str, ...] = ()
    emergency: bool = False
    vulnerable: bool = False
    unsure: bool = False
    review_due_at: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    policy_version: str
    decided_by: Decider = Decider.MACHINE

    @property
    def cost(self) -> int:
        """How dear a mistake would be, 0 to MOST_COST: the review queue is worked from the dearest down."""
        return 4 * self.emergency + 2 * self.colour.rank + self.vulnerable

    def says_the_same(self, other: "Assessment") -> bool:
        """Whether nothing that matters to others differs."""
        return _decided(self) == _decided(other)


def _decided(assessment: Assessment) -> tuple[object, ...]:
    a = assessment
    return (a.category, a.colour, a.deadline, a.needs, a.emergency, a.unsure)


def assess(
    text: str,
    language: Language,
    filed_at: datetime,
    received_at: datetime,
    stated_category: Category | None,
    rules: Rules,
) -> Assessment:
    """Category, colour, deadline and needs of one text, each with its reasons; never raises on any text."""
    said = Text(
        text=text, language=language, filed_at=filed_at, received_at=received_at, stated_category=stated_category
    )
    return assess_all([said], rules)


def assess_all(texts: Sequence[Text], rules: Rules) -> Assessment:
    """The assessment of a request from all that was said; the clocks run from the newest text's receipt."""
    read = read_all(texts, rules)
    found = rules.complete(read.found)
    newest = texts[-1]
    deadline = read.deadline.at.astimezone(UTC) if read.deadline else None
    by_deadline = soon_by(deadline, (read.deadline_text or newest).filed_at, rules.zone)
    findings = rules.findings(found, by_deadline)
    category, category_reasons = _category(findings, found, read, rules)
    words = rules.weights.speaks_of(category) if category_reasons else OTHER
    colour, unsure = verdict(findings, found, rules.unknown, words, read.set_aside)
    colour_reasons = _colour_reasons(findings, read)
    if deadline and deadline < newest.received_at:
        colour = RAISED[colour]
        colour_reasons = [Reason(rule="deadline-missed", gives=colour.value), *colour_reasons]
    if node := rules.tree[category].closest(category, found):
        category_reasons.insert(0, read.reason(BELOW, *node))
    needs, need_reasons = _needs(category, found, read, rules)
    doubts = [Reason(rule=unsure, gives="unsure")] if unsure else []
    reasons = [*doubts, *colour_reasons, *_deadline_reasons(read), *category_reasons, *need_reasons]
    return Assessment(
        category=category,
        colour=colour,
        deadline=deadline,
        needs=needs,
        emergency=any(each.rule.emergency and each.colour is Colour.RED for each in findings),
        vulnerable="frail" in found,
        unsure=bool(unsure),
        review_due_at=review_due_at(colour, newest.received_at, rules) if unsure else None,
        reasons=tuple(reasons[:MOST_REASONS]),
        policy_version=rules.version,
    )


def review_due_at(colour: Colour, received_at: datetime, rules: Rules) -> datetime:
    """By when a person must have looked at an assessment that is unsure."""
    return received_at + timedelta(minutes=rules.review_minutes[colour])


def _colour_reasons(findings: list[Finding], read: Read) -> list[Reason]:
    """Why the colour: every rule that gives the highest, with its words."""
    reasons: list[Reason] = []
    for finding in findings:
        if finding.colour is findings[0].colour:
            reasons += [read.reason(finding.rule.id, finding.colour.value, hit) for hit in finding.hits[:3]]
            reasons += [read.reason(finding.rule.id, "vulnerable", hit) for hit in finding.raised]
    return reasons[: MOST_REASONS - 6]


def _category(findings: list[Finding], found: Found, read: Read, rules: Rules) -> tuple[Category, list[Reason]]:
    """The category that a deciding rule names, or the heaviest."""
    for finding in findings:
        if finding.rule.category and finding.colour is findings[0].colour:
            return finding.rule.category, [read.reason(finding.rule.id, finding.rule.category.value, finding.hits[0])]
    deciding = frozenset(hit.name for each in findings if each.colour is findings[0].colour for hit in each.hits)
    stated = next((text.stated_category for text in reversed(read.texts) if text.stated_category), None)
    category, speaking = rules.weights.heaviest(found, deciding, read.words, stated)
    return category, [read.reason("words", category.value, hit) for hit in speaking]


def _needs(category: Category, found: Found, read: Read, rules: Rules) -> tuple[tuple[str, ...], list[Reason]]:
    """What the request needs beside its lead; what the lead itself gives is none."""
    reasons = {}
    for need in rules.needs:
        if need.gives in reasons or (need.gives == TRANSPORT and category is Category.TRANSPORT):
            continue
        one = [found[name][0] for name in need.one_of if name in found]
        if one and all(name in found for name in need.needs):
            reasons[need.gives] = read.reason(need.id, need.gives, one[0])
    return tuple(reasons), list(reasons.values())


def _deadline_reasons(read: Read) -> list[Reason]:
    if not read.deadline or not read.deadline_text:
        return []
    at = read.deadline
    rule = f"deadline-{at.how}" + ("" if at.sure else "-unsure")
    return [Reason(rule=rule, gives="deadline", text_id=read.deadline_text.id, start=at.start, end=at.end)]


# What becomes of an assessment


def amended(before: Assessment, texts: Sequence[Text], rules: Rules, *, person_decided: bool) -> Assessment:
    """The assessment after another text, the last of `texts`: raised by it or as it was, never lowered.

    After a person's word only the new text counts, and it overrules only upward, to red.
    """
    newest = texts[-1]
    if person_decided:
        alone = assess_all([newest], rules)
        if alone.colour is not Colour.RED or before.colour is Colour.RED:
            return before
        raised = replace(alone, category=before.category, needs=_union(before, alone), unsure=True)
        return replace(
            raised,
            deadline=_earlier(before.deadline, alone.deadline),
            review_due_at=review_due_at(Colour.RED, newest.received_at, rules),
        )
    after = assess_all(texts, rules)
    colour = higher(before.colour, after.colour)
    category = before.category
    if after.colour.rank > before.colour.rank or category is Category.OTHER:
        alone = assess_all([newest], rules)
        category = alone.category if alone.colour is colour else after.category
    unsure = before.unsure or after.unsure
    return replace(
        after,
        colour=colour,
        category=category,
        deadline=_earlier(before.deadline, after.deadline),
        needs=_union(before, after),
        emergency=before.emergency or after.emergency,
        vulnerable=before.vulnerable or after.vulnerable,
        unsure=unsure,
        review_due_at=_review_after(before, colour, newest, rules) if unsure else None,
    )


def _review_after(before: Assessment, colour: Colour, newest: Text, rules: Rules) -> datetime:
    due = review_due_at(colour, newest.received_at, rules)
    return min(due, before.review_due_at) if before.review_due_at else due


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [each for each in (one, other) if each]
    return min(known, default=None)


def _union(before: Assessment, after: Assessment) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before.needs, *after.needs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a person decides instead of the machine; a value that is not in `sets` stays as it is."""

    sets: frozenset[str]
    category: Category | None = None
    colour: Colour | None = None
    deadline: datetime | None = None


def overridden(before: Assessment, override: Override) -> Assessment:
    """The assessment as a person set it: sure, and no longer to be reviewed."""
    colour = override.colour or before.colour
    category = override.category or before.category
    return replace(
        before,
        category=category,
        colour=colour,
        deadline=override.deadline if "deadline" in override.sets else before.deadline,
        needs=tuple(n for n in before.needs if n != TRANSPORT or category is not Category.TRANSPORT),
        emergency=before.emergency and colour is Colour.RED,
        unsure=False,
        review_due_at=None,
        decided_by=Decider.PERSON,
    )


# A request's place in triage


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What triage knows of a request: where it stands by the log, who may read it, what was decided last."""

    request_id: UUID
    status: Status = Status.RECEIVED
    area: str | None = None
    organisations: frozenset[str] = frozenset()
    """Those that have or had a task."""
    revision: int = 0
    current: Assessment | None = None
    person_decided: bool = False
    """Whether any revision was a person's: the machine then only raises to red."""
    received_at: datetime | None = None
    """When its first text was received; null before."""
    alarms: int = 0
    """How many alarms the review that is open has raised."""

    @property
    def has_ended(self) -> bool:
        """True where there is nothing to triage any more."""
        return self.status in ENDINGS

    @property
    def awaits_review(self) -> bool:
        """True where a person is asked to confirm."""
        return not self.has_ended and self.current is not None and self.current.unsure

    def hear(self, event: Event[Fact]) -> "Case":
        """After the log brought a fact; the status follows the one table that all services fold by."""
        fact = event.fact
        case = self
        if isinstance(fact, RequestReceived):
            case = replace(case, area=fact.area)
        elif isinstance(fact, TaskAssigned):
            case = replace(case, organisations=case.organisations | {fact.organisation})
        life = Life(
            request_id=case.request_id,
            status=case.status,
            received_at=event.time,
            changed_at=event.time,
            holder=None,
            receipt="",
        )
        return replace(case, status=fold(life, event).status)

    def decide(self, assessment: Assessment) -> "Case":
        """With a new assessment as the next revision."""
        return replace(
            self,
            revision=self.revision + 1,
            current=assessment,
            person_decided=self.person_decided or assessment.decided_by is Decider.PERSON,
        )


def after_text(case: Case, texts: Sequence[Text], rules: Rules) -> Case:
    """The case once the last of `texts` was read; the same one where nothing that matters changed."""
    if case.has_ended:
        return case
    if case.current is None:
        return replace(case.decide(assess_all(texts, rules)), received_at=texts[0].received_at)
    after = amended(case.current, texts, rules, person_decided=case.person_decided)
    if not case.person_decided and calls_again(texts[-1], rules):
        after = contacted_again(after, texts[-1].received_at, rules)
    return case if after.says_the_same(case.current) else case.decide(after)


def calls_again(text: Text, rules: Rules) -> bool:
    """Whether a further text calls for help, and does not say that all is well."""
    found = rules.complete(rules.phrasebook.read(text.text).standing())
    return "plea" in found and not any(name in found for name in ("solved", "settled", "thanks_over"))


def contacted_again(before: Assessment, at: datetime, rules: Rules) -> Assessment:
    """The assessment after a second contact: raised where a rule of the policy says so."""
    rule = by_contact(rules.deterioration, before.colour, before.category, vulnerable=before.vulnerable)
    return raised_by(rule, before, at, rules) if rule else before


def raised_by(rule: Deterioration, before: Assessment, at: datetime, rules: Rules) -> Assessment:
    """One step up, by a rule of deterioration; a person looks at it."""
    colour = RAISED[before.colour]
    reasons = (Reason(rule=rule.id, gives=colour.value), *before.reasons)
    return replace(
        before,
        colour=colour,
        unsure=True,
        review_due_at=review_due_at(colour, at, rules),
        reasons=reasons[:MOST_REASONS],
        policy_version=rules.version,
    )


def worsens_at(case: Case, rules: Rules) -> tuple[datetime, Deterioration] | None:
    """When mere time raises the colour, and by which rule; None where it does not, or somebody has decided."""
    a = case.current
    if a is None or case.received_at is None or case.has_ended or case.person_decided or case.status in HANDLED:
        return None
    return next_due(rules.deterioration, a.colour, a.category, case.received_at, a.deadline, vulnerable=a.vulnerable)


def worsened(case: Case, now: datetime, rules: Rules) -> Case:
    """The case after so much time: the same one where no rule raises it yet."""
    due = worsens_at(case, rules)
    if due is None or due[0] > now or case.current is None:
        return case
    return case.decide(raised_by(due[1], case.current, now, rules))


def replayed(texts: Sequence[Text], rules: Rules) -> Assessment:
    """What these rules would have decided on a request, text by text as they came."""
    made = assess_all(texts[:1], rules)
    for n in range(2, len(texts) + 1):
        made = amended(made, texts[:n], rules, person_decided=False)
    return made


def triaged(case: Case) -> RequestTriaged:
    """The fact that states the present assessment; raises NotInThisState where there is none."""
    a = assessment_of(case)
    return RequestTriaged(
        revision=case.revision,
        category=a.category,
        colour=a.colour,
        deadline=a.deadline,
        needs=a.needs,
        emergency=a.emergency,
        decided_by=a.decided_by,
        unsure=a.unsure,
        review_due_at=a.review_due_at,
        reasons=a.reasons,
        policy_version=a.policy_version,
    )


def assessment_of(case: Case) -> Assessment:
    """The present assessment; raises NotInThisState where the request was not triaged yet."""
    if case.current is None:
        raise NotInThisState("This request was not triaged yet. Try again in a moment.", state=case.status.value)
    return case.current


def permit(caller: Principal, case: Case | None, kinds: frozenset[Kind]) -> Case:
    """The case; raises NotFound for who may not see it, Forbidden for who may see it and is of no such kind."""
    if case is None or not may_read(caller, case.request_id, case.area, case.organisations):
        raise NotFound
    if caller.kind not in kinds:
        raise Forbidden
    return case


def override(case: Case, decision: Override, revision: int) -> Case:
    """The case after a person's word on `revision`; raises RevisionConflict or NotInThisState."""
    if case.has_ended:
        raise NotInThisState("The request has ended: there is nothing to triage.", state=case.status.value)
    before = assessment_of(case)
    if revision != case.revision:
        raise RevisionConflict(revision=case.revision)
    return replace(case.decide(overridden(before, decision)), alarms=0)
