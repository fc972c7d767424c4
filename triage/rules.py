"""The rule files of triage: read, checked with errors that name the place, and made ready for use.

The files are written for people (triage/rules/*.yaml). A rule that names a sign nobody defines, or a phrase that
cannot be looked for, stops the start.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.contracts.vocabulary import Category, Colour
from triage.colours import ColourRule, Finding, Found, Grave, Soon, Table, findings
from triage.phrases import Phrase, named
from triage.signs import Hit, Phrasebook

FOLDER = Path(__file__).parent / "rules"
POLICY = "triage-rules"
"""The name under which the rules' version is announced."""
CUES = ("denied", "past", "now", "over", "supposed")
HASH_CHARACTERS = 8
LOUDEST = 3
"""Words that are named as the reason for a category."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quick one where the library was built with it."""
T = TypeVar("T", bound=BaseModel)


class RulesInvalid(ValueError):
    """A rule file is not as described; the message names the file and each place."""


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _by_name(kind: type[Grave] | type[Soon]) -> BeforeValidator:
    names = {member.name.lower(): member for member in kind}
    return BeforeValidator(lambda value: names.get(value, value))


GraveName = Annotated[Grave, _by_name(Grave)]
SoonName = Annotated[Soon, _by_name(Soon)]
Minutes = Annotated[int, Field(gt=0, le=10_080)]


class _Unknown(_Checked):
    plea: Colour
    need: Colour
    other: Colour
    quiet: Colour


class _Minutes(_Checked):
    red: Minutes
    yellow: Minutes
    green: Minutes

    def by_colour(self) -> dict[Colour, int]:
        return {Colour(name): minutes for name, minutes in self}


class _Row(_Checked):
    now: Colour
    days: Colour
    later: Colour
    open: Colour

    def by_soon(self) -> dict[Soon, Colour]:
        return {Soon[name.upper()]: colour for name, colour in self}


class _Table(_Checked):
    life: _Row
    harm: _Row
    need: _Row
    none: _Row

    def by_grave(self) -> Table:
        return {Grave[name.upper()]: row.by_soon() for name, row in self}


class _Policy(_Checked):
    version: str = Field(min_length=1)
    review_minutes: _Minutes
    alarm_every_minutes: _Minutes
    colours: _Table
    unknown: _Unknown


class _Measure(_Checked):
    words: str
    at_least: float | None = None
    at_most: float | None = None


class _Wording(_Checked):
    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class _Sign(_Wording):
    measures: tuple[_Measure, ...] = ()
    except_: tuple[str, ...] = Field(default=(), alias="except")
    despite: frozenset[Literal["denied", "past", "over", "supposed", "topic"]] = frozenset()


class _Derived(_Checked):
    needs: tuple[str, ...]
    unless: tuple[str, ...] = ()


class _Words(_Checked):
    """Lists that phrases name."""

    zh: dict[str, tuple[str, ...]]
    en: dict[str, tuple[str, ...]]


class _Signs(_Checked):
    signs: dict[str, _Sign]
    groups: dict[str, tuple[str, ...]]
    derived: dict[str, _Derived] = {}


class _ColourRule(_Checked):
    id: str
    grave: GraveName
    soon: SoonName
    needs: tuple[str, ...] = Field(min_length=1)
    one_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    same_sentence: bool = False
    raised_by: tuple[str, ...] = ()
    follows_deadline: bool = True
    sure: bool = True
    emergency: bool = False
    category: Category | None = None


class _Colours(_Checked):
    rules: tuple[_ColourRule, ...]


class _About(_Checked):
    signs: dict[str, float] = {}
    words: dict[float, tuple[str, ...]] = {}


class _Categories(_Checked):
    stated: float
    asking: float = Field(ge=1)
    deciding: float = Field(ge=1)
    least: float
    needs: frozenset[Category]
    categories: dict[Category, _About]


class _Need(_Checked):
    id: str
    gives: str
    needs: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


