"""Idempotency-Key: what a call answered is kept with the key, in the transaction of what the call did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel

from shared.database import Transaction
from shared.messaging.tables import idempotency
from shared.problems import IdempotencyKeyReused, StillRunning
from shared.rows import by_column, given, insert_given


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key, with a fingerprint of method, path and body, and the status that success would have."""

    principal: str
    key: str
    fingerprint: str
    status: int


class Replay(Exception):
    """The call was made before with the same body; here is what it answered. Not an error."""

    def __init__(self, status: int, body: Any) -> None:
        """`body` is the stored JSON."""
        self.status, self.body = status, body
        super().__init__()


_wanted = given(idempotency, "principal", "key")
FIND = sa.select(idempotency).join(
    _wanted, sa.and_(idempotency.c.principal == _wanted.c.principal, idempotency.c.key == _wanted.c.key)
)
STORE = insert_given(idempotency, *idempotency.c.keys()).on_conflict_do_nothing().returning(idempotency.c.key)


async def find_stored(
    connection: Transaction, keys: Sequence[Idempotency]
) -> Mapping[Idempotency, Replay | IdempotencyKeyReused]:
    """What is known of these keys: a replay, or the problem that the body differs."""
    if not keys:
        return {}
    at = ({"principal": key.principal, "key": key.key} for key in keys)
    rows = await connection.execute(FIND, by_column(("principal", "key"), at))
    stored = {(r.principal, r.key): r for r in rows}
    return {
        key: Replay(row.status, row.body) if row.fingerprint == key.fingerprint else IdempotencyKeyReused()
        for key in keys
        if (row := stored.get((key.principal, key.key)))
    }


async def store(connection: Transaction, answers: Sequence[tuple[Idempotency, Any]], now: datetime) -> None:
    """Keep the answers (JSON values); raises StillRunning where another call with the key was quicker."""
    if not answers:
        return
    rows = [
        {
            "principal": key.principal,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "status": key.status,
            "body": body,
            "created_at": now,
        }
        for key, body in answers
    ]
    result = await connection.execute(STORE, by_column(idempotency.c.keys(), rows))
    if len(result.all()) < len(answers):
        raise StillRunning


def as_json(answer: Any) -> Any:
    """A pydantic model, or a JSON value, as JSON value."""
    return answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer


async def forget_old(connection: Transaction, now: datetime, hours: float) -> None:
    """Delete what is older than the promise."""
    await connection.execute(sa.delete(idempotency).where(idempotency.c.created_at < now - timedelta(hours=hours)))
