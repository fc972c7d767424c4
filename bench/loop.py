"""From the filing through triage and dispatch to the partner's webhook: how long, and how many a second."""

from dataclasses import dataclass

import httpx2

from bench.heed import Running
from bench.load import Outcome, Plan, percentile, run_apart
from bench.receiver import Receiver, receiving
from bench.report import Row, at_least, at_most

STEPS = ("heed.request.received", "heed.request.triaged", "heed.request.assigned")
PER_SECOND = 100
QUIET_SECONDS = 15


@dataclass(frozen=True)
class Course:
    """What became of the filings of one load."""

    outcome: Outcome
    receiver: Receiver

    @property
    def ids(self) -> set[str]:
        """The requests that got a receipt."""
        return {call.id for call in self.outcome.calls if call.id}

    def seconds(self, step: str) -> list[float]:
        """From sending a filing to the webhook that tells of the step."""
        came = self.receiver.came.get(step, {})
        return [came[call.id] - call.sent_at for call in self.outcome.calls if call.id in came]

    @property
    def per_second(self) -> float:
        """How many a second went the whole way, from the first filing sent to the last webhook."""
        came = self.receiver.came.get(STEPS[-1], {})
        last = max(came[i] for i in self.ids if i in came)
        return len(self.seconds(STEPS[-1])) / (last - min(call.sent_at for call in self.outcome.calls))

    def __str__(self) -> str:
        parts = []
        for step in STEPS:
            p50, p99 = (percentile(self.seconds(step), p) * 1000 for p in (50, 99))
            parts.append(f"{step.rsplit('.', 1)[1]} p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        lost = self.receiver.missing(STEPS[-1], self.ids)
        return "; ".join([*parts, *([f"{lost} NOT TOLD"] if lost else [])])


async def register(system: Running, port: int) -> None:
    """Have every request's first three facts sent to the receiver."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{system.port}") as client:
        answer = await client.post(
            "/v1/webhooks",
            headers={"Authorization": f"Bearer {system.token}"},
            json={"url": f"http://127.0.0.1:{port}/hook", "event_types": list(STEPS)},
        )
        answer.raise_for_status()


async def run(receiver: Receiver, plan: Plan) -> Course:
    """Send filings, and wait until the last is assigned and told."""
    course = Course(await run_apart(plan), receiver)
    await receiver.wait_for(STEPS[-1], course.ids, QUIET_SECONDS)
    if not course.seconds(STEPS[-1]):
        raise RuntimeError("no webhook told of an assignment")
    return course


async def measure(system: Running, count: int) -> list[Row]:
    """The rows about the loop; `system` has `count` and more requests afterwards."""
    async with receiving() as (receiver, port):
        await register(system, port)
        even = Plan("127.0.0.1", system.port, count, token=system.token, per_second=PER_SECOND)
        paced = await run(receiver, even)
        most = Plan("127.0.0.1", system.port, count, token=system.token, first=count)
        burst = await run(receiver, most)
    p50, p99 = (percentile(paced.seconds(STEPS[-1]), p) * 1000 for p in (50, 99))
    rate = f"at {paced.outcome.per_second:.0f}/s from sending to the webhook"
    taken = f"{burst.outcome.per_second:.0f}/s taken, all consumers running"
    return [
        at_most(f"received → assigned → webhook, p50 at {PER_SECOND}/s, in ms", f"{rate}: {paced}", p50, 150),
        at_most(f"received → assigned → webhook, p99 at {PER_SECOND}/s, in ms", f"{rate}: {paced}", p99, 1000),
        at_least(f"the whole loop, a burst of {count}, per second", f"{taken}; {burst}", burst.per_second, 300),
    ]
