"""The simulation: the real model on a virtual clock, the same in every run, and an answer that more people improve."""

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from dispatch.capacity import A_THIRD, HOUR, Row, enough_of, figures, find_enough, try_out, with_a_third_silent
from dispatch.chart import answer, assumptions, page, table
from dispatch.files import FileKind
from dispatch.scenario import BEGINS, LOCKDOWN, SCENARIOS, ZHENGZHOU, Scenario, arrivals, make_city
from dispatch.simulation import Handled, Ran, Simulation
from services.cli import main
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour
from tests.dispatch.stories import SAMPLE, sample

CLOCKS = sample(FileKind.CLOCKS)
SMALL = Scenario(name="small", requests=60, hours=12, run_on_hours=12, liaisons=8)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """A load that eight cannot carry."""
    return list(find_enough(SMALL.at_load(8), CLOCKS, 0.9))


def test_every_run_of_a_scenario_is_the_same() -> None:
    first, second = (Simulation(SMALL, CLOCKS).run() for _ in range(2))
    assert first.facts == second.facts
    assert [one.answered_at for one in first.requests] == [one.answered_at for one in second.requests]


def test_with_enough_people_all_are_answered_in_time() -> None:
    row = try_out(SMALL.with_liaisons(24), CLOCKS)
    assert row.requests == 60
    assert row.on_time_share >= 0.95
    assert row.open_at_end == row.backlog[-1] == 0


def test_what_is_not_due_yet_is_not_late_and_a_run_that_cannot_do_ends_when_all_have_come() -> None:
    first, *_ = find_enough(SMALL.at_load(20), CLOCKS, 0.95)
    assert not first.gave_up
    assert first.requests == 1200
    assert first.on_time_share < 0.95
    asked = [Handled(BEGINS, Colour.GREEN, 1, 1, "a", due_at=BEGINS + 72 * HOUR) for _ in range(10)]
    ended = {hours: figures(Ran(SMALL, BEGINS + hours * HOUR, asked)) for hours in (71, 72)}
    assert (ended[71].breaks_at_hour, ended[72].breaks_at_hour) == (None, 0)
    assert ended[71].on_time_share == ended[72].on_time_share == 0


def test_if_a_third_never_act_the_answer_says_what_that_does() -> None:
    enough = try_out(SMALL.with_liaisons(24), CLOCKS)
    silent = list(with_a_third_silent(enough, CLOCKS, 0.95))
    assert all(row.scenario.silent == A_THIRD for row in silent)
    assert silent[0].recalled > enough.recalled
    assert f"If a third of the {enough.liaisons} never act" in answer([enough], 0.95, silent)
    assert list(with_a_third_silent(enough, CLOCKS, 0.95, lambda: False)) == []


@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.5])
def test_those_who_never_act_are_spread_over_the_organisations(share: float) -> None:
    scenario = replace(SMALL, silent=share).with_liaisons(48)
    silent = Simulation(scenario, CLOCKS).silent
    assert len(silent) == pytest.approx(share * 2 * 49, abs=1)
    for organisation in make_city(scenario).organisations:
        people = [p for p in silent if p.startswith(f"{organisation}.")]
        everybody = [p for p in make_city(scenario).liaisons if p.startswith(f"{organisation}.liaison")]
        assert abs(len(people) - share * len(everybody)) < 1.5, organisation


def test_an_owner_who_never_acts_loses_it_here_as_well() -> None:
    ran = Simulation(Scenario(name="all silent", requests=10, hours=2, liaisons=8, silent=1), CLOCKS).run()
    assert ran.facts[r.TaskRecalled] >= 10
    assert all(one.answered_at for one in ran.requests)  # by deputies


def test_red_is_never_queued_behind_others() -> None:
    ran = Simulation(SMALL.at_load(10), CLOCKS).run()
    waits: dict[Colour, list[timedelta]] = {colour: [] for colour in Colour}
    for one in ran.requests:
        waits[one.colour].append((one.answered_at or ran.until) - one.arrived_at)
    middle = {colour: sorted(times)[len(times) // 2] for colour, times in waits.items()}
    assert middle[Colour.RED] < middle[Colour.YELLOW] <= middle[Colour.GREEN]


def test_the_search_ends_with_the_fewest_that_are_enough(rows: list[Row]) -> None:
    enough = enough_of(rows, 0.9)
    assert enough is not None
    assert enough.on_time_share >= 0.9
    below = [row for row in rows if row.liaisons == enough.liaisons - 1]
    assert below
    assert not below[0].is_enough(0.9)
    assert rows[0].on_time_share < 0.9


def test_the_page_needs_nothing_else_and_its_charts_are_whole(rows: list[Row]) -> None:
    said = answer(rows, 0.9)
    assert "are enough" in said
    assert "it breaks in hour" in said
    document = page("A test", said, rows, assumptions(SMALL), 0.9)
    assert "http" not in document.replace("<!doctype html>", "")
    charts = [ET.fromstring(part.split("</svg>")[0] + "</svg>") for part in _svgs(document)]
    assert len(charts) == 2
    assert all(chart.findall("polyline") for chart in charts)
    assert len(table(rows).splitlines()) == len(rows) + 1


def _svgs(document: str) -> list[str]:
    return [f"<svg{part}" for part in document.split("<svg")[1:]]


def test_zhengzhou_comes_to_about_what_was_reported() -> None:
    row = try_out(replace(ZHENGZHOU, run_on_hours=0), CLOCKS)
    assert row.answered_share == pytest.approx(0.25, abs=0.04)
    assert "(reported: 25% solved)" in answer([row], 0.95)


def test_the_scenarios_are_what_they_say() -> None:
    assert set(SCENARIOS) == {"lockdown", "zhengzhou"}
    assert len(arrivals(LOCKDOWN)) == 333
    assert len(arrivals(ZHENGZHOU)) == 5014
    assert all(a.at <= b.at for a, b in zip(arrivals(LOCKDOWN), arrivals(LOCKDOWN)[1:], strict=False))
    city = make_city(LOCKDOWN)
    on_duty = [p for o in city.organisations for p in city.on_duty(o, 0, arrivals(LOCKDOWN)[0].at)]
    assert len(on_duty) == LOCKDOWN.liaisons + 1  # and one at the backstop


def test_the_command_answers_with_a_table_and_a_page(tmp_path: object) -> None:
    file = f"{tmp_path}/chart.html"
    options = ["--load", "0.1", "--once", "--clocks", str(SAMPLE / "clocks.yaml"), "--html", file]
    ran = CliRunner().invoke(main, ["simulate", *options])
    assert ran.exit_code == 0, ran.output
    assert "33 requests in 60 h" in ran.output
    assert "p90 red" in ran.output
    assert "times faster than life" in ran.output
