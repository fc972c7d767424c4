"""What triage decides: an assessment of a text, and what becomes of it when more is said. Pure.

Machine and person are held apart: the machine may raise what it decided and never lowers it; what a person decided
it only overrules upward, to red.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.requests import Reason
from shared.contracts.vocabulary import Category, Colour, Decider, Language
from triage.colours import Finding, Found, higher, soon_by
from triage.deadlines import Deadline, find_deadline
from triage.rules import Rules
from triage.signs import Hit, Standing

MOST_REASONS = 12
TRANSPORT = "transport"
RAISED = {Colour.GREEN: Colour.YELLOW, Colour.YELLOW: Colour.RED, Colour.RED: Colour.RED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that triage works on, masked."""

    text: str
    language: Language
    filed_at: datetime
    received_at: datetime
    stated_category: Category | None = None
    id: UUID | None = None


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
        """How dear a mistake would be: the review queue is worked from the dearest down."""
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
    return assess_all(
        [
            Text(
                text=text,
                language=language,
                filed_at=filed_at,
                received_at=received_at,
                stated_category=stated_category,
            )
        ],
        rules,
    )


@dataclass(slots=True)
class _Read:
    """All texts of a request, read together: hits are told apart by the text they are in."""

    found: dict[str, list[Hit]] = field(default_factory=dict)
    source: dict[int, Text] = field(default_factory=dict)
    """Of each hit, by its identity."""
    deadline: Deadline | None = None
    deadline_text: Text | None = None
    set_aside: bool = False
    """A danger was named, but as over, denied or feared."""


def assess_all(texts: Sequence[Text], rules: Rules) -> Assessment:
    """The assessment of a request from all that was said; the clocks run from the newest text's receipt."""
    read = _read(texts, rules)
    found = rules.complete(read.found)
    newest = texts[-1]
    deadline = read.deadline.at if read.deadline else None
    by_deadline = soon_by(deadline, (read.deadline_text or newest).filed_at, rules.zone)
    findings = rules.findings(found, by_deadline)
    colour, unsure, colour_reasons = _colour(findings, found, read, rules)
    if deadline and deadline < newest.received_at:
        colour = RAISED[colour]
        colour_reasons = [Reason(rule="deadline-missed", gives=colour.value), *colour_reasons]
    category, category_reasons = _category(findings, found, texts, read, rules)
    needs, need_reasons = _needs(category, found, read, rules)
    reasons = [*colour_reasons, *_deadline_reasons(read), *category_reasons, *need_reasons]
    if unsure:
        reasons.insert(0, Reason(rule=unsure, gives="unsure"))
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


def _read(texts: Sequence[Text], rules: Rules) -> _Read:
    read = _Read()
    danger = {name for rule in rules.colour_rules if rule.emergency for name in rule.needs}
    sentences = 0
    for text in texts:
        reading = rules.phrasebook.read(text.text)
        last = 0
        for hit in reading.hits:
            last = max(last, hit.sentence)
            if hit.standing is Standing.STANDS:
                placed = replace(hit, sentence=hit.sentence + sentences) if sentences else hit
                read.found.setdefault(hit.name, []).append(placed)
                read.source[id(placed)] = text
            elif hit.name in danger and hit.standing is not Standing.DENIED:
                read.set_aside = True
        sentences += last + 1
        deadline = find_deadline(reading.text, text.filed_at, rules.zone)
        if deadline and (read.deadline is None or deadline.at < read.deadline.at):
            read.deadline, read.deadline_text = deadline, text
    return read


def _reason(rule: str, gives: str, hit: Hit, read: _Read) -> Reason:
    text = read.source.get(id(hit))
    return Reason(rule=rule, gives=gives, text_id=text.id if text else None, start=hit.start, end=hit.end)


