"""What an owner may do with endpoints: register, change, delete, replay, test. Each is one transaction."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.callbacks import queue, store
from services.callbacks.model import (
    PROVIDER_ID,
    SECRET_BYTES,
    SECRET_OVERLAP,
    TEST_TYPE,
    Disabled,
    Endpoint,
    KeptFact,
)
from shared.contracts.callbacks import EndpointDisabled
from shared.contracts.operations import AlarmCleared, AlarmRaised
from shared.contracts.vocabulary import AlarmKind
from shared.database import Transaction
from shared.identity import DESK, Principal
from shared.ids import new_id
from shared.messaging.work import Work
from shared.problems import Forbidden, InvalidInput, NotFound, NotInThisState
from shared.sealing import Keyring, SealBroken
from shared.web import check_revision

SERVICE = "callbacks"
FAILING_TIMER = "endpoint_failing"
REPLAYED_AT_ONCE = 10_000


# Who may do what


def check_may_manage(caller: Principal) -> None:
    """Raise Forbidden for whoever has no endpoints and runs none."""
    if caller.kind not in DESK and not (caller.is_handler and caller.organisation):
        raise Forbidden


def owner_of_new(caller: Principal, organisation: str | None) -> str | None:
    """Whose a new endpoint is: a handler's organisation's; the desk names one, or none for the whole city."""
    check_may_manage(caller)
    if caller.kind in DESK:
        return organisation
    if organisation not in (None, caller.organisation):
        raise Forbidden("You may register endpoints of your own organisation only.")
    return caller.organisation


def check_may_see(caller: Principal, endpoint: Endpoint | None) -> Endpoint:
    """The endpoint; raises NotFound where there is none, or none of the caller's."""
    check_may_manage(caller)
    if endpoint is None or endpoint.id == PROVIDER_ID:
        raise NotFound
    if caller.kind not in DESK and endpoint.organisation != caller.organisation:
        raise NotFound
    return endpoint


async def load_own(connection: Transaction, caller: Principal, endpoint_id: UUID, *, lock: bool = False) -> Endpoint:
    """The caller's endpoint; raises NotFound."""
    return check_may_see(caller, await store.find_endpoint(connection, endpoint_id, lock=lock))


# Secrets


def seal(keyring: Keyring, endpoint_id: UUID, secret: bytes) -> bytes:
    """A secret as it is stored, bound to its endpoint."""
    return keyring.seal(secret, f"endpoints.secret|{endpoint_id}")


def open_secrets(keyring: Keyring, endpoint_id: UUID, row: Any, now: datetime) -> list[bytes]:
    """The secrets that sign now, the newest first; none where their key is not in the keyring any more."""
    sealed = [row.secret]
    if row.old_secret is not None and row.old_secret_until > now:
        sealed.append(row.old_secret)
    try:
        return [keyring.open(one, f"endpoints.secret|{endpoint_id}") for one in sealed]
    except SealBroken:
        return []


async def newest_secret(connection: Transaction, keyring: Keyring, endpoint_id: UUID, now: datetime) -> bytes:
    """The secret that an endpoint's owner is shown when it is made."""
    row = await store.find_secrets(connection, endpoint_id)
    opened = open_secrets(keyring, endpoint_id, row, now) if row else []
    if not opened:
        raise NotFound
    return opened[0]


# Verbs


async def register(
    work: Work,
    keyring: Keyring,
    *,
    url: str,
    event_types: Sequence[str],
    organisation: str | None,
    description: str | None,
) -> Endpoint:
    """Make an endpoint with a secret of its own; facts are queued for it from now on."""
    if organisation is not None and not await store.has_organisation(work.connection, organisation):
        raise InvalidInput(errors=[{"pointer": "#/organisation", "detail": "no such organisation"}])
    endpoint = Endpoint(
        id=new_id(),
        url=url,
        event_types=frozenset(event_types),
        organisation=organisation,
        description=description,
        enabled=True,
        disabled_because=None,
        revision=1,
        created_at=work.now,
    )
    secret = secrets.token_bytes(SECRET_BYTES)
    await store.save_endpoint(work.connection, endpoint, secret=seal(keyring, endpoint.id, secret))
    return endpoint


