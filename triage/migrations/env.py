"""Migrations of triage."""

from shared.database import run_migrations
from triage import policy_store  # noqa: F401 its tables belong to the metadata
from triage.store import metadata

run_migrations(metadata)
