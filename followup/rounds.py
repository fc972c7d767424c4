"""What followup does when timers are due: cases, the end of a period of the draw, the publication of its seed."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from followup import draws, handlers, lookback, lookback_store, store
from followup.handlers import Desk
from followup.sampling import Reason, lacking
from shared.messaging.work import Timer, Work

AT_ONCE = 20
"""How many of those passed over are looked at together, until enough can be looked back at."""


async def fire(work: Work, timers: Sequence[Timer]) -> None:
    """Due timers, each by its kind."""
    if due := [timer for timer in timers if timer.kind == handlers.LOOK]:
        await handlers.fire(work, due)
    for timer in sorted(timers, key=lambda timer: (timer.kind, timer.key)):
        if timer.kind == draws.CLOSE:
            await close(work, date.fromisoformat(timer.key))
        elif timer.kind == draws.PUBLISH:
            policy = await store.load_policy(work.connection)
            await draws.publish(work, date.fromisoformat(timer.key), policy.seed)


async def close(work: Work, period: date) -> None:
    """The period is over: top up who was drawn too seldom, and commit to the seed of the period after the next."""
    desk = await Desk.of(work, set())
    plan, connection = desk.plan.look_back, work.connection
    for organisation, drawn in sorted((await lookback_store.count_drawn(connection, period)).items()):
        if wanted := lacking(drawn, plan):
            await _top_up(desk, await lookback_store.list_undrawn(connection, period, organisation), wanted)
    await desk.leave()
    await draws.note_closed(work, period, plan)
    await draws.commit_to_seeds(work, plan, desk.seed)


async def _top_up(desk: Desk, passed_over: Sequence[tuple[UUID, datetime]], wanted: int) -> None:
    """Draw so many of those passed over, the lowest lot first; who cannot be looked back at any more is noted."""
    gone = []
    for begin in range(0, len(passed_over), AT_ONCE):
        some = passed_over[begin : begin + AT_ONCE]
        cases = await store.lock_cases(desk.work.connection, {request_id for request_id, _ in some})
        for request_id, opened_at in some:
            case = cases[request_id]
            if case.open_from != opened_at or not lookback.may_look_back(case):
                gone.append((request_id, opened_at))
            elif wanted > 0:
                wanted -= 1
                desk.hold(case)
                desk.draw_after_all(case, Reason.TOPPED_UP, desk.work.now)
        if wanted == 0:
            break
    await lookback_store.set_gone(desk.work.connection, gone)
