"""Numbers, hours and dates as people write them, in digits, Chinese and English words. Pure."""

from datetime import date, datetime, time, timedelta

DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
WORDS = {word: n for n, word in enumerate(_COUNTED, 1)} | {"a": 1, "an": 1, "couple of": 2, "a couple of": 2}
WORDS |= {"few": 3, "a few": 3}
CHINESE = "零〇一二两三四五六七八九十百几"
PATTERN = rf"(?:\d{{1,4}}(?:\.\d{{1,2}})?|[{CHINESE}]{{1,4}})"
"""A number in digits or Chinese, as part of a regular expression."""
PATTERN_EN = r"(?:\d{1,4}(?:\.\d{1,2})?|" + "|".join(sorted(WORDS, key=len, reverse=True)) + ")"


def number(words: str) -> float | None:
    """The number that `words` says; of an approximate one (五六天, 十几天) the least; None where it says none."""
    if words.isascii():
        if words.replace(".", "", 1).isdigit():
            return float(words)
        return WORDS.get(words.strip().lower())
    if words.startswith("几"):
        return 20.0 if words.startswith("几十") else 3.0
    return _chinese(words.rstrip("几"))


def _chinese(words: str) -> float | None:
    """一百二十三 and what is said less fully, 八十; of two neighbours (五六, 七八十) the first counts."""
    total, digit = 0, None
    for character in words:
        if character == "百":
            total += (1 if digit is None else digit) * 100
            digit = None
        elif character == "十":
            total += (1 if digit is None else digit) * 10
            digit = None
        elif digit is None:
            digit = DIGITS.get(character)
    if digit is None and total == 0:
        return None
    return float(total + (digit or 0))


END_OF_DAY = time(23, 59)
PERIODS = {
    **dict.fromkeys(("凌晨", "清晨"), time(6)),
    **dict.fromkeys(("早上", "早晨", "上午", "早", "morning"), time(12)),
    **dict.fromkeys(("中午", "noon", "lunchtime"), time(13)),
    **dict.fromkeys(("下午", "afternoon"), time(18)),
    **dict.fromkeys(("傍晚",), time(19)),
}
LATE = frozenset(("中午", "下午", "傍晚", "晚上", "晚", "夜", "夜里", "afternoon", "evening", "night", "tonight"))
"""Parts of the day in which an hour up to twelve is one after noon."""


def at_time(day: date, said: datetime, at: time = END_OF_DAY) -> datetime:
    """That hour of the day, in the zone of `said`."""
    return datetime.combine(day, at, said.tzinfo)


def day_or_none(year: int, month: int, day: int) -> date | None:
    """The day; None for the 30th of February and the like."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def whole(words: str) -> int:
    """The whole number that `words` says, 0 where it says none."""
    return int(number(words) or 0)


def next_on(month: int, day: int, today: date) -> date:
    """The next time that this day of the year comes, today included."""
    this_year = date(today.year, month, day)
    return this_year if this_year >= today else date(today.year + 1, month, day)


def clock_time(day: date, said: datetime, hour: str, minute: str | None, period: str) -> datetime | None:
    """The moment when the clock shows this in that part of the day; None for an hour that no clock shows."""
    hours, minutes = whole(hour), int(minute or 0)
    late = period in LATE
    if late and hours < 12 and not (period == "中午" and hours > 9):
        hours += 12
    if hours == 24 or (late and hours == 12 and period != "中午"):
        day, hours = day + timedelta(days=1), 0
    if hours > 23 or minutes > 59:
        return None
    return at_time(day, said, time(hours, minutes))


def last_of_month(day: date) -> date:
    """The month's last day."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
