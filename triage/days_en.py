"""Days and spans by which help is needed, as English texts name them. Pure."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from triage.clauses import MOST_DATES, Deadline, around
from triage.numerals import (
    END_OF_DAY,
    PATTERN_EN,
    PERIODS,
    at_time,
    clock_time,
    day_or_none,
    last_of_month,
    next_on,
    number,
)
from triage.spans import ahead

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
AHEAD = {"today": 0, "tonight": 0, "tomorrow": 1, "this": 0}
CHRISTMAS = (12, 25)


def _month_pattern(group: str) -> str:
    return (
        rf"(?P<{group}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
        r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
    )


_DAY = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?{_month_pattern('month')}"
    rf"|{_month_pattern('month2')}\s(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?)\b(?:,?\s(?P<year>\d{{4}}))?"
    r"|\b(?P<after>(?:the\s)?day after tomorrow)"
    r"|\b(?P<near>today|tonight|tomorrow|this(?=\s(?:morning|afternoon|evening)))"
    r"(?:\s(?P<period>morning|afternoon|evening|night|noon))?"
    r"(?:,?\s?(?:at|by|before)?\s?(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<half>am|pm|o'clock)?"
    r"(?!\d|\s?(?:days|hours|people)))?"
    r"|\b(?:(?P<which>last|next|this|every)\s)?\b(?P<weekday>" + "|".join(WEEKDAYS) + r")s?\b"
    r"|\bthe (?P<alone>\d{1,2})(?:st|nd|rd|th)\b(?! (?:floor|street|avenue|district|time|day|grade|district))"
    r"|\b(?P<end>end of the (?:week|month)|weekend)|\b(?P<holiday>christmas)\b"
)
_CUE = re.compile(
    r"\b(?:by|before|until|till|due|on|at|must|need|needs|needed|have to|has to|next|appointment|scheduled|booked"
    r"|planned|surgery|operation|runs? out|expires?|gone|leave|leaves|no later than|will|is|out of)\b"
)
_BY = re.compile(r"\b(?:by|before|until|due|must|need|needs|runs? out|no later than)\b")
_PAST = re.compile(r"\b(?:since|last|ago|was|were|had|started|began|went|yesterday|arrived|came|happened|received)\b")
_ASKS = re.compile(
    r"(?:is|are|will|does|do|did|what|when|where|why|tell me|can i know|i would like to know|we would like to know"
    r"|i want to know|is it true)\b"
)
_NEED = re.compile(r"\b(?:need|needs|must|have to|has to|appointment|surgery|dialysis|run out|runs out|help)\b")
PROMISED = (
    "in",
    "within",
    "lasts",
    "last for",
    "enough",
    *(f"{word} last" for word in ("will", "to", "can", "could", "should")),
)
_SPAN = re.compile(
    r"\b(?:(?P<lead>in(?: the next)?|within(?: the next)?|only|(?:will|to|can|could|should) last"
    r"|lasts?|last for|enough .{0,20}?for|left for|for|another|just|about|maybe|have|has)\s)?"
    r"(?:only |about |just |another |less than )*"
    rf"(?P<count>{PATTERN_EN})[ -](?P<more>more )?(?P<unit>days?|hours?|hrs?|weeks?)"
    r"(?P<tail>'? (?:left|remaining|supply|worth|to live|until"
    r"|of (?:[\w'-]+ ){0,2}(?:insulin|medicine|medication|food|water|oxygen|pills|tablets|formula|milk|supplies"
    r"|left)))?"
)


def days(text: str, said: datetime) -> Iterator[Deadline]:
    """The days in a text that count."""
    for match in islice(_DAY.finditer(text), MOST_DATES):
        before, after = around(text, match.start(), match.end())
        day = _day_of(match, before, after, said.date())
        if day is None or _is_asked(text, match):
            continue
        period = match["period"] or ("tonight" if match["near"] == "tonight" else "")
        if match["half"] == "pm":
            period = "afternoon"
        at: datetime | None
        if match["hour"] and (match["half"] or match["minute"]):
            at = clock_time(day, said, match["hour"], match["minute"], period)
        else:
            at = at_time(day, said, PERIODS.get(period, END_OF_DAY))
        if at is not None:
            yield Deadline(at, match.start(), match.end(), "day")


def _is_asked(text: str, match: re.Match[str]) -> bool:
    """Whether the sentence only asks what will be: will the schools open on Monday?"""
    begin = max(text.rfind(mark, 0, match.start()) for mark in ".!?;\n") + 1
    sentence = text[begin : match.end() + 40]
    return _ASKS.match(sentence.strip()) is not None and _NEED.search(sentence) is None


def _day_of(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    near = match["near"]
    if match["after"]:
        return today + timedelta(days=2)
    if near:
        counts = near in {"tomorrow", "tonight"} or _BY.search(before[-14:])
        return today + timedelta(days=AHEAD[near]) if counts and not _PAST.search(before[-14:]) else None
    if match["weekday"]:
        return _weekday(match, before, today)
    if _PAST.search(before[-14:]):
        return None
    if match["holiday"]:
        return next_on(*CHRISTMAS, today)
    if match["end"]:
        return _end_of(match["end"], before, today)
    if match["alone"]:
        return _alone(int(match["alone"]), before, today)
    return _of_calendar(match, after, today)


def _weekday(match: re.Match[str], before: str, today: date) -> date | None:
    which = match["which"]
    until = re.search(r"\b(?:until|till|by) (?:next |this )?$", before)
    if which in {"last", "every"} or (_PAST.search(before[-14:]) and not until):
        return None
    days_ahead = (WEEKDAYS.index(match["weekday"]) - today.weekday()) % 7
    if which == "next":
        return today + timedelta(days=days_ahead or 7)
    return today + timedelta(days=days_ahead) if which or _CUE.search(before[-20:]) else None


def _alone(day: int, before: str, today: date) -> date | None:
    """The 20th: this month's, or the next one's where it is over."""
    if not _CUE.search(before[-24:]) and not re.search(r"\bends?\b", before[-12:]):
        return None
    if day >= today.day:
        return day_or_none(today.year, today.month, day)
    following = today.replace(day=1) + timedelta(days=31)
    return day_or_none(following.year, following.month, day)


def _end_of(words: str, before: str, today: date) -> date | None:
    if not _CUE.search(before[-14:]):
        return None
    if words.endswith("month"):
        return last_of_month(today)
    return today + timedelta(days=6 - today.weekday())


def _of_calendar(match: re.Match[str], after: str, today: date) -> date | None:
    month = MONTHS.index(match["month"] or match["month2"]) + 1
    day = int(match["day"] or match["day2"])
    if match["year"]:
        return day_or_none(int(match["year"]), month, day)
    if _PAST.match(after.strip()):
        return None
    days = [each for year in (today.year - 1, today.year, today.year + 1) if (each := day_or_none(year, month, day))]
    return min(days, key=lambda each: abs((each - today).days), default=None)


def spans(text: str, said: datetime) -> Iterator[Deadline]:
    """What is left, and within what time."""
    for match in islice(_SPAN.finditer(text), MOST_DATES):
        lead, tail, more = match["lead"] or "", match["tail"] or "", match["more"]
        after = text[match.end() : match.end() + 8].strip()
        if after.startswith(("ago", "old", "now")) or re.search(r"(?:past|last|first|every) $", text[: match.start()]):
            continue
        promised = lead.startswith(PROMISED)
        if not (promised or tail or more):
            continue
        at = ahead(int(number(match["count"]) or 0), match["unit"], said)
        if at is not None:
            yield Deadline(at, match.start(), match.end(), "span")
