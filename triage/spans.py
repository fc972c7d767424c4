"""How long something will still do, and within what time: 药只够两天, 24小时内, 每隔三天打一次, in Chinese texts. Pure.

What has lasted (烧了三天), a rule's term (三个月内办理) and what somebody else promised are no deadlines.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

from triage.clauses import MOST_DATES, Deadline, around
from triage.days import WEEKDAYS, N
from triage.numerals import at_time, day_or_none, whole

LONGEST_DAYS = 300
LONGEST_TERM_DAYS = 31
"""A term (…天内) further off is a rule's, not a need's."""
HOURS = frozenset(("小时", "钟头", "hour", "hours", "hr", "hrs"))
_UNIT = r"(?P<unit>天半?|日|小时|钟头|分钟|周|星期|礼拜|月(?!\d))"
_SPAN = re.compile(rf"(?P<count>{N}|半)(?P<half>多|来)?\s?个?{_UNIT}")
_AHEAD_BEFORE = re.compile(
    r"(?:够|剩|还有|余量|存量|最多|至多|不到|不足|撑|顶|维持|坚持|再过|等不了|可用|能[吃用喝撑]|限|活不过|撑不过|支撑"
    r"|须在|必须在|务必在|需在|要在|请在|限期)(?:[^,。!?;]{0,5})$"
)
_WITHIN = re.compile(
    r"^(?:之内|以内|内)(?!的?(?:核酸|抗原|阴性|反复|连续|跑|去了|打了|发生|出现|已|被|没有得到|多次|两次|三次))"
)
_AFTER = re.compile(
    r"^(?:之后|以后|后)(?=[^,。]{0,8}(?:用完|没|断|要|到期|手术|出发|吃完|耗尽|考试|必须|开学|生产|预产|高考))"
    r"|^(?:的量|的药|的余量|的用量|药量|必须|要到期|就断|就没|就要(?:断|没|用完|吃完|生|手术))"
)
_MUST = re.compile(r"必须|要|得|需|请|应|该|务必|限|答复|送|打|做|拿|手术|医生说|最佳|抢救|黄金|到|急需|希望")
_OF_A_RULE = re.compile(
    r"规定|约定|协议|合同|承诺|作出后|收到|注册|未来|预计|法定|应在|办理|保证|声称|答应|发货|交房|最近|近|之前|曾|提供|要求我|告知|说.{0,3}会"
)
_RULE_AFTER = re.compile(r"^[^,。]{0,4}(?:降水|降雨|有雨|阶段性|办理|移交|发货|交房|付清|结清|答复的|审批)")
_PAST_BEFORE = re.compile(
    r"(?:已|已经|了|连续|持续|超过|超|过去|第|每|隔|前|整整|都|拖|等|烧|停|断|从|近|长达|困|没|等待|停药|断药|最近|延误|推迟)$"
)
_PAST_AFTER = re.compile(r"^(?:了|前|以来|没|未|多了|都|来|一次|[一二两三]次|大|的(?:孩子|宝宝|婴儿|身孕))")
_TO_COME = re.compile(r"就|要|用完|到期|手术|断|没|高考|中考|开学|预产|生产|考试|截止|期满|复查|化疗|透析")
_DONE = re.compile(r"(?:已经?过去?了?|已经|过了|第)\s?(?P<n>\d{1,3}|[零一二两三四五六七八九十]{1,3})\s?天")
_EVERY = re.compile(
    rf"(?:每|间隔|每隔|相隔|隔)(?P<count>{N})?(?P<unit>天|日|周|星期|个?月|小时)"
    rf"|(?P<count2>{N})(?P<unit2>天|周|个?月)(?:做|打|透|化疗|换|查|吃)?(?:一次|一针|一回)"
)
_LAST = re.compile(
    r"(?P<near>今天|今早|昨天|昨晚|前天|大前天)(?=[^,。]{0,6}(?:打|做|透|换|吃|化疗|接种|注射|第))"
    r"|(?:上次|上一次|上回|最后一次|第[一二三四]针|第[一二三四]次)[^,。]{0,6}?(?:是|在)?"
    r"(?:(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]?|(?P<alone>\d{1,2})[号日]|(?:上?周|星期)(?P<weekday>[一二三四五六日天])"
    r"|(?P<near2>今天|昨天|前天|大前天))"
)
_BACK = {"今天": 0, "今早": 0, "昨天": 1, "昨晚": 1, "前天": 2, "大前天": 3}
_DUE_TODAY = re.compile(r"今天(?:星期.|周.)?(?:就?该|应该|要|需要|没|去不了|做不)")
_ROUTINE = re.compile(
    r"(?:周|星期|礼拜|每周|是)(?P<days>[一二三四五六日天](?:[、,]?[一二三四五六日天]){1,4})(?=[,。、;!?做透去打要]|$)"
)


def spans(text: str, said: datetime) -> Iterator[Deadline]:
    """What is left, and within what time."""
    for match in islice(_SPAN.finditer(text), MOST_DATES):
        before, after = around(text, match.start(), match.end())
        lead = _AHEAD_BEFORE.search(before)
        if not _lies_ahead(lead, match, before, after):
            continue
        count = 1 if match["count"] == "半" else whole(match["count"])
        at = ahead(_less_what_passed(text, count, match["unit"], after), match["unit"], said)
        if at is not None:
            start = match.start() - len(lead[0]) if lead else match.start()
            yield Deadline(at, start, match.end(), "span", sure=match["half"] is None)


def _lies_ahead(lead: re.Match[str] | None, match: re.Match[str], before: str, after: str) -> bool:
    """Whether a span is what is left or a term, not what has passed (烧了三天, 三天前) nor a rule (几小时内的核酸)."""
    if _RULE_AFTER.search(after) or (match["count"].startswith("几") and _WITHIN.search(after)):
        return False
    if _WITHIN.search(after):
        return _is_term(match, before, after)
    if re.search(r"最近$|(?<!还)这$", before):
        return re.match(r"需要|要|必须|得", after) is not None
    if lead and (not lead[0].endswith("了") or "剩" in lead[0]):
        return _is_left(lead[0], before, after)
    if match["count"].startswith("几") or _PAST_AFTER.search(after) or _PAST_BEFORE.search(before[-4:]):
        return False
    return _AFTER.search(after) is not None


def _is_term(match: re.Match[str], before: str, after: str) -> bool:
    days = whole(match["count"]) * {"周": 7, "星": 7, "礼": 7, "月": 30}.get(match["unit"][0], 1)
    if match["unit"] not in HOURS and days > LONGEST_TERM_DAYS:
        return False
    if _OF_A_RULE.search(before[-14:]) or _PAST_BEFORE.search(before[-3:]):
        return False
    return bool(_MUST.search(before[-10:]) or _MUST.search(after[:12]) or re.search(r"不.{0,6}(?:就|人)", after[:14]))


def _is_left(lead: str, before: str, after: str) -> bool:
    if after.startswith(("前", "没", "未", "以来")) or re.search(r"规定|休息|睡|接手|约定", before[-12:]):
        return False
    if re.match(r"还有|不到|不足|再过", lead):
        runs_out = re.search(r"药|米|粮|奶|水|氧|电|菜|量", before[-12:] + lead) or re.match(r"的(?:量|药|$)", after)
        return bool(runs_out or _TO_COME.search(after[:10]))
    return True


def _less_what_passed(text: str, count: int, unit: str, after: str) -> int:
    """28天内必须打, of which 25 have passed: three are left."""
    passed = _DONE.search(text) if unit == "天" and _WITHIN.search(after) else None
    days = whole(passed["n"]) if passed else 0
    return count - days if 0 < days < count else count


def ahead(count: int, unit: str, said: datetime) -> datetime | None:
    """The moment so far ahead; None for a count of nothing or of too much."""
    if count <= 0 or count > LONGEST_DAYS:
        return None
    if unit in HOURS:
        return said + timedelta(hours=count)
    if unit.startswith(("分", "min")):
        return said + timedelta(minutes=count)
    days = count * {"周": 7, "星": 7, "礼": 7, "月": 30, "w": 7, "m": 30}.get(unit[0], 1)
    return at_time(said.date() + timedelta(days=min(days, LONGEST_DAYS)), said)


def intervals(text: str, said: datetime) -> Iterator[Deadline]:
    """The next of something that is done at intervals: 两针间隔三天, 昨天打的第一针; 透析隔天一次, 今天该做了."""
    today = said.date()
    due = _DUE_TODAY.search(text)
    routine = _ROUTINE.search(text)
    every = _EVERY.search(text)
    if due and (every or routine):
        yield Deadline(at_time(today, said), due.start(), due.end(), "interval")
        return
    last = _LAST.search(text)
    if every is None or last is None:
        return
    day = _last_day(last, today)
    step = ahead(whole(every["count"] or every["count2"] or "") or _each(every), every["unit"] or every["unit2"], said)
    if day is None or step is None or not 0 <= (today - day).days <= LONGEST_DAYS:
        return
    following = day + (step.date() - today)
    yield Deadline(
        at_time(max(following, today), said), every.start(), every.end(), "interval", sure=following >= today
    )


def _each(every: re.Match[str]) -> int:
    """隔天 is every second day, 每周 every one."""
    return 2 if every[0].startswith("隔") else 1


def _last_day(last: re.Match[str], today: date) -> date | None:
    if near := last["near"] or last["near2"]:
        return today - timedelta(days=_BACK[near])
    if last["weekday"]:
        return today - timedelta(days=(today.weekday() - WEEKDAYS[last["weekday"]]) % 7 or 7)
    if last["alone"]:
        return day_or_none(today.year, today.month, int(last["alone"]))
    return day_or_none(today.year, int(last["month"]), int(last["day"]))
