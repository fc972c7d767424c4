"""Migrations of triage."""

from shared.database import run_migrations
from triage.store import metadata

run_migrations(metadata)
