"""The words of the bulletin, in Chinese and English. Pure."""

from collections.abc import Mapping

from followup.bulletin import NAMED
from followup.definitions import DEFINITIONS
from followup.figures import percent as as_percent
from shared.areas import upwards
from shared.contracts.directory import Named
from shared.contracts.vocabulary import Language
from shared.rates import Rate

Words = Mapping[str, tuple[str, str]]
HEADINGS: Words = {
    "title": ("抗疫求助平台快报", "Bulletin of the help desk"),
    "as_of": ("截至", "As of"),
    "formulas": ("公式版本", "formulas version"),
    "kept": ("随到随计", "kept as events came"),
    "recounted": ("由日志重算", "recounted from the log"),
    "rates": ("比率（附95%区间）", "Rates, with their 95 % intervals"),
    "counts": ("次数", "Counts"),
    "arrivals": ("每小时接收（按颜色）", "Received by hour and colour"),
    "still_open_by_hour": ("未办结（按接收小时）", "Still open, by hour of receipt"),
    "stages": ("各环节用时：一半、九成、全部之内", "Time to each stage: half, nine of ten, all within"),
    "standing": ("去向核对", "Where they are"),
    "backlog": ("积压", "Backlog"),
    "exclusions": ("不予受理（最近）", "Not admitted, the last ones"),
    "alarms": ("漏办告警", "Open alarms"),
    "definitions": ("公式", "Formulas"),
    "sum": ("合计 = 接收", "sum = received"),
    "none": ("无", "none"),
    "received": ("接收", "received"),
    "still_open": ("未办结", "open"),
    "effective": ("有效反馈", "effective"),
    "on_time": ("按时", "on time"),
    "stage": ("环节", "stage"),
    "request": ("求助", "request"),
    "reason": ("原因", "reason"),
    "approved": ("批准人", "approved by"),
    "machine": ("规则", "a rule"),
    "person": ("工作人员", "a person"),
    "without": ("未定", "none yet"),
    "more": ("另有{n}项未列", "{n} more are not shown"),
    "no_alarms_then": ("过去时刻的告警不在求助日志中", "the log of requests does not say which were open then"),
    "half": ("半数", "half"),
    "ninety": ("九成", "90 %"),
    "ninety_nine": ("99%", "99 %"),
    "longest": ("最长", "longest"),
}
DIMENSIONS: Words = {
    "colour": ("按颜色", "By colour"),
    "category": ("按类别", "By category"),
    "organisation": ("按承办单位", "By organisation"),
    "area": ("按地区", "By area"),
    "channel": ("按渠道", "By channel"),
    "hour_of_day": ("按一天中的时刻", "By hour of the day"),
}
STAGES: Words = {
    "offline": ("离线等待", "waited offline"),
    "acknowledged": ("回执", "acknowledged"),
    "triaged": ("分级", "triaged"),
    "triage_confirmed": ("人工复核", "triage confirmed"),
    "assigned": ("交办", "assigned"),
    "accepted": ("签收", "accepted"),
    "contacted": ("首次联系", "first contact"),
    "answered": ("答复", "answered"),
    "fulfilled": ("兑现", "fulfilled"),
    "closed": ("办结", "closed"),
}
VALUES: Words = {
    "received": ("待分级", "waiting for triage"),
    "triaged": ("待交办", "triaged"),
    "assigned": ("待签收", "assigned"),
    "accepted": ("办理中", "accepted"),
    "answered": ("已答复", "answered"),
    "disputed": ("有异议", "disputed"),
    "closed": ("已办结", "closed"),
    "confirmed": ("居民确认", "confirmed"),
    "unreached": ("未联系上", "unreached"),
    "unasked": ("未抽中", "unasked"),
    "rejected": ("不予受理", "rejected"),
    "merged": ("已合并", "merged"),
    "withdrawn": ("已撤回", "withdrawn"),
    "red": ("红", "red"),
    "yellow": ("黄", "yellow"),
    "green": ("绿", "green"),
    "untriaged": ("未分级", "untriaged"),
    "medical": ("就医", "medical care"),
    "medicine": ("用药", "medicine"),
    "food_supplies": ("生活物资", "food and supplies"),
    "transport": ("出行用车", "transport"),
    "elderly_child_care": ("老幼照护", "care of old and young"),
    "maternity": ("孕产", "maternity"),
    "quarantine_policy": ("防疫政策", "quarantine rules"),
    "utilities_property": ("水电气与物业", "utilities and housing"),
    "mental_health": ("心理援助", "mental health"),
    "work_travel": ("复工与往来", "work and travel"),
    "rescue": ("救援", "rescue"),
    "complaint": ("投诉", "complaint"),
    "other": ("其他", "other"),
    "app": ("客户端", "app"),
    "wechat": ("微信", "WeChat"),
    "hotline": ("热线", "hotline"),
    "visit": ("上门", "at the door"),
    "partner": ("协作单位", "partner"),
    "not_a_request": ("非求助", "not a request"),
    "test": ("测试", "test"),
    "abuse": ("滥用", "abuse"),
    "out_of_area": ("不属本地区", "out of area"),
    "not_acknowledged": ("未回执", "not acknowledged"),
    "not_triaged": ("未分级", "not triaged"),
    "review_overdue": ("复核超时", "review overdue"),
    "not_assigned": ("未交办", "not assigned"),
    "silent": ("交办无声", "silent"),
    "not_looked_back": ("未回访", "not looked back"),
    "sequence_gap": ("事件缺号", "sequence gap"),
    "endpoint_disabled": ("回调停用", "endpoint disabled"),
    "contact_lost": ("联系方式丢失", "contact lost"),
    "improvement_overdue": ("整改逾期", "improvement overdue"),
    "not_reached": ("联络不通", "not reached in a drill"),
}
FIGURES: Words = {one.name: (one.zh, one.en) for one in DEFINITIONS}
COUNTED = ("reopened", "nudges", "supervisions", "returns", "recalls", "hops")
"""The counts that are shown, in their order."""
MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = ((DAY, ("天", " d")), (HOUR, ("小时", " h")), (MINUTE, ("分钟", " min")))


def say(words: Words, name: str | None, lang: Language) -> str:
    """The word in this language; the name itself where there is none, as for an organisation or an area."""
    if name is None:
        name, words = "without", HEADINGS
    pair = words.get(name)
    return name if pair is None else pair[lang is Language.EN]


def called(dimension: str, value: str | None, names: Mapping[str, Named], lang: Language, above: str = "") -> str:
    """A dimension's value in words; an area with those it lies in below `above`; an id where there is no name."""
    if value is None or dimension not in NAMED:
        return say(VALUES, value, lang)
    steps = [(step, names.get(step)) for step in reversed(list(upwards(value))) if len(step) > len(above)]
    return " › ".join(getattr(name, lang) if name else step.rsplit("/", 1)[-1] for step, name in steps)


def lasted(seconds: float | None, lang: Language) -> str:
    """A duration for people, in the unit that fits and no finer than a sketch knows it."""
    if seconds is None:
        return "–"
    for unit, names in UNITS:
        if seconds >= unit:
            number = f"{seconds / unit:.{1 if seconds < 10 * unit else 0}f}".removesuffix(".0")
            return number + names[lang is Language.EN]
    return f"{seconds:.0f}" + ("秒" if lang is Language.ZH else " s")


def rated(rate: Rate, lang: Language) -> str:
    """A rate with its number and interval."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "–"
    span = f"{rate.low * 100:.1f}–{rate.high * 100:.1f}"
    return f"{as_percent(rate, lang)} ({rate.n}/{rate.of}, {span})"
