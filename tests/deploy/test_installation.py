"""The secrets, databases and first key of an installation whose services have processes of their own."""

import stat
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from sqlalchemy.engine import make_url

import services.gateway.app
from services import standalone
from services.cli import main
from services.installation import (
    ADMIN,
    NEEDS,
    KeysInForce,
    NotAsWritten,
    issue_first_key,
    make_databases,
    write_secrets,
)
from shared.clock import Clock
from shared.settings import Settings
from tests.support.postgres import PostgresServer

Build = Callable[[Settings, Clock | None], FastAPI]
BUILDS: dict[str, Build] = {**standalone.INSIDE, "gateway": services.gateway.app.build}
URLS: dict[str, Any] = {f"{name}_url": f"http://{name}:8000" for name in BUILDS}


def build(service: str, folder: Path) -> FastAPI:
    """The service with nothing but its own folder for secrets, not started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEED_SECRETS", str(folder / service))
        settings = Settings(bus="postgresql://bus@127.0.0.1:1/bus", **URLS)
    return BUILDS[service](settings, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_secrets(tmp_path, "postgres:5432")
    return tmp_path


@pytest.fixture
def at_hand(folder: Path, postgres: PostgresServer) -> Path:
    """The folder, for databases on the tests' server, by names that nobody else has."""
    for service in NEEDS:
        written = make_url((folder / service / "database").read_text())
        name = f"{written.database}_{uuid4().hex[:12]}"
        postgres.made.append(name)
        url = make_url(postgres.admin_url).set(
            drivername="postgresql", username=name, password=written.password, database=name
        )
        (folder / service / "database").write_text(url.render_as_string(hide_password=False))
    return folder


def test_there_is_a_folder_for_every_service() -> None:
    assert set(NEEDS) == set(standalone.NAMES)


@pytest.mark.parametrize("service", NEEDS)
def test_a_service_can_be_built_with_its_own_folder_alone(service: str, folder: Path) -> None:
    assert build(service, folder).state.service.name == service


@pytest.mark.parametrize(("service", "secret"), [(service, name) for service in NEEDS for name in NEEDS[service]])
def test_a_service_refuses_to_start_without_one_of_its_files(service: str, secret: str, folder: Path) -> None:
    (folder / service / secret).unlink()
    with pytest.raises(ValueError, match=f"HEED_{secret.upper()} is not set"):
        build(service, folder)


def test_only_the_owner_reads_the_files(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_what_is_there_stays(folder: Path) -> None:
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    (folder / "followup" / "hash_secret").unlink()
    (folder / "triage" / "identity_public_key").unlink()
    written = write_secrets(folder, "elsewhere:5432")
    assert written == [folder / "followup" / "hash_secret", folder / "triage" / "identity_public_key"]
    assert {path: path.read_text() for path in before} == before


def test_half_an_identity_key_is_not_made_whole(folder: Path) -> None:
    (folder / "gateway" / "identity_private_key").unlink()
    with pytest.raises(NotAsWritten, match="half"):
        write_secrets(folder, "postgres:5432")


def test_secrets_that_services_share_are_the_same_and_their_own_are_not(folder: Path) -> None:
    def values(name: str) -> list[str]:
        return [path.read_text() for path in folder.glob(f"*/{name}")]

    assert [len(set(values(name))) for name in ("hash_secret", "tracking_secret", "identity_public_key")] == [1, 1, 1]
    assert len(set(values("encryption_keys"))) == len(values("encryption_keys")) == 2
    assert len(set(values("database"))) == len(BUILDS)
    password = (folder / ADMIN / "password").read_text()
    assert urlsplit((folder / ADMIN / "postgres").read_text()).password == password


async def test_each_service_enters_its_own_database_and_no_other(at_hand: Path, postgres: PostgresServer) -> None:
    names = await make_databases(postgres.admin_url, at_hand)
    assert await make_databases(postgres.admin_url, at_hand) == names, "a second time changes nothing"
    urls = [(at_hand / service / "database").read_text() for service in NEEDS]
    for url in urls:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_user = current_database()")
        await connection.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(urls[0], database=names[1])


async def test_a_database_file_that_names_another_role_is_refused(at_hand: Path, postgres: PostgresServer) -> None:
    (at_hand / "intake" / "database").write_text("postgresql://postgres:x@127.0.0.1/heed_intake")
    with pytest.raises(NotAsWritten, match="intake"):
        await make_databases(postgres.admin_url, at_hand)


async def test_the_first_key_is_a_supervisors_and_is_issued_once(at_hand: Path, postgres: PostgresServer) -> None:
    await make_databases(postgres.admin_url, at_hand)
    app = build("gateway", at_hand)
    settings = app.state.service.settings
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.state.service.database.close)
        await app.state.service.migrate()
        token = await issue_first_key(settings)
        assert token.startswith("heed_")
        with pytest.raises(KeysInForce):
            await issue_first_key(settings)


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["secrets", str(tmp_path), "--postgres", "db:5432"], catch_exceptions=False)
    assert run.exit_code == 0
    assert str(tmp_path / "intake" / "hash_secret") in run.output
    assert "@db:5432/heed_intake" in (tmp_path / "intake" / "database").read_text()
    (tmp_path / "gateway" / "identity_private_key").unlink()
    run = CliRunner().invoke(main, ["secrets", str(tmp_path)])
    assert run.exit_code == 1
    assert "backup" in run.output


def test_the_commands_prepare_an_installation(
    at_hand: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = CliRunner().invoke(main, ["databases", str(at_hand)])
    assert missing.exit_code == 1
    assert "HEED_POSTGRES is not set" in missing.output
    monkeypatch.setenv("HEED_POSTGRES", postgres.admin_url)
    made = CliRunner().invoke(main, ["databases", str(at_hand)], catch_exceptions=False)
    assert len(made.output.split()) == len(NEEDS)
    (at_hand / "intake" / "database").write_text("postgresql://nobody@127.0.0.1/heed_intake")
    wrong = CliRunner().invoke(main, ["databases", str(at_hand)])
    assert wrong.exit_code == 1
    assert "intake/database" in wrong.output
