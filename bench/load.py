"""A cheap load generator in a process of its own: so many POSTs over so many connections, then one line of JSON.

`python -m bench.load '{"host": …, "port": …, "count": …}'`, the fields of Plan. Raw asyncio streams, since a full HTTP
client would need more of the machine than what it measures.
"""

import asyncio
import json
import sys
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from time import monotonic

import uvloop

from bench.words import bodies
from shared.clock import Clock

HEADERS_END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(frozen=True)
class Plan:
    """What to send, and how."""

    host: str
    port: int
    count: int
    path: str = "/v1/requests"
    token: str | None = None
    connections: int = 32
    per_second: float | None = None
    """Send at this rate instead of as fast as answers come."""
    first: int = 0
    """Number of the first body: bodies with different numbers have different contacts."""


@dataclass
class Sent:
    """One call: when it was sent and answered (seconds of the system's monotonic clock), and with what."""

    sent_at: float
    answered_at: float
    status: int
    id: str | None = None


@dataclass
class Outcome:
    """What came of a plan."""

    seconds: float
    statuses: dict[int, int]
    calls: list[Sent] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Successful calls per second."""
        return sum(n for status, n in self.statuses.items() if status < 300) / self.seconds

    def latency_ms(self, percent: float) -> float:
        """A percentile of the time from sending to the whole answer."""
        return percentile([call.answered_at - call.sent_at for call in self.calls], percent) * 1000


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def request(plan: Plan, body: bytes) -> bytes:
    """The whole HTTP request."""
    lines = [f"POST {plan.path} HTTP/1.1", f"Host: {plan.host}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"Authorization: Bearer {plan.token}"] if plan.token else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> Sent:
    sent_at = monotonic()
    writer.write(raw)
    head = await reader.readuntil(HEADERS_END)
    lowered = head.lower()
    begin = lowered.index(LENGTH) + len(LENGTH)
    content = await reader.readexactly(int(lowered[begin : lowered.index(b"\r", begin)]))
    status = int(head[9:12])
    known = json.loads(content).get("id") if status < 300 else None
    return Sent(sent_at, monotonic(), status, known)


async def _connection(plan: Plan, waiting: deque[bytes], calls: list[Sent], ready: asyncio.Semaphore) -> None:
    reader, writer = await asyncio.open_connection(plan.host, plan.port)
    while True:
        await ready.acquire()
        if not waiting:
            break
        calls.append(await _call(reader, writer, waiting.popleft()))
    ready.release()
    writer.close()
    await writer.wait_closed()


async def _pace(plan: Plan, ready: asyncio.Semaphore) -> None:
    """Let one call go at a time, at the plan's rate; then all connections, to see that nothing is left."""
    clock, began = Clock(), monotonic()
    for n in range(plan.count if plan.per_second else 0):
        ahead = began + n / (plan.per_second or 1) - monotonic()
        if ahead > 0:
            await clock.pause(ahead)
        ready.release()
    for _ in range(plan.connections if plan.per_second else plan.count + plan.connections):
        ready.release()


async def run(plan: Plan) -> Outcome:
    """Carry the plan out."""
    waiting = deque(request(plan, body) for body in bodies(plan.first, plan.count))
    calls: list[Sent] = []
    ready = asyncio.Semaphore(0)
    began = monotonic()
    connections = [_connection(plan, waiting, calls, ready) for _ in range(plan.connections)]
    await asyncio.gather(_pace(plan, ready), *connections)
    return Outcome(monotonic() - began, dict(Counter(call.status for call in calls)), calls)


async def run_apart(plan: Plan) -> Outcome:
    """Carry the plan out in another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", json.dumps(asdict(plan)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the load generator failed")
    made = json.loads(said)
    statuses = {int(status): n for status, n in made["statuses"].items()}
    return Outcome(made["seconds"], statuses, [Sent(*call) for call in made["calls"]])


def main() -> None:
    """Carry out the plan that the first argument holds."""
    outcome = uvloop.run(run(Plan(**json.loads(sys.argv[1]))))
    calls = [[call.sent_at, call.answered_at, call.status, call.id] for call in outcome.calls]
    print(json.dumps({"seconds": outcome.seconds, "statuses": outcome.statuses, "calls": calls}))


if __name__ == "__main__":
    main()
