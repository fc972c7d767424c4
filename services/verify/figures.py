"""The figures, recounted from the log by followup's second way, and compared with what the API says.

The API says how far followup had read when it answered (the header Heed-Read): the recount takes the log to there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from followup.plan import Promises
from followup.recount import recount
from services.verify import history
from services.verify.asking import Api
from services.verify.difference import Difference
from services.verify.log import Log
from services.verify.sources import Positions, read_positions
from shared.contracts import Event, Fact

DIMENSIONS = ("colour", "category", "organisation", "area", "channel", "hour")
TRIES = 4
"""Time alone moves figures too: what differs is asked for again, since followup's timers may fire a little late."""
PAUSE_SECONDS = 1.0
Groups = dict[str | None, list[Event[Fact]]]
WHOLE = "all requests"


async def compare(log: Log, api: Api, now: Callable[[], datetime], promises: Promises) -> list[Difference]:
    """Where the figures differ, as a whole or in a group."""
    for by in (None, *DIMENSIONS):
        difference = None
        for _ in range(TRIES):
            difference = await _once(log, api, by, now, promises)
            if difference is None:
                break
            await api.pause(PAUSE_SECONDS)
        if difference:
            return [difference]
    return []


async def _once(
    log: Log, api: Api, by: str | None, now: Callable[[], datetime], promises: Promises
) -> Difference | None:
    shown, read_to = await api.get_as_of("/v1/figures", **({"by": by} if by else {}))
    at, read = now(), read_positions(read_to)
    await log.read_on()
    groups = _groups(log, read, by)
    said: dict[Any, Any] = {group["value"]: group["figures"] for group in shown["groups"]} if by else {}
    said[WHOLE] = shown["figures"]
    if missing := groups.keys() - said.keys():
        return Difference(f"figures by {by}", f"the API has no group {min(map(str, missing))}, and the log has")
    for value, figures in said.items():
        counted = to_jsonable_python(recount(groups.get(value, ()), at, promises))
        about = f"figures of {WHOLE}" if value is WHOLE else f"figures of {by} {value or 'none'}"
        for path, by_log, by_api in differing(counted, figures):
            return Difference(about, f"{path} is {by_api} by the API, and {by_log} by the log")
    return None


def _groups(log: Log, read: Positions, by: str | None) -> Groups:
    """The facts up to there, all and by group."""
    whole = list(log.events(read))
    groups: Groups = defaultdict(list, {WHOLE: whole})
    if by is None:
        return groups
    facts: dict[str, list[Event[Fact]]] = defaultdict(list)
    for event in whole:
        facts[event.key].append(event)
    for request_id, request in log.requests_at(read).items():
        groups[history.value_of(request, by)] += facts[request_id]
    return groups


def differing(by_log: Any, by_api: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each value of the recount that the API gives otherwise, or not at all: where, and both."""
    if isinstance(by_log, Mapping) and isinstance(by_api, Mapping):
        for name, value in by_log.items():
            yield from differing(value, by_api.get(name), f"{path}.{name}".strip("."))
    elif by_log != by_api:
        yield path, by_log, by_api
