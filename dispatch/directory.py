"""The directory: applied from files, changed entry by entry, kept with history, announced; and the view of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch import drill_store, entry_store, store
from dispatch.access import check_reads_directory, check_writes_directory
from dispatch.answers import Applied, EntryHistory, EntryKept
from dispatch.city import Area, City, Liaison, Organisation, Shift
from dispatch.clocks import ClockPolicy
from dispatch.differences import Change, differences
from dispatch.drills import BEGINS, DRILL, next_drill
from dispatch.entries import (
    AREA,
    ASSURED_AT,
    FILED,
    LIAISON,
    ORGANISATION,
    POLICY,
    SHIFTS,
    Assured,
    Contents,
    Key,
    check_not_ahead,
    from_file,
    newer,
    of_today,
    to_file,
)
from dispatch.files import FileKind, InvalidFile, disagreements
from dispatch.routing import Duty, RoutingPolicy
from dispatch.shapes import flaws
from dispatch.surge import NoSuchLevel, SurgeShown
from shared.areas import lies_in
from shared.contracts.directory import AreaRecorded, DirectoryFact, Named, OrganisationRecorded, PolicyRecorded
from shared.database import Transaction
from shared.identity import Principal
from shared.ids import new_id
from shared.messaging.work import Work
from shared.problems import NotFound
from shared.web import check_revision

WAKE = "wake"
"""The one timer of a case: when the next of its clocks wants to be looked at."""
FIRST_START = "first-start"

SURGE = "surge"
"""The policy that holds the emergency level."""


class CityMissing(RuntimeError):
    """No routing and clocks were ever applied: nothing can be dispatched."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that decisions rest on, at one revision of the directory."""

    city: City
    routing: RoutingPolicy
    clocks: ClockPolicy
    unreached: frozenset[str]
    """Who did not answer the last drill."""


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
        revision = await entry_store.city_revision(connection)
        if self._snapshot is None or revision != self._revision:
            self._snapshot, self._revision = await _load(connection), revision
        known = self._snapshot
        return Duty(
            city=known.city,
            routing=known.routing,
            clocks=known.clocks,
            now=now,
            new_id=new_id,
            unreached=known.unreached,
        )


async def _load(connection: Transaction) -> Snapshot:
    return _snapshot(await _contents(connection), frozenset(await drill_store.last_unreached(connection)))


async def _contents(connection: Transaction) -> Contents:
    return (await _entries(connection))[0]


async def _entries(connection: Transaction) -> tuple[Contents, Assured]:
    """All entries in force, and when each was confirmed."""
    rows = await entry_store.list_entries(connection)
    contents = {(e.kind, e.id): of_today((e.kind, e.id), e.content) for e in rows if e.content is not None}
    return contents, {(e.kind, e.id): e.assured_at for e in rows}


def _of(contents: Contents, kind: str) -> list[dict[str, Any]]:
    return [content for (of, _), content in contents.items() if of == kind]


def _people(contents: Contents) -> tuple[list[Organisation], list[Liaison], list[Shift], list[Area]]:
    return (
        [Organisation.model_validate(c) for c in _of(contents, ORGANISATION)],
        [Liaison.model_validate(c) for c in _of(contents, LIAISON)],
        [Shift.model_validate(shift) for c in _of(contents, SHIFTS) for shift in c["shifts"]],
        [Area.model_validate(c) for c in _of(contents, AREA)],
    )


def _snapshot(contents: Contents, unreached: frozenset[str]) -> Snapshot:
    policies = {i: content for (kind, i), content in contents.items() if kind == POLICY}
    if missing := [kind.value for kind in FileKind if kind not in policies]:
        raise CityMissing(f"the city has no {', '.join(missing)}: apply the files, or set HEED_CITY_DIR")
    return Snapshot(
        City(policies[FileKind.DIRECTORY]["time_zone"], *_people(contents)),
        RoutingPolicy.model_validate(policies[FileKind.ROUTING]),
        _clocks(contents),
        unreached,
    )


def _clocks(contents: Contents) -> ClockPolicy:
    """The clocks at the emergency level in force."""
    return ClockPolicy.model_validate(contents[POLICY, FileKind.CLOCKS]).at_level(_level(contents))


def _level(contents: Contents) -> int:
    return int(contents.get((POLICY, SURGE), {}).get("level", 0))


# Files


async def is_in_force(connection: Transaction) -> bool:
    """Whether the city's files were ever applied."""
    return await entry_store.city_revision(connection) > 0


async def apply_first(work: Work, texts: Mapping[FileKind, str]) -> bool:
    """Apply the city's files where none ever were; whether they were applied now."""
    if await entry_store.city_revision(work.connection, lock=True) > 0:
        return False
    after: Contents = {}
    stated: dict[Key, datetime] = {}
    for kind in FileKind:
        filed = from_file(kind, texts[kind])
        after |= filed.entries
        stated |= filed.assured
    check_not_ahead(stated, work.now)
    await _put_in_force(work, {}, after, FIRST_START, stated)
    return True


