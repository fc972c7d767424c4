"""Rules of the house that no linter has; each is shown to fail on a breach."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generate import import_all

ROOT = Path(__file__).parents[2]
FOLDERS = ("services", "intake", "triage", "dispatch", "followup", "shared")
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 50
ENDS_TRANSACTIONS = Path("shared/database.py")
COMMITS_POSITIONS = Path("shared/bus/kafka.py")  # to the broker, for its tools: no transaction
NO_DRAWERS = {"utils", "util", "helpers", "common", "misc", "base", "core", "manager", "processor", "impl"}
IMPORT_CLOSED = """
import asyncio, socket, sys
from docs.generate import import_all

def refuse(*_: object, **__: object) -> None:
    raise AssertionError("something is opened at import")

socket.socket.connect = socket.socket.bind = refuse
asyncio.run = asyncio.new_event_loop = refuse
print(len(import_all()))
"""


def breaches(path: Path, source: str) -> Iterator[str]:
    if source.count("\n") > LINES_PER_FILE:
        yield f"{path}: more than {LINES_PER_FILE} lines"
    if NO_DRAWERS & {*path.parent.parts, path.stem}:
        yield f"{path}: a drawer for odds and ends; name it after what it holds"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            is_migration = "migrations" in path.parts  # a list of tables, read once from top to bottom
            if node.end_lineno - node.lineno >= LINES_PER_FUNCTION and not is_migration:
                yield f"{path}:{node.lineno}: {node.name} is longer than {LINES_PER_FUNCTION} lines"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"commit", "rollback"}
            and path not in {ENDS_TRANSACTIONS, COMMITS_POSITIONS}
        ):
            yield f"{path}:{node.lineno}: only {ENDS_TRANSACTIONS} ends a transaction"


@pytest.mark.parametrize("folder", [*FOLDERS, "tests", "bench", "docs"])
def test_the_house_is_in_order(folder: str) -> None:
    found = [b for p in (ROOT / folder).rglob("*.py") for b in breaches(p.relative_to(ROOT), p.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("intake/store.py", "x = 1\n" * 401),
        ("intake/store.py", "def f():\n" + "    x = 1\n" * 50),
        ("intake/store.py", "async def f(c):\n    await c.commit()\n"),
        ("intake/database.py", "async def f(c):\n    await c.rollback()\n"),
        ("triage/utils.py", "x = 1\n"),
        ("shared/common/words.py", "x = 1\n"),
    ],
    ids=["file", "function", "commit", "rollback", "drawer", "folder"],
)
def test_a_breach_is_found(file: str, source: str) -> None:
    assert list(breaches(Path(file), source))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house, to break."""
    house = tmp_path_factory.mktemp("house")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, house / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", house)
    return house


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    lint = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([lint], cwd=house, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("intake/handlers.py", "from triage import model"),
        ("shared/messaging/relay.py", "import intake"),
        ("triage/model.py", "import sqlalchemy"),
        ("triage/model.py", "import time"),
        ("dispatch/model.py", "import shared.clock"),
        ("intake/api.py", "from sqlalchemy import select"),
        ("intake/store.py", "import intake.handlers"),
        ("dispatch/store.py", "import fastapi"),
        ("intake/odds.py", "x = 1"),
        ("shared/ends.py", "x = 1"),
        ("shared/service.py", "import aiokafka"),
        ("services/gateway/app.py", "import intake.model"),
        ("services/gateway/app.py", "import services.callbacks.app"),
        ("services/gateway/api.py", "import sqlalchemy"),
        ("followup/figures.py", "import random"),
        ("shared/bus/postgres.py", "import aiokafka"),
        ("shared/contracts/requests.py", "import shared.settings"),
        ("shared/problems.py", "import fastapi"),
    ],
)
def test_a_forbidden_import_is_found(copy: Path, file: str, line: str) -> None:
    path = copy / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    lint = lint_imports(copy)
    if before is None:
        path.unlink()
    else:
        path.write_text(before)
    assert lint.returncode == 1, lint.stdout
    assert "BROKEN" in lint.stdout


def test_the_copy_itself_is_clean(copy: Path) -> None:
    lint = lint_imports(copy)
    assert lint.returncode == 0, lint.stdout


def test_nothing_is_opened_at_import() -> None:
    closed = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_CLOSED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert closed.returncode == 0, closed.stderr
    assert int(closed.stdout) == len(import_all())


def test_each_folder_of_modules_is_a_package() -> None:
    without = [
        folder
        for top in (*FOLDERS, "tests")
        for folder in (ROOT / top, *(ROOT / top).rglob("*/"))
        if "migrations" not in folder.parts and list(folder.glob("*.py")) and not (folder / "__init__.py").exists()
    ]
    assert without == []
