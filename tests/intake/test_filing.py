import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from intake import receipts, store
from intake.filing import prepare
from intake.model import Details, Filing
from shared.contracts import encode
from shared.contracts.requests import RequestReceived
from shared.contracts.texts import TextRecorded
from shared.contracts.vocabulary import (
    Category,
    Channel,
    FiledBy,
    Language,
    PlaceDoubt,
    PlaceSource,
    Status,
    TextKind,
    Vulnerability,
)
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from shared.tokens import read_tracking_token
from tests.intake.builders import (
    ADDRESS,
    GRID,
    GRID_WORKER,
    IMPORTER,
    MASKED,
    NAME,
    OPERATOR,
    PHONE,
    SUPERVISOR,
    TEXT,
    TOWN,
    area,
    assigned,
    body,
    file,
    handler,
    post,
    resident,
    triaged,
)
from tests.support.builders import START, Builder
from tests.support.harness import Harness


async def received(harness: Harness, **changes: Any) -> RequestReceived:
    await file(harness, **changes)
    fact: RequestReceived = (await harness.stated(RequestReceived))[-1].fact
    return fact


async def test_a_filing_gets_its_receipt(harness: Harness) -> None:
    response = await post(harness, "/v1/requests", body(), ANONYMOUS)
    answer = response.json()
    assert response.status_code == 201
    assert set(answer) == {"id", "receipt", "status", "tracking_token", "promises"}
    assert receipts.read(answer["receipt"]) == answer["receipt"]
    assert answer["status"] == "received"
    assert datetime.fromisoformat(answer["promises"]["triage_by"]) == START + timedelta(minutes=1)
    secret = harness.service.settings.tracking_bytes
    assert str(read_tracking_token(secret, answer["tracking_token"])) == answer["id"]
    assert response.headers["location"] == f"/v1/requests/{answer['id']}"
    assert response.headers["heed-seen"] == f"intake:{answer['id']}:1"


@pytest.mark.parametrize("kind", [Kind.PARTNER, Kind.LIAISON, Kind.DEPUTY])
async def test_who_takes_tasks_gets_no_token_to_rate_his_own_answer_with(harness: Harness, kind: Kind) -> None:
    response = await post(harness, "/v1/requests", body(), handler(kind))
    assert (response.status_code, response.json()["tracking_token"]) == (201, None)


async def test_that_it_was_received_is_stated_before_its_text(harness: Harness) -> None:
    request_id = await file(harness, category="medical", persons=2, vulnerability=["elderly", "alone", "elderly"])
    first, second = await harness.stated()
    assert (first.subject, first.key, first.sequence) == (str(request_id), str(request_id), 1)
    assert (second.subject, second.key, second.sequence) == (str(request_id), str(first.fact.text_id), 1)
    fact, text = first.fact, second.fact
    assert isinstance(fact, RequestReceived)
    assert (fact.channel, fact.filed_by, fact.language) == (Channel.APP, FiledBy.RESIDENT, Language.ZH)
    assert (fact.area, fact.place_source) == (GRID, PlaceSource.ADDRESS)
    assert (fact.stated_category, fact.persons, fact.on_behalf) == (Category.MEDICAL, 2, False)
    assert fact.vulnerability == (Vulnerability.ELDERLY, Vulnerability.ALONE)
    assert fact.filed_at == fact.received_at == START
    assert text == TextRecorded(
        text_id=fact.text_id,
        request_id=request_id,
        kind=TextKind.REQUEST,
        text=MASKED,
        language=Language.ZH,
        filed_at=START,
        received_at=START,
        channel=Channel.APP,
        stated_category=Category.MEDICAL,
        persons=2,
        vulnerability=(Vulnerability.ELDERLY, Vulnerability.ALONE),
    )


