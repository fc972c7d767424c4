"""How fast a caller may call, and how much it may send at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from shared.clock import wall_now
from shared.identity import Kind, Principal
from shared.problems import BodyTooLarge, TooManyRequests
from shared.settings import Settings
from shared.web import Message, Receive

WINDOW_SECONDS = 60


class Limits:
    """Counts calls by the minute, per principal, and per address where nobody is named; this process's own counts."""

    def __init__(self, settings: Settings) -> None:
        """Reads the limits from the settings."""
        self._anonymous_most = settings.anonymous_calls_per_minute
        self._resident_most = settings.resident_calls_per_minute
        self._named_most = settings.named_calls_per_minute
        self._window = 0
        self._calls: Counter[str] = Counter()
        self._streams_most = settings.streams_per_caller
        self._streams: dict[str, int] = {}
        self._body_bytes = settings.body_limit_bytes

    def count(self, caller: Principal, address: str) -> None:
        """Count a call; raises TooManyRequests, with how long to wait, where there were too many."""
        now = wall_now().timestamp()
        window = int(now // WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._calls.clear()
        who = address if caller.kind is Kind.ANONYMOUS else f"{caller.kind}:{caller.id}"
        self._calls[who] += 1
        if self._calls[who] > self._most(caller):
            raise TooManyRequests(retry_after_seconds=max(1, ceil((window + 1) * WINDOW_SECONDS - now)))

    def _most(self, caller: Principal) -> int:
        if caller.kind is Kind.ANONYMOUS:
            return self._anonymous_most
        return self._resident_most if caller.kind is Kind.RESIDENT else self._named_most

    @contextmanager
    def stream(self, caller: Principal) -> Iterator[None]:
        """Keep one of the caller's live streams open; raises TooManyRequests where all are in use."""
        who = f"{caller.kind}:{caller.id}"
        if self._streams.get(who, 0) >= self._streams_most:
            raise TooManyRequests("You have too many live streams open. Close one.", retry_after_seconds=5)
        self._streams[who] = self._streams.get(who, 0) + 1
        try:
            yield
        finally:
            self._streams[who] -= 1
            if not self._streams[who]:
                del self._streams[who]

    def check_length(self, stated: bytes | None) -> None:
        """Raise BodyTooLarge where the header Content-Length states more than we take."""
        if stated is not None and not (stated.isdigit() and int(stated) <= self._body_bytes):
            raise BodyTooLarge(limit_bytes=self._body_bytes)

    async def read_whole(self, receive: Receive) -> Receive:
        """Read a body of unstated length, to the limit; the same body again. Raises BodyTooLarge."""
        messages, size = [], 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._body_bytes:
                raise BodyTooLarge(limit_bytes=self._body_bytes)
            messages.append(message)
            if not message.get("more_body"):
                break
        again = iter(messages)

        async def replay() -> Message:
            return next(again, None) or await receive()

        return replay
