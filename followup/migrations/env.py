"""Migrations of followup's database."""

from followup.store import metadata
from shared.database import run_migrations

run_migrations(metadata)
