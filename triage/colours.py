"""The colour of a request: how grave, how soon, how certain. Pure.

Each rule that fits says how grave its matter is and how soon help must come; a table makes a colour of the two, and
the most urgent colour holds. A vulnerable person raises how grave it is, a deadline how soon. In doubt: the higher
colour, and a person looks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

from shared.contracts.vocabulary import Category, Colour
from triage.signs import Hit

QUIET = (
    "question",
    "offer",
    "administration",
    "complaint_words",
    "thanks_over",
    "solved",
    "settled",
    "chronic_nuisance",
    "letter",
    "loss_of_goods",
    "animal_only",
)
"""Signs of a text that calls for an answer, not for help."""
DANGER = "of_danger"
"""Somebody, and words of health or danger, that no rule put together."""
DAYS_AHEAD = 3
"""A basic need within so many days is yellow."""


class Grave(IntEnum):
    """What happens if nobody comes."""

    NONE = 0
    NEED = 1
    HARM = 2
    LIFE = 3


class Soon(IntEnum):
    """How soon help must come: open, later, within days, within about a day."""

    OPEN = 0
    LATER = 1
    DAYS = 2
    NOW = 3


Table = Mapping[Grave, Mapping[Soon, Colour]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourRule:
    """Fits where all of `needs` (one at least) are there, one of `one_of`, and none of `unless`."""

    id: str
    grave: Grave
    soon: Soon
    needs: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    same_sentence: bool = False
    several: tuple[str, ...] = ()
    at_least: int = 0
    """So many of `several` must be there too: weak signs that add up."""
    raised_by: tuple[str, ...] = ()
    """Signs of a vulnerable person: one of them makes the matter one step graver."""
    follows_deadline: bool = True
    sure: bool = True
    emergency: bool = False
    category: Category | None = None
    """What the request is about where this rule fits, whatever its words weigh."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fitted, the colour it gives, and the phrases by which it did."""

    rule: ColourRule
    colour: Colour
    hits: tuple[Hit, ...]
    raised: tuple[Hit, ...] = ()


Found = Mapping[str, Sequence[Hit]]


def soon_by(deadline: datetime | None, filed_at: datetime, zone: ZoneInfo) -> Soon:
    """How soon, by a deadline: today and tomorrow are now."""
    if deadline is None:
        return Soon.OPEN
    ahead = (_day(deadline, zone) - _day(filed_at, zone)).days
    if ahead <= 1 or deadline - filed_at <= timedelta(hours=24):
        return Soon.NOW
    return Soon.DAYS if ahead <= DAYS_AHEAD else Soon.LATER


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def findings(found: Found, rules: Iterable[ColourRule], table: Table, by_deadline: Soon) -> list[Finding]:
    """What every fitting rule gives, the most urgent first, in the order of the rules among equals."""
    fitting = []
    for rule in rules:
        hits = _fit(rule, found)
        if hits is None:
            continue
        raised = next((tuple(found[name][:1]) for name in rule.raised_by if name in found), ())
        grave = Grave(min(rule.grave + bool(raised), Grave.LIFE))
        soon = max(rule.soon, by_deadline) if rule.follows_deadline else rule.soon
        fitting.append(Finding(rule, table[grave][soon], hits, raised))
    return sorted(fitting, key=lambda finding: -finding.colour.rank)


def _fit(rule: ColourRule, found: Found) -> tuple[Hit, ...] | None:
    if not all(name in found for name in rule.needs) or any(name in found for name in rule.unless):
        return None
    if rule.one_of and not any(name in found for name in rule.one_of):
        return None
    weak = [name for name in rule.several if name in found]
    if len(weak) < rule.at_least:
        return None
    if rule.same_sentence:
        return _within_one_sentence(rule, found)
    chosen = [found[name][0] for name in rule.needs]
    chosen += [found[name][0] for name in rule.one_of if name in found][:1]
    chosen += [found[name][0] for name in weak]
    return tuple(chosen)


def _within_one_sentence(rule: ColourRule, found: Found) -> tuple[Hit, ...] | None:
    first: dict[tuple[str, int], Hit] = {}
    for name in (*rule.needs, *rule.one_of):
        for hit in found.get(name, ()):
            first.setdefault((name, hit.sentence), hit)
    for sentence in sorted({place for _, place in first}):
        others = [first[name, sentence] for name in rule.one_of if (name, sentence) in first]
        if all((name, sentence) in first for name in rule.needs) and (others or not rule.one_of):
            return (*(first[name, sentence] for name in rule.needs), *others[:1])
    return None


def higher(one: Colour, other: Colour) -> Colour:
    """The more urgent of two."""
    return one if one.rank >= other.rank else other


def verdict(
    findings: Sequence[Finding], found: Found, unknown: Mapping[str, Colour], words: str, set_aside: bool
) -> tuple[Colour, str]:
    """The colour, and why it is unsure (empty where it is not).

    `set_aside`: a danger was named, but as over or feared. `unknown` is the colour where no rule fits: by `words`, what
    the words speak of (`danger`, `need`, `other`), and whether somebody calls for help.
    """
    if not findings:
        if any(name in found for name in QUIET):
            return unknown["quiet"], "nothing-recognised" if set_aside else ""
        if DANGER in found and "mild" not in found:
            words = "danger"
        elif words == "danger" and "mild" in found:
            words = "need"
        return unknown["plea" if words == "other" and "plea" in found else words], "nothing-recognised"
    colour = findings[0].colour
    if not any(each.rule.sure for each in findings if each.colour is colour):
        return colour, "doubtful-rule"
    return colour, "danger-set-aside" if set_aside and colour is Colour.GREEN else ""