async def test_nothing_personal_leaves_and_nothing_lies_open(harness: Harness) -> None:
    where = {"address": ADDRESS, "latitude": 30.654321, "longitude": 121.123456}
    text = f"{TEXT}，奶奶李桂英八十岁，身份证330482194001011233"
    contact = {"name": NAME, "phone": PHONE}
    await file(harness, text=text, contact=contact, place=where, on_behalf_of="奶奶李桂英")
    lying_open = [repr(encode(event)) for event in await harness.stated()]
    for table in store.metadata.sorted_tables:
        if table is not store.areas:
            lying_open += [repr(row) for row in await harness.rows(sa.select(table))]
    everything = "\n".join(lying_open)
    assert "出不去" in everything
    escaped = [words.encode().__repr__()[2:-1] for words in (NAME, ADDRESS, "李桂英")]
    for secret in (NAME, "李桂英", PHONE, "138 0013 8000", "3幢", "502", "330482", "30.654", "121.123", *escaped):
        assert secret not in everything


async def test_equal_contacts_households_and_buildings_have_equal_hashes(harness: Harness) -> None:
    one = await received(harness)
    same = await received(
        harness, contact={"phone": "+86 138-0013-8000"}, place={"address": "独山港镇虎啸村金茂花苑3栋502"}
    )
    neighbour = await received(harness, contact={"phone": "13900139000"}, place={"address": "金茂花苑3幢402室"})
    assert (one.contact_hash, one.household_hash, one.building_hash) == (
        same.contact_hash,
        same.household_hash,
        same.building_hash,
    )
    assert one.contact_hash != neighbour.contact_hash
    assert one.household_hash != neighbour.household_hash
    assert one.building_hash == neighbour.building_hash
    without = await received(harness, place={"address": "金茂花苑"})
    assert (without.household_hash, without.building_hash) == (None, None)


async def test_the_place_is_found_from_what_was_given(harness: Harness) -> None:
    stated = await received(harness, place={"area": TOWN})
    assert (stated.area, stated.place_source, stated.place_confidence) == (TOWN, PlaceSource.AREA, 1.0)
    pointed = await received(harness, place={"latitude": 30.65, "longitude": 121.15})
    assert (pointed.area, pointed.place_source) == (TOWN, PlaceSource.COORDINATES)
    nowhere = await received(harness, place=None, text="停水了")
    assert (nowhere.area, nowhere.place_source, nowhere.place_confidence) == (None, PlaceSource.NONE, 0.0)


async def test_a_place_that_is_not_sure_says_why(harness: Harness) -> None:
    unsure = await received(harness, place={"address": "从虎啸村到聚福村"})
    assert (unsure.area, unsure.place_confidence, unsure.place_doubt) == (TOWN, 0.5, PlaceDoubt.NAMES)
    mentioned = await received(harness, place=None, text="我住在金茂花苑，停水了")
    assert (mentioned.area, mentioned.place_doubt) == (GRID, PlaceDoubt.TEXT)


async def test_a_shape_with_a_hole_and_several_parts_is_kept_and_found_in(harness: Harness) -> None:
    here = f"{TOWN}/islands"
    rings = [[(122.0, 30.0), (122.3, 30.0), (122.3, 30.3), (122.0, 30.3), (122.0, 30.0)],
             [(122.1, 30.1), (122.2, 30.1), (122.2, 30.2), (122.1, 30.2), (122.1, 30.1)]]  # fmt: skip
    shape = {"type": "MultiPolygon", "coordinates": [rings, [[(x + 1, y) for x, y in rings[1]]]]}
    await harness.take(Builder().event(area(here, "群岛", "Islands", shape=shape), here))
    for longitude, latitude, found in ((122.05, 30.05, here), (122.15, 30.15, None), (123.15, 30.15, here)):
        place = {"latitude": latitude, "longitude": longitude, "accuracy_m": 10}
        assert (await received(harness, place=place, text="停水了")).area == found


