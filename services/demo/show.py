"""What the demo prints: a line while the city lives, and at the end figures, the story, and the account."""

from datetime import datetime
from statistics import quantiles
from typing import Any

import click

from services.demo.city import City
from services.demo.ledger import Ledger
from services.demo.script import CLOSING, OPENING
from shared.contracts import requests as r
from shared.contracts.vocabulary import Status

TROUBLES_SHOWN = 20
CITY_ZONE = OPENING.tzinfo
RATES = ("admitted", "effective_answer", "on_time", "response", "solved", "satisfaction")
HEADINGS = ("in the city", "received", "triaged", "assigned", "answered", "closed", "overdue", "nudges")
WIDTHS = (16, *(max(8, len(heading)) for heading in HEADINGS[1:]))


def when(at: datetime) -> str:
    """A time for people, on the city's clocks."""
    return f"{at.astimezone(CITY_ZONE):%a %d %b %H:%M}"


def heading() -> None:
    """What the columns of `progress` mean."""
    click.echo("  ".join(word.rjust(width) for word, width in zip(HEADINGS, WIDTHS, strict=True)))


def progress(city: City) -> None:
    """One line on how it stands."""
    ledger = city.ledger
    stages = [len(ledger.stages[stage]) for stage in (Status.TRIAGED, Status.ASSIGNED, Status.ANSWERED)]
    closed = ledger.statuses()[Status.CLOSED]
    numbers = [len(ledger.lives), *stages, closed, len(ledger.late), ledger.counts[r.TaskNudged]]
    words = [when(city.clock.now()), *map(str, numbers)]
    click.echo("  ".join(word.rjust(width) for word, width in zip(words, WIDTHS, strict=True)))


def stages(ledger: Ledger, real_seconds: float) -> None:
    """How long each stage took, in minutes of the city."""
    pace = (CLOSING - OPENING).total_seconds() / 60 / real_seconds
    click.echo(f"\nFrom receipt, in minutes of the city; a real second was {pace:.0f} of them, so the machine's own")
    click.echo("milliseconds count as well, and its promptest clocks may raise alarms:")
    for status, took in ledger.stages.items():
        if len(took) > 1:
            cuts = quantiles(took.values(), n=10, method="inclusive")
            click.echo(f"  {status:<10} half within {cuts[4]:6.0f}, nine of ten within {cuts[8]:6.0f}")


def figures(report: dict[str, Any]) -> None:
    """The figures, and the sentence in each language."""
    click.echo("\nFigures since opening, each with its 95 % interval:")
    for name in RATES:
        rate = report["figures"][name]
        if rate["value"] is None:
            click.echo(f"  {name:<17} nothing to divide by")
            continue
        cut = rate["n"] * 1000 // rate["of"] / 10  # as in the sentence below: never rounded up to a hundred
        low, high = rate["low"] * 100, rate["high"] * 100
        click.echo(f"  {name:<17} {rate['n']:4} of {rate['of']:4} = {cut:5.1f} %  ({low:.1f} to {high:.1f})")
    click.echo()
    for language in ("zh", "en"):
        click.secho(f"  {report['sentence'][language]}", bold=True)


def story(shown: dict[str, Any]) -> None:
    """The timeline of the named case."""
    click.echo(f"\nThe second dose, {shown['receipt']}: {shown['status']}, {shown['outcome'] or 'no outcome yet'}")
    for entry in shown["timeline"]:
        fact = entry["type"].removeprefix("heed.request.")
        if fact == "notified":
            continue
        click.echo(f"  {when(datetime.fromisoformat(entry['at']))}  {fact:<10} {details(entry)}".rstrip())


def details(entry: dict[str, Any]) -> str:
    """What a line of the timeline says beside its name."""
    told = [
        str(entry[name])
        for name in ("role", "organisation", "category", "colour", "medium", "outcome", "text")
        if entry.get(name) is not None
    ]
    times = [name for name in ("deadline", "fulfil_by") if entry.get(name)]
    told += [f"{name.replace('_', ' ')} {when(datetime.fromisoformat(entry[name]))}" for name in times]
    if entry.get("satisfaction"):
        told.append(f"{entry['satisfaction']} of 5")
    return ", ".join(told)


def deeds(city: City, malformed: int) -> None:
    """What people did, and what was counted beside."""
    counts, statuses = city.ledger.counts, city.ledger.statuses()
    lines = {
        "malformed filings refused": f"{sum(city.refused.values())} of {malformed}",
        "withdrawn, rejected, merged": " + ".join(
            str(statuses[status]) for status in (Status.WITHDRAWN, Status.REJECTED, Status.MERGED)
        ),
        "recalled to the deputy": counts[r.TaskRecalled],
        "given back": counts[r.TaskReturned],
        "disputed and done again": counts[r.RequestDisputed],
        "residents' ratings": counts[r.RequestRated],
        "call-back attempts": counts[r.ResidentVisited],
        "reminders, nudges": f"{counts[r.TaskReminded]}, {counts[r.TaskNudged]}",
        "alarms": ", ".join(f"{kind} {number}" for kind, number in city.ledger.alarms.most_common()) or "none",
        **city.notes,
    }
    click.echo("\nWhat happened besides:")
    for name, number in lines.items():
        click.echo(f"  {name:<29} {number}")


def refusals(city: City) -> None:
    """Which calls were refused, and why: people who came late, decided on old news, or filed what is no filing."""
    click.echo("\nCalls that were refused:")
    for what, number in city.telephone.refusals.most_common():
        click.echo(f"  {what:<45} {number}")


def troubles(city: City) -> None:
    """What should not have happened: refused though sound, taken though malformed, errors of the system."""
    wrong = [*city.misfiled, *city.telephone.surprises]
    if wrong:
        click.secho(f"\n{len(wrong)} calls did not end as they should:", fg="red")
    for line in wrong[:TROUBLES_SHOWN]:
        click.echo(f"  {line}")
