"""How the rules write a phrase, made ready to be looked for. Pure.

A phrase is plain words with five marks: `(a|b|)` says one of these, `<drug>` one of the words of that name in
words.yaml, `..` leaves a gap of a few characters (in English a few words), `#` is a number, which a measure may bound,
`*` lets a Latin word end in any way (`swell*`). Apostrophes may be left out, as people do (cant breathe). What stands
before the first gap, number or open ending is spelled out in all its ways, so that it is found by a look-up; the rest
is a pattern that is tried only there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from triage import numerals
from triage.characters import DIALECT, SIMPLIFIED, STANDARD, TRADITIONAL

GAP_CHARACTERS = 6
GAP_WORDS = 5
MOST_VARIANTS = 4000
"""Of one phrase: more is a mistake in a rule file."""
MOST_SPELLED_OUT = 400
"""Ways in which the beginning of a phrase is spelled out; a choice beyond that is left to the pattern."""
MOST_HITS = 30
"""Of one name in a text: what is said more often is not more true."""
MOST_CUES = 150
MOST_GAPS = 3
"""In one phrase: each multiplies the work at a place."""
_FLAT = str.maketrans(
    {
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
        "　": " ",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        **dict(zip(TRADITIONAL, SIMPLIFIED, strict=True)),
        **dict(zip(DIALECT, STANDARD, strict=True)),
    }
)
_CHOICE = re.compile(r"\(([^()]*)\)")
_NAME = re.compile(r"<([a-z_]+)>")
_PARTS = re.compile(r" ?\.\. ?|#|\*|[^.#(*]+?(?= ?\.\.|[.#(*]|$)|\.")
_GAP_LATIN = rf"(?:[ ,]{{1,3}}[\w'-]{{1,24}}+){{0,{GAP_WORDS}}}?[ ,]{{0,3}}"
_ENDING = r"[a-z]{0,12}"
_GAP = rf"[^。!?;\n]{{0,{GAP_CHARACTERS}}}?"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to say something: `words` in the syntax above; a number in it may be bounded, both ends included."""

    name: str
    words: str
    at_least: float | None = None
    at_most: float | None = None
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """The lists that it may name."""


class Ready:
    """A phrase that can be looked for; raises ValueError where it cannot."""

    __slots__ = ("following", "searches")

    def __init__(self, phrase: Phrase) -> None:
        self.searches = tuple(searches(phrase))
        self.following = tuple(after_number(search) for search in self.searches)


@dataclass(frozen=True, slots=True)
class Search:
    """A phrase ready to be looked for: what its beginning is, in each way, and what follows."""

    phrase: Phrase
    beginnings: tuple[str, ...]
    """Empty where it begins with a number."""
    name: str
    most: int
    """So many of its name are looked for in a text."""
    rest: re.Pattern[str] | None
    """What follows the beginning; with a number in front, the whole."""

    def end(self, text: str, start: int, begun: int) -> int | None:
        """Where it ends if it starts at `start` and its beginning, after which no word runs on, ends at `begun`."""
        if self.rest is None:
            return begun
        match = self.rest.match(text, begun)
        if match is None or not self._within(match):
            return None
        end = match.end()
        return None if end == start or runs_on(text, end) else end

    def _within(self, match: re.Match[str]) -> bool:
        least, most = self.phrase.at_least, self.phrase.at_most
        if least is None and most is None:
            return True
        value = numerals.number(match["n"])
        return value is not None and (least is None or value >= least) and (most is None or value <= most)


def runs_on(text: str, end: int) -> bool:
    """Whether a Latin word goes on over `end`: `cat` is not found in `category`."""
    before, after = text[end - 1], text[end : end + 1]
    return before.isascii() and after.isascii() and before.isalnum() and after.isalnum()


def fold(text: str) -> str:
    """Half-width, lower case and simplified, of the same length, so that offsets stay those of the original."""
    flat = text.translate(_FLAT)
    lowered = flat.lower()
    if len(lowered) == len(flat):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in flat)


