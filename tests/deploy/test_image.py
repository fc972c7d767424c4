"""The image: made of what is locked and tested, run by nobody in particular, and it knows whether it is well."""

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.deploy.deployment import DEPLOY, HEALTH, SETTINGS, Instruction, containerfile
from tests.support.harness import project_root

ROOT = project_root()
PACKAGES = ("shared", "intake", "triage", "dispatch", "followup", "services")


def last_stage(name: str) -> list[Instruction]:
    lines = containerfile()
    return [line for line in lines if line.stage == lines[-1].stage and line.name == name]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in last_stage("ENV") for pair in line.arguments)


def test_it_runs_as_a_user_without_rights() -> None:
    (user,) = last_stage("USER")
    uid, gid = map(int, user.words.split(":"))
    assert uid > 999
    assert gid > 999
    made = " ".join(line.words for line in last_stage("RUN"))
    assert f"--gid {gid}" in made
    assert f"--uid {uid}" in made
    assert "nologin" in made


def test_it_begins_with_the_python_that_the_tests_run_on() -> None:
    (argument,) = (line.words for line in containerfile() if line.name == "ARG")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    tag = re.fullmatch(r"PYTHON=docker\.io/library/python:([\d.]+)-slim-\w+", argument)
    assert tag
    assert tag[1] == "3.11", "the oldest that we support, and the one whose packages are locked"
    assert tuple(map(int, version.split("."))) >= tuple(map(int, tag[1].split(".")))
    assert {line.words.split()[0] for line in containerfile() if line.name == "FROM"} == {"${PYTHON}"}


def test_nothing_is_installed_but_what_is_locked() -> None:
    installs = re.findall(r"pip install ([^&\n]+)", "\n".join(line.words for line in containerfile()))
    assert len(installs) == 2
    assert "--require-hashes --requirement deploy/requirements.txt" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]
    assert any("PIP_NO_CACHE_DIR=1" in line.words for line in containerfile() if line.name == "ENV")


def test_what_is_copied_is_there_and_let_into_the_build() -> None:
    copied = [
        source
        for line in containerfile()
        if line.name == "COPY" and not line.words.startswith("--from")
        for source in line.arguments[:-1]
    ]
    rules = (DEPLOY / "Containerfile.dockerignore").read_text().split()
    assert "*" in rules, "nothing goes in but what is named"
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {f"!{source}" for source in copied} == {rule for rule in rules if rule.startswith("!")}
    assert set(PACKAGES) < set(copied)


def test_its_settings_exist_and_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {name: value for name, value in environment().items() if name.startswith("HEED_")}
    assert set(ours) <= SETTINGS
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    assert [line.words for line in last_stage("EXPOSE")] == [str(settings.port)]
    copies = [line.arguments for line in last_stage("COPY")]
    assert ["deploy/sample", str(settings.city_dir)] in copies


def test_it_starts_our_command() -> None:
    (entry,) = last_stage("ENTRYPOINT")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert entry.arguments == ["heed"]
    assert "heed" in scripts


@contextmanager
def answering(status: HTTPStatus) -> Iterator[int]:
    """A server on loopback that answers every path with this status, kept to those that are asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path in HEALTH else HTTPStatus.NOT_FOUND)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("status", "is_well"), [(HTTPStatus.OK, True), (HTTPStatus.SERVICE_UNAVAILABLE, False)])
def test_its_health_check_tells_well_from_unwell(status: HTTPStatus, is_well: bool) -> None:
    (check,) = last_stage("HEALTHCHECK")
    python, *arguments = check.arguments
    assert python == "python"
    with answering(status) as port:
        run = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "HEED_PORT": str(port)},
            capture_output=True,
            check=False,
        )
    assert (run.returncode == 0) is is_well


def test_the_package_carries_every_file_of_the_services(tmp_path: Path) -> None:
    """Migrations, rules, words and documents too: without one of them a service would end at its start."""
    tree = tmp_path / "tree"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tree)
    build = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=tree, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    written = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert written - carried == set()
