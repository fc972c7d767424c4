"""The directory entry by entry: a file becomes entries, and entries become the file again. Pure.

When an entry was last confirmed to be right stands beside it, never in it: to confirm is not to change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from dispatch.city import DAILY, DAYS, Area, Entry, Liaison, Organisation, Shift
from dispatch.clocks import ClockPolicy
from dispatch.files import AreasFile, DirectoryFile, FileKind, InvalidFile, parse
from dispatch.routing import RoutingPolicy

ORGANISATION, LIAISON, SHIFTS, AREA, POLICY = "organisation", "liaison", "shifts", "area", "policy"
FILED = {
    FileKind.DIRECTORY: (ORGANISATION, LIAISON, SHIFTS),
    FileKind.AREAS: (AREA,),
    FileKind.ROUTING: (),
    FileKind.CLOCKS: (),
}
"""The kinds of entry that a file holds whole: what it leaves out is removed."""
ASSURED_AT = "assured_at"

Key = tuple[str, str]
Contents = dict[Key, dict[str, Any]]
Assured = Mapping[Key, datetime | None]


class ShiftsOfOne(Entry):
    """All shifts of one person; the entry's id is the person's."""

    shifts: tuple[Shift, ...]

    @property
    def assured_at(self) -> datetime | None:
        """When all of them were confirmed to be right; None where one was not."""
        return earliest([shift.assured_at for shift in self.shifts])


MODELS: dict[str, type[Entry]] = {
    ORGANISATION: Organisation,
    LIAISON: Liaison,
    SHIFTS: ShiftsOfOne,
    AREA: Area,
}
POLICIES: dict[str, type[RoutingPolicy | ClockPolicy]] = {
    FileKind.ROUTING: RoutingPolicy,
    FileKind.CLOCKS: ClockPolicy,
}


@dataclass(frozen=True, slots=True)
class Filed:
    """What a file holds: its version, its entries, and when it says that each was confirmed."""

    version: str
    entries: Contents
    assured: dict[Key, datetime] = field(default_factory=dict)


def plain(model: Entry | ClockPolicy) -> dict[str, Any]:
    """The entry as it is kept."""
    return model.model_dump(mode="json", by_alias=True)


def of_today(key: Key, content: dict[str, Any]) -> dict[str, Any]:
    """The entry as today's program would keep it: one that an older program kept lacks what is new in its format."""
    model = MODELS.get(key[0]) or POLICIES.get(key[1])
    return plain(model.model_validate(content)) if model else content


def earliest(moments: list[datetime | None]) -> datetime | None:
    """The earliest of all these; None where one of them is not known."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and len(known) == len(moments) else None


def from_file(kind: FileKind, text: str) -> Filed:
    """The file entry by entry; raises InvalidFile."""
    content = parse(kind, text)
    entries: Contents = {}
    stated: dict[Key, datetime | None] = {}
    match content:
        case DirectoryFile():
            entries |= {(ORGANISATION, o.id): plain(o) for o in content.organisations}
            entries |= {(LIAISON, p.id): plain(p) for p in content.liaisons}
            stated |= {(ORGANISATION, o.id): o.assured_at for o in content.organisations}
            stated |= {(LIAISON, p.id): p.assured_at for p in content.liaisons}
            for of_one in _by_person(content.shifts).values():
                key = SHIFTS, of_one.shifts[0].liaison
                entries[key], stated[key] = plain(of_one), of_one.assured_at
            entries[POLICY, kind] = {"version": content.version, "time_zone": content.time_zone}
        case AreasFile():
            entries |= {(AREA, a.id): plain(a) for a in content.areas}
            entries[POLICY, kind] = {"version": content.version}
        case _:
            entries[POLICY, kind] = plain(content)
    return Filed(content.version, entries, {key: at for key, at in stated.items() if at is not None})


def _by_person(shifts: tuple[Shift, ...]) -> dict[str, ShiftsOfOne]:
    of: dict[str, list[Shift]] = {}
    for shift in shifts:
        of.setdefault(shift.liaison, []).append(shift)
    return {person: ShiftsOfOne(shifts=tuple(some)) for person, some in of.items()}


def check_not_ahead(stated: Mapping[Key, datetime], now: datetime) -> None:
    """Raise InvalidFile where an entry is said to be confirmed at a time that has not come."""
    ahead = [{"detail": f"{kind} {i} is confirmed at a time to come"} for (kind, i), at in stated.items() if at > now]
    if ahead:
        raise InvalidFile("Nobody confirms what is to come.", errors=ahead)


def newer(stated: Mapping[Key, datetime], known: Assured) -> dict[Key, datetime]:
    """Of what a file states, that which is later than what is known: a confirmation is never taken back."""
    return {key: at for key, at in stated.items() if (before := known.get(key)) is None or at > before}


# Export


class _Writer(yaml.CSafeDumper):
    """Writes every value out; a reader of the city's files takes no aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 the library's signature
        return True


def _text(writer: yaml.CSafeDumper, text: str) -> yaml.Node:
    """A text, with what cannot be seen escaped: some of it would be read as the end of a line."""
    style = None if text.isprintable() else '"'
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _text)


def to_file(kind: FileKind, contents: Contents, assured: Assured) -> str:
    """The file that, applied to these entries, changes nothing."""
    document = dict(contents[POLICY, kind])
    if kind is FileKind.DIRECTORY:
        zone = ZoneInfo(document["time_zone"])
        document["organisations"] = _listed(contents, assured, ORGANISATION, zone)
        document["liaisons"] = _listed(contents, assured, LIAISON, zone)
        document["shifts"] = [
            _readable(shift) | _confirmed(assured.get((of, i)), zone)
            for (of, i), content in contents.items()
            if of == SHIFTS
            for shift in content["shifts"]
        ]
    elif kind is FileKind.AREAS:
        document["areas"] = [content for (of, _), content in contents.items() if of == AREA]
    return yaml.dump(
        _stated(document), Dumper=_Writer, allow_unicode=True, sort_keys=False, default_flow_style=None, width=120
    )


def _listed(contents: Contents, assured: Assured, kind: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [content | _confirmed(assured.get((of, i)), zone) for (of, i), content in contents.items() if of == kind]


def _confirmed(at: datetime | None, zone: ZoneInfo) -> dict[str, str]:
    return {ASSURED_AT: at.astimezone(zone).isoformat(timespec="seconds")} if at else {}


def _readable(shift: dict[str, Any]) -> dict[str, Any]:
    """A shift as people write it."""
    days = DAILY if list(shift["days"]) == list(DAYS) else shift["days"]
    return shift | {"days": days, "from": shift["from"].removesuffix(":00"), "to": shift["to"].removesuffix(":00")}


def _stated(value: Any) -> Any:
    """The value without what is not stated: nothing in a file means None."""
    if isinstance(value, dict):
        return {name: _stated(inner) for name, inner in value.items() if inner is not None}
    return [_stated(inner) for inner in value] if isinstance(value, list) else value
