"""Logs without personal data, and metrics. A log line is an event's name and ids: never a text, a name, a number."""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Counter, Gauge, Histogram

EVENTS_TAKEN = Counter("heed_events_taken_total", "Events handled from the bus.", ["service"])
FACTS_STATED = Counter("heed_facts_stated_total", "Facts written to the outbox.", ["service"])
TIMERS_FIRED = Counter("heed_timers_fired_total", "Timer batches fired.", ["service"])
LOOP_FAILURES = Counter(
    "heed_loop_failures_total", "Failures of a background loop, each tried again.", ["service", "loop"]
)
OUTBOX_ROWS = Gauge("heed_outbox_rows", "Facts that wait for the bus.", ["service"])
PARKED_EVENTS = Gauge("heed_parked_events", "Events that wait for a person's decision.", ["service"])
CONSUMER_LAG = Gauge("heed_consumer_lag_events", "Events on the bus that were not read yet.", ["service"])
PARTITIONS_HELD = Gauge("heed_partitions_held", "Partitions that this replica reads.", ["service"])
OLDEST_TIMER_AT = Gauge(
    "heed_oldest_timer_timestamp_seconds", "When the earliest timer is due, as Unix time; 0 without one.", ["service"]
)
FRAMES = 4
HTTP_SECONDS = Histogram("heed_http_seconds", "Time to answer a call.", ["service", "method", "status"])


class WithoutValues(logging.Formatter):
    """What other libraries say of an error: its kinds and whence it came; never its words, which may quote a row."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 the library's name
        """Each error in the chain, by its kind and the last places of its way."""
        lines = []
        error: BaseException | None = ei[1]
        while error is not None:
            places = traceback.extract_tb(error.__traceback__)[-FRAMES:]
            way = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places))
            lines.append(f"  {type(error).__name__} at {way}")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def configure_logs(level: str) -> None:
    """JSON lines on standard error, from `level` up. Other libraries speak from warning up, without their arguments."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutValues("%(levelname)s %(name)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says the same ten times a second; the bus speaks
