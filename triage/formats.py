"""The rule files of triage as they are written: what may stand in each; every mistake by file and line. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.contracts.vocabulary import Category, Colour, Vulnerability
from triage import lines
from triage.colours import Grave, Soon, Table
from triage.deterioration import Deterioration
from triage.tree import TreeFile, Wording

CUES = ("denied", "past", "now", "over", "supposed")
NAMES = ("answers", "categories", "colours", "concepts", "cues", "needs", "policy", "signs", "tree", "words")
"""The files of a policy, each with .yaml behind it."""
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
    danger: Colour
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


class PolicyFile(_Checked):
    """policy.yaml."""

    version: str = Field(min_length=1)
    review_minutes: _Minutes
    alarm_every_minutes: _Minutes
    colours: _Table
    unknown: _Unknown
    deterioration: tuple[Deterioration, ...] = ()


class _Measure(_Checked):
    words: str
    at_least: float | None = None
    at_most: float | None = None


class _Sign(Wording):
    measures: tuple[_Measure, ...] = ()
    except_: tuple[str, ...] = Field(default=(), alias="except")
    despite: frozenset[Literal["denied", "past", "over", "supposed", "topic"]] = frozenset()


class Derived(_Checked):
    """A sign that follows from others."""

    needs: tuple[str, ...]
    unless: tuple[str, ...] = ()


class WordsFile(_Checked):
    """words.yaml: lists that phrases name."""

    zh: dict[str, tuple[str, ...]]
    en: dict[str, tuple[str, ...]]


class _Concept(Wording):
    except_: tuple[str, ...] = Field(default=(), alias="except")


class _Together(_Checked):
    gives: str
    of: tuple[str, ...] = Field(min_length=1, max_length=3)
    within: int = Field(12, ge=0, le=40)


class ConceptsFile(_Checked):
    """concepts.yaml: words that say something together."""

    concepts: dict[str, _Concept]
    together: tuple[_Together, ...]


class SignsFile(_Checked):
    """signs.yaml."""

    signs: dict[str, _Sign]
    groups: dict[str, tuple[str, ...]]
    form: dict[Vulnerability, str]
    """The sign that each word of the form stands for."""
    derived: dict[str, Derived] = {}


class _ColourRule(_Checked):
    id: str
    grave: GraveName
    soon: SoonName
    needs: tuple[str, ...] = Field(min_length=1)
    one_of: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    same_sentence: bool = False
    several: tuple[str, ...] = ()
    at_least: int = Field(0, ge=0, le=10)
    raised_by: tuple[str, ...] = ()
    follows_deadline: bool = True
    sure: bool = True
    emergency: bool = False
    category: Category | None = None


class ColoursFile(_Checked):
    """colours.yaml."""

    no_danger_in: tuple[str, ...] = ()
    """Signs that take every danger to life out of a text."""
    rules: tuple[_ColourRule, ...]


class _About(_Checked):
    signs: dict[str, float] = {}
    words: dict[float, tuple[str, ...]] = {}


class CategoriesFile(_Checked):
    """categories.yaml."""

    stated: float
    asking: float = Field(ge=1)
    deciding: float = Field(ge=1)
    least: float
    needs: frozenset[Category]
    dangers: frozenset[Category]
    categories: dict[Category, _About]


class Need(_Checked):
    """What a request needs beside its lead."""

    id: str
    gives: str
    needs: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


class NeedsFile(_Checked):
    """needs.yaml."""

    needs: tuple[Need, ...]


def sources_in(folder: Path) -> dict[str, str]:
    """The files of a policy by name, without blank ends, as the API takes them; raises RulesInvalid."""
    try:
        paths = [path for path in sorted(folder.glob("*.yaml")) if path.stem in NAMES]
        return {path.stem: path.read_text("utf-8").strip() for path in paths}
    except UnicodeDecodeError as wrong:
        raise RulesInvalid(f"{folder}: a file is not UTF-8 text") from wrong


def _read(name: str, sources: Mapping[str, str]) -> Any:
    if name not in sources:
        raise RulesInvalid(f"{name}.yaml is missing")
    try:
        return lines.read(name, sources[name])
    except lines.NotYaml as wrong:
        raise RulesInvalid(str(wrong)) from wrong


def parsed(model: type[T], name: str, sources: Mapping[str, str]) -> T:
    """The file as its model; raises RulesInvalid."""
    try:
        return model.model_validate(_read(name, sources))
    except ValidationError as wrong:
        raise RulesInvalid(_places(name, (), wrong, sources)) from wrong


def parsed_cues(sources: Mapping[str, str]) -> dict[str, Wording]:
    """cues.yaml; raises RulesInvalid."""
    read = _read("cues", sources)
    if not isinstance(read, dict) or set(read) != set(CUES):
        raise RulesInvalid(f"cues.yaml:1: must have exactly the keys {', '.join(CUES)}")
    found = {}
    for cue, wording in read.items():
        try:
            found[cue] = Wording.model_validate(wording)
        except ValidationError as wrong:
            raise RulesInvalid(_places("cues", (cue,), wrong, sources)) from wrong
    return found


def _places(name: str, above: tuple[str, ...], wrong: ValidationError, sources: Mapping[str, str]) -> str:
    places = [((*above, *error["loc"]), error["msg"]) for error in wrong.errors()]
    return "\n".join(
        f"{name}.yaml:{lines.line_of(sources[name], where)}: {'.'.join(map(str, where))}: {what}"
        for where, what in places
    )


def check_names(
    signs: SignsFile,
    concepts: ConceptsFile,
    colours: ColoursFile,
    categories: CategoriesFile,
    needs: NeedsFile,
    tree: TreeFile,
    sources: Mapping[str, str],
) -> None:
    """Every sign and concept that is spoken of must be defined; every rule has an id of its own."""
    known = set(signs.signs) | set(signs.groups) | set(signs.derived)
    wrong = [
        f"{file}.yaml:{lines.line_of(sources[file], place)}: {'.'.join(map(str, place))} speaks of {name!r}, "
        "which signs.yaml does not define"
        for file, place, name in _spoken_of(signs, colours, categories, needs)
        if name not in known
    ]
    wrong += [
        f"concepts.yaml:{lines.line_of(sources['concepts'], ('together', n))}: speaks of {name!r}, which is not defined"
        for n, each in enumerate(concepts.together)
        for name in (each.gives, *each.of)
        if name not in (known if name == each.gives else concepts.concepts)
    ]
    wrong += [
        f"tree.yaml:{lines.line_of(sources['tree'], ('categories', category.value, 'below', name))}: "
        f"speaks of {sign!r}, which signs.yaml does not define"
        for category, branch in tree.categories.items()
        for name, node in branch.below.items()
        for sign in node.signs
        if sign not in known
    ]
    wrong += [f"signs.yaml:1: form lacks {word}" for word in sorted(set(Vulnerability) - set(signs.form))]
    ids = [rule.id for rule in colours.rules]
    wrong += [
        f"colours.yaml:{lines.line_of(sources['colours'], ('rules', n))}: has the rule {name!r} twice"
        for n, name in enumerate(ids)
        if name in ids[:n]
    ]
    for file, has in (("categories", set(categories.categories)), ("tree", set(tree.categories))):
        wrong += [f"{file}.yaml:1: {category} is missing" for category in sorted(set(Category) - has)]
    if wrong:
        raise RulesInvalid("\n".join(wrong))


def _spoken_of(
    signs: SignsFile, colours: ColoursFile, categories: CategoriesFile, needs: NeedsFile
) -> Iterator[tuple[str, tuple[int | str, ...], str]]:
    """Each sign that is named: the file, the place in it, and the name."""
    for group, members in signs.groups.items():
        yield from (("signs", ("groups", group), member) for member in members)
    yield from (("signs", ("form", word.value), sign) for word, sign in signs.form.items())
    for name, derived in signs.derived.items():
        yield from (("signs", ("derived", name), each) for each in (*derived.needs, *derived.unless))
    yield from (("colours", ("no_danger_in",), each) for each in colours.no_danger_in)
    for n, rule in enumerate(colours.rules):
        used = (*rule.needs, *rule.one_of, *rule.unless, *rule.several, *rule.raised_by)
        yield from (("colours", ("rules", n), each) for each in used)
    for category, about in categories.categories.items():
        yield from (("categories", ("categories", category.value, "signs"), each) for each in about.signs)
    for n, need in enumerate(needs.needs):
        yield from (("needs", ("needs", n), each) for each in (*need.needs, *need.one_of))
