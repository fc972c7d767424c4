"""Finds the phrases of the rules in a text, and whether each holds: not denied, not over, not merely supposed. Pure.

A phrase is plain words with three marks: `(a|b|)` says one of these, `..` leaves a gap of a few characters (in
English a few words), `#` is a number, which a measure may bound. All phrases are looked for in one pass: they are
indexed by how they begin, and a gap is short, so the work grows with the length of the text and with nothing else.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from triage import numerals

GAP_CHARACTERS = 6
GAP_WORDS = 5
DENIED_WORDS = 3
MOST_VARIANTS = 4000
"""Of one phrase: more is a mistake in a rule file."""
MOST_GAPS = 3
"""In one phrase: each multiplies the work at a place."""
NEAR = 8
"""How many cues, or exceptions, before and after a hit are looked at: a bound for texts made to be slow."""
_FLAT = str.maketrans(
    {
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
        "　": " ",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
    }
)
_SENTENCE = re.compile(r"[。!?;\n]+|(?<=\D)\.(?=\s|$)")
_CLAUSE = re.compile(r"[。!?;\n,:()【】]+|(?<=\D)\.(?=\s|$)|(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])")
_WORD = re.compile(r"[a-z][a-z'-]*")
_NUMBER = re.compile(numerals.PATTERN)
_CHOICE = re.compile(r"\(([^()]*)\)")
_TOPIC = re.compile(r"#[^#\s]{1,30}#")
"""A hashtag names what others talk of too: it says nothing of this person."""
_GAP_LATIN = rf"(?:[ ,]{{1,3}}[\w'-]{{1,24}}+){{0,{GAP_WORDS}}}?[ ,]{{0,3}}"
_GAP = rf"[^。!?;\n]{{0,{GAP_CHARACTERS}}}?"
_LIST = re.compile(r"[^,、]{0,8}(?:、[^,、]{1,8}){0,8}(?:、|和|或|及)[^,、]{0,2}")


class Standing(StrEnum):
    """Whether what a phrase says is so, here and now."""

    STANDS = "stands"
    DENIED = "denied"
    OVER = "over"
    SUPPOSED = "supposed"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say something: `words` in the syntax above; a number in it may be bounded, both ends included."""

    name: str
    words: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
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


def fold(text: str) -> str:
    """Half-width and lower case, of the same length, so that offsets stay those of the original."""
    flat = text.translate(_FLAT)
    lowered = flat.lower()
    if len(lowered) == len(flat):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in flat)


def variants(words: str) -> list[str]:
    """Each way to read the `(a|b)` of a phrase; raises ValueError where they are too many."""
    found = [words]
    while _CHOICE.search(found[0]):
        found = list(dict.fromkeys(each for one in found for each in _opened(one)))
        if len(found) > MOST_VARIANTS:
            raise ValueError(f"{words!r} has more than {MOST_VARIANTS} variants")
    return found


def _opened(words: str) -> list[str]:
    match = _CHOICE.search(words)
    if match is None:
        return [words]
    return [words[: match.start()] + choice + words[match.end() :] for choice in match[1].split("|")]


@dataclass(frozen=True, slots=True)
class _Search:
    """A phrase ready to be looked for at a place; `pattern` only where it is more than plain words."""

    phrase: Phrase
    words: str
    pattern: re.Pattern[str] | None

    def end(self, text: str, start: int) -> int | None:
        """Where it ends if it stands at `start`."""
        if self.pattern is None:
            if not text.startswith(self.words, start):
                return None
            end = start + len(self.words)
            return None if _runs_on(text, end) else end
        match = self.pattern.match(text, start)
        if match is None or not self._within(match):
            return None
        return match.end()

    def _within(self, match: re.Match[str]) -> bool:
        least, most = self.phrase.at_least, self.phrase.at_most
        if least is None and most is None:
            return True
        value = numerals.number(match["n"])
        return value is not None and (least is None or value >= least) and (most is None or value <= most)


def _runs_on(text: str, end: int) -> bool:
    """Whether a Latin word goes on over `end`: `cat` is not found in `category`."""
    before, after = text[end - 1], text[end : end + 1]
    return before.isascii() and after.isascii() and before.isalnum() and after.isalnum()


def _search(phrase: Phrase) -> _Search:
    """Raises ValueError for a phrase with too many gaps."""
    words = fold(phrase.words)
    if not re.search(r"\.\.|[#(]", words):
        return _Search(phrase, words, None)
    if words.count("..") > MOST_GAPS:
        raise ValueError(f"{phrase.words!r} has more than {MOST_GAPS} gaps")
    spoken = words.isascii()
    gap = _GAP_LATIN if spoken else _GAP
    count = numerals.PATTERN_EN if spoken else numerals.PATTERN
    source = ""
    for part in re.split(r"( ?\.\. ?|[#(|)])", words):
        if part == "#":
            source += rf"(?P<n>{count})\s?" if "(?P<n>" not in source else count
        elif part in "(|)":
            source += part.replace("(", "(?:")
        else:
            source += gap if part.strip() == ".." else re.escape(part)
    return _Search(phrase, words, re.compile(source + r"(?![a-z0-9])" if words[-1].isascii() else source))


def _next(text: str, start: int) -> str:
    """The character that follows, a space passed over."""
    return text[start : start + 2].lstrip()[:1]


