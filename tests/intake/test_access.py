"""Who may do what with whose request: each cell of the table is a test."""

from typing import Any
from uuid import UUID

import pytest

from shared.contracts.requests import TaskCancelled, TaskReturned
from shared.contracts.vocabulary import ReturnReason, Role
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from tests.intake.builders import (
    GRID_WORKER,
    INSPECTOR,
    OPERATOR,
    OTHER,
    SERVICE,
    SUPERVISOR,
    assign,
    file,
    handler,
    resident,
)
from tests.support.builders import Builder
from tests.support.harness import Harness

OPERATIONS = ("amend", "withdraw", "reject", "merge", "view contact", "read views")
UNSEEN, REFUSED = 404, 403

#                                    amend    withdraw reject   merge    view     read views
TABLE: dict[str, tuple[int, ...]] = {
    "anonymous":                    (UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN),
    "resident, own":                (201,     200,     REFUSED, REFUSED, REFUSED, REFUSED),
    "resident, another's":          (UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN),
    "operator":                     (201,     200,     200,     200,     201,     200),
    "supervisor":                   (201,     200,     200,     200,     201,     200),
    "inspector":                    (REFUSED, REFUSED, REFUSED, REFUSED, 201,     200),
    "grid worker, his area":        (201,     REFUSED, REFUSED, REFUSED, 201,     REFUSED),
    "grid worker, another area":    (UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN),
    "liaison, open task":           (REFUSED, REFUSED, REFUSED, REFUSED, 201,     REFUSED),
    "liaison, task given back":     (REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED),
    "liaison, no task":             (UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN),
    "deputy, open task":            (REFUSED, REFUSED, REFUSED, REFUSED, 201,     REFUSED),
    "deputy, no task":              (UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN),
    "partner, open task":           (REFUSED, REFUSED, REFUSED, REFUSED, 201,     REFUSED),
    "partner, task cancelled":      (REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED),
    "partner, no task":             (UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN,  UNSEEN),
    "service":                      (REFUSED, REFUSED, REFUSED, REFUSED, 201,     REFUSED),
}  # fmt: skip
CELLS = [(who, operation) for who in TABLE for operation in OPERATIONS]
STRANGER = "pharmacy-supply"


def caller_of(who: str, request: UUID) -> Principal:
    kind, _, whose = who.partition(", ")
    match kind:
        case "anonymous":
            return ANONYMOUS
        case "resident":
            return resident(request if whose == "own" else new_id())
        case "grid worker":
            away = Principal(kind=Kind.GRID_WORKER, id="other", area=OTHER)
            return GRID_WORKER if whose == "his area" else away
        case "liaison" | "deputy" | "partner":
            return handler(Kind(kind), STRANGER if whose == "no task" else "central-hospital")
        case _:
            return {"operator": OPERATOR, "supervisor": SUPERVISOR, "inspector": INSPECTOR, "service": SERVICE}[kind]


async def let_tasks_be(harness: Harness, who: str, request: UUID) -> None:
    """Give the hospital a task, and let it end where the row says so."""
    build = Builder()
    if not who.endswith(("task", "back", "cancelled")):
        return
    task: dict[str, Any] = {
        "task_id": await assign(harness, build, request),
        "role": Role.LEAD,
        "organisation": "central-hospital",
    }
    if who.endswith("back"):
        await harness.take(build.event(TaskReturned(**task, reason=ReturnReason.NOT_OURS), request))
    if who.endswith("cancelled"):
        await harness.take(build.event(TaskCancelled(**task), request))


async def attempt(harness: Harness, operation: str, request: UUID, caller: Principal, other: UUID) -> int:
    calls: dict[str, tuple[str, str, Any]] = {
        "amend": ("POST", "amendments", {"text": "还发烧"}),
        "withdraw": ("POST", "withdrawal", {}),
        "reject": ("POST", "rejection", {"reason": "test"}),
        "merge": ("POST", "merge", {"into": str(other)}),
        "view contact": ("POST", "contact-views", {"purpose": "回电"}),
        "read views": ("GET", "contact-views", None),
    }
    method, path, sent = calls[operation]
    async with harness.client(caller) as client:
        response = await client.request(method, f"/v1/requests/{request}/{path}", json=sent)
    return response.status_code


@pytest.mark.parametrize(("who", "operation"), CELLS)
async def test_who_may_do_what(harness: Harness, who: str, operation: str) -> None:
    request, other = await file(harness), await file(harness)
    await let_tasks_be(harness, who, request)
    status = await attempt(harness, operation, request, caller_of(who, request), other)
    assert status == TABLE[who][OPERATIONS.index(operation)]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_not_there_is_not_found_by_anybody(harness: Harness, operation: str) -> None:
    missing = new_id()
    for caller in (SUPERVISOR, SERVICE, resident(missing)):
        assert await attempt(harness, operation, missing, caller, new_id()) == UNSEEN
