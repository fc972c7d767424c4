"""The figures, recounted from the log by followup's second way, and compared with what the API says.

The API says how far followup had read when it answered (the header Heed-Read): the recount takes the log to there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from followup.figures import NOTHING, figures, total
from followup.plan import Promises
from followup.recount import Row, grouped, rows, sketches
from followup.stages import by_stage
from services.verify.asking import Api
from services.verify.difference import Difference
from services.verify.log import Log
from shared.bus import read_positions

DIMENSIONS = ("colour", "category", "organisation", "area", "channel", "hour_of_day", "hour")
GROUPS_SHOWN = 1000
"""The API shows no more of them: the largest, or the last hours. Where it shows as many, others may be left out."""
TRIES = 4
"""Time alone moves figures too: what differs is asked for again, since followup's timers may fire a little late."""
PAUSE_SECONDS = 1.0


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
    at = now()
    await log.read_on()
    found = rows(log.events(read_positions(read_to)), at, promises)
    return _of_whole(found, shown) or (_of_groups(found, shown["groups"], by) if by else None)


def _of_whole(found: Sequence[Row], shown: Mapping[str, Any]) -> Difference | None:
    counted = {"figures": figures(total(row.counts for row in found)), "stages": by_stage(sketches(found))}
    differences = (_difference(f"{name} of all requests", value, shown[name]) for name, value in counted.items())
    return next(filter(None, differences), None)


def _of_groups(found: Sequence[Row], shown: Sequence[Mapping[str, Any]], by: str) -> Difference | None:
    said = {group["value"] or "": group["figures"] for group in shown}
    counted = {value: counts for (value,), counts in grouped(found, by).items()}
    if len(said) < GROUPS_SHOWN and (missing := counted.keys() - said.keys()):
        return Difference(f"figures by {by}", f"the API has no group {min(missing) or 'none'}, and the log has")
    differences = (
        _difference(f"figures of {by} {value or 'none'}", figures(counted.get(value, NOTHING)), by_api)
        for value, by_api in said.items()
    )
    return next(filter(None, differences), None)


def _difference(about: str, by_log: Any, by_api: Any) -> Difference | None:
    """The first value that differs."""
    for path, counted, said in differing(to_jsonable_python(by_log), by_api):
        return Difference(about, f"{path} is {said} by the API, and {counted} by the log")
    return None


def differing(by_log: Any, by_api: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each value of the recount that the API gives otherwise, or not at all: where, and both."""
    if isinstance(by_log, Mapping) and isinstance(by_api, Mapping):
        for name, value in by_log.items():
            yield from differing(value, by_api.get(name), f"{path}.{name}".strip("."))
    elif by_log != by_api:
        yield path, by_log, by_api