def _colour(findings: list[Finding], found: Found, read: _Read, rules: Rules) -> tuple[Colour, str, list[Reason]]:
    """The colour, why it is unsure (or nothing), and the reasons."""
    deciding = [each for each in findings if findings and each.colour is findings[0].colour]
    if not deciding:
        colour = rules.unknown["plea" if "plea" in found else "other"]
        quiet = any(name in found for name in ("question", "offer", "administration", "complaint_words", "thanks_over"))
        if "plea" in found and quiet:
            colour = min(colour, rules.unknown["other"], key=lambda each: each.rank)
        return colour, "" if quiet and not read.set_aside else "nothing-recognised", []
    colour = deciding[0].colour
    unsure = "" if any(each.rule.sure for each in deciding) else "doubtful-rule"
    if not unsure and colour is Colour.GREEN and read.set_aside:
        unsure = "danger-set-aside"
    reasons = []
    for finding in deciding:
        reasons += [_reason(finding.rule.id, colour.value, hit, read) for hit in finding.hits[:3]]
        reasons += [_reason(finding.rule.id, "vulnerable", hit, read) for hit in finding.raised]
    return colour, unsure, reasons[: MOST_REASONS - 6]


def _category(
    findings: list[Finding], found: Found, texts: Sequence[Text], read: _Read, rules: Rules
) -> tuple[Category, list[Reason]]:
    """The heaviest category, or the one that a deciding rule names."""
    for finding in findings:
        if finding.rule.category and finding.colour is findings[0].colour:
            named = Category(finding.rule.category)
            return named, [_reason(finding.rule.id, named.value, finding.hits[0], read)]
    weights = _weights(found, texts, read, rules)
    if not weights or max(sum(each.values()) for each in weights.values()) < rules.weights.least:
        return Category.OTHER, []
    order = list(Category)
    best = max(weights, key=lambda category: (sum(weights[category].values()), -order.index(category)))
    heaviest = sorted(weights[best].items(), key=lambda item: -item[1])[:3]
    hits = {_words(hit, read): hit for hits in found.values() for hit in hits}
    return best, [_reason("words", best.value, hits[words], read) for words, _ in heaviest if words in hits]


def _words(hit: Hit, read: _Read) -> str:
    text = read.source.get(id(hit))
    return text.text[hit.start : hit.end] if text else ""


def _weights(found: Found, texts: Sequence[Text], read: _Read, rules: Rules) -> dict[Category, dict[str, float]]:
    """What each word weighs for each category; a word counts once, more in a sentence that asks for something."""
    asking = {hit.sentence for hit in found.get("plea", ())}
    weights: dict[Category, dict[str, float]] = {}
    for name, hits in found.items():
        if name in rules.weights.words:
            speaks: tuple[tuple[Category, float], ...] = (rules.weights.words[name],)
        else:
            speaks = rules.weights.signs.get(name, ())
            hits = hits[:1]  # noqa: PLW2901 a sign speaks once, in however many words
        for category, weight in speaks:
            of = weights.setdefault(category, {})
            for hit in hits:
                words = _words(hit, read)
                heavier = weight * (rules.weights.asking if hit.sentence in asking else 1)
                of[words] = max(of.get(words, 0.0), heavier)
    stated = next((text.stated_category for text in reversed(texts) if text.stated_category), None)
    if stated:
        weights.setdefault(stated, {})["\0stated"] = rules.weights.stated
    return weights


def _needs(category: Category, found: Found, read: _Read, rules: Rules) -> tuple[tuple[str, ...], list[Reason]]:
    """What the request needs beside its lead; what the lead itself gives is none."""
    reasons = {}
    for need in rules.needs:
        if need.gives in reasons or (need.gives == TRANSPORT and category is Category.TRANSPORT):
            continue
        one = [found[name][0] for name in need.one_of if name in found]
        if one and all(name in found for name in need.needs):
            reasons[need.gives] = _reason(need.id, need.gives, one[0], read)
    return tuple(reasons), list(reasons.values())


def _deadline_reasons(read: _Read) -> list[Reason]:
    if not read.deadline or not read.deadline_text:
        return []
    at = read.deadline
    return [Reason(rule="deadline", gives="deadline", text_id=read.deadline_text.id, start=at.start, end=at.end)]


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
    more_urgent = after.colour.rank > before.colour.rank
    unsure = before.unsure or after.unsure
    return replace(
        after,
        colour=colour,
        category=after.category if more_urgent or before.category is Category.OTHER else before.category,
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
