"""The service as it really runs: on a bus, with its loops."""

import sqlalchemy as sa
from prometheus_client import REGISTRY

from shared.contracts import decode, encode
from shared.contracts.callbacks import DeliverySucceeded
from shared.contracts.requests import PersonNotified
from shared.service import Service
from tests.callbacks.desk import Desk
from tests.support.eventually import eventually
from tests.support.receiver import Receiver

FAILURES = ("heed_loop_failures_total", {"service": "callbacks", "loop": "send"})


async def rename(service: Service, table: str, to: str) -> None:
    async with service.database.transaction() as connection:
        await connection.execute(sa.text(f"alter table {table} rename to {to}"))


async def test_from_the_bus_to_the_partner_and_back_to_the_bus(desk: Desk, receiver: Receiver) -> None:
    made = await desk.register(receiver.url)
    service, story = desk.harness.service, desk.story()
    await service.positions.release()
    async with service.running():
        await service.bus.publish([encode(e) for e in (story.received(), story.triaged(), story.assigned())])

        async def said() -> list[str]:
            ends = await service.bus.partitions("heed.callbacks") + await service.bus.partitions("heed.requests")
            async with service.bus.reader() as reader:
                found = await reader.read(dict.fromkeys(ends, 0), 1000)
            return [e.type for one in found if (e := decode(one.record)) and e.source == "callbacks"]

        types = await eventually(said, lambda t: t.count(DeliverySucceeded.TYPE) >= 6)
        assert types.count(PersonNotified.TYPE) == 3
    payloads = [call.verified(made["secret"]) for call in receiver.calls]
    assert [p["number"] for p in payloads] == [1, 2, 3, 4, 5, 6]
    assert [p["type"].rsplit(".", 1)[1] for p in payloads[:3]] == ["received", "triaged", "assigned"]
    assert {p["type"] for p in payloads[3:]} == {PersonNotified.TYPE}


async def test_after_a_failure_it_calls_again(desk: Desk, receiver: Receiver) -> None:
    """A loop that failed, as it does where the database is away, is run again, and finds all that it needs."""
    await desk.register(receiver.url)
    service, story = desk.harness.service, desk.story()
    await service.positions.release()
    async with service.running():
        failed = REGISTRY.get_sample_value(*FAILURES) or 0

        async def failures() -> float:
            return REGISTRY.get_sample_value(*FAILURES) or 0

        await rename(service, "deliveries", "away")
        await eventually(failures, lambda now: now > failed)
        await rename(service, "away", "deliveries")
        await service.bus.publish([encode(story.received())])

        async def called() -> int:
            return len(receiver.calls)

        await eventually(called)
