"""The whole on Kafka, as processes of its own on this box: with one replica of each service, and with two."""

from dataclasses import replace
from pathlib import Path

from bench import loop
from bench.filing import WARM_UP, plain
from bench.heed import CLUSTER, Running, heed
from bench.load import Plan, run_apart
from bench.report import Row, at_least


async def measure(work: Path, count: int) -> list[Row]:
    """The rows about the cluster."""
    async with plain("echo", {}, None) as echo:
        await echo.load(WARM_UP)
        await echo.measure(count)
    found = []
    for replicas in (1, 2):
        title = f"cluster, {replicas} of each: "
        async with heed(work / f"cluster-{replicas}", *CLUSTER, "--replicas", str(replicas)) as system:
            found.append(await _accepted(system, count, echo.rate, title))
            rows = await loop.measure(system, count)
        found += [replace(row, work=title + row.work) for row in rows]
    return found


async def _accepted(system: Running, count: int, echo_rate: float, title: str) -> Row:
    """Filings taken as fast as they are answered, while everything behind runs too."""
    outcome = await run_apart(Plan("127.0.0.1", system.port, count, token=system.token, first=10 * count))
    taken, p99 = outcome.per_second, outcome.latency_ms(99)
    figures = f"{taken:.0f}/s, p99 {p99:.0f} ms; echo {echo_rate:.0f}/s"
    return at_least(f"{title}filing against a bare echo", figures, taken / echo_rate, 0.30)
