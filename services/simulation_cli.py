"""`heed simulate`: a city on a virtual clock, with the real model of dispatch."""

import dataclasses
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import click

from dispatch.capacity import Row, enough_of, find_enough, try_out, with_a_third_silent
from dispatch.chart import answer, assumptions, legend, page, table
from dispatch.clocks import ClockPolicy
from dispatch.files import FileKind, parse
from dispatch.scenario import SCENARIOS
from shared.settings import Settings


@click.command()
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
    file = more["clocks"] or Settings().city_dir / "clocks.yaml"
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
