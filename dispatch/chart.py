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
    "on duty", "never act", "requests", "answered", "in time", "open", "p90 red", "p90 yellow", "p90 green", "nudges",
    "recalled", "orders", "public", "breaks at", "where",
)  # fmt: skip
PEOPLE = 2
"""Shifts a day: so many people for each liaison on duty."""


def cells(row: Row) -> tuple[str, ...]:
    """One row in words: shares in percent, times in minutes; of a run that was stopped, only why."""
    given = (str(row.liaisons), f"{row.scenario.silent:.0%}")
    if row.gave_up:
        return (*given, *["–"] * (len(HEADS) - 4), f"hour {len(row.backlog)}", "stopped: too many late to be enough")
    times = (row.p90_minutes[colour] for colour in (Colour.RED, Colour.YELLOW, Colour.GREEN))
    return (
        *given,
        str(row.requests),
        f"{row.answered_share:.1%}",
        "too few" if row.cut_short else f"{row.on_time_share:.1%}",
        str(row.open_at_end),
        *("never" if minutes is None else f"{minutes:.0f} min" for minutes in times),
        str(row.nudges),
        str(row.recalled),
        str(row.ordered),
        str(row.publicised),
        "–" if row.breaks_at_hour is None else f"hour {row.breaks_at_hour}",
        row.worst,
    )


def table(rows: Sequence[Row]) -> str:
    """A table for a terminal."""
    lines = [HEADS, *(cells(row) for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEADS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def legend(scenario: Scenario) -> str:
    """What the columns are."""
    return (
        f"answered: by hour {scenario.hours}, when the last of them came; in time: by the city's clocks, watched until "
        "every promise was due or too many were late; open: at the end of that; p90: nine of ten were answered within; "
        "breaks: more than a tenth of what came in that hour was late; where: who had most of the late ones"
    )


def answer(rows: Sequence[Row], wanted: float, a_third_silent: Sequence[Row] = ()) -> str:
    """The answer in sentences: how many are enough, where it breaks with fewer, and what if a third never act."""
    enough, first = enough_of(rows, wanted), rows[0]
    said = [f"{first.requests} requests in {first.scenario.hours} h: {_enough(rows, enough, wanted)}"]
    if first is not enough:
        said.append(_breaks(first))
    if enough is not None and a_third_silent:
        said.append(_a_third_silent(a_third_silent, wanted))
    return " ".join(said)


def _enough(rows: Sequence[Row], enough: Row | None, wanted: float) -> str:
    if enough is None:
        return f"{rows[-1].liaisons} liaisons on duty are too few for {wanted:.0%} in time."
    people = f"({PEOPLE * enough.liaisons} people in two shifts)"
    return f"{enough.liaisons} liaisons on duty {people} are enough for {wanted:.0%} in time."


def _breaks(row: Row) -> str:
    where = "" if row.breaks_at_hour is None else f"; it breaks in hour {row.breaks_at_hour}, worst at {row.worst}"
    told = "" if row.scenario.reported is None else f" (reported: {row.scenario.reported:.0%} solved)"
    return f"{row.liaisons} answered {row.answered_share:.0%} by hour {row.scenario.hours}{told}{where}."


def _a_third_silent(rows: Sequence[Row], wanted: float) -> str:
    first, enough = min(rows, key=lambda row: row.liaisons), enough_of(rows, wanted)
    if first is enough:
        return f"If a third of the {first.liaisons} never act, they are still enough."
    most = max(rows, key=lambda row: row.liaisons)
    then = f"{enough.liaisons} are enough then" if enough else f"{most.liaisons} are not enough either"
    by_then = f"{first.answered_share:.0%} are answered by hour {first.scenario.hours}"
    too_few = f"If a third of the {first.liaisons} never act, {by_then} and too few in time"
    return f"{too_few}; {then}: what they let lie goes to one deputy in each organisation."


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


def page(title: str, answer: str, rows: Sequence[Row], assumptions: Sequence[str], wanted: float) -> str:
    """The whole page: the answer, two charts, the table, and what was assumed."""
    usual = rows[0].scenario.silent
    whole = [row for row in rows if not row.gave_up and row.scenario.silent == usual]
    head = "".join(f"<th>{escape(word)}</th>" for word in HEADS)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(row)) + "</tr>" for row in rows)
    listed = "".join(f"<li>{escape(one)}</li>" for one in assumptions)
    inside = f"""<h1>{escape(title)}</h1><p class="lead">{escape(answer)}</p>
<h2>How much is in time, by liaisons on duty</h2>{_shares(whole, wanted)}
<h2>Requests that are open, hour by hour, by liaisons on duty</h2>{_backlogs(whole)}
<h2>The runs</h2><div class="wide"><table><tr>{head}</tr>{body}</table></div>
<p class="note">{escape(legend(rows[0].scenario))}</p>
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


def _key(names: Sequence[tuple[str, str]]) -> str:
    """Which line is what."""
    return '<p class="key">' + "".join(f'<i style="background:{ink}"></i>{name}' for name, ink in names) + "</p>"


def _shares(rows: Sequence[Row], wanted: float) -> str:
    most = max((row.liaisons for row in rows), default=1)
    (left, level), (right, _) = _place(0, wanted), _place(1, wanted)
    inside = f'<path d="M{left} {level:.1f}H{right}" stroke="#888" stroke-dasharray="4 4"/>'
    inside += f'<text x="{left + 4}" y="{level - 4:.1f}" class="n">{wanted:.0%} are wanted</text>'
    lines = (("in time", INK[0], "on_time_share"), ("answered when the last came", INK[2], "answered_share"))
    for _, ink, share in lines:
        shown = [row for row in rows if share == "answered_share" or not row.cut_short]
        points = [(row.liaisons, *_place(row.liaisons / most, getattr(row, share))) for row in shown]
        line = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in points)
        inside += f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="2"/>'
        inside += "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{ink}"><title>{n} on duty</title></circle>'
            for n, x, y in points
        )
    return _key([(name, ink) for name, ink, _ in lines]) + _frame(inside, "100 %", "0 %", "0", f"{most} on duty")


def _backlogs(rows: Sequence[Row]) -> str:
    highest = max((max(row.backlog, default=0) for row in rows), default=0) or 1
    hours = max((len(row.backlog) for row in rows), default=1)
    inside = ""
    for n, row in enumerate(rows):
        points = (_place(hour / hours, still_open / highest) for hour, still_open in enumerate(row.backlog))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        inside += f'<polyline points="{line}" fill="none" stroke="{INK[n % len(INK)]}" stroke-width="1.5"/>'
    names = [(str(row.liaisons), INK[n % len(INK)]) for n, row in enumerate(rows)]
    return _key(names) + _frame(inside, str(highest), "0", "0 h", f"{hours} h")
