"""Days that have a name: holidays, and days of the Chinese calendar (正月初五, 腊月二十八). Pure."""

import re
from datetime import date, timedelta

from lunardate import LunarDate

from triage.numerals import whole

SOLAR = {
    "元旦": (1, 1),
    "五一": (5, 1),
    "劳动节": (5, 1),
    "高考": (6, 7),
    "中考": (6, 20),
    "国庆": (10, 1),
    "圣诞": (12, 25),
}
LUNAR = {"春节": (1, 1), "元宵": (1, 15), "端午": (5, 5), "中秋": (8, 15)}
MONTHS = {"正": 1, "冬": 11, "腊": 12}
QINGMING = (4, 4, 5)
"""The month and the days that it may fall on; the earlier is taken: in doubt, sooner."""
FIRST_YEAR, LAST_YEAR = 1901, 2098
"""Between which the calendar's table reaches."""
_LUNAR = re.compile(
    r"(?:农历)?(?P<month>[正冬腊一二三四五六七八九十]{1,2})月"
    r"(?P<day>初?[一二三四五六七八九十廿]{1,3})$"
)


def occasion(name: str, today: date) -> date | None:
    """The next time that this day comes, today included."""
    name = name.removesuffix("节") if name != "劳动节" else name
    if name in {"除夕", "大年三十"}:
        new_year = _next_lunar(1, 1, today + timedelta(days=1))
        return new_year - timedelta(days=1) if new_year else None
    if name == "清明":
        month, day, _ = QINGMING
        return _next_solar(month, day, today)
    if name in LUNAR or name == "春":
        return _next_lunar(*LUNAR.get(name, (1, 1)), today)
    return _next_solar(*SOLAR[name], today) if name in SOLAR else None


def _next_solar(month: int, day: int, today: date) -> date:
    this_year = date(today.year, month, day)
    return this_year if this_year >= today else date(today.year + 1, month, day)


def lunar_day(words: str, today: date) -> date | None:
    """正月二十五, 大年初七, 腊月廿八: the next time that it comes."""
    if words.endswith("年三十"):
        return occasion("除夕", today)
    if "年初" in words:
        return _next_lunar(1, whole(words[-1]), today)
    match = _LUNAR.match(words)
    if match is None:
        return None
    month = MONTHS.get(match["month"]) or whole(match["month"])
    return _next_lunar(month, _day(match["day"]), today)


def _day(words: str) -> int:
    return whole(words.removeprefix("初").replace("廿", "二十"))


def _next_lunar(month: int, day: int, today: date) -> date | None:
    for year in (today.year - 1, today.year, today.year + 1):
        found = _from_lunar(year, month, day)
        if found and found >= today:
            return found
    return None


def _from_lunar(year: int, month: int, day: int) -> date | None:
    if not (FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 12 and 1 <= day <= 30):
        return None
    try:
        found: date = LunarDate(year, month, day).to_solar_date()
    except ValueError:  # the 30th of a month of 29 days
        return None
    return found
