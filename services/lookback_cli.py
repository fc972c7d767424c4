"""`heed draw` and `heed retrospective`: look-back's draw, drawn again by anybody; what went wrong in a period."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, urlencode

import click
from pydantic import TypeAdapter

from followup.plan import LookBack
from followup.sampling import Lot, commitment, redraw
from services.client import Remote

LOTS = TypeAdapter(list[Lot])
SHOWN = 3
"""Of a problem's requests, so many are printed."""


@click.group()
def draw() -> None:
    """The draws of look-back: each seed is committed to before its period, and published after it."""


@draw.command("list")
def list_draws() -> None:
    """The latest periods, with their commitments, and the seeds that are published."""
    for period in Remote.from_environment("inspector").get("/v1/draws")["items"]:
        click.echo(
            f"{period['period']}  {period['days']} days  {period['commitment']}  {period['seed'] or 'secret yet'}"
        )


@draw.command()
@click.argument("period", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--commitment", "promised", help="As you noted it before the period; else as the service tells it.")
def check(period: datetime, promised: str | None) -> None:
    """Draw once more for PERIOD (its first day) and compare; ends with an error where anything differs."""
    remote, day = Remote.from_environment("inspector"), period.date()
    told = _period(remote, day)
    seed = bytes.fromhex(told["seed"])
    if commitment(seed) != (promised or told["commitment"]):
        raise click.ClickException("The seed is not the one that was committed to.")
    lots = LOTS.validate_python([lot | {"period": day} for lot in _lots(remote, day)])
    plan, closed_at = LookBack.model_validate(told["plan"]), datetime.fromisoformat(told["closed_at"])
    wrong = list(redraw(lots, seed, plan, closed_at))
    for kept, again in wrong:
        click.echo(f"{kept.request_id}  kept: {_in_short(kept)}, drawn again: {_in_short(again)}")
    if wrong:
        raise click.ClickException(f"{len(wrong)} of {len(lots)} lots differ.")
    drawn = sum(1 for lot in lots if lot.reason is not None)
    click.echo(f"The seed is the one committed to; {len(lots)} lots drawn again, {drawn} drawn, no difference.")


def _period(remote: Remote, day: date) -> dict[str, Any]:
    found = remote.get("/v1/draws?limit=200")["items"]
    for told in found:
        if told["period"] == day.isoformat():
            if told["seed"] is None:
                raise click.ClickException("The seed of this period is not published yet: its call-backs are not over.")
            return dict(told)
    raise click.ClickException("No such period: `heed draw list` names them.")


def _lots(remote: Remote, day: date) -> Iterator[dict[str, Any]]:
    """Every lot of the period, page by page."""
    cursor: str | None = ""
    while cursor is not None:
        page = remote.get(f"/v1/draws/{day}/lots" + (f"?cursor={quote(cursor)}" if cursor else ""))
        yield from page["items"]
        cursor = page["next_cursor"]


def _in_short(lot: Lot) -> str:
    return f"{lot.number:.6f} {lot.reason or 'not drawn'}"


@click.command()
@click.option("--from", "begin", required=True, help="Of requests received from here on (RFC 3339).")
@click.option("--to", "end", required=True, help="Received before this (RFC 3339).")
def retrospective(begin: str, end: str) -> None:
    """What went wrong in a period, grouped, with the requests, and how far what was learnt before has come."""
    asked = urlencode({"from": begin, "to": end})
    found = Remote.from_environment("supervisor").get(f"/v1/retrospective?{asked}")
    for problem in found["problems"]:
        where = " ".join(filter(None, (problem["stage"], problem["organisation"])))
        some = ", ".join(problem["requests"][:SHOWN]) + (" …" if len(problem["requests"]) > SHOWN else "")
        given = f"  handed out: {len(problem['improvements'])}" if problem["improvements"] else ""
        click.echo(f"{problem['count']:5}  {problem['kind']} {where}{given}\n       {some}")
    if found["improvements"]:
        click.echo("improvements:")
    for held in found["improvements"]:
        what = " ".join(filter(None, (held["problem"], held["stage"], held["organisation"])))
        click.echo(f"  {held['state']:8} {what}, {held['holder']}, due {held['due_at']}")
    if not found["problems"]:
        click.echo("Nothing went wrong that the log tells of.")
