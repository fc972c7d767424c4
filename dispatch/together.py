"""Several requests of one household or one building, handled as one: one act, and every reporter is told."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from dispatch import store
from dispatch.answers import TaskShown
from dispatch.directory import Desk
from dispatch.tasks import Together
from shared.identity import Principal
from shared.messaging.work import Work
from shared.problems import Problem


async def act_together(
    work: Work,
    desk: Desk,
    caller: Principal,
    verb: Callable[..., Awaitable[TaskShown]],
    by: Together | None,
    task_id: UUID,
    revision: int,
    *values: Any,
) -> TaskShown:
    """Do it on the task; then on its organisation's other leads for the same household or building, where it may be.

    Each request keeps its own history and its own facts, so that each reporter hears of it. One that is not as far, or
    that somebody else holds, is left as it is.
    """
    shown = await verb(work, desk, caller, task_id, revision, *values)
    if by is None:
        return shown
    done: list[UUID] = []
    for request_id, other, its_revision in await store.find_together(work.connection, task_id, by):
        try:
            await verb(work, desk, caller, other, its_revision, *values)
        except Problem:
            continue
        done.append(request_id)
    return shown.model_copy(update={"together": done})