class _Needs(_Checked):
    needs: tuple[_Need, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much signs and words speak for each category."""

    stated: float
    asking: float
    deciding: float
    least: float
    needs: frozenset[Category]
    """Those whose words speak of a need."""
    signs: Mapping[str, tuple[tuple[Category, float], ...]]
    words: Mapping[str, tuple[Category, float]]
    """By the name under which the phrasebook finds them."""

    def heaviest(
        self, found: Found, deciding: frozenset[str], words_of: Callable[[Hit], str], stated: Category | None
    ) -> tuple[Category, list[Hit]]:
        """The category that weighs most, and the hits that speak for it loudest; `other` where none is heavy enough.

        A word counts once, more in a sentence that asks for something; a sign speaks once, in however many words, and
        louder where it is `deciding`: where the colour comes from it.
        """
        asking = {(hit.text, hit.sentence) for hit in found.get("plea", ())}
        speaking: dict[Category, dict[str, tuple[float, Hit]]] = {}
        for name, hits in found.items():
            word = self.words.get(name)
            louder = self.deciding if name in deciding else 1
            for category, weight in (word,) if word else self.signs.get(name, ()):
                of = speaking.setdefault(category, {})
                for hit in hits if word else hits[:1]:
                    heavy = weight * louder * (self.asking if (hit.text, hit.sentence) in asking else 1)
                    words = words_of(hit)
                    if words not in of or of[words][0] < heavy:
                        of[words] = (heavy, hit)
        totals = {category: sum(heavy for heavy, _ in of.values()) for category, of in speaking.items()}
        if stated:
            totals[stated] = totals.get(stated, 0) + self.stated
        order = list(Category)
        best = max(totals, key=lambda category: (totals[category], -order.index(category)), default=Category.OTHER)
        if totals.get(best, 0) < self.least:
            return Category.OTHER, []
        loudest = sorted(speaking.get(best, {}).values(), key=lambda each: -each[0])[:LOUDEST]
        return best, [hit for _, hit in loudest]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Everything triage decides by, ready for use; the same for every text until the version changes."""

    version: str
    zone: ZoneInfo
    phrasebook: Phrasebook = field(repr=False)
    colour_rules: tuple[ColourRule, ...] = field(repr=False)
    table: Table
    unknown: Mapping[str, Colour]
    """Where no rule fits: by whether somebody calls for help (plea), the words are of a need, or neither (other)."""
    weights: Weights = field(repr=False)
    needs: tuple[_Need, ...]
    groups: Mapping[str, tuple[str, ...]] = field(repr=False)
    derived: Mapping[str, _Derived] = field(repr=False)
    review_minutes: Mapping[Colour, int]
    alarm_every_minutes: Mapping[Colour, int]

    @cached_property
    def urgent(self) -> frozenset[str]:
        """Signs from which a colour may come: what a text says to be over takes these away."""
        names = {name for rule in self.colour_rules for name in (*rule.needs, *rule.one_of)}
        members = {member for name in names for member in self.groups.get(name, ())}
        return frozenset((names | members) - {"plea"})

    def complete(self, found: dict[str, list[Hit]]) -> Found:
        """What was found, with the groups and combinations that follow from it."""
        for group, members in self.groups.items():
            hits = [hit for member in members for hit in found.get(member, ())]
            if hits:
                found[group] = hits
        for name, derived in self.derived.items():
            if all(each in found for each in derived.needs) and not any(each in found for each in derived.unless):
                found[name] = [found[each][0] for each in derived.needs]
        return found

    def findings(self, found: Found, by_deadline: Soon) -> list[Finding]:
        """What the colour rules give, the most urgent first."""
        return findings(found, self.colour_rules, self.table, by_deadline)


@cache
def load(zone: ZoneInfo, folder: Path = FOLDER) -> Rules:
    """The rules in a folder, read once in a process; raises RulesInvalid. `zone` is the city's, for days in texts."""
    sources = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))}
    policy = _parsed(_Policy, "policy", sources)
    signs = _parsed(_Signs, "signs", sources)
    cues = _parsed_cues(sources)
    colours = _parsed(_Colours, "colours", sources)
    categories = _parsed(_Categories, "categories", sources)
    needs = _parsed(_Needs, "needs", sources)
    _check_names(signs, colours, categories, needs)
    words = _parsed(_Words, "words", sources)
    try:
        phrases = [*_sign_phrases(signs, words), *_cue_phrases(cues, words), *_category_phrases(categories)]
        book = Phrasebook(phrases, {name: frozenset(sign.despite) for name, sign in signs.signs.items()})
    except ValueError as wrong:
        raise RulesInvalid(f"a phrase cannot be looked for: {wrong}") from wrong
    content = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in sorted(sources.items())).encode())
    return Rules(
        version=f"{policy.version}+{content.hexdigest()[:HASH_CHARACTERS]}",
        zone=zone,
        phrasebook=book,
        colour_rules=tuple(ColourRule(**rule.model_dump()) for rule in colours.rules),
        table=policy.colours.by_grave(),
        unknown=dict(policy.unknown),
        weights=_weights(categories),
        needs=needs.needs,
        groups=signs.groups,
        derived=signs.derived,
        review_minutes=policy.review_minutes.by_colour(),
        alarm_every_minutes=policy.alarm_every_minutes.by_colour(),
    )


