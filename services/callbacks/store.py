"""Tables of callbacks, and the queries on endpoints, cases, facts and notices. The queue of deliveries: queue.py."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from services.callbacks.model import PROVIDER_ID, Endpoint, KeptFact
from services.callbacks.notices import Case, Said
from shared.database import Transaction, new_metadata
from shared.rows import JsonText, among, by_column, insert_given, upsert_given

metadata = new_metadata()
At = sa.DateTime(timezone=True)
Id = sa.Uuid()

organisations = sa.Table(
    "organisations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", JSONB, nullable=False),
)

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("request_id", Id, primary_key=True),
    sa.Column("merged_into", Id, index=True),
    sa.Column("changed_at", At, nullable=False, index=True),
    sa.Column("state", JsonText, nullable=False),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("event_id", Id, primary_key=True),
    sa.Column("request_id", Id),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("at", At, nullable=False),
    sa.Column("data", JSONB, nullable=False),
    sa.Column("taken_at", At, nullable=False, index=True),
    sa.Index("ix_facts_request_id", "request_id", "number"),
    sa.Index("ix_facts_at", "at", "event_id"),
)

endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("event_types", ARRAY(sa.Text), nullable=False),
    sa.Column("organisation", sa.Text, index=True),
    sa.Column("description", sa.Text),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_because", sa.Text),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("created_at", At, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", At),
    sa.Column("last_failed_at", At),
    sa.Column("paused_until", At),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("old_secret", sa.LargeBinary),
    sa.Column("old_secret_until", At),
)

# No foreign key to endpoints: facts are taken while somebody deletes one, and what is left behind is never sent.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
    sa.Column("endpoint_id", Id, nullable=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Column("request_id", Id),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("created_at", At, nullable=False, index=True),
    sa.Column("due_at", At, nullable=False),
    sa.Column("taken_until", At),
    sa.Column("taken_by", Id),
    sa.UniqueConstraint("endpoint_id", "event_id"),
    # Half of its condition is always true. It says that the index serves questions about due_at, and no others: before
    # there are statistics the planner would read it from end to end to see whether a request has an earlier delivery.
    sa.Index(
        "ix_deliveries_due",
        "endpoint_id",
        "due_at",
        "position",
        postgresql_where=sa.text("state = 'pending' and due_at > '-infinity'"),
    ),
    sa.Index(
        "ix_deliveries_order", "endpoint_id", "request_id", "number", postgresql_where=sa.text("state = 'pending'")
    ),
    sa.Index("ix_deliveries_taken", "endpoint_id", postgresql_where=sa.text("taken_until is not null")),
    sa.Index("ix_deliveries_position", "endpoint_id", "position"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("delivery_id", Id, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", At, nullable=False, index=True),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("error", sa.Text),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False, unique=True),
    sa.Column("request_id", Id),
    sa.Column("addressee", sa.Text, nullable=False),
    sa.Column("organisation", sa.Text),
    sa.Column("liaison", sa.Text),
    sa.Column("medium", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("event_id", Id, nullable=False),
    sa.Column("text", JSONB, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("created_at", At, nullable=False, index=True),
    sa.Column("outcome", sa.Text),
    sa.Column("outcome_at", At),
    sa.Index("ix_notices_request_id", "request_id", "position"),
    sa.Index("ix_notices_organisation", "organisation", "position"),
)

CASE: TypeAdapter[Case] = TypeAdapter(Case)


# Organisations and cases


async def save_names(connection: Transaction, names: Mapping[str, Said]) -> None:
    """Save the organisations' names."""
    if names:
        new = insert(organisations)
        statement = new.on_conflict_do_update(index_elements=["id"], set_={"name": new.excluded.name})
        await connection.execute(statement, [{"id": key, "name": dict(names[key])} for key in sorted(names)])


async def load_names(connection: Transaction) -> dict[str, Said]:
    """All organisations' names: a city has some dozens."""
    return {row.id: row.name for row in await connection.execute(sa.select(organisations))}


async def has_organisation(connection: Transaction, organisation: str) -> bool:
    """Whether the directory has told of this organisation."""
    found = await connection.execute(sa.select(organisations.c.id).where(organisations.c.id == organisation))
    return found.first() is not None


