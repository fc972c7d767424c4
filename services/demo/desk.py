"""The desk: operators who confirm what triage was unsure of, inspectors who ring residents back and score answers."""

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
A_ROUND = 10
OUTCOMES = (("reached", "no_answer", "busy", "switched_off", "call_later"), (72, 14, 5, 5, 4))
SOLVED = 0.96
CRITERIA = ("answers_what_was_asked", "concrete_action_and_time", "right_owner_and_contact", "plain_and_polite")
POINTS = ((2, 1, 0), (84, 14, 2))
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
    """Ring those who are due, score answers that have no score, and come back later."""
    for wanted, do in (("due", ring), ("to_score", score)):
        found = await city.telephone.call("inspector", "GET", "/v1/visits", params={wanted: "true", "limit": A_ROUND})
        for visit in found.body["items"] if found.is_fine else ():
            await do(city, visit)
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


async def score(city: City, visit: dict[str, Any]) -> None:
    """Read the answer with its proof, and score it; what was only said on the phone proves itself in part."""
    case = city.cases[UUID(visit["request_id"])]
    read = await city.telephone.call("inspector", "GET", f"/v1/visits/{visit['id']}")
    if not read.is_fine or read.body["answer"] is None:
        return
    chance = dice(case.filing.name, "score", visit["id"])
    points = {criterion: chance.choices(*POINTS)[0] for criterion in CRITERIA}
    points["proof_attached"] = 2 if read.body["proofs"] else 1
    body = {"revision": read.body["revision"], **points}
    given = await city.telephone.call("inspector", "POST", f"/v1/visits/{visit['id']}/score", body)
    if given.is_fine:
        city.notes["answers scored"] += 1
        city.notes["of them passed"] += given.body["passed"]
