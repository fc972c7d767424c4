"""Days by which help is needed, as Chinese texts name them: 10月26日, 后天上午, 下周一, 今晚8点前, 正月初五. Pure.

A day counts where something must be by then, or comes then: 手术, 到期, 用完. What was, what is only reported, and a
date that signs a letter do not count.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from triage.clauses import MOST_DATES, Deadline, around
from triage.numerals import CHINESE, END_OF_DAY, PERIODS, at_time, clock_time, day_or_none, last_of_month, whole
from triage.occasions import lunar_day, occasion

NEAR_DAYS = 60
"""A month and day further ahead counts only where something must be by then: else it was last year's."""
N = rf"(?:\d{{1,3}}|[{CHINESE}]{{1,4}})"
WEEKDAYS = {name: day for day, names in enumerate(("一", "二", "三", "四", "五", "六末", "日天")) for name in names}
AHEAD = {"今": 0, "明": 1, "后": 2, "大后": 3}


def hour_pattern(prefix: str = "") -> str:
    """A part of the day and an hour, both optional; its groups' names begin with `prefix`."""
    return (
        rf"(?P<{prefix}period>凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|晚|早)?\s?"
        rf"(?:(?P<{prefix}hour>{N})(?:点|时(?!间))(?P<{prefix}half>半)?(?:(?P<{prefix}minute>\d{{1,2}})分)?"
        rf"|(?P<{prefix}h>\d{{1,2}}):(?P<{prefix}m>\d{{2}}))?"
    )


_DAY = re.compile(
    rf"(?:(?P<year>\d{{4}})[年./-]\s?)?(?P<month>{N}|元|本|这个|下个?)\s?月\s?(?P<day>{N})\s?[日号]?{hour_pattern()}"
    rf"|(?P<iso>\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}})日?\s?{hour_pattern('i')}"
    r"|(?<![\d.:])(?P<dotted>\d{1,2}[.]\d{1,2})(?=号?(?:之前|以前|前|到期|必须|要|截止))"
    r"|(?P<lunar>(?:正|腊|冬|农历[一二三四五六七八九十]{1,2})月"
    r"(?:初[一二三四五六七八九十]|[十廿二]{1,2}[一二三四五六七八九]|[二三]?十)|[二三四五六七八九十]月初[一二三四五六七八九十]"
    r"|大?年(?:初[一二三四五六七]|三十))"
    r"|(?<![\d月第.年楼栋~至-])(?P<alone>\d{1,2}|[二三]?十[一二三四五六七八九]?)"
    r"(?:号(?![楼线院门栋房店单桌机铺仓井馆文]|\s?\w?单元)|日(?![常夜用内后元报前游]|以来|之内))"
    rf"{hour_pattern('a')}"
    rf"|(?P<near>今|明|大后|(?<![大之以然此前随午往])后)(?P<unit>天|日|早|晚|夜|儿)(?:\s?{hour_pattern('n')})?"
    r"|(?<![一每两几])(?P<which>上上?个?|下下?个?|这个?|本|每|逢)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天末])"
    rf"(?![年岁次天周、至到起]|\d){hour_pattern('w')}"
    r"|(?P<holiday>元旦|除夕|大年三十|春节|元宵节?|清明节?|五一|劳动节|端午节?|中秋节?|国庆节?|高考|中考|圣诞节?)"
    r"(?!路|街|村|大道|小区|广场|中学|店|假期?|期间|后|过后|以后)(?P<eve>之前|以前|前)?"
    r"|(?P<end>月底|月末|年底|年前|周末)(?P<before_end>之前|以前|前)?"
    r"|(?P<week>本周|这周|本星期|这个?星期)(?P<within>内|之内|里|必须|要|得)"
)
_CLOCK = re.compile(
    rf"(?<![天日号晚月早今明后\d.])(?P<period>凌晨|早上|上午|中午|下午|傍晚|晚上)?(?P<hour>{N})(?:点|:)"
    r"(?P<half>半)?(?P<minute>\d{2})?分?(?:钟)?(?P<before>之前|以前|前)"
    r"|(?<![今昨前当每天日])(?P<bare>中午|下午|傍晚|晚上)(?=要|需要|必须|之?前)"
    r"|(?:撑|够|用|坚持|维持|吃)(?:不)?[到过]了?(?P<until>今晚|今夜|天黑|天亮|晚上|中午|下午|傍晚|明早|半夜|早上)"
)
_BEGUN = re.compile(
    r"开始|出现|发病|确诊|去了|做了|打了|住了|住进|就诊|出院了|发烧|发热|咳嗽|收到了|上去|回复"
    r"|至今|以来|曾|收到|接到|昨|过了|当天|失联|反映|反馈|投诉|上访|报警|签订|入职|交房|交付|购买|开盘|发生|开通了"
    r"|[从自](?=\S*$)|约定|规定|协议|合同|据说|修改|直到|截至|更新|核实"
)
_MUST = re.compile(
    r"前|要|应|需|必须|该|得|预约|约|手术|出发|到期|期满|满|截止|生产|分娩|预产|开庭|考试|面试|报名|开学|复工|上班|报到|接种"
    r"|第.针|打针|复查|化疗|放疗|透析|产检|检查|拆|换药|交|还款|送到|来接|接|走|回|泄洪|开诊|断|用完|没有?了|没$|结束|解封|隔离"
    r"|过期|失效|搬|腾|车|高铁|动车|飞机|航班|机票|车票|就|够|撑|最迟|最晚|务必|截|赶|去不了|去不成|没奶|没药|没饭|没米|停"
)
_STRONG = re.compile(
    r"前|必须|到期|期满|截止|手术|透析|化疗|产检|预产|开庭|考试|面试|高铁|航班|火车|出发|用完|吃完|断|没了|没有了|最迟|最晚|务必|解封|满|接种|第.针"
)
_NOT_MINE = re.compile(
    r"^(?:起|至|~|-|以后|之后|后$)|^[^,。!?]{0,4}(?:起(?:实施|执行|施行|生效)|发布|印发|的?通知|的?新闻|的?规定|报道|更新)"
    r"|^(?:会|一定|就会|可能)?(?:更|越来越)[美好]|^(?:会|将)(?:有|是|持续)"
)
_REPORTED = re.compile(r"预计|预报|美好的?$|未来|听说|据|网传|通知说?$|核实时间|时间[::]?$|截至|截止到?$|直到$|\($|【$")
_ASKED = re.compile(r"(?:吗|么|没有|还能不能.*|是不是.*|是真的.*)$|^开始")
_TODAY_MUST = re.compile(
    r"^[^,。]{0,4}(?:就要?(?:断|没|用|吃|停)|必须|务必|截止|到期|最后|没有?了|用完|吃完|断|泄洪|出发|该(?:做|打|去|换|透)|要(?:做|打|去|换|透|断)|"
    r"得(?:做|打|去|换|透)|就没|内|之?前)|^[^,。]{0,8}(?:没去成|去不了|没做成|做不了|需要|要(?:吃|午餐|晚餐|盒饭))"
)
_UNTIL = re.compile(
    r"(?:撑|够|用|吃|维持|坚持|喝|贴|打|管|等不|撑不|过不|熬不)(?:得|不)?[到过]了?$"
    r"|期到$|^(?:期满|到期|满$)|最多到$"
)
_PREFIXES = (("i", "iso"), ("a", "alone"), ("n", "near"), ("w", "weekday"))


