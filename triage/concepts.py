"""What several plain words say together that none of them says alone: chest and tight, stove and dizzy. Pure.

A concept is a thing or what befalls it, in as many words as people have for it (concepts.yaml). Two or three of them
close to each other, in whatever order, give a sign: so the rules know ways to say it that nobody wrote down.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

PREFIX = "concept."
"""Of the names under which the phrasebook finds concepts."""
LATIN = 4
"""So many letters of a Latin word take the room of one Chinese character."""
MOST_ANCHORS = 12
"""So many hits of its first concept each combination looks at: a bound for texts made to be slow."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Concepts that give a sign where they stand within so many characters of the first; four letters count as one."""

    gives: str
    of: tuple[str, ...]
    within: int = 12

    def found(self, text: str, spans: Mapping[str, Sequence[Span]]) -> Iterator[tuple[Span, ...]]:
        """Each place where they stand together: the spans of the concepts; `spans` by concept, in order."""
        if any(name not in spans for name in self.of):
            return
        for anchor in spans[self.of[0]][:MOST_ANCHORS]:
            reach = self.within * (LATIN if text[anchor[0]].isascii() else 1)
            parts = [anchor]
            for name in self.of[1:]:
                part = _nearest(spans[name], parts, reach)
                if part is None:
                    break
                parts.append(part)
            else:
                yield tuple(parts)


def _nearest(spans: Sequence[Span], taken: Sequence[Span], reach: int) -> Span | None:
    """The span nearest to the first that is taken, within reach of it and over none that is."""
    anchor = taken[0]
    place = bisect_left(spans, anchor)
    best, nearest = None, reach + 1
    for span in spans[max(0, place - 4) : place + 4]:
        distance = max(anchor[0] - span[1], span[0] - anchor[1])
        if 0 <= distance < nearest and not any(span[0] < end and start < span[1] for start, end in taken[1:]):
            best, nearest = span, distance
    return best
