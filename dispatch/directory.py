"""Everything dispatch can do about the city's files: bring into force, change an entry, announce, know the present."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dispatch import files, store
from dispatch.clocks import ClockPolicy
from dispatch.files import Area, Areas, Content, Directory, FileKind, Liaison, Organisation, Routing, Shift
from dispatch.routing import City
from shared.contracts.directory import AreaRecorded, DirectoryFact, OrganisationRecorded, PolicyRecorded
from shared.database import Transaction
from shared.identity import DESK, Principal
from shared.messaging.work import Work
from shared.problems import Forbidden, InvalidInput, NotFound, RevisionConflict

FIRST_START = "first-start"


class Applied(BaseModel):
    """What a file changes, or has changed."""

    kind: FileKind
    version: str
    revision: int | None
    """None for a dry run."""
    differences: list[str]


class Cities:
    """The city in force; read again only when a file has changed."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._city: City | None = None

    async def current(self, connection: Transaction) -> City:
        """The city of the newest files."""
        revision = await store.newest_revision(connection)
        if self._city is None or revision != self._revision:
            loaded = await store.load_files(connection)
            self._city = _city({kind: files.check(kind, content) for kind, (_, content) in loaded.items()})
            self._revision = revision
        return self._city


def _city(contents: Mapping[FileKind, Content]) -> City:
    directory, areas = contents[FileKind.DIRECTORY], contents[FileKind.AREAS]
    routing, clocks = contents[FileKind.ROUTING], contents[FileKind.CLOCKS]
    assert isinstance(directory, Directory)  # noqa: S101 each kind has its model
    assert isinstance(areas, Areas)  # noqa: S101
    assert isinstance(routing, Routing)  # noqa: S101
    assert isinstance(clocks, ClockPolicy)  # noqa: S101
    files.check_together(directory, areas, routing)
    return City(directory, areas, routing, clocks)


def read_folder(folder: Path) -> dict[FileKind, Content]:
    """The four files of a folder; raises FileInvalid, or FileNotFoundError."""
    return {kind: files.parse(kind, (folder / f"{kind.value}.yaml").read_text()) for kind in FileKind}


async def apply_first(work: Work, contents: Mapping[FileKind, Content]) -> None:
    """Bring the files into force where none are: the first start."""
    await store.lock_files(work.connection)
    if await store.newest_revision(work.connection) is not None:
        return
    _city(contents)
    for kind, content in contents.items():
        await _bring_into_force(work, kind, None, content, FIRST_START)


async def apply_file(work: Work, caller: Principal, kind: FileKind, text: str, dry_run: bool) -> Applied:
    """Check a file, show what it changes and, unless for a dry run, bring it into force."""
    return await _apply(work, caller, kind, files.parse(kind, text), dry_run)


async def _apply(
    work: Work, caller: Principal, kind: FileKind, content: Content, dry_run: bool, revision: int | None = None
) -> Applied:
    if caller.kind not in DESK:
        raise Forbidden
    await store.lock_files(work.connection)
    loaded = await store.load_files(work.connection)
    contents = {k: files.check(k, c) for k, (_, c) in loaded.items()}
    if revision is not None and revision != loaded[kind][0]:
        raise RevisionConflict(revision=loaded[kind][0])
    old = contents.get(kind)
    _city({**contents, kind: content})
    differences = files.differences(old, content)
    made = None
    if differences and not dry_run:
        made = await _bring_into_force(work, kind, old, content, caller.id)
    return Applied(kind=kind, version=content.version, revision=made, differences=differences)


async def _bring_into_force(work: Work, kind: FileKind, old: Content | None, content: Content, by: str) -> int:
    """Keep the file, and announce what of it others need to know."""
    document = content.model_dump(mode="json", by_alias=True)
    revision = await store.add_file(work.connection, kind, content.version, document, work.now, by)
    before = dict(_announced(old)) if old else {}
    for entry_id, fact in _announced(content):
        if before.get(entry_id) != fact:
            work.state(fact, entry_id)
    work.state(PolicyRecorded(policy=kind.value, version=content.version), kind.value)
    return revision


def _announced(content: Content) -> Sequence[tuple[str, DirectoryFact]]:
    match content:
        case Directory():
            return [(o.id, _organisation(content, o)) for o in content.organisations]
        case Areas():
            return [(area.id, _area(area)) for area in content.areas]
        case _:
            return []


def _organisation(directory: Directory, organisation: Organisation) -> OrganisationRecorded:
    return OrganisationRecorded(
        organisation=organisation.id,
        name=organisation.name,
        services=organisation.services,
        areas=organisation.areas,
        liaisons=tuple(one.id for one in directory.liaisons if one.organisation == organisation.id),
        supervisor=organisation.supervisor,
    )


def _area(area: Area) -> AreaRecorded:
    return AreaRecorded(area=area.id, level=area.level, name=area.name, aliases=area.aliases, polygon=area.polygon)


# Single entries

ENTRIES: Mapping[str, tuple[FileKind, type[BaseModel], str]] = {
    "organisations": (FileKind.DIRECTORY, Organisation, "id"),
    "liaisons": (FileKind.DIRECTORY, Liaison, "id"),
    "shifts": (FileKind.DIRECTORY, Shift, "liaison"),
    "areas": (FileKind.AREAS, Area, "id"),
}
"""The lists of entries that can be read and changed: in which file, of what model, found by which field."""


async def list_entries(connection: Transaction, name: str) -> tuple[int, list[dict[str, Any]]]:
    """The entries of a list, with the revision of the file they stand in."""
    kind, _, _ = ENTRIES[name]
    revision, content = (await store.load_files(connection))[kind]
    return revision, content[name]


async def find_entries(connection: Transaction, name: str, entry_id: str) -> tuple[int, list[dict[str, Any]]]:
    """The entries with this id (a liaison may have several shifts); raises NotFound."""
    revision, entries = await list_entries(connection, name)
    found = [entry for entry in entries if entry[ENTRIES[name][2]] == entry_id]
    if not found:
        raise NotFound
    return revision, found


async def put_entries(
    work: Work, caller: Principal, name: str, entry_id: str, revision: int, entries: list[dict[str, Any]]
) -> Applied:
    """Put entries in the place of those with this id, or add them; the old file stays in the history."""
    kind, _, key = ENTRIES[name]
    if any(entry.get(key) != entry_id for entry in entries):
        raise InvalidInput(f"`{key}` must be {entry_id}, as in the address.")
    _, content = (await store.load_files(work.connection))[kind]
    others = [entry for entry in content[name] if entry[key] != entry_id]
    changed = files.check(kind, {**content, name: [*others, *entries]})
    return await _apply(work, caller, kind, changed, dry_run=False, revision=revision)
