"""A request's status and holder, folded once more from the JSON of the log by lines of our own.

The table is DOMAIN's, written down a second time on purpose: were it read from where the services read it, a mistake
there would not be seen here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STATUSES = ("received", "triaged", "assigned", "accepted", "answered", "disputed", "closed", "rejected", "merged",
            "withdrawn", "archived")  # fmt: skip
ENDED = frozenset({"closed", "rejected", "merged", "withdrawn", "archived"})
OPEN = frozenset(STATUSES) - ENDED
TABLE: Mapping[str, tuple[frozenset[str], str]] = {
    "rejected": (frozenset({"received", "triaged"}), "rejected"),
    "merged": (OPEN, "merged"),
    "withdrawn": (OPEN, "withdrawn"),
    "triaged": (frozenset({"received"}), "triaged"),
    "assigned": (frozenset({"triaged", "assigned", "accepted", "disputed"}), "assigned"),
    "accepted": (frozenset({"assigned"}), "accepted"),
    "returned": (frozenset({"assigned", "accepted"}), "triaged"),
    "recalled": (frozenset({"assigned", "accepted"}), "triaged"),
    "answered": (frozenset({"accepted"}), "answered"),
    "disputed": (frozenset({"answered", "closed"}), "disputed"),
    "closed": (frozenset({"answered"}), "closed"),
    "archived": (ENDED - {"archived"}, "archived"),
}
ENDS_A_QUESTION = frozenset({"amended", "contacted", "question_lapsed"})
RESIDENT = ("resident", "resident")
PREFIX = "heed.request."
LEAD = "lead"


@dataclass(slots=True)
class Request:
    """A request as its history leaves it; `facts` counts what moved it."""

    status: str = "received"
    holder: tuple[str, str] | None = ("service", "triage")
    colour: str | None = None
    category: str | None = None
    outcome: str | None = None
    asked_by: tuple[str, str] | None = None
    """Who asked the resident, while he holds it."""
    owes: bool = False
    """Whether an answer promised something that has not happened yet."""
    facts: int = 1


def take(request: Request, name: str, data: Mapping[str, Any]) -> None:
    """One more fact, `assigned` for `heed.request.assigned`; what the table does not list changes no status."""
    request.facts += 1
    is_leads = data.get("role", LEAD) == LEAD
    if name == "triaged":
        request.colour, request.category = data["colour"], data["category"]
    if name == "fulfilled" and is_leads and request.owes:
        request.owes, request.holder = False, ("service", "followup")
    if name == "questioned" and is_leads and request.status == "accepted" and request.asked_by is None:
        request.holder, request.asked_by = RESIDENT, request.holder
    elif name in ENDS_A_QUESTION and request.asked_by is not None:
        request.holder, request.asked_by = request.asked_by, None
    froms, to = TABLE.get(name, (frozenset(), ""))
    if is_leads and request.status in froms:
        request.status = to
        _change(request, name, data)


def _change(request: Request, name: str, data: Mapping[str, Any]) -> None:
    """What a new status brings."""
    if request.asked_by is not None:
        request.holder, request.asked_by = request.asked_by, None
    request.owes = name == "answered" and data.get("fulfil_by") is not None
    if name in {"closed", "disputed"}:
        request.outcome = data.get("outcome")
    if request.status in ENDED:
        request.holder = None
    elif name in {"assigned", "accepted"}:
        request.holder = ("organisation", data["organisation"])
    elif name == "answered":
        request.holder = request.holder if request.owes else ("service", "followup")
    else:
        request.holder = ("service", "dispatch")
