"""Migrations of dispatch's database."""

from dispatch.store import metadata
from shared.database import run_migrations

run_migrations(metadata)
