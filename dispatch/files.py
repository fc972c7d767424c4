"""The city's files that dispatch reads, each checked, with the place of every error. Pure.

`parse(kind, text)` gives a file's content; the fields of these models are its format:

- directory.yaml: `version`, `time_zone` (IANA), `organisations` (city.Organisation), `liaisons` (city.Liaison),
  `shifts` (city.Shift: liaison, days as a list of mon … sun or `daily`, from, to as "08:00"; may cross midnight);
- areas.yaml: `version`, `areas` (city.Area); or GeoJSON, as geojson.py says;
- routing.yaml: `version`, `rules` (routing.Rule, the first that fits decides), `backstop`, `needs`,
  `playbooks` (playbooks.Playbook, the first that fits is followed);
- clocks.yaml: clocks.ClockPolicy.

Every scalar is read as it is written, so that 20:00 is no number and `no` is no truth value.
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from dispatch import geojson
from dispatch.city import Area, City, Entry, Liaison, Organisation, Shift
from dispatch.clocks import ClockPolicy
from dispatch.playbooks import LEAD
from dispatch.routing import RoutingPolicy
from dispatch.shapes import flaws
from shared.problems import Problem

LONGEST_CHARACTERS = 4_000_000
Where = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)


class FileKind(StrEnum):
    """The files that dispatch reads; `<kind>.yaml` in the city's folder, applied in this order."""

    AREAS = "areas"
    DIRECTORY = "directory"
    ROUTING = "routing"
    CLOCKS = "clocks"


