"""`heed triage`: what the rules make of a text, and how well they do on texts whose right answers are known."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from pydantic_core import to_jsonable_python

from services.client import Remote
from shared.clock import Clock
from shared.contracts.vocabulary import Category, Language
from shared.settings import Settings
from triage import evaluation, report, rules
from triage.answers import LoggedShown
from triage.formats import RulesInvalid, sources_in
from triage.model import Assessment, assess, replayed
from triage.reading import Text
from triage.tree import below

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
WORST = 25
policy_option = click.option("--policy", type=FOLDER, help="Folder of rule files to use instead of those that ship.")


@click.group()
def triage() -> None:
    """What triage makes of a text and why, how well it does, and what other rules would have decided."""


def load_rules(folder: Path | None) -> rules.Rules:
    """The rules of a folder, or those that ship; ends the program with the place of each mistake."""
    try:
        return rules.load(ZoneInfo(Settings().time_zone), folder or rules.FOLDER)
    except RulesInvalid as wrong:
        raise click.ClickException(str(wrong)) from wrong


@triage.command()
@click.argument("text")
@click.option("--filed-at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="When it was said; now if unset.")
@click.option("--category", type=click.Choice([each.value for each in Category]), help="What the filer chose.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@policy_option
def explain(text: str, filed_at: datetime | None, category: str | None, as_json: bool, policy: Path | None) -> None:
    """What triage makes of TEXT, with each rule that fired and its words, and what to ask next."""
    loaded = load_rules(policy)
    said = filed_at.replace(tzinfo=loaded.zone) if filed_at else Clock().now()
    stated = Category(category) if category else None
    given = assess(text, Language.of(text), said, said, stated, loaded)
    reasons = list(evaluation.spoken_reasons(given, text))
    ask = loaded.tree[given.category].questions(below(given.reasons), Language.of(text))
    if as_json:
        document = to_jsonable_python(given) | {"reasons": reasons, "ask": ask}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    click.echo(_in_short(given, loaded))
    for reason in reasons:
        place = "" if reason["start"] is None else f"  [{reason['start']}:{reason['end']}] {reason['words']}"
        click.echo(f"  {reason['gives']}  {reason['rule']}{place}")
    click.echo("ask")
    for question in ask:
        click.echo(f"  {question}")


def _in_short(given: Assessment, loaded: rules.Rules) -> str:
    parts = [given.colour.value, given.category.value]
    if given.deadline:
        parts.append(f"by {given.deadline.astimezone(loaded.zone):%Y-%m-%d %H:%M}")
    parts += [f"needs {need}" for need in given.needs]
    parts += [word for word in ("emergency", "vulnerable", "unsure") if getattr(given, word)]
    return f"{', '.join(parts)}  (policy {given.policy_version})"


@triage.command()
@click.argument("file", type=FILE)
@click.option("--html", type=NEW_FILE, help="Also write a page with charts, complete in itself.")
@click.option("--json", "json_file", type=NEW_FILE, help="Also write the figures as JSON.")
@policy_option
def evaluate(file: Path, html: Path | None, json_file: Path | None, policy: Path | None) -> None:
    """Measure triage on FILE, JSON lines with the right answers: docs/triage.md describes them."""
    loaded = load_rules(policy)
    try:
        lines = evaluation.read_lines(file.read_text("utf-8"))
    except (evaluation.LinesInvalid, UnicodeDecodeError) as wrong:
        raise click.ClickException(f"{file}: {wrong}") from wrong
    answers = evaluation.answer(lines, loaded, Clock().now())
    figures = evaluation.summary(answers, loaded, WORST)
    if json_file:
        json_file.write_text(json.dumps(figures, ensure_ascii=False, indent=2) + "\n", "utf-8")
    if html:
        html.write_text(report.page(figures, file.name), "utf-8")
    click.echo(report.table(figures))


def apply_policy(folder: Path, dry_run: bool) -> Any:
    """Send the files of a policy to a running Heed; ends the program with the place of each mistake."""
    files = sources_in(folder)
    return Remote.from_environment("supervisor").post("/v1/policies/triage", {"files": files, "dry_run": dry_run})


@triage.command()
@click.option("--policy", type=FOLDER, required=True, help="Folder of the rule files to try.")
def replay(policy: Path) -> None:
    """What another policy would have decided on all that a running Heed was told, and every case that differs."""
    loaded = load_rules(policy)
    seen, differing = 0, 0
    for logged in _logged(Remote.from_environment("supervisor")):
        seen += 1
        texts = [Text(**text.model_dump()) for text in logged.texts]
        difference = _difference(logged, replayed(texts, loaded)) if texts else None
        if difference:
            differing += 1
            click.echo(f"{logged.request_id}  {difference}")
    click.echo(f"{differing} of {seen} requests differ under policy {loaded.version}")


def _logged(remote: Remote) -> Iterator[LoggedShown]:
    """Every request in the log, page by page."""
    cursor = None
    while True:
        page = remote.get("/v1/assessments?limit=200" + (f"&cursor={cursor}" if cursor else ""))
        yield from (LoggedShown.model_validate(item) for item in page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _difference(logged: LoggedShown, now: Assessment) -> str:
    """What is decided otherwise; empty where nothing is."""
    pairs = (
        ("colour", logged.colour.value, now.colour.value),
        ("category", logged.category.value, now.category.value),
        ("deadline", logged.deadline and logged.deadline.isoformat(), now.deadline and now.deadline.isoformat()),
    )
    return ", ".join(f"{name} {before} -> {after}" for name, before, after in pairs if before != after)
