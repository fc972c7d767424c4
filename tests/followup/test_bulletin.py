"""The bulletin: the same from the sums as from the log, as of any moment, and in every form a reader may ask for."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from followup import bulletin, bulletin_words, figure_store
from followup.bulletin import LINES, Bulletin, Source
from followup.bulletin_api import LogTooLong
from followup.bulletin_page import shared_path, to_html
from followup.bulletin_text import to_markdown
from followup.bulletin_words import HEADINGS, say
from followup.cells import DIMENSIONS
from followup.definitions import DEFINITIONS, VERSION
from followup.figures import RATES
from followup.plan import Plan
from followup.recount import rows
from followup.stages import STAGES
from shared.contracts import Event, Fact, encode
from shared.contracts import requests as r
from shared.contracts.directory import AreaRecorded, Named, OrganisationRecorded
from shared.contracts.vocabulary import (
    AlarmKind,
    Category,
    Channel,
    Colour,
    Decider,
    Language,
    Outcome,
    RejectionReason,
    Status,
)
from shared.identity import Kind, Principal
from tests.followup.stories import INSPECTOR, OPERATOR, Story, minutes
from tests.support.builders import START, Builder
from tests.support.harness import Harness

SHANGHAI = ZoneInfo("Asia/Shanghai")
REJECTED = r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON, approved_by="operator-7")


def city() -> list[Story]:
    """A few requests that went all ways."""
    builder = Builder()

    def at(hours: float) -> Story:
        return Story(builder, at=START + timedelta(hours=hours))

    return [
        at(0).begun(Colour.RED).answered(30).add(r.RequestRated(solved=True, satisfaction=5), 60),
        at(0.5).begun(Colour.GREEN).nudged(1).answered(600),
        at(1).received(channel=Channel.HOTLINE, area="pinghu/caoqiao/xinqun/01"),
        at(2).received().add(REJECTED, 5),
        at(3).begun(Colour.YELLOW).add(r.RequestWithdrawn(reason="unstated"), 10),  # type: ignore[arg-type] # a word of it
        at(30).begun(Colour.RED).answered(10).add(r.RequestClosed(outcome=Outcome.UNREACHED), 10),
    ]


def events_of(stories: list[Story]) -> list[Event[Fact]]:
    return [event for story in stories for event in story.events]


def made(plan: Plan, stories: list[Story], hours: float = 40) -> Bulletin:
    at = START + timedelta(hours=hours)
    told = bulletin.until(events_of(stories), at)
    tallies = bulletin.tallies_of(rows(told, at, plan.promises))
    return bulletin.make(tallies, at, Source.RECOUNTED, bulletin.excluded(told), {"silent": 2})


# What is in it


def test_everything_received_is_somewhere(plan: Plan) -> None:
    shown = made(plan, city())
    assert sum(shown.standing.values()) == shown.figures.totals.received == 6
    assert shown.standing["rejected"] == shown.standing["withdrawn"] == shown.standing["closed"] == 1
    assert {colour: sum(found.values()) for colour, found in shown.backlog.items()} == {"red": 1, "green": 1, "": 1}
    assert list(shown.backlog) == ["red", "green", ""]


def test_as_of_an_earlier_moment_it_is_as_it_stood_then(plan: Plan) -> None:
    shown = made(plan, city(), hours=2.01)
    assert shown.figures.totals.received == 4
    assert (shown.standing["rejected"], shown.exclusions) == (0, [])  # it was rejected five minutes later
    assert shown.standing["received"] == 2


def test_a_facts_time_is_never_before_that_of_the_one_before() -> None:
    story = Story().received().triaged(Colour.RED, 30)
    story.now -= minutes(20)  # a clock that is behind
    story.assigned()
    assert bulletin.until(story.events, START + minutes(15)) == story.events[:1]
    assert bulletin.until(story.events, START + minutes(30)) == story.events


def test_arrivals_are_the_last_hours_without_gaps(plan: Plan) -> None:
    shown = made(plan, city(), hours=100)
    assert len(shown.arrivals) == bulletin.HOURS
    assert {b.hour - a.hour for a, b in zip(shown.arrivals, shown.arrivals[1:], strict=False)} == {timedelta(hours=1)}
    young = made(plan, city())
    assert young.arrivals[0].hour == START
    assert sum(sum(hour.received.values()) for hour in young.arrivals) == 6
    assert sum(hour.still_open for hour in young.arrivals) == 3


def test_many_areas_are_shown_by_village_and_what_is_left_out_is_said(plan: Plan) -> None:
    builder = Builder()
    grids = [Story(builder).received(area=f"c/t/v{n % 2}/{n:02}") for n in range(LINES + 2)]
    shown = made(plan, grids)
    assert [(line.value, line.received) for line in shown.groups["area"]] == [("c/t/v0", 11), ("c/t/v1", 11)]
    villages = [Story(builder).received(area=f"c{n}") for n in range(LINES + 5)]
    shown = made(plan, villages)
    assert (len(shown.groups["area"]), shown.left_out) == (LINES, {"area": 5})


# How it is written


class Read(HTMLParser):
    """The words and the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.tags, self.open = "", list[str](), list[str]()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "rect", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("lang", Language)
