"""`heed`: arguments in, text out. Run the system, follow its events, decide on what is parked, manage tokens."""

import asyncio
import dataclasses
import sys
from collections.abc import Coroutine, Iterable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast
from urllib.parse import quote, urlencode
from uuid import UUID

import click
import pydantic
import uvloop

from dispatch.capacity import Row, enough_of, find_enough, try_out, with_a_third_silent
from dispatch.chart import answer, assumptions, legend, page, table
from dispatch.clocks import ClockPolicy
from dispatch.files import FileKind, parse
from dispatch.scenario import SCENARIOS
from services.bulletin_cli import bulletin
from services.client import Remote, tail_events
from services.directory_cli import apply, drill, export
from services.gateway.routes import GATEWAY
from services.gateway.routes import SERVICES as INSIDE
from services.lookback_cli import draw, retrospective
from services.triage_cli import triage
from services.verify.command import verify
from shared.contracts.vocabulary import Category, Colour
from shared.settings import SettingMissing, Settings, required
from shared.telemetry import configure_logs

SERVICES = (*INSIDE, GATEWAY)


def read_settings(**given: Any) -> Settings:
    """The settings from environment and options; ends the program with a sentence where they are wrong."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except pydantic.ValidationError as wrong:
        lines = [f"HEED_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in wrong.errors()]
        raise click.ClickException("\n".join(lines)) from wrong
    configure_logs(settings.log_level)
    return settings


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Run it; a setting that is missing ends the program with a sentence."""
    try:
        uvloop.run(work)
    except (SettingMissing, OSError) as failed:
        raise click.ClickException(str(failed)) from failed


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Heed: every call for help gets an answer."""


main.add_command(triage)
main.add_command(draw)
main.add_command(retrospective)
main.add_command(verify)
main.add_command(bulletin)
main.add_command(apply)
main.add_command(export)
main.add_command(drill)


@main.command()
@click.option("--port", type=int, help="Port to listen on (HEED_PORT).")
@click.option("--var", type=click.Path(path_type=Path), help="Folder for all state (HEED_VAR).")
def run(port: int | None, var: Path | None) -> None:
    """Run everything in one process, with a PostgreSQL of its own unless HEED_POSTGRES names one."""
    from services import standalone  # noqa: PLC0415 every service comes with it, which no call to a running Heed needs

    settings = read_settings(port=port, var=var)

    async def ready(url: str) -> None:
        click.echo(f"Heed answers at {url} - its calls are described at {url}/docs")
        click.echo(f"Tokens to act as each are in {settings.var / 'credentials.json'}. Stop with Ctrl-C.")

    run_to_end(standalone.serve(settings, ready))


@main.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option("--port", type=int, help="Port to listen on (HEED_PORT).")
def serve(service: str, port: int | None) -> None:
    """Run one service in a process of its own; HEED_DATABASE, HEED_BUS and the secrets must be set."""
    from services import standalone  # noqa: PLC0415 as above

    settings = read_settings(port=port)

    async def ready(url: str) -> None:
        click.echo(f"{service} answers at {url}")

    run_to_end(standalone.serve_one(service, settings, ready))


@main.command()
@click.option("--topic", multiple=True, help="Only these topics; may be given several times.")
@click.option("--type", "types", multiple=True, help="Only these event types; may be given several times.")
@click.option("--request", help="Only events about the request with this id.")
@click.option("--from", "start", default="latest", help="beginning, latest, a time (RFC 3339) or an event's position.")
def tail(topic: tuple[str, ...], types: tuple[str, ...], request: str | None, start: str) -> None:
    """Follow the events, one JSON line each; goes on where it was when the connection breaks."""
    wanted: dict[str, Any] = {"topic": list(topic), "types": list(types), "request": request, "from": start}

    async def follow() -> None:
        async for event in tail_events(Remote.from_environment(), wanted):
            click.echo(event)

    run_to_end(follow())


@main.group()
def parked() -> None:
    """Events that a service could not handle: list them, handle them again, or leave them out."""


@parked.command("list")
def list_parked() -> None:
    """What is parked, service by service."""
    remote = Remote.from_environment()
    for service in SERVICES:
        for item in remote.get(f"/v1/parked/{service}")["items"]:
            behind = "behind it" if item["behind"] else item["error"]
            click.echo(f"{service}  {item['event_id']}  {item['type']}  {item['subject']}  {behind}")


@parked.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("event_id", type=UUID)
def retry(service: str, event_id: UUID) -> None:
    """Handle a parked event, and those behind it, again."""
    Remote.from_environment().post(f"/v1/parked/{service}/{event_id}/retry")
    click.echo("handled")


@parked.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("event_id", type=UUID)
def drop(service: str, event_id: UUID) -> None:
    """Leave a parked event out, and handle those behind it."""
    Remote.from_environment().post(f"/v1/parked/{service}/{event_id}/drop")
    click.echo("left out")


@main.command("lost-contacts")
def lost_contacts() -> None:
    """Requests whose contact went with a database that had to be restored: to be looked for in their texts."""
    remote, page = Remote.from_environment(), "/v1/alarms?kind=contact_lost&limit=200"
    cursor: str | None = ""
    while cursor is not None:
        found = remote.get(f"{page}&cursor={quote(cursor)}" if cursor else page)
        for alarm in found["items"]:
            click.echo(f"{alarm['subject']}  missed since {alarm['raised_at']}")
        cursor = found["next_cursor"]


@main.group()
def token() -> None:
    """Keys of staff, partners and services: issue, list, revoke. A supervisor's work."""


