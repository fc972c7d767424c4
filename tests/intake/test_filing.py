from shared.identity import ANONYMOUS
from tests.intake.builders import MASKED, body, post
from tests.support.harness import Harness


async def test_first(harness: Harness) -> None:
    r = await post(harness, "/v1/requests", body(), ANONYMOUS)
    print(r.status_code, r.text, r.headers)
    for e in await harness.stated():
        print(e)
    assert (await harness.stated())[1].fact.text == MASKED
    assert 0
