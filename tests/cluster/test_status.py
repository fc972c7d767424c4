"""`heed status`: what is made of the metrics, and how it is shown."""

from datetime import UTC, datetime

from services.cluster.status import State, measured, table
from services.standalone import NAMES

METRICS = """# HELP heed_outbox_rows Facts that wait for the bus.
# TYPE heed_outbox_rows gauge
heed_outbox_rows{service="triage"} 3.0
heed_outbox_rows{service="intake"} 0.0
# TYPE heed_http_seconds histogram
heed_http_seconds_count{service="triage",method="GET",status="200"} 7.0
"""


def state(**values: object) -> State:
    return State(**({"instance": "triage-1", "service": "triage", "is_ready": True} | values))  # type: ignore[arg-type] # by name


def test_only_samples_that_name_a_service_alone_are_read() -> None:
    assert measured(METRICS) == {("heed_outbox_rows", "triage"): 3.0, ("heed_outbox_rows", "intake"): 0.0}


def test_a_replica_with_work_is_not_settled_and_one_that_is_away_neither() -> None:
    assert state().is_settled
    assert not state(lag=1).is_settled
    assert not state(outbox=1).is_settled
    assert not state(is_ready=False).is_settled


def test_the_table_has_a_line_for_each_replica() -> None:
    due = datetime(2026, 3, 2, 8, tzinfo=UTC)
    busy = state(partitions=4, lag=12, outbox=3, parked=1, oldest_timer_at=due)
    away = state(instance="triage-2", is_ready=False)
    lines = table([busy, away] * len(NAMES)).splitlines()
    assert lines[0].split() == ["replica", "state", "partitions", "lag", "outbox", "parked", "oldest", "timer", "due"]
    assert lines[1].split() == ["triage-1", "ready", "4", "12", "3", "1", "2026-03-02T08:00:00+00:00"]
    assert lines[2].split() == ["triage-2", "NOT", "READY"]
