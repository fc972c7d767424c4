"""The city as dispatch knows it: organisations, their people and shifts, places; and who is on duty at a moment. Pure.

The models here are the entries of directory.yaml and areas.yaml, and the bodies by which single entries are changed.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

from shared.areas import upwards
from shared.contracts.shapes import Geometry, Ring, Shape, shape_of
from shared.contracts.vocabulary import Category

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAILY = "daily"
MIDNIGHT = "24:00"
LONGEST_DUTY = 8
"""Shifts that follow on each other; whoever has more is always on duty."""
EVERYWHERE = ""
"""Stands in the index of services for organisations that name no area."""

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
AreaId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$", max_length=200)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Entry(BaseModel):
    """The base of every entry: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Name(Entry):
    """A name in each language."""

    zh: Words
    en: Words


class Post(StrEnum):
    """The posts of an organisation, lowest first: a task climbs them as it is left lying."""

    LIAISON = "liaison"
    DEPUTY = "deputy"
    SUPERVISOR = "supervisor"

    @property
    def level(self) -> int:
        """0 for a liaison, 1 for the deputy, 2 for the supervisor."""
        return tuple(Post).index(self)


class Assured(Entry):
    """The base of entries that somebody confirms to be right, from time to time."""

    assured_at: AwareDatetime | None = Field(None, exclude=True)
    """When that was last, as a file states it; kept beside the entry, so that to confirm is not to change."""


class Organisation(Assured):
    """Somebody who takes tasks."""

    id: Id
    name: Name
    services: tuple[Category, ...] = ()
    areas: tuple[AreaId, ...] = ()
    """Where it serves, with all below; none means everywhere."""
    needs: tuple[str, ...] = ()
    """What it gives as an assistant: `transport` …"""
    supervisor: Id | None = None


class Liaison(Assured):
    """A person of an organisation: its voice, its deputy or its supervisor."""

    id: Id
    organisation: Id
    post: Post
    name: Name
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()-]{3,32}$")]
    capacity: Annotated[int, Field(ge=1)] | None = None
    """How many open tasks he can have at once; None where nobody counts."""


def _no_hour_24(value: object) -> object:
    return "00:00" if value == MIDNIGHT else value


def _local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("is a time of day in the city's time zone, without an offset")
    return value


TimeOfDay = Annotated[time, BeforeValidator(_no_hour_24), AfterValidator(_local)]


def _spread(value: object) -> object:
    return DAYS if value == DAILY else value


Day = Annotated[str, StringConstraints(pattern=f"^({'|'.join(DAYS)})$")]


class Shift(Assured):
    """When somebody is on duty, in the city's time zone; `to` not after `from` means the next day."""

    liaison: Id
    days: Annotated[tuple[Day, ...], BeforeValidator(_spread)]
    """On which days it begins."""
    begins: TimeOfDay = Field(alias="from")
    ends: TimeOfDay = Field(alias="to")

    def covers(self, local: datetime) -> bool:
        """Whether the shift runs at this local time."""
        today, at = DAYS[local.weekday()] in self.days, local.time()
        if self.begins < self.ends:
            return today and self.begins <= at < self.ends
        yesterday = DAYS[(local - timedelta(days=1)).weekday()] in self.days
        return (today and at >= self.begins) or (yesterday and at < self.ends)

    def end_after(self, local: datetime) -> datetime:
        """When the shift that runs at this local time ends."""
        ends_tomorrow = self.begins >= self.ends and local.time() >= self.begins
        day = local.date() + timedelta(days=1 if ends_tomorrow else 0)
        return datetime.combine(day, self.ends, local.tzinfo)

    def runs_between(self, begin: datetime, end: datetime) -> bool:
        """Whether the shift runs at some moment from `begin` until `end`, both local times."""
        day = begin.date() - timedelta(days=1)
        while day <= end.date():
            starts = datetime.combine(day, self.begins, begin.tzinfo)
            if DAYS[day.weekday()] in self.days and starts < end and begin < self.end_after(starts):
                return True
            day += timedelta(days=1)
        return False


class Level(StrEnum):
    """The levels of places."""

    CITY = "city"
    TOWN = "town"
    VILLAGE = "village"
    GRID = "grid"
    MICRO_GRID = "micro_grid"


