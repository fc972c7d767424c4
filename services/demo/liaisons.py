"""Liaisons, deputies and supervisors: they accept, speak with the resident, answer, and keep what was promised.

Most are prompt. Some come late, and find that the task has been recalled and is the deputy's by now; some never come.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from services.demo.city import Answer, Case, City, dice
from services.demo.words import ANSWERS, PROGRESS, RETURN_NOTE, STORY_ANSWER, say
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour, Role

SILENT, LATE, RETURNS, PROGRESSES = 0.05, 0.05, 0.7, 0.35
"""Shares of tasks: not accepted at all, accepted too late, given back if another's, with news on the way."""
SLOW_ANSWER, BROKEN_PROMISE = 0.04, 0.06
TRIES = 3
Span = tuple[float, float]
ACCEPT: Mapping[Colour, Span] = {Colour.RED: (0.3, 1.5), Colour.YELLOW: (3, 18), Colour.GREEN: (10, 75)}
CONTACT: Mapping[Colour, Span] = {Colour.RED: (0.5, 2), Colour.YELLOW: (4, 20), Colour.GREEN: (10, 80)}
ANSWER: Mapping[Colour, Span] = {Colour.RED: (12, 70), Colour.YELLOW: (60, 420), Colour.GREEN: (90, 600)}
SLOW: Mapping[Colour, Span] = {Colour.RED: (150, 200), Colour.YELLOW: (1500, 1700), Colour.GREEN: (4400, 4600)}
STORY_ANSWER_MINUTES = (3.0, 4.0)
ARRANGED: Span = (0.2, 0.8)
"""From the call to the word that it is arranged, for a lead and for who assists."""
WAITS_MINUTES, WAITS_TIMES = 2, 60
"""How long a lead waits for a help that his answer needs before he tries again, and how often."""
ASSISTED: Span = (30, 150)
LATE_TIMES_CLOCK: Span = (1.3, 2.0)
JOURNEYS = frozenset({Category.TRANSPORT})
JOURNEY_HOURS = (2, 9)


