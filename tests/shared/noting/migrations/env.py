from shared.database import run_migrations
from tests.shared.noting.store import metadata

run_migrations(metadata)
