"""Verifying, from beginning to end: the log, then the requests, then the figures; the first difference ends it."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx2
import yaml

from followup import plan
from followup.plan import Promises
from services.client import Remote
from services.verify import figures, views
from services.verify.asking import Api
from services.verify.difference import Difference
from services.verify.history import STATUSES
from services.verify.log import Log, read_log
from services.verify.seals import Seal
from services.verify.sources import OverApi, Source

PLAN_FILE = "followup.yaml"
TIMEOUT_SECONDS = 60


@dataclass
class Report:
    """What was looked at, in lines for people, and where something differs."""

    lines: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    @property
    def is_green(self) -> bool:
        """Whether all that was looked at agrees."""
        return not self.differences

    @property
    def verdict(self) -> str:
        """The last line."""
        if self.is_green:
            return "Verified: the log, the requests and the figures agree."
        more = f" (and {len(self.differences) - 1} more)" if len(self.differences) > 1 else ""
        return f"Not as it should be: {self.differences[0]}{more}"


async def verify(
    source: Source,
    api: Api,
    now: Callable[[], datetime],
    promises: Promises,
    kept_seals: Sequence[Seal] = (),
    *,
    may_be_cut: bool = False,
) -> Report:
    """Read the log, and compare. `now` is the services' time; raises CannotVerify."""
    log = await read_log(source, kept_seals, may_be_cut=may_be_cut)
    report = Report([*_log_lines(log)], log.differences)
    if report.is_green:
        report.differences = await views.compare(log, api) + log.differences
        report.lines.append(_requests_line(log))
    if report.is_green and not log.headless:
        report.differences = await figures.compare(log, api, now, promises) + log.differences
        report.lines.append("The figures: recounted, as a whole and by " + ", ".join(figures.DIMENSIONS) + ".")
    elif report.is_green:
        report.lines.append("The figures: not recounted, since the log does not have every history whole.")
    return report


def _log_lines(log: Log) -> list[str]:
    checks = log.checks
    records, sealed = sum(c.records for c in checks), sum(c.sealed for c in checks)
    last = max((c.last_seal for c in checks if c.last_seal), default="never")
    lines = [f"The log: {records} records in {len(checks)} partitions, {sealed} of them sealed, the last at {last}."]
    if log.no_events:
        lines.append(f"  {log.no_events} records are no events; services park such.")
    if log.headless:
        lines.append(f"  {len(log.headless)} requests have no beginning in the log, and were not looked at.")
    return lines


def _requests_line(log: Log) -> str:
    counts = Counter(request.status for request in log.requests.values())
    parts = [f"{status} {counts[status]}" for status in STATUSES if counts[status]]
    return f"The requests: {len(log.requests)} = {' + '.join(parts) or 'none'}, by the queue and by the watchdog."


async def verify_over_api(remote: Remote, now: Callable[[], datetime], city_dir: Path) -> Report:
    """Verify with nothing but the public API, a token of the desk and the folder of the city's files."""
    async with calling(remote) as api:
        return await verify(OverApi(api), api, now, read_promises(city_dir))


@asynccontextmanager
async def calling(remote: Remote) -> AsyncIterator[Api]:
    """The API, for as long as the block lasts."""
    async with httpx2.AsyncClient(
        base_url=remote.base_url, headers=remote.headers, timeout=TIMEOUT_SECONDS, trust_env=False
    ) as client:
        yield Api(client)


def read_promises(folder: Path) -> Promises:
    """What the city's plan promises where dispatch has promised nothing; the usual where there is no plan."""
    path = folder / PLAN_FILE
    if not path.exists():
        return Promises()
    return plan.parse(yaml.safe_load(path.read_text(encoding="utf-8"))).promises
