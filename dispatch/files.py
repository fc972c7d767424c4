"""The city's files: directory, areas, routing, clocks; checked, with the place of each error. Pure.

`parse(kind, text)` gives the content as a model; their fields are the files' format.
"""

from datetime import time
from enum import StrEnum
from http import HTTPStatus
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from dispatch.clocks import ClockPolicy
from shared.contracts.directory import Named
from shared.contracts.vocabulary import Category, Colour
from shared.problems import Problem

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C where PyYAML has it: ten times as fast."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class FileKind(StrEnum):
    """The files a city is made of."""

    DIRECTORY = "directory"
    AREAS = "areas"
    ROUTING = "routing"
    CLOCKS = "clocks"


class FileInvalid(Problem):
    """The file is not as described; `errors` names each place and what is wrong there. Nothing was changed."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "File invalid"


class Entry(BaseModel):
    """The base of all that stands in a file: what is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]*$", max_length=100)]


def _clock_time(value: Any) -> Any:
    """`08:00`, and also what YAML makes of an unquoted one: minutes as a number."""
    return f"{value // 60:02}:{value % 60:02}" if isinstance(value, int) else value


ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class Organisation(Entry):
    """Who takes tasks."""

    id: Id
    name: Named
    services: tuple[Category, ...] = ()
    areas: tuple[Id, ...] = ()
    needs: tuple[str, ...] = ()
    """Assisting services it gives, such as transport."""
    supervisor: Id | None = None


class Liaison(Entry):
    """A person who acts for an organisation."""

    id: Id
    organisation: Id
    post: Literal["liaison", "deputy", "supervisor"]
    name: Named
    phone: str


class Shift(Entry):
    """When a liaison is on duty, in the city's time zone; one that ends before it begins crosses midnight."""

    liaison: Id
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | Literal["daily"] = "daily"
    begins: ClockTime = Field(alias="from")
    ends: ClockTime = Field(alias="to")

    def covers(self, weekday: int, at: time) -> bool:
        """Whether it covers that time of that day, 0 being Monday."""
        if self.begins < self.ends:
            return self._on(weekday) and self.begins <= at < self.ends
        return (self._on(weekday) and at >= self.begins) or (self._on((weekday - 1) % 7) and at < self.ends)

    def _on(self, weekday: int) -> bool:
        return self.days == "daily" or DAYS[weekday] in self.days


class Directory(Entry):
    """The content of directory.yaml."""

    version: str
    time_zone: str
    organisations: tuple[Organisation, ...]
    liaisons: tuple[Liaison, ...]
    shifts: tuple[Shift, ...]

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError) as unknown:
            raise ValueError(f"{name} is no time zone of the IANA list") from unknown
        return name

    @model_validator(mode="after")
    def _holds_together(self) -> "Directory":
        organisations = _unique("organisation", [o.id for o in self.organisations])
        liaisons = _unique("liaison", [one.id for one in self.liaisons])
        _known("organisation", (one.organisation for one in self.liaisons), organisations)
        _known("liaison", (shift.liaison for shift in self.shifts), liaisons)
        _known("liaison", (o.supervisor for o in self.organisations if o.supervisor), liaisons)
        return self


class Area(Entry):
    """A place in the tree."""

    id: Id
    level: Literal["city", "town", "village", "grid", "micro_grid"]
    name: Named
    aliases: tuple[str, ...] = ()
    polygon: tuple[tuple[float, float], ...] = ()


class Areas(Entry):
    """The content of areas.yaml."""

    version: str
    areas: tuple[Area, ...]

    @model_validator(mode="after")
    def _is_a_tree(self) -> "Areas":
        ids = _unique("area", [area.id for area in self.areas])
        _known("area", (area.id.rsplit("/", 1)[0] for area in self.areas if "/" in area.id), ids)
        return self


class Nearest(Entry):
    """The organisation that offers a service and whose area is the smallest around the request."""

    serves: Category
    nearest: Literal[True] = True


