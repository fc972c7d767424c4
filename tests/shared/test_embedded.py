import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from shared import programs
from shared.embedded import EmbeddedPostgres, ensure_database
from shared.programs import NoEmbeddedPostgres, find_programs, reachable_programs, server_account

STARTS_AND_DIES = """
import os, signal, sys, uvloop
from pathlib import Path
from shared.embedded import EmbeddedPostgres

async def main() -> None:
    server = await EmbeddedPostgres.start(Path(sys.argv[1]), durable=False)
    await server.ensure_database("kept", "secret")
    os.kill(os.getpid(), signal.SIGKILL)

uvloop.run(main())
"""


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder that the server's account can reach, as pytest's own cannot be."""
    base = Path(tempfile.mkdtemp(prefix="heed-test-"))
    base.chmod(0o711)
    yield base / "pg"
    shutil.rmtree(base)


@pytest.fixture(scope="module")
async def made() -> AsyncIterator[Path]:
    """A folder with a cluster in it, made once."""
    base = Path(tempfile.mkdtemp(prefix="heed-test-"))
    base.chmod(0o711)
    async with running(base / "pg"):
        pass
    yield base / "pg"
    shutil.rmtree(base)


@pytest.fixture
def folder(made: Path, empty: Path) -> Path:
    """A copy of it, with its owners and rights."""
    subprocess.run(["cp", "-a", made, empty], check=True)
    return empty


@asynccontextmanager
async def running(folder: Path, durable: bool = False) -> AsyncIterator[EmbeddedPostgres]:
    server = await EmbeddedPostgres.start(folder, durable=durable)
    try:
        yield server
    finally:
        await server.stop()


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def postmaster(folder: Path) -> int:
    return int((folder / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])


async def start_and_die(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTS_AND_DIES, folder)
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")], ids=["durable", "throwaway"])
async def test_it_waits_for_the_disk_where_asked(empty: Path, durable: bool, fsync: str) -> None:
    async with running(empty, durable) as server:
        assert await ask(server.admin_url, "SHOW fsync") == fsync
        assert await ask(server.admin_url, "SHOW full_page_writes") == fsync


async def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    async with running(folder) as server:
        url = await server.ensure_database("intake", "secret")
        await ask(url, "CREATE TABLE t AS SELECT 42 AS n")
    async with running(folder) as server:
        assert await ask(await server.ensure_database("intake", "secret"), "SELECT n FROM t") == 42


async def test_a_role_enters_its_own_database_only(folder: Path) -> None:
    async with running(folder) as server:
        await server.ensure_database("triage", "secret-of-triage")
        intake = await server.ensure_database("intake", "secret:of'intake")
        assert await ask(intake, "SELECT current_user || '@' || current_database()") == "intake@intake"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(intake.replace("/intake?", "/triage?"), "SELECT 1")


async def test_a_database_may_be_ensured_again_also_by_many_at_once(folder: Path) -> None:
    async with running(folder) as server:
        old = await server.ensure_database("intake", "old")
        urls = await asyncio.gather(*(ensure_database(server.admin_url, "intake", "new") for _ in range(8)))
        assert await ask(urls[0], "SELECT 1") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(old, "SELECT 1")


async def test_an_admin_who_is_no_superuser_will_do(folder: Path) -> None:
    async with running(folder) as server:
        await ask(server.admin_url, "CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'x'")
        admin_url = server.admin_url.replace(server.admin_url.split("@")[0], "postgresql://admin:x")
        url = await ensure_database(admin_url, "intake", "secret")
        assert await ensure_database(admin_url, "intake", "secret") == url
        assert await ask(url, "CREATE TABLE t AS SELECT 42 AS n") is None


async def test_nobody_enters_without_the_password(folder: Path) -> None:
    async with running(folder) as server:
        secret = server.admin_url.split(":")[2].split("@")[0]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(server.admin_url.replace(secret, "guess"), "SELECT 1")
        assert (folder / "superuser").stat().st_mode & 0o777 == 0o600
        assert (folder / "socket").stat().st_mode & 0o777 == 0o700
        assert (folder / "cluster").stat().st_mode & 0o777 == 0o700


async def test_a_server_that_outlived_us_is_taken_over(folder: Path) -> None:
    await start_and_die(folder)
    left = postmaster(folder)
    async with running(folder) as server:
        assert postmaster(folder) == left
        assert await ask(await server.ensure_database("kept", "secret"), "SELECT 1") == 1
    assert not (folder / "cluster" / "postmaster.pid").exists()


async def test_a_server_that_outlived_us_with_other_settings_is_stopped_and_started_anew(folder: Path) -> None:
    await start_and_die(folder)
    left = postmaster(folder)
    async with running(folder, durable=True) as server:
        assert postmaster(folder) != left
        assert await ask(server.admin_url, "SHOW fsync") == "on"


async def test_a_server_killed_with_us_recovers(folder: Path) -> None:
    await start_and_die(folder)
    left = postmaster(folder)
    os.kill(left, signal.SIGKILL)
    async with running(folder) as server:
        assert postmaster(folder) != left
        assert await ask(await server.ensure_database("kept", "secret"), "SELECT 1") == 1


async def test_a_process_number_given_to_another_program_does_not_confuse_it(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    async with running(folder) as server:
        assert await ask(server.admin_url, "SELECT 1") == 1


async def test_half_a_cluster_left_by_a_kill_is_made_anew(empty: Path) -> None:
    (empty / "cluster.half" / "base").mkdir(parents=True)
    async with running(empty) as server:
        assert await ask(server.admin_url, "SELECT 1") == 1


async def test_the_last_user_ends_it(folder: Path) -> None:
    async with running(folder) as second:
        async with running(folder) as first:
            assert first.admin_url == second.admin_url
        assert await ask(second.admin_url, "SELECT 1") == 1
    with pytest.raises(OSError, match="No such file"):
        await ask(second.admin_url, "SELECT 1")


async def test_a_long_path_gets_a_short_socket(empty: Path) -> None:
    long = empty / ("long" * 25)
    empty.mkdir(mode=0o711)
    async with running(long) as server:
        assert await ask(server.admin_url, "SELECT 1") == 1
        sockets = Path(str(await ask(server.admin_url, "SHOW unix_socket_directories")))
        assert sockets.parent == Path("/tmp")
        assert sockets.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(sockets)


async def test_a_socket_folder_that_another_put_there_is_refused(empty: Path) -> None:
    empty.mkdir(mode=0o711)
    (empty / "elsewhere").mkdir()
    (empty / "socket").symlink_to(empty / "elsewhere")
    with pytest.raises(NoEmbeddedPostgres, match="belongs to somebody else"):
        await EmbeddedPostgres.start(empty, durable=False)


async def test_a_folder_that_cannot_be_reached_keeps_its_rights(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    async with running(private / "pg") as server:
        assert await ask(server.admin_url, "SELECT 1") == 1
    async with running(private / "pg") as server:
        assert await ask(server.admin_url, "SELECT 1") == 1
    assert private.stat().st_mode & 0o777 == 0o700
    location = private / "pg" / "location"
    assert location.exists() == (server_account() is not None)
    if location.exists():
        shutil.rmtree(location.read_text().strip())


async def test_programs_that_cannot_be_reached_are_copied(tmp_path: Path, empty: Path) -> None:
    empty.mkdir(mode=0o711)
    private = tmp_path / "private"
    shutil.copytree(find_programs(), private / "programs", ignore=shutil.ignore_patterns("include"))
    private.chmod(0o700)
    account = server_account()
    found = await reachable_programs(private / "programs", empty, account)
    assert (found == private / "programs") == (account is None)
    code, said = await programs.run(found / "bin" / "postgres", "--version", account=account)
    assert code == 0, said
    assert await reachable_programs(private / "programs", empty, account) == found


async def test_a_lost_password_is_named(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "superuser").unlink()
    with pytest.raises(NoEmbeddedPostgres, match="superuser's password"):
        await EmbeddedPostgres.start(folder, durable=False)


def test_a_platform_without_programs_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "WHEEL", "no_such_wheel")
    with pytest.raises(NoEmbeddedPostgres, match="HEED_POSTGRES"):
        find_programs()


def test_data_of_another_major_version_are_not_touched() -> None:
    with pytest.raises(NoEmbeddedPostgres, match="written by PostgreSQL 9"):
        find_programs("9")