def _head(words: str) -> str:
    """By what a phrase is found: `#` and what follows the number, a Latin word, or its first one or two characters."""
    if not words.strip() or words.startswith(".."):
        raise ValueError(f"{words!r} must begin with words or a number")
    if words[0] == "#":
        return "#" + _next(words, 1)
    if word := _WORD.match(words):
        return word[0]
    return words[0] if words[1:2] in ("", ".", "#", " ") else words[:2]


class Phrasebook:
    """All phrases of the rules, indexed by how they begin, and the cues that say how a phrase stands."""

    def __init__(self, phrases: Iterable[Phrase], despite: Mapping[str, frozenset[str]]) -> None:
        """`despite` names, for a sign that holds all the same, the cues that do not touch it."""
        self._despite = despite
        self._heads: dict[str, dict[str, list[_Search]]] = {}
        """By the first character, then by the second (empty: any)."""
        self._words: dict[str, list[_Search]] = {}
        self._numbered: dict[str, list[_Search]] = {}
        for phrase in phrases:
            search = _search(phrase)
            for head in {_head(words) for words in variants(search.words)}:
                self._index(head, search)

    def _index(self, head: str, search: _Search) -> None:
        if head[0] == "#":
            self._numbered.setdefault(head[1:], []).append(search)
        elif _WORD.match(head):
            self._words.setdefault(head, []).append(search)
        else:
            self._heads.setdefault(head[0], {}).setdefault(head[1:], []).append(search)

    def read(self, text: str) -> Reading:
        """What the phrases find in the text, in the order of the text."""
        folded = fold(text)
        sentences = [match.end() for match in _SENTENCE.finditer(folded)]
        spans = set()
        for start, search in self._candidates(folded):
            end = search.end(folded, start)
            if end is not None:
                spans.add((start, end, search.phrase.name))
        found = [Hit(name, start, end, bisect_right(sentences, start)) for start, end, name in sorted(spans)]
        return Reading(folded, tuple(self._judged(folded, _without_exceptions(found))))

    def _candidates(self, text: str) -> Iterator[tuple[int, _Search]]:
        for start, character in enumerate(text):
            heads = self._heads.get(character)
            if heads:
                following = text[start + 1 : start + 2]
                for search in heads.get("", ()):
                    yield start, search
                for search in heads.get(following, ()) if following else ():
                    yield start, search
        yield from self._words_and_numbers(text)

    def _words_and_numbers(self, text: str) -> Iterator[tuple[int, _Search]]:
        for word in _WORD.finditer(text):
            for search in self._words.get(word[0], ()):
                yield word.start(), search
        for number in _NUMBER.finditer(text):
            for search in self._numbered.get(_next(text, number.end()), ()):
                yield number.start(), search

    def _judged(self, text: str, hits: list[Hit]) -> Iterator[Hit]:
        cues = _cues(hits)
        topics = [match.span() for match in _TOPIC.finditer(text)][:NEAR]
        if not cues and not topics:
            yield from hits
            return
        clauses = [match.end() for match in _CLAUSE.finditer(text)]
        for hit in hits:
            standing = Standing.STANDS
            despite = self._despite.get(hit.name, frozenset())
            if hit.name.startswith(("cue.", "word.")):
                pass
            elif "topic" not in despite and any(start <= hit.start < end for start, end in topics):
                standing = Standing.SUPPOSED
            else:
                standing = _standing(text, hit, cues, clauses, despite)
            yield hit if standing is Standing.STANDS else Hit(hit.name, hit.start, hit.end, hit.sentence, standing)


def _without_exceptions(hits: list[Hit]) -> list[Hit]:
    """Without those that lie in a longer phrase which means something else, named `!` and the sign's name."""
    longer: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.name.startswith("!"):
            longer.setdefault(hit.name[1:], []).append(hit)
    if not longer:
        return hits
    return [
        hit
        for hit in hits
        if not hit.name.startswith("!")
        and not any(hit.end <= other.end for other in _before(longer.get(hit.name, ()), hit.start + 1))
    ]


def _cues(hits: list[Hit]) -> list[Hit]:
    """The cues; a denial that is part of what a sign says (no insulin left) denies nothing else."""
    signs = [hit for hit in hits if not hit.name.startswith(("cue.", "word."))]
    return [
        hit
        for hit in hits
        if hit.name.startswith("cue.")
        and not (hit.name == "cue.denied" and any(hit.end <= sign.end for sign in _before(signs, hit.start + 1)))
    ]


def _before(hits: Sequence[Hit], position: int) -> Sequence[Hit]:
    """The last few that start before `position`."""
    place = bisect_left(hits, position, key=_start)
    return hits[max(0, place - NEAR) : place]


def _start(hit: Hit) -> int:
    return hit.start


def _standing(text: str, hit: Hit, cues: list[Hit], clauses: list[int], despite: frozenset[str]) -> Standing:
    """How the nearest cues let the hit stand. A cue inside the hit is part of what it says."""
    place = bisect_left(cues, hit.start, key=_start)
    near = cues[max(0, place - NEAR) : place + NEAR]
    outside = [c for c in near if c.sentence == hit.sentence and not (c.start < hit.end and hit.start < c.end)]
    for cue in outside:
        kind = cue.name.removeprefix("cue.")
        if kind in despite:
            continue
        standing = _before_it(text, hit, cue, clauses, outside) if cue.end <= hit.start else None
        if cue.start >= hit.end and kind == "over" and not _denied(text, cue, outside):
            standing = Standing.OVER
        if standing:
            return standing
    return Standing.STANDS


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
