"""What an installation of many processes needs before its first start: secrets, databases, and the first key."""

import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.gateway import identity, store
from shared.clock import wall_now
from shared.database import Database
from shared.embedded import ensure_database, write_private
from shared.identity import Kind, Principal
from shared.settings import Settings, required
from shared.tokens import make_identity_keys

NEEDS: Mapping[str, tuple[str, ...]] = {
    "intake": ("database", "identity_public_key", "tracking_secret", "hash_secret", "encryption_keys"),
    "triage": ("database", "identity_public_key"),
    "dispatch": ("database", "identity_public_key", "hash_secret"),
    "followup": ("database", "identity_public_key", "hash_secret"),
    "callbacks": ("database", "identity_public_key", "encryption_keys"),
    "gateway": ("database", "identity_public_key", "identity_private_key", "tracking_secret"),
}
"""The settings that each service reads from files of its own, and no other."""
OWN = frozenset({"database", "encryption_keys"})
"""Of these each service has another."""
ADMIN = "databases"
"""The folder of what makes the databases: the server's address as an account that may, and its password alone."""
SECRET_BYTES = 32


class NotAsWritten(OSError):
    """A folder of secrets is not as `heed secrets` leaves it."""


class KeysInForce(OSError):
    """A supervisor has a key, who can issue more."""


def write_secrets(folder: Path, server: str) -> list[Path]:
    """Write what is missing in `folder`, a folder for each service, a file for each setting; returns what was written.

    `server` is where the databases will be, host:port. Raises NotAsWritten where one half of the identity key is there.
    """
    fresh = _fresh()
    shared = {name: _kept(folder, name) or value for name, value in fresh.items()}
    if (_kept(folder, "identity_private_key") is None) != (_kept(folder, "identity_public_key") is None):
        raise NotAsWritten("One half of the identity key is missing. Restore it from the backup, or remove both.")
    password = _kept(folder, "password") or secrets.token_urlsafe(SECRET_BYTES)
    wanted = {folder / ADMIN / "password": password}
    wanted[folder / ADMIN / "postgres"] = f"postgresql://postgres:{password}@{server}/postgres"
    for service, names in NEEDS.items():
        own = {
            "database": f"postgresql://heed_{service}:{secrets.token_urlsafe(SECRET_BYTES)}@{server}/heed_{service}",
            "encryption_keys": f"1:{_random()}",
        }
        wanted |= {folder / service / name: own[name] if name in OWN else shared[name] for name in names}
    missing = {path: value for path, value in wanted.items() if not path.exists()}
    for path, value in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, value)
    return sorted(missing)


def _fresh() -> dict[str, str]:
    private, public = make_identity_keys()
    return {
        "identity_private_key": private,
        "identity_public_key": public,
        "tracking_secret": _random(),
        "hash_secret": _random(),
    }


def _random() -> str:
    return b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _kept(folder: Path, name: str) -> str | None:
    """What one of the services already has under this name."""
    return next((path.read_text("utf-8") for path in sorted(folder.glob(f"*/{name}"))), None)


async def make_databases(admin_url: str, folder: Path) -> list[str]:
    """See to it that each service has the database that its file in `folder` names; returns their names.

    May be called again: a password that was changed in a file is brought into force.
    """
    made = []
    for service in NEEDS:
        url = urlsplit((folder / service / "database").read_text("utf-8").strip())
        name = url.path.removeprefix("/")
        if not url.password or url.username != name:
            raise NotAsWritten(f"{service}/database names no role with a password and a database of the same name.")
        await ensure_database(admin_url, name, unquote(url.password))
        made.append(name)
    return made


async def issue_first_key(settings: Settings) -> str:
    """Issue a supervisor's key by way of the gateway's database; raises KeysInForce where a supervisor has one."""
    database = Database(required(settings.database, "database"), connections=1)
    try:
        async with database.transaction() as connection:
            keys = await store.list_keys(connection)
            if any(who.kind is Kind.SUPERVISOR and revoked_at is None for _, who, _, revoked_at in keys):
                raise KeysInForce("A supervisor has a key already: `heed token issue` issues more.")
            principal = Principal(kind=Kind.SUPERVISOR, id="first")
            return await identity.issue(connection, principal, wall_now())
    finally:
        await database.close()
