"""Residents after the answer: they say whether it helped."""

from functools import partial
from typing import Any

from services.demo.city import Case, City, dice
from services.demo.script import Step
from shared.contracts.vocabulary import Colour

RATES = 0.72
"""Share of residents who say something; the rest are left to the call-back."""
SOLVED = 0.95
SATISFACTION = {True: ((5, 4, 3), (62, 30, 8)), False: ((1, 2, 3), (45, 40, 15))}
MINUTES = {Colour.RED: (30.0, 240.0), Colour.YELLOW: (60.0, 420.0), Colour.GREEN: (60.0, 540.0)}
STORY_MINUTES = (20.0, 40.0)


def plan_rating(city: City, case: Case) -> None:
    """The answer has come, or what it promised: perhaps the resident will rate it."""
    if case.filing.filer != "resident":
        return
    case.ratings += 1
    chance = dice(case.filing.name, "rates", case.ratings)
    step = case.filing.step("rate")
    if step is None and chance.random() > RATES:
        return
    if step is None or case.ratings > 1:
        step = _opinion(case)
    minutes = STORY_MINUTES if case.is_story else MINUTES[city.colour(case.request_id)]
    city.agenda.plan(city.soon(chance, minutes), partial(rate, city, case, step))


def _opinion(case: Case) -> Step:
    """What he thinks; a second answer always helped."""
    chance = dice(case.filing.name, "opinion", case.ratings)
    solved = case.ratings > 1 or chance.random() < SOLVED
    values, weights = SATISFACTION[solved]
    return Step(do="rate", solved=solved, satisfaction=chance.choices(values, weights)[0])


async def rate(city: City, case: Case, step: Step) -> None:
    """Say it."""
    body: dict[str, Any] = {"solved": step.solved, "satisfaction": step.satisfaction, "comment": step.comment}
    said = {name: value for name, value in body.items() if value is not None}
    await city.telephone.call(case.tracking_token, "POST", f"/v1/requests/{case.request_id}/rating", said)