class Rule(Entry):
    """One line of the routing: the first that fits decides."""

    id: Id
    category: tuple[Category, ...] | Literal["any"] = "any"
    areas: tuple[Id, ...] | Literal["any"] = "any"
    colour: tuple[Colour, ...] | None = None
    organisation: Id | Nearest
    note: str = ""


class Need(Entry):
    """Who meets a need that a request has beside its lead."""

    organisation: Id


class Routing(Entry):
    """The content of routing.yaml."""

    version: str
    rules: tuple[Rule, ...]
    backstop: Id
    needs: dict[str, Need] = {}

    @model_validator(mode="after")
    def _names_once(self) -> "Routing":
        _unique("rule", [rule.id for rule in self.rules])
        return self


Content = Directory | Areas | Routing | ClockPolicy
MODELS: dict[FileKind, type[BaseModel]] = {
    FileKind.DIRECTORY: Directory,
    FileKind.AREAS: Areas,
    FileKind.ROUTING: Routing,
    FileKind.CLOCKS: ClockPolicy,
}


def parse(kind: FileKind, text: str) -> Content:
    """The checked content of a file; raises FileInvalid with every place that is wrong."""
    try:
        return check(kind, yaml.load(text, LOADER))  # noqa: S506 both loaders are the safe ones
    except yaml.YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "somewhere"
        errors = [{"pointer": where, "detail": str(getattr(broken, "problem", "is no YAML"))}]
        raise FileInvalid(f"The file is no YAML: {where}.", errors=errors) from broken


def check(kind: FileKind, content: Any) -> Content:
    """The checked content; raises FileInvalid."""
    try:
        return MODELS[kind].model_validate(content)  # type: ignore[return-value] # one of the four
    except ValidationError as wrong:
        errors = [{"pointer": "/" + "/".join(map(str, e["loc"])), "detail": e["msg"]} for e in wrong.errors()]
        raise FileInvalid(errors=errors) from wrong


def check_together(directory: Directory, areas: Areas, routing: Routing) -> None:
    """Raise FileInvalid where one file names what another does not know."""
    organisations, places = {o.id for o in directory.organisations}, {area.id for area in areas.areas}
    try:
        _known("organisation", (need.organisation for need in routing.needs.values()), organisations)
        _known("organisation", [routing.backstop], organisations)
        named = [rule.organisation for rule in routing.rules if isinstance(rule.organisation, str)]
        _known("organisation", named, organisations)
        _known("area", (area for o in directory.organisations for area in o.areas), places)
        _known("area", (area for rule in routing.rules if rule.areas != "any" for area in rule.areas), places)
    except ValueError as unknown:
        raise FileInvalid(f"The files do not fit together: {unknown}") from unknown


def _unique(what: str, ids: list[str]) -> set[str]:
    twice = [a for a, b in pairwise(sorted(ids)) if a == b]
    if twice:
        raise ValueError(f"the {what} {twice[0]} stands there twice")
    return set(ids)


def _known(what: str, ids: Any, known: set[str]) -> None:
    unknown = sorted(set(ids) - known)
    if unknown:
        raise ValueError(f"there is no {what} {', '.join(unknown)}")


def differences(old: Content | None, new: Content) -> list[str]:
    """What a new file changes, a line each: `+ organisations police`, `~ rules hospital`, `- shifts …`."""
    before, after = _parts(old) if old else {}, _parts(new)
    return (
        [f"+ {name}" for name in after if name not in before]
        + [f"~ {name}" for name in after if name in before and before[name] != after[name]]
        + [f"- {name}" for name in before if name not in after]
    )


def _parts(content: Content) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for field, value in content.model_dump(mode="json", by_alias=True).items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for n, entry in enumerate(value):
                parts[f"{field} {entry.get('id') or entry.get('liaison') or n}"] = entry
        else:
            parts[field] = value
    return parts