class InvalidFile(Problem):
    """The file is not as described; `errors` names each place, its line and what is wrong. Nothing was applied."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Invalid file"


class DirectoryFile(Entry):
    """The content of directory.yaml."""

    version: str = Field(min_length=1)
    time_zone: str
    organisations: tuple[Organisation, ...]
    liaisons: tuple[Liaison, ...]
    shifts: tuple[Shift, ...]

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as unknown:
            raise ValueError("is no time zone of the IANA database") from unknown
        return name


class AreasFile(Entry):
    """The content of areas.yaml."""

    version: str = Field(min_length=1)
    areas: tuple[Area, ...]


Content = DirectoryFile | AreasFile | RoutingPolicy | ClockPolicy
FORMATS: dict[FileKind, type[Content]] = {
    FileKind.AREAS: AreasFile,
    FileKind.DIRECTORY: DirectoryFile,
    FileKind.ROUTING: RoutingPolicy,
    FileKind.CLOCKS: ClockPolicy,
}


def parse(kind: FileKind, text: str) -> Content:
    """The content of a file, areas also out of GeoJSON; raises InvalidFile."""
    if len(text) > LONGEST_CHARACTERS:
        raise InvalidFile(errors=[_error((), 1, f"the file is longer than {LONGEST_CHARACTERS} characters")])
    if kind is FileKind.AREAS and (collection := _read_collection(text)) is not None:
        return _parse_collection(collection)
    return _parse(FORMATS[kind], text)


def _read_collection(text: str) -> dict[str, Any] | None:
    try:
        return geojson.read(text)
    except json.JSONDecodeError as broken:
        raise InvalidFile(errors=[_error((), broken.lineno, f"not JSON: {broken.msg}")]) from broken
    except RecursionError as deep:
        raise InvalidFile(errors=[_error((), 1, "nested too deeply")]) from deep
    except geojson.NotInDegrees as elsewhere:
        raise InvalidFile(errors=[_error(("crs",), 1, str(elsewhere))]) from elsewhere


def _parse_collection(collection: dict[str, Any]) -> AreasFile:
    """Areas out of GeoJSON; an error names the feature by its place and its id."""
    given = geojson.as_areas(collection)
    try:
        content = AreasFile.model_validate(given)
    except ValidationError as wrong:
        found = [(e["loc"], f"{_id_at(given, e['loc'])}{e['msg']}") for e in wrong.errors()]
        raise InvalidFile(errors=[_error(geojson.pointer(where), None, what) for where, what in found]) from wrong
    if wrong_with := [*_twice(content), *_misshapen(content)]:
        raise InvalidFile(errors=[_error(geojson.pointer(where), None, what) for where, what in wrong_with])
    return content


def _id_at(given: dict[str, Any], where: Where) -> str:
    match where:
        case ("areas", int(n), *_) if isinstance(given["areas"][n], dict) and given["areas"][n].get("id"):
            return f"{given['areas'][n]['id']}: "
    return ""


def _parse(model: type[M], text: str) -> M:
    root = _compose(text)
    try:
        content = model.model_validate(_plain(root, (), set()))
    except ValidationError as wrong:
        raise InvalidFile(errors=[_error(e["loc"], _line(root, e["loc"]), e["msg"]) for e in wrong.errors()]) from wrong
    if wrong_with := [*_twice(content), *_misshapen(content)]:
        raise InvalidFile(errors=[_error(where, _line(root, where), what) for where, what in wrong_with])
    return content


def _compose(text: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 1
        raise InvalidFile(errors=[_error((), line, f"not YAML: {broken.problem}")]) from broken
    except yaml.YAMLError as broken:
        raise InvalidFile(errors=[_error((), 1, "not YAML: a character that may not stand in it")]) from broken
    except RecursionError as deep:
        raise InvalidFile(errors=[_error((), 1, "nested too deeply")]) from deep
    if root is None:
        raise InvalidFile(errors=[_error((), 1, "the file is empty")])
    return root


def _plain(node: yaml.Node, where: Where, seen: set[int]) -> Any:
    """The node as strings, lists and dictionaries."""
    if id(node) in seen:
        raise InvalidFile(errors=[_error(where, _mark(node), "write it out: aliases are not taken")])
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*where, n), seen) for n, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        plain: dict[str, Any] = {}
        for key, child in node.value:
            name = str(key.value)
            if name in plain:
                raise InvalidFile(errors=[_error((*where, name), _mark(key), "stands here a second time")])
            plain[name] = _plain(child, (*where, name), seen)
        return plain
    return node.value


def _mark(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _line(node: yaml.Node, where: Where) -> int:
    """The line of a place, or of the last part of it that is there."""
    for step in where:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return _mark(node)


def _child(node: yaml.Node, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        children: list[yaml.Node] = node.value
        return children[step] if step < len(children) else None
    if isinstance(node, yaml.MappingNode):
        return next((child for key, child in node.value if key.value == step), None)
    return None


def _error(where: Where, line: int | None, detail: str) -> dict[str, Any]:
    """`line` where one writes the file by hand."""
    place = {"pointer": "/" + "/".join(map(str, where))} | ({"line": line} if line is not None else {})
    return {**place, "detail": detail}


def _twice(content: BaseModel) -> list[tuple[Where, str]]:
    """Ids that stand twice in one list."""
    found: list[tuple[Where, str]] = []
    for name in type(content).model_fields:
        entries = getattr(content, name)
        seen: set[str] = set()
        for n, entry in enumerate(entries if isinstance(entries, tuple) else ()):
            if (entry_id := getattr(entry, "id", None)) in seen:
                found.append(((name, n, "id"), f"{entry_id} stands here a second time"))
            if entry_id is not None:
                seen.add(entry_id)
    return found


def _misshapen(content: BaseModel) -> list[tuple[Where, str]]:
    """Shapes that are not right."""
    if not isinstance(content, AreasFile):
        return []
    fields = {n: "polygon" if area.polygon else "shape" for n, area in enumerate(content.areas)}
    return [(("areas", n, fields[n]), what) for n, what in flaws(content.areas)]


def disagreements(
    organisations: Sequence[Organisation],
    liaisons: Sequence[Liaison],
    shifts: Sequence[Shift],
    areas: Sequence[Area],
    routing: RoutingPolicy | None,
) -> list[str]:
    """What one entry names and another file, or the same, does not have; empty where all agree."""
    people, places = {p.id for p in liaisons}, {area.id for area in areas}
    known = {o.id for o in organisations}
    found = [f"area {a} of organisation {o.id}" for o in organisations for a in o.areas if a not in places]
    found += [f"supervisor {o.supervisor} of {o.id}" for o in organisations if o.supervisor not in {None, *people}]
    found += [f"organisation {p.organisation} of liaison {p.id}" for p in liaisons if p.organisation not in known]
    found += [f"liaison {s.liaison} of a shift" for s in shifts if s.liaison not in people]
    found += [f"area above {area}" for area in sorted(places) if "/" in area and area.rpartition("/")[0] not in places]
    found += [f"liaison {p} among the people of area {a.id}" for a in areas for p in a.people if p not in people]
    if routing is not None:
        found += _routing_disagreements(routing, known, places)
    return [f"there is no {what}" for what in found]


def _routing_disagreements(routing: RoutingPolicy, known: set[str], places: set[str]) -> Iterable[str]:
    yield from _rule_disagreements(routing, known, places)
    if routing.backstop not in known:
        yield f"organisation {routing.backstop}, the backstop"
    for need, met_by in routing.needs.items():
        if met_by.organisation not in known:
            yield f"organisation {met_by.organisation} for the need {need}"
    for book, step in ((b, s) for b in routing.playbooks for s in b.steps):
        if step.by not in {None, LEAD, *known}:
            yield f"organisation {step.by} of step {step.id} in playbook {book.id}"


def _rule_disagreements(routing: RoutingPolicy, known: set[str], places: set[str]) -> Iterable[str]:
    for rule in routing.rules:
        if isinstance(rule.organisation, str) and rule.organisation not in known:
            yield f"organisation {rule.organisation} of rule {rule.id}"
        for area in rule.areas if rule.areas != "any" else ():
            if area not in places:
                yield f"area {area} of rule {rule.id}"


def make_city(directory: DirectoryFile, areas: AreasFile) -> City:
    """The city that two files describe."""
    return City(directory.time_zone, directory.organisations, directory.liaisons, directory.shifts, areas.areas)
