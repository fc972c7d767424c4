"""What may be filed and by whom, who may do what with a request, and which fact follows. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from shared.contracts import Event, Fact, requests
from shared.contracts.life import Known, applies
from shared.contracts.vocabulary import Category, Channel, FiledBy, Vulnerability
from shared.identity import DESK, HANDLERS, OVERSIGHT, STAFF, Kind, Principal, may_read
from shared.problems import Forbidden, InvalidInput, NotFound, NotInThisState

TRIAGE_PROMISE = timedelta(minutes=1)
"""Before triage nobody knows that a request is not red: all are promised red's clock for the acknowledgement."""
CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far a filer's clock may be ahead of ours."""
OFFLINE_LIMIT = timedelta(days=7)
RIGHT_TO_IMPORT = "import"
CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
LATIN = re.compile(r"[A-Za-z]+")
RELATION = re.compile(
    r"^(?:[我他她的家里们这位个]|\d+岁|奶奶|爷爷|外婆|外公|姥姥|姥爷|妈妈?|爸爸?|母亲|父亲|婆婆|公公|岳父|岳母|儿子|女儿|孙子|孙女"
    r"|孩子|小孩|婴儿|宝宝|丈夫|妻子|老公|老婆|爱人|哥哥?|姐姐?|弟弟?|妹妹?|叔叔?|阿姨|舅舅?|姑姑?|伯伯?|邻居|老人家?|老太太?|老伯"
    r"|同事|朋友|同学|室友|租客|房东|病人|孕妇|员工|工人"
    r"|\b(?:my|our|his|her|the|an?|old|elderly|sick|neighbour|neighbor|friend|colleague|grand(?:mother|father|ma|pa|parents?)"
    r"|mother|father|mom|mum|dad|parents?|son|daughter|child|baby|wife|husband|brother|sister|uncle|aunt)\b|[\s,，、.])+",
    re.IGNORECASE,
)
"""What stands before a name, or alone: how somebody is related to the filer."""


class NotYourChannel(Forbidden):
    """Hotline and visit are channels of staff, partner is one of partners. Leave `channel` out, or send another."""

    title = "Not your channel"


class NotYoursToDate(Forbidden):
    """Only staff may say when a request was filed. Leave `filed_at` out: it is filed now."""

    title = "Not yours to date"


class FiledTooLongAgo(Forbidden):
    """A request filed more than 7 days ago is taken from a supervisor, or with the right to import."""

    title = "Filed too long ago"


class FiledInTheFuture(InvalidInput):
    """`filed_at` is in the future. Set the clock right, or leave it out."""

    title = "Filed in the future"


class NoSuchTarget(InvalidInput):
    """There is no other request `into`. Send the id or the receipt of the request that this one is merged into."""

    title = "No such target"


# Filing


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Who asks for help, and where exactly: what stays here."""

    name: str | None = None
    phone: str
    """E.164."""
    address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    accuracy_m: float | None = None
    """Within so many metres of these coordinates."""
    on_behalf_of: str | None = None

    @property
    def coordinates(self) -> tuple[float, float] | None:
        """(longitude, latitude) in degrees, where known."""
        if self.longitude is None or self.latitude is None:
            return None
        return self.longitude, self.latitude

    @property
    def names(self) -> tuple[str, ...]:
        """Words that may not leave in a text: who is meant. `我奶奶` is nobody's name, and triage must read it."""
        other = RELATION.sub("", self.on_behalf_of) if self.on_behalf_of else None
        return tuple(words for words in (self.name, self.phone, other) if words)

    @property
    def places(self) -> tuple[str, ...]:
        """Words that may not leave in a text: which door is meant."""
        return (self.address,) if self.address else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """What somebody files, checked and in one spelling."""

    text: str
    details: Details
    area: str | None = None
    channel: Channel | None = None
    category: Category | None = None
    persons: int | None = None
    vulnerability: tuple[Vulnerability, ...] = ()
    filed_at: datetime | None = None


def channel_of(caller: Principal, wanted: Channel | None) -> Channel:
    """The channel of a filing: as wanted, or what the caller's kind uses. Raises NotYourChannel."""
    if wanted is None:
        if caller.kind in HANDLERS:
            return Channel.PARTNER
        if caller.kind is Kind.GRID_WORKER:
            return Channel.VISIT
        return Channel.HOTLINE if caller.kind in STAFF else Channel.APP
    if wanted in {Channel.HOTLINE, Channel.VISIT} and caller.kind not in STAFF:
        raise NotYourChannel
    if wanted is Channel.PARTNER and caller.kind not in HANDLERS:
        raise NotYourChannel
    return wanted


def filed_at(caller: Principal, stated: datetime | None, now: datetime) -> datetime:
    """When it was said: as staff states it, else now. Raises NotYoursToDate, FiledInTheFuture, FiledTooLongAgo."""
    if stated is None:
        return now
    if caller.kind not in STAFF:
        raise NotYoursToDate
    if stated > now + CLOCK_TOLERANCE:
        raise FiledInTheFuture
    if stated < now - OFFLINE_LIMIT and not (caller.kind is Kind.SUPERVISOR or RIGHT_TO_IMPORT in caller.rights):
        raise FiledTooLongAgo
    return min(stated, now)


