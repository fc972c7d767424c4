"""The periods of the draw: the seed committed to before, drawn with, and published afterwards.

A timer closes each period, and another publishes its seed; how lots are drawn says sampling.py.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from followup import lookback_store
from followup.plan import LookBack
from followup.sampling import begins_at, commitment, period_of, seed_of
from shared.contracts.reviews import DrawCommitted, DrawRevealed
from shared.messaging.work import Work

SERVICE = "followup"
CLOSE = "close_draw"
PUBLISH = "publish_seed"


async def commit_to_seeds(work: Work, plan: LookBack, secret: bytes) -> None:
    """Commit to the seeds of the present period and the next, where that is not done yet."""
    for period in _present_and_next(work, plan):
        promised = commitment(seed_of(secret, period))
        if await lookback_store.add_period(work.connection, period, plan.period_days, promised, work.now):
            fact = DrawCommitted(service=SERVICE, period=period, days=plan.period_days, commitment=promised)
            work.state(fact, period.isoformat())
            work.set_timer(CLOSE, period.isoformat(), begins_at(period) + plan.period)


def _present_and_next(work: Work, plan: LookBack) -> Iterator[date]:
    yield period_of(work.now, plan)
    yield period_of(work.now + plan.period, plan)


async def publish(work: Work, period: date, secret: bytes) -> None:
    """Publish the seed of a period whose look-backs are over."""
    kept = await lookback_store.find_period(work.connection, period)
    if kept is None or kept.revealed_at is not None:
        return
    answers, drawn = await lookback_store.count_lots(work.connection, period)
    seed = seed_of(secret, period).hex()
    revealed = DrawRevealed(service=SERVICE, period=period, days=kept.days, seed=seed, answers=answers, drawn=drawn)
    work.state(revealed, period.isoformat())
    await lookback_store.set_period(work.connection, period, revealed_at=work.now)


async def note_closed(work: Work, period: date, plan: LookBack) -> None:
    """The period is drawn to its end: its seed is published once its call-backs are over."""
    await lookback_store.set_period(work.connection, period, closed_at=work.now, plan=plan.model_dump_json())
    kept = await lookback_store.find_period(work.connection, period)
    days = kept.days if kept else plan.period_days
    ends_at = begins_at(period) + timedelta(days=days)
    work.set_timer(PUBLISH, period.isoformat(), ends_at + plan.seed_published_after)
