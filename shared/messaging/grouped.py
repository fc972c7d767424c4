"""Group commit: calls that come at the same time share a transaction; one that fails is run alone and fails alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.database import Database, Transaction
from shared.messaging import idempotency as keys
from shared.messaging.idempotency import Idempotency
from shared.messaging.work import Seen, Work, say_seen
from shared.problems import Problem

C = TypeVar("C")
R = TypeVar("R")
MOST_TOGETHER = 100


@dataclass(slots=True)
class Call(Generic[C]):
    """One caller's command, and where the answer goes."""

    command: C
    idempotency: Idempotency | None
    answer: "asyncio.Future[Any]"

    def settle(self, result: Any, seen: Sequence[Seen]) -> None:
        """Give the answer or raise the problem, unless the caller has gone."""
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            about = str(getattr(result, "id", ""))
            self.answer.set_result((result, [s for s in seen if s.subject == about]))


class Grouped(Generic[C, R]):
    """Collects calls while a transaction runs, and runs them together in the next one."""

    def __init__(
        self,
        database: Database,
        new_work: Callable[[Transaction], Work],
        verb: Callable[[Work, list[C]], Awaitable[Sequence[R | Problem]]],
        after: Callable[[Work], None],
    ) -> None:
        """`verb` answers the commands in their order; a Problem among the answers is raised at that caller alone."""
        self._database, self._new_work, self._verb, self._after = database, new_work, verb, after
        self._waiting: list[Call[C]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, command: C, idempotency: Idempotency | None = None) -> R:
        """The answer to one command; its `id` is what the facts are about. Raises its Problem, or Replay."""
        call = Call(command, idempotency, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name="grouped")
        answer: R
        answer, seen = await call.answer
        say_seen(seen)
        return answer

    async def settle(self, within_seconds: float) -> None:
        """Return once every call has its answer, or after this time."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_seconds)

    async def _drain(self) -> None:
        while self._waiting:
            await self._together(self._next())

    def _next(self) -> list[Call[C]]:
        """The next calls, no idempotency key twice: the second one finds the first one's answer."""
        chosen: list[Call[C]] = []
        later: list[Call[C]] = []
        taken: set[tuple[str, str]] = set()
        for call in self._waiting:
            key = (call.idempotency.principal, call.idempotency.key) if call.idempotency else None
            if len(chosen) >= MOST_TOGETHER or key in taken:
                later.append(call)
                continue
            if key:
                taken.add(key)
            chosen.append(call)
        self._waiting = later
        return chosen

    async def _together(self, calls: list[Call[C]]) -> None:
        try:
            await self._run(calls)
        except Exception as error:  # noqa: BLE001 every caller hears of it
            if len(calls) == 1:
                calls[0].settle(error, ())
                return
            for call in calls:
                await self._together([call])

    async def _run(self, calls: list[Call[C]]) -> None:
        async with self._database.transaction() as connection:
            work = self._new_work(connection)
            stored = await keys.find_stored(connection, [c.idempotency for c in calls if c.idempotency])
            fresh = [c for c in calls if not (c.idempotency and c.idempotency in stored)]
            results = await self._verb(work, [c.command for c in fresh]) if fresh else []
            answered = list(zip(fresh, results, strict=True))
            await work.flush()
            to_keep = [(c.idempotency, keys.as_json(result)) for c, result in answered
                       if c.idempotency and not isinstance(result, Problem)]  # fmt: skip
            await keys.store(connection, to_keep, work.now)
        self._after(work)
        for call in calls:
            if call.idempotency and call.idempotency in stored:
                call.settle(stored[call.idempotency], ())
        for call, result in answered:
            call.settle(result, work.seen)
