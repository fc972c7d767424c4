"""`python -m bench [triage] [filing] [loop] [stored] [cost] [assign] [timers] [bus] [cluster]`: those named, else all.

Without Java, all but the last two.

BENCH_COUNT is how many requests each load sends (3,000), BENCH_ROWS how many are stored (100,000; the budget speaks of
1,000,000, which takes some minutes to seed). BENCH_LIVES is how many requests `cost` follows to their end (200).
"""

import os
import shutil
import sys
from pathlib import Path

import uvloop

from bench import assign, bus, cluster, cost, filing, loop, report, stored, timers, triage
from bench.heed import WHOLE, heed, work_folder
from bench.report import Row

COUNT = 3_000
ROWS = 100_000
LIVES = 200
PARTS = ("triage", "filing", "loop", "stored", "cost", "assign", "timers")
ON_KAFKA = ("bus", "cluster")


async def measure(parts: list[str], work: Path) -> list[Row]:
    """The rows of the parts."""
    count, rows = int(os.environ.get("BENCH_COUNT", COUNT)), int(os.environ.get("BENCH_ROWS", ROWS))
    found: list[Row] = _measure_alone(parts, count)
    if "filing" in parts:
        found += await filing.measure(work, count)
        print(report.table(found))
    if "loop" in parts:
        async with heed(work / "loop", *WHOLE) as system:
            found += await loop.measure(system, count)
        print(report.table(found))
    if "stored" in parts:
        found += await stored.measure(work, rows)
        print(report.table(found))
    if "bus" in parts:
        found += await bus.measure(work, count * 10)
        print(report.table(found))
    if "cluster" in parts:
        found += await cluster.measure(work, count)
    if "cost" in parts:
        lives = int(os.environ.get("BENCH_LIVES", LIVES))
        found += await cost.measure(work, lives, with_kafka=shutil.which("java") is not None)
    if "timers" in parts:
        found += await timers.measure(work)
    return found


def _measure_alone(parts: list[str], count: int) -> list[Row]:
    """What takes no running system."""
    found = triage.measure() if "triage" in parts else []
    found += assign.measure(count) if "assign" in parts else []
    print(report.table(found))
    return found


def default_parts() -> list[str]:
    """All that can be measured here."""
    return [*PARTS, *(ON_KAFKA if shutil.which("java") else ())]


def main() -> None:
    """Measure, print, write var/bench.md and var/bench.json."""
    work = work_folder()
    try:
        rows = uvloop.run(measure(sys.argv[1:] or default_parts(), work))
    finally:
        shutil.rmtree(work)
    print(report.write(rows))


if __name__ == "__main__":
    main()
