"""The directory: applied from files, changed entry by entry, kept with history, announced; and the view of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch import store
from dispatch.access import check_reads_directory, check_writes_directory
from dispatch.answers import Applied, EntryHistory, EntryKept, differences
from dispatch.city import Area, City, Liaison, Organisation, Shift, lies_in
from dispatch.clocks import ClockPolicy
from dispatch.files import AreasFile, DirectoryFile, FileKind, InvalidFile, disagreements, parse
from dispatch.routing import Duty, RoutingPolicy
from dispatch.shapes import flaws
from dispatch.surge import NoSuchLevel, SurgeShown
from shared.contracts.directory import AreaRecorded, DirectoryFact, Named, OrganisationRecorded, PolicyRecorded
from shared.database import Transaction
from shared.identity import Principal
from shared.ids import new_id
from shared.messaging.work import Work
from shared.problems import NotFound
from shared.web import check_revision

ORGANISATION, LIAISON, SHIFTS, AREA, POLICY = "organisation", "liaison", "shifts", "area", "policy"
FILED = {
    FileKind.DIRECTORY: (ORGANISATION, LIAISON, SHIFTS),
    FileKind.AREAS: (AREA,),
    FileKind.ROUTING: (),
    FileKind.CLOCKS: (),
}
"""The kinds of entry that a file holds whole: what it leaves out is removed."""
WAKE = "wake"
"""The one timer of a case: when the next of its clocks wants to be looked at."""
FIRST_START = "first-start"

SURGE = "surge"
"""The policy that holds the emergency level."""

Key = tuple[str, str]
Contents = dict[Key, dict[str, Any]]


class CityMissing(RuntimeError):
    """No routing and clocks were ever applied: nothing can be dispatched."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that decisions rest on, at one revision of the directory."""

    city: City
    routing: RoutingPolicy
    clocks: ClockPolicy


class Desk:
    """Keeps the newest snapshot in memory; each transaction asks only whether it is still the newest."""

    def __init__(self, salt: bytes) -> None:
        """`salt` is the city's secret, by which texts are hashed."""
        self.salt = salt
        self._revision = -1
        self._snapshot: Snapshot | None = None

    async def duty(self, work: Work, *, with_loads: bool = False) -> Duty:
        """What a decision in this transaction rests on; `with_loads` where somebody is to be given a task."""
        duty = await self.look(work.connection, work.now)
        if with_loads:
            duty.loads = await store.count_loads(work.connection)
        return duty

    async def look(self, connection: Transaction, now: datetime) -> Duty:
        """The same for who only reads."""
        revision = await store.city_revision(connection)
        if self._snapshot is None or revision != self._revision:
            self._snapshot, self._revision = await _load(connection), revision
        known = self._snapshot
        return Duty(city=known.city, routing=known.routing, clocks=known.clocks, now=now, new_id=new_id)


async def _load(connection: Transaction) -> Snapshot:
    return _snapshot(await _contents(connection))


async def _contents(connection: Transaction) -> Contents:
    return {(e.kind, e.id): e.content for e in await store.list_entries(connection) if e.content is not None}


def _of(contents: Contents, kind: str) -> list[dict[str, Any]]:
    return [content for (of, _), content in contents.items() if of == kind]


def _people(contents: Contents) -> tuple[list[Organisation], list[Liaison], list[Shift], list[Area]]:
    return (
        [Organisation.model_validate(c) for c in _of(contents, ORGANISATION)],
        [Liaison.model_validate(c) for c in _of(contents, LIAISON)],
        [Shift.model_validate(shift) for c in _of(contents, SHIFTS) for shift in c["shifts"]],
        [Area.model_validate(c) for c in _of(contents, AREA)],
    )


def _snapshot(contents: Contents) -> Snapshot:
    policies = {i: content for (kind, i), content in contents.items() if kind == POLICY}
    if missing := [kind.value for kind in FileKind if kind not in policies]:
        raise CityMissing(f"the city has no {', '.join(missing)}: apply the files, or set HEED_CITY_DIR")
    return Snapshot(
        City(policies[FileKind.DIRECTORY]["time_zone"], *_people(contents)),
        RoutingPolicy.model_validate(policies[FileKind.ROUTING]),
        ClockPolicy.model_validate(policies[FileKind.CLOCKS]).at_level(_level(contents)),
    )


def _level(contents: Contents) -> int:
    return int(contents.get((POLICY, SURGE), {}).get("level", 0))


