"""By when help is needed, as the text says it, in Chinese and English. Pure.

Days are days in the city's time zone, read from when the person said it (`filed_at`). A day without an hour ends at
23:59. How long something has lasted, when it began, and what was done when are not deadlines; nonsense dates are none.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from triage.numerals import (
    CHINESE,
    END_OF_DAY,
    PATTERN_EN,
    PERIODS,
    at_time,
    clock_time,
    day_or_none,
    last_of_month,
    next_on,
    number,
    whole,
)

LONGEST_AHEAD_DAYS = 300
"""A date further ahead is no deadline of a call for help: an expiry, a contract, a slip of the pen."""
NEAR_DAYS = 60
"""A month and day further ahead counts only where something must be by then: else it was last year's."""
N = rf"(?:\d{{1,3}}|[{CHINESE}]{{1,4}})"
WEEKDAYS = {name: day for day, names in enumerate(("一", "二", "三", "四", "五", "六末", "日天")) for name in names}
WEEKDAYS_EN = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS_EN = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
HOLIDAYS = {"元旦": (1, 1), "五一": (5, 1), "劳动节": (5, 1), "高考": (6, 7), "国庆": (10, 1), "christmas": (12, 25)}
RELATIVE = {"今": 0, "明": 1, "后": 2, "大后": 3, "today": 0, "tonight": 0, "tomorrow": 1, "this": 0}

_CLAUSE_END = re.compile(r"[。!?;,\n]")


def _hour_pattern(prefix: str = "") -> str:
    """A part of the day and an hour, both optional; its groups' names begin with `prefix`."""
    return (
        rf"(?P<{prefix}period>凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|晚|早)?\s?"
        rf"(?:(?P<{prefix}hour>{N})(?:点|时(?!间))(?P<{prefix}half>半)?(?:(?P<{prefix}minute>\d{{1,2}})分)?"
        rf"|(?P<{prefix}h>\d{{1,2}}):(?P<{prefix}m>\d{{2}}))?"
    )