def test_the_page_is_whole_says_everything_and_loads_nothing(plan: Plan, lang: Language) -> None:
    shown = made(plan, city())
    written = to_html(shown, lang, SHANGHAI)
    read = Read()
    read.feed(written)
    assert read.open == []
    assert read.words.index(shown.sentence[lang]) < read.words.index(say(HEADINGS, "rates", lang))
    assert read.tags.count("svg") >= 9
    assert "2026-03-04 08:00 (Asia/Shanghai)" in read.words
    for one in DEFINITIONS:
        assert (one.formula_zh if lang is Language.ZH else one.formula_en) in read.words
    assert "operator-7" in read.words
    assert not re.search(r"https?:|src=|<script|url\(", written)


@pytest.mark.parametrize("lang", Language)
def test_the_text_has_the_same_sentence_and_rates(plan: Plan, lang: Language) -> None:
    shown = made(plan, city())
    written = to_markdown(shown, lang, SHANGHAI)
    assert shown.sentence[lang] in written
    assert all(bulletin_words.say(bulletin_words.FIGURES, name, lang) in written for name in RATES)
    assert written.count("\n## ") >= 10


def test_an_empty_bulletin_can_be_written(plan: Plan) -> None:
    shown = made(plan, [])
    for lang in Language:
        assert shown.sentence[lang] in to_html(replace(shown, alarms=None), lang, SHANGHAI)
        assert shown.sentence[lang] in to_markdown(shown, lang, SHANGHAI)


def test_every_word_has_its_words() -> None:
    words = {*Status, *Colour, *Category, *Channel, *Outcome, *RejectionReason, *AlarmKind} - {Status.ARCHIVED}
    assert {str(word) for word in words} <= set(bulletin_words.VALUES)
    assert set(STAGES) <= set(bulletin_words.STAGES)
    assert {*RATES, *bulletin_words.COUNTED} <= set(bulletin_words.FIGURES)
    assert set(DIMENSIONS) == set(bulletin_words.DIMENSIONS)


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (1, "1秒", "1 s"),
        (90, "1.5分钟", "1.5 min"),
        (2460, "41分钟", "41 min"),
        (7200, "2小时", "2 h"),
        (1e6, "12天", "12 d"),
    ],
)
def test_a_duration_for_people(seconds: float, zh: str, en: str) -> None:
    assert (bulletin_words.lasted(seconds, Language.ZH), bulletin_words.lasted(seconds, Language.EN)) == (zh, en)


def test_what_all_areas_lie_in_is_said_once() -> None:
    assert shared_path(["a/b/c", "a/b/d"]) == "a/b/"
    assert shared_path(["a/b", "c"]) == shared_path([]) == ""


def test_places_and_organisations_are_called_by_their_names(plan: Plan) -> None:
    builder = Builder()
    areas = ("c/t/v/01", "c/t/v/02", "c/t/w/01", "c/t/w/01")
    grids = [Story(builder).received(area=area).triaged(Colour.RED).assigned() for area in areas]
    shown = made(plan, grids)
    assert shown.ids == {"c", "c/t", "c/t/v", "c/t/w", "c/t/v/01", "c/t/v/02", "c/t/w/01", "central-hospital"}
    names = ("c", "某市", "City"), ("c/t", "某镇", "Town"), ("c/t/v", "虎村", "Tiger"), ("c/t/v/01", "一格", "Grid 1")
    named = {key: Named(zh=zh, en=en) for key, zh, en in names}
    shown = replace(shown, names=named | {"central-hospital": Named(zh="中心医院", en="Central Hospital")})
    page, text = to_html(shown, Language.EN, SHANGHAI), to_markdown(shown, Language.ZH, SHANGHAI)
    for words in (">Tiger › Grid 1<", ">Tiger › 02<", ">w › 01<", ">City › Town › …<", ">Central Hospital<"):
        assert words in page
    for words in ("| 某市 › 某镇 › 虎村 › 一格 |", "| 中心医院 |"):
        assert words in text


