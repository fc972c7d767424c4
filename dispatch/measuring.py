"""Metrics of dispatch: how often the first route was right, who was not reached, and who keeps up with what comes.

Counted once in a while and kept, so that a scrape costs nothing; labels are the organisations of the directory.
"""

from datetime import timedelta
from math import inf, nan

from prometheus_client import Gauge

from dispatch.directory import Desk
from dispatch.drill_store import last_unreached
from dispatch.handlers import first_route_rate, forecast
from dispatch.surge import Backlog
from shared.service import Service

COUNT_SECONDS = 30.0
SPEED = timedelta(hours=1)
"""Over which arrivals and answers are counted."""
ROUTED = timedelta(days=1)
"""Leads answered since then say how often the first route was right."""

FIRST_ROUTE_SHARE = Gauge(
    "heed_first_route_share",
    "Of the leads answered in a day, those that the first organisation answered.",
)
UNREACHED = Gauge("heed_drill_unreached", "People who did not answer the last reachability drill.")
OPEN = Gauge("heed_backlog_requests", "Open requests that the organisation leads.", ["organisation"])
ARRIVED = Gauge("heed_backlog_arrived_per_hour", "Requests that came to the organisation in an hour.", ["organisation"])
ANSWERED = Gauge("heed_backlog_answered_per_hour", "Requests that it answered in an hour.", ["organisation"])
CLEARS = Gauge("heed_backlog_clears_in_hours", "When nothing is left, at this speed; +Inf: never.", ["organisation"])
OF_ORGANISATIONS = (OPEN, ARRIVED, ANSWERED, CLEARS)


class Measures:
    """Keeps the gauges; one for each service that runs."""

    def __init__(self, desk: Desk) -> None:
        """`desk` knows the city."""
        self._desk = desk
        self._shown: set[str] = set()

    async def keep_measures(self, service: Service) -> None:
        """Count, and count again, for as long as the service runs."""
        while True:
            await self.count(service)
            await service.clock.pause(COUNT_SECONDS)

    async def count(self, service: Service) -> None:
        """Set every gauge to what is so now; of an organisation that is gone there is none any more."""
        now = service.clock.now()
        routed = await service.query(first_route_rate, now - ROUTED)
        FIRST_ROUTE_SHARE.set(nan if routed.value is None else routed.value)
        UNREACHED.set(len(await service.query(last_unreached)))
        rows = await service.query(forecast, self._desk, now, SPEED)
        for row in rows:
            _set(row)
        for name in self._shown - {row.organisation for row in rows}:
            for gauge in OF_ORGANISATIONS:
                gauge.remove(name)
        self._shown = {row.organisation for row in rows}


def _set(row: Backlog) -> None:
    never = inf if row.open else 0
    OPEN.labels(row.organisation).set(row.open)
    ARRIVED.labels(row.organisation).set(row.arrived_per_hour)
    ANSWERED.labels(row.organisation).set(row.answered_per_hour)
    CLEARS.labels(row.organisation).set(never if row.clears_in_hours is None else row.clears_in_hours)