def _read(name: str, sources: Mapping[str, str]) -> Any:
    if name not in sources:
        raise RulesInvalid(f"{name}.yaml is missing")
    try:
        return yaml.load(sources[name], Loader=_LOADER)  # noqa: S506 one of the two safe ones
    except yaml.YAMLError as wrong:
        raise RulesInvalid(f"{name}.yaml is not YAML: {wrong}") from wrong


def _parsed(model: type[T], name: str, sources: Mapping[str, str]) -> T:
    try:
        return model.model_validate(_read(name, sources))
    except ValidationError as wrong:
        raise RulesInvalid(f"{name}.yaml: {_places(wrong)}") from wrong


def _parsed_cues(sources: Mapping[str, str]) -> dict[str, _Wording]:
    read = _read("cues", sources)
    if not isinstance(read, dict) or set(read) != set(CUES):
        raise RulesInvalid(f"cues.yaml must have exactly the keys {', '.join(CUES)}")
    try:
        return {cue: _Wording.model_validate(wording) for cue, wording in read.items()}
    except ValidationError as wrong:
        raise RulesInvalid(f"cues.yaml: {_places(wrong)}") from wrong


def _places(wrong: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in wrong.errors())


def _check_names(signs: _Signs, colours: _Colours, categories: _Categories, needs: _Needs) -> None:
    """Every sign that is spoken of must be defined; every rule has an id of its own."""
    known = set(signs.signs) | set(signs.groups) | set(signs.derived)
    wrong = [
        f"{where} speaks of {name!r}, which signs.yaml does not define"
        for where, name in _spoken_of(signs, colours, categories, needs)
        if name not in known
    ]
    ids = [rule.id for rule in colours.rules]
    wrong += [f"colours.yaml has the rule {name!r} twice" for name in sorted({i for i in ids if ids.count(i) > 1})]
    wrong += [
        f"categories.yaml: {category.value} is missing" for category in set(Category) - set(categories.categories)
    ]
    if wrong:
        raise RulesInvalid("; ".join(wrong))


def _spoken_of(signs: _Signs, colours: _Colours, categories: _Categories, needs: _Needs) -> Iterator[tuple[str, str]]:
    for group, members in signs.groups.items():
        yield from ((f"group {group}", member) for member in members)
    for name, derived in signs.derived.items():
        yield from ((f"derived {name}", each) for each in (*derived.needs, *derived.unless))
    for rule in colours.rules:
        used = (*rule.needs, *rule.one_of, *rule.unless, *rule.raised_by)
        yield from ((f"rule {rule.id}", each) for each in used)
    for category, about in categories.categories.items():
        yield from ((f"category {category.value}", each) for each in about.signs)
    for need in needs.needs:
        yield from ((f"need {need.id}", each) for each in (*need.needs, *need.one_of))


def _sign_phrases(signs: _Signs, words: _Words) -> Iterator[Phrase]:
    for name, sign in signs.signs.items():
        yield from _worded(name, sign, words)
        yield from (Phrase(name, m.words, m.at_least, m.at_most) for m in sign.measures)
        yield from (Phrase(f"!{name}", named(each, words.zh)) for each in sign.except_)


def _cue_phrases(cues: Mapping[str, _Wording], words: _Words) -> Iterator[Phrase]:
    for cue, wording in cues.items():
        yield from _worded(f"cue.{cue}", wording, words)


def _worded(name: str, wording: _Wording, words: _Words) -> Iterator[Phrase]:
    yield from (Phrase(name, named(each, words.zh)) for each in wording.zh)
    yield from (Phrase(name, named(each, words.en)) for each in wording.en)


def _word_name(category: Category, weight: float) -> str:
    return f"word.{category.value}.{weight:g}"


def _category_phrases(categories: _Categories) -> Iterator[Phrase]:
    for category, about in categories.categories.items():
        for weight, words in about.words.items():
            yield from (Phrase(_word_name(category, weight), word) for word in words)


def _weights(categories: _Categories) -> Weights:
    signs: dict[str, list[tuple[Category, float]]] = {}
    words = {}
    for category, about in categories.categories.items():
        for name, weight in about.signs.items():
            signs.setdefault(name, []).append((category, weight))
        for weight in about.words:
            words[_word_name(category, weight)] = (category, weight)
    return Weights(
        stated=categories.stated,
        asking=categories.asking,
        deciding=categories.deciding,
        least=categories.least,
        needs=categories.needs,
        signs={name: tuple(weights) for name, weights in signs.items()},
        words=words,
    )
