"""Improvements: problems of a retrospective, or of a single look-back, handed out to be put right. Pure.

One has a holder and a due time as a task has, but no resident waits for it: no clock of the table runs on it, and it
stands in no figure of requests.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from dispatch.oversight import UnknownLeader
from dispatch.routing import Duty
from dispatch.tasks import UnknownOrganisation
from shared.contracts.lookback import RequestInspected
from shared.contracts.reviews import ImprovementAssigned, ImprovementDone
from shared.contracts.vocabulary import Colour, ImprovementState, ProblemKind, Stage
from shared.identity import OVERSIGHT, Kind, Principal
from shared.problems import Forbidden, NotFound, NotInThisState, Problem, RevisionConflict

SERVICE = "dispatch"
LOOK_BACK = "look-back"


class DueInThePast(Problem):
    """`due_at` is by when it is to be put right. Give a time to come."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Due in the past"


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """A problem in somebody's hands."""

    id: UUID
    problem: ProblemKind
    stage: Stage | None = None
    organisation: str
    holder: str
    """Id of the person who answers for it."""
    words: str | None = None
    """What is to be put right."""
    due_at: datetime
    since: datetime | None = None
    until: datetime | None = None
    request_id: UUID | None = None
    assigned_by: str
    assigned_at: datetime
    done_at: datetime | None = None
    result: str | None = None
    """What was done, in the holder's words."""
    is_alarmed: bool = False
    """It is overdue, and an alarm says so."""
    revision: int = 1

    def state(self, now: datetime) -> ImprovementState:
        """Where it is at `now`."""
        return ImprovementState.of(self.due_at, self.done_at, now)


def hand_out(wanted: Improvement, holder: str | None, duty: Duty) -> tuple[Improvement, ImprovementAssigned]:
    """Give it to `holder`, else to the leader of its organisation.

    Raises UnknownOrganisation, UnknownLeader or DueInThePast.
    """
    if wanted.organisation not in duty.city.organisations:
        raise UnknownOrganisation
    if holder is not None and holder not in duty.city.liaisons:
        raise UnknownLeader
    if wanted.due_at <= duty.now:
        raise DueInThePast
    given = replace(wanted, holder=holder or duty.leader(wanted.organisation))
    fact = ImprovementAssigned(
        service=SERVICE,
        improvement_id=given.id,
        problem=given.problem,
        stage=given.stage,
        organisation=given.organisation,
        holder=given.holder,
        due_at=given.due_at,
        since=given.since,
        until=given.until,
        request_id=given.request_id,
    )
    return given, fact


def of_look_back(fact: RequestInspected, request_id: UUID, improvement_id: UUID, duty: Duty) -> Improvement:
    """What an inspector's finding asks of the organisation: as soon as a supervision order on a green request."""
    return Improvement(
        id=improvement_id,
        problem=ProblemKind.LOOK_BACK,
        organisation=fact.organisation,
        holder="",
        due_at=duty.now + timedelta(minutes=duty.clocks.supervision_minutes[Colour.GREEN]),
        request_id=request_id,
        assigned_by=LOOK_BACK,
        assigned_at=duty.now,
    )


def finish(held: Improvement, revision: int, result: str, now: datetime) -> tuple[Improvement, ImprovementDone]:
    """The holder says that it is put right; raises RevisionConflict or NotInThisState."""
    if revision != held.revision:
        raise RevisionConflict(revision=held.revision)
    if held.done_at is not None:
        raise NotInThisState(state=ImprovementState.DONE)
    done = replace(held, done_at=now, result=result, revision=held.revision + 1, is_alarmed=False)
    return done, ImprovementDone(service=SERVICE, improvement_id=held.id)


def check_sees(caller: Principal, held: Improvement) -> None:
    """Raise NotFound for everybody but oversight, the holder and his organisation."""
    if caller.kind in OVERSIGHT or caller.id == held.holder:
        return
    if not (caller.is_handler and caller.organisation == held.organisation):
        raise NotFound


def check_hands_out(caller: Principal) -> None:
    """Raise Forbidden for everybody but supervisors of the city."""
    if caller.kind is not Kind.SUPERVISOR:
        raise Forbidden("Problems are handed out by supervisors.")


def check_finishes(caller: Principal, held: Improvement) -> None:
    """Raise where the caller is neither the holder nor acts for his organisation."""
    check_sees(caller, held)
    if caller.id != held.holder and not (caller.is_handler and caller.organisation == held.organisation):
        raise Forbidden("The holder, or somebody of his organisation, says that it is put right.")
