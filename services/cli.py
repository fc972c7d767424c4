"""`heed`: arguments in, text out. Run the system, follow its events, decide on what is parked, manage tokens."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import click
import pydantic
import uvloop

from services.client import Remote, tail_events
from services.gateway.routes import GATEWAY
from services.gateway.routes import SERVICES as INSIDE
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


LATE = ("apply", "bulletin", "draw", "drill", "export", "retrospective", "simulate", "triage", "verify")


class Main(click.Group):
    """Loads what a command needs when it is called: all of it together would take seconds at each call of any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all, by the alphabet."""
        return sorted([*super().list_commands(ctx), *LATE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        return _load(cmd_name) if cmd_name in LATE else super().get_command(ctx, cmd_name)


def _load(name: str) -> click.Command:
    module: ModuleType
    match name:
        case "apply" | "drill" | "export":
            from services import directory_cli

            module = directory_cli
        case "draw" | "retrospective":
            from services import lookback_cli

            module = lookback_cli
        case "bulletin":
            from services import bulletin_cli

            module = bulletin_cli
        case "simulate":
            from services import simulation_cli

            module = simulation_cli
        case "triage":
            from services import triage_cli

            module = triage_cli
        case _:
            from services.verify import command

            module = command
    found: click.Command = getattr(module, name)
    return found


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Heed: every call for help gets an answer."""


@main.command()
@click.option("--port", type=int, help="Port to listen on (HEED_PORT).")
@click.option("--var", type=click.Path(path_type=Path), help="Folder for all state (HEED_VAR).")
def run(port: int | None, var: Path | None) -> None:
    """Run everything in one process, with a PostgreSQL of its own unless HEED_POSTGRES names one."""
    from services import standalone

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
    from services import standalone

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
    from services import installation

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
    from services import installation

    try:
        for path in installation.write_secrets(folder, server):
            click.echo(path)
    except installation.NotAsWritten as wrong:
        raise click.ClickException(str(wrong)) from wrong


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def databases(folder: Path) -> None:
    """Make the role and the database of each service, as FOLDER names them, on the server HEED_POSTGRES."""
    from services import installation

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
@click.option("--port", type=int, help="Port to listen on (HEED_PORT).")
@click.option("--var", type=click.Path(path_type=Path), help="Folder for all state (HEED_VAR).")
@click.option("--brokers", type=click.Choice(["1", "3"]), default="3", help="How many brokers.")
@click.option("--replicas", type=click.IntRange(1, 8), default=2, help="How many replicas of each service.")
def cluster(port: int | None, var: Path | None, brokers: str, replicas: int) -> None:
    """Run everything as a city does, on this machine: Kafka, PostgreSQL, two replicas of each service."""
    from services.cluster import run as of_cluster

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
    from services.cluster import run as of_cluster
    from services.cluster.kafka import fetch_jars

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
    from services.cluster.status import read_states, table

    remote = Remote.from_environment()
    states = asyncio.run(read_states(Settings().var, remote.base_url))
    click.echo(table(states))
    sys.exit(0 if all(state.is_ready for state in states) else 1)


@main.command()
def demo() -> None:
    """Play 333 requests through a throwaway system, on a clock that runs fast."""
    from services.demo import play

    sys.exit(asyncio.run(play()))
