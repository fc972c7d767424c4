"""A surge: what an emergency level changes, how long people wait, and how the backlog goes on. Pure."""

from datetime import timedelta
from http import HTTPStatus

from pydantic import BaseModel

from shared.problems import Problem


class NoSuchLevel(Problem):
    """The city's clocks.yaml has no such level under `surge`; 0 is the everyday, `highest` the last that there is."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No such level"


class SurgeShown(BaseModel):
    """The emergency level in force."""

    level: int
    highest: int
    """The last level that the city's clocks speak of."""
    policy_version: str


class Backlog(BaseModel):
    """What one organisation has before it, and how fast it goes down."""

    organisation: str
    open: int
    red: int
    on_duty: int
    arrived_per_hour: float
    answered_per_hour: float
    waits_minutes: float | None
    """What somebody who files now waits for an answer, at this speed; None where nothing was answered."""
    red_waits_minutes: float | None
    """The same for red, which is never queued behind others."""
    grows: bool
    clears_in_hours: float | None
    """When nothing is left, at this speed; None while it grows or stands still."""


def backlog(organisation: str, counts: tuple[int, int, int, int], on_duty: int, over: timedelta) -> Backlog:
    """The forecast of one organisation; `counts` are open, red, arrived and answered within `over`."""
    still_open, red, arrived, answered = counts
    hours = over / timedelta(hours=1)
    coming, going = arrived / hours, answered / hours
    return Backlog(
        organisation=organisation,
        open=still_open,
        red=red,
        on_duty=on_duty,
        arrived_per_hour=coming,
        answered_per_hour=going,
        waits_minutes=round((still_open + 1) / going * 60, 1) if going else None,
        red_waits_minutes=round((red + 1) / going * 60, 1) if going else None,
        grows=coming > going,
        clears_in_hours=round(still_open / (going - coming), 1) if going > coming else None,
    )
