"""Which bus it is, by the settings."""

from shared.bus import Bus
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import SCHEMES, Address
from shared.bus.postgres import PostgresBus
from shared.settings import Settings, required


def make_bus(settings: Settings) -> Bus:
    """The bus that the settings name."""
    url = required(settings.bus, "bus")
    scheme = url.split("://", 1)[0]
    if scheme.split("+")[0] in {"postgres", "postgresql"}:
        return PostgresBus(url, settings.bus_partitions)
    if scheme in SCHEMES:
        return KafkaBus(Address.of(url), settings.bus_partitions, settings.bus_replication)
    raise ValueError(f"HEED_BUS begins with {scheme}://, which is no bus we know. Use kafka://… or postgresql://…")
