"""Finds the phrases of the rules in a text, and whether each holds: not denied, not over, not merely supposed. Pure.

All phrases are looked for in one pass: an automaton finds how each of them begins. A gap is
short and what one name may find is bounded, so the work grows with the length of the text and with nothing else.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

import ahocorasick

from triage import numerals
from triage.concepts import PREFIX, Span, Together
from triage.phrases import Ready, Search, fold, runs_on

DENIED_WORDS = 3
NEAR = 8
"""How many cues, or exceptions, before and after a hit are looked at: a bound for texts made to be slow."""
MOST_TRIES = 100
"""Of one beginning in a text, for the same reason."""
_SENTENCE = re.compile(r"[。!?;\n]+|(?<=\D)\.(?=\s|$)")
_CLAUSE = re.compile(r"[。!?;\n,:()【】]+|(?<=\D)\.(?=\s|$)|(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])")
_NUMBER = re.compile(numerals.PATTERN)
_TOPIC = re.compile(r"#[^#\s]{1,30}#")
"""A hashtag names what others talk of too: it says nothing of this person."""
_LIST = re.compile(r"[^,、]{0,8}(?:、[^,、]{1,8}){0,8}(?:、|和|或|及)[^,、]{0,2}")


class Kind(StrEnum):
    """What a name stands for, by how it begins."""

    SIGN = ""
    CONCEPT = PREFIX
    CUE = "cue."
    EXCEPTION = "!"
    OTHER = "other"
    """A category's word, a question that a standard answer answers: nothing denies it."""

    @classmethod
    def of(cls, name: str) -> "Kind":
        """The kind of a name."""
        if name.startswith(("word.", "answer.", "below.")):
            return cls.OTHER
        return next((kind for kind in (cls.CONCEPT, cls.CUE, cls.EXCEPTION) if name.startswith(kind.value)), cls.SIGN)


class Standing(StrEnum):
    """Whether what a phrase says is so, here and now."""

    STANDS = "stands"
    DENIED = "denied"
    OVER = "over"
    SUPPOSED = "supposed"


class Hit(NamedTuple):
    """A phrase found at `start` (`end` exclusive), in which sentence, and how it stands."""

    name: str
    start: int
    end: int
    sentence: int
    standing: Standing = Standing.STANDS
    text: int = 0
    """In which of several texts that are read together."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with what was found in it."""

    text: str
    """Folded: half-width and lower case, character for character the original."""
    hits: tuple[Hit, ...]

    def standing(self) -> dict[str, list[Hit]]:
        """The hits that hold, by name."""
        found: dict[str, list[Hit]] = {}
        for hit in self.hits:
            if hit.standing is Standing.STANDS:
                found.setdefault(hit.name, []).append(hit)
        return found


NOTHING: frozenset[str] = frozenset()
WORSE = (Standing.STANDS, Standing.SUPPOSED, Standing.OVER, Standing.DENIED)
"""How a combination stands: as its part that stands worst."""


class Begun:
    """The phrases that begin alike: those that are whole with it, and those that go on, with what one of them needs."""

    __slots__ = ("open", "opening", "whole")

    def __init__(self, searches: Sequence[Search]) -> None:
        self.whole = tuple({each.name: each for each in searches if each.rest is None}.values())
        unlike = {(each.name, each.rest, each.phrase.at_least, each.phrase.at_most): each for each in searches}
        self.open = tuple(each for each in unlike.values() if each.rest is not None)
        rests = [each.rest.pattern.replace("(?P<n>", "(?:") for each in self.open if each.rest]
        self.opening = re.compile("|".join(dict.fromkeys(rests))) if rests else None