async def test_a_new_area_is_known_at_once(harness: Harness) -> None:
    place = {"area": f"{TOWN}/longyin"}
    refused = await post(harness, "/v1/requests", body(place=place), ANONYMOUS)
    assert (refused.status_code, refused.json()["title"]) == (422, "Unknown area")
    await harness.take(Builder().event(area(place["area"], "龙吟村", "Longyin Village"), place["area"]))
    assert (await received(harness, place=place)).area == place["area"]


async def test_an_area_that_is_announced_again_is_known_as_it_is_now(harness: Harness) -> None:
    build = Builder()
    await harness.take(build.event(area(f"{TOWN}/a", "老街", "Old Street"), f"{TOWN}/a"))
    await harness.take(build.event(area(f"{TOWN}/a", "新街", "New Street"), f"{TOWN}/a"))
    assert (await received(harness, place={"address": "新街"})).area == f"{TOWN}/a"
    assert (await received(harness, place={"address": "老街"}, text="停水")).area is None


@pytest.mark.parametrize(
    ("caller", "capacity"),
    [
        (ANONYMOUS, (Channel.APP, FiledBy.RESIDENT)),
        (OPERATOR, (Channel.HOTLINE, FiledBy.OPERATOR)),
        (GRID_WORKER, (Channel.VISIT, FiledBy.GRID_WORKER)),
        (handler(Kind.PARTNER), (Channel.PARTNER, FiledBy.PARTNER)),
    ],
    ids=["anonymous", "operator", "grid_worker", "partner"],
)
async def test_the_channel_is_the_callers_usual_one(
    harness: Harness, caller: Principal, capacity: tuple[Channel, FiledBy]
) -> None:
    await file(harness, caller, on_behalf_of="邻居")
    fact = (await harness.stated(RequestReceived))[0].fact
    assert ((fact.channel, fact.filed_by), fact.on_behalf) == (capacity, True)


async def test_a_form_brought_in_later_keeps_its_time(harness: Harness) -> None:
    said = "2026-03-01T15:00:00+08:00"
    await file(harness, OPERATOR, filed_at=said)
    fact, text = (event.fact for event in await harness.stated())
    assert (fact.filed_at, fact.received_at) == (datetime.fromisoformat(said), START)
    assert (text.filed_at, text.received_at) == (fact.filed_at, START)


@pytest.mark.parametrize(("caller", "status"), [(OPERATOR, 403), (SUPERVISOR, 201), (IMPORTER, 201), (ANONYMOUS, 403)])
async def test_an_old_form_needs_a_right(harness: Harness, caller: Principal, status: int) -> None:
    sent = body(filed_at="2022-10-25T15:00:00+08:00")
    assert (await post(harness, "/v1/requests", sent, caller)).status_code == status


async def test_staff_are_told_of_open_requests_of_the_same_contact(harness: Harness) -> None:
    far = await file(harness, text="小区停水两天了")
    near = await file(harness, text="狂犬疫苗第二针要打，出不去")
    await file(harness, text="狂犬疫苗", contact={"phone": "13900139000"})
    gone = await file(harness, text="第二针狂犬疫苗要在26号打")
    await post(harness, f"/v1/requests/{gone}/withdrawal", {}, resident(gone))
    answer = (await post(harness, "/v1/requests", body(text="第二针狂犬疫苗要打，出不去"), OPERATOR)).json()
    named = answer["possible_duplicates"]
    assert [item["id"] for item in named] == [str(near), str(far)]
    assert named[0]["similarity"] > 0.5 > named[1]["similarity"]
    assert set(named[0]) == {"id", "receipt", "status", "received_at", "similarity"}


async def test_what_is_older_than_two_days_is_no_duplicate(harness: Harness) -> None:
    await file(harness)
    harness.clock.turn(hours=48, seconds=1)
    answer = (await post(harness, "/v1/requests", body(), OPERATOR)).json()
    assert answer["possible_duplicates"] == []


