"""Migrations of the log in PostgreSQL."""

from shared.bus.tables import metadata
from shared.database import run_migrations

run_migrations(metadata)
