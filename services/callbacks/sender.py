"""Sends what is due, many at once, and records what came of it; never inside a transaction.

Three steps of their own: take with a lease, call, record. A process that dies between them leaves the lease to end,
and the delivery is sent again under the same webhook-id. However slow a partner is, it holds only its own share.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

from services.callbacks import endpoints, queue, store
from services.callbacks.handlers import state_notified
from services.callbacks.model import (
    PROVIDER_ID,
    Attempt,
    DeliveryState,
    Endpoint,
    Limits,
    next_attempt_at,
    parse_retry_after,
    payload,
    recovered,
    signed_headers,
)
from services.callbacks.phones import NoContact, Phones, PhoneUnavailable, notice_body
from services.callbacks.queue import Settled, Taken
from shared.clock import wall_now
from shared.contracts.callbacks import DeliveryFailed, DeliverySucceeded
from shared.contracts.vocabulary import NoticeOutcome
from shared.messaging.work import Work
from shared.outgoing import CallFailed, Outgoing, TargetRefused
from shared.sealing import Keyring
from shared.service import Service

ATTEMPTS = Counter("heed_callback_attempts_total", "Calls to partners by status code, or why there was none.", ["code"])
GATHER_SECONDS = 0.01
"""Between two takings, so that one takes several: a taking costs about as much as a call."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSend:
    """A delivery with all that a call needs."""

    delivery: Taken
    secrets: Sequence[bytes]
    body: bytes | None = None
    """None for a notice, which is completed with the phone, and where what was to be sent is forgotten."""
    notice: Mapping[str, Any] | None = None


