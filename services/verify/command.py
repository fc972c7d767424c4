"""`heed verify`: arguments in, text out."""

import asyncio
import sys
from pathlib import Path

import click

from services.client import Remote
from services.verify.difference import CannotVerify
from services.verify.run import Report, calling, read_promises
from services.verify.run import verify as run
from services.verify.seals import Seal, read_kept
from services.verify.sources import AtTheBus, OverApi
from shared.bus import BusUnavailable
from shared.bus.chosen import make_bus
from shared.clock import Clock
from shared.settings import Settings

DIFFERS, NOT_VERIFIED = 1, 2


@click.command()
@click.option("--bus", help="Read the log itself, at this address (as HEED_BUS), instead of by the API.")
@click.option(
    "--seals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Seals kept elsewhere: what `heed tail --type heed.log.sealed` printed. They are checked too.",
)
@click.option("--cut", is_flag=True, help="The beginning of the log was cut on purpose: check what is left.")
def verify(bus: str | None, seals: Path | None, cut: bool) -> None:
    """Read the log from its beginning by a second way, check its seals, recompute every status and figure, and compare
    with what the API says. Ends with 1 at a difference, which it shows, and with 2 where it could not look."""
    kept = _read_kept(seals) if seals else []
    try:
        report = asyncio.run(_verify(Remote.from_environment(), bus, kept, cut))
    except (CannotVerify, BusUnavailable, OSError) as failed:
        click.secho(f"Not verified: {failed}", fg="yellow", err=True)
        sys.exit(NOT_VERIFIED)
    show(report)
    sys.exit(0 if report.is_green else DIFFERS)


def show(report: Report) -> None:
    """Print it."""
    for line in report.lines:
        click.echo(line)
    click.secho(report.verdict, fg="green" if report.is_green else "red", bold=True)


def _read_kept(path: Path) -> list[Seal]:
    try:
        return read_kept(path.read_text(encoding="utf-8").splitlines())
    except (ValueError, KeyError, TypeError) as wrong:
        raise click.ClickException(f"{path} holds a line that is no seal as `heed tail` prints it.") from wrong


async def _verify(remote: Remote, url: str | None, kept: list[Seal], cut: bool) -> Report:
    settings = Settings()
    promises, now = read_promises(settings.city_dir), Clock().now
    async with calling(remote) as api:
        if url is None:
            return await run(OverApi(api), api, now, promises, kept, may_be_cut=cut)
        bus = make_bus(settings.model_copy(update={"bus": url}))
        await bus.start()
        try:
            return await run(AtTheBus(bus), api, now, promises, kept, may_be_cut=cut)
        finally:
            await bus.stop()
