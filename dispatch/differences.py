"""What differs between two states of the directory, entry by entry and value by value. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field


class ValueChange(BaseModel):
    """One value of an entry: where it stands, and what it was and is; None where there is nothing."""

    at: str
    """Names and ids on the way to it, `rules/clinic/organisation`."""
    before: Any = None
    after: Any = None


class Change(BaseModel):
    """One entry that a file changes."""

    kind: str
    id: str
    change: str
    """`added`, `changed`, `removed`, or `assured`: the file confirms it at a later time."""
    fields: list[str] = Field(default_factory=list)
    values: list[ValueChange] = Field(default_factory=list)


def differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], kind: str) -> Sequence[Change]:
    """What changes between two states of one kind of entry, by id."""
    changes = [Change(kind=kind, id=i, change="added") for i in after if i not in before]
    for i, new in after.items():
        old = before.get(i, new)
        if old != new:
            fields = sorted(f for f in old.keys() | new.keys() if old.get(f) != new.get(f))
            changes.append(Change(kind=kind, id=i, change="changed", fields=fields, values=list(_values(old, new))))
    return changes + [Change(kind=kind, id=i, change="removed") for i in before if i not in after]


def _values(before: Any, after: Any, at: str = "") -> Iterator[ValueChange]:
    """The innermost values that differ; members of a list are told apart by their ids, where they have any."""
    if before == after:
        return
    old, new = _members(before), _members(after)
    if old is None or new is None:
        yield ValueChange(at=at, before=before, after=after)
        return
    for name in [*old, *(name for name in new if name not in old)]:
        inner = f"{at}/{name}" if at else name
        if name not in old or name not in new:
            yield ValueChange(at=inner, before=old.get(name), after=new.get(name))
        else:
            yield from _values(old[name], new[name], inner)
    if isinstance(before, list) and (order := [name for name in old if name in new]) != [n for n in new if n in old]:
        yield ValueChange(at=f"{at} in order", before=order, after=[name for name in new if name in old])


def _members(value: Any) -> dict[str, Any] | None:
    """What stands in a value, by name; None where it is to be compared whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(member, dict) and "id" in member for member in value):
        return {member["id"]: member for member in value}
    return None
