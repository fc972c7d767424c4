from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triage.builders import FILED_AT, ZONE
from triage.deadlines import LONGEST_AHEAD_DAYS, find_deadline
from triage.phrases import fold

# FILED_AT is Tuesday, 25 October 2022, 15:00 in Shanghai.
STATED = {
    "第二针应在10月26日接种": "10-26 23:59",
    "26号要打第二针": "10-26 23:59",
    "二十六号要打针": "10-26 23:59",
    "26号下午3点半做手术": "10-26 15:30",
    "明天就断药了": "10-26 23:59",
    "明早要去透析": "10-26 12:00",
    "后天的手术": "10-27 23:59",
    "大后天要化疗": "10-28 23:59",
    "今晚8点前要吃上药": "10-25 20:00",
    "今天必须透析": "10-25 23:59",
    "凌晨一点前要送到急诊": "10-26 01:00",
    "下周一要化疗": "10-31 23:59",
    "周三要透析": "10-26 23:59",
    "星期五必须复查": "10-28 23:59",
    "本周内要做产检": "10-30 23:59",
    "月底前要交材料": "10-31 23:59",
    "药只够两天": "10-27 23:59",
    "胰岛素还能用三天": "10-28 23:59",
    "奶粉只剩一天的量了": "10-26 23:59",
    "米还能吃五六天": "10-30 23:59",
    "24小时内要打破伤风针": "10-26 15:00",
    "请在两日内答复": "10-27 23:59",
    "身份证11月3日到期": "11-03 23:59",
    "必须在2022-10-28之前做": "10-28 23:59",
    "元旦前必须复查": "12-31 23:59",
    "元月五号到期": "01-05 23:59",
    "药只够两天,不过29号可以去拿": "10-27 23:59",
    "I have insulin for two more days": "10-27 23:59",
    "two days left of water": "10-27 23:59",
    "奶奶的药还有两天的量": "10-27 23:59",
    "胰岛素余量3天": "10-28 23:59",
    "石膏28号拆": "10-28 23:59",
    "my chemo is booked for Friday": "10-28 23:59",
    "this bottle will last two days": "10-27 23:59",
    "two days of Parkinson's pills left": "10-27 23:59",
    "her pills run out tomorrow": "10-26 23:59",
    "surgery tomorrow at 9 am": "10-26 09:00",
    "we need it by Friday": "10-28 23:59",
    "due on 26 October": "10-26 23:59",
    "the second dose is on October 26th": "10-26 23:59",
    "it must be done within 48 hours": "10-27 15:00",
    "next Monday is my operation": "10-31 23:59",
    "the day after tomorrow": "10-27 23:59",
    "please come tonight": "10-25 23:59",
}
NOT_STATED = [
    "烧了三天了",
    "发烧三天，一直没人管",
    "三天前开始发烧",
    "10月20日确诊",
    "10月23日开始咳嗽，24日又去了医院",
    "停水已经超过30个小时",
    "上周三开始断药",
    "每周三透析",
    "需要48小时核酸",
    "住在3号楼2单元，离26号院不远",
    "2月30日要复查",
    "13月45日要手术",
    "99号要打针",
    "25:70前要到",
    "以后再说，后来没事了",
    "今天去了医院",
    "国庆路五一广场",
    "I have been ill for three days",
    "the last two days were bad",
    "it started two days ago",
    "last Friday she fell",
    "we lost power since Monday",
    "",
]


def _at(text: str, filed_at: datetime = FILED_AT, zone: ZoneInfo = ZONE) -> str | None:
    found = find_deadline(fold(text), filed_at, zone)
    return f"{found.at:%m-%d %H:%M}" if found else None


@pytest.mark.parametrize("text", STATED)
def test_a_time_by_which_help_is_needed_is_read(text: str) -> None:
    assert _at(text) == STATED[text]


@pytest.mark.parametrize("text", NOT_STATED)
def test_what_has_lasted_or_begun_or_was_done_is_no_deadline(text: str) -> None:
    assert _at(text) is None


def test_a_day_is_a_day_in_the_city() -> None:
    just_before_midnight = datetime(2022, 10, 25, 15, 30, tzinfo=ZoneInfo("UTC"))  # 23:30 in Shanghai
    assert _at("明天要打针", just_before_midnight) == "10-26 23:59"
    assert _at("明天要打针", just_before_midnight + timedelta(hours=1)) == "10-27 23:59"
    assert _at("明天要打针", just_before_midnight, ZoneInfo("Europe/Berlin")) == "10-26 23:59"


def test_the_words_that_say_it_are_named() -> None:
    text = fold("第二针应在10月26日接种")
    found = find_deadline(text, FILED_AT, ZONE)
    assert found is not None
    assert text[found.start : found.end] == "10月26日"


@given(st.text(alphabet="0123456789一二三十月日号点前内天周下上今明后年:./-小时 还够要,。abdfhinorstuwy", max_size=120))
def test_any_text_is_read_and_a_deadline_lies_ahead_within_the_text(text: str) -> None:
    found = find_deadline(fold(text), FILED_AT, ZONE)
    if found is not None:
        assert 0 <= found.start < found.end <= len(text)
        assert FILED_AT < found.at <= FILED_AT + timedelta(days=LONGEST_AHEAD_DAYS)
