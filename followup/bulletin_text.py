"""The bulletin as Markdown, without the charts. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from followup.bulletin import Bulletin
from followup.bulletin_words import COUNTED, DIMENSIONS, FIGURES, HEADINGS, STAGES, VALUES, called, lasted, rated, say
from followup.definitions import DEFINITIONS
from followup.figures import RATES
from followup.stages import ALL
from shared.contracts.vocabulary import Language

Table = tuple[str, Sequence[str], Iterable[Sequence[object]]]
"""A heading, the heads of the columns, the rows."""


def to_markdown(bulletin: Bulletin, lang: Language, zone: ZoneInfo) -> str:
    """The whole bulletin."""
    at = f"{bulletin.at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
    head = {name: say(HEADINGS, name, lang) for name in HEADINGS}
    lines = [
        f"# {head['title']}",
        f"\n**{bulletin.sentence[lang.value]}**",
        f"\n{head['as_of']} {at} · {head[bulletin.source.value]} · {head['formulas']} {bulletin.formulas_version}",
    ]
    for table in _tables(bulletin, lang, head):
        lines += _written(*table)
    return "\n".join(lines) + "\n"


def _tables(shown: Bulletin, lang: Language, head: dict[str, str]) -> Iterator[Table]:
    totals = shown.figures.totals
    yield (
        head["rates"],
        ("", ""),
        [(say(FIGURES, name, lang), rated(getattr(shown.figures, name), lang)) for name in RATES],
    )
    yield head["counts"], ("", "n"), [(say(FIGURES, name, lang), getattr(totals, name)) for name in COUNTED]
    standing = [(say(VALUES, name, lang), n) for name, n in shown.standing.items()]
    yield head["standing"], ("", "n"), [*standing, (head["sum"], totals.received)]
    yield _stages(shown, lang, head)
    for dimension in ("colour", "category", "area", "organisation", "channel"):
        yield _of_dimension(shown, dimension, lang, head)
    excluded = [
        (str(one.request_id), say(VALUES, one.reason, lang), one.approved_by or head[one.decided_by])
        for one in shown.exclusions
    ]
    yield head["exclusions"], (head["request"], head["reason"], head["approved"]), excluded
    alarms = sorted((shown.alarms or {}).items())
    yield head["alarms"], ("", "n"), [(say(VALUES, kind, lang), n) for kind, n in alarms]
    is_zh = lang is Language.ZH
    formulas = [(one.zh, one.formula_zh) if is_zh else (one.en, one.formula_en) for one in DEFINITIONS]
    yield f"{head['definitions']} ({head['formulas']} {shown.formulas_version})", ("", ""), formulas


def _stages(shown: Bulletin, lang: Language, head: dict[str, str]) -> Table:
    rows = []
    for stage, by_colour in shown.stages.items():
        took = by_colour[ALL]
        known = (took.p50_seconds, took.p90_seconds, took.p99_seconds, took.max_seconds)
        rows.append((say(STAGES, stage, lang), took.n, *(lasted(seconds, lang) for seconds in known)))
    heads = (head["stage"], "n", head["half"], head["ninety"], head["ninety_nine"], head["longest"])
    return head["stages"], heads, rows


def _of_dimension(shown: Bulletin, dimension: str, lang: Language, head: dict[str, str]) -> Table:
    rows = [
        (
            called(dimension, line.value, shown.names, lang),
            line.received,
            line.still_open,
            rated(line.effective_answer, lang),
            rated(line.on_time, lang),
        )
        for line in shown.groups[dimension]
    ]
    heads = ("", head["received"], head["still_open"], head["effective"], head["on_time"])
    return say(DIMENSIONS, dimension, lang), heads, rows


def _written(heading: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"\n## {heading}\n"
    kept = list(rows)
    if not kept:
        yield "–"
        return
    yield _row(heads)
    yield _row(["---", *["---:"] * (len(heads) - 1)])
    for row in kept:
        yield _row(row)


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