class Phrasebook:
    """All phrases of the rules, in a table by how they begin, and the cues that say how a phrase stands."""

    def __init__(
        self, phrases: Iterable[Ready], despite: Mapping[str, frozenset[str]], together: Sequence[Together] = ()
    ) -> None:
        """`despite` names, for a sign that holds all the same, the cues that do not touch it."""
        self._despite = despite
        self._together: dict[str, list[Together]] = {}
        """By the first of their concepts."""
        for each in together:
            self._together.setdefault(each.of[0], []).append(each)
        table: dict[str, list[Search]] = {}
        self._numbered: dict[str, list[Search]] = {}
        """Those that begin with a number, by what stands behind it."""
        self._kinds: dict[str, Kind] = {}
        for phrase in phrases:
            for search, firsts in zip(phrase.searches, phrase.following, strict=True):
                self._kinds[search.name] = Kind.of(search.name)
                for first in firsts:
                    self._numbered.setdefault(first, []).append(search)
                for beginning in search.beginnings:
                    table.setdefault(beginning, []).append(search)
        self._beginnings = ahocorasick.Automaton()
        for beginning, searches in table.items():
            self._beginnings.add_word(beginning, (beginning, Begun(searches)))
        self._beginnings.make_automaton()

    def openings(self) -> list[re.Pattern[str]]:
        """Every pattern that is tried behind a beginning."""
        return [begun.opening for _, begun in self._beginnings.values() if begun.opening is not None]

    def read(self, text: str) -> Reading:
        """What the phrases find in the text, in the order of the text."""
        folded = fold(text)
        sentences = [match.end() for match in _SENTENCE.finditer(folded)]
        kinds: dict[Kind, list[Hit]] = {kind: [] for kind in Kind}
        for start, end, name in sorted(self._found(folded)):
            kinds[self._kinds[name]].append(Hit(name, start, end, bisect_right(sentences, start)))
        return Reading(folded, tuple(self._judged(folded, kinds)))

    def _found(self, text: str) -> set[tuple[int, int, str]]:
        """Where each phrase stands: start, end and name."""
        counts: dict[str, int] = {}
        spans: set[tuple[int, int, str]] = set()
        for start, begun, searches in chain(self._tried(text), self._after_numbers(text)):
            for search in searches:
                name, rest = search.name, search.rest
                times = counts.get(name, 0)
                if times < search.most:
                    end = begun if rest is None else search.end(text, start, begun)
                    if end is not None:
                        counts[name] = times + 1
                        spans.add((start, end, name))
        return spans

    def _combined(self, text: str, concepts: list[Hit]) -> Iterator[tuple[str, tuple[Span, ...]]]:
        """The signs that concepts give together, with their places, each place once."""
        spans: dict[str, list[Span]] = {}
        for hit in concepts:
            spans.setdefault(hit.name.removeprefix(PREFIX), []).append((hit.start, hit.end))
        seen = set()
        for each in [together for name in spans for together in self._together.get(name, ())]:
            for parts in each.found(text, spans):
                key = (each.gives, parts[0])
                if key not in seen:
                    seen.add(key)
                    yield each.gives, parts

    def _tried(self, text: str) -> Iterator[tuple[int, int, Sequence[Search]]]:
        """Where phrases may stand, since how they begin is there: where they start and the beginning ends."""
        seen: dict[str, int] = {}
        is_long = len(text) > MOST_TRIES
        for last, (beginning, begun) in self._beginnings.iter(text) if self._beginnings else ():
            stop = last + 1
            start = stop - len(beginning)
            if start and _goes_on(text[start - 1], beginning[0]):
                continue
            if is_long:
                times = seen.get(beginning, 0)
                if times >= MOST_TRIES:
                    continue
                seen[beginning] = times + 1
            if begun.whole and not runs_on(text, stop):
                yield start, stop, begun.whole
            if begun.opening is not None and begun.opening.match(text, stop):
                yield start, stop, begun.open

    def _after_numbers(self, text: str) -> Iterator[tuple[int, int, Sequence[Search]]]:
        """Where phrases may stand that begin with a number."""
        seen: Counter[str] = Counter()
        for number in _NUMBER.finditer(text):
            following = _next(text, number.end())
            if following in self._numbered and seen[following] < MOST_TRIES:
                seen[following] += 1
                yield number.start(), number.start(), self._numbered[following]

    def _judged(self, text: str, kinds: Mapping[Kind, list[Hit]]) -> list[Hit]:
        """The signs with how each stands, those that concepts give together included."""
        longer: dict[str, list[Hit]] = {}
        for hit in kinds[Kind.EXCEPTION]:
            longer.setdefault(hit.name[1:], []).append(hit)
        signs, concepts, cues = (_without(kinds[kind], longer) for kind in (Kind.SIGN, Kind.CONCEPT, Kind.CUE))
        topics = [match.span() for match in _TOPIC.finditer(text)][:NEAR]
        clauses = [match.end() for match in _CLAUSE.finditer(text)]
        around = _Around(text, _cues(cues, signs), topics, clauses)
        judged = [_as(hit, around.standing(hit, self._despite.get(hit.name, NOTHING))) for hit in signs]
        judged += kinds[Kind.OTHER]
        sentences = {hit.start: hit.sentence for hit in concepts}
        for gives, parts in self._combined(text, concepts):
            despite = self._despite.get(gives, NOTHING)
            standing = max(
                (around.standing(Hit(gives, *part, sentences[part[0]]), despite) for part in parts), key=WORSE.index
            )
            whole = Hit(gives, min(parts)[0], max(part[1] for part in parts), sentences[parts[0][0]], standing)
            judged.append(whole)
        return sorted(judged, key=_start)


