"""How fast triage reads: texts a second on one core, and the longest that a text takes."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bench.report import Row, at_least, at_most
from bench.words import TEXTS
from shared.contracts.vocabulary import Language
from triage import rules
from triage.model import assess

CHARACTERS = 100
LONGEST = 10_000
ROUNDS = 400
AT = datetime(2022, 10, 25, 7, 0, tzinfo=UTC)
REPEATED = ("没有", "水", "三天", "明天", "透析", "no ")
"""Words that made an earlier version slow."""


def measure() -> list[Row]:
    """Triage alone, in this process: no service, no database."""
    loaded = rules.load(ZoneInfo("Asia/Shanghai"))
    texts = [(text * CHARACTERS)[:CHARACTERS] for text in TEXTS]
    rate = max(_rate(texts, loaded) for _ in range(3))
    whole = ("".join(TEXTS) * LONGEST)[:LONGEST]
    slowest = max(_milliseconds(text, loaded) for text in (whole, *((each * LONGEST)[:LONGEST] for each in REPEATED)))
    return [
        at_least("triage of 100 characters, one core", f"{rate:.0f} texts/s", rate, 2_000),
        at_most("triage of 10,000 characters, the slowest", f"{slowest:.0f} ms", slowest, 50, " ms"),
    ]


def _rate(texts: list[str], loaded: rules.Rules) -> float:
    started = time.process_time()
    for n in range(ROUNDS):
        _read(texts[n % len(texts)], loaded)
    return ROUNDS / (time.process_time() - started)


def _milliseconds(text: str, loaded: rules.Rules) -> float:
    def once() -> float:
        started = time.process_time()
        _read(text, loaded)
        return 1000 * (time.process_time() - started)

    return min(once() for _ in range(3))


def _read(text: str, loaded: rules.Rules) -> None:
    assess(text, Language.of(text), AT, AT, None, loaded)