async def test_filings_that_come_together_are_kept_in_one_transaction(harness: Harness) -> None:
    calls = [post(harness, "/v1/requests", body(text=f"停水{n}"), OPERATOR) for n in range(30)]
    answers = [response.json() for response in await asyncio.gather(*calls)]
    assert len({answer["receipt"] for answer in answers}) == 30
    transactions = await harness.rows(
        sa.select(sa.literal_column("xmin::text").label("xmin"), store.requests.c.request_id)
    )
    assert len(transactions) == 30
    assert len({row["xmin"] for row in transactions}) < 10
    stated = await harness.stated(RequestReceived)
    assert {event.subject for event in stated} == {answer["id"] for answer in answers}


async def test_one_that_is_refused_does_not_hold_up_those_beside_it(harness: Harness) -> None:
    wrong = body(place={"area": "nowhere"})
    calls = [post(harness, "/v1/requests", sent, ANONYMOUS) for sent in (body(), wrong, body())]
    assert sorted([response.status_code for response in await asyncio.gather(*calls)]) == [201, 201, 422]
    assert len(await harness.stated(RequestReceived)) == 2


async def test_a_receipt_that_was_given_out_is_not_given_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter([7, 7, 7, 8])
    monkeypatch.setattr("intake.filing.secrets.randbelow", lambda _: next(drawn))
    first, second = await received(harness), await received(harness)
    assert (first.receipt, second.receipt) == (receipts.make(7), receipts.make(8))


async def test_the_same_call_again_gives_the_same_answer_and_files_nothing(harness: Harness) -> None:
    for caller in (ANONYMOUS, OPERATOR):
        key = {"idempotency-key": f'"{caller.kind}-1"'}
        first = await post(harness, "/v1/requests", body(), caller, **key)
        again = await post(harness, "/v1/requests", body(), caller, **key)
        assert (again.status_code, again.json()) == (201, first.json())
    assert len(await harness.stated(RequestReceived)) == 2


async def test_the_same_key_at_the_same_time_files_once(harness: Harness) -> None:
    calls = [post(harness, "/v1/requests", body(), ANONYMOUS, **{"idempotency-key": "k"}) for _ in range(5)]
    answers = [response.json()["id"] for response in await asyncio.gather(*calls)]
    assert len(set(answers)) == 1
    assert len(await harness.stated(RequestReceived)) == 1


async def test_the_same_key_with_another_body_is_refused(harness: Harness) -> None:
    key = {"idempotency-key": "k"}
    await post(harness, "/v1/requests", body(), ANONYMOUS, **key)
    refused = await post(harness, "/v1/requests", body(text="停水"), ANONYMOUS, **key)
    assert (refused.status_code, refused.json()["title"]) == (422, "Idempotency key reused")
    assert len(await harness.stated(RequestReceived)) == 1


async def test_the_whole_log_again_changes_nothing(harness: Harness) -> None:
    build, request = Builder(), await file(harness)
    await post(harness, f"/v1/requests/{request}/amendments", {"text": "还发烧"}, resident(request))
    log = [*await harness.stated(), *(build.event(fact, request) for fact in (triaged(), assigned(new_id())))]
    await harness.take(*log)
    before = await harness.everything()
    [row] = await harness.rows(sa.select(store.requests))
    assert (row["status"], row["ahead"], row["unheard"]) == (Status.ASSIGNED, Status.ASSIGNED, 0)
    await harness.take(*log)
    await harness.take(*reversed(log))
    assert await harness.everything() == before


async def test_an_original_is_kept_only_where_marks_hide_something(harness: Harness) -> None:
    tools = harness.app.state.tools
    plain = Filing(text="停水了", details=Details(phone="+8613800138000"))
    assert prepare(tools, ANONYMOUS, plain).original is None
    marked = prepare(tools, ANONYMOUS, Filing(text=TEXT, details=Details(phone="+8613800138000", name=NAME)))
    assert marked.original is not None
    assert tools.custody.open_text(marked.text_id, marked.original) == TEXT
