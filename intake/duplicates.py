"""Likely duplicates: what the same contact asked for lately and is still open, the most alike first."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from shared.contracts.vocabulary import Status

WINDOW = timedelta(hours=48)
MOST_NAMED = 5
COMPARED_CHARACTERS = 500
"""Of each text: people say first what they need, and a comparison must stay quick for the longest text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An open request of the same contact."""

    request_id: UUID
    receipt: str
    status: Status
    received_at: datetime
    contact_hash: str
    words: str
    """The masked text, or its beginning."""


def rank(words: str, candidates: Iterable[Candidate]) -> list[tuple[float, Candidate]]:
    """The candidates with their likeness (0 to 1), the most alike first, then the newest; at most MOST_NAMED."""
    pairs = bigrams(words)
    scored = [(likeness(pairs, bigrams(c.words)), c) for c in candidates]
    return sorted(scored, key=lambda s: (s[0], s[1].received_at), reverse=True)[:MOST_NAMED]


def bigrams(words: str) -> frozenset[str]:
    """Pairs of neighbouring letters, digits and characters; without blanks, punctuation and case."""
    plain = [c for c in unicodedata.normalize("NFKC", words[:COMPARED_CHARACTERS]).casefold() if c.isalnum()]
    return frozenset(a + b for a, b in pairwise(plain)) or frozenset(plain)


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The Jaccard index: what they share of what they have together."""
    together = one | other
    return len(one & other) / len(together) if together else 0.0
