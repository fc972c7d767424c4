"""A reachability drill reaches an organisation's endpoint and its inbox; and no other organisation's."""

from datetime import timedelta

from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.drills import DrillAsked, DrillClosed
from shared.contracts.vocabulary import Addressee
from shared.ids import new_id
from tests.callbacks.desk import Desk
from tests.callbacks.story import HOSPITAL, OPERATOR, POLICE, handler
from tests.support.builders import START
from tests.support.receiver import Receiver

DRILL = new_id()


def asked(desk: Desk, organisation: str) -> Event[Fact]:
    liaisons = (f"{organisation}.day", f"{organisation}.deputy")
    fact = DrillAsked(
        service="dispatch",
        drill_id=DRILL,
        organisation=organisation,
        liaisons=liaisons,
        answer_by=START + timedelta(days=1),
    )
    return desk.builder.event(fact, DRILL, source="dispatch")


def closed(desk: Desk, organisation: str) -> Event[Fact]:
    fact = DrillClosed(service="dispatch", drill_id=DRILL, organisation=organisation, asked=2, answered=2)
    return desk.builder.event(fact, DRILL, source="dispatch")


async def test_an_endpoint_is_sent_its_own_organisations_part_and_the_citys_all(desk: Desk, receiver: Receiver) -> None:
    async with Receiver.start() as hospital, Receiver.start() as police:
        made = await desk.register(hospital.url, handler(HOSPITAL), event_types=["heed.drill.asked"])
        await desk.register(police.url, handler(POLICE))
        await desk.register(receiver.url)
        await desk.take(asked(desk, HOSPITAL), asked(desk, POLICE), closed(desk, HOSPITAL), closed(desk, POLICE))
        await desk.send()
        [call] = hospital.calls
        payload = call.verified(made["secret"])
        assert payload["type"] == "heed.drill.asked"
        assert payload["data"] == {
            "service": "dispatch", "drill_id": str(DRILL), "organisation": HOSPITAL,
            "liaisons": [f"{HOSPITAL}.day", f"{HOSPITAL}.deputy"], "answer_by": "2026-03-03T08:00:00Z",
        }  # fmt: skip
        assert len(police.calls) == 2
        assert len(receiver.calls) == 4
        again = await desk.call("POST", f"/v1/webhooks/{made['id']}/replay", {}, handler(HOSPITAL))
        assert again.json()["replayed"] == 1


async def test_its_people_find_it_in_their_inbox_in_both_languages_and_no_request_hears_of_it(desk: Desk) -> None:
    event = asked(desk, HOSPITAL)
    await desk.take(event, closed(desk, HOSPITAL), asked(desk, POLICE))
    await desk.take(event)  # delivered again, it changes nothing
    [notice] = await desk.notices(handler(HOSPITAL))
    assert (notice["about"], notice["request_id"], notice["addressee"]) == (
        "heed.drill.asked", None, Addressee.LIAISON
    )  # fmt: skip
    assert "03 Mar 16:00" in notice["text"]["en"]
    assert set(notice["text"]) == {"zh", "en"}
    assert len(await desk.notices(OPERATOR)) == 2
    assert await desk.harness.stated(r.PersonNotified) == []
