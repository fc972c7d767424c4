"""Sealing and verifying on a real broker: the same hash of the same records."""

from collections import Counter
from dataclasses import replace

import pytest

from followup.app import build
from followup.seal_store import last_sealed_at
from services.verify.log import read_log
from services.verify.sources import AtTheBus
from shared.clock import wall_now
from shared.contracts import encode
from shared.service import Service
from tests.followup.stories import Story
from tests.support.builders import Builder
from tests.support.eventually import eventually
from tests.support.harness import test_settings as settings_for_tests
from tests.support.postgres import PostgresServer


@pytest.mark.timeout(240)
async def test_a_log_on_kafka_is_sealed_and_verified(postgres: PostgresServer, kafka: list[str]) -> None:
    url = await postgres.fresh_database("followup")
    app = build(settings_for_tests(database=url, bus=f"kafka://{','.join(kafka)}", seal_seconds=0.5))
    service: Service = app.state.service
    stories = [Story(Builder(), at=wall_now()).begun().answered() for _ in range(20)]
    async with app.router.lifespan_context(app):
        await service.bus.publish([encode(event) for story in stories for event in story.events])
        await eventually(lambda: service.query(last_sealed_at), lambda at: at[0] is not None, within_seconds=60)
        await eventually(lambda: service.query(last_sealed_at), lambda at: at[1] == 0, within_seconds=60)
        log = await read_log(AtTheBus(service.bus), [], may_be_cut=False)
        assert [check.difference for check in log.checks if check.difference] == []
        assert sum(check.sealed for check in log.checks) >= sum(len(story.events) for story in stories)
        assert Counter(log.requests[str(story.id)].status for story in stories) == {"answered": 20}
        forged = [replace(log.seals[0], hash="00" * 32)]
        again = await read_log(AtTheBus(service.bus), forged, may_be_cut=False)
        about = [check.difference.about for check in again.checks if check.difference]
        assert about == ["/".join(map(str, forged[0].of))]
