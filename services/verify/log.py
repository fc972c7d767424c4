"""The log, read from its beginning once more: the seals checked, numbers counted, each request's history folded."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from services.verify import history
from services.verify.difference import Difference
from services.verify.history import Request
from services.verify.seals import Check, Seal, read_seal
from services.verify.sources import Positions, Source, Standing
from shared.bus import Partition
from shared.contracts import Event, Fact, Record, decode

REQUESTS, OPERATIONS = "heed.requests", "heed.operations"
TOPICS = (OPERATIONS, REQUESTS)
SILENT_PAGES = 3
"""After so many pages without a record the log does not go on, wherever it says that it ends."""


class Numbered(NamedTuple):
    """Under which number who stated a fact."""

    key: str
    source: str
    number: int


class Log:
    """What was read so far, and what follows from it."""

    def __init__(self, source: Source, *, may_be_cut: bool) -> None:
        """`may_be_cut`: the beginning of the log may be missing."""
        self._source, self._may_be_cut = source, may_be_cut
        self._at: Positions = {}
        self._checks: dict[Partition, Check] = {}
        self._ids: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self.seals: list[Seal] = []
        self.requests: dict[str, Request] = {}
        self.kept: list[tuple[Partition, int, Standing]] = []
        """Facts about requests, with the position after each."""
        self.headless: set[str] = set()
        """Requests whose history does not begin: its beginning was cut."""
        self.no_events = 0
        self.differences: list[Difference] = []

    async def read(self, kept_seals: Iterable[Seal] = ()) -> None:
        """Read to where it ends now; `kept_seals` were kept outside."""
        ends = await self._source.ends((OPERATIONS,))
        ends |= await self._source.ends((REQUESTS,))
        async for standing in self._records({at: 0 for at in ends if at.topic == OPERATIONS}, ends):
            if seal := read_seal(standing):
                self.seals.append(seal)
        every = [*self.seals, *kept_seals]
        self._checks = {at: Check(at, every, may_be_cut=self._may_be_cut) for at in ends}
        self._at = dict.fromkeys(ends, 0)
        await self._read_to(ends)
        for at in sorted(self._checks):
            self._checks[at].end()
            if difference := self._checks[at].difference:
                self.differences.append(difference)

    async def read_on(self) -> None:
        """Read what has come since."""
        await self._read_to(await self._source.ends((REQUESTS,)))

    async def _read_to(self, ends: Positions) -> None:
        async for standing in self._records({at: self._at[at] for at in ends}, ends):
            self._take(standing)

    async def _records(self, begins: Positions, ends: Positions) -> AsyncIterator[Standing]:
        """Every record from these positions to those."""
        at, silent = dict(begins), 0
        while missing := {p: position for p, position in at.items() if position < ends[p]}:
            page = await self._source.page(at)
            silent = 0 if page else silent + 1
            if silent == SILENT_PAGES:
                for p, position in sorted(missing.items()):
                    self._stops(p, position, ends[p])
                return
            for standing in page:
                at[standing.at] = standing.position + 1
                self._at[standing.at] = standing.position + 1
                yield standing

    def _stops(self, p: Partition, position: int, end: int) -> None:
        says = f"the next record would have position {end}, and none can be read from position {position} on"
        difference = Difference(f"{p.topic}/{p.number}", says)
        if difference not in self.differences and not (self._may_be_cut and position == 0):
            self.differences.append(difference)

    # Facts

    def _take(self, standing: Standing) -> None:
        if check := self._checks.get(standing.at):
            check.take(standing)
        try:
            numbered = Numbered(standing.key, standing.headers["ce_source"], int(standing.headers["ce_sequence"]))
            data = json.loads(standing.value or b"{}")
        except (KeyError, ValueError):
            self.no_events += 1
            return
        if self._is_new(standing, numbered) and standing.at.topic == REQUESTS:
            self._fold(standing, data)

    def _is_new(self, standing: Standing, numbered: Numbered) -> bool:
        """Whether the fact stands here for the first time; what stands twice must be the same."""
        known = self._ids[standing.at.topic, numbered.key, numbered.source]
        event_id, about = standing.headers.get("ce_id", ""), f"{standing.at.topic}/{standing.at.number}"
        if 0 < numbered.number <= len(known):
            if known[numbered.number - 1] not in {event_id, ""}:
                says = f"at position {standing.position} stands a second fact {numbered.number} of {numbered.source}"
                self.differences.append(Difference(about, f"{says} on {numbered.key}"))
            return False
        missing = numbered.number - len(known) - 1
        if missing and not (self._may_be_cut and not known):
            says = f"before position {standing.position} a fact of {numbered.source} on {numbered.key} is missing"
            self.differences.append(Difference(about, f"{says}: number {len(known) + 1}"))
        known += [""] * missing
        known.append(event_id)
        return True

    def _fold(self, standing: Standing, data: dict[str, Any]) -> None:
        try:
            begun = _advance(self.requests, standing, data)
        except (KeyError, ValueError, TypeError):
            self.no_events += 1
            return
        if begun:
            self.kept.append((standing.at, standing.position + 1, standing))
        else:
            self.headless.add(standing.key)

    def events(self, before: Positions) -> Iterator[Event[Fact]]:
        """The facts about requests that stand before these positions, each once."""
        for at, after, standing in self.kept:
            if after <= before.get(at, 0):
                record = Record(topic=at.topic, key=standing.key, headers=standing.headers, value=standing.value)
                with suppress(ValueError):  # counted when it was read, or of a type that the services park
                    if event := decode(record):
                        yield event

    def at(self, topic: str) -> Positions:
        """How far the topic was read."""
        return {at: position for at, position in self._at.items() if at.topic == topic}

    # Counts

    @property
    def checks(self) -> Sequence[Check]:
        """How each partition compares with its seals."""
        return [self._checks[at] for at in sorted(self._checks)]


def _advance(requests: dict[str, Request], standing: Standing, data: dict[str, Any]) -> bool:
    """Take a fact into its request; False where there is none, for it was not received."""
    name = standing.headers.get("ce_type", "").removeprefix(history.PREFIX)
    request = requests.get(standing.key)
    if request is not None:
        history.take(request, name, data)
    elif name == "received":
        requests[standing.key] = Request()
    return standing.key in requests


async def read_log(source: Source, kept_seals: Iterable[Seal], *, may_be_cut: bool) -> Log:
    """The log as it stands now."""
    log = Log(source, may_be_cut=may_be_cut)
    await log.read(kept_seals)
    return log
