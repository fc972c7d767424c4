"""The rule files of triage: read, checked with errors that name the place, and made ready for use.

The files are written for people (triage/rules/*.yaml). A rule that names a sign nobody defines, or a phrase that
cannot be looked for, stops the start.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from shared.contracts.vocabulary import Category, Colour, Vulnerability
from triage import lines
from triage.colours import ColourRule, Finding, Found, Grave, Soon, Table, findings
from triage.concepts import PREFIX as CONCEPT
from triage.concepts import Together
from triage.deterioration import Deterioration
from triage.formats import (
    CategoriesFile,
    ColoursFile,
    ConceptsFile,
    Derived,
    Need,
    NeedsFile,
    PolicyFile,
    RulesInvalid,
    SignsFile,
    WordsFile,
    check_names,
    parsed,
    parsed_cues,
    sources_in,
)
from triage.phrases import Phrase, Ready
from triage.signs import Hit, Phrasebook
from triage.standard import PREFIX, AnswersFile, StandardAnswer
from triage.tree import Branch, TreeFile, Wording, node_name

FOLDER = Path(__file__).parent / "rules"
POLICY = "triage-rules"
"""The name under which the rules' version is announced."""
HASH_CHARACTERS = 8
DANGER, NEED, OTHER = "danger", "need", "other"
"""What the words speak of where no rule fits; policy.yaml gives each its colour."""
LOUDEST = 3
"""Words that are named as the reason for a category."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much signs and words speak for each category."""

    stated: float
    asking: float
    deciding: float
    least: float
    needs: frozenset[Category]
    """Those whose words speak of a need."""
    dangers: frozenset[Category]
    """Those whose words speak of health or danger."""
    signs: Mapping[str, tuple[tuple[Category, float], ...]]
    words: Mapping[str, tuple[Category, float]]
    """By the name under which the phrasebook finds them."""

    def speaks_of(self, category: Category) -> str:
        """What words of a category speak of, where no rule reads more out of them: DANGER, NEED or OTHER."""
        if category in self.dangers:
            return DANGER
        return NEED if category in self.needs else OTHER

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
    needs: tuple[Need, ...]
    groups: Mapping[str, tuple[str, ...]] = field(repr=False)
    derived: Mapping[str, Derived] = field(repr=False)
    form: Mapping[Vulnerability, str] = field(repr=False)
    """The sign that each word of the form stands for."""
    tree: Mapping[Category, Branch] = field(repr=False)
    review_minutes: Mapping[Colour, int]
    alarm_every_minutes: Mapping[Colour, int]
    deterioration: tuple[Deterioration, ...] = ()
    answers: tuple[StandardAnswer, ...] = field(default=(), repr=False)

    @cached_property
    def urgent(self) -> frozenset[str]:
        """Signs from which a colour may come: what a text says to be over takes these away."""
        names = {name for rule in self.colour_rules for name in (*rule.needs, *rule.one_of)}
        members = {member for name in names for member in self.groups.get(name, ())}
        return frozenset((names | members) - {"plea"})

    @cached_property
    def emergencies(self) -> frozenset[str]:
        """Signs of a danger of which the resident is told at once whom to ring."""
        return frozenset(name for rule in self.colour_rules if rule.emergency for name in rule.needs)

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
        first = self._by_first
        begun = sorted(n for name in found for n in first.get(name, ()))
        return findings(found, (self.colour_rules[n] for n in begun), self.table, by_deadline)

    @cached_property
    def _by_first(self) -> Mapping[str, tuple[int, ...]]:
        """The places of the colour rules by the first sign that each needs: most need not be looked at."""
        places: dict[str, list[int]] = {}
        for n, rule in enumerate(self.colour_rules):
            places.setdefault(rule.needs[0], []).append(n)
        return {name: tuple(each) for name, each in places.items()}


@cache
def load(zone: ZoneInfo, folder: Path = FOLDER) -> Rules:
    """The rules in a folder, read once in a process; raises RulesInvalid. `zone` is the city's, for days in texts."""
    return make(zone, sources_in(folder))


