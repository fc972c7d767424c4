"""`python -m bench [triage] [filing] [loop] [stored]`: the comparisons named, all of them by default.

BENCH_COUNT is how many requests each load sends (3,000), BENCH_ROWS how many are stored (100,000; the budget speaks of
1,000,000, which takes some minutes to seed).
"""

import os
import shutil
import sys
from pathlib import Path

import uvloop

from bench import filing, loop, report, stored, triage
from bench.heed import WHOLE, heed, work_folder
from bench.report import Row

COUNT = 3_000
ROWS = 100_000
PARTS = ("triage", "filing", "loop", "stored")


async def measure(parts: list[str], work: Path) -> list[Row]:
    """The rows of the parts."""
    count, rows = int(os.environ.get("BENCH_COUNT", COUNT)), int(os.environ.get("BENCH_ROWS", ROWS))
    found: list[Row] = []
    if "triage" in parts:
        found += triage.measure()
        print(report.table(found))
    if "filing" in parts:
        found += await filing.measure(work, count)
        print(report.table(found))
    if "loop" in parts:
        async with heed(work / "loop", *WHOLE) as system:
            found += await loop.measure(system, count)
        print(report.table(found))
    if "stored" in parts:
        found += await stored.measure(work, rows)
    return found


def main() -> None:
    """Measure, print, write var/bench.md and var/bench.json."""
    work = work_folder()
    try:
        rows = uvloop.run(measure(sys.argv[1:] or list(PARTS), work))
    finally:
        shutil.rmtree(work)
    print(report.write(rows))


if __name__ == "__main__":
    main()
