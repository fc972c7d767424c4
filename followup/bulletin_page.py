"""The bulletin as one HTML page with charts, complete in itself: for a phone, a screen and paper. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from posixpath import commonprefix
from zoneinfo import ZoneInfo

from followup.bulletin import Bulletin, Line
from followup.bulletin_words import COUNTED, DIMENSIONS, FIGURES, HEADINGS, STAGES, VALUES, called, lasted, rated, say
from followup.definitions import DEFINITIONS
from followup.figures import RATES, percent
from followup.stages import ALL
from shared.charts import AXIS, Bar, bars, columns, key, on_log_scale, page
from shared.contracts.vocabulary import Language

INKS = {"untriaged": AXIS, "green": "#3a8f4d", "yellow": "#d9a400", "red": "#c9302c"}
SHORTEST, LONGEST = 1.0, 30 * 86400.0
"""The ends of the scale of durations, in seconds."""
TICKS = (1, 60, 3600, 86400, 30 * 86400)
COLOURS = ("red", "yellow", "green")


class Writer:
    """Writes one bulletin in one language, with the times of the city."""

    def __init__(self, bulletin: Bulletin, lang: Language, zone: ZoneInfo) -> None:
        self.shown, self.lang, self.zone = bulletin, lang, zone

    def head(self, name: str) -> str:
        """A heading's words, as HTML."""
        return escape(say(HEADINGS, name, self.lang))

    def whole(self) -> Iterator[str]:
        """The page's parts, in their order."""
        shown = self.shown
        at = f"{shown.at.astimezone(self.zone):%Y-%m-%d %H:%M} ({self.zone.key})"
        yield f"<h1>{self.head('title')}</h1>"
        yield f'<p class="lead">{escape(shown.sentence[self.lang.value])}</p>'
        source, formulas = self.head(shown.source.value), f"{self.head('formulas')} {shown.formulas_version}"
        yield f'<p class="note">{self.head("as_of")} {at} · {source} · {formulas}</p>'
        yield '<div class="grid">'
        yield self.rates()
        yield self.standing()
        yield self.arrivals()
        yield self.still_open()
        yield self.stages()
        for dimension in ("area", "organisation", "category", "channel"):
            yield self.lines(dimension)
        yield self.hours_of_day()
        yield self.backlog()
        yield self.alarms()
        yield "</div>"
        yield self.stage_table()
        yield self.exclusions()
        yield self.definitions()

    def section(self, heading: str, inside: str) -> str:
        """A part that is not cut apart by the end of a sheet."""
        return f"<section><h2>{heading}</h2>{inside}</section>"

    def rates(self) -> str:
        """Every rate with its interval."""
        rows = []
        for name in RATES:
            rate = getattr(self.shown.figures, name)
            rows.append(Bar(say(FIGURES, name, self.lang), rated(rate, self.lang), rate.value, rate.low, rate.high))
        return self.section(self.head("rates"), bars(rows, say(HEADINGS, "rates", self.lang)))

    def standing(self) -> str:
        """Where the requests are, and what was counted."""
        totals = self.shown.figures.totals
        rows = [(say(VALUES, name, self.lang), str(n)) for name, n in self.shown.standing.items()]
        rows.append((say(HEADINGS, "sum", self.lang), f"{sum(self.shown.standing.values())} = {totals.received}"))
        counted = [(say(FIGURES, name, self.lang), str(getattr(totals, name))) for name in COUNTED]
        inside = _table((), rows) + f"<h2>{self.head('counts')}</h2>" + _table((), counted)
        return self.section(self.head("standing"), inside)

    def arrivals(self) -> str:
        """Received by hour, in the colours they have."""
        hours = self.shown.arrivals
        values = [[hour.received[colour] for colour in INKS] for hour in hours]
        drawn = columns(values, list(INKS.values()), self._ends(), say(HEADINGS, "arrivals", self.lang))
        return self.section(self.head("arrivals"), drawn + self._key(INKS))

    def still_open(self) -> str:
        """Those still open, by when they were received: an old one stands far to the left."""
        values = [[hour.still_open] for hour in self.shown.arrivals]
        drawn = columns(values, ["#2f6fa8"], self._ends(), say(HEADINGS, "still_open_by_hour", self.lang))
        return self.section(self.head("still_open_by_hour"), drawn)

    def _ends(self) -> tuple[str, str]:
        first, last = self.shown.arrivals[0].hour, self.shown.arrivals[-1].hour
        return f"{first.astimezone(self.zone):%m-%d %H:00}", f"{last.astimezone(self.zone):%m-%d %H:00}"

    def _key(self, inks: dict[str, str]) -> str:
        return key([(ink, say(VALUES, name, self.lang)) for name, ink in reversed(inks.items())])

    def stages(self) -> str:
        """From the half to nine of ten, and the longest, on a scale of factors."""
        rows = []
        for stage, by_colour in self.shown.stages.items():
            took = by_colour[ALL]
            known = (took.p50_seconds, took.p90_seconds, took.max_seconds)
            words = " · ".join(lasted(seconds, self.lang) for seconds in known) if took.n else "–"
            low, high, most = (
                on_log_scale(seconds, SHORTEST, LONGEST) if seconds is not None else None for seconds in known
            )
            rows.append(Bar(say(STAGES, stage, self.lang), words, None, low, high, most))
        ticks = [(on_log_scale(at, SHORTEST, LONGEST), lasted(at, self.lang)) for at in TICKS]
        return self.section(self.head("stages"), bars(rows, say(HEADINGS, "stages", self.lang), ticks=ticks))

    def lines(self, dimension: str) -> str:
        """The values of a dimension, by how many requests they had."""
        lines = self.shown.groups[dimension]
        most = max((line.received for line in lines), default=1)
        above = shared_path([line.value for line in lines if line.value]) if dimension == "area" else ""
        names = [called(dimension, line.value, self.shown.names, self.lang, above) for line in lines]
        rows = [Bar(name, self._of(line), line.received / most) for name, line in zip(names, lines, strict=True)]
        heading = say(DIMENSIONS, dimension, self.lang)
        more = self.shown.left_out.get(dimension)
        around = called("area", above.rstrip("/"), self.shown.names, self.lang)
        note = f'<p class="note">{escape(around)} › …</p>' if above else ""
        note += f'<p class="note">{self.head("more").format(n=more)}</p>' if more else ""
        return self.section(escape(heading), bars(rows, heading) + note)

    def _of(self, line: Line) -> str:
        effective = percent(line.effective_answer, self.lang) if line.effective_answer.of else "–"
        still_open, said = say(HEADINGS, "still_open", self.lang), say(HEADINGS, "effective", self.lang)
        return f"{line.received} · {still_open} {line.still_open} · {said} {effective}"

    def hours_of_day(self) -> str:
        """By the hour of the day, on the city's clocks."""
        offset = self.shown.at.astimezone(self.zone).utcoffset()
        shift = round(offset.total_seconds() / 3600) if offset else 0
        by_hour = {(int(line.value or 0) + shift) % 24: line.received for line in self.shown.groups["hour_of_day"]}
        heading = say(DIMENSIONS, "hour_of_day", self.lang)
        drawn = columns([[by_hour.get(hour, 0)] for hour in range(24)], ["#2f6fa8"], ("0", "23"), heading)
        return self.section(escape(heading), drawn)

    def backlog(self) -> str:
        """What is open, by colour and status."""
        statuses = list(next(iter(self.shown.backlog.values()), {}))
        heads = ("", *(say(VALUES, colour or "untriaged", self.lang) for colour in self.shown.backlog))
        rows = [
            (say(VALUES, status, self.lang), *(str(found[status]) for found in self.shown.backlog.values()))
            for status in statuses
        ]
        inside = _table(heads, rows) if rows else f"<p>{self.head('none')}</p>"
        return self.section(self.head("backlog"), inside)

    def alarms(self) -> str:
        """The open alarms of all services."""
        if self.shown.alarms is None:
            inside = f'<p class="note">{self.head("no_alarms_then")}</p>'
        elif self.shown.alarms:
            rows = [(say(VALUES, kind, self.lang), str(n)) for kind, n in sorted(self.shown.alarms.items())]
            inside = _table((), rows)
        else:
            inside = f"<p>{self.head('none')}</p>"
        return self.section(self.head("alarms"), inside)

    def stage_table(self) -> str:
        """The same times in numbers, by colour."""
        words = [say(HEADINGS, name, self.lang) for name in ("stage", "half", "ninety", "ninety_nine", "longest")]
        rows = []
        for stage, by_colour in self.shown.stages.items():
            for colour in (ALL, *COLOURS):
                took = by_colour.get(colour)
                if took is None or not took.n:
                    continue
                name = say(STAGES, stage, self.lang) if colour == ALL else f"– {say(VALUES, colour, self.lang)}"
                known = (took.p50_seconds, took.p90_seconds, took.p99_seconds, took.max_seconds)
                rows.append((name, str(took.n), *(lasted(seconds, self.lang) for seconds in known)))
        table = _table((words[0], "n", *words[1:]), rows)
        return f'<h2>{self.head("stages")}</h2><div class="wide">{table}</div>'

    def exclusions(self) -> str:
        """The last rejected requests, with why and on whose word."""
        heads = ("", *(say(HEADINGS, name, self.lang) for name in ("reason", "approved", "request")))
        rows = [
            (
                f"{one.rejected_at.astimezone(self.zone):%m-%d %H:%M}",
                say(VALUES, one.reason, self.lang),
                one.approved_by or say(HEADINGS, one.decided_by, self.lang),
                str(one.request_id),
            )
            for one in self.shown.exclusions
        ]
        inside = f'<div class="wide">{_table(heads, rows)}</div>' if rows else f"<p>{self.head('none')}</p>"
        return f"<h2>{self.head('exclusions')}</h2>{inside}"

    def definitions(self) -> str:
        """The formulas, so that anybody can recompute what stands above."""
        zh = self.lang is Language.ZH
        rows = [(one.zh, one.formula_zh) if zh else (one.en, one.formula_en) for one in DEFINITIONS]
        heading = f"{self.head('definitions')} ({self.head('formulas')} {self.shown.formulas_version})"
        return f'<h2>{heading}</h2><div class="words">{_table((), rows)}</div>'


def shared_path(areas: Sequence[str]) -> str:
    """The part of the tree that all these areas lie in, with its last stroke: it need not be said for each."""
    split = [area.split("/")[:-1] for area in areas]
    above = commonprefix(split)
    return "/".join([*above, ""]) if above else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{top}{body}</table>"


def to_html(bulletin: Bulletin, lang: Language, zone: ZoneInfo) -> str:
    """The whole page."""
    return page(say(HEADINGS, "title", lang), "\n".join(Writer(bulletin, lang, zone).whole()), lang.value)
