"""Migrations of the gateway's database."""

from services.gateway.store import metadata
from shared.database import run_migrations

run_migrations(metadata)
