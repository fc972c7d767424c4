"""Plays the demo: starts a throwaway system, lets the city's people act, shows what happens, and counts at the end."""

import asyncio
import json
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import yaml

from services import standalone, verify
from services.client import Remote, tail_events
from services.demo import account, desk, show
from services.demo.agenda import Agenda
from services.demo.city import Case, City, Telephone
from services.demo.filers import plan_filings
from services.demo.ledger import Ledger, read_event
from services.demo.liaisons import Handlers, first_serving, read_services
from services.demo.pace import PacedClock, keep_pace
from services.demo.residents import plan_rating
from services.demo.script import CLOSING, OPENING, STORY, Filing, read_filings
from shared.contracts import operations
from shared.contracts import requests as r
from shared.contracts.vocabulary import Role
from shared.settings import ROOT, Settings
from shared.telemetry import configure_logs

SAMPLE = ROOT / "deploy" / "sample"
START_RATE = 2.0
"""While the system starts; not 1, with which the clock would follow the database's."""
START_MINUTES = 2
SHOW_SECONDS = 2.0
SEAL_SECONDS = 5.0
PLENTY = 1_000_000
STOPPED = 130


async def play() -> int:
    """Play the demo; the process's exit code."""
    configure_logs("critical")
    click.echo("Starting a throwaway Heed: its own PostgreSQL, its own folder, a free port.")
    clock = PacedClock(START_RATE, OPENING - timedelta(minutes=START_MINUTES))
    with tempfile.TemporaryDirectory(prefix="heed-demo-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, PostgreSQL runs as an account that must be able to pass through
        async with system(folder, clock) as (url, stop):
            playing = asyncio.create_task(_play_city(url, folder, clock))
            await _first(playing, asyncio.create_task(stop.wait()))
            if not playing.done():
                await _cancel(playing)
                click.echo("Stopped.")
                return STOPPED
            return playing.result()


@asynccontextmanager
async def system(folder: Path, clock: PacedClock) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A standalone Heed with all its state in `folder`: its address, and an event that is set by Ctrl-C."""
    settings = Settings(
        var=folder, port=0, city_dir=SAMPLE, dangerous_clock_rate=START_RATE, seal_seconds=SEAL_SECONDS,
        anonymous_calls_per_minute=PLENTY, resident_calls_per_minute=PLENTY, named_calls_per_minute=PLENTY,
    )  # fmt: skip
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    address: asyncio.Future[str] = loop.create_future()

    async def ready(url: str) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # instead of the server's: people stop before it does
            loop.add_signal_handler(number, stop.set)
        address.set_result(url)

    served = asyncio.create_task(standalone.serve(settings, ready, clock))
    try:
        await _first(served, address)
        if served.done():
            served.result()
        yield await address, stop
    finally:
        await _cancel(served)


async def _first(*waiting: asyncio.Future[Any]) -> None:
    """Return when the first of them is done."""
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel it, and wait until it has tidied up."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _play_city(url: str, folder: Path, clock: PacedClock) -> int:
    tokens: dict[str, str] = json.loads((folder / "credentials.json").read_text())["tokens"]
    telephone = Telephone(url, tokens)
    remote = Remote(url, tokens["operator"])
    filings = read_filings(SAMPLE / "requests.jsonl")
    sound = [filing for filing in filings if not filing.malformed]
    try:
        city = _people(clock, telephone)
        time = asyncio.get_running_loop().time
        began = time()
        await _live(city, filings, remote)
        real_seconds = time() - began
        clock.set_rate(START_RATE)
        found = await account.draw_up(city, len(sound), remote)
        show.stages(city.ledger, real_seconds)
        await _tell(city, len(filings) - len(sound))
        click.echo("\nThe bulletin, to be opened in a browser:")
        for written in await asyncio.to_thread(write_bulletins, remote, Settings().var / "demo"):
            click.echo(f"  {written.resolve()}")
    finally:
        await telephone.close()
    account.show(found)
    verified = await verify.verify_over_api(remote, clock.now, SAMPLE)
    verify.show(verified)
    return 0 if found.is_complete and verified.is_green else 1


def _people(clock: PacedClock, telephone: Telephone) -> City:
    """Everybody, and what each does when he hears of something."""
    directory: dict[str, Any] = yaml.safe_load((SAMPLE / "directory.yaml").read_text(encoding="utf-8"))
    serves = read_services(directory)
    city = City(clock, Agenda(clock), telephone, Ledger())
    handlers = Handlers(city, serves, first_serving(serves))

    def react(case: Case, fact: r.RequestFact) -> None:
        match fact:
            case r.RequestTriaged():
                desk.on_triaged(city, case, fact)
            case r.TaskAssigned():
                handlers.on_assigned(case, fact)
            case r.TaskAccepted():
                handlers.on_accepted(case, fact)
            case r.RequestAnswered():
                handlers.on_answered(case, fact)
                if fact.fulfil_by is None:
                    plan_rating(city, case)
            case r.TaskFulfilled(role=Role.LEAD):
                plan_rating(city, case)
            case _:
                pass

    city.react = react
    return city


async def _live(city: City, filings: list[Filing], remote: Remote) -> None:
    """Two and a half days."""
    plan_filings(city, filings)
    desk.plan_call_backs(city)
    loops = [city.agenda.run(), _follow(city, remote), _report(city), _pace(city)]
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        await _first(*tasks)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(city: City, remote: Remote) -> None:
    """Read the operators' tail, so that people hear what concerns them."""
    wanted = {"topic": [r.TOPIC, operations.TOPIC], "from": "beginning"}
    async for data in tail_events(remote, wanted):
        if event := read_event(data):
            city.hear(event)


async def _pace(city: City) -> None:
    await keep_pace(city.clock, city.lag, lambda: city.ledger.is_tense(city.clock.now()), CLOSING)


async def _report(city: City) -> None:
    show.heading()
    while True:
        show.progress(city)
        await city.clock.pause(SHOW_SECONDS)


async def _tell(city: City, malformed: int) -> None:
    """Everything that is worth knowing at the end, but for the account."""
    show.deeds(city, malformed)
    show.refusals(city)
    story = city.by_name[STORY]
    path = f"/v1/requests/{story.request_id}"
    shown = await city.telephone.call("operator", "GET", path)
    show.story(shown.body)
    figures = await city.telephone.call("operator", "GET", "/v1/figures")
    show.figures(figures.body)
    show.troubles(city)


def write_bulletins(remote: Remote, folder: Path) -> list[Path]:
    """Write the bulletin in both languages; it stays when the throwaway system is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {lang: folder / f"bulletin.{lang}.html" for lang in ("zh", "en")}
    for lang, path in pages.items():
        path.write_text(remote.text(f"/v1/bulletin?format=html&lang={lang}"), encoding="utf-8")
    return list(pages.values())
