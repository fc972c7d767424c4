"""Events for tests, with the numbers a real source would give them."""

from collections import defaultdict
from datetime import UTC, datetime
from uuid import UUID

from shared.contracts import Event, Fact
from shared.contracts.requests import TaskFact
from shared.contracts.texts import TextRecorded
from shared.ids import new_id

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SOURCES = {
    "received": "intake", "rejected": "intake", "merged": "intake", "withdrawn": "intake", "amended": "intake",
    "archived": "intake", "triaged": "triage", "disputed": "followup", "closed": "followup", "rated": "followup",
    "visited": "followup", "notified": "callbacks",
}  # fmt: skip


class Builder:
    """Numbers events per source and key, as the outboxes of the services would."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str], int] = defaultdict(int)

    def event(
        self,
        fact: Fact,
        subject: UUID | str,
        *,
        key: UUID | str | None = None,
        source: str | None = None,
        time: datetime = START,
        sequence: int | None = None,
    ) -> Event[Fact]:
        """The fact as an event; source, key and sequence as they would really be, unless given."""
        if isinstance(fact, TextRecorded):
            key = key or fact.text_id
        source = source or self._source_of(fact)
        at = (fact.TOPIC, str(key or subject), source)
        self._numbers[at] = sequence or self._numbers[at] + 1
        return Event(
            id=new_id(),
            source=source,
            subject=str(subject),
            key=str(key or subject),
            time=time,
            sequence=self._numbers[at],
            fact=fact,
        )

    def _source_of(self, fact: Fact) -> str:
        if isinstance(fact, TaskFact):
            return "dispatch"
        if isinstance(fact, TextRecorded):
            return {"request": "intake", "amendment": "intake", "comment": "followup"}.get(fact.kind, "dispatch")
        return SOURCES.get(fact.TYPE.rsplit(".", 1)[1], "dispatch")
