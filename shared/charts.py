"""Charts as inline SVG, and the page around them: complete in themselves, they load nothing and run nothing. Pure.

A chart is 360 units wide, so that its words keep their size on a phone, and grows with its column elsewhere. Words
stand above their bars and never beside them: no label is too long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log

WIDTH = 360
ROW, BAR = 34, 9
"""The height of a row, its words above its bar, and of the bar."""
INK, PALE = "#2f6fa8", "#d9e4ee"
AXIS = "#8a8f98"
COLUMNS = 150
"""The height of a chart of columns, without its axis."""
LEFT = 34
"""Where columns begin: the numbers of the axis stand before."""
STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,-apple-system,"Noto Sans","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;
max-width:56rem;margin:0 auto;padding:1rem .75rem 3rem;color:#1d2329;background:#fff}
h1{font-size:1.35rem;line-height:1.3;margin:.5rem 0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
small,.note{color:#5b6470}
.lead{font-size:1.15rem;font-weight:600;margin:.6rem 0 1rem;padding:.7rem .9rem;border-left:4px solid #2f6fa8;
background:#f2f6fa}.grid{display:grid;gap:.4rem 2rem;grid-template-columns:repeat(auto-fit,minmax(min(19rem,100%),1fr))}
section{break-inside:avoid;min-width:0}svg{display:block;width:100%;height:auto}
svg text{font:12px system-ui,-apple-system,"Noto Sans","Noto Sans CJK SC","PingFang SC",sans-serif;fill:#1d2329}
svg .n{fill:#5b6470}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;width:100%}
th,td{padding:.22rem .45rem;text-align:right;border-bottom:1px solid #e3e7eb;vertical-align:top}
th:first-child,td:first-child{text-align:left}td{white-space:nowrap}.words td{text-align:left;white-space:normal}
.key{margin:.2rem 0;font-size:.85rem}
.key i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .8em;vertical-align:-.05em}
@page{size:A4;margin:14mm}@media print{body{font-size:10.5pt;padding:0;max-width:none;
-webkit-print-color-adjust:exact;print-color-adjust:exact}h2{break-after:avoid}tr{break-inside:avoid}
.grid{grid-template-columns:1fr 1fr}.wide{overflow:visible}}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: what it is about, what stands at its end, its share of the width, and where it is not sure the interval;
    all shares 0 to 1. `mark` draws a point there."""

    label: str
    text: str
    share: float | None = None
    low: float | None = None
    high: float | None = None
    mark: float | None = None


def bars(rows: Sequence[Bar], title: str, ink: str = INK, ticks: Sequence[tuple[float, str]] = ()) -> str:
    """A row for each: a bar from nothing to its share, or from `low` to `high` with a point at the share.

    `ticks` are named places on the width, 0 to 1, marked through all rows and named below them.
    """
    height = max(1, len(rows)) * ROW
    inside = "".join(_row(row, n * ROW, ink) for n, row in enumerate(rows))
    inside += "".join(_tick(share * WIDTH, height, words) for share, words in ticks)
    return _svg(inside, height + (16 if ticks else 0), title)


def _tick(x: float, height: float, words: str) -> str:
    anchor = "start" if x < WIDTH * 0.05 else "end" if x > WIDTH * 0.95 else "middle"
    return (
        f'<path d="M{x:.1f} 4V{height}" stroke="{AXIS}" stroke-width=".6" stroke-dasharray="2 4"/>'
        f'<text class="n" x="{x:.1f}" y="{height + 12}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _row(row: Bar, top: float, ink: str) -> str:
    words = (
        f'<text x="0" y="{top + 13}">{escape(row.label)}</text>'
        f'<text class="n" x="{WIDTH}" y="{top + 13}" text-anchor="end">{escape(row.text)}</text>'
    )
    at = top + 19
    ground = f'<rect x="0" y="{at}" width="{WIDTH}" height="{BAR}" fill="{PALE}" opacity=".5"/>'
    drawn = ""
    if row.low is not None and row.high is not None:
        begin, width = row.low * WIDTH, max(2.0, (row.high - row.low) * WIDTH)
        drawn = f'<rect x="{begin:.1f}" y="{at}" width="{width:.1f}" height="{BAR}" fill="{ink}" opacity=".45"/>'
    elif row.share is not None:
        drawn = f'<rect x="0" y="{at}" width="{max(1.0, row.share * WIDTH):.1f}" height="{BAR}" fill="{ink}"/>'
    points = (row.share if row.low is not None else None, row.mark)
    drawn += "".join(_point(x, at, ink) for x in points if x is not None)
    return words + ground + drawn


def _point(share: float, top: float, ink: str) -> str:
    x = min(WIDTH - 3.0, max(3.0, share * WIDTH))
    return f'<rect x="{x - 1.5:.1f}" y="{top - 2}" width="3" height="{BAR + 4}" fill="{ink}"/>'


def columns(values: Sequence[Sequence[int]], inks: Sequence[str], ends: tuple[str, str], title: str) -> str:
    """Columns side by side, each a stack of one value per ink; `ends` name the first and the last."""
    highest = max((sum(column) for column in values), default=0) or 1
    step = (WIDTH - LEFT) / max(1, len(values))
    inside = ""
    for n, column in enumerate(values):
        floor = float(COLUMNS)
        for value, ink in zip(column, inks, strict=True):
            height = value / highest * (COLUMNS - 12)
            floor -= height
            if value:
                inside += (
                    f'<rect x="{LEFT + n * step:.2f}" y="{floor:.2f}" width="{max(0.8, step - 0.6):.2f}" '
                    f'height="{height:.2f}" fill="{ink}"/>'
                )
    axis = (
        f'<path d="M{LEFT} 12V{COLUMNS}H{WIDTH}" fill="none" stroke="{AXIS}"/>'
        f'<text class="n" x="{LEFT - 5}" y="20" text-anchor="end">{highest}</text>'
        f'<text class="n" x="{LEFT - 5}" y="{COLUMNS}" text-anchor="end">0</text>'
        f'<text class="n" x="{LEFT}" y="{COLUMNS + 16}">{escape(ends[0])}</text>'
        f'<text class="n" x="{WIDTH}" y="{COLUMNS + 16}" text-anchor="end">{escape(ends[1])}</text>'
    )
    return _svg(inside + axis, COLUMNS + 24, title)


def on_log_scale(value: float, lowest: float, highest: float) -> float:
    """Where a value stands between two others, 0 to 1, where each step is a factor."""
    return min(1.0, max(0.0, log(max(value, lowest) / lowest) / log(highest / lowest)))


def key(words: Sequence[tuple[str, str]]) -> str:
    """What the inks mean: (ink, word)."""
    return f'<p class="key">{"".join(f"<i style=background:{ink}></i>{escape(word)}" for ink, word in words)}</p>'


def page(title: str, inside: str, lang: str) -> str:
    """A whole page of HTML; `inside` is HTML already."""
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{inside}\n</body></html>\n"
    )


def _svg(inside: str, height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{inside}</svg>'
