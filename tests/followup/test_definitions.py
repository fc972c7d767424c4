"""Formulas and their version go together, and stand in the documents."""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path

from followup.definitions import DEFINITIONS, VERSION
from followup.figures import RATES, Counts, Totals
from followup.stages import STAGES

DIGESTS = {"2": "c7660a03109d3860"}
"""Of the words of each version: add one with a new version, never change one."""


def test_whoever_changes_a_formula_changes_the_version() -> None:
    words = json.dumps([astuple(one) for one in DEFINITIONS], ensure_ascii=False).encode()
    assert hashlib.sha256(words).hexdigest()[:16] == DIGESTS[VERSION]


def test_every_figure_is_defined_and_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    defined = {one.name for one in DEFINITIONS}
    assert set(RATES) <= defined
    plain = {
        "received",
        "open",
        "closed",
        "rejected",
        "merged",
        "withdrawn",
        "confirmed",
        "unreached",
        "unasked",
        "answered",
    }
    assert set(Totals.__slots__) - plain <= defined
    assert [name for name in (*defined, *STAGES, *plain) if f"`{name}`" not in page] == []
    assert f"version {VERSION}" in page
    assert len(Counts._fields) == len(set(Counts._fields))
