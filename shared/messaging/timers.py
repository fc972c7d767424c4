"""Timers: what must happen at a time, kept in a table; all that are due fire, however many there are."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from shared.database import Database, Transaction
from shared.messaging.tables import timers
from shared.messaging.transient import is_transient
from shared.messaging.work import Timer, Work

Fire = Callable[[Work, Sequence[Timer]], Awaitable[None]]
BATCH = 500
"""Timers fired in one transaction; the next batch follows at once, so that no limit hides the rest."""
PUT_OFF_SECONDS = 60
log = structlog.get_logger()


class Timers:
    """Fires the due timers of one service; several processes may do so at once."""

    def __init__(self, name: str, database: Database, now: Callable[[], datetime], fire: Fire) -> None:
        """`fire` handles a batch in the transaction it is given; what repeats, it sets again."""
        self._name, self._database, self._now, self._fire = name, database, now, fire

    async def fire_due(self) -> list[Work]:
        """Fire one batch of what is due now; the work done, none where nothing was due."""
        try:
            return await self._together()
        except Exception as error:
            if is_transient(error):
                raise
            log.error("timers_failed", service=self._name, error=type(error).__name__)  # noqa: TRY400 no data in logs
            return await self._one_by_one()

    async def _together(self) -> list[Work]:
        async with self._database.transaction() as connection:
            now = self._now()
            due = await _take_due(connection, now)
            if not due:
                return []
            work = Work(connection, now, self._name)
            await self._fire(work, due)
            await work.flush()
        return [work]

    async def _one_by_one(self) -> list[Work]:
        """Each in a savepoint; one that fails is put off, and fires again."""
        done = []
        async with self._database.transaction() as connection:
            now = self._now()
            for timer in await _take_due(connection, now):
                work = Work(connection, now, self._name)
                try:
                    async with connection.begin_nested():
                        await self._fire(work, [timer])
                        await work.flush()
                except Exception as error:
                    if is_transient(error):
                        raise
                    log.error("timer_put_off", service=self._name, kind=timer.kind, error=type(error).__name__)  # noqa: TRY400
                    work = Work(connection, now, self._name)
                    work.set_timer(timer.kind, timer.key, now + timedelta(seconds=PUT_OFF_SECONDS), timer.data)
                    await work.flush()
                done.append(work)
        return done

    async def next_due_at(self) -> datetime | None:
        """When the next timer is due; None where there is none."""
        async with self._database.transaction() as connection:
            at: datetime | None = (await connection.execute(sa.select(sa.func.min(timers.c.due_at)))).scalar()
        return at


async def _take_due(connection: Transaction, now: datetime) -> list[Timer]:
    """Remove a batch of due timers, earliest first, passing over those that another process fires."""
    chosen = (
        sa.select(timers.c.key, timers.c.kind)
        .where(timers.c.due_at <= now)
        .order_by(timers.c.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = await connection.execute(
        sa.delete(timers).where(sa.tuple_(timers.c.key, timers.c.kind).in_(chosen)).returning(timers)
    )
    return sorted((Timer(r.kind, r.key, r.due_at, r.data) for r in rows), key=lambda timer: timer.due_at)


def moments_missed(due_at: datetime, every: timedelta, now: datetime) -> tuple[int, datetime]:
    """For a repeating timer that wakes at `now`: how many later moments have passed already, and when the next is."""
    missed = max(0, (now - due_at) // every)
    return missed, due_at + (missed + 1) * every
