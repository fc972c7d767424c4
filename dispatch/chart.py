"""The rows of a simulation as a text table, and as one HTML page that needs nothing else. Pure."""

from collections.abc import Sequence
from html import escape

from dispatch.capacity import Row, enough_of
from dispatch.scenario import COLOURS, Scenario
from shared import charts
from shared.contracts.vocabulary import Colour

WIDTH, HEIGHT, EDGE = 720, 260, 48
INK = ("#1f6feb", "#d4351c", "#00703c", "#b58105", "#6f42c1", "#0b7285", "#495057")
HEADS = (
    "liaisons", "requests", "answered", "in time", "open", "p90 red", "p90 yellow", "p90 green", "nudges", "recalled",
    "orders", "public", "breaks at", "where",
)  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """One row in words: shares in percent, times in minutes."""
    times = (row.p90_minutes[colour] for colour in (Colour.RED, Colour.YELLOW, Colour.GREEN))
    return (
        str(row.liaisons),
        str(row.requests),
        f"{row.answered_share:.1%}",
        f"{row.on_time_share:.1%}",
        str(row.open_at_end),
        *("never" if minutes is None else f"{minutes:.0f} min" for minutes in times),
        str(row.nudges),
        str(row.recalled),
        str(row.ordered),
        str(row.publicised),
        "–" if row.breaks_at_hour is None else f"hour {row.breaks_at_hour}",
        f"{row.worst} (stopped: too late already)" if row.gave_up else row.worst,
    )


def table(rows: Sequence[Row]) -> str:
    """A table for a terminal."""
    lines = [HEADS, *(cells(row) for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def answer(rows: Sequence[Row], wanted: float) -> str:
    """The answer in a sentence."""
    enough, first = enough_of(rows, wanted), rows[0]
    asked = f"{first.requests} requests in {first.scenario.hours} h"
    if enough is None:
        tried = f"{rows[-1].liaisons} liaisons answered {rows[-1].on_time_share:.0%} in time"
        return f"{asked}: {tried}, fewer than the {wanted:.0%} that are wanted."
    worst = f" {first.liaisons} answered {first.answered_share:.0%} at all." if first is not enough else ""
    return f"{asked}: {enough.liaisons} liaisons on duty are enough for {wanted:.0%} in time.{worst}"


def assumptions(scenario: Scenario) -> list[str]:
    """What the figures rest on beside the city's clocks."""
    return [
        f"{scenario.requests} requests over {scenario.hours} hours, watched for {scenario.run_on_hours} more",
        f"a request takes one person {scenario.work_minutes:g} minutes on average (exponential), red first",
        f"{scenario.silent:.0%} of liaisons never act; deputies and supervisors do",
        f"{scenario.household:.0%} of requests bring another of the same household within ten minutes",
        f"{scenario.disputed:.0%} of answers do not stand and come back once",
        "colours: " + ", ".join(f"{colour} {share} %" for colour, share in COLOURS.items()),
        "liaisons are spread over the organisations by their share of requests, at least one each, in two shifts",
    ]


def page(title: str, answer: str, rows: Sequence[Row], assumptions: Sequence[str]) -> str:
    """The whole page: the answer, two charts, the table, and what was assumed."""
    rows = sorted(rows, key=lambda row: row.liaisons)
    whole = [row for row in rows if not row.gave_up]
    head = "".join(f"<th>{escape(word)}</th>" for word in HEADS)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(row)) + "</tr>" for row in rows)
    listed = "".join(f"<li>{escape(one)}</li>" for one in assumptions)
    inside = f"""<h1>{escape(title)}</h1><p class="lead">{escape(answer)}</p>
<h2>In time, by liaisons on duty</h2>{_shares(whole)}
<h2>Open requests, hour by hour</h2>{_backlogs(whole)}
<h2>The runs</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div>
<h2>What was assumed</h2><ul>{listed}</ul>"""
    return charts.page(title, inside, "en")


def _frame(inside: str, top: str, bottom: str, left: str, right: str) -> str:
    floor, ceiling = HEIGHT - EDGE, EDGE / 2
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f'<path d="M{EDGE} {ceiling}V{floor}H{WIDTH - 10}" fill="none" stroke="#888"/>'
        f'<text x="4" y="{ceiling + 4}">{top}</text><text x="4" y="{floor}">{bottom}</text>'
        f'<text x="{EDGE}" y="{floor + 16}">{left}</text>'
        f'<text x="{WIDTH - 12}" y="{floor + 16}" text-anchor="end">{right}</text>{inside}</svg>'
    )


def _place(x: float, y: float) -> tuple[float, float]:
    """Where a point of the unit square is drawn."""
    return EDGE + x * (WIDTH - EDGE - 12), (HEIGHT - EDGE) - y * (HEIGHT - 1.5 * EDGE)


def _shares(rows: Sequence[Row]) -> str:
    most = max((row.liaisons for row in rows), default=1)
    inside = ""
    for name, ink, share in (("in time", INK[0], "on_time_share"), ("answered", INK[2], "answered_share")):
        points = [_place(row.liaisons / most, getattr(row, share)) for row in rows]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        inside += f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="2"/>'
        inside += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{ink}"/>' for x, y in points)
        if points:
            x, y = points[0]
            inside += f'<text x="{x + 6:.1f}" y="{y - 6:.1f}" style="fill:{ink}">{name}</text>'
    return _frame(inside, "100 %", "0 %", "0", f"{most} liaisons")


def _backlogs(rows: Sequence[Row]) -> str:
    highest = max((max(row.backlog, default=0) for row in rows), default=0) or 1
    hours = max((len(row.backlog) for row in rows), default=1)
    inside = ""
    for n, row in enumerate(rows):
        ink = INK[n % len(INK)]
        points = (_place(hour / hours, still_open / highest) for hour, still_open in enumerate(row.backlog))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        inside += f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="1.5"/>'
        inside += f'<text x="{EDGE + 10 + n * 60}" y="14" style="fill:{ink}">{row.liaisons}</text>'
    return _frame(inside, str(highest), "0", "0 h", f"{hours} h")