KINDS = ("operator", "supervisor", "inspector", "grid_worker", "liaison", "deputy", "partner", "service")


@token.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--id", "name", help="A name for whom it is, without personal data.")
@click.option("--organisation", help="For a liaison, deputy or partner: whose tasks are theirs.")
@click.option("--area", help="For a grid worker: the area.")
@click.option("--right", "rights", multiple=True, help="A right beyond the kind's, such as import.")
def issue(kind: str, name: str | None, organisation: str | None, area: str | None, rights: tuple[str, ...]) -> None:
    """Issue a key and print it, this once."""
    wanted = {"kind": kind, "id": name, "organisation": organisation, "area": area, "rights": list(rights)}
    click.echo(Remote.from_environment("supervisor").post("/v1/tokens", wanted)["token"])


@token.command()
def first() -> None:
    """Issue a supervisor's key where none has one, by the gateway's HEED_DATABASE, and print it, this once."""
    from services import installation  # noqa: PLC0415 no call to a running Heed needs it

    settings = read_settings()

    async def issue_first() -> None:
        click.echo(await installation.issue_first_key(settings))

    run_to_end(issue_first())


@token.command("list")
def list_tokens() -> None:
    """All keys that were ever issued."""
    for key in Remote.from_environment("supervisor").get("/v1/tokens")["items"]:
        state = "revoked" if key["revoked_at"] else "in force"
        click.echo(f"{key['key_id']}  {key['kind']}  {key['id']}  {state}")


