"""What is not written down does not exist: each option, event, problem, command and word has its place in docs/."""

import re
from enum import StrEnum
from pathlib import Path

import click
import pytest

from docs import generate
from services import cli
from shared.contracts import FACTS
from shared.contracts.vocabulary import Colour, HolderKind, Outcome, Role, Stage, Status
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def page(name: str) -> str:
    return (ROOT / name).read_text()


def every_page() -> str:
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def commands(group: click.Group, prefix: str = "heed") -> list[str]:
    found, context = [], click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = commands(command, f"{prefix} {name}") if isinstance(command, click.Group) else [f"{prefix} {name}"]
        found += inner
    return found


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*## ", page("Makefile"), re.MULTILINE)


def test_what_is_made_from_the_code_has_not_drifted() -> None:
    assert generate.stale() == [], "run `make docs`"


def test_a_drift_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "MADE", "something else")
    assert Path("docs/settings.md") in generate.stale()


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`HEED_{name.upper()}`" in page("docs/settings.md")


def test_every_setting_that_a_page_names_exists() -> None:
    named = set(re.findall(r"\bHEED_[A-Z][A-Z_]*[A-Z]\b", every_page()))
    of_tests = {"HEED_TEST_POSTGRES", "HEED_TEST_STRICT", "HEED_FAULT_ROUNDS"}
    assert named - {f"HEED_{name.upper()}" for name in Settings.model_fields} - of_tests == set()


def test_every_event_type_is_documented() -> None:
    assert [name for name in FACTS if f"`{name}`" not in page("docs/events.md")] == []


def test_every_problem_is_documented_and_says_what_to_do() -> None:
    problems = generate.all_problems()
    assert [kind.slug() for kind in problems if f"`{kind.slug()}`" not in page("docs/problems.md")] == []
    assert [kind.__name__ for kind in problems if not kind.__dict__.get("__doc__")] == []
    slugs = [kind.slug() for kind in problems]
    assert len(set(slugs)) == len(slugs), "two problems share a type"


def test_every_command_is_documented() -> None:
    assert isinstance(cli.main, click.Group)
    assert [command for command in commands(cli.main) if command not in every_page()] == []


def test_every_command_that_a_page_names_exists() -> None:
    named = set(re.findall(r"`heed ([a-z-]+)", every_page()))
    assert isinstance(cli.main, click.Group)
    assert named - set(cli.main.list_commands(click.Context(cli.main))) == set()


def test_every_make_target_is_documented() -> None:
    assert [target for target in targets() if f"make {target}" not in every_page()] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    assert set(re.findall(r"`make ([a-z-]+)", every_page())) - set(targets()) == set()


@pytest.mark.parametrize("words", [Status, Colour, Outcome, Stage, Role, HolderKind], ids=lambda words: words.__name__)
def test_every_word_is_in_the_glossary(words: type[StrEnum]) -> None:
    glossary = page("docs/glossary.md")
    assert [
        word.value for word in words if f"`{word.value}`" not in glossary and f"**{word.value}**" not in glossary
    ] == []


def test_every_link_within_the_pages_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [(path, target) for path in pages for target in LINK.findall(path.read_text())]
    assert [f"{path.name}: {target}" for path, target in links if not (path.parent / target).exists()] == []