# Files


async def is_in_force(connection: Transaction) -> bool:
    """Whether the city's files were ever applied."""
    return await store.city_revision(connection) > 0


async def apply_first(work: Work, texts: Mapping[FileKind, str]) -> bool:
    """Apply the city's files where none ever were; whether they were applied now."""
    if await store.city_revision(work.connection, lock=True) > 0:
        return False
    after: Contents = {}
    for kind in FileKind:
        after |= _from_file(kind, texts[kind])[1]
    await _put_in_force(work, {}, after, FIRST_START)
    return True


async def apply_file(work: Work, caller: Principal, kind: FileKind, text: str, dry_run: bool) -> Applied:
    """Check a file against all that is in force, and apply it; with `dry_run`, say only what it would change."""
    check_writes_directory(caller)
    version, entries = _from_file(kind, text)
    await store.city_revision(work.connection, lock=True)
    before = await _contents(work.connection)
    gone = [key for key in before if key[0] in FILED[kind]]
    after = {key: content for key, content in before.items() if key not in gone} | entries
    changes = [c for of in (*FILED[kind], POLICY) for c in differences(_by_id(before, of), _by_id(after, of), of)]
    _check(after)
    if not dry_run:
        await _put_in_force(work, before, after, caller.id)
    return Applied(kind=kind, version=version, dry_run=dry_run, changes=changes)


def _by_id(contents: Contents, kind: str) -> dict[str, dict[str, Any]]:
    return {i: content for (of, i), content in contents.items() if of == kind}


def _from_file(kind: FileKind, text: str) -> tuple[str, Contents]:
    """The version of a file, and its content entry by entry."""
    content = parse(kind, text)
    entries: Contents = {}
    match content:
        case DirectoryFile():
            entries |= {(ORGANISATION, o.id): _plain(o) for o in content.organisations}
            entries |= {(LIAISON, p.id): _plain(p) for p in content.liaisons}
            for shift in content.shifts:
                entries.setdefault((SHIFTS, shift.liaison), {"shifts": []})["shifts"].append(_plain(shift))
            entries[POLICY, kind] = {"version": content.version, "time_zone": content.time_zone}
        case AreasFile():
            entries |= {(AREA, a.id): _plain(a) for a in content.areas}
            entries[POLICY, kind] = {"version": content.version}
        case _:
            entries[POLICY, kind] = _plain(content)
    return content.version, entries


def _plain(model: Organisation | Liaison | Shift | Area | RoutingPolicy | ClockPolicy) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True)


def _check(contents: Contents) -> None:
    """Raise InvalidFile where entries do not agree with each other."""
    routing = contents.get((POLICY, FileKind.ROUTING))
    found = disagreements(*_people(contents), RoutingPolicy.model_validate(routing) if routing else None)
    if found:
        raise InvalidFile("The entries do not agree with each other.", errors=[{"detail": what} for what in found])


def _check_shape(contents: Contents, changed: str) -> None:
    """Raise InvalidFile where the shape of an area is not right by itself, by those around it or by those in it."""
    areas = [Area.model_validate(content) for content in _of(contents, AREA)]
    near = [area for area in areas if lies_in(area.id, changed) or lies_in(changed, area.id)]
    if found := [{"detail": what} for _, what in flaws(near)]:
        raise InvalidFile("The shape of the area is not right.", errors=found)


async def _put_in_force(work: Work, before: Contents, after: Contents, by: str) -> None:
    """Keep what changed, announce it, and try again what waited for somebody to be there."""
    _check(after)
    changed: dict[Key, dict[str, Any] | None] = {k: v for k, v in after.items() if before.get(k) != v}
    changed |= dict.fromkeys(before.keys() - after.keys())
    if not changed:
        return
    await store.save_entries(work.connection, changed, work.now, by)
    known = _announcements(before)
    for key, fact in _announcements(after).items():
        if known.pop(key, None) != fact:
            work.state(fact, key[1])
    for (_, entry_id), fact in known.items():
        work.state(_emptied(fact), entry_id)
    for request_id in await store.list_waiting(work.connection):
        work.set_timer(WAKE, str(request_id), work.now)