async def load_cases(connection: Transaction, ids: Collection[UUID]) -> tuple[dict[UUID, Case], dict[UUID, UUID]]:
    """The known ones of these requests and those merged into them; and into which each merged one was."""
    rows = await connection.execute(
        sa.select(cases.c.request_id, cases.c.merged_into, cases.c.state).where(
            among(cases.c.request_id, ids) | among(cases.c.merged_into, ids)
        )
    )
    found = rows.all()
    merged = {row.request_id: row.merged_into for row in found if row.merged_into}
    return {row.request_id: CASE.validate_json(row.state) for row in found}, merged


async def find_case(connection: Transaction, request_id: UUID) -> Case | None:
    """What is known of a request, if anything."""
    row = (await connection.execute(sa.select(cases.c.state).where(cases.c.request_id == request_id))).first()
    return CASE.validate_json(row.state) if row else None


CASE_COLUMNS = tuple(cases.c.keys())
SAVE_CASES = upsert_given(cases, *CASE_COLUMNS, key=("request_id",))


async def save_cases(connection: Transaction, changed: Iterable[Case], merged: Mapping[UUID, UUID]) -> None:
    """Save what is known of these requests."""
    rows = [
        {
            "request_id": case.request_id,
            "merged_into": merged.get(case.request_id),
            "changed_at": case.life.changed_at,
            "state": CASE.dump_json(case).decode(),
        }
        for case in sorted(changed, key=lambda case: case.request_id)
    ]
    if rows:
        await connection.execute(SAVE_CASES, by_column(CASE_COLUMNS, rows))


# Facts


ADD_FACTS = insert_given(facts, *facts.c.keys()).on_conflict_do_nothing()


async def add_facts(connection: Transaction, kept: Sequence[KeptFact], now: datetime) -> None:
    """Keep facts for sending and for replay."""
    if kept:
        taken = {"taken_at": now}
        rows = [{column.name: getattr(fact, column.name) for column in FACT_COLUMNS} | taken for fact in kept]
        await connection.execute(ADD_FACTS, by_column(facts.c.keys(), rows))


FACT_COLUMNS = [column for column in facts.c if column.name != "taken_at"]


def as_fact(row: Any) -> KeptFact:
    """A row of facts."""
    return KeptFact(**{column.name: getattr(row, column.name) for column in FACT_COLUMNS})


async def list_facts(connection: Transaction, request_ids: Collection[UUID]) -> list[KeptFact]:
    """The facts of these requests, in order."""
    if not request_ids:
        return []
    rows = await connection.execute(
        sa.select(*FACT_COLUMNS)
        .where(among(facts.c.request_id, request_ids))
        .order_by(facts.c.request_id, facts.c.number)
    )
    return [as_fact(row) for row in rows]


async def load_facts(connection: Transaction, event_ids: Collection[UUID]) -> dict[UUID, KeptFact]:
    """The facts with these ids, as far as they are still kept."""
    rows = await connection.execute(sa.select(*FACT_COLUMNS).where(among(facts.c.event_id, event_ids)))
    return {row.event_id: as_fact(row) for row in rows}


# Endpoints

ENDPOINT_FIELDS = tuple(field.name for field in fields(Endpoint))
ENDPOINT_COLUMNS = [endpoints.c[name] for name in ENDPOINT_FIELDS]


def as_endpoint(row: Any) -> Endpoint:
    """A row of endpoints."""
    values = {name: getattr(row, name) for name in ENDPOINT_FIELDS}
    return Endpoint(**values | {"event_types": frozenset(values["event_types"])})


async def list_enabled(connection: Transaction) -> list[Endpoint]:
    """Every partner's endpoint to which something may be sent."""
    query = sa.select(*ENDPOINT_COLUMNS).where(endpoints.c.enabled, endpoints.c.id != PROVIDER_ID)
    return [as_endpoint(row) for row in await connection.execute(query.order_by(endpoints.c.id))]


async def list_endpoints(
    connection: Transaction, organisation: str | None, after: UUID | None, limit: int
) -> list[Endpoint]:
    """An organisation's endpoints, all where none is named; oldest first, from the one after `after`."""
    query = sa.select(*ENDPOINT_COLUMNS).where(endpoints.c.id != PROVIDER_ID).order_by(endpoints.c.id).limit(limit)
    if organisation is not None:
        query = query.where(endpoints.c.organisation == organisation)
    if after is not None:
        query = query.where(endpoints.c.id > after)
    return [as_endpoint(row) for row in await connection.execute(query)]


