"""Reachability drills: who is asked, who may answer for whom, and what came of it. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from statistics import median
from uuid import UUID

from pydantic import BaseModel

from dispatch.access import DIRECTORY_WRITERS, speaks_for
from dispatch.city import City, Post
from dispatch.clocks import DrillPolicy
from shared.contracts.drills import DrillAsked, DrillClosed
from shared.identity import Principal
from shared.problems import Forbidden, InvalidInput, NotFound, Problem

SERVICE = "dispatch"
DRILL = "drill"
"""The key of the one timer by which drills begin."""
BEGINS, ENDS = "drill_begins", "drill_ends"
"""The kinds of timers of a drill."""
SHORTLY = timedelta(seconds=1)


class DrillRunning(Problem):
    """Everybody is being asked already; `drill_id` says by which drill. Wait for its end, or read it."""

    status = HTTPStatus.CONFLICT
    title = "Drill running"


class DrillOver(Problem):
    """The time to answer is over. Ask an operator to begin another drill if you can be reached again."""

    status = HTTPStatus.CONFLICT
    title = "Drill over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A time within which everybody in the directory says that he can be reached."""

    id: UUID
    asked_at: datetime
    asked_by: str | None
    """Who began it; None where it was its time."""
    answer_by: datetime
    closed_at: datetime | None = None
    policy_version: str

    def check_open(self, now: datetime) -> None:
        """Raise DrillOver where no answer counts any more."""
        if self.closed_at is not None or now >= self.answer_by:
            raise DrillOver


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A person who is asked."""

    liaison: str
    organisation: str
    post: Post
    is_expected: bool
    """On duty at some time of the drill; whoever is not may answer, and is not missed."""
    answered_at: datetime | None = None
    answered_by: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether he should have answered, and did not (yet)."""
        return self.is_expected and self.answered_at is None


def next_drill(policy: DrillPolicy, since: datetime | None, last: Drill | None, now: datetime) -> datetime | None:
    """When the next drill begins, counted from the last, else from `since`; None where they are switched off."""
    if policy.every_hours == 0:
        return None
    at = (since or now) + timedelta(hours=policy.every_hours)
    if last is not None and last.closed_at is None:
        at = max(at, last.answer_by)
    return max(at, now + SHORTLY)


def ask(city: City, drill: Drill) -> list[Asked]:
    """Everybody in the directory."""
    return [
        Asked(
            liaison=person.id,
            organisation=person.organisation,
            post=person.post,
            is_expected=city.is_expected(person, drill.asked_at, drill.answer_by),
        )
        for person in city.liaisons.values()
    ]


def by_organisation(people: Sequence[Asked]) -> dict[str, list[Asked]]:
    """Those asked, by organisation and id."""
    found: dict[str, list[Asked]] = defaultdict(list)
    for one in sorted(people, key=lambda p: (p.organisation, p.post.level, p.liaison)):
        found[one.organisation].append(one)
    return found


def asked_facts(drill: Drill, people: Sequence[Asked]) -> list[DrillAsked]:
    """What each organisation is asked."""
    return [
        DrillAsked(
            service=SERVICE,
            drill_id=drill.id,
            organisation=organisation,
            liaisons=tuple(one.liaison for one in some),
            answer_by=drill.answer_by,
        )
        for organisation, some in by_organisation(people).items()
    ]


def closed_facts(drill: Drill, people: Sequence[Asked]) -> list[DrillClosed]:
    """What came of it, for each organisation."""
    return [
        DrillClosed(
            service=SERVICE,
            drill_id=drill.id,
            organisation=organisation,
            asked=len(some),
            answered=sum(one.answered_at is not None for one in some),
            unreached=tuple(one.liaison for one in some if one.is_missing),
        )
        for organisation, some in by_organisation(people).items()
    ]


def answering(caller: Principal, named: str | None, people: Sequence[Asked], city: City, now: datetime) -> list[Asked]:
    """For whom the caller answers: himself, or whoever has his key's post now; the desk for whom it has reached."""
    own = speaks_for(caller, city, now)
    if named is not None and named not in own and caller.kind not in DIRECTORY_WRITERS:
        raise Forbidden("You may answer for yourself only.")
    if named is None and not own:
        if caller.kind not in DIRECTORY_WRITERS:
            raise Forbidden
        raise InvalidInput(errors=[{"pointer": "#/liaison", "detail": "say whom you have reached"}])
    found = [one for one in people if one.liaison in ({named} if named is not None else own)]
    if not found:
        raise NotFound
    return found


# The report


class Reached(StrEnum):
    """What came of asking a person."""

    ANSWERED = "answered"
    WAITING = "waiting"
    UNREACHED = "unreached"
    OFF_DUTY = "off_duty"


class PersonShown(BaseModel):
    """A person who was asked; `seconds` is how long the answer took."""

    liaison: str
    post: Post
    state: Reached
    seconds: float | None
    answered_by: str | None


class OrganisationShown(BaseModel):
    """An organisation's part; seconds of those who answered, None where nobody did."""

    organisation: str
    asked: int
    answered: int
    missing: int
    median_seconds: float | None
    slowest_seconds: float | None
    people: list[PersonShown]


class DrillShown(BaseModel):
    """A drill in numbers. A caller of an organisation sees its own part."""

    id: UUID
    asked_at: datetime
    asked_by: str | None
    """Who began it; null where it was its time."""
    answer_by: datetime
    closed_at: datetime | None
    policy_version: str
    asked: int
    answered: int
    missing: int
    """On duty at some time of the drill, and without an answer, or without one yet."""


class DrillReport(DrillShown):
    """A drill with everybody who was asked."""

    organisations: list[OrganisationShown]


def show(drill: Drill, asked: int, answered: int, missing: int) -> DrillShown:
    """The drill in numbers."""
    plain = {name: getattr(drill, name) for name in DrillShown.model_fields if hasattr(drill, name)}
    return DrillShown.model_validate(plain | {"asked": asked, "answered": answered, "missing": missing})


def report(drill: Drill, people: Sequence[Asked]) -> DrillReport:
    """The drill with everybody who was asked."""
    organisations = [_of_one(drill, name, some) for name, some in by_organisation(people).items()]
    counts = (sum(getattr(o, name) for o in organisations) for name in ("asked", "answered", "missing"))
    return DrillReport(**show(drill, *counts).model_dump(), organisations=organisations)


def _of_one(drill: Drill, organisation: str, people: Sequence[Asked]) -> OrganisationShown:
    shown = [_person(drill, one) for one in people]
    took = [one.seconds for one in shown if one.seconds is not None]
    return OrganisationShown(
        organisation=organisation,
        asked=len(people),
        answered=len(took),
        missing=sum(one.is_missing for one in people),
        median_seconds=round(median(took), 1) if took else None,
        slowest_seconds=max(took, default=None),
        people=shown,
    )


def _person(drill: Drill, one: Asked) -> PersonShown:
    if one.answered_at is not None:
        state = Reached.ANSWERED
    elif not one.is_expected:
        state = Reached.OFF_DUTY
    else:
        state = Reached.WAITING if drill.closed_at is None else Reached.UNREACHED
    seconds = round((one.answered_at - drill.asked_at).total_seconds(), 1) if one.answered_at else None
    return PersonShown(liaison=one.liaison, post=one.post, state=state, seconds=seconds, answered_by=one.answered_by)
