"""The formulas of the figures, in words, with their version: printed with the figures, so that anybody can recompute
them. Pure.

Whoever changes what a figure counts changes its words here and the version; a test holds the two together.
"""

from dataclasses import dataclass

VERSION = "2"
"""Of all formulas together. 1 had no stages, routes, silence and triage."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A figure: its names and its formula, in Chinese and English."""

    name: str
    zh: str
    en: str
    formula_zh: str
    formula_en: str


DEFINITIONS = tuple(
    Definition(*words)
    for words in (
        (
            "valid",
            "有效求助",
            "valid",
            "已接收，且未以“非求助、测试、滥用”为由不予受理；不属本地区的仍算有效",
            "received, and not rejected as not_a_request, test or abuse; out_of_area stays valid",
        ),
        (
            "admitted",
            "受理率",
            "admitted",
            "有效且未被不予受理 ÷ 有效",
            "valid and not rejected ÷ valid; what was withdrawn or merged was admitted",
        ),
        (
            "due",
            "应答复",
            "due",
            "已受理，且已答复或答复时限已到（以先到者为准）；在此之前撤回或合并的不计",
            "admitted, and answered or the time for the answer is up, whichever came first; not what was withdrawn or "
            "merged before either",
        ),
        (
            "effective_answer",
            "有效反馈率",
            "effective answer",
            "最后一次答复仍成立（无异议、未漏兑现）÷ 应答复",
            "the last answer stands (not disputed, no promised fulfilment missed) ÷ due",
        ),
        (
            "on_time",
            "按时答复率",
            "on time",
            "成立的答复在时限内 ÷ 应答复；时限取曾承诺的最早时刻",
            "the answer that stands was given in time ÷ due; in time is by the earliest moment ever promised",
        ),
        (
            "response",
            "及时响应率",
            "response",
            "首次人工联系在时限内 ÷ 已交办且应联系；答复也算联系",
            "first human contact in time ÷ assigned, and contacted or the time for it is up; an answer is a contact",
        ),
        (
            "missed",
            "漏办率",
            "missed",
            "答复时限已到仍无人联系过居民，或承诺的兑现未做到 ÷ 应答复",
            "nobody had spoken with the resident when the answer was due, or a promised fulfilment was missed ÷ due",
        ),
        (
            "solved",
            "解决率",
            "solved",
            "居民最后一次有效表态为已解决 ÷ 有表态者；旁列承办方自报（已答复且未漏兑现 ÷ 应答复）及差距",
            "the resident's last word that counts is solved ÷ reached; beside it the handlers' claim "
            "(answered, no promised fulfilment missed since ÷ due), and the gap",
        ),
        (
            "satisfaction",
            "满意率",
            "satisfaction",
            "最后一次评分为4或5分 ÷ 有评分者，并列分布",
            "a last mark of 4 or 5 ÷ those who gave a mark, with the distribution",
        ),
        (
            "disputed",
            "异议率",
            "disputed",
            "曾被重开 ÷ 曾答复",
            "reopened at least once ÷ ever answered",
        ),
        (
            "returned",
            "退单率",
            "returned",
            "至少退单一次 ÷ 已交办",
            "a task was given back at least once ÷ assigned",
        ),
        (
            "supervised",
            "督办率",
            "supervised",
            "至少督办一次 ÷ 已交办",
            "at least one supervision order ÷ assigned",
        ),
        (
            "first_route",
            "首次交办准确率",
            "first route",
            "最后一次答复出自首个交办单位 ÷ 曾答复",
            "the last answer came from the organisation that was assigned first ÷ ever answered",
        ),
        (
            "under_triage",
            "定级偏低率",
            "under-triage",
            "首次答复时的颜色高于首次定级 ÷ 曾答复",
            "the colour at the first answer is higher than the first colour given ÷ ever answered",
        ),
        (
            "over_triage",
            "定级偏高率",
            "over-triage",
            "首次答复时的颜色低于首次定级 ÷ 曾答复",
            "the colour at the first answer is lower than the first colour given ÷ ever answered",
        ),
        (
            "reopened",
            "重开次数",
            "reopened",
            "答复被否定的次数，每次都计",
            "how many times an answer was disputed, every time counted",
        ),
        (
            "nudges",
            "催办次数",
            "nudges",
            "催办次数，含定时器晚醒时错过的，每次都计",
            "nudges, those of moments that a timer slept through included, every one counted",
        ),
        (
            "supervisions",
            "督办次数",
            "supervisions",
            "督办单数",
            "supervision orders",
        ),
        (
            "returns",
            "退单次数",
            "returns",
            "退回的任务数，主办与协办",
            "tasks given back, leading and assisting",
        ),
        (
            "recalls",
            "收回次数",
            "recalls",
            "因未按时签收而收回的次数",
            "times that a task was taken back since nobody accepted it in time",
        ),
        (
            "hops",
            "转手次数",
            "hops",
            "主办单位变更的次数",
            "times that the lead went from one organisation to another",
        ),
        (
            "stages",
            "各环节用时",
            "stages",
            "自接收起计；签收自每次交办起，首次联系自首次交办起；不予受理者不计；误差不超过2%",
            "from receipt; accepted from its assignment, contacted from the first assignment; without what was "
            "rejected; each within 2 %",
        ),
        (
            "interval",
            "置信区间",
            "interval",
            "每个比率附件数与95%威尔逊区间；分母为零则为空",
            "each rate with its number and its 95 % Wilson interval; null where there is nothing to divide by",
        ),
        (
            "cohort",
            "归期",
            "cohort",
            "一律按接收时间归期，不按办结时间",
            "a request counts when it was received, never when it was closed",
        ),
    )
)
