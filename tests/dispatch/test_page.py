"""A second city, set up from scratch by the page for those who set one up, and by nothing else."""

import re
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from dispatch.app import apply_city, build
from dispatch.files import FileKind
from shared.clock import Clock
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour
from shared.identity import Kind, Principal
from shared.settings import ROOT, Settings
from tests.dispatch.stories import OPERATOR, SAMPLE, Story, liaison, triaged
from tests.support.builders import START
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer

BLOCK = re.compile(r"^```yaml\n# ([a-z]+\.yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLINIC, DRIVERS = liaison("clinic"), liaison("drivers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, as its reader writes them down."""
    city = tmp_path_factory.mktemp("haibin")
    for name, text in BLOCK.findall((ROOT / "docs" / "dispatch.md").read_text(encoding="utf-8")):
        (city / name).write_text(text, encoding="utf-8")
    shutil.copy(SAMPLE / "followup.yaml", city)
    return city


@pytest.fixture
async def haibin(folder: Path, postgres: PostgresServer) -> AsyncIterator[Story]:
    """Dispatch as it first starts with HEED_CITY_DIR set to that folder."""
    url = await postgres.fresh_database("haibin")

    def of_haibin(settings: Settings, clock: Clock | None) -> FastAPI:
        return build(settings.model_copy(update={"database": url, "bus": url, "city_dir": folder}), clock)

    async with Harness.start(of_haibin, postgres) as harness:
        await apply_city(harness.service)
        yield Story(harness)


async def explained(city: Story, **asked: object) -> dict[str, object]:
    async with city.harness.client(OPERATOR) as client:
        answer = await client.get("/v1/routing", params=asked)  # type: ignore[arg-type] # plain values
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_page_holds_every_file_that_a_city_needs(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {f"{kind}.yaml" for kind in FileKind} | {"followup.yaml"}


async def test_the_second_city_explains_where_a_request_goes(haibin: Story) -> None:
    found = await explained(haibin, category="food_supplies", area="haibin/hill")
    assert (found["organisation"], found["rule"], found["given_to"]) == ("hill-office", "town", "hill-office")
    trail = found["trail"]
    assert isinstance(trail, list)
    assert [(one["rule"], one["decides"]) for one in trail] == [("clinic", False), ("journeys", False), ("town", True)]
    harbour = await explained(haibin, category="food_supplies", area="haibin/harbour", confidence=0.5)
    assert (harbour["liaison"], harbour["chosen_because"]) == (
        "harbour-office.day",
        "the only one on duty named for haibin/harbour: 0 open tasks",
    )
    between = await explained(haibin, category="food_supplies", area="haibin", confidence=0.5)
    assert (between["organisation"], between["rule"]) == ("duty-office", "backstop")
    unknown = await explained(haibin, category="food_supplies")
    assert (unknown["organisation"], unknown["rule"]) == ("duty-office", "backstop")
    journey = await explained(
        haibin, category="medical", need="transport", area="haibin/harbour", deadline="2026-03-03T00:00:00Z"
    )
    assert journey["playbook"] == "dose-with-a-journey"
    assert journey["helpers"] == [
        {"organisation": "drivers", "rule": "playbook:dose-with-a-journey:vehicle", "step": "vehicle",
         "after": ["appointment"]}
    ]  # fmt: skip


async def test_nobody_but_oversight_and_handlers_may_ask(haibin: Story) -> None:
    async with haibin.harness.client(Principal(kind=Kind.ANONYMOUS, id="anonymous")) as client:
        assert (await client.get("/v1/routing?category=medical")).status_code == 403
        assert (await client.get("/v1/routing/accuracy")).status_code == 403


async def test_the_second_city_handles_its_first_request_by_its_playbook(haibin: Story) -> None:
    deadline: datetime = START + timedelta(days=1)
    request_id = await haibin.file(
        triaged(Colour.RED, Category.MEDICAL, needs=("transport",), deadline=deadline), "haibin/harbour"
    )
    [lead] = await haibin.tasks(request_id=request_id)
    lead = await haibin.done(CLINIC, lead, "accept")
    lead = await haibin.done(CLINIC, lead, "confirm", happens_at=deadline.isoformat())
    [vehicle] = await haibin.tasks(DRIVERS, request_id=request_id)
    vehicle = await haibin.done(DRIVERS, vehicle, "accept")
    await haibin.done(DRIVERS, vehicle, "confirm")
    lead = await haibin.done(CLINIC, lead, "answer", text="All settled.")
    assert lead["status"] == "answered"
    assert len(await haibin.stated(request_id, r.RequestAnswered)) == 1
    async with haibin.harness.client(OPERATOR) as client:
        right = (await client.get("/v1/routing/accuracy")).json()
    assert (right["n"], right["of"], right["share"]) == (1, 1, 1.0)


async def test_a_liaison_in_an_office_that_is_closed_at_night_has_somebody_above_him(haibin: Story) -> None:
    await haibin.harness.turn(to=START.replace(hour=20))  # 04:00 in the city
    request_id = await haibin.file(triaged(Colour.YELLOW, Category.FOOD_SUPPLIES), "haibin/harbour")
    [task] = await haibin.tasks(request_id=request_id)
    assert (task["organisation"], task["liaison"]) == ("harbour-office", "harbour-office.head")
