"""What the API says of each request, by the queue and by the watchdog, compared with the log.

The services go on meanwhile. A view says how far it has followed the log; what differs is asked for again until it
agrees, or until the view has come as far as the log and the history has stood still, and it differs all the same.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from services.verify.asking import Api
from services.verify.difference import CannotVerify, Difference
from services.verify.history import ENDED, STATUSES, Request
from services.verify.log import REQUESTS, Log
from services.verify.sources import Positions
from shared.bus import read_positions

ROUNDS = 2
"""How often what differs while nothing moves is looked at before it is said."""
MOST_ROUNDS = 120
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Shown:
    """A request as one view shows it; `breach` is what must never be."""

    status: str
    holder: tuple[str, str] | None
    colour: str | None
    category: str | None
    outcome: str | None
    breach: str | None = None


Views = Mapping[str, list[Shown]]
Read = Callable[[Api, Collection[str]], Awaitable[tuple[Views, Positions]]]


async def read_queue(api: Api, statuses: Collection[str]) -> tuple[Views, Positions]:
    """The requests of these statuses, each list apart: so a request that is listed as two is seen twice."""
    read = read_positions((await api.get("/v1/log", topic=REQUESTS, **{"from": "latest"}))["read"])
    found: dict[str, list[Shown]] = defaultdict(list)
    for status in sorted(statuses):
        async for item in api.items("/v1/queue", status=status, limit=200):
            found[item["id"]].append(_of_queue(item, status))
    return found, read


def _of_queue(item: dict[str, Any], listed: str) -> Shown:
    holder, status = item["holder"], item["status"]
    breach = f"listed as {listed}, shown as {status}" if listed != status else _breach(item)
    held_by = (holder["kind"], holder["name"]) if holder else None
    return Shown(status, held_by, item["colour"], item["category"], item["outcome"], breach)


def _breach(item: dict[str, Any]) -> str | None:
    """What must always hold: one holder and something due, or closed."""
    if item["status"] in ENDED:
        return "ended, and something is still due" if item["promises"] else None
    if item["status"] in {"received", "assigned", "accepted"} and not item["promises"]:
        return "open, and nothing is due"
    return None


async def read_watchdog(api: Api, _: Collection[str]) -> tuple[Views, Positions]:
    """Every request as followup has it."""
    _, read_to = await api.get_as_of("/v1/statuses", limit=1)
    found: dict[str, list[Shown]] = {}
    async for item in api.items("/v1/statuses", limit=1000):
        found[item["id"]] = [_of_watchdog(item)]
    return found, read_positions(read_to)


def _of_watchdog(item: dict[str, Any]) -> Shown:
    held_by, status = (item["holder"], item["name"]) if item["holder"] else None, item["status"]
    breach = None if item["listed_as"] == status else f"listed as {item['listed_as']}, shown as {status}"
    return Shown(status, held_by, item["colour"], item["category"], item["outcome"], breach)


VIEWS: Mapping[str, Read] = {"the queue": read_queue, "the watchdog": read_watchdog}


async def compare(log: Log, api: Api) -> list[Difference]:
    """Where a view differs from the log; raises CannotVerify where one does not come to where the log is."""
    found = []
    for name, read in VIEWS.items():
        differing = await _differing(log, api, name, read)
        found += [Difference(f"request {request_id}", f"{name} {says}") for request_id, says in differing.items()]
    return found


async def _differing(log: Log, api: Api, name: str, read: Read) -> dict[str, str]:
    """Each request that the view shows otherwise, and how."""
    suspects: dict[str, str] | None = None
    still, statuses = 0, set(STATUSES)
    for _ in range(MOST_ROUNDS):
        facts, begin = {i: request.facts for i, request in log.requests.items()}, log.at(REQUESTS)
        views, read_to = await read(api, statuses)
        await log.read_on()
        ids = suspects.keys() if suspects is not None else log.requests.keys() | (views.keys() - log.headless)
        suspects = {i: says for i in ids if (says := _says(log.requests.get(i), views.get(i, [])))}
        if not suspects:
            return {}
        is_behind = any(read_to.get(at, 0) < position for at, position in begin.items())
        has_moved = any(i in log.requests and log.requests[i].facts != facts.get(i) for i in suspects)
        still = 0 if is_behind or has_moved else still + 1
        if still == ROUNDS:
            return suspects
        statuses = _statuses(log, views, suspects)
        await api.pause(PAUSE_SECONDS)
    raise CannotVerify(f"{name} does not come to where the log is.")


def _statuses(log: Log, views: Views, ids: Collection[str]) -> set[str]:
    """The statuses under which these requests are to be looked for."""
    known = {log.requests[i].status for i in ids if i in log.requests}
    return known | {shown.status for i in ids for shown in views.get(i, [])}


def _says(request: Request | None, shown: list[Shown]) -> str | None:
    """How the view differs from the log; None where it does not."""
    if request is None:
        return f"shows it as {shown[0].status}, and the log does not have it" if shown else None
    if not shown:
        return f"does not show it, and the log says {request.status}"
    if len(shown) > 1:
        return f"shows it {len(shown)} times: {', '.join(one.status for one in shown)}"
    for name in ("status", "holder", "colour", "category", "outcome"):
        by_log, by_view = getattr(request, name), getattr(shown[0], name)
        if by_log != by_view:
            return f"says {name} {_word(by_view)}, and the log says {_word(by_log)}"
    return f"shows it {shown[0].breach}" if shown[0].breach else None


def _word(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value or "none")