def _announcements(contents: Contents) -> dict[Key, DirectoryFact]:
    """What others are told of each entry: no names or numbers of people."""
    organisations, liaisons, _, areas = _people(contents)
    staff: dict[str, list[str]] = {o.id: [] for o in organisations}
    for person in liaisons:
        staff.setdefault(person.organisation, []).append(person.id)
    facts: dict[Key, DirectoryFact] = {(AREA, a.id): _area_fact(a) for a in areas}
    facts |= {(ORGANISATION, o.id): _organisation_fact(o, sorted(staff[o.id])) for o in organisations}
    for (kind, i), content in contents.items():
        if kind == POLICY:
            facts[kind, i] = PolicyRecorded(policy=i, version=content["version"])
    return facts


def _organisation_fact(organisation: Organisation, staff: Sequence[str]) -> OrganisationRecorded:
    return OrganisationRecorded(
        organisation=organisation.id,
        name=Named(zh=organisation.name.zh, en=organisation.name.en),
        services=organisation.services,
        areas=organisation.areas,
        liaisons=tuple(staff),
        supervisor=organisation.supervisor,
    )


def _area_fact(area: Area) -> AreaRecorded:
    return AreaRecorded(
        area=area.id,
        level=area.level.value,
        name=Named(zh=area.name.zh, en=area.name.en),
        aliases=area.aliases,
        polygon=area.polygon,
        shape=area.shape,
        people=area.people,
    )


def _emptied(fact: DirectoryFact) -> DirectoryFact:
    """What is left of an entry that was removed: its name, and nothing by which anything is found or given to it."""
    emptied: dict[str, Any] = dict.fromkeys(("services", "areas", "liaisons", "aliases", "polygon", "people"), ())
    emptied |= {"supervisor": None, "shape": None}
    return fact.model_copy(update={k: v for k, v in emptied.items() if k in type(fact).model_fields})


# The emergency level


async def declare(work: Work, caller: Principal, level: int) -> SurgeShown:
    """Put an emergency level into force; promises that were given stand, new ones are made by it."""
    check_writes_directory(caller)
    await store.city_revision(work.connection, lock=True)
    before = await _contents(work.connection)
    highest = len(ClockPolicy.model_validate(before[POLICY, FileKind.CLOCKS]).surge)
    if not 0 <= level <= highest:
        raise NoSuchLevel(highest=highest)
    after = before | {(POLICY, SURGE): {"version": f"level-{level}", "level": level}}
    await _put_in_force(work, before, after, caller.id)
    return _surge(after)


async def load_surge(connection: Transaction, caller: Principal) -> SurgeShown:
    """The level in force."""
    check_reads_directory(caller)
    return _surge(await _contents(connection))


def _surge(contents: Contents) -> SurgeShown:
    clocks = ClockPolicy.model_validate(contents[POLICY, FileKind.CLOCKS])
    level = _level(contents)
    return SurgeShown(level=level, highest=len(clocks.surge), policy_version=clocks.at_level(level).version)


# Entry by entry


async def put_entry(
    work: Work, caller: Principal, kind: str, entry_id: str, revision: int, content: dict[str, Any]
) -> EntryKept:
    """Add an entry (revision 0) or change it."""
    check_writes_directory(caller)
    await store.city_revision(work.connection, lock=True)
    known = await store.find_entry(work.connection, kind, entry_id)
    check_revision(revision, known.revision if known else 0)
    before = await _contents(work.connection)
    after = before | {(kind, entry_id): content}
    if kind == AREA:
        _check_shape(after, entry_id)
    await _put_in_force(work, before, after, caller.id)
    kept = await store.find_entry(work.connection, kind, entry_id)
    if kept is None:
        raise NotFound
    return _kept(kept)


async def list_entries(connection: Transaction, caller: Principal, kind: str) -> list[EntryKept]:
    """The entries of a kind that are in force."""
    check_reads_directory(caller)
    return [_kept(entry) for entry in await store.list_entries(connection, kind)]


async def load_entry(connection: Transaction, caller: Principal, kind: str, entry_id: str) -> EntryHistory:
    """One entry, with the states that it had before."""
    check_reads_directory(caller)
    states = await store.list_history(connection, kind, entry_id)
    if not states:
        raise NotFound
    newest, *older = states
    return EntryHistory(**_kept(newest).model_dump(), history=[_kept(state) for state in older])


def _kept(entry: store.EntryRow) -> EntryKept:
    return EntryKept(
        id=entry.id,
        revision=entry.revision,
        changed_at=entry.changed_at,
        changed_by=entry.changed_by,
        is_removed=entry.content is None,
        content=entry.content or {},
    )
