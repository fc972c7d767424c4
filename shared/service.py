"""What makes a service run: database, migrations, consumer, relay, timers, health, graceful stop."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request

from shared import health
from shared.bus import BusUnavailable
from shared.bus.chosen import make_bus
from shared.clock import Clock
from shared.contracts import Fact
from shared.database import Database, Transaction, migrate
from shared.measuring import measure
from shared.messaging import idempotency as keys
from shared.messaging import parking
from shared.messaging.arrivals import Arrivals
from shared.messaging.consumer import Consumer, Take, Witness
from shared.messaging.grouped import Grouped
from shared.messaging.idempotency import Idempotency
from shared.messaging.positions import Positions
from shared.messaging.recovery import Recovery
from shared.messaging.relay import Relay
from shared.messaging.tables import outbox
from shared.messaging.timers import Fire, Timers
from shared.messaging.transient import is_transient
from shared.messaging.work import Work, say_seen
from shared.problems import CatchingUp, Problem
from shared.settings import Settings, required
from shared.telemetry import FACTS_STATED, LOOP_FAILURES
from shared.tokens import IdentityReader
from shared.web import Door, add_problem_handlers

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")
FLOOR_MIGRATIONS = Path(__file__).parent / "migrations"
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
HOUSEKEEPING_SECONDS = 60.0
MEASURE_SECONDS = 5.0
SETTLING_SECONDS = 0.02
LEARN_SECONDS = 5.0
"""How long a start waits for the bus."""
ATTEMPTS = 3
log = structlog.get_logger()


class Service:
    """One service: its database, its part of the bus, its loops, and the two ways in (calls and facts)."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        clock: Clock | None = None,
        *,
        migrations: Path,
        topics: Sequence[str] = (),
        take: Take | None = None,
        handles: Collection[type[Fact]] = (),
        recalls: Collection[type[Fact]] = (),
        witness: Witness | None = None,
        fire: Fire | None = None,
        background: Sequence[Callable[["Service"], Awaitable[None]]] = (),
        on_start: Callable[["Service"], Awaitable[None]] | None = None,
        on_stop: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Opens nothing yet; raises SettingMissing where it could not start.

        `take` is given the facts of the types in `handles`, from `topics`; of those in `recalls` only own ones that a
        restored database does not know of. `witness` is shown every record as it stands in the log. `background` is run
        again where it fails; what it needs for longer than one failure is closed by `on_stop`.
        """
        self.name, self.settings = name, settings
        self.clock = clock or Clock(settings.dangerous_clock_rate, wrong_by=settings.dangerous_clock_offset_seconds)
        self.database = Database(required(settings.database, "database"))
        self.bus = make_bus(settings)
        self.instance = settings.instance or f"{socket.gethostname()}-{os.getpid()}"
        self.topics = tuple(topics)
        self.arrivals = Arrivals()
        self._identity_public_key = required(settings.identity_public_key, "identity_public_key")
        self._migrations = migrations
        self._background, self._on_start, self._on_stop = background, on_start, on_stop
        self.positions = Positions(self.database, self.instance, settings.lease_seconds)
        self.recovery = Recovery(name, self.database, self.bus, self.topics, settings.lease_seconds)
        self.consumer = self._make_consumer(take, handles, recalls, witness) if take else None
        self.timers = Timers(name, self.database, self.clock.now, fire) if fire else None
        self.relay = Relay(self.database, self.bus, self.instance, settings.lease_seconds, settings.poll_seconds)
        self._timer_set = asyncio.Event()
        self._grouped: list[Grouped[Any, Any]] = []
        self._next_timer_at: Any = None
        self.is_ready = False

    def _make_consumer(
        self,
        take: Take,
        handles: Collection[type[Fact]],
        recalls: Collection[type[Fact]],
        witness: Witness | None,
    ) -> Consumer:
        return Consumer(
            self.name,
            self.database,
            self.bus,
            self.positions,
            self.clock.now,
            take,
            handles,
            recalls,
            self.topics,
            self.settings.batch_events,
            self.recovery,
            witness,
        )

    # The two ways in

    async def command(
        self, verb: Callable[..., Awaitable[T]], *args: Any, idempotency: Idempotency | None = None, **kwargs: Any
    ) -> T:
        """Run a verb in one transaction; tried again where another transaction was in the way.

        With `idempotency`, the answer (a pydantic model) is kept with the key; raises Replay where it is known.
        """
        if self.is_ready and not self.recovery.is_over:
            raise CatchingUp
        for attempt in range(ATTEMPTS):
            try:
                return await self._command_once(verb, idempotency, *args, **kwargs)
            except Exception as error:
                if attempt + 1 == ATTEMPTS or not is_transient(error):
                    raise
            await self.clock.pause(RETRY_SECONDS[attempt] / 10)
        raise AssertionError("unreachable")

    async def _command_once(
        self, verb: Callable[..., Awaitable[T]], idempotency: Idempotency | None, *args: Any, **kwargs: Any
    ) -> T:
        async with self.database.transaction() as connection:
            work = Work(connection, self.clock.now(), self.name)
            if idempotency:
                stored = await keys.find_stored(connection, [idempotency])
                if idempotency in stored:
                    raise stored[idempotency]
            result = await verb(work, *args, **kwargs)
            await work.flush()
            if idempotency:
                await keys.store(connection, [(idempotency, keys.as_json(result))], work.now)
        self.after(work)
        say_seen(work.seen)
        return result

    async def query(
        self, query: Callable[Concatenate[Transaction, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query in a transaction of its own; it states nothing."""
        async with self.database.transaction() as connection:
            return await query(connection, *args, **kwargs)

    def grouped(self, verb: Callable[[Work, list[C]], Awaitable[Sequence[R | Problem]]]) -> Grouped[C, R]:
        """A verb over many commands at once, for calls that come together to share a transaction."""
        made = Grouped(self.database, lambda c: Work(c, self.clock.now(), self.name), verb, self.after)
        self._grouped.append(made)
        return made

    def after(self, work: Work) -> None:
        """What follows the commit: relay what was stated, look at timers that were set."""
        if work.has_stated:
            FACTS_STATED.labels(self.name).inc(len(work.seen))
            self.relay.wake()
        at = work.next_timer_at
        if at is not None and (self._next_timer_at is None or at < self._next_timer_at):
            self._timer_set.set()

    async def retry_parked(self, work: Work, event_id: UUID, *, drop: bool) -> None:
        """Handle a parked event, and those behind it, again; with `drop`, without the event itself."""
        records = await parking.take_out(work, event_id, drop=drop)
        if self.consumer:
            await self.consumer.retry(work, records)

    # Running

    async def start(self) -> None:
        """Bring the schema up to date, connect, and follow the database's clock."""
        await self.migrate()
        await self.bus.start()
        await self.synchronise()
        with suppress(BusUnavailable, TimeoutError):  # tried again until it is there
            async with asyncio.timeout(LEARN_SECONDS):
                await self.recovery.learn()
        if self._on_start:
            await self._on_start(self)

    async def settled(self, within_seconds: float) -> bool:
        """Whether all that was stated here is on the bus, and all that is on the bus was taken, within this time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                while not await self._is_settled():
                    await self.clock.pause(SETTLING_SECONDS)
                return True
        return False

    async def _is_settled(self) -> bool:
        async with self.database.transaction() as connection:
            if (await connection.execute(sa.select(sa.func.count()).select_from(outbox))).scalar_one():
                return False
        ends, read = await self.bus.ends(self.topics), self.positions.read_from
        return all(read.get(partition, 0) >= end for partition, end in ends.items())

    async def migrate(self) -> None:
        """Bring the floor's and the service's own tables up to date."""
        await migrate(self.database, FLOOR_MIGRATIONS, "floor_version")
        await migrate(self.database, self._migrations)

    async def synchronise(self) -> None:
        """Set the clock by the database's."""
        async with self.database.transaction() as connection:
            self.clock.synchronise((await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run until the block ends; then stop gracefully: finish what is in hand, hand over the leases."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        loops = [
            asyncio.create_task(self._supervise(loop), name=f"{self.name}-{loop.__name__}") for loop in self._loops()
        ]
        self.is_ready = True
        log.info("service_ready", service=self.name)
        try:
            yield
        finally:
            self.is_ready = False
            for task in loops:
                task.cancel()
            await asyncio.wait(loops, timeout=self.settings.stop_seconds)
            if self._on_stop:
                await self._on_stop()
            await self._hand_over()
            await self.stop()
            log.info("service_stopped", service=self.name)

    async def stop(self) -> None:
        """Let go of everything, once the calls that share a transaction have their answers."""
        for grouped in self._grouped:
            await grouped.settle(self.settings.stop_seconds)
        await self.bus.stop()
        await self.database.close()

    async def _hand_over(self) -> None:
        with suppress(Exception):  # the leases run out by themselves
            async with asyncio.timeout(self.settings.stop_seconds):
                await self.relay.release()
                if self.recovery.has_learned:  # else the next start must still see since when it was not in use
                    await self.positions.release()

    def _loops(self) -> list[Callable[[], Awaitable[None]]]:
        loops: list[Callable[[], Awaitable[None]]] = [self._relay, self._keep_house, self._measure]
        if self.consumer:
            loops.append(self._consume)
        if self.timers:
            loops.append(self._fire_timers)
        return loops + [_bound(work, self) for work in self._background]

    async def _supervise(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop for as long as the service runs; after a failure again, with back-off."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await loop()
            except Exception as error:  # noqa: BLE001 a loop must not end
                LOOP_FAILURES.labels(self.name, loop.__name__).inc()
                log.warning("loop_failed", service=self.name, loop=loop.__name__, error=type(error).__name__)
            if asyncio.get_running_loop().time() - began > RETRY_SECONDS[-1]:
                failures = 0
            await self.clock.pause(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _relay(self) -> None:
        await self.recovery.learn()
        await self.relay.run()

    async def _consume(self) -> None:
        assert self.consumer  # noqa: S101 started only where there is one
        time = asyncio.get_running_loop().time
        reported_at = time()
        await self.recovery.learn()
        claim_every, patience = self.settings.lease_seconds / 3, self.settings.poll_seconds
        async with self.bus.reader(f"heed.{self.name}") as reader:
            while True:
                done = await self.consumer.step(reader, time(), claim_every, patience)
                for work in done:
                    self.after(work)
                if done:
                    self.arrivals.signal()
                await self.recovery.look()
                if time() - reported_at >= MEASURE_SECONDS:
                    await reader.report()
                    reported_at = time()

    async def _fire_timers(self) -> None:
        assert self.timers  # noqa: S101 started only where there is one
        while True:
            self._timer_set.clear()
            if self.clock.is_trustworthy and self.recovery.is_over:
                while done := await self.timers.fire_due():
                    for work in done:
                        self.after(work)
            self._next_timer_at = await self.timers.next_due_at()
            if not self._timer_set.is_set():
                await self._wait_for_timer()

    async def _wait_for_timer(self) -> None:
        """Until the next timer is due, an earlier one is set here, or another process may have set one."""
        waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._timer_set.wait())]
        if self._next_timer_at is not None:
            waiting.append(asyncio.ensure_future(self.clock.sleep_until(self._next_timer_at)))
        try:
            await asyncio.wait(waiting, timeout=self.settings.poll_seconds * 5, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    async def _keep_house(self) -> None:
        while True:
            await self.clock.pause(HOUSEKEEPING_SECONDS)
            await self.synchronise()
            async with self.database.transaction() as connection:
                await keys.forget_old(connection, self.clock.now(), self.settings.idempotency_hours)

    async def _measure(self) -> None:
        while True:
            await measure(self.name, self.database, self.bus, self.topics, self.positions, self.timers)
            await self.clock.pause(MEASURE_SECONDS)

    # The app

    def app(self, *routers: APIRouter) -> FastAPI:
        """The service's FastAPI app: its routes, and those that every service has."""

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with self.running():
                yield

        app = FastAPI(title=f"Heed {self.name}", lifespan=lifespan, docs_url=None, redoc_url=None)
        app.state.service = self
        app.state.identity_reader = IdentityReader(self._identity_public_key)
        add_problem_handlers(app)
        for router in (*routers, health.router):
            app.include_router(router)
        app.add_middleware(Door, name=self.name)
        return app


def _bound(work: Callable[[Service], Awaitable[None]], service: Service) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        await work(service)

    loop.__name__ = work.__name__
    return loop


async def service_of(request: Request) -> Service:
    """The service whose app was called."""
    service: Service = request.app.state.service
    return service


Here = Annotated[Service, Depends(service_of)]
