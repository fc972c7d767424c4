"""The locked dependencies are whole: each thing that Heed needs, and each thing that one needs, is named.

pip refuses a list with hashes that lacks one, but only where the list is installed afresh.
"""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEV = [requirement for group in PROJECT["optional-dependencies"].values() for requirement in group]


def locked(file: str) -> set[str]:
    return {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", (ROOT / file).read_text(), re.MULTILINE)}


def needed(requirements: list[str]) -> set[str]:
    """The names of these packages and of all that they need on this machine."""
    found: set[tuple[str, frozenset[str]]] = set()
    open_ = [(Requirement(text), frozenset[str]()) for text in requirements]
    while open_:
        requirement, extras = open_.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": e}) for e in extras | {""}):
            continue
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) not in found:
            found.add((name, wanted))
            open_ += [(Requirement(text), wanted) for text in requires(name) or ()]
    return {name for name, _ in found}


@pytest.mark.parametrize(
    ("file", "requirements"),
    [
        ("deploy/requirements.txt", PROJECT["dependencies"]),
        ("deploy/requirements-dev.txt", PROJECT["dependencies"] + DEV),
    ],
)
def test_the_lock_names_all_that_is_needed(file: str, requirements: list[str]) -> None:
    assert needed(requirements) - locked(file) == set()


def test_what_another_package_needs_is_asked_for_too() -> None:
    assert {"aiokafka", "packaging", "greenlet"} <= needed(["aiokafka", "sqlalchemy[asyncio]"])