async def find_endpoint(connection: Transaction, endpoint_id: UUID, *, lock: bool = False) -> Endpoint | None:
    """An endpoint; with `lock`, nobody else changes it until the transaction ends."""
    query = sa.select(*ENDPOINT_COLUMNS).where(endpoints.c.id == endpoint_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    return as_endpoint(row) if row else None


async def lock_endpoints(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Endpoint]:
    """These endpoints as far as they exist, locked in one order."""
    query = sa.select(*ENDPOINT_COLUMNS).where(among(endpoints.c.id, ids)).order_by(endpoints.c.id).with_for_update()
    return {row.id: as_endpoint(row) for row in await connection.execute(query)}


async def save_endpoint(connection: Transaction, endpoint: Endpoint, **sealed: Any) -> None:
    """Save an endpoint, new or changed; `sealed`: columns of secrets, where they are new too."""
    values = (
        {name: getattr(endpoint, name) for name in ENDPOINT_FIELDS}
        | {"event_types": sorted(endpoint.event_types)}
        | sealed
    )
    if "secret" in sealed:
        new = insert(endpoints).values(values)
        await connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))
    else:
        await connection.execute(sa.update(endpoints).where(endpoints.c.id == endpoint.id).values(values))


async def find_secrets(connection: Transaction, endpoint_id: UUID) -> Any:
    """The row with the sealed secrets (secret, old_secret, old_secret_until); None without the endpoint."""
    return (await load_secrets(connection, [endpoint_id])).get(endpoint_id)


async def load_secrets(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Any]:
    """For each of these endpoints the row with its sealed secrets."""
    query = sa.select(endpoints.c.id, endpoints.c.secret, endpoints.c.old_secret, endpoints.c.old_secret_until)
    return {row.id: row for row in await connection.execute(query.where(among(endpoints.c.id, ids)))}


async def delete_endpoint(connection: Transaction, endpoint_id: UUID) -> None:
    """Delete an endpoint with its deliveries; their attempts go when their time is over."""
    await connection.execute(sa.delete(endpoints).where(endpoints.c.id == endpoint_id))
    await connection.execute(sa.delete(deliveries).where(deliveries.c.endpoint_id == endpoint_id))


# Notices


NOTICE_COLUMNS = tuple(column.name for column in notices.c if column.name != "position")
ADD_NOTICES = insert_given(notices, *NOTICE_COLUMNS)


async def add_notices(connection: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add notices; rows as the table has them."""
    if rows:
        await connection.execute(ADD_NOTICES, by_column(NOTICE_COLUMNS, rows))


async def load_notices(connection: Transaction, ids: Collection[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """The notices with these ids, as rows by column."""
    rows = await connection.execute(sa.select(notices).where(among(notices.c.id, ids)))
    return {row["id"]: dict(row) for row in rows.mappings()}


async def save_outcomes(connection: Transaction, outcomes: Mapping[UUID, str], now: datetime) -> None:
    """Save how notices ended."""
    for notice_id in sorted(outcomes):
        await connection.execute(
            sa.update(notices).where(notices.c.id == notice_id).values(outcome=outcomes[notice_id], outcome_at=now)
        )


async def list_notices(
    connection: Transaction,
    *,
    request_id: UUID | None = None,
    addressees: Collection[str] = (),
    organisation: str | None = None,
    with_resident: bool = False,
    before: int | None = None,
    limit: int,
) -> list[Any]:
    """Notices, newest first: of a request, to these addressees, of an organisation (or, if wished, the resident's)."""
    query = sa.select(notices).order_by(notices.c.position.desc()).limit(limit)
    if request_id is not None:
        query = query.where(notices.c.request_id == request_id)
    if addressees:
        query = query.where(notices.c.addressee.in_(addressees))
    if organisation is not None:
        own = notices.c.organisation == organisation
        query = query.where(own | (notices.c.addressee == "resident") if with_resident else own)
    if before is not None:
        query = query.where(notices.c.position < before)
    return list(await connection.execute(query))


# Retention


async def forget_before(connection: Transaction, before: datetime, most: int) -> int:
    """Delete what is older, at most so many rows of each table: how many of the fullest."""
    over = {
        facts: facts.c.taken_at < before,
        deliveries: deliveries.c.created_at < before,
        attempts: attempts.c.at < before,
        notices: notices.c.created_at < before,
        cases: (cases.c.changed_at < before) & (sa.cast(cases.c.state, JSONB)["life"]["status"].astext == "archived"),
    }
    counts = []
    for table, is_old in over.items():
        key = sa.tuple_(*table.primary_key.columns)
        chosen = sa.select(*table.primary_key.columns).where(is_old).limit(most)
        counts.append((await connection.execute(sa.delete(table).where(key.in_(chosen)))).rowcount)
    return max(counts)
