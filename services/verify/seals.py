"""The seals, and the running hash once more: lines of our own after docs/verify.md, not those that made the seals."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from struct import pack
from typing import Any

from services.verify.difference import Difference
from services.verify.sources import Standing
from shared.bus import Partition

SEALED = "heed.log.sealed"


@dataclass(frozen=True, slots=True)
class Seal:
    """What a seal says; `at` is when it was stated."""

    of: Partition
    first: int
    to: int
    hash: str
    at: str


def read_seal(standing: Standing) -> Seal | None:
    """The seal in a record; None where it is none."""
    if standing.headers.get("ce_type") != SEALED or standing.value is None:
        return None
    try:
        return _seal(json.loads(standing.value), standing.headers.get("ce_time", ""))
    except (ValueError, KeyError, TypeError):
        return None


def read_kept(lines: Iterable[str]) -> list[Seal]:
    """The seals in what `heed tail --type heed.log.sealed` printed; raises ValueError or KeyError where one is none."""
    kept = [json.loads(line) for line in lines if line.strip()]
    return [_seal(event["data"], event["time"]) for event in kept if event["type"] == SEALED]


def _seal(data: dict[str, Any], at: str) -> Seal:
    of = Partition(data["topic"], int(data["partition"]))
    bytes.fromhex(data["hash"])
    return Seal(of, int(data["first_position"]), int(data["to_position"]), data["hash"], at)


def start(of: Partition) -> bytes:
    """The hash before the first record of a partition."""
    return hashlib.sha256(b"heed.log/1 " + f"{of.topic}/{of.number}".encode()).digest()


def link(before: bytes, standing: Standing) -> bytes:
    """The hash after one more record."""
    whole = hashlib.sha256(before)
    whole.update(pack(">Q", standing.position))
    _add(whole, standing.key.encode())
    whole.update(pack(">I", len(standing.headers)))
    for name in sorted(standing.headers, key=str.encode):
        _add(whole, name.encode())
        _add(whole, standing.headers[name].encode())
    if standing.value is None:
        whole.update(b"\xff" * 4)
    else:
        _add(whole, standing.value)
    return whole.digest()


def _add(whole: Any, part: bytes) -> None:
    whole.update(pack(">I", len(part)))
    whole.update(part)


class Check:
    """Goes along a partition and compares it with its seals."""

    def __init__(self, of: Partition, seals: Iterable[Seal], *, may_be_cut: bool) -> None:
        """`may_be_cut`: its beginning may be missing; then it is checked from the first seal past what is missing."""
        self.of, self._may_be_cut = of, may_be_cut
        self._pending = sorted((s for s in seals if s.of == of), key=lambda s: (s.to, s.at), reverse=True)
        self._hashes: dict[int, bytes | None] = {seal.first: start(of) for seal in self._pending}
        self._good_to = 0
        self.position: int | None = None
        """The position after the last record."""
        self.records = self.sealed = 0
        self.last_seal: str | None = None
        self.difference: Difference | None = None
        self._since_seal = 0

    def take(self, standing: Standing) -> None:
        """One more record, in the order of the log."""
        if self.position is None:
            self._begin(standing.position)
        self._compare(standing.position)
        for first, before in self._hashes.items():
            if standing.position >= first and before is not None:
                self._hashes[first] = link(before, standing)
        self.position = standing.position + 1
        self.records += 1
        self._since_seal += 1

    def end(self) -> None:
        """The log was read to its end: what was sealed must have come."""
        last = self.position or 0
        self._compare(last)
        if self._pending and self.difference is None:
            seal = self._pending[-1]
            self._differ(f"the seal of {seal.at} goes to position {seal.to}, and the log ends at {last}")

    def _begin(self, position: int) -> None:
        missing = [first for first in self._hashes if first < position]
        if missing and not self._may_be_cut:
            self._differ(f"its seals begin at position {min(missing)}, and the log begins at {position}")
        for first in missing:
            self._hashes[first] = None
        self._good_to = position

    def _compare(self, until: int) -> None:
        """Compare with the seals up to this position."""
        while self._pending and self._pending[-1].to <= until:
            seal = self._pending.pop()
            if self._hashes[seal.first] is None:
                if seal.to >= self._good_to:
                    self._hashes[seal.first] = bytes.fromhex(seal.hash)
                    self._good_to, self._since_seal = seal.to, 0
            elif self._hash_at(seal) != seal.hash:
                self._differ(f"what stands from position {self._good_to} to {seal.to - 1} is not what was sealed at"
                             f" {seal.at}: a record there was changed, removed or inserted")  # fmt: skip
            else:
                self._good_to, self.last_seal = seal.to, seal.at
                self.sealed += self._since_seal
                self._since_seal = 0

    def _hash_at(self, seal: Seal) -> str:
        found = self._hashes[seal.first]
        return found.hex() if found else ""

    def _differ(self, says: str) -> None:
        self.difference = self.difference or Difference(f"{self.of.topic}/{self.of.number}", says)
