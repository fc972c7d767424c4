"""What the simulated people share: the clock, the agenda, the telephone to Heed, and what is known of each case."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx2

from services.demo.agenda import Agenda
from services.demo.ledger import Ledger
from services.demo.pace import PacedClock
from services.demo.script import STORY, Filing
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.vocabulary import Colour

CALL_SECONDS = 60.0
KEPT_SECONDS = 2.0
"""How long an idle connection is used again: the server hangs up after five."""
LINE_BROKE = 0
"""In place of a status, where no answer came."""
SEED = "2022-10-24"


@dataclass
class Case:
    """A filing that got its receipt."""

    filing: Filing
    request_id: UUID
    receipt: str
    tracking_token: str
    ratings: int = 0

    @property
    def is_story(self) -> bool:
        """Whether this is the named case."""
        return self.filing.name == STORY


@dataclass
class Answer:
    """What Heed said to a call."""

    status: int
    body: Any

    @property
    def is_fine(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def problem(self) -> str:
        """The name of the problem, where it is one."""
        return str(self.body.get("type", "")).rpartition("/")[2] if isinstance(self.body, dict) else ""

    @property
    def is_outdated(self) -> bool:
        """Whether somebody else was quicker to change what this was decided on."""
        return self.problem == "revision-conflict"


class Telephone:
    """Calls the public API as this or that person."""

    def __init__(self, base_url: str, tokens: Mapping[str, str]) -> None:
        """`tokens` by the names of credentials.json."""
        self._tokens = tokens
        limits = httpx2.Limits(max_connections=16, keepalive_expiry=KEPT_SECONDS)
        self._client = httpx2.AsyncClient(base_url=base_url, trust_env=False, timeout=CALL_SECONDS, limits=limits)
        self.refusals: Counter[str] = Counter()
        """How often which problem was the answer, by kind of call."""
        self.surprises: list[str] = []
        """Answers of 500 and above, and none at all: what no caller can be to blame for."""

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def call(self, who: str | None, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Call as `who`: a name in credentials.json, a tracking token, or None for somebody unknown."""
        headers: dict[str, str] = more.pop("headers", {})
        if who is not None:
            headers = {**headers, "authorization": f"Bearer {self._tokens.get(who, who)}"}
        if body is not None:
            more["json"] = body
        try:
            answer = await self._client.request(method, path, headers=headers, **more)
        except httpx2.TransportError as broken:
            self.surprises.append(f"{method} {path}: {type(broken).__name__}")
            return Answer(LINE_BROKE, None)
        what = path.rpartition("/")[2] if method == "POST" else method
        if answer.status_code >= 500:
            self.surprises.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        said = Answer(answer.status_code, json.loads(answer.content) if answer.content else None)
        if not said.is_fine:
            self.refusals[f"{what}: {said.problem}"] += 1
        return said


@dataclass
class City:
    """Everything the people of the demo have in common."""

    clock: PacedClock
    agenda: Agenda
    telephone: Telephone
    ledger: Ledger
    react: Callable[[Case, r.RequestFact], None] = lambda _case, _fact: None
    """What people do when they hear of a fact about a case."""
    cases: dict[UUID, Case] = field(default_factory=dict)
    by_name: dict[str, Case] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    """Malformed filings, by the status of the refusal."""
    misfiled: list[str] = field(default_factory=list)
    """Filings that were taken though malformed, or refused though sound."""
    notes: Counter[str] = field(default_factory=Counter)
    """What is worth telling at the end: `late accepts refused`, …"""

    _heard_late: timedelta = field(default=timedelta(), init=False)

    def add(self, case: Case) -> None:
        """Remember a filing's receipt; facts that were quicker than the receipt are heard now."""
        self.cases[case.request_id] = self.by_name[case.filing.name] = case
        for fact in self._early.pop(case.request_id, ()):
            self.react(case, fact)

    def hear(self, event: Event[Fact]) -> None:
        """Take an event of the log in, and let people react to it."""
        if not self.ledger.read(event) or not isinstance(event.fact, r.RequestFact):
            return
        self._heard_late = max(self._heard_late, self._lateness(event))
        case = self.cases.get(UUID(event.subject))
        if case is None:
            self._early[UUID(event.subject)].append(event.fact)
        else:
            self.react(case, event.fact)

    def _lateness(self, event: Event[Fact]) -> timedelta:
        """How long the system took to tell it, or to triage it."""
        first = isinstance(event.fact, r.RequestTriaged) and event.fact.revision == 1
        since = self.ledger.lives[UUID(event.subject)].received_at if first else event.time
        return self.clock.now() - since

    def lag(self) -> timedelta:
        """How late the people are, or the system was since the last look."""
        heard_late, self._heard_late = self._heard_late, timedelta()
        return max(self.agenda.lag(), heard_late)

    def __post_init__(self) -> None:
        self._early: defaultdict[UUID, list[r.RequestFact]] = defaultdict(list)

    def colour(self, request_id: UUID) -> Colour:
        """The request's colour as the log has it; green where it is not triaged yet."""
        life = self.ledger.lives.get(request_id)
        return (life and life.colour) or Colour.GREEN

    def soon(self, chance: Random, span: tuple[float, float], *, after: datetime | None = None) -> datetime:
        """A time between so many minutes from now, or after `after`."""
        return (after or self.clock.now()) + timedelta(minutes=chance.uniform(*span))


def dice(*what: object) -> Random:
    """Chance that falls the same way in every run, whatever else happens meanwhile."""
    return Random(":".join(map(str, (SEED, *what))))