_DAY = re.compile(
    rf"(?:(?P<year>\d{{4}})[年./-]\s?)?(?P<month>{N}|元|本|这个|下个?)\s?月\s?(?P<day>{N})\s?[日号]?{_hour_pattern()}"
    rf"|(?P<iso>\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}})日?\s?{_hour_pattern('i')}"
    r"|(?<![\d月第.年楼栋])(?P<alone>\d{1,2}|[二三]?十[一二三四五六七八九]?)"
    r"(?:号(?![楼线院门栋房店单桌机铺仓井馆]|\s?\w?单元)|日(?![常夜用内后元]|以来|之内))"
    rf"{_hour_pattern('a')}"
    rf"|(?P<near>今|明|大后|(?<![大之以然此前随午])后)(?P<unit>天|日|早|晚|夜|儿)(?:\s?{_hour_pattern('n')})?"
    r"|(?P<which>上个?|下个?|这个?|本|每|逢)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天末])(?![年岁])"
    rf"{_hour_pattern('w')}"
    r"|(?P<holiday>元旦|五一|劳动节|高考|国庆)(?!路|街|村|大道|小区|广场|中学|店)(?P<eve>节?(?:之前|以前|前))?"
    r"|(?P<end>月底|月末|年底)|(?P<week>本周|这周|本星期|这个?星期)(?P<within>内|之内|里|必须|要|得)"
)
_TIME = re.compile(
    rf"(?<![天日号晚月早今明后])(?P<period>凌晨|早上|上午|中午|下午|傍晚|晚上)?(?P<hour>{N})(?:点|:)"
    r"(?P<half>半)?(?P<minute>\d{2})?分?(?:钟)?(?P<before>之前|以前|前)"
    r"|(?P<bare>中午|下午|傍晚|晚上)(?=要|需要|必须|之?前)"
)
_SPAN = re.compile(rf"(?P<count>{N})(?P<half>多|来)?\s?个?(?P<unit>天半?|日|小时|钟头|周|星期|月)")
_AHEAD_BEFORE = re.compile(
    r"(?:够|剩|还有|最多|至多|不到|不足|撑|顶|维持|坚持|再过|等不了|可用|能[吃用喝]|限"
    r"|须在|必须在|务必在|需在|要在|请在|(?:最近|这))(?:[^,。!?;]{0,3})$"
)
_AHEAD_AFTER = re.compile(
    r"(?:之内|以内|内)(?!的?(?:核酸|抗原|阴性|反复|连续|跑|去了|打了))"
    r"|(?:之后|以后|后)(?=[^,。]{0,8}(?:用完|没|断|要|到期|手术|出发|吃完|耗尽|考试|必须))"
    r"|的(?:量|药|余量)|必须|要到期"
)
_PAST_BEFORE = re.compile(
    r"(?:已|已经|了|连续|持续|超过|超|过去|第|每|隔|前|整整|都|拖|等|烧|停|断|从|近|长达|困|没|等待)$"
)
_RECENT = re.compile(r"(?:最近|这)$")
_PAST_AFTER = re.compile(r"^(?:了|前|以来|没|未|多了|都|来|一次|[一二两三]次)")
_BEGUN = re.compile(
    r"开始|出现|发病|确诊|去了|做了|打了|住了|住进|就诊|入院|出院|发烧|发热|咳嗽"
    r"|至今|以来|曾|收到|接到|昨|过了|当天|失联|[从自](?=\S*$)"
)
_MUST = re.compile(
    r"前|要|应|需|必须|该|得|预约|约|手术|出发|到期|期满|截止|生产|预产期|开庭|考试|开学|复工|接种|第.针|复查|化疗"
    r"|透析|检查|交|还款|送到|来接|接|走|回|泄洪|开诊|断|用完|没有?了|结束|解封"
)
_NOT_MINE = re.compile(r"^(?:起|至|~|-)|^[^,。!?]{0,4}(?:起(?:实施|执行|施行|生效)|发布|印发|的?通知|的?新闻|的?规定)")
_TODAY_MUST = re.compile(r"就|要|必须|得|该|前|内|截止|到期|最后|务必|断|泄洪|出发|没有了|用完|吃完")


def _month_pattern(group: str) -> str:
    return (
        rf"(?P<{group}>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
        r"(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
    )


