"""The running hash of a partition of the log: each record is hashed together with the hash before it. Pure.

docs/verify.md writes down the bytes; `heed verify` computes the same by lines of its own. A change here would break
every seal that was ever published.
"""

import hashlib
from dataclasses import dataclass, replace

from shared.contracts import Record
from shared.contracts.operations import TOPIC as SEALS_TOPIC
from shared.contracts.operations import LogSealed

NO_VALUE = b"\xff\xff\xff\xff"
"""Where the length of a value would stand: a tombstone has none."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A partition's running hash, and how far it was sealed."""

    topic: str
    number: int
    first_position: int
    position: int
    """The position after the last record in the hash."""
    records: int
    hash: bytes
    sealed_to: int
    has_news: bool = False
    """Whether something was added since the last seal that is worth another one."""

    def seal(self) -> "Chain":
        """After a seal up to here."""
        return replace(self, sealed_to=self.position, has_news=False)


def begin(topic: str, number: int, position: int) -> Chain:
    """The chain of a partition before its first record, which stands at this position."""
    start = hashlib.sha256(f"heed.log/1 {topic}/{number}".encode()).digest()
    return Chain(topic, number, position, position, 0, start, sealed_to=position)


def extend(chain: Chain, position: int, record: Record) -> Chain:
    """The chain after one more record; the same one where it has that record already."""
    if position < chain.position:
        return chain
    return replace(
        chain,
        position=position + 1,
        records=chain.records + 1,
        hash=hashlib.sha256(chain.hash + canonical(position, record)).digest(),
        has_news=chain.has_news or is_news(record),
    )


def canonical(position: int, record: Record) -> bytes:
    """A record where it stands, as bytes; headers in the order of their names, lengths in four bytes, big end first."""
    headers = sorted((name.encode(), value.encode()) for name, value in record.headers.items())
    parts = [position.to_bytes(8), _sized(record.key.encode()), len(headers).to_bytes(4)]
    parts += [_sized(part) for header in headers for part in header]
    parts.append(NO_VALUE if record.value is None else _sized(record.value))
    return b"".join(parts)


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(4) + part


def is_news(record: Record) -> bool:
    """Whether a record asks for a seal: all do but seals of the seals' own topic, which would ask for each other for
    ever."""
    is_seal = record.headers.get("ce_type") == LogSealed.TYPE
    return not (is_seal and record.headers.get("ce_subject", "").startswith(f"{SEALS_TOPIC}/"))
