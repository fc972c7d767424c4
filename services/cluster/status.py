"""What runs, and how it fares: each replica's readiness and metrics, as `heed status` shows them."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from services.standalone import INSTANCE, NAMES

HEADINGS = ("replica", "state", "partitions", "lag", "outbox", "parked", "oldest timer due")
CONNECTIONS = httpx2.Limits(max_keepalive_connections=0)
"""A connection for each call: replicas that share a port are told apart by the metrics alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One service in one process, as it is now."""

    instance: str
    service: str
    is_ready: bool
    partitions: int = 0
    lag: int = 0
    outbox: int = 0
    parked: int = 0
    oldest_timer_at: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be published or read."""
        return self.is_ready and not self.lag and not self.outbox


async def read_states(var: Path, base_url: str | None = None) -> list[State]:
    """The state of every replica that the map in `var` names; of all services in the process at `base_url` without."""
    file = var / "cluster.json"
    if file.exists():
        known = json.loads(file.read_text())["replicas"]
        where = [(r["instance"], r["url"], [r["service"]]) for r in known]
    else:
        where = [(INSTANCE, base_url or "", list(NAMES))]
    async with httpx2.AsyncClient(trust_env=False, timeout=5, limits=CONNECTIONS) as client:
        found = await asyncio.gather(*(_read(client, *one) for one in where))
    return [state for states in found for state in states]


async def _read(client: httpx2.AsyncClient, instance: str, url: str, services: list[str]) -> list[State]:
    try:
        ready = await client.get(f"{url}/readyz")
        values = measured((await client.get(f"{url}/metrics")).text)
    except httpx2.TransportError:
        return [State(instance=instance, service=service, is_ready=False) for service in services]
    is_ready = ready.status_code == httpx2.codes.OK
    return [_state(instance, service, is_ready, values) for service in services]


def measured(text: str) -> dict[tuple[str, str], float]:
    """Each sample of Prometheus' text format that names a service, by metric and service."""
    return {
        (sample.name, sample.labels["service"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if set(sample.labels) == {"service"}
    }


def _state(instance: str, service: str, is_ready: bool, values: dict[tuple[str, str], float]) -> State:
    def value(metric: str) -> int:
        return int(values.get((metric, service), 0))

    due = values.get(("heed_oldest_timer_timestamp_seconds", service), 0)
    return State(
        instance=instance,
        service=service,
        is_ready=is_ready and ("heed_outbox_rows", service) in values,
        partitions=value("heed_partitions_held"),
        lag=value("heed_consumer_lag_events"),
        outbox=value("heed_outbox_rows"),
        parked=value("heed_parked_events"),
        oldest_timer_at=datetime.fromtimestamp(due, UTC) if due else None,
    )


def table(states: list[State]) -> str:
    """The states as a table of text."""
    rows = [HEADINGS, *(_row(state, len(states) > len(NAMES)) for state in states)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEADINGS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(state: State, is_cluster: bool) -> tuple[str, ...]:
    name = state.instance if is_cluster else f"{state.instance}/{state.service}"
    if not state.is_ready:
        return (name, "NOT READY", "", "", "", "", "")
    due = state.oldest_timer_at.isoformat(timespec="seconds") if state.oldest_timer_at else "none"
    numbers = (state.partitions, state.lag, state.outbox, state.parked)
    return (name, "ready", *map(str, numbers), due)
