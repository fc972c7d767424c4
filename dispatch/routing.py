"""Routing: whose a request is, by category × area × colour, and who there is on duty now. Pure.

The first rule that fits decides; nothing is unrouted, since the backstop takes the rest. An edit never runs it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from dispatch.clocks import ClockPolicy
from dispatch.files import Areas, Directory, Liaison, Nearest, Organisation, Routing, Rule
from shared.contracts.vocabulary import Category, Colour

BACKSTOP = "backstop"
POSTS = ("liaison", "deputy", "supervisor")
"""Who holds a task, level by level."""
TOP = len(POSTS) - 1


@dataclass(frozen=True, slots=True)
class Route:
    """The organisation, and the id of the rule that chose it."""

    organisation: str
    rule: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A person who can hold a task: organisation, liaison's id, and the level (0 liaison, 1 deputy, 2 supervisor)."""

    organisation: str
    liaison: str
    level: int


@dataclass(frozen=True)
class City:
    """All that routing and clocks need to know, of one version of the files."""

    directory: Directory
    areas: Areas
    routing: Routing
    clocks: ClockPolicy

    @cached_property
    def organisations(self) -> Mapping[str, Organisation]:
        """By id."""
        return {organisation.id: organisation for organisation in self.directory.organisations}

    @cached_property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.directory.time_zone)

    @cached_property
    def people(self) -> Mapping[tuple[str, str], list[Liaison]]:
        """Those of an organisation who have a post."""
        people: dict[tuple[str, str], list[Liaison]] = {}
        for liaison in self.directory.liaisons:
            people.setdefault((liaison.organisation, liaison.post), []).append(liaison)
        return people

    @cached_property
    def version(self) -> str:
        """The clock policy's version, which a promise names."""
        return self.clocks.version


def lies_in(area: str | None, place: str) -> bool:
    """Whether an area is the place, or within it."""
    return area is not None and (area == place or area.startswith(f"{place}/"))


def route(city: City, category: Category, area: str | None, colour: Colour) -> Route:
    """Whose it is."""
    for rule in city.routing.rules:
        if _fits(rule, category, area, colour):
            organisation = _organisation(city, rule, area)
            if organisation is not None:
                return Route(organisation, rule.id)
    return Route(city.routing.backstop, BACKSTOP)


def _fits(rule: Rule, category: Category, area: str | None, colour: Colour) -> bool:
    return (
        (rule.category == "any" or category in rule.category)
        and (rule.colour is None or colour in rule.colour)
        and (rule.areas == "any" or any(lies_in(area, place) for place in rule.areas))
    )


def _organisation(city: City, rule: Rule, area: str | None) -> str | None:
    if not isinstance(rule.organisation, Nearest):
        return rule.organisation
    around = [
        (len(place), organisation.id)
        for organisation in city.directory.organisations
        if rule.organisation.serves in organisation.services
        for place in organisation.areas
        if lies_in(area, place)
    ]
    return max(around)[1] if around else None


def on_duty(city: City, organisation: str, now: datetime, load: Mapping[str, int]) -> str | None:
    """The liaison who is on duty now, the least loaded where several are; None where nobody is."""
    local = now.astimezone(city.zone)
    mine = {liaison.id for liaison in city.people.get((organisation, "liaison"), ())}
    there = {
        shift.liaison
        for shift in city.directory.shifts
        if shift.liaison in mine and shift.covers(local.weekday(), local.time())
    }
    return min(there, key=lambda liaison: (load.get(liaison, 0), liaison), default=None)


def seat(city: City, organisation: str, level: int, now: datetime, load: Mapping[str, int]) -> Seat:
    """Who holds a task of the organisation from this level up; the backstop where nobody is there, who always is."""
    for at in range(level, TOP + 1):
        person = _person(city, organisation, at, now, load)
        if person is not None:
            return Seat(organisation, person, at)
    if organisation != city.routing.backstop:
        return seat(city, city.routing.backstop, 0, now, load)
    return Seat(organisation, f"{organisation}.{POSTS[0]}", TOP)


def _person(city: City, organisation: str, level: int, now: datetime, load: Mapping[str, int]) -> str | None:
    if level == 0:
        return on_duty(city, organisation, now, load)
    people = city.people.get((organisation, POSTS[level]), ())
    return people[0].id if people else None


def next_seat(city: City, held: Seat, now: datetime, load: Mapping[str, int]) -> Seat | None:
    """Who gets a task that its holder did not accept; None at the top of the backstop, who keeps it."""
    if held.level < TOP:
        return seat(city, held.organisation, held.level + 1, now, load)
    if held.organisation != city.routing.backstop:
        return seat(city, city.routing.backstop, 0, now, load)
    return None