def make(zone: ZoneInfo, sources: Mapping[str, str]) -> Rules:
    """The rules that these files hold, by name; raises RulesInvalid, which names file and line of each mistake."""
    policy = parsed(PolicyFile, "policy", sources)
    signs = parsed(SignsFile, "signs", sources)
    concepts = parsed(ConceptsFile, "concepts", sources)
    cues = parsed_cues(sources)
    colours = parsed(ColoursFile, "colours", sources)
    categories = parsed(CategoriesFile, "categories", sources)
    needs = parsed(NeedsFile, "needs", sources)
    words = parsed(WordsFile, "words", sources)
    tree = parsed(TreeFile, "tree", sources)
    answers = parsed(AnswersFile, "answers", sources).answers
    check_names(signs, concepts, colours, categories, needs, tree, sources)
    phrases = [
        *_sign_phrases(signs, words),
        *_concept_phrases(concepts, words),
        *_cue_phrases(cues, words),
        *_category_phrases(categories),
        *_asked(answers, words),
        *_below(tree, words),
    ]
    return Rules(
        version=_version(policy.version, sources),
        zone=zone,
        phrasebook=_phrasebook(phrases, signs, concepts, sources),
        colour_rules=tuple(_colour_rules(colours)),
        table=policy.colours.by_grave(),
        unknown=dict(policy.unknown),
        weights=_weights(categories),
        needs=needs.needs,
        groups=signs.groups,
        derived=signs.derived,
        form=signs.form,
        tree=tree.categories,
        review_minutes=policy.review_minutes.by_colour(),
        alarm_every_minutes=policy.alarm_every_minutes.by_colour(),
        deterioration=policy.deterioration,
        answers=answers,
    )


def _colour_rules(colours: ColoursFile) -> Iterator[ColourRule]:
    for each in colours.rules:
        rule = ColourRule(**each.model_dump())
        is_danger = rule.grave is Grave.LIFE
        yield replace(rule, unless=(*rule.unless, *colours.no_danger_in)) if is_danger else rule


def _version(declared: str, sources: Mapping[str, str]) -> str:
    """What the policy declares, and a hash of what the files hold, so that no two contents share a version."""
    content = "\0".join(f"{name}\0{text}" for name, text in sorted(sources.items()))
    return f"{declared}+{hashlib.sha256(content.encode()).hexdigest()[:HASH_CHARACTERS]}"


def _phrasebook(
    phrases: list[tuple[str, Phrase]], signs: SignsFile, concepts: ConceptsFile, sources: Mapping[str, str]
) -> Phrasebook:
    wrong = []
    ready = []
    for file, phrase in phrases:
        try:
            ready.append(Ready(phrase))
        except ValueError as refused:
            line = lines.line_with(sources[file], phrase.words)
            wrong.append(f"{file}.yaml:{line}: a phrase cannot be looked for: {refused}")
    if wrong:
        raise RulesInvalid("\n".join(wrong))
    together = tuple(Together(**each.model_dump()) for each in concepts.together)
    return Phrasebook(ready, {name: frozenset(sign.despite) for name, sign in signs.signs.items()}, together)


def _sign_phrases(signs: SignsFile, words: WordsFile) -> Iterator[tuple[str, Phrase]]:
    for name, sign in signs.signs.items():
        yield from _worded("signs", name, sign, words)
        yield from (("signs", Phrase(name, m.words, m.at_least, m.at_most)) for m in sign.measures)
        yield from (("signs", Phrase(f"!{name}", each, lists=words.zh)) for each in sign.except_)


def _concept_phrases(concepts: ConceptsFile, words: WordsFile) -> Iterator[tuple[str, Phrase]]:
    for name, concept in concepts.concepts.items():
        yield from _worded("concepts", f"{CONCEPT}{name}", concept, words)
        yield from (("concepts", Phrase(f"!{CONCEPT}{name}", each, lists=words.zh)) for each in concept.except_)


def _cue_phrases(cues: Mapping[str, Wording], words: WordsFile) -> Iterator[tuple[str, Phrase]]:
    for cue, wording in cues.items():
        yield from _worded("cues", f"cue.{cue}", wording, words)


def _worded(file: str, name: str, wording: Wording, words: WordsFile) -> Iterator[tuple[str, Phrase]]:
    yield from ((file, Phrase(name, each, lists=words.zh)) for each in wording.zh)
    yield from ((file, Phrase(name, each, lists=words.en)) for each in wording.en)


def _asked(answers: Iterable[StandardAnswer], words: WordsFile) -> Iterator[tuple[str, Phrase]]:
    for each in answers:
        yield from (("answers", Phrase(f"{PREFIX}{each.id}", asked, lists=words.zh)) for asked in each.asks.zh)
        yield from (("answers", Phrase(f"{PREFIX}{each.id}", asked, lists=words.en)) for asked in each.asks.en)


def _below(tree: TreeFile, words: WordsFile) -> Iterator[tuple[str, Phrase]]:
    for category, branch in tree.categories.items():
        for name, node in branch.below.items():
            yield from _worded("tree", node_name(category, name), node.words, words)


def _word_name(category: Category, weight: float) -> str:
    return f"word.{category.value}.{weight:g}"


def _category_phrases(categories: CategoriesFile) -> Iterator[tuple[str, Phrase]]:
    for category, about in categories.categories.items():
        for weight, words in about.words.items():
            yield from (("categories", Phrase(_word_name(category, weight), word)) for word in words)


def _weights(categories: CategoriesFile) -> Weights:
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
        dangers=categories.dangers,
        signs={name: tuple(weights) for name, weights in signs.items()},
        words=words,
    )
