"""Keys: issued and revoked by supervisors alone, and in force at once."""

import pytest

from shared.identity import Kind, Principal
from tests.gateway.stage import Gateway

SUPERVISOR = Principal(kind=Kind.SUPERVISOR, id="supervisor")


async def test_a_key_is_issued_used_and_revoked(gateway: Gateway) -> None:
    wanted = {"kind": "inspector", "id": "inspector-2"}
    async with gateway.caller(SUPERVISOR) as supervisor:
        issued = (await supervisor.post("/v1/tokens", json=wanted)).json()
        async with gateway.client(None, authorization=f"Bearer {issued['token']}") as inspector:
            assert (await inspector.get("/v1/queue")).status_code == 200
            assert (await inspector.get("/v1/tokens")).status_code == 403
            assert (await inspector.post("/v1/tokens", json=wanted)).status_code == 403
            assert (await inspector.delete(f"/v1/tokens/{issued['key_id']}")).status_code == 403
        listed = (await supervisor.get("/v1/tokens")).json()["items"]
        assert issued["token"] not in str(listed)
        assert (await supervisor.delete(f"/v1/tokens/{issued['key_id']}")).status_code == 204
        async with gateway.client(None, authorization=f"Bearer {issued['token']}") as inspector:
            assert (await inspector.get("/v1/queue")).status_code == 401
        assert (await supervisor.delete(f"/v1/tokens/{issued['key_id']}")).status_code == 404


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.SUPERVISOR, Kind.RESIDENT}))
async def test_only_a_supervisor_has_to_do_with_keys(gateway: Gateway, kind: Kind) -> None:
    who = Principal(kind=kind, id="x", organisation="central-hospital", area="pinghu")
    async with gateway.caller(None if kind is Kind.ANONYMOUS else who) as caller:
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x")):
            sent = {"kind": "operator"} if method == "POST" else None
            assert (await caller.request(method, f"/v1/tokens{path}", json=sent)).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    [{"kind": "resident"}, {"kind": "liaison"}, {"kind": "grid_worker"}, {"kind": "operator", "rights": ["all"]}],
    ids=lambda wanted: str(wanted["kind"]),
)
async def test_a_key_without_what_it_needs_is_refused(gateway: Gateway, wanted: dict[str, object]) -> None:
    async with gateway.caller(SUPERVISOR) as supervisor:
        assert (await supervisor.post("/v1/tokens", json=wanted)).status_code == 422