def named(words: str, lists: Mapping[str, tuple[str, ...]]) -> str:
    """The phrase with each `<name>` written out as a choice; raises ValueError for a name that is not known."""

    def choice(match: re.Match[str]) -> str:
        if match[1] not in lists:
            raise ValueError(f"{words!r} names <{match[1]}>, which words.yaml does not define")
        return f"({'|'.join(lists[match[1]])})"

    return _NAME.sub(choice, words)


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


def _parts(words: str) -> Iterator[str]:
    """The phrase in pieces: plain words, whole choices, gaps, numbers."""
    at = 0
    while at < len(words):
        if words[at] == "(":
            end = _closing(words, at)
        else:
            match = _PARTS.match(words, at)
            end = match.end() if match else at + 1
        yield words[at:end]
        at = end


def _closing(words: str, at: int) -> int:
    depth = 0
    for place in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[place], 0)
        if depth == 0:
            return place + 1
    raise ValueError(f"{words!r} has a bracket that is not closed")


def searches(phrase: Phrase) -> Iterator[Search]:
    """The phrase made ready, with its apostrophes and without; raises ValueError where it cannot be looked for."""
    words = fold(named(phrase.words, phrase.lists))
    yield from _ways(words, phrase)
    if "'" in words:
        yield from _ways(words.replace("'", ""), phrase)


def _ways(words: str, phrase: Phrase) -> Iterator[Search]:
    first = next(_parts(words), "")
    if first.startswith("(") and ("#" in first or "*" in first):
        for way in variants(first):
            yield _search(replace(phrase, words=way + words[len(first) :]))
    else:
        yield _search(replace(phrase, words=words))


def _search(phrase: Phrase) -> Search:
    words = phrase.words
    if words.count("..") > MOST_GAPS:
        raise ValueError(f"{phrase.words!r} has more than {MOST_GAPS} gaps")
    parts = list(_parts(words))
    beginnings, taken = [""], 0
    for part in parts:
        ways = _spelled(part)
        if not ways or len(beginnings) * len(ways) > MOST_SPELLED_OUT:
            break
        beginnings = [one + way for one in beginnings for way in ways]
        taken += 1
    if any(not each.strip() for each in beginnings) and words[:1] != "#":
        raise ValueError(f"{phrase.words!r} must begin with words or a number")
    most = MOST_CUES if phrase.name.startswith("cue.") else MOST_HITS
    rest = _pattern(parts[taken:], spoken=words.isascii()) if taken < len(parts) else None
    if words[:1] == "#":
        return Search(phrase, (), phrase.name, most, rest)
    return Search(phrase, tuple(dict.fromkeys(beginnings)), phrase.name, most, rest)


def after_number(ready: Search) -> set[str]:
    """The characters that may follow the number with which a phrase begins; none where it begins with words."""
    if ready.beginnings:
        return set()
    firsts: set[str] = set()
    for part in list(_parts(ready.phrase.words))[1:]:
        ways = [way.strip() for way in _spelled(part)]
        if not ways:
            break
        firsts |= {way[0] for way in ways if way}
        if all(ways):
            return firsts
    raise ValueError(f"{ready.phrase.words!r} must have words right behind its first number")


def _spelled(part: str) -> list[str]:
    """Each way in which a piece is written; none where it is, or holds, a gap, a number or an open ending."""
    return [] if ".." in part or "#" in part or "*" in part else variants(part)


def _pattern(parts: list[str], *, spoken: bool) -> re.Pattern[str]:
    gap = _GAP_LATIN if spoken else _GAP
    count = numerals.PATTERN_EN if spoken else numerals.PATTERN
    source = ""
    for piece in re.split(r"( ?\.\. ?|[#(|)*])", "".join(parts)):
        if piece == "#":
            source += rf"(?P<n>{count})\s?" if "(?P<n>" not in source else count
        elif piece == "*":
            source += _ENDING
        elif piece in "(|)":
            source += piece.replace("(", "(?:")
        else:
            source += gap if piece.strip() == ".." else re.escape(piece)
    return re.compile(source)
