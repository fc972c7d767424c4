"""Many rows in one statement whose text does not depend on how many they are: each column goes in as an array.

A list in the text (`in (…)`, `values (…), (…)`) makes a new statement for each length, to be prepared and planned anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.types import UserDefinedType


class JsonText(UserDefinedType[str]):
    """A JSON document that goes in and out as text: pydantic writes and reads it, nobody else needs to."""

    cache_ok: bool | None = True

    def get_col_spec(self, **_: Any) -> str:
        """The column's type."""
        return "JSONB"

    def column_expression(self, colexpr: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Read as text: the driver would make objects of it, only for pydantic to make others of those."""
        return sa.cast(colexpr, sa.Text)


def among(column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """Whether the column has one of the values."""
    return column == sa.any_(sa.bindparam(None, list(values), type_=ARRAY(column.type)))


def given(table: sa.Table, *names: str) -> sa.FromClause:
    """The rows of `by_column`, for these columns of the table; columns of arrays are read with `value_of`."""
    sent = {name: _sent_as(table.c[name].type) for name in names}
    arrays = (sa.bindparam(_parameter(name), type_=ARRAY(kind, dimensions=1)) for name, kind in sent.items())
    columns = (sa.column(name, kind) for name, kind in sent.items())
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def value_of(rows: sa.FromClause, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column's value in a row of `given`."""
    value = rows.c[column.name]
    if isinstance(column.type, ARRAY):
        element = sa.func.jsonb_array_elements_text(value).column_valued(f"{column.name}_element")
        return sa.func.array(sa.select(element).scalar_subquery())
    return sa.cast(value, JSONB) if isinstance(column.type, JsonText) else value


def insert_given(table: sa.Table, *names: str) -> Insert:
    """An insert of the rows of `by_column`; to be completed with what happens on a conflict."""
    rows = given(table, *names)
    values = [value_of(rows, table.c[name]).label(name) for name in names]
    return insert(table).from_select(names, sa.select(*values))


def upsert_given(table: sa.Table, *names: str, key: Sequence[str], keep: Sequence[str] = ()) -> Insert:
    """An insert of the rows of `by_column` that renews those there are, by the key; columns in `keep` stay."""
    new = insert_given(table, *names)
    changed = {name: new.excluded[name] for name in names if name not in {*key, *keep}}
    return new.on_conflict_do_update(index_elements=list(key), set_=changed)


def by_column(names: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The parameters of a statement with given rows: these."""
    kept = list(rows)
    return {_parameter(name): [row[name] for row in kept] for name in names}


def by_attribute(names: Iterable[str], things: Sequence[Any]) -> dict[str, list[Any]]:
    """The parameters of a statement with given rows: these things' attributes, named as the columns."""
    return {_parameter(name): [getattr(thing, name) for thing in things] for name in names}


def _parameter(column: str) -> str:
    """A column's own name is taken: SQLAlchemy would set the column to it."""
    return f"given_{column}"


def _sent_as(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """As what a value travels: `unnest` would flatten an array of arrays, so that each goes as a JSON array."""
    if isinstance(kind, ARRAY):
        return JSONB()
    return sa.Text() if isinstance(kind, JsonText) else kind