class Area(Entry):
    """A place; its id is the path from the city down."""

    id: AreaId
    level: Level
    name: Name
    aliases: tuple[Words, ...] = ()
    polygon: Ring = ()
    """Its shape where that is one ring, which need not be closed."""
    shape: Shape | None = None
    """Its shape where that has holes or several parts."""
    people: tuple[Id, ...] = ()
    """Liaisons who know it: of their organisation they are preferred for what comes from there."""

    @model_serializer(mode="wrap")
    def _as_said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a shape or people that it does not have: the release that knew neither can go on with it."""
        return {name: value for name, value in whole(self).items() if value or name not in {"shape", "people"}}

    @property
    def outline(self) -> Geometry | None:
        """Its shape, whichever way it was given."""
        return shape_of(self.polygon, self.shape)


@dataclass(frozen=True, slots=True)
class OnDuty:
    """A person who can be given a task now."""

    organisation: str
    liaison: str
    level: int
    beyond_capacity: bool = False
    """He has all that he can take; so has everybody else of his post who is on duty."""


class City:
    """A snapshot of the directory, indexed for the questions dispatch asks of it."""

    def __init__(
        self,
        time_zone: str,
        organisations: Sequence[Organisation],
        liaisons: Sequence[Liaison],
        shifts: Sequence[Shift],
        areas: Sequence[Area],
    ) -> None:
        self.zone = ZoneInfo(time_zone)
        self.organisations: Mapping[str, Organisation] = {o.id: o for o in organisations}
        self.liaisons: Mapping[str, Liaison] = {person.id: person for person in liaisons}
        self.areas: Mapping[str, Area] = {area.id: area for area in areas}
        self._staff: dict[tuple[str, int], list[str]] = defaultdict(list)
        for person in sorted(liaisons, key=lambda p: p.id):
            self._staff[person.organisation, person.post.level].append(person.id)
        self._shifts: dict[str, list[Shift]] = defaultdict(list)
        for shift in shifts:
            self._shifts[shift.liaison].append(shift)
        self._serving = _index(organisations, lambda o: o.services)
        self._giving = _index(organisations, lambda o: o.needs)
        self._whole = [area for area in sorted(self.areas) if "/" not in area]

    def people(self, organisation: str) -> list[str]:
        """Ids of all its people, liaisons first."""
        return [person for level in range(len(Post)) for person in self._staff.get((organisation, level), ())]

    def on_duty(self, organisation: str, level: int, now: datetime) -> list[str]:
        """Who of this level can be reached now. A deputy or supervisor without a shift can be at any hour."""
        local = now.astimezone(self.zone)
        return [p for p in self._staff.get((organisation, level), ()) if self._is_on_duty(p, level, local)]

    def _is_on_duty(self, person: str, level: int, local: datetime) -> bool:
        shifts = self._shifts.get(person)
        if not shifts:
            return level > 0
        return any(shift.covers(local) for shift in shifts)

    def is_expected(self, person: Liaison, begin: datetime, end: datetime) -> bool:
        """Whether he can be reached at some moment of this time: by his shifts, or at any hour where he needs none."""
        shifts = self._shifts.get(person.id)
        if not shifts:
            return person.post.level > 0
        return any(s.runs_between(begin.astimezone(self.zone), end.astimezone(self.zone)) for s in shifts)

    def knowing(self, people: Sequence[str], area: str | None) -> tuple[Sequence[str], str | None]:
        """Of these people, those named for the smallest area around a place that has any, and that area; else all."""
        for wider in upwards(area):
            known = self.areas.get(wider)
            if known is not None and (named := [person for person in people if person in known.people]):
                return named, wider
        return people, None

    def town(self, area: str) -> str:
        """The town that an area lies in; a place that is larger, or in none, stays what it is."""
        levels = ((wider, self.areas[wider].level) for wider in upwards(area) if wider in self.areas)
        return next((wider for wider, level in levels if level is Level.TOWN), area)

    def all_on_duty(self, organisation: str, now: datetime) -> list[str]:
        """Who of an organisation can be reached now, at any post."""
        return [person for level in range(len(Post)) for person in self.on_duty(organisation, level, now)]

    def duty_ends(self, person: str, now: datetime) -> datetime | None:
        """When a person who is on duty now by his shifts goes off; None where he is not, or has none, or never does."""
        local, shifts = now.astimezone(self.zone), self._shifts.get(person, ())
        end = local
        for _ in range(LONGEST_DUTY):
            running = [shift.end_after(end) for shift in shifts if shift.covers(end)]
            if not running:
                return None if end == local else end.astimezone(now.tzinfo)
            end = max(running)
        return None

    def nearest_serving(self, category: str, area: str | None, exclude: Container[str] = ()) -> list[str]:
        """The organisations that offer the category in the smallest area around the place; equals by id."""
        return self._nearest(self._serving.get(category, {}), area, exclude)

    def nearest_giving(self, need: str, area: str | None, exclude: Container[str] = ()) -> list[str]:
        """The organisations that give this help in the smallest area around the place; equals by id."""
        return self._nearest(self._giving.get(need, {}), area, exclude)

    def _nearest(self, index: Mapping[str, list[str]], area: str | None, exclude: Container[str]) -> list[str]:
        """Where the place is not known, only those that serve the whole city come into question."""
        for wider in (*(upwards(area) if area else self._whole), EVERYWHERE):
            if found := [o for o in index.get(wider, ()) if o not in exclude]:
                return found
        return []


def _index(
    organisations: Sequence[Organisation], offers: Callable[[Organisation], Sequence[str]]
) -> dict[str, dict[str, list[str]]]:
    index: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for organisation in sorted(organisations, key=lambda o: o.id):
        for offer in offers(organisation):
            for area in organisation.areas or (EVERYWHERE,):
                index[offer][area].append(organisation.id)
    return index