_DAY_EN = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?{_month_pattern('month')}"
    rf"|{_month_pattern('month2')}\s(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?)\b(?:,?\s(?P<year>\d{{4}}))?"
    r"|\b(?P<after>(?:the\s)?day after tomorrow)"
    r"|\b(?P<near>today|tonight|tomorrow|this(?=\s(?:morning|afternoon|evening)))"
    r"(?:\s(?P<period>morning|afternoon|evening|night|noon))?"
    r"(?:,?\s?(?:at|by|before)?\s?(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<half>am|pm|o'clock)?"
    r"(?!\d|\s?(?:days|hours|people)))?"
    r"|\b(?:(?P<which>last|next|this|every)\s)?\b(?P<weekday>" + "|".join(WEEKDAYS_EN) + r")s?\b"
    r"|\b(?P<end>end of the (?:week|month)|weekend)|\b(?P<holiday>christmas)\b"
)
_CUE_EN = re.compile(
    r"\b(?:by|before|until|till|due|on|at|must|need|needs|needed|have to|has to|next|appointment|scheduled|surgery"
    r"|operation|runs? out|expires?|gone|leave|leaves|no later than|will|is|out of)\b"
)
_BY_EN = re.compile(r"\b(?:by|before|until|due|must|need|needs|runs? out|no later than)\b")
_PAST_EN = re.compile(
    r"\b(?:since|last|ago|was|were|had|started|began|went|yesterday|arrived|came|happened|received)\b"
)
_SPAN_EN = re.compile(
    r"\b(?:(?P<lead>in(?: the next)?|within(?: the next)?|only|lasts?|last for|enough .{0,20}?for|left for|for"
    r"|another|just|about|maybe|have|has)\s)?(?:only |about |just |another |less than )*"
    rf"(?P<count>{PATTERN_EN})[ -](?P<more>more )?(?P<unit>days?|hours?|hrs?|weeks?)"
    r"(?P<tail>'? (?:left|remaining|supply|worth|to live|until"
    r"|of (?:\w+ ){0,2}(?:insulin|medicine|medication|food|water|oxygen|pills|tablets|formula|milk|supplies|left)))?"
)


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when, and the words that say so (offsets in the text)."""

    at: datetime
    start: int
    end: int


def find_deadline(text: str, filed_at: datetime, zone: ZoneInfo) -> Deadline | None:
    """The earliest deadline in a folded text; None where it states none. `filed_at` is aware."""
    said = filed_at.astimezone(zone)
    readers: tuple[Callable[[str, datetime], Iterator[Deadline]], ...] = (_days, _times, _spans, _days_en, _spans_en)
    latest = said + timedelta(days=LONGEST_AHEAD_DAYS)
    found = [each for reader in readers for each in reader(text, said) if said < each.at <= latest]
    return min(found, key=lambda each: (each.at, each.start), default=None)


def _clause(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after, within the clause."""
    before = text[max(0, start - 40) : start]
    after = text[end : end + 40]
    cut = [match.end() for match in _CLAUSE_END.finditer(before)]
    stop = _CLAUSE_END.search(after)
    return before[cut[-1] :] if cut else before, after[: stop.start()] if stop else after


def _days(text: str, said: datetime) -> Iterator[Deadline]:
    for match in _DAY.finditer(text):
        before, after = _clause(text, match.start(), match.end())
        day = _day_of(match, before, after, said)
        if day is None or _NOT_MINE.search(after):
            continue
        prefix = next((p for p, group in _PREFIXES if match[group]), "")
        at = _hour(match, prefix, day, said)
        if at is not None:
            yield Deadline(at, match.start(), match.end())


_PREFIXES = (("i", "iso"), ("a", "alone"), ("n", "near"), ("w", "weekday"))


def _day_of(match: re.Match[str], before: str, after: str, said: datetime) -> date | None:
    """The day that the words name, if it is one by which something must be; None otherwise."""
    today = said.date()
    context = before + after
    if match["near"]:
        ahead = RELATIVE[match["near"]]
        if ahead == 0 and not _today_counts(match, after):
            return None
        return today + timedelta(days=ahead)
    if match["weekday"]:
        return _weekday(match, context, today)
    if match["alone"]:
        return _alone(match["alone"], before, after, today)
    if match["holiday"]:
        day = next_on(*HOLIDAYS[match["holiday"]], today)
        return day - timedelta(days=1) if match["eve"] else day
    if match["end"] or match["week"]:
        return _end_of(match, context, today)
    if match["iso"]:
        return day_or_none(*(int(part) for part in re.split(r"[-/.]", match["iso"])))
    return _month_day(match, before, after, today)


def _today_counts(match: re.Match[str], after: str) -> bool:
    """今晚 and an hour to come count; 今天 alone tells what was done, unless something must be."""
    if _TODAY_MUST.search(after[:12]):
        return True
    return bool(match["nhour"] or match["nh"]) and not _BEGUN.search(after[:8])


