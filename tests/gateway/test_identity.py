"""Tokens: who calls, who cannot be fooled about it, and how tokens come and go."""

import json
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.gateway import identity, store
from services.gateway.app import write_credentials
from shared.identity import Kind, Principal
from shared.ids import new_id
from shared.tokens import IdentitySigner, make_identity_keys, make_tracking_token
from tests.gateway.histories import OPERATOR, SUPERVISOR, History
from tests.gateway.stage import Gateway
from tests.support.builders import START


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer heed_0123456789ab_nonsense",
        "Bearer heed__",
        "Bearer track_nonsense",
        "Basic b3BlcmF0b3I6b3BlcmF0b3I=",
        "heed_0123456789ab_nonsense",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/v1/categories", "/v1/tasks", "/v1/queue"])
async def test_a_bad_token_is_refused_everywhere(gateway: Gateway, header: str, path: str) -> None:
    answer = await gateway.get(None, path, authorization=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/unauthenticated")


async def test_a_token_with_another_secret_is_refused(gateway: Gateway) -> None:
    token = await gateway.token(OPERATOR)
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert (await gateway.get(None, "/v1/queue", authorization=f"Bearer {token}")).status_code == 200
    assert (await gateway.get(None, "/v1/queue", authorization=f"Bearer {forged}")).status_code == 401


async def test_a_tracking_token_of_another_installation_is_refused(gateway: Gateway) -> None:
    token = make_tracking_token(b"x" * 32, new_id())
    assert (await gateway.get(None, "/v1/categories", authorization=f"Bearer {token}")).status_code == 401


async def test_two_authorization_headers_are_refused(gateway: Gateway) -> None:
    token = await gateway.token(OPERATOR)
    async with gateway.client() as client:
        headers = [("authorization", f"Bearer {token}"), ("authorization", "Bearer other")]
        assert (await client.get("/v1/queue", headers=headers)).status_code == 401


async def test_a_client_cannot_vouch_for_himself(gateway: Gateway) -> None:
    signed = gateway._signer.sign(OPERATOR)
    assert (await gateway.get(None, "/v1/queue", **{"heed-identity": signed})).status_code == 403
    passed = (await gateway.get(None, "/v1/tasks", **{"heed-identity": signed})).json()["headers"]
    vouched = [value for name, value in passed if name == "heed-identity"]
    assert len(vouched) == 1
    assert vouched[0] != signed


async def test_the_service_is_told_who_calls_and_not_the_token(gateway: Gateway) -> None:
    principal = Principal(kind=Kind.LIAISON, id="central-hospital.liaison", organisation="central-hospital")
    passed = dict((await gateway.get(principal, "/v1/tasks")).json()["headers"])
    assert gateway.app.state.identity_reader.read(passed["heed-identity"]) == principal
    assert "authorization" not in passed


async def test_a_stranger_may_not_sign(gateway: Gateway) -> None:
    private, _ = make_identity_keys()
    forged = IdentitySigner(private).sign(OPERATOR)
    assert (await gateway.get(None, "/v1/queue", **{"heed-identity": forged})).status_code == 403


async def test_a_revoked_token_is_refused(gateway: Gateway) -> None:
    token = await gateway.token(SUPERVISOR)
    key_id = token.split("_")[1]
    async with gateway.service.database.transaction() as connection:
        assert await identity.revoke(connection, key_id, gateway.clock.now())
        assert not await identity.revoke(connection, key_id, gateway.clock.now())
    assert (await gateway.get(None, "/v1/queue", authorization=f"Bearer {token}")).status_code == 401


async def test_no_token_is_kept(gateway: Gateway) -> None:
    token = await gateway.token(OPERATOR)
    rows = await gateway.rows(sa.select(store.principals))
    assert len(rows) == 1
    _, _, secret = token.split("_", 2)
    assert len(secret) >= 32
    assert secret not in repr(rows)


async def test_keys_are_listed_without_what_they_are(gateway: Gateway) -> None:
    token = await gateway.token(OPERATOR)
    async with gateway.service.database.transaction() as connection:
        listed = await store.list_keys(connection)
    assert [(key_id, principal) for key_id, principal, _, _ in listed] == [(token.split("_")[1], OPERATOR)]


async def test_the_first_start_writes_tokens_for_each_role_for_its_owner_alone(
    gateway: Gateway, tmp_path: Path
) -> None:
    path = tmp_path / "var" / "credentials.json"
    service = gateway.service
    await write_credentials(service.database, service.settings, path, "http://127.0.0.1:8000", START)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert written["base_url"] == "http://127.0.0.1:8000"
    tokens = written["tokens"]
    assert {"operator", "supervisor", "inspector", "grid_worker", "liaison:duty-office", "deputy:ambulance"} <= set(
        tokens
    )
    history = History(gateway.builder).in_hand()
    await gateway.take(*history.new())
    for name in ("operator", "grid_worker", "liaison:central-hospital", "deputy:transport-team"):
        bearer = f"Bearer {tokens[name]}"
        assert (await gateway.get(None, f"/v1/requests/{history.id}", authorization=bearer)).status_code == 200, name
    await write_credentials(service.database, service.settings, path, "http://elsewhere", START)
    assert json.loads(path.read_text()) == written
