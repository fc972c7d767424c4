"""Endpoints and deliveries: who is entitled to what, when to try again, when to give up, and what is signed. Pure."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from uuid import UUID

from shared.contracts import drills
from shared.contracts import lookback as b
from shared.contracts import requests as r

SECRET_PREFIX = "whsec_"  # noqa: S105 the prefix of Standard Webhooks, no secret
SECRET_BYTES = 32
SECRET_OVERLAP = timedelta(hours=24)
"""How long both the old and the new secret sign after a rotation."""
LARGEST_PAYLOAD_BYTES = 20_000  # what Standard Webhooks asks for: "less than 20 kB"
JITTER = 0.2
PAUSE_AFTER_FAILURES = 3
LONGEST_PAUSE = timedelta(minutes=1)
LONGEST_RETRY_AFTER = timedelta(hours=24)
TEST_TYPE = "heed.webhook.test"
PROVIDER_ID = UUID(int=1)
"""The city's message provider among the endpoints: sent to like any other; nobody sees or changes it there."""
ERRORS = frozenset(
    {"timeout", "unreachable", "protocol", "refused", "expired", "no_contact", "phone_unavailable", "no_secret"}
)
THROTTLING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses by which the other side says that it is not up to calls now, whichever they are."""


UNSEEN_BY_HANDLERS = frozenset({r.ResidentVisited.TYPE, b.RequestInspected.TYPE})
"""Who was drawn for a look-back is for no handler to see: no organisation is sent these."""
DRILLS = frozenset({drills.DrillAsked.TYPE, drills.DrillClosed.TYPE})
"""Facts about no request but about an organisation, which is sent its own."""


class Disabled(StrEnum):
    """Why nothing is sent to an endpoint."""

    OWNER = "owner"
    GONE = "gone"
    FAILING = "failing"


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to try again and when to give up on an endpoint."""

    retry_seconds: tuple[float, ...]
    """Pauses between attempts; after the last one the delivery has failed."""
    disable_after: timedelta
    """An endpoint that only failed for this long is disabled …"""
    disable_span: timedelta
    """… where its first and last failure lie at least this far apart."""

    @classmethod
    def parse(cls, retry_seconds: str, disable_after_seconds: float, disable_span_seconds: float) -> "Limits":
        """From settings; raises ValueError where a pause is no positive number."""
        pauses = tuple(float(part) for part in retry_seconds.split(","))
        if min(pauses) <= 0:
            raise ValueError("every pause between attempts must be greater than 0 seconds")
        return cls(
            retry_seconds=pauses,
            disable_after=timedelta(seconds=disable_after_seconds),
            disable_span=timedelta(seconds=disable_span_seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one call came to: a status, or the reason why there was none."""

    at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    """One of ERRORS: never what the other side wrote."""
    retry_after: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        """2xx alone; a redirect is a failure."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def is_gone(self) -> bool:
        """The endpoint says that it will not come back."""
        return self.status_code == HTTPStatus.GONE

    @property
    def is_hopeless(self) -> bool:
        """There is nothing to send any more, so that no further attempt can succeed."""
        return self.error in {"expired", "no_contact"}

    @property
    def is_about_the_endpoint(self) -> bool:
        """Any other delivery would have failed just so: no answer, or an answer that says so."""
        return self.status_code in THROTTLING if self.status_code else not self.is_hopeless


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a partner wants to be told, of what, and how it has been doing."""

    id: UUID
    url: str
    event_types: frozenset[str]
    """Empty: all."""
    organisation: str | None
    """None: of every request in the city."""
    description: str | None
    enabled: bool
    disabled_because: Disabled | None
    revision: int
    created_at: datetime
    failures: int = 0
    """In a row, whichever delivery they were of."""
    failing_since: datetime | None = None
    """The first of them."""
    last_failed_at: datetime | None = None
    paused_until: datetime | None = None

    def wants(self, event_type: str) -> bool:
        """Whether it asked for this type, and may have it."""
        if self.organisation is not None and event_type in UNSEEN_BY_HANDLERS:
            return False
        return not self.event_types or event_type in self.event_types

    def is_entitled(self, organisations: frozenset[str]) -> bool:
        """Whether it may hear of a request on which these organisations have or had a task."""
        return self.organisation is None or self.organisation in organisations

    def after(self, attempt: Attempt, next_at: datetime | None) -> "Endpoint":
        """Its state after an attempt; `next_at` is when that delivery is tried again.

        An endpoint that is not up to calls is left alone for a moment, at most a minute, so that what waits for it
        stays in order and does not crowd out others.
        """
        if attempt.succeeded:
            return replace(self, failures=0, failing_since=None, last_failed_at=None, paused_until=None)
        if attempt.is_hopeless:
            return self
        failures = self.failures + 1
        failed = replace(
            self, failures=failures, failing_since=self.failing_since or attempt.at, last_failed_at=attempt.at
        )
        if attempt.is_gone:
            return replace(failed, enabled=False, disabled_because=Disabled.GONE, paused_until=None)
        if attempt.is_about_the_endpoint or failures >= PAUSE_AFTER_FAILURES:
            longest = max(LONGEST_PAUSE, min(attempt.retry_after or LONGEST_PAUSE, LONGEST_RETRY_AFTER))
            until = attempt.at + longest
            return replace(failed, paused_until=min(until, next_at) if next_at else until)
        return failed

    def has_lastingly_failed(self, now: datetime, limits: Limits) -> bool:
        """Whether nothing but failure came of it for so long that it is to be disabled."""
        if self.failing_since is None or self.last_failed_at is None:
            return False
        span = self.last_failed_at - self.failing_since
        return now - self.failing_since >= limits.disable_after and span >= limits.disable_span

    def enable(self, enabled: bool) -> "Endpoint":
        """By its owner's word; begins anew, whatever failed before."""
        because = None if enabled else Disabled.OWNER
        fresh = replace(self, failures=0, failing_since=None, last_failed_at=None, paused_until=None)
        return replace(fresh, enabled=enabled, disabled_because=because)

    def fail_for_good(self) -> "Endpoint":
        """Disabled after lasting failure."""
        return replace(self, enabled=False, disabled_because=Disabled.FAILING, paused_until=None)


def recovered(before: Endpoint, after: Endpoint) -> bool:
    """Whether an endpoint that was away is back, so that what failed meanwhile need not wait for its turn."""
    return before.failures >= PAUSE_AFTER_FAILURES and after.failures == 0


def next_attempt_at(tries: int, attempt: Attempt, chance: float, limits: Limits) -> datetime | None:
    """When to try again after the `tries`-th failed attempt; None for never.

    `chance`, from 0 to 1, is the jitter's. A Retry-After is honoured up to a day, and never shortens the pause.
    """
    if tries > len(limits.retry_seconds) or attempt.is_gone or attempt.is_hopeless:
        return None
    pause = timedelta(seconds=limits.retry_seconds[tries - 1] * (1 - JITTER + 2 * JITTER * chance))
    asked = min(attempt.retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return attempt.at + max(pause, asked)


def parse_retry_after(value: str | None, wall_now: datetime) -> timedelta | None:
    """What a Retry-After header asks for: seconds or an HTTP date; None where it asks for nothing we understand."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return timedelta(seconds=min(int(value), LONGEST_RETRY_AFTER.total_seconds()))
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(until - wall_now, timedelta(0))


# What is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFact:
    """A fact as it came off the bus, kept for sending and for replay."""

    event_id: UUID
    request_id: UUID | None
    """None for a test event, and for a fact about an organisation."""
    number: int
    """Its place in the request's history as callbacks read it, from 1."""
    type: str
    source: str
    sequence: int
    at: datetime
    data: dict[str, Any]


def payload(fact: KeptFact) -> bytes:
    """The body of a delivery: below 20 kB, no text, and the same at every attempt."""
    about: dict[str, Any] = {} if fact.request_id is None else {"request_id": str(fact.request_id)}
    document = {
        "id": str(fact.event_id),
        "type": fact.type,
        "timestamp": fact.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "subject": str(fact.request_id or fact.event_id),
        "source": fact.source,
        "sequence": fact.sequence,
        "number": fact.number,
        "data": about | fact.data,
    }
    body = _json(document)
    if len(body) < LARGEST_PAYLOAD_BYTES:
        return body
    return _json(document | {"data": about | {"left_out": True}})


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def show_secret(secret: bytes) -> str:
    """The secret as its owner gets it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """The bytes of a `whsec_…`; raises ValueError where it is none, or shorter than 24 bytes."""
    secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    if not text.startswith(SECRET_PREFIX) or len(secret) < 24:
        raise ValueError("a signing secret is whsec_ and the base64 of 24 bytes or more")
    return secret


def signed_headers(secrets: Sequence[bytes], message_id: str, wall_now: datetime, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks, signed with each secret. `wall_now` is real time: receivers check its age."""
    timestamp = str(int(wall_now.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