def _goes_on(before: str, character: str) -> bool:
    """Whether a Latin word is under way."""
    return character.isascii() and before.isascii() and before.isalnum() and character.isalnum()


def _next(text: str, start: int) -> str:
    """The character that follows, a space passed over."""
    return text[start : start + 2].lstrip()[:1]


def _without(hits: list[Hit], longer: Mapping[str, list[Hit]]) -> list[Hit]:
    """Without those that lie in a longer phrase which means something else."""
    if not longer:
        return hits
    return [
        hit
        for hit in hits
        if hit.name not in longer or not any(hit.end <= other.end for other in _before(longer[hit.name], hit.start + 1))
    ]


def _cues(cues: list[Hit], signs: list[Hit]) -> dict[int, list[Hit]]:
    """The cues by sentence; a denial that is part of what a sign says (no insulin left) denies nothing else."""
    found: dict[int, list[Hit]] = {}
    for cue in cues:
        if cue.name != "cue.denied" or not any(cue.end <= sign.end for sign in _before(signs, cue.start + 1)):
            found.setdefault(cue.sentence, []).append(cue)
    return found


def _before(hits: Sequence[Hit], position: int) -> Sequence[Hit]:
    """The last few that start before `position`."""
    place = bisect_left(hits, position, key=_start)
    return hits[max(0, place - NEAR) : place]


def _start(hit: Hit) -> int:
    return hit.start


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands in a text beside its signs: cues, topics, and where clauses end."""

    text: str
    cues: Mapping[int, list[Hit]]
    """By sentence."""
    topics: list[Span]
    clauses: list[int]

    def standing(self, hit: Hit, despite: frozenset[str]) -> Standing:
        """How the nearest cues let the hit stand. A cue inside the hit is part of what it says."""
        if "topic" not in despite and any(start <= hit.start < end for start, end in self.topics):
            return Standing.SUPPOSED
        cues = self.cues.get(hit.sentence)
        if cues is None:
            return Standing.STANDS
        place = bisect_left(cues, hit.start, key=_start)
        near = cues[max(0, place - NEAR) : place + NEAR]
        outside = [c for c in near if not (c.start < hit.end and hit.start < c.end)]
        for cue in outside:
            kind = cue.name.removeprefix("cue.")
            if kind in despite:
                continue
            standing = _before_it(self.text, hit, cue, self.clauses, outside) if cue.end <= hit.start else None
            if cue.start >= hit.end and kind == "over" and not _denied(self.text, cue, outside):
                standing = Standing.OVER
            if standing:
                return standing
        return Standing.STANDS


def _as(hit: Hit, standing: Standing) -> Hit:
    return hit if standing is Standing.STANDS else Hit(hit.name, hit.start, hit.end, hit.sentence, standing)


def _before_it(text: str, hit: Hit, cue: Hit, clauses: list[int], cues: list[Hit]) -> Standing | None:
    """What a cue that stands before the hit makes of it."""
    if cue.name == "cue.past":
        return None if _back_to_now(cue, hit, cues) else Standing.OVER
    if bisect_right(clauses, cue.start) != bisect_right(clauses, hit.start):
        return None
    if cue.name == "cue.denied" and _reaches(text[cue.end : hit.start]):
        return Standing.DENIED
    return Standing.SUPPOSED if cue.name == "cue.supposed" else None


def _reaches(between: str) -> bool:
    """Whether a denial reaches over these words: next to it, or along a list (没有发烧、咳嗽、气喘)."""
    if between.isascii() and between.strip():
        return len(between.split()) <= DENIED_WORDS
    return len(between) <= 2 or _LIST.fullmatch(between) is not None


def _back_to_now(past: Hit, hit: Hit, cues: list[Hit]) -> bool:
    return any(cue.name == "cue.now" and past.end <= cue.start and cue.end <= hit.start for cue in cues)


def _denied(text: str, cue: Hit, cues: list[Hit]) -> bool:
    """Whether what a cue says is itself denied (没有好转)."""
    return any(
        other.name == "cue.denied" and other.end <= cue.start and _reaches(text[other.end : cue.start])
        for other in cues
    )