# The door


async def ask(harness: Harness, query: str = "", who: Principal = OPERATOR, **headers: str) -> Any:
    async with harness.client(who, **headers) as client:
        return await client.get(f"/v1/bulletin{query}")


async def test_the_directory_says_how_they_are_called(harness: Harness) -> None:
    builder = Builder()
    await harness.take(*Story(builder).received(area="c/t").triaged(Colour.RED).assigned().events)
    for name in ("Old", "New"):
        facts = (
            AreaRecorded(area="c", level="city", name=Named(zh="某市", en=name)),
            OrganisationRecorded(organisation="central-hospital", name=Named(zh="中心医院", en=name)),
        )
        await harness.take(*(builder.event(fact, fact.name.zh) for fact in facts))
    shown = (await ask(harness)).json()["names"]
    assert shown == {"c": {"zh": "某市", "en": "New"}, "central-hospital": {"zh": "中心医院", "en": "New"}}


async def test_from_the_sums_it_is_the_same_as_from_the_log(harness: Harness, plan: Plan) -> None:
    stories = city()
    for story in stories:
        await harness.take(*story.events)
    await harness.turn(hours=40)
    await harness.service.bus.publish([encode(event) for event in events_of(stories)])
    now = harness.clock.now()
    shown = (await ask(harness)).json()
    assert (shown["source"], shown["formulas_version"]) == ("kept", VERSION)
    then = (await ask(harness, f"?at={now.isoformat().replace('+00:00', 'Z')}")).json()
    assert (then["source"], then["alarms"]) == ("recounted", None)
    assert shown["figures"]["totals"]["received"] == 6
    assert {name: shown[name] for name in shown if name not in {"source", "alarms"}} == {
        name: then[name] for name in then if name not in {"source", "alarms"}
    }
    tallies, _ = await harness.service.query(figure_store.read_tallies, now)
    assert tallies == bulletin.tallies_of(rows(events_of(stories), now, plan.promises))
    earlier = (await ask(harness, "?at=2026-03-02T10:00:30Z")).json()
    assert earlier["figures"]["totals"]["received"] == 4


@pytest.mark.parametrize(
    ("query", "accept", "media", "begins"),
    [
        ("", "*/*", "application/json", "{"),
        ("", "text/html,application/xhtml+xml", "text/html", "<!doctype html>"),
        ("", "text/markdown", "text/markdown", "# 抗疫"),
        ("?format=html&lang=en", "application/json", "text/html", "<!doctype html>"),
        ("?format=markdown&lang=en", "*/*", "text/markdown", "# Bulletin"),
        ("?format=json", "text/html", "application/json", "{"),
    ],
)
async def test_the_form_is_by_format_else_by_accept(
    harness: Harness, query: str, accept: str, media: str, begins: str
) -> None:
    response = await ask(harness, query, accept=accept)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].split(";")[0] == media
    assert response.text.startswith(begins)
    assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_what_cannot_be_shown_is_refused_with_what_to_do(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query in ("?at=2036-01-01T00:00:00Z", "?at=yesterday", "?format=pdf", "?lang=fr"):
        assert (await ask(harness, query)).status_code == 422
    await harness.service.bus.publish([encode(event) for event in events_of(city())])
    monkeypatch.setattr("followup.bulletin_api.MOST_EVENTS", 3)
    refused = await ask(harness, "?at=2026-03-01T00:00:00Z")
    assert refused.json()["type"].endswith(LogTooLong.slug())
    assert (refused.json()["events"] > 3, refused.json()["most"]) == (True, 3)


async def test_who_may_read_it(harness: Harness) -> None:
    assert (await ask(harness, who=INSPECTOR)).status_code == 200
    handler = Principal(kind=Kind.LIAISON, id="l", organisation="central-hospital")
    assert (await ask(harness, who=handler)).status_code == 403
    assert (await ask(harness, who=Story().resident)).status_code == 403