def days(text: str, said: datetime) -> Iterator[Deadline]:
    """The days in a text that count."""
    for match in islice(_DAY.finditer(text), MOST_DATES):
        before, after = around(text, match.start(), match.end())
        day = _day_of(match, before, after, said.date())
        if day is None or _NOT_MINE.search(after):
            continue
        prefix = next((p for p, group in _PREFIXES if match[group]), "")
        at = _hour(match, prefix, day, said)
        if at is not None:
            how = "occasion" if match["holiday"] or match["lunar"] else "day"
            yield Deadline(at, match.start(), match.end(), how, bool(_STRONG.search(before[-10:] + after[:14])))


def _day_of(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    """The day that the words name, if it is one by which something must be; None otherwise."""
    context = before[-10:] + "|" + after[:14]
    if match["near"]:
        return _near(match, before, after, today)
    if match["weekday"]:
        return _weekday(match, before, after, today)
    if match["alone"]:
        return _alone(match["alone"], before, after, today)
    if match["holiday"]:
        eve = bool(match["eve"])
        counts = eve or _STRONG.search(context) or re.search(r"临近|在即|在至|将至|快到|马上|就要", context)
        day = occasion(match["holiday"], today)
        return (day - timedelta(days=1) if eve else day) if day and counts else None
    if match["end"] or match["week"]:
        return _end_of(match, context, today)
    if match["lunar"]:
        day = lunar_day(match["lunar"], today)
        return day if day and not _BEGUN.search(context) and _MUST.search(context) else None
    return _of_calendar(match, before, after, today)


def _near(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    """明天 and the like; 今晚 and an hour to come count; 今天 alone tells what was done, unless something must be."""
    ahead = AHEAD[match["near"]]
    context = before[-10:] + "|" + after[:14]
    timed = bool(match["nhour"] or match["nh"] or match["unit"] in {"早", "晚"} or match["nperiod"])
    if _UNTIL.search(before):
        return today + timedelta(days=ahead)
    if _REPORTED.search(before) or _BEGUN.search(before[-4:]) or _ASKED.search(after):
        return None
    if ahead == 0:
        sure = _TODAY_MUST.search(after)
        told = _BEGUN.search(after[:10]) or re.search(r"[了过]|已|发|抵|刚", after[:8])
        return today if sure or (timed and _MUST.search(after[:14]) and not told) else None
    return today + timedelta(days=ahead) if timed or _MUST.search(context) else None


def _of_calendar(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    """10月26日, 2022-10-26, 4.20前."""
    if match["iso"]:
        day = day_or_none(*(int(part) for part in re.split(r"[-/.]", match["iso"])))
    elif match["dotted"]:
        month, number_of_day = (int(part) for part in match["dotted"].split("."))
        day = _nearest(month, number_of_day, today)
        return day - timedelta(days=1) if day and re.match(r"号?(?:之前|以前|前)", after) else day
    else:
        day = _month_day(match, before, after, today)
    if day is None or _REPORTED.search(before):
        return None
    if day == today and not (_TODAY_MUST.search(after) or re.match(r"[^,。]{0,8}(?:必须|前|截止|手术)", after)):
        return None
    return day if day == today or _MUST.search(before[-10:] + "|" + after[:14]) else None


def _month_day(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    name, number_of_day = match["month"], whole(match["day"])
    begun = _BEGUN.search(before[-6:] + "|" + after[:10]) and not _MUST.search(after[:3])
    if begun:
        return None
    if name in {"本", "这个"}:
        return day_or_none(today.year, today.month, number_of_day)
    if name.startswith("下"):
        following = today.replace(day=1) + timedelta(days=31)
        return day_or_none(following.year, following.month, number_of_day)
    month = 1 if name == "元" else whole(name)
    if match["year"]:
        return day_or_none(int(match["year"]), month, number_of_day)
    day = _nearest(month, number_of_day, today)
    if day and (day - today).days > NEAR_DAYS and not _STRONG.search(before[-8:] + "|" + after[:12]):
        return None
    return day


def _nearest(month: int, day: int, today: date) -> date | None:
    years = (today.year - 1, today.year, today.year + 1)
    found = [each for year in years if (each := day_or_none(year, month, day))]
    return min(found, key=lambda each: abs((each - today).days), default=None)


def _alone(words: str, before: str, after: str, today: date) -> date | None:
    """26号: this month's, if something must be by then; a smaller number than today's is over, or next month's."""
    day = whole(words)
    if after.startswith(("去", "在", "被", "因", "到现在", "就停", "就断", "左右")):
        return None
    context = before[-8:] + "|" + after[:12]
    if _BEGUN.search(before[-6:] + "|" + after[:10]) or _REPORTED.search(before):
        return None
    if not (_MUST.search(context) or _UNTIL.search(before)):
        return None
    if day >= today.day:
        return day_or_none(today.year, today.month, day)
    if not re.match(r"之?前|要|必须|截止|到期|该|应", after):
        return None
    following = today.replace(day=1) + timedelta(days=31)
    return day_or_none(following.year, following.month, day)


def _weekday(match: re.Match[str], before: str, after: str, today: date) -> date | None:
    which, wanted = match["which"] or "", WEEKDAYS[match["weekday"]]
    context = before[-10:] + "|" + after[:14]
    if which[:1] in {"上", "每", "逢"}:
        return None
    monday = today - timedelta(days=today.weekday())
    if _UNTIL.search(before) and not which:
        return today + timedelta(days=(wanted - today.weekday()) % 7)
    if _BEGUN.search(context) or _REPORTED.search(before) or not (_MUST.search(context) or _UNTIL.search(before)):
        return None
    if which.startswith("下"):
        return monday + timedelta(days=7 * (1 + which.startswith("下下")) + wanted)
    if which:
        return monday + timedelta(days=wanted)
    return today + timedelta(days=(wanted - today.weekday()) % 7)


def _end_of(match: re.Match[str], context: str, today: date) -> date | None:
    if match["week"]:
        return today + timedelta(days=6 - today.weekday())
    must = match["before_end"] or _STRONG.search(context) or re.search(r"搬|交|还|撑|够", context)
    if (
        not must
        or _BEGUN.search(context)
        or re.search(r"\d|[一二三四五六七八九十]", context.split("|", maxsplit=1)[0][-1:])
    ):
        return None
    if match["end"] == "周末":
        return today + timedelta(days=(5 - today.weekday()) % 7)
    return date(today.year, 12, 31) if match["end"] in {"年底", "年前"} else last_of_month(today)


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


def hours(text: str, said: datetime) -> Iterator[Deadline]:
    """An hour without a day (8点前): the next time that the clock shows it."""
    for match in islice(_CLOCK.finditer(text), MOST_DATES):
        at: datetime | None
        if match["until"]:
            until = match["until"]
            day = said.date() + timedelta(days=until in {"天亮", "明早", "早上"})
            at = at_time(day, said, PERIODS.get(until, END_OF_DAY))
        elif match["bare"]:
            at = at_time(said.date(), said, PERIODS.get(match["bare"], END_OF_DAY))
        else:
            at = _next_shown(match, said)
        if at is not None:
            yield Deadline(at, match.start(), match.end(), "hour")


def _next_shown(match: re.Match[str], said: datetime) -> datetime | None:
    minute = "30" if match["half"] else match["minute"]
    at = clock_time(said.date(), said, match["hour"], minute, match["period"] or "")
    if at and at <= said:
        later = at + timedelta(hours=12)
        at = later if not match["period"] and later > said and at.hour < 12 else at + timedelta(days=1)
    return at
