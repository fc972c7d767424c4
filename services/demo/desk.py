"""The desk: operators who confirm what triage was unsure of, and inspectors who ring residents back."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from services.demo.city import Case, City, dice
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour

REVIEW = {Colour.RED: (0.3, 2.0), Colour.YELLOW: (3.0, 11.0), Colour.GREEN: (8.0, 40.0)}
"""Minutes until an operator looks at what triage was unsure of."""
ROUND_MINUTES = 40
"""How often the inspector looks at who is to be rung."""
CALLS_A_ROUND = 10
OUTCOMES = (("reached", "no_answer", "busy", "switched_off", "call_later"), (72, 14, 5, 5, 4))
SOLVED = 0.96
CONFIRMED = "The text was read by a person."


def on_triaged(city: City, case: Case, fact: r.RequestTriaged) -> None:
    """Where the machine was unsure, an operator reads the text."""
    if fact.unsure:
        chance = dice(case.filing.name, "review", fact.revision)
        city.agenda.plan(city.soon(chance, REVIEW[fact.colour]), partial(review, city, case, fact.revision))


async def review(city: City, case: Case, revision: int) -> None:
    """Say what it is about, and raise the colour where the machine did not see how urgent it is."""
    body: dict[str, Any] = {"revision": revision, "reason": CONFIRMED}
    if case.filing.about is not None:
        body["category"] = case.filing.about
    if case.filing.colour.rank > city.colour(case.request_id).rank:
        body["colour"] = case.filing.colour
        city.notes["raised by a person"] += 1
    await city.telephone.call("operator", "POST", f"/v1/requests/{case.request_id}/assessments", body)
    city.notes["reviewed by a person"] += 1


def plan_call_backs(city: City) -> None:
    """Begin the inspector's rounds."""
    city.agenda.plan(city.clock.now() + timedelta(minutes=ROUND_MINUTES), partial(ring_round, city))


async def ring_round(city: City) -> None:
    """Ring those who are due, and come back later."""
    due = await city.telephone.call("inspector", "GET", "/v1/visits", params={"due": "true", "limit": CALLS_A_ROUND})
    if due.is_fine:
        for visit in due.body["items"][:CALLS_A_ROUND]:
            await ring(city, visit)
    city.agenda.plan(city.clock.now() + timedelta(minutes=ROUND_MINUTES), partial(ring_round, city))


async def ring(city: City, visit: dict[str, Any]) -> None:
    """One call: reached or not, and if reached, whether it is solved."""
    case = city.cases[UUID(visit["request_id"])]
    chance = dice(case.filing.name, "call-back", visit["id"], visit["attempt"])
    outcome = chance.choices(*OUTCOMES)[0]
    body: dict[str, Any] = {"revision": visit["revision"], "outcome": outcome}
    if outcome == "reached":
        body |= {"solved": chance.random() < SOLVED, "satisfaction": chance.choice((3, 4, 4, 5, 5, 5))}
    await city.telephone.call("inspector", "POST", f"/v1/visits/{visit['id']}/attempts", body)
