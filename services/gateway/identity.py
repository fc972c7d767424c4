"""Who calls: keys of staff and partners, tracking tokens of residents, nobody. Each becomes a signed identity."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from services.gateway import store
from shared.database import Database, Transaction
from shared.identity import ANONYMOUS, Kind, Principal
from shared.messaging.transient import is_transient
from shared.problems import Unauthenticated, Unavailable
from shared.tokens import TRACKING_PREFIX, IdentitySigner, read_tracking_token

PREFIX = "heed"
KEY_ID_BYTES = 6
SECRET_BYTES = 32
REMEMBERED_SECONDS = 10.0
"""How long a key that was found is not looked up again: so soon after its revocation every replica refuses it."""


def _hash(token: str) -> bytes:
    """High-entropy tokens need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def _key_id(token: str) -> str | None:
    parts = token.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else None


async def issue(connection: Transaction, principal: Principal, now: datetime) -> str:
    """A new token for a principal: shown once, and kept only as a hash."""
    key_id = secrets.token_hex(KEY_ID_BYTES)
    token = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    await store.add_key(connection, key_id, _hash(token), principal, now)
    return token


async def revoke(connection: Transaction, key_id: str, now: datetime) -> bool:
    """Take a token out of force by its key id (the part between the underscores); False where there is none."""
    return await store.revoke_key(connection, key_id, now)


def first_principals(organisations: Iterable[str], grid_area: str) -> Mapping[str, Principal]:
    """Those for whom the first start of the standalone system issues tokens, by their name in credentials.json."""
    staff = {
        "operator": Principal(kind=Kind.OPERATOR, id="operator", rights=frozenset({"import"})),
        "supervisor": Principal(kind=Kind.SUPERVISOR, id="supervisor"),
        "inspector": Principal(kind=Kind.INSPECTOR, id="inspector"),
        "grid_worker": Principal(kind=Kind.GRID_WORKER, id="grid_worker", area=grid_area),
    }
    handlers = {
        f"{kind.value}:{organisation}": Principal(
            kind=kind, id=f"{organisation}.{kind.value}", organisation=organisation
        )
        for organisation in organisations
        for kind in (Kind.LIAISON, Kind.DEPUTY)
    }
    return staff | handlers


async def credentials(
    database: Database,
    path: Path,
    base_url: str,
    organisations: Iterable[str],
    now: datetime,
    grid_area: str = "pinghu/dushangang/huxiao",
) -> None:
    """At the first start: issue a token for each role and write them to `path`, which only its owner may read.

    Does nothing where the file is there. The tokens come into force only once the file is written.
    """
    if path.exists():
        return
    async with database.transaction() as connection:
        principals = first_principals(organisations, grid_area)
        tokens = {name: await issue(connection, principal, now) for name, principal in principals.items()}
        document = json.dumps({"base_url": base_url, "tokens": tokens}, indent=2)
        await asyncio.to_thread(_write_secretly, path, document)


def _write_secretly(path: Path, text: str) -> None:
    """Write all of it or nothing, for the owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class Callers:
    """Finds out who calls, and vouches for it towards the services."""

    def __init__(self, database: Database, signer: IdentitySigner, tracking_secret: bytes) -> None:
        """`signer` has the private key, which nobody else has."""
        self._database, self._signer, self._tracking_secret = database, signer, tracking_secret
        self._found: dict[bytes, tuple[float, Principal]] = {}

    async def identify(self, authorization: bytes | None) -> Principal:
        """The principal of an Authorization header; raises Unauthenticated where the token is not in force."""
        if authorization is None:
            return ANONYMOUS
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        token = token.strip()
        if token.startswith(TRACKING_PREFIX):
            return self._resident(token)
        return await self._by_key(token)

    def forget(self) -> None:
        """Look every key up again: one was revoked."""
        self._found.clear()

    def vouch(self, principal: Principal) -> bytes:
        """The value of the header Heed-Identity."""
        return self._signer.sign(principal).encode()

    def _resident(self, token: str) -> Principal:
        request_id = read_tracking_token(self._tracking_secret, token)
        if request_id is None:
            raise Unauthenticated
        return Principal(kind=Kind.RESIDENT, id=str(request_id), request_id=request_id)

    async def _by_key(self, token: str) -> Principal:
        hashed, now = _hash(token), asyncio.get_running_loop().time()
        known = self._found.get(hashed)
        if known and now < known[0]:
            return known[1]
        self._found.pop(hashed, None)
        found = await self._look_up(token)
        if found is None or not hmac.compare_digest(found[0], hashed):
            raise Unauthenticated
        if len(self._found) > 10_000:
            self._found.clear()
        self._found[hashed] = now + REMEMBERED_SECONDS, found[1]
        return found[1]

    async def _look_up(self, token: str) -> tuple[bytes, Principal] | None:
        key_id = _key_id(token)
        if key_id is None:
            return None
        try:
            async with self._database.transaction() as connection:
                return await store.find_key(connection, key_id)
        except Exception as error:
            if is_transient(error):
                raise Unavailable from error
            raise
