"""Nothing personal in any fact, log line, metric or error: the words of the filings are searched for everywhere."""

import json

import pytest

from tests.loop.test_story import FILING, file
from tests.support.account import Books
from tests.support.eventually import eventually
from tests.support.system import System

PHONE, NAME, DOOR = "19900000654", "例无名", "9幢901室"
WORDS = "家里老人的降压药只剩两天的量"
PERSONAL = (PHONE, "199 0000 0654", NAME, DOOR, "121.16543", "30.65432")


@pytest.mark.timeout(120)
async def test_nothing_personal_leaves_intake(system: System) -> None:
    text = f"我叫{NAME}，电话{PHONE}，住金茂花苑{DOOR}。{WORDS}。"
    filing = {
        "text": text,
        "contact": {"name": NAME, "phone": "+86 199 0000 0654"},
        "place": {"address": f"虎啸村金茂花苑{DOOR}", "latitude": 30.65432, "longitude": 121.16543},
    }
    async with system.client("operator") as operator:
        filed = await file(operator, **filing)
        await operator.post(f"/v1/requests/{filed['id']}/amendments", json={"text": f"再打这个电话：{PHONE}"})
        bad = await operator.post("/v1/requests", json=FILING | {"text": text, "unknown": PHONE})
        metrics = (await operator.get("/metrics")).text
    assert bad.status_code == 422
    books = await Books.open(system.var)
    try:
        rows = await eventually(lambda: books.fetch("bus", "select headers::text, value, topic from log"), bool)
        everything = await stored(books)
    finally:
        await books.close()
    facts = "\n".join(str(row["headers"]) + (row["value"] or b"").decode() for row in rows)
    requests = "\n".join((row["value"] or b"").decode() for row in rows if row["topic"] == "heed.requests")
    for secret in PERSONAL:
        assert secret not in facts
        assert secret not in metrics
        assert secret not in bad.text
        assert secret not in system.log.read_text()
        assert secret not in everything, secret
    assert WORDS not in requests
    assert WORDS not in system.log.read_text() + metrics
    assert json.loads(bad.text)["errors"][0]["pointer"] == "#/unknown"


async def stored(books: Books) -> str:
    """All rows of all tables of all services, as text: what is sealed cannot be read there either."""
    found = []
    for service in ("intake", "triage", "dispatch", "followup", "callbacks", "gateway"):
        tables = await books.fetch(service, "select tablename from pg_tables where schemaname = 'public'")
        for (table,) in tables:
            if (service, table) == ("dispatch", "files"):
                continue  # the city's own people, made up, whose numbers the desk may see
            found += [str(row) for row in await books.fetch(service, f"select t.*::text from {table} t")]
    return "\n".join(found)
