"""Random histories, read in batches of any size and some of them twice: what followup says is what verify finds."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from random import Random

import pytest

from followup import sealing
from followup.app import build
from services.verify import figures, views
from services.verify.asking import Api
from services.verify.log import read_log
from services.verify.seals import Seal
from services.verify.sources import Standing
from shared.bus import Delivered
from shared.contracts import Record, encode
from shared.contracts import requests as r
from shared.contracts.operations import LogSealed
from shared.contracts.vocabulary import Colour, DisputeReason, Outcome, WithdrawalReason
from tests.followup.stories import OPERATOR, Story, minutes
from tests.support.builders import Builder
from tests.support.harness import Harness
from tests.support.postgres import PostgresServer
from tests.verify.test_log import REQUESTS, Kept
from tests.verify.town import PROMISES

pytestmark = pytest.mark.timeout(180)

STEPS: list[Callable[[Story], Story]] = [
    lambda s: s.triaged(Colour.RED),
    lambda s: s.triaged(Colour.GREEN),
    lambda s: s.assigned(),
    lambda s: s.assigned("town-office"),
    lambda s: s.assisted(),
    lambda s: s.accepted(),
    lambda s: s.contacted(),
    lambda s: s.recalled(),
    lambda s: s.answered(),
    lambda s: s.answered(fulfil_by=s.now + minutes(60)),
    lambda s: s.fulfilled(),
    lambda s: s.add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED)),
    lambda s: s.add(r.RequestDisputed(reason=DisputeReason.FULFILMENT_MISSED)),
    lambda s: s.returned(),
    lambda s: s.nudged(),
    lambda s: s.supervised(),
    lambda s: s.add(r.RequestClosed(outcome=Outcome.CONFIRMED)),
    lambda s: s.add(r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)),
    lambda s: s.add(r.RequestRated(solved=True, satisfaction=4)),
]
USUAL = [STEPS[0], STEPS[2], STEPS[5], STEPS[8]]


@pytest.fixture
async def reading(postgres: PostgresServer) -> AsyncIterator[Harness]:
    async with Harness.start(build, postgres) as harness:
        await harness.service.positions.claim([REQUESTS])
        yield harness


def random_log(chance: Random) -> list[Standing]:
    """Ten histories, told in turns."""
    builder = Builder()
    stories = [Story(builder).received() for _ in range(10)]
    for step in [*USUAL, *(chance.choice(STEPS) for _ in range(12))]:
        for story in stories:
            if chance.random() < 0.7:
                story.now += minutes(chance.randint(0, 90))
                step(story)
    events = sorted((event for story in stories for event in story.events), key=lambda event: event.time)
    records = [encode(event) for event in events]
    return [Standing(REQUESTS, n, one.key, one.headers, one.value) for n, one in enumerate(records)]


async def read(harness: Harness, log: list[Standing], chance: Random) -> None:
    """In batches of any size; a batch may be handed over a second time."""
    records = [
        Delivered(
            partition=REQUESTS,
            position=one.position,
            record=Record(topic=REQUESTS.topic, key=one.key, headers=one.headers, value=one.value),
        )
        for one in log
    ]
    at = 0
    while at < len(records):
        size = chance.randint(1, 40)
        for _ in range(chance.choice([1, 1, 2])):
            assert harness.service.consumer is not None
            await harness.service.consumer.handle(records[at : at + size])
        at += size
        if chance.random() < 0.3:
            harness.clock.turn(minutes=2)
            await harness.service.command(sealing.seal, timedelta(minutes=1))


@pytest.mark.parametrize("seed", range(4))
async def test_followup_and_the_second_way_agree(reading: Harness, seed: int) -> None:
    chance = Random(seed)
    log_records = random_log(chance)
    await read(reading, log_records, chance)
    await reading.turn(days=2)
    await reading.service.command(sealing.seal, timedelta(minutes=1))
    seals = [
        Seal(REQUESTS, fact.first_position, fact.to_position, fact.hash, "then")
        for fact in (event.fact for event in await reading.stated(LogSealed))
    ]
    log = await read_log(Kept(log_records), seals, may_be_cut=False)
    assert log.differences == []
    [check] = [check for check in log.checks if check.of == REQUESTS]
    assert check.sealed == len(log_records)
    async with reading.client(OPERATOR) as client:
        api = Api(client)
        assert await figures.compare(log, api, reading.clock.now, PROMISES) == []
        shown, read_to = await views.read_watchdog(api, ())
    assert read_to == {REQUESTS: len(log_records)}
    assert {i: one.status for i, [one] in shown.items()} == {i: known.status for i, known in log.requests.items()}
    assert {i: one.holder for i, [one] in shown.items()} == {i: known.holder for i, known in log.requests.items()}
