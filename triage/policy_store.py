"""The tables of triage's policies, which one is in force, and the log that a new one is tried on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.contracts.vocabulary import Decider
from shared.database import Transaction
from shared.rows import JsonText
from triage.model import Assessment
from triage.reading import Text
from triage.store import AS_JSON, assessments, load_texts, metadata

FILES: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])

# Which version of a policy is in force.
policies = sa.Table(
    "policies",
    metadata,
    sa.Column("policy", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
)

# Every version that ever was, with its files as they were applied; applied_by is null for what ships with Heed.
policy_versions = sa.Table(
    "policy_versions",
    metadata,
    sa.Column("policy", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("files", JsonText, nullable=False),
    sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("applied_by", sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A version of a policy: when it came into force last, and by whom (None: it ships with Heed)."""

    version: str
    applied_at: datetime
    applied_by: str | None


async def version_in_force(connection: Transaction, policy: str) -> str | None:
    """The version; None before the first start is done."""
    found: str | None = await connection.scalar(sa.select(policies.c.version).where(policies.c.policy == policy))
    return found


async def load_files(connection: Transaction, policy: str, version: str) -> dict[str, str]:
    """The files of a version."""
    query = sa.select(policy_versions.c.files).where(
        policy_versions.c.policy == policy, policy_versions.c.version == version
    )
    return FILES.validate_json((await connection.execute(query)).scalar_one())


async def list_versions(connection: Transaction, policy: str) -> list[PolicyVersion]:
    """Every version, the one applied last first."""
    query = sa.select(policy_versions).where(policy_versions.c.policy == policy)
    rows = await connection.execute(query.order_by(policy_versions.c.applied_at.desc(), policy_versions.c.version))
    return [PolicyVersion(version=row.version, applied_at=row.applied_at, applied_by=row.applied_by) for row in rows]


async def put_in_force(
    connection: Transaction, policy: str, version: str, files: Mapping[str, str], at: datetime, by: str | None
) -> None:
    """Keep a version and bring it into force."""
    written = sa.cast(sa.literal(FILES.dump_json(dict(files)).decode(), sa.Text), JSONB)
    kept = {"files": written, "applied_at": at, "applied_by": by}
    new = insert(policy_versions).values(policy=policy, version=version, **kept)
    await connection.execute(new.on_conflict_do_update(index_elements=["policy", "version"], set_=kept))
    row = insert(policies).values(policy=policy, version=version)
    await connection.execute(row.on_conflict_do_update(index_elements=["policy"], set_={"version": version}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A request as it is in the log: what was said, and what the machine decided last."""

    request_id: UUID
    texts: Sequence[Text]
    decided: Assessment


async def list_log(connection: Transaction, after: UUID | None, limit: int) -> list[Logged]:
    """Requests that the machine decided on and whose texts are still kept, by id."""
    newest = (
        sa.select(assessments.c.request_id, sa.func.max(assessments.c.revision).label("revision"))
        .where(sa.cast(assessments.c.assessment, JSONB)["decided_by"].astext == Decider.MACHINE.value)
        .group_by(assessments.c.request_id)
        .order_by(assessments.c.request_id)
        .limit(limit)
    )
    if after is not None:
        newest = newest.where(assessments.c.request_id > after)
    chosen = newest.subquery()
    rows = await connection.execute(
        sa.select(assessments.c.request_id, assessments.c.assessment)
        .join(
            chosen,
            sa.and_(assessments.c.request_id == chosen.c.request_id, assessments.c.revision == chosen.c.revision),
        )
        .order_by(assessments.c.request_id)
    )
    decided = {row.request_id: AS_JSON.validate_json(row.assessment) for row in rows}
    said = await load_texts(connection, decided) if decided else {}
    return [Logged(request_id=each, texts=said[each], decided=made) for each, made in decided.items()]
