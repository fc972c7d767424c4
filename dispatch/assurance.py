"""Entries confirmed to be right, without a change: by the person himself, his organisation's leader, or the desk."""

from dispatch import entry_store
from dispatch.access import check_assures
from dispatch.answers import EntryKept
from dispatch.city import City
from dispatch.directory import Desk, kept
from dispatch.entries import LIAISON, ORGANISATION, SHIFTS, Key
from shared.identity import Principal
from shared.messaging.work import Work
from shared.problems import NotFound


async def assure(
    work: Work, desk: Desk, caller: Principal, kind: str, entry_id: str, *, with_people: bool = False
) -> EntryKept:
    """Note that an entry is right as it stands; of an organisation, `with_people` all of its people and shifts too."""
    city = (await desk.duty(work)).city
    organisation, person = _whose(city, kind, entry_id)
    check_assures(caller, organisation, person, city, work.now)
    keys: list[Key] = [(kind, entry_id)]
    if with_people:
        keys += [(of, i) for of in (LIAISON, SHIFTS) for i in city.people(organisation)]
    await entry_store.assure(work.connection, dict.fromkeys(keys, work.now), caller.id)
    entry = await entry_store.find_entry(work.connection, kind, entry_id)
    if entry is None or entry.content is None:
        raise NotFound
    return kept(entry)


def _whose(city: City, kind: str, entry_id: str) -> tuple[str, str | None]:
    """The organisation that an entry is of, and the person where it is one's; raises NotFound."""
    if kind == ORGANISATION:
        if entry_id not in city.organisations:
            raise NotFound
        return entry_id, None
    person = city.liaisons.get(entry_id)
    if person is None:
        raise NotFound
    return person.organisation, entry_id
