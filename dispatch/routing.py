"""Routing: which organisation leads, by category × area × colour; which assists; and who there is on duty. Pure.

The first rule that fits decides, and what fits none goes to the backstop: nothing is unrouted.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from dispatch.city import AreaId, City, Entry, Id, OnDuty, Post
from dispatch.clocks import WHOLE, ClockPolicy
from dispatch.playbooks import Playbook
from shared.areas import lies_in
from shared.contracts.vocabulary import Category, Colour

BACKSTOP = "backstop"
OWN = "category"
"""In `{serves: category}`: the request's own category."""


class Serves(Entry):
    """The organisation that serves a category in the smallest area around the place."""

    serves: Literal["category"] | Category
    nearest: Annotated[Literal[True], BeforeValidator(lambda said: said == "true" or said)] = True


class Rule(Entry):
    """One rule: for these categories, areas (with all below) and colours, this organisation."""

    id: Id
    category: tuple[Category, ...] | Literal["any"] = "any"
    areas: tuple[AreaId, ...] | Literal["any"] = "any"
    colour: tuple[Colour, ...] | None = None
    organisation: Serves | Id
    note: str = ""

    def fits(self, category: str, area: str | None, colour: Colour) -> bool:
        """Whether the rule speaks of such a request."""
        return (
            (self.category == "any" or category in self.category)
            and (self.areas == "any" or any(lies_in(area, wider) for wider in self.areas))
            and (self.colour is None or colour in self.colour)
        )


class Need(Entry):
    """Who helps where a request needs this beside its lead."""

    organisation: Id


class RoutingPolicy(Entry):
    """The content of routing.yaml."""

    version: str = Field(min_length=1)
    rules: tuple[Rule, ...]
    backstop: Id
    needs: dict[str, Need] = Field(default_factory=dict)
    playbooks: tuple[Playbook, ...] = ()
    """The first that fits is followed."""
    sure_from: float = Field(0.6, ge=0, le=1)
    """A place that intake is less sure of is routed as its town: somebody there can ask."""


@dataclass(frozen=True, slots=True)
class Route:
    """Whose task it is, and the rule that says so."""

    organisation: str
    rule: str


@dataclass(slots=True, kw_only=True)
class Duty:
    """All that a decision rests on: the city, its policies, the time, and how loaded each is.

    `loads` counts open tasks by organisation and by person; who is given a task here counts at once.
    """

    city: City
    routing: RoutingPolicy
    clocks: ClockPolicy
    now: datetime
    new_id: Callable[[], UUID]
    loads: Counter[str] = field(default_factory=Counter)
    unreached: frozenset[str] = frozenset()
    """People who did not answer the last drill: among equals others come before them."""

    @property
    def policy_version(self) -> str:
        """The versions of the policies that decide."""
        return f"{self.routing.version}/{self.clocks.version}"

    def route(self, category: str, area: str | None, colour: Colour, exclude: Collection[str] = ()) -> Route:
        """Who leads a request; `exclude` are organisations that returned it."""
        for rule in self.routing.rules:
            if rule.fits(category, area, colour):
                organisation = self._target(rule, category, area, exclude)
                if organisation is not None:
                    return Route(organisation, rule.id)
        return Route(self.routing.backstop, BACKSTOP)

    def _target(self, rule: Rule, category: str, area: str | None, exclude: Collection[str]) -> str | None:
        target = rule.organisation
        if isinstance(target, Serves):
            wanted = category if target.serves == OWN else target.serves
            return self._least_loaded(self.city.nearest_serving(wanted, area, exclude))
        return target if target in self.city.organisations and target not in exclude else None

    def route_need(self, need: str, area: str | None) -> Route:
        """Who assists with a need: as routing says, else who offers it nearby, else the backstop."""
        rule = f"need:{need}"
        named = self.routing.needs.get(need)
        if named and named.organisation in self.city.organisations:
            return Route(named.organisation, rule)
        found = self._least_loaded(self.city.nearest_giving(need, area))
        return Route(found, rule) if found else Route(self.routing.backstop, BACKSTOP)

    def playbook(self, category: str, needs: tuple[str, ...], deadline: datetime | None) -> Playbook | None:
        """What such a request takes; None where the city has no playbook for it."""
        return next((book for book in self.routing.playbooks if book.fits(category, needs, deadline)), None)

    def place(self, area: str | None, confidence: float) -> str | None:
        """Where a request is for routing: as intake says, and where that is not sure, in its town."""
        return area if area is None or confidence >= self.routing.sure_from else self.city.town(area)

    def choose(
        self, organisation: str, level: int = 0, tried: Collection[str] = (), *, area: str | None = None
    ) -> OnDuty | None:
        """Who takes a task: of this level or the next that has somebody on duty, else the backstop's.

        Who is named for the place comes before others of his level. `tried` are people who let it lie; None where
        nobody can be reached.
        """
        for at in range(level, len(Post)):
            people = [p for p in self.city.on_duty(organisation, at, self.now) if p not in tried]
            if people:
                chosen = self.pick(organisation, at, people, area=area)
                self.loads[chosen.liaison] += 1
                self.loads[organisation] += 1
                return chosen
        if organisation == self.routing.backstop:
            return None
        return self.choose(self.routing.backstop, 0, tried, area=area)

    def pick(self, organisation: str, level: int, people: Sequence[str], *, area: str | None) -> OnDuty:
        """Of these, who are on duty at one post, the least loaded of those named for the place, else of all.

        Whoever is at his capacity is passed over. Where all of them are, it is the one with the least for what he can
        take: nothing waits for a free hand.
        """
        free = [person for person in people if not self.is_full(person)]
        named, _ = self.city.knowing(free or people, area)
        if free:
            chosen = min(named, key=lambda p: (self.loads[p], p in self.unreached, p))
        else:
            chosen = min(named, key=lambda p: (self.loads[p] / (self.capacity(p) or 1), p in self.unreached, p))
        return OnDuty(organisation, chosen, level, beyond_capacity=not free)

    def is_full(self, person: str) -> bool:
        """Whether he has as many open tasks as he can have."""
        capacity = self.capacity(person)
        return capacity is not None and self.loads[person] >= capacity

    def capacity(self, person: str) -> int | None:
        """How many open tasks he can have at the present emergency level; None where nobody counts."""
        known = self.city.liaisons.get(person)
        if known is None or known.capacity is None:
            return None
        return ceil(known.capacity * self.clocks.capacity_percent / WHOLE)

    def leader(self, organisation: str) -> str:
        """Who answers for an organisation: its supervisor, else the backstop's; where none is named, itself."""
        for name in (organisation, self.routing.backstop):
            known = self.city.organisations.get(name)
            if known is not None and known.supervisor is not None:
                return known.supervisor
            if there := self.city.on_duty(name, len(Post) - 1, self.now):
                return there[0]
        return organisation

    def _least_loaded(self, equals: Collection[str]) -> str | None:
        return min(equals, key=lambda name: (self.loads[name], name), default=None)
