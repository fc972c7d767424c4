"""Migrations of the floor's tables, applied to every service's database before its own."""

from shared.database import run_migrations
from shared.messaging.tables import metadata

run_migrations(metadata)
