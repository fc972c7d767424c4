"""`heed apply`, `heed export`, `heed drill`: the city's files in and out, and who in the directory can be reached."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from services.client import Remote
from services.triage_cli import apply_policy

KINDS = ("directory", "areas", "routing", "clocks")
LONGEST_SHOWN = 160  # characters of one value


@click.command()
@click.argument("kind", type=click.Choice([*KINDS, "triage"]))
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the difference only.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def apply(kind: str, file: Path, dry_run: bool, as_json: bool) -> None:
    """Check a file of the city, or the folder of a triage policy, show what it changes, and bring it into force."""
    if file.is_dir() != (kind == "triage"):
        raise click.ClickException("A triage policy is a folder of files; everything else is one file.")
    if kind == "triage":
        answer = apply_policy(file, dry_run)
    else:
        content = {"kind": kind, "content": file.read_text("utf-8"), "dry_run": dry_run}
        answer = Remote.from_environment().post("/v1/directory", content)
    if as_json or kind == "triage":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_difference(answer)))


def _difference(applied: dict[str, Any]) -> Iterator[str]:
    """What a file changes, a line for each entry and each value."""
    for change in applied["changes"]:
        yield f"{change['change']:8} {change['kind']} {change['id']}"
        for value in change["values"]:
            yield f"           {value['at']}: {_value(value['before'])} -> {_value(value['after'])}"
    count = len(applied["changes"])
    outcome = "nothing differs" if not count else f"{count} to change" if applied["dry_run"] else f"{count} changed"
    yield f"{applied['kind']} {applied['version']}: {outcome}"


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} …"


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
def export(kind: str, output: Path | None) -> None:
    """Write a file of the city as it is in force, single edits included; `heed apply` takes it."""
    text = Remote.from_environment().text(f"/v1/directory/{kind}")
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise click.ClickException(f"{output} cannot be written: {refused.strerror}.") from refused
    click.echo(f"{kind}: {output}")


@click.group()
def drill() -> None:
    """Reachability drills: everybody in the directory is asked, and it is known who did not answer."""


@drill.command()
@click.option("--minutes", type=click.IntRange(1, 10_080), help="Time to answer; else as the city's clocks say.")
def begin(minutes: int | None) -> None:
    """Ask everybody now."""
    begun = Remote.from_environment().post("/v1/drills", {"answer_minutes": minutes})
    click.echo(f"{begun['id']}  {begun['asked']} people are asked, until {begun['answer_by']}")


@drill.command()
@click.argument("drill_id")
@click.argument("liaison")
def reached(drill_id: str, liaison: str) -> None:
    """Note that you have reached LIAISON yourself, by phone."""
    Remote.from_environment().post(f"/v1/drills/{quote(drill_id)}/answer", {"liaison": liaison})
    click.echo("noted")


@drill.command("list")
def list_drills() -> None:
    """The last drills, the newest first."""
    for one in Remote.from_environment().get("/v1/drills")["items"]:
        click.echo(f"{one['id']}  {one['asked_at']}  {_in_numbers(one)}")


@drill.command()
@click.argument("drill_id", required=False)
def show(drill_id: str | None) -> None:
    """Who answered and who did not, by organisation; of the last drill where none is named."""
    remote = Remote.from_environment()
    if drill_id is None:
        last = remote.get("/v1/drills?limit=1")["items"]
        if not last:
            raise click.ClickException("There was no drill yet. Begin one: heed drill begin")
        drill_id = last[0]["id"]
    click.echo("\n".join(_report(remote.get(f"/v1/drills/{quote(drill_id)}"))))


def _in_numbers(shown: dict[str, Any]) -> str:
    state = "closed" if shown["closed_at"] else f"open until {shown['answer_by']}"
    return f"{shown['answered']} of {shown['asked']} answered, {shown['missing']} missing, {state}"


def _report(shown: dict[str, Any]) -> Iterator[str]:
    yield f"{shown['id']}  {shown['asked_at']}  {_in_numbers(shown)}"
    for one in shown["organisations"]:
        half = "" if one["median_seconds"] is None else f", half of them within {one['median_seconds'] / 60:.0f} min"
        yield f"{one['organisation']}: {one['answered']} of {one['asked']}{half}"
        for person in one["people"]:
            after = "" if person["seconds"] is None else f" after {person['seconds'] / 60:.0f} min"
            yield f"  {person['state']:9} {person['liaison']} ({person['post']}){after}"
