"""Those who file: residents by app and WeChat, operators at the hotline, grid workers at the door, partners."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from services.demo.city import LINE_BROKE, Case, City
from services.demo.script import Filing, Step

RESIDENT = "resident"
TRY_AGAIN = frozenset({LINE_BROKE, 409, 429, 503})
AGAIN_MINUTES = 15
"""After how long somebody tries again who could not be heard; the Idempotency-Key keeps it one request."""


def plan_filings(city: City, filings: list[Filing]) -> None:
    """Put every filing on the agenda."""
    for filing in filings:
        city.agenda.plan(filing.at, partial(file, city, filing))


async def file(city: City, filing: Filing) -> None:
    """File it, and plan what its filer does later."""
    answer = await _post(city, filing)
    if answer.status in TRY_AGAIN:
        city.agenda.plan(city.clock.now() + timedelta(minutes=AGAIN_MINUTES), partial(file, city, filing))
    elif answer.is_fine and not filing.malformed:
        body = answer.body
        case = Case(filing, UUID(body["id"]), body["receipt"], body["tracking_token"])
        city.add(case)
        for step in filing.then:
            if step.do in DEEDS:
                at = city.clock.now() + timedelta(minutes=step.after_minutes)
                city.agenda.plan(at, partial(DEEDS[step.do], city, case, step))
    else:
        city.refused[answer.status] += filing.malformed
        if answer.is_fine or not filing.malformed:
            city.misfiled.append(f"{filing.name}: {answer.status} {answer.body}")


async def _post(city: City, filing: Filing) -> Any:
    who = None if filing.filer == RESIDENT else filing.filer
    headers = {"idempotency-key": f"demo-{filing.name}"}
    if filing.raw is None:
        return await city.telephone.call(who, "POST", "/v1/requests", filing.body(), headers=headers)
    headers["content-type"] = "application/json"
    return await city.telephone.call(who, "POST", "/v1/requests", headers=headers, content=filing.raw.encode())


async def replay(city: City, case: Case, _step: Step) -> None:
    """The app lost the answer and sends the same again: it must get the same receipt."""
    answer = await _post(city, case.filing)
    if answer.status in TRY_AGAIN:
        return
    if answer.body.get("id") != str(case.request_id):
        city.misfiled.append(f"{case.filing.name}: filed again with its key, but got {answer.status} {answer.body}")
    city.notes["the same filing sent twice"] += 1


async def amend(city: City, case: Case, step: Step) -> None:
    """Something was forgotten, or has changed."""
    path = f"/v1/requests/{case.request_id}/amendments"
    await city.telephone.call(_for(case), "POST", path, {"text": step.text})


async def withdraw(city: City, case: Case, step: Step) -> None:
    """It is no longer needed."""
    path = f"/v1/requests/{case.request_id}/withdrawal"
    await city.telephone.call(_for(case), "POST", path, {"reason": step.reason})


async def reject(city: City, case: Case, step: Step) -> None:
    """An operator sees that it is no request."""
    path = f"/v1/requests/{case.request_id}/rejection"
    await city.telephone.call("operator", "POST", path, {"reason": step.reason})


async def merge(city: City, case: Case, step: Step) -> None:
    """An operator sees that it is about the same as an earlier one."""
    path = f"/v1/requests/{case.request_id}/merge"
    await city.telephone.call("operator", "POST", path, {"into": str(city.by_name[step.into].request_id)})


def _for(case: Case) -> str:
    """Who speaks for the filing later: the resident himself, or the operator where he had rung."""
    return case.tracking_token if case.filing.filer == RESIDENT else "operator"


DEEDS = {"replay": replay, "amend": amend, "withdraw": withdraw, "reject": reject, "merge": merge}
