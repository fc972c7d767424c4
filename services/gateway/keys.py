"""The keys of callers, for the desk: issue, list, revoke. A key is shown once."""

from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from services.gateway import identity, store
from services.gateway.api import Ours
from shared.database import Transaction
from shared.identity import HANDLERS, Kind, Principal
from shared.messaging.work import Work
from shared.problems import Forbidden, InvalidInput, NotFound
from shared.service import Here
from shared.web import Body, Caller, Page, responses

router = APIRouter()
WITHOUT_KEYS = frozenset({Kind.ANONYMOUS, Kind.RESIDENT})
RIGHTS = frozenset({"import"})


def _has_keys(kind: Kind) -> Kind:
    if kind in WITHOUT_KEYS:
        raise ValueError("has no key: a resident has the tracking token of the request")
    return kind


class NewKey(Body):
    """For whom a key is wanted; `id` names the person, without personal data: `huxiao-worker-3`."""

    kind: Annotated[Kind, AfterValidator(_has_keys)]
    id: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")
    organisation: str | None = Field(default=None, max_length=100)
    area: str | None = Field(default=None, max_length=200)
    rights: frozenset[str] = frozenset()


class Key(BaseModel):
    """A key in the list; the key itself is not kept."""

    key_id: str
    kind: Kind
    id: str
    organisation: str | None
    area: str | None
    rights: list[str]
    issued_at: datetime
    revoked_at: datetime | None


class IssuedKey(BaseModel):
    """A new key, shown this once."""

    key_id: str
    token: str


def _must_be_supervisor(caller: Principal) -> None:
    if caller.kind is not Kind.SUPERVISOR:
        raise Forbidden


def _principal(wanted: NewKey) -> Principal:
    """Whom the key stands for; raises InvalidInput where something is missing."""
    if wanted.kind in HANDLERS and not wanted.organisation:
        raise InvalidInput("A liaison, deputy or partner acts for an organisation: name it.")
    if wanted.kind is Kind.GRID_WORKER and not wanted.area:
        raise InvalidInput("A grid worker has an area: name it.")
    if unknown := sorted(wanted.rights - RIGHTS):
        raise InvalidInput(f"There is no right {', '.join(unknown)}. There is {', '.join(sorted(RIGHTS))}.")
    return Principal(
        kind=wanted.kind,
        id=wanted.id or f"{wanted.organisation or 'city'}.{wanted.kind.value}.{uuid4().hex[:8]}",
        organisation=wanted.organisation,
        area=wanted.area,
        rights=wanted.rights,
    )


@router.post("/v1/tokens", status_code=201, responses=responses(Forbidden, InvalidInput))
async def issue(caller: Caller, service: Here, body: NewKey) -> IssuedKey:
    """Issue a key; only a supervisor does."""
    _must_be_supervisor(caller)
    principal = _principal(body)

    async def made(work: Work) -> str:
        return await identity.issue(work.connection, principal, work.now)

    token = await service.command(made)
    return IssuedKey(key_id=token.split("_", 2)[1], token=token)


@router.get("/v1/tokens", responses=responses(Forbidden))
async def list_all(caller: Caller, service: Here) -> Page[Key]:
    """All keys that were ever issued."""
    _must_be_supervisor(caller)
    return Page(items=await service.query(_keys))


async def _keys(connection: Transaction) -> list[Key]:
    return [
        Key(
            key_id=key_id,
            kind=principal.kind,
            id=principal.id,
            organisation=principal.organisation,
            area=principal.area,
            rights=sorted(principal.rights),
            issued_at=issued_at,
            revoked_at=revoked_at,
        )
        for key_id, principal, issued_at, revoked_at in await store.list_keys(connection)
    ]


@router.delete("/v1/tokens/{key_id}", status_code=204, responses=responses(Forbidden, NotFound))
async def revoke(caller: Caller, service: Here, parts: Ours, key_id: str) -> None:
    """Take a key out of force: here at once, in other replicas within seconds."""
    _must_be_supervisor(caller)

    async def taken(work: Work) -> Any:
        return await identity.revoke(work.connection, key_id, work.now)

    if not await service.command(taken):
        raise NotFound("No key with this id is in force.")
    parts.callers.forget()
