"""`heed bulletin`: the bulletin of a running Heed, to the screen or into a file."""

from pathlib import Path
from urllib.parse import urlencode

import click

from services.client import Remote


@click.command()
@click.option(
    "--format", "kind", type=click.Choice(["json", "markdown", "html"]), default="markdown", show_default=True
)
@click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True)
@click.option("--at", help="As of this moment (RFC 3339), recounted from the log; without it, as of now.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
def bulletin(kind: str, lang: str, at: str | None, output: Path | None) -> None:
    """Write the bulletin: figures since opening, their charts, and where every request is."""
    asked = {"format": kind, "lang": lang} | ({"at": at} if at else {})
    written = Remote.from_environment().text(f"/v1/bulletin?{urlencode(asked)}")
    if output is None:
        click.echo(written)
        return
    try:
        output.write_text(written, encoding="utf-8")
    except OSError as refused:
        raise click.ClickException(f"{output} cannot be written: {refused.strerror}.") from refused
    click.echo(f"Bulletin: {output}")