@token.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Take a key out of force; the key id stands in `heed token list`."""
    Remote.from_environment("supervisor").delete(f"/v1/tokens/{key_id}")
    click.echo("revoked")


@main.command("secrets")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--postgres", "server", default="postgres:5432", show_default=True, help="Where the databases will be.")
def write_secrets(folder: Path, server: str) -> None:
    """Write the secrets that services of their own need into a folder for each; what is there stays."""
    from services import installation  # noqa: PLC0415 no call to a running Heed needs it

    try:
        for path in installation.write_secrets(folder, server):
            click.echo(path)
    except installation.NotAsWritten as wrong:
        raise click.ClickException(str(wrong)) from wrong


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def databases(folder: Path) -> None:
    """Make the role and the database of each service, as FOLDER names them, on the server HEED_POSTGRES."""
    from services import installation  # noqa: PLC0415 no call to a running Heed needs it

    settings = read_settings()

    async def make() -> None:
        for name in await installation.make_databases(required(settings.postgres, "postgres"), folder):
            click.echo(name)

    run_to_end(make())


@main.group()
def route() -> None:
    """Routing: whose a request is, and why."""


@route.command()
@click.option("--category", type=click.Choice([one.value for one in Category]), required=True)
@click.option("--colour", type=click.Choice([one.value for one in Colour]), default="yellow", show_default=True)
@click.option("--area", help="Id of the area, pinghu/dushangang/huxiao/06.")
@click.option(
    "--need", multiple=True, help="What it needs beside its lead, such as transport; may stand several times."
)
@click.option("--deadline", help="By when help is needed (RFC 3339).")
@click.option("--confidence", type=click.FloatRange(0, 1), help="How sure the area is; 1 where it was stated.")
def explain(need: tuple[str, ...], **asked: str | float | None) -> None:
    """Say where such a request would go now, to whom there, and why: every rule that was looked at."""
    given = {name: value for name, value in asked.items() if value is not None}
    wanted = urlencode({**given, "need": list(need)}, doseq=True)
    found = Remote.from_environment().get(f"/v1/routing?{wanted}")
    for looked in found["trail"]:
        click.echo(f"{'=>' if looked['decides'] else '  '} {looked['rule']}: {looked['reason']}")
    click.echo(f"place:   {found['place'] or 'not known'}")
    click.echo(f"leads:   {found['organisation']}, given to {found['liaison'] or 'nobody yet'} of {found['given_to']}")
    over = f"; passed over, at capacity: {', '.join(found['passed_over'])}" if found["passed_over"] else ""
    click.echo(f"because: {found['chosen_because']}{over}")
    for helper in found["helpers"]:
        after = f", after {', '.join(helper['after'])}" if helper["after"] else ""
        click.echo(f"assists: {helper['organisation']} ({helper['rule']}{after})")
    click.echo(f"policy:  {found['policy_version']}")


@main.command()
@click.option("--scenario", "name", type=click.Choice(sorted(SCENARIOS)), default="lockdown", show_default=True)
@click.option("--load", type=click.FloatRange(0.01, 100), default=1.0, show_default=True, help="Times the requests.")
@click.option("--liaisons", type=click.IntRange(1, 2000), help="On duty at any moment, to begin with.")
@click.option("--silent", type=click.FloatRange(0, 1), help="The share of liaisons who never act.")
@click.option(
    "--wanted", type=click.FloatRange(0.01, 1), default=0.95, show_default=True, help="Share answered in time."
)
@click.option("--once", is_flag=True, help="Only this one run; do not look for how many would be enough.")
@click.option("--clocks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The city's clocks.yaml.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with charts.")
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="Refine no longer than this.")
def simulate(name: str, load: float, wanted: float, once: bool, html: Path | None, seconds: int, **more: Any) -> None:
    """Try a city on a virtual clock, with the real model: how many liaisons does a load take, where does it break?"""
    given = {field: more[field] for field in ("liaisons", "silent") if more[field] is not None}
    scenario = dataclasses.replace(SCENARIOS[name].at_load(load), **given)
    file = more["clocks"] or read_settings().city_dir / "clocks.yaml"
    clocks = cast("ClockPolicy", parse(FileKind.CLOCKS, file.read_text(encoding="utf-8")))
    began = perf_counter()
    half, whole = (partial(_is_before, began + share * seconds) for share in (0.5, 1))
    rows = _shown_as_they_come([try_out(scenario, clocks)] if once else find_enough(scenario, clocks, wanted, half))
    enough = None if once or more["silent"] is not None else enough_of(rows, wanted)
    silent = _shown_as_they_come(with_a_third_silent(enough, clocks, wanted, whole)) if enough else []
    took = perf_counter() - began
    said = answer(rows, wanted, silent)
    hours = sum(len(row.backlog) for row in (*rows, *silent))
    click.echo(f"{table([*rows, *silent])}\n{legend(scenario)}\n\n{said}")
    click.echo(f"{hours} hours of the city in {took:.0f} s, {hours * 3600 / took:,.0f} times faster than life.")
    if html is not None:
        title = f"Heed: {name}, {load:g} times the load"
        html.write_text(page(title, said, [*rows, *silent], assumptions(scenario), wanted), encoding="utf-8")
        click.echo(f"Charts: {html}")


def _is_before(moment: float) -> bool:
    return perf_counter() < moment


def _shown_as_they_come(found: Iterable[Row]) -> list[Row]:
    """The rows by how many are on duty; each is told of when it is there."""
    rows = []
    for row in found:
        rows.append(row)
        said = "too few in time" if row.cut_short else f"{row.on_time_share:.1%} in time"
        click.echo(f"{row.liaisons} on duty, {row.scenario.silent:.0%} never act: {said}", err=True)
    return sorted(rows, key=lambda row: row.liaisons)


@main.command()
@click.option("--port", type=int, help="Port to listen on (HEED_PORT).")
@click.option("--var", type=click.Path(path_type=Path), help="Folder for all state (HEED_VAR).")
@click.option("--brokers", type=click.Choice(["1", "3"]), default="3", help="How many brokers.")
@click.option("--replicas", type=click.IntRange(1, 8), default=2, help="How many replicas of each service.")
def cluster(port: int | None, var: Path | None, brokers: str, replicas: int) -> None:
    """Run everything as a city does, on this machine: Kafka, PostgreSQL, two replicas of each service."""
    from services.cluster import run as of_cluster  # noqa: PLC0415 no other command needs it

    settings = read_settings(port=port, var=var)

    async def ready(running: of_cluster.Cluster) -> None:
        click.echo(f"Heed answers at {running.base_url} - its calls are described at {running.base_url}/docs")
        click.echo(f"The bus is at {running.brokers.url}. What runs: heed status. Logs: {settings.var / 'logs'}")
        click.echo(f"Tokens to act as each are in {settings.var / 'credentials.json'}. Stop with Ctrl-C.")

    run_to_end(of_cluster.run(settings, ready, int(brokers), replicas))


@main.command()
@click.option("--brokers", type=click.Choice(["1", "3"]), default="1", help="How many brokers.")
@click.option("--var", type=click.Path(path_type=Path), help="Folder for all state (HEED_VAR).")
@click.option("--fetch", is_flag=True, help="Only fetch its jars, by Maven.")
def kafka(brokers: str, var: Path | None, fetch: bool) -> None:
    """Run Kafka alone on this machine, until Ctrl-C."""
    from services.cluster import run as of_cluster  # noqa: PLC0415 no other command needs it
    from services.cluster.kafka import fetch_jars  # noqa: PLC0415

    settings = read_settings(var=var)
    if fetch:
        run_to_end(fetch_jars())
        return

    async def ready(url: str) -> None:
        click.echo(f"Kafka answers. HEED_BUS={url}")

    run_to_end(of_cluster.run_brokers(settings.var / "kafka", int(brokers), ready))


@main.command()
def status() -> None:
    """Show what runs: readiness, partitions, lag, outbox depth, parked events, oldest open timer."""
    from services.cluster.status import read_states, table  # noqa: PLC0415 no other command needs it

    remote = Remote.from_environment()
    states = asyncio.run(read_states(Settings().var, remote.base_url))
    click.echo(table(states))
    sys.exit(0 if all(state.is_ready for state in states) else 1)


@main.command()
def demo() -> None:
    """Play 333 requests through a throwaway system, on a clock that runs fast."""
    from services.demo import play  # noqa: PLC0415 it brings the sample with it, which no other command needs

    sys.exit(asyncio.run(play()))
