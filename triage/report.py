"""The figures of an evaluation as a table for the screen and as a page with charts, complete in itself. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from shared.charts import Bar, bars
from shared.contracts.vocabulary import Colour

Figures = Mapping[str, Any]
HEADLINES = (
    ("red_recall", "red recall"),
    ("red_precision", "red precision"),
    ("under_triage", "under-triage"),
    ("over_triage", "over-triage"),
    ("colour_accuracy", "colour accuracy"),
    ("category_accuracy", "category accuracy"),
    ("category_macro_f1", "category macro-F1"),
    ("deadline_exact_accuracy", "deadline, exact"),
    ("deadline_day_accuracy", "deadline, within a day"),
    ("false_deadline_rate", "false deadlines"),
)
ORDER = [colour.value for colour in (Colour.RED, Colour.YELLOW, Colour.GREEN)]
SHOWN_ERRORS = 10
LONGEST_SHOWN = 160
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.25rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}mark{background:#ffe08a}.q{white-space:pre-wrap;margin:.3rem 0}
.error{border-left:4px solid #c33;padding:.1rem .8rem;margin:1rem 0}small{color:#666}
svg{max-width:32rem}svg text{font:12px system-ui,sans-serif;fill:#222}
"""


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def table(figures: Figures) -> str:
    """The figures as lines of text."""
    return "\n".join(_table_lines(figures))


def _table_lines(figures: Figures) -> Iterator[str]:
    strict = figures["strict"]
    yield f"{figures['n']} texts, policy {figures['policy_version']}"
    yield f"{'':26}{'lenient':>9}{'strict':>9}"
    for key, words in HEADLINES:
        yield f"{words:26}{_share(figures[key]):>9}" + (f"{_share(strict[key]):>9}" if key in strict else "")
    yield f"{'red called green':26}{figures['red_called_green']:>9}{strict['red_called_green']:>9}"
    yield ""
    yield f"{'right / given':18}" + "".join(f"{colour:>9}" for colour in ORDER)
    for right in ORDER:
        yield f"{right:18}" + "".join(f"{figures['confusion'][right][given]:>9}" for given in ORDER)
    yield ""
    yield f"{'category':20}{'n':>5}{'precision':>11}{'recall':>9}{'F1':>9}"
    for name, of in figures["categories"].items():
        yield f"{name:20}{of['n']:>5}{_share(of['precision']):>11}{_share(of['recall']):>9}{_share(of['f1']):>9}"
    if figures["worst"]:
        yield ""
        yield "the dearest mistakes"
    for wrong in figures["worst"][:SHOWN_ERRORS]:
        yield from _mistake_lines(wrong)


def _mistake_lines(wrong: Mapping[str, Any]) -> Iterator[str]:
    text = " ".join(wrong["text"].split())
    yield f"- {wrong['id']}: {_given(wrong)}"
    yield f"    {text[:LONGEST_SHOWN]}{'…' if len(text) > LONGEST_SHOWN else ''}"
    for reason in wrong["reasons"]:
        yield f"    {reason['gives']} by {reason['rule']}" + (f": {reason['words']}" if reason["words"] else "")


def _given(wrong: Mapping[str, Any]) -> str:
    pairs = (
        ("colour", wrong["urgency"], wrong["colour"]),
        ("category", wrong["category"], wrong["category_given"]),
    )
    said = [
        f"{name} {given}, right {' or '.join(right)}" for name, right, given in pairs if right and given not in right
    ]
    if wrong["deadline"] != wrong["deadline_given"]:
        said.append(f"deadline {wrong['deadline_given'] or 'none'}, right {wrong['deadline'] or 'none'}")
    return "; ".join(said)


# The page


def page(figures: Figures, name: str) -> str:
    """A page of HTML with charts and the dearest mistakes, their words marked; it loads nothing from elsewhere."""
    return "\n".join(_page_parts(figures, escape(name)))


def _page_parts(figures: Figures, name: str) -> Iterator[str]:
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Triage on {name}</title><style>{STYLE}</style>'
    yield f"<h1>Triage on {name}</h1>"
    yield f"<p>{figures['n']} texts, policy <code>{escape(figures['policy_version'])}</code>.</p>"
    yield _headlines(figures)
    yield "<h2>Colours</h2>" + _confusion(figures["confusion"])
    yield "<h2>Categories: F1</h2>" + _chart({key: of["f1"] for key, of in figures["categories"].items()}, "F1")
    yield _categories(figures["categories"])
    yield f"<h2>The dearest mistakes ({len(figures['worst'])})</h2>"
    for wrong in figures["worst"]:
        yield _error(wrong)
    yield "</html>"


def _headlines(figures: Figures) -> str:
    strict = figures["strict"]
    rows = "".join(
        f"<tr><td>{words}</td><td>{_share(figures[key])}</td>"
        f"<td>{_share(strict[key]) if key in strict else ''}</td></tr>"
        for key, words in HEADLINES
    )
    chart = _chart({words: figures[key] or 0 for key, words in HEADLINES}, "Figures")
    return f"<table><tr><th></th><th>lenient</th><th>strict</th></tr>{rows}</table>{chart}"


def _chart(shares: Mapping[str, float], title: str) -> str:
    return bars([Bar(key, f"{share:.2f}", share) for key, share in shares.items()], title)


def _confusion(confusion: Mapping[str, Mapping[str, int]]) -> str:
    most = max((n for row in confusion.values() for n in row.values()), default=0) or 1
    head = "".join(f"<th>called {given}</th>" for given in ORDER)
    rows = "".join(
        f"<tr><th>is {right}</th>"
        + "".join(_cell(confusion[right][given], most, right=right == given) for given in ORDER)
        + "</tr>"
        for right in ORDER
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _cell(n: int, most: int, *, right: bool) -> str:
    tint = "60,150,80" if right else "200,60,60"
    return f'<td style="background:rgba({tint},{0.8 * n / most:.2f})">{n}</td>'


def _categories(categories: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{key}</td><td>{of['n']}</td><td>{_share(of['precision'])}</td>"
        f"<td>{_share(of['recall'])}</td><td>{_share(of['f1'])}</td></tr>"
        for key, of in categories.items()
    )
    return f"<table><tr><th>category</th><th>n</th><th>precision</th><th>recall</th><th>F1</th></tr>{rows}</table>"


def _error(wrong: Mapping[str, Any]) -> str:
    rules = ", ".join(escape(f"{reason['gives']} by {reason['rule']}") for reason in wrong["reasons"])
    return (
        f'<div class="error"><b>{escape(wrong["id"])}</b> {escape(_given(wrong))}'
        f'<div class="q">{marked(wrong["text"], wrong["reasons"])}</div><small>{rules}</small></div>'
    )


def marked(text: str, reasons: list[Mapping[str, Any]]) -> str:
    """The text as HTML, with the words of the reasons marked; where they overlap, the first and longest counts."""
    parts, at = [], 0
    spans = sorted((r["start"], -r["end"], r["rule"]) for r in reasons if r["start"] is not None)
    for start, minus_end, rule in spans:
        end = -minus_end
        if start < at:
            continue
        parts.append(f'{escape(text[at:start])}<mark title="{escape(rule)}">{escape(text[start:end])}</mark>')
        at = end
    return "".join(parts) + escape(text[at:])