class Handlers:
    """Everybody who acts for an organisation."""

    def __init__(self, city: City, serves: Mapping[str, frozenset[Category]], leads: Mapping[Category, str]) -> None:
        """`serves`: what each organisation does; `leads`: whose work a category is."""
        self._city, self._serves, self._leads = city, serves, leads

    def on_assigned(self, case: Case, fact: r.TaskAssigned) -> None:
        """A task came to somebody: he will accept it soon, late, or never."""
        chance = dice(case.filing.name, "accept", fact.role, fact.attempt)
        colour = self._city.colour(case.request_id)
        at = self._city.soon(chance, ACCEPT[colour])
        post = fact.liaison.rpartition(".")[2]
        mood = 1.0 if case.is_story or post in {"deputy", "supervisor"} else chance.random()
        if mood < SILENT:
            self._city.notes["tasks that nobody touched"] += 1
            return
        if mood < SILENT + LATE:
            now = self._city.clock.now()
            at = now + (fact.accept_by - now) * chance.uniform(*LATE_TIMES_CLOCK)
        self._city.agenda.plan(at, partial(self.accept, fact))

    async def accept(self, fact: r.TaskAssigned) -> None:
        """Sign for it; too late where it is somebody else's by now."""
        answer = await self._act(fact, "accept", {}, fact.liaison)
        if answer is not None and answer.status == 409:
            self._city.notes["late accepts refused"] += 1

    def on_accepted(self, case: Case, fact: r.TaskAccepted) -> None:
        """Plan the work."""
        chance = dice(case.filing.name, "work", fact.role, fact.organisation, fact.liaison)
        plan, soon = self._city.agenda.plan, self._city.soon
        colour = self._city.colour(case.request_id)
        if fact.role is Role.ASSISTING:
            plan(soon(chance, ARRANGED), partial(self._act, fact, "confirm", {}))
            plan(soon(chance, ASSISTED), partial(self._act, fact, "fulfil", {}))
            return
        if self._is_anothers(case, fact, chance):
            plan(soon(chance, CONTACT[colour]), partial(self.give_back, case, fact))
            return
        contacted_at = soon(chance, CONTACT[colour])
        plan(contacted_at, partial(self._act, fact, "contact", {"medium": "phone"}))
        if case.filing.about is Category.MEDICAL:
            plan(soon(chance, ARRANGED, after=contacted_at), partial(self._act, fact, "confirm", {}))
        answered_at = soon(chance, self._answer_minutes(case, colour, chance), after=contacted_at)
        if chance.random() < PROGRESSES:
            news = {"text": say(chance.choice(PROGRESS), english=case.filing.is_english)}
            plan(contacted_at + (answered_at - contacted_at) * 0.4, partial(self._act, fact, "progress", news))
        plan(answered_at, partial(self.answer, case, fact))

    def _answer_minutes(self, case: Case, colour: Colour, chance: Random) -> Span:
        if case.is_story:
            return STORY_ANSWER_MINUTES
        return SLOW[colour] if chance.random() < SLOW_ANSWER else ANSWER[colour]

    def _is_anothers(self, case: Case, fact: r.TaskAccepted, chance: Random) -> bool:
        about = case.filing.about
        if about is None or case.is_story or about in self._serves.get(fact.organisation, ()):
            return False
        return chance.random() < RETURNS

    async def give_back(self, case: Case, fact: r.TaskAccepted) -> None:
        """Not ours, and we say whose."""
        note = say(RETURN_NOTE, english=case.filing.is_english)
        about = case.filing.about
        belongs_to = self._leads.get(about) if about else None
        body = {"reason": "not_ours", "belongs_to": belongs_to, "note": note}
        answer = await self._act(fact, "return", {name: value for name, value in body.items() if value})
        if answer is not None and not answer.is_fine:
            await self.answer(case, fact)

    async def answer(self, case: Case, fact: r.TaskAccepted, waited: int = 0) -> None:
        """Say what was done; where a vehicle comes later, by when. Where help is to be arranged still, try again."""
        chance = dice(case.filing.name, "answer", fact.organisation, case.ratings)
        about = case.filing.about or Category.OTHER
        words = STORY_ANSWER if case.is_story else chance.choice(ANSWERS[about])
        body: dict[str, Any] = {"text": say(words, english=case.filing.is_english)}
        if fulfil_by := self._promise(case, about, chance):
            body["fulfil_by"] = fulfil_by.isoformat()
        said = await self._act(fact, "answer", body)
        if said is not None and said.problem == "required-tasks-open" and waited < WAITS_TIMES:
            later = self._city.clock.now() + timedelta(minutes=WAITS_MINUTES)
            self._city.agenda.plan(later, partial(self.answer, case, fact, waited + 1))

    def _promise(self, case: Case, about: Category, chance: Random) -> datetime | None:
        now = self._city.clock.now()
        life = self._city.ledger.lives[case.request_id]
        if case.is_story:
            return datetime.fromisoformat("2022-10-26T10:30:00+08:00")
        if about in JOURNEYS and not life.reopened:
            return now + timedelta(hours=chance.uniform(*JOURNEY_HOURS))
        return None

    def on_answered(self, case: Case, fact: r.RequestAnswered) -> None:
        """What was promised will be done in time, mostly."""
        if fact.fulfil_by is None:
            return
        chance = dice(case.filing.name, "fulfil")
        now = self._city.clock.now()
        share = 1.2 if not case.is_story and chance.random() < BROKEN_PROMISE else chance.uniform(0.5, 0.95)
        self._city.agenda.plan(now + (fact.fulfil_by - now) * share, partial(self._act, fact, "fulfil", {}))

    async def _act(
        self, fact: r.TaskFact, what: str, body: dict[str, Any], liaison: str | None = None
    ) -> Answer | None:
        """Read the task for its revision, then act on it; once more where somebody changed it in between.

        None where it is not there for the caller.
        """
        who = _token(fact.organisation, liaison or self._city.ledger.holders.get(fact.task_id, ""))
        path = f"/v1/tasks/{fact.task_id}"
        answer = None
        for _ in range(TRIES):
            task = await self._city.telephone.call(who, "GET", path)
            if not task.is_fine:
                return None
            said = {"revision": task.body["revision"], **body}
            answer = await self._city.telephone.call(who, "POST", f"{path}/{what}", said)
            if not answer.is_outdated:
                break
        return answer


def _token(organisation: str, liaison: str) -> str:
    """Who acts, by the post of who holds the task; the deputy acts for the supervisor too."""
    post = liaison.rpartition(".")[2]
    return f"{'deputy' if post in {'deputy', 'supervisor'} else 'liaison'}:{organisation}"


def read_services(directory: Mapping[str, Any]) -> dict[str, frozenset[Category]]:
    """What each organisation of directory.yaml does."""
    return {entry["id"]: frozenset(map(Category, entry["services"])) for entry in directory["organisations"]}


def first_serving(serves: Mapping[str, frozenset[Category]]) -> dict[Category, str]:
    """For each category an organisation that does it."""
    return {category: name for name, categories in reversed(list(serves.items())) for category in categories}