def filed_by(caller: Principal) -> FiledBy:
    """In what capacity the caller files."""
    if caller.kind is Kind.GRID_WORKER:
        return FiledBy.GRID_WORKER
    if caller.kind in STAFF:
        return FiledBy.OPERATOR
    return FiledBy.PARTNER if caller.kind in HANDLERS or caller.kind is Kind.SERVICE else FiledBy.RESIDENT


# A request, as intake knows it

Tasks = Mapping[tuple[UUID, str], bool]
"""(task, organisation) to whether it is open there."""
OPENS = (requests.TaskAssigned, requests.TaskAccepted)
ENDS = (requests.TaskReturned, requests.TaskRecalled, requests.TaskCancelled, requests.TaskFulfilled)


@dataclass(frozen=True, slots=True)
class Case:
    """A request with its status, and the organisations that have or had a task on it."""

    known: Known
    tasks: Tasks

    @property
    def organisations(self) -> frozenset[str]:
        """Who has or had a task."""
        return frozenset(organisation for _, organisation in self.tasks)

    @property
    def working(self) -> frozenset[str]:
        """Who has an open task; nobody once the request has ended."""
        if self.known.ahead.status.is_ending:
            return frozenset()
        return frozenset(organisation for (_, organisation), is_open in self.tasks.items() if is_open)

    def hear(self, event: Event[Fact], *, own: bool) -> "Case":
        """After the log brought an event; `own` where intake had stated it."""
        tasks = self.tasks
        if isinstance(event.fact, requests.TaskFact):
            tasks = follow(tasks, event.fact)
        return Case(self.known.hear(event, own=own), tasks)

    def say(self, fact: Fact, now: datetime) -> "Case":
        """After intake stated a fact."""
        return replace(self, known=self.known.say(fact, now))


def follow(tasks: Tasks, fact: requests.TaskFact) -> Tasks:
    """The tasks after a fact about one; a task is open at one organisation at a time."""
    at = fact.task_id, fact.organisation
    if isinstance(fact, OPENS):
        elsewhere = {key: False for key in tasks if key[0] == fact.task_id}
        return {**tasks, **elsewhere, at: True}
    if isinstance(fact, requests.RequestAnswered):
        return {**tasks, at: fact.fulfil_by is not None}
    return {**tasks, at: False} if isinstance(fact, ENDS) else tasks


# Who may do what


class Act(StrEnum):
    """What one can do with a request here."""

    AMEND = "amend"
    WITHDRAW = "withdraw"
    REJECT = "reject"
    MERGE = "merge"
    VIEW_CONTACT = "view_contact"
    READ_VIEWS = "read_views"


def permit(caller: Principal, act: Act, case: Case | None) -> Case:
    """The case, where the caller may do that; raises NotFound where he may not even see it, else Forbidden."""
    life = case.known.life if case else None
    if case is None or life is None or not may_read(caller, life.request_id, life.area, case.organisations):
        raise NotFound
    if not _may(caller, act, case):
        raise Forbidden
    return case


def _may(caller: Principal, act: Act, case: Case) -> bool:
    is_own = caller.kind is Kind.RESIDENT  # one who sees it, sees his own
    is_grid_worker = caller.kind is Kind.GRID_WORKER  # and one of these, his area's
    match act:
        case Act.AMEND:
            return is_own or is_grid_worker or caller.kind in DESK
        case Act.WITHDRAW:
            return is_own or caller.kind in DESK
        case Act.REJECT | Act.MERGE:
            return caller.kind in DESK
        case Act.VIEW_CONTACT:
            if caller.kind in HANDLERS:
                return caller.organisation in case.working
            return is_grid_worker or caller.kind in OVERSIGHT or caller.kind is Kind.SERVICE
        case Act.READ_VIEWS:
            return caller.kind in OVERSIGHT


def must_apply(case: Case, fact: Fact) -> None:
    """Raise NotInThisState where the fact would change nothing."""
    if not applies(case.known.ahead, fact):
        raise NotInThisState(state=case.known.ahead.status)


def must_be_open(case: Case) -> None:
    """Raise NotInThisState where the request has ended: what is new then is a new request, or a rating."""
    if case.known.ahead.status.is_ending:
        raise NotInThisState(
            "The request has ended. File a new one, or rate the answer.", state=case.known.ahead.status
        )


def must_take(target: Case, merged: Case) -> None:
    """Raise where a request cannot be merged into the target: itself, or one that has ended."""
    life = target.known.ahead
    if life.request_id == merged.known.life.request_id:
        raise NoSuchTarget
    if life.status.is_ending:
        members = {"merged_into": str(life.merged_into)} if life.merged_into else {}
        raise NotInThisState("The request to merge into has ended.", state=life.status, **members)


def changed(before: Mapping[UUID, Case], after: Mapping[UUID, Case]) -> list[Case]:
    """The cases that differ, in one order."""
    return [after[key] for key in sorted(after) if after[key] != before.get(key)]
