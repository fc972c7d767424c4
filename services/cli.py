"""`heed`: arguments in, text out. Run the system, follow its events, decide on what is parked, manage tokens."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pydantic
import uvloop

from services import standalone
from services.client import Remote, tail_events
from services.triage_cli import apply_policy, triage
from shared.settings import SettingMissing, Settings
from shared.telemetry import configure_logs

SERVICES = standalone.NAMES


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


@main.command()
@click.option("--port", type=int, help="Port to listen on (HEED_PORT).")
@click.option("--var", type=click.Path(path_type=Path), help="Folder for all state (HEED_VAR).")
def run(port: int | None, var: Path | None) -> None:
    """Run everything in one process, with a PostgreSQL of its own unless HEED_POSTGRES names one."""
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


@main.command()
@click.argument("kind", type=click.Choice(["directory", "areas", "routing", "clocks", "triage"]))
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the difference only.")
def apply(kind: str, file: Path, dry_run: bool) -> None:
    """Check a file of the city, or the folder of a triage policy, show what it changes, and bring it into force."""
    if file.is_dir() != (kind == "triage"):
        raise click.ClickException("A triage policy is a folder of files; everything else is one file.")
    if kind == "triage":
        answer = apply_policy(file, dry_run)
    else:
        content = {"kind": kind, "content": file.read_text(), "dry_run": dry_run}
        answer = Remote.from_environment().post("/v1/directory", content)
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))


@main.command()
def demo() -> None:
    """Play 333 requests through a throwaway system, on a clock that runs fast."""
    from services.demo import play  # noqa: PLC0415 it brings the sample with it, which no other command needs

    sys.exit(asyncio.run(play()))
