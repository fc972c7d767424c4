"""Reading a request and the queue."""

from tests.gateway.histories import HOSPITAL, OPERATOR, TRANSPORT, History
from tests.gateway.stage import Gateway


async def test_a_request_shows_what_its_history_adds_up_to(gateway: Gateway) -> None:
    history = History(gateway.builder).in_hand().answered(minutes=10)
    await gateway.take(*history.new())
    answer = await gateway.get(OPERATOR, f"/v1/requests/{history.id}")
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["status"] == "answered"
    assert (shown["category"], shown["colour"]) == ("medical", "red")
    assert shown["holder"]["name"] == "followup"
    assert shown["answer"]["text"] == "专车已安排"
    assert [t["organisation"] for t in shown["tasks"]] == [HOSPITAL, TRANSPORT]
    assert [e["type"].rsplit(".", 1)[1] for e in shown["timeline"]] == [
        "received", "triaged", "assigned", "assigned", "accepted", "answered",
    ]  # fmt: skip
    assert [e["number"] for e in shown["timeline"]] == [1, 2, 3, 4, 5, 6]
    assert shown["timeline"][0]["text"] == "需要打第二针狂犬疫苗"
