"""The table that a run ends with: printed, and written to var/bench.md and var/bench.json."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("var")


@dataclass(frozen=True)
class Row:
    """One measurement; `value` is what the budget is about, `figures` are the absolute numbers behind it."""

    work: str
    figures: str
    value: float | None
    """None where nothing is compared."""
    budget: str
    met: bool | None = None


def at_least(work: str, figures: str, value: float, least: float) -> Row:
    """A row whose ratio must reach a budget."""
    return Row(work, figures, value, f"≥ {least:g}", value >= least)


def at_most(work: str, figures: str, value: float, most: float, unit: str = "") -> Row:
    """A row whose value must not pass a budget."""
    return Row(work, figures, value, f"≤ {most:g}{unit}", value <= most)


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| work | measured | value | budget | |", "|---|---|---|---|---|"]
    for row in rows:
        value = "–" if row.value is None else f"{row.value:.2f}"
        verdict = {True: "met", False: "missed", None: ""}[row.met]
        lines.append(f"| {row.work} | {row.figures} | {value} | {row.budget} | {verdict} |")
    return "\n".join(lines)


def machine() -> str:
    """What it ran on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def write(rows: list[Row]) -> str:
    """Write both files; returns the page."""
    FOLDER.mkdir(exist_ok=True)
    text = f"Everything on one box: {machine()}. Ratios are within this run.\n\n{table(rows)}\n"
    (FOLDER / "bench.md").write_text(text)
    found = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    (FOLDER / "bench.json").write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    return text