async def apply_file(work: Work, caller: Principal, kind: FileKind, text: str, dry_run: bool) -> Applied:
    """Check a file against all that is in force, and apply it; with `dry_run`, say only what it would change."""
    check_writes_directory(caller)
    filed = from_file(kind, text)
    check_not_ahead(filed.assured, work.now)
    await entry_store.city_revision(work.connection, lock=True)
    before, known = await _entries(work.connection)
    gone = [key for key in before if key[0] in FILED[kind]]
    after = {key: content for key, content in before.items() if key not in gone} | filed.entries
    changes = [c for of in (*FILED[kind], POLICY) for c in differences(_by_id(before, of), _by_id(after, of), of)]
    later = {key: at for key, at in newer(filed.assured, known).items() if before.get(key) == after[key]}
    changes += [Change(kind=of, id=i, change="assured", fields=[ASSURED_AT]) for of, i in later]
    _check(after)
    if not dry_run:
        await _put_in_force(work, before, after, caller.id, filed.assured)
        await entry_store.assure(work.connection, later, caller.id)
    return Applied(kind=kind, version=filed.version, dry_run=dry_run, changes=changes)


async def export_file(connection: Transaction, caller: Principal, kind: FileKind) -> str:
    """The file that, applied now, changes nothing: single edits are in it."""
    check_reads_directory(caller)
    return to_file(kind, *await _entries(connection))


def _by_id(contents: Contents, kind: str) -> dict[str, dict[str, Any]]:
    return {i: content for (of, i), content in contents.items() if of == kind}


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


async def _put_in_force(
    work: Work, before: Contents, after: Contents, by: str, stated: Mapping[Key, datetime] | None = None
) -> None:
    """Keep what changed, announce it, and try again what waited for somebody to be there.

    Whoever changes an entry confirms it now; of a new one, the file may state when it was confirmed.
    """
    _check(after)
    changed: dict[Key, dict[str, Any] | None] = {k: v for k, v in after.items() if before.get(k) != v}
    changed |= dict.fromkeys(before.keys() - after.keys())
    if not changed:
        return
    assured = {key: at for key, at in (stated or {}).items() if key not in before}
    await entry_store.save_entries(work.connection, changed, work.now, by, assured)
    if changed.keys() & {(POLICY, FileKind.CLOCKS), (POLICY, SURGE)}:
        await schedule_drill(work, _clocks(after))
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
    await entry_store.city_revision(work.connection, lock=True)
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
    clocks = _clocks(contents)
    return SurgeShown(level=_level(contents), highest=len(clocks.surge), policy_version=clocks.version)


async def schedule_drill(work: Work, clocks: ClockPolicy) -> None:
    """Set the timer of the next drill by the clocks in force; none where drills are switched off."""
    last = await drill_store.last_drill(work.connection)
    since = last.asked_at if last else await entry_store.first_applied_at(work.connection, POLICY, FileKind.CLOCKS)
    at = next_drill(clocks.drill, since, last, work.now)
    if at is None:
        work.cancel_timers(DRILL, BEGINS)
    else:
        work.set_timer(BEGINS, DRILL, at)


# Entry by entry


async def put_entry(
    work: Work, caller: Principal, kind: str, entry_id: str, revision: int, content: dict[str, Any]
) -> EntryKept:
    """Add an entry (revision 0) or change it; one that is sent as it stands is confirmed."""
    check_writes_directory(caller)
    await entry_store.city_revision(work.connection, lock=True)
    known = await entry_store.find_entry(work.connection, kind, entry_id)
    check_revision(revision, known.revision if known else 0)
    before = await _contents(work.connection)
    after = before | {(kind, entry_id): content}
    if kind == AREA:
        _check_shape(after, entry_id)
    await _put_in_force(work, before, after, caller.id)
    await entry_store.assure(work.connection, {(kind, entry_id): work.now}, caller.id)
    now = await entry_store.find_entry(work.connection, kind, entry_id)
    if now is None:
        raise NotFound
    return kept(now)


async def list_entries(
    connection: Transaction, caller: Principal, kind: str, assured_before: datetime | None = None
) -> list[EntryKept]:
    """The entries of a kind that are in force; with `assured_before`, those that nobody confirmed since then."""
    check_reads_directory(caller)
    entries = [kept(entry) for entry in await entry_store.list_entries(connection, kind)]
    if assured_before is None:
        return entries
    return [e for e in entries if e.assured_at is None or e.assured_at < assured_before]


async def load_entry(connection: Transaction, caller: Principal, kind: str, entry_id: str) -> EntryHistory:
    """One entry, with the states that it had before."""
    check_reads_directory(caller)
    newest = await entry_store.find_entry(connection, kind, entry_id)
    if newest is None:
        raise NotFound
    _, *older = await entry_store.list_history(connection, kind, entry_id)
    return EntryHistory(**kept(newest).model_dump(), history=[kept(state) for state in older])


def kept(entry: entry_store.EntryRow) -> EntryKept:
    """The entry as the API shows it."""
    return EntryKept(
        id=entry.id,
        revision=entry.revision,
        changed_at=entry.changed_at,
        changed_by=entry.changed_by,
        assured_at=entry.assured_at,
        assured_by=entry.assured_by,
        is_removed=entry.content is None,
        content=entry.content or {},
    )