class Sender:
    """One per process; several processes share the queue."""

    def __init__(
        self, service: Service, outgoing: Outgoing, keyring: Keyring, limits: Limits, phones: Phones | None
    ) -> None:
        """`phones`: None where the city has no message provider."""
        self._service, self._outgoing, self._keyring = service, outgoing, keyring
        self._limits, self._phones = limits, phones
        self._record = service.grouped(self._record_all)
        self._wake = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Send for as long as the service runs; calls under way at the end are left to their leases."""
        listening = asyncio.create_task(self._listen(), name="callbacks-listen")
        try:
            while True:
                self._wake.clear()
                if await self.send_some():
                    await self._service.clock.pause(GATHER_SECONDS)
                else:
                    await self._rest()
        finally:
            mine = [listening, *self._under_way]
            for task in mine:
                task.cancel()
            await asyncio.gather(*mine, return_exceptions=True)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._outgoing.aclose()
        if self._phones is not None:
            await self._phones.aclose()

    async def _listen(self) -> None:
        """Facts that were just taken may have queued something."""
        while True:
            await self._service.arrivals.wait(60)
            self.wake()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._service.settings.poll_seconds)
        except TimeoutError:
            return

    async def send_some(self) -> int:
        """Take what may be sent now and begin to call: how many calls. Does not wait for them."""
        room = self._service.settings.callback_concurrency - len(self._under_way)
        due = await self._service.command(self._take, room) if room > 0 else []
        for one in due:
            task = asyncio.create_task(self._send(one), name="callbacks-send")
            self._under_way.add(task)
            task.add_done_callback(self._sent)
        return len(due)

    async def send_all(self) -> None:
        """Send what is due now and what follows from it, and wait for every call."""
        while await self.send_some() or self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            log.warning("delivery_unrecorded", service=self._service.name, error=type(error).__name__)

    # Taking

    async def _take(self, work: Work, room: int) -> list[ToSend]:
        settings, connection = self._service.settings, work.connection
        taken = await queue.take_due(
            connection,
            work.now,
            most=room,
            per_endpoint=settings.callback_endpoint_concurrency,
            lease_seconds=settings.callback_lease_seconds,
        )
        if not taken:
            return []
        facts = await store.load_facts(connection, [t.event_id for t in taken if t.endpoint_id != PROVIDER_ID])
        notices = await store.load_notices(connection, [t.event_id for t in taken if t.endpoint_id == PROVIDER_ID])
        sealed = await store.load_secrets(connection, {t.endpoint_id for t in taken})
        secrets = {one: endpoints.open_secrets(self._keyring, one, row, work.now) for one, row in sealed.items()}
        return [
            ToSend(
                delivery=one,
                secrets=secrets[one.endpoint_id],
                body=payload(facts[one.event_id]) if one.event_id in facts else None,
                notice=notices.get(one.event_id),
            )
            for one in taken
        ]

    # Calling

    async def _send(self, one: ToSend) -> None:
        began = monotonic()
        attempt = await self._attempt(one)
        attempt = replace(attempt, duration_ms=int((monotonic() - began) * 1000))
        ATTEMPTS.labels(attempt.status_code or attempt.error).inc()
        await self._record((one.delivery, attempt))

    async def _attempt(self, one: ToSend) -> Attempt:
        """Call; whatever goes wrong is the attempt's outcome."""
        failed = Attempt(at=self._service.clock.now(), duration_ms=0)
        try:
            body = await self._body(one)
            if body is None or not one.secrets:
                return replace(failed, error="no_secret" if body else "expired")
            headers = signed_headers(one.secrets, str(one.delivery.event_id), wall_now(), body)
            answer = await self._outgoing.post(one.delivery.url, body, headers)
        except CallFailed as away:
            return replace(failed, error=away.reason)
        except TargetRefused:
            return replace(failed, error="refused")
        except NoContact:
            return replace(failed, error="no_contact")
        except PhoneUnavailable:
            return replace(failed, error="phone_unavailable")
        asked = parse_retry_after(answer.headers.get("retry-after"), wall_now())
        return replace(failed, status_code=answer.status, retry_after=asked)

    async def _body(self, one: ToSend) -> bytes | None:
        if one.notice is None or self._phones is None:
            return one.body
        return notice_body(one.notice, await self._phones.of(one.notice["request_id"]))

    # Recording

    async def _record_all(self, work: Work, outcomes: list[tuple[Taken, Attempt]]) -> list[bool]:
        """Save outcomes together: endpoints are locked before deliveries, as everywhere."""
        taken = [delivery for delivery, _ in outcomes]
        before = await store.lock_endpoints(work.connection, {delivery.endpoint_id for delivery in taken})
        ours = await queue.still_ours(work.connection, taken)
        after = dict(before)
        settled = []
        for delivery, attempt in sorted(outcomes, key=lambda outcome: outcome[1].at):
            if (delivery.id, delivery.lease) in ours and delivery.endpoint_id in after:
                one = self._settle(delivery, attempt)
                settled.append(one)
                after[delivery.endpoint_id] = after[delivery.endpoint_id].after(attempt, one.due_at)
        await queue.settle(work.connection, settled)
        await self._save_endpoints(work, before, after)
        await self._say(work, settled)
        return [(delivery.id, delivery.lease) in ours for delivery in taken]

    def _settle(self, delivery: Taken, attempt: Attempt) -> Settled:
        again = (
            None if attempt.succeeded else next_attempt_at(delivery.tries + 1, attempt, random.random(), self._limits)
        )
        return Settled(delivery=delivery, attempt=attempt, due_at=again)

    async def _save_endpoints(self, work: Work, before: dict[UUID, Endpoint], after: dict[UUID, Endpoint]) -> None:
        for endpoint_id, new in after.items():
            old = before[endpoint_id]
            if endpoint_id == PROVIDER_ID:
                new = replace(new, enabled=True, disabled_because=None)  # noqa: PLW2901 the city's own is never given up
            else:
                self._watch(work, old, new)
            if new != old:
                await store.save_endpoint(work.connection, new)
        back = [one for one in after if recovered(before[one], after[one])]
        await queue.bring_forward(work.connection, back)

    def _watch(self, work: Work, old: Endpoint, new: Endpoint) -> None:
        """Set or cancel the timer that judges a failing endpoint; say so where it is gone."""
        if old.enabled and not new.enabled:
            endpoints.state_disabled(work, new)
        elif old.failing_since and not new.failing_since:
            work.cancel_timers(str(new.id), endpoints.FAILING_TIMER)
        elif new.failing_since and not old.failing_since:
            due = new.failing_since + self._limits.disable_after
            work.set_timer(endpoints.FAILING_TIMER, str(new.id), due)

    async def _say(self, work: Work, settled: Sequence[Settled]) -> None:
        for one in settled:
            if one.delivery.endpoint_id != PROVIDER_ID:
                _state_delivery(work, one)
        ended = {
            one.delivery.event_id: NoticeOutcome.DELIVERED if one.attempt.succeeded else NoticeOutcome.FAILED
            for one in settled
            if one.delivery.endpoint_id == PROVIDER_ID and one.state is not DeliveryState.PENDING
        }
        if ended:
            await store.save_outcomes(work.connection, ended, work.now)
            told = await store.load_notices(work.connection, ended)
            for notice_id, notice in told.items():
                state_notified(work, notice, ended[notice_id])


def _state_delivery(work: Work, one: Settled) -> None:
    delivery = one.delivery
    about: dict[str, Any] = {
        "endpoint_id": delivery.endpoint_id,
        "delivery_id": delivery.id,
        "event_id": delivery.event_id,
        "event_type": delivery.type,
        "attempt": delivery.attempts + 1,
    }
    if one.attempt.succeeded:
        work.state(DeliverySucceeded(**about), delivery.endpoint_id)
    else:
        final = one.state is DeliveryState.FAILED
        failed = DeliveryFailed(**about, status_code=one.attempt.status_code, final=final)
        work.state(failed, delivery.endpoint_id)