def _month_day(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    name, number_of_day = match["month"], whole(match["day"])
    begun = _BEGUN.search(before[-6:] + after[:10]) and not _MUST.search(after[:3])
    if begun and not match["year"]:
        return None
    if name in {"本", "这个"}:
        return day_or_none(today.year, today.month, number_of_day)
    if name.startswith("下"):
        following = today.replace(day=1) + timedelta(days=31)
        return day_or_none(following.year, following.month, number_of_day)
    month = 1 if name == "元" else whole(name)
    if match["year"]:
        return day_or_none(int(match["year"]), month, number_of_day)
    years = (today.year - 1, today.year, today.year + 1)
    days = [day for year in years if (day := day_or_none(year, month, number_of_day))]
    day = min(days, key=lambda day: abs((day - today).days), default=None)
    if day and (day - today).days > NEAR_DAYS and not _MUST.search(before[-8:] + after[:12]):
        return None
    return day


def _alone(words: str, before: str, after: str, today: date) -> date | None:
    """26号: this month's, if something must be by then; a smaller number than today's is over, or next month's."""
    day = whole(words)
    if after.startswith(("去", "到", "在", "被", "因")):
        return None
    if _BEGUN.search(before[-6:] + after[:10]) or not _MUST.search(before[-8:] + after[:12]):
        return None
    if day >= today.day:
        return day_or_none(today.year, today.month, day)
    if not re.match(r"之?前|要|必须|截止|到期|该|应", after):
        return None
    following = today.replace(day=1) + timedelta(days=31)
    return day_or_none(following.year, following.month, day)


def _weekday(match: re.Match[str], context: str, today: date) -> date | None:
    which, wanted = match["which"] or "", WEEKDAYS[match["weekday"]]
    if which[:1] in {"上", "每", "逢"}:
        return None
    monday = today - timedelta(days=today.weekday())
    if which.startswith("下"):
        return monday + timedelta(days=7 + wanted)
    if which:
        return monday + timedelta(days=wanted)
    if _BEGUN.search(context) or not _MUST.search(context):
        return None
    return today + timedelta(days=(wanted - today.weekday()) % 7)


def _end_of(match: re.Match[str], context: str, today: date) -> date | None:
    if match["week"]:
        return today + timedelta(days=6 - today.weekday())
    if not _MUST.search(context):
        return None
    if match["end"] == "年底":
        return date(today.year, 12, 31)
    return last_of_month(today)


def _hour(match: re.Match[str], prefix: str, day: date, said: datetime) -> datetime | None:
    """The hour that stands with a day, or the end of the part of the day, or of the day."""
    groups = match.groupdict()
    period = groups.get(f"{prefix}period") or ""
    if groups.get("unit") in {"晚", "夜", "早"}:
        period = period or groups["unit"]
    hour = groups.get(f"{prefix}hour") or groups.get(f"{prefix}h")
    if not hour:
        return at_time(day, said, PERIODS.get(period, END_OF_DAY))
    minute = groups.get(f"{prefix}minute") or groups.get(f"{prefix}m")
    return clock_time(day, said, hour, "30" if groups.get(f"{prefix}half") else minute, period)


def _times(text: str, said: datetime) -> Iterator[Deadline]:
    """An hour without a day (8点前): the next time that the clock shows it."""
    for match in _TIME.finditer(text):
        if match["bare"]:
            at: datetime | None = at_time(said.date(), said, PERIODS.get(match["bare"], END_OF_DAY))
        else:
            minute = "30" if match["half"] else match["minute"]
            at = clock_time(said.date(), said, match["hour"], minute, match["period"] or "")
            if at and at <= said:
                later = at + timedelta(hours=12)
                at = later if not match["period"] and later > said and at.hour < 12 else at + timedelta(days=1)
        if at is not None:
            yield Deadline(at, match.start(), match.end())


def _spans(text: str, said: datetime) -> Iterator[Deadline]:
    """How long it will still do, or within what time: 药只够两天, 24小时内."""
    for match in _SPAN.finditer(text):
        before, after = _clause(text, match.start(), match.end())
        lead = _AHEAD_BEFORE.search(before)
        if not _lies_ahead(lead, match["count"], before, after):
            continue
        start = match.start() - len(lead[0]) if lead else match.start()
        at = _ahead(whole(match["count"]), match["unit"], said)
        if at is not None:
            yield Deadline(at, start, match.end())


def _lies_ahead(lead: re.Match[str] | None, count: str, before: str, after: str) -> bool:
    """Whether a span is what is left, not what has passed (烧了三天, 三天前) nor a rule (几小时内的核酸)."""
    if _RECENT.search(before):
        return re.match(r"内?(?:需要|要|必须|得)", after) is not None
    if lead and (not lead[0].endswith("了") or "剩" in lead[0]):
        return not after.startswith(("前", "没", "未", "以来"))
    if count.startswith("几") or _PAST_AFTER.search(after) or _PAST_BEFORE.search(before[-2:]):
        return False
    return _AHEAD_AFTER.match(after) is not None


def _ahead(count: int, unit: str, said: datetime) -> datetime | None:
    if count == 0 or count > LONGEST_AHEAD_DAYS:
        return None
    if unit[:4] in {"小时", "钟头", "hour", "hr", "hrs"}:
        return said + timedelta(hours=count)
    days = count * {"周": 7, "星": 7, "月": 30, "w": 7}.get(unit[0], 1)
    return at_time(said.date() + timedelta(days=min(days, LONGEST_AHEAD_DAYS)), said)


def _days_en(text: str, said: datetime) -> Iterator[Deadline]:
    for match in _DAY_EN.finditer(text):
        before, after = _clause(text, match.start(), match.end())
        day = _day_en(match, before, after, said.date())
        if day is None:
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
            yield Deadline(at, match.start(), match.end())


def _day_en(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    near, which = match["near"], match["which"]
    if match["after"]:
        return today + timedelta(days=2)
    if near:
        counts = near in {"tomorrow", "tonight"} or _BY_EN.search(before[-14:])
        return today + timedelta(days=RELATIVE[near]) if counts and not _PAST_EN.search(before[-14:]) else None
    if which in {"last", "every"} or _PAST_EN.search(before[-14:]):
        return None
    if match["weekday"]:
        ahead = (WEEKDAYS_EN.index(match["weekday"]) - today.weekday()) % 7
        if which == "next":
            return today + timedelta(days=ahead or 7)
        return today + timedelta(days=ahead) if which or _CUE_EN.search(before[-20:]) else None
    if match["holiday"]:
        return next_on(*HOLIDAYS[match["holiday"]], today)
    if match["end"]:
        return _end_en(match["end"], before, today)
    return _month_day_en(match, after, today)


def _end_en(words: str, before: str, today: date) -> date | None:
    if not _CUE_EN.search(before[-14:]):
        return None
    if words.endswith("month"):
        return last_of_month(today)
    return today + timedelta(days=6 - today.weekday())


def _month_day_en(match: re.Match[str], after: str, today: date) -> date | None:
    month = MONTHS_EN.index(match["month"] or match["month2"]) + 1
    day = int(match["day"] or match["day2"])
    if match["year"]:
        return day_or_none(int(match["year"]), month, day)
    if _PAST_EN.match(after.strip()):
        return None
    days = [each for year in (today.year - 1, today.year, today.year + 1) if (each := day_or_none(year, month, day))]
    return min(days, key=lambda each: abs((each - today).days), default=None)


def _spans_en(text: str, said: datetime) -> Iterator[Deadline]:
    for match in _SPAN_EN.finditer(text):
        lead, tail, more = match["lead"] or "", match["tail"] or "", match["more"]
        after = text[match.end() : match.end() + 8].strip()
        if after.startswith(("ago", "old", "now")) or re.search(r"(?:past|last|first|every) $", text[: match.start()]):
            continue
        promised = lead.startswith(("in", "within", "lasts", "last for", "enough"))
        if not (promised or tail or more):
            continue
        at = _ahead(int(number(match["count"]) or 0), match["unit"], said)
        if at is not None:
            yield Deadline(at, match.start(), match.end())