async def change(
    work: Work,
    caller: Principal,
    keyring: Keyring,
    endpoint_id: UUID,
    *,
    revision: int,
    url: str | None,
    event_types: Sequence[str] | None,
    enabled: bool | None,
    rotate_secret: bool,
) -> Endpoint:
    """Change what is given; a new secret signs at once, the old one beside it for a day."""
    old = await load_own(work.connection, caller, endpoint_id, lock=True)
    check_revision(revision, old.revision)
    new = replace(
        old,
        revision=old.revision + 1,
        url=url or old.url,
        event_types=old.event_types if event_types is None else frozenset(event_types),
    )
    if enabled is not None and enabled != old.enabled:
        new = new.enable(enabled)
        _end_failing(work, old, enabled=enabled)
    sealed = await _rotated(work, keyring, endpoint_id) if rotate_secret else {}
    await store.save_endpoint(work.connection, new, **sealed)
    return new


async def _rotated(work: Work, keyring: Keyring, endpoint_id: UUID) -> dict[str, Any]:
    old = await store.find_secrets(work.connection, endpoint_id)
    return {
        "secret": seal(keyring, endpoint_id, secrets.token_bytes(SECRET_BYTES)),
        "old_secret": old.secret,
        "old_secret_until": work.now + SECRET_OVERLAP,
    }


def _end_failing(work: Work, old: Endpoint, *, enabled: bool) -> None:
    work.cancel_timers(str(old.id), FAILING_TIMER)
    if enabled and old.disabled_because in {Disabled.GONE, Disabled.FAILING}:
        work.state(AlarmCleared(service=SERVICE, kind=AlarmKind.ENDPOINT_DISABLED), old.id)


async def delete(work: Work, caller: Principal, endpoint_id: UUID) -> None:
    """Delete an endpoint with its deliveries."""
    old = await load_own(work.connection, caller, endpoint_id, lock=True)
    _end_failing(work, old, enabled=True)
    await store.delete_endpoint(work.connection, endpoint_id)


async def replay(
    work: Work, caller: Principal, endpoint_id: UUID, since: datetime | None, until: datetime
) -> tuple[int, datetime | None]:
    """Queue again all that the endpoint is entitled to of this time: how many, and from when to go on if not all.

    Also what it never got, since it was registered later or was disabled.
    """
    endpoint = await _load_enabled(work, caller, endpoint_id)
    since = since or endpoint.created_at
    found = await queue.list_facts_between(work.connection, endpoint, since, until, REPLAYED_AT_ONCE + 1)
    now, later = found[:REPLAYED_AT_ONCE], found[REPLAYED_AT_ONCE:]
    await queue.queue_again(work.connection, endpoint, now, work.now)
    return len(now), later[0].at if later else None


async def replay_one(work: Work, caller: Principal, endpoint_id: UUID, delivery_id: UUID) -> None:
    """Queue one delivery again."""
    endpoint = await _load_enabled(work, caller, endpoint_id)
    event_id = await queue.find_delivered_event(work.connection, endpoint_id, delivery_id)
    kept = await store.load_facts(work.connection, [event_id]) if event_id else {}
    if not kept:
        raise NotFound
    await queue.queue_again(work.connection, endpoint, list(kept.values()), work.now)


async def send_test(work: Work, caller: Principal, endpoint_id: UUID) -> UUID:
    """Queue a test event for the endpoint: its id."""
    endpoint = await _load_enabled(work, caller, endpoint_id)
    test = KeptFact(
        event_id=new_id(),
        request_id=None,
        number=1,
        type=TEST_TYPE,
        source=SERVICE,
        sequence=1,
        at=work.now,
        data={"endpoint_id": str(endpoint.id)},
    )
    await store.add_facts(work.connection, [test], work.now)
    await queue.add_deliveries(work.connection, [(endpoint, test)], work.now)
    return test.event_id


async def _load_enabled(work: Work, caller: Principal, endpoint_id: UUID) -> Endpoint:
    endpoint = await load_own(work.connection, caller, endpoint_id, lock=True)
    if not endpoint.enabled:
        raise NotInThisState("The endpoint is disabled. Enable it first.", state="disabled")
    return endpoint


def state_disabled(work: Work, endpoint: Endpoint) -> None:
    """Say that an endpoint was disabled without its owner's word."""
    work.cancel_timers(str(endpoint.id), FAILING_TIMER)
    work.state(EndpointDisabled(endpoint_id=endpoint.id), endpoint.id)
    work.state(AlarmRaised(service=SERVICE, kind=AlarmKind.ENDPOINT_DISABLED), endpoint.id)
