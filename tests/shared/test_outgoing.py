"""Every way we know by which an address leads where it must not, tried on real sockets."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.database import Database, InsideTransaction
from shared.outgoing import CallFailed, Outgoing, TargetRefused, is_public, parse_networks, parse_target
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver, Reply

LOOPBACK = parse_networks("127.0.0.0/8,::1/128")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver.start() as made:
        yield made


async def post(client: Outgoing, url: str) -> int:
    async with aclosing(client):
        return (await client.post(url, b"{}", {})).status


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "127.0.0.1.",
    ],
)
async def test_no_spelling_of_loopback_is_reached(receiver: Receiver, host: str) -> None:
    with pytest.raises((TargetRefused, CallFailed)):
        await post(Outgoing(), f"http://{host}:{receiver.port}/")
    assert receiver.calls == []


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "172.31.0.1",
        "192.168.1.1",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "5f00::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ],
)
async def test_a_name_that_leads_to_a_special_address_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))

    def resolver(host: str, port: int) -> Sequence[str]:
        return [address]

    with pytest.raises(TargetRefused):
        await post(Outgoing(resolver=resolver), "https://partner.example/")


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "114.114.114.114"])
async def test_public_addresses_may_be_called_on_443(address: str) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        return [address]

    async with aclosing(Outgoing(resolver=resolver)) as client:
        await client.check("https://partner.example/hook")
        for elsewhere in ("http://partner.example/", "https://partner.example:8443/", "http://partner.example:443/"):
            with pytest.raises(TargetRefused):
                await client.check(elsewhere)


async def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(TargetRefused):
        await post(Outgoing(resolver=resolver), "https://partner.example/")


async def test_a_name_that_changes_its_mind_is_checked_at_every_call(receiver: Receiver) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])

    def resolver(host: str, port: int) -> Sequence[str]:
        return next(answers)

    async with aclosing(Outgoing(resolver=resolver)) as client:
        await client.check("https://rebind.example/")
        with pytest.raises(TargetRefused):
            await client.post("https://rebind.example/", b"{}", {})
    assert receiver.calls == []


async def test_it_connects_to_the_very_address_that_was_checked(receiver: Receiver) -> None:
    asked = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    client = Outgoing(LOOPBACK, resolver=resolver)
    assert await post(client, f"http://nowhere.invalid:{receiver.port}/") == 204
    assert asked == ["nowhere.invalid"]
    assert receiver.calls[0].headers["host"] == f"nowhere.invalid:{receiver.port}"


async def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        return ["::1", "127.0.0.1"]

    assert await post(Outgoing(LOOPBACK, resolver=resolver), f"http://both.invalid:{receiver.port}/") == 204


@pytest.mark.parametrize(
    "url",
    [
        "",
        "partner.example",
        "//partner.example/",
        "ftp://partner.example/",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
        "unix:///var/run/docker.sock",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/",
        "https://",
        "https:///path",
        "https://user:word@partner.example/",
        "https://user@partner.example/",
        "https://partner.example/#part",
        "https://partner.example:99999/",
        "https://" + "a" * 2000 + ".example/",
        "https://exa\nmple.example/",
    ],
)
def test_what_is_no_target_is_refused_without_looking_it_up(url: str) -> None:
    with pytest.raises(TargetRefused):
        parse_target(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, status: int) -> None:
    async with Receiver.start() as inside:
        receiver.reply = Reply(status, {"location": inside.url})
        assert await post(Outgoing(LOOPBACK), receiver.url) == status
        assert inside.calls == []


async def test_the_environment_has_no_say(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await post(Outgoing(LOOPBACK), receiver.url) == 204


async def test_no_cookie_is_kept(receiver: Receiver) -> None:
    receiver.reply = Reply(headers={"set-cookie": "a=b; Path=/"})
    async with aclosing(Outgoing(LOOPBACK)) as client:
        for _ in range(2):
            await client.post(receiver.url, b"{}", {})
    assert "cookie" not in receiver.calls[1].headers


async def test_an_answer_that_never_ends_is_cut_off(receiver: Receiver) -> None:
    receiver.reply = Reply(200, endless=True)
    async with aclosing(Outgoing(LOOPBACK, answer_bytes=5000)) as client:
        answer = await client.post(receiver.url, b"{}", {})
    assert (answer.status, len(answer.body)) == (200, 5000)


async def test_a_partner_who_does_not_answer_is_given_up_in_time(receiver: Receiver) -> None:
    receiver.hold()
    with pytest.raises(CallFailed, match="timeout"):
        await post(Outgoing(LOOPBACK, timeout_seconds=0.2), receiver.url)


async def test_nobody_there_and_hanging_up_are_failures_with_a_word(receiver: Receiver) -> None:
    with pytest.raises(CallFailed, match="unreachable"):
        await post(Outgoing(LOOPBACK), "http://127.0.0.1:1/")
    receiver.reply = Reply(hang_up=True)
    with pytest.raises(CallFailed, match="protocol"):
        await post(Outgoing(LOOPBACK), receiver.url)


async def test_a_resolver_that_hangs_or_knows_nothing_is_a_failure() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    async with aclosing(Outgoing(resolver=unknown)) as client:
        with pytest.raises(CallFailed, match="unreachable"):
            await client.post("https://gone.example/", b"{}", {})
        with pytest.raises(TargetRefused):
            await client.check("https://gone.example/")


async def test_no_call_inside_a_transaction(postgres: PostgresServer, receiver: Receiver) -> None:
    database = Database(await postgres.fresh_database("outgoing"))
    async with aclosing(Outgoing(LOOPBACK)) as client, database.transaction():
        with pytest.raises(InsideTransaction):
            await client.post(receiver.url, b"{}", {})
        with pytest.raises(InsideTransaction):
            await client.check(receiver.url)
    await database.close()
    assert receiver.calls == []


async def test_tls_verifies_the_name_not_the_address(tmp_path: Path) -> None:
    server_side, client_side = _certificate_for("partner.example", tmp_path)

    def resolver(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with Receiver.start(server_side) as receiver:
        async with aclosing(Outgoing(LOOPBACK, resolver=resolver, tls=client_side)) as client:
            assert (await client.post(f"https://partner.example:{receiver.port}/", b"{}", {})).status == 204
            with pytest.raises(CallFailed, match="unreachable"):
                await client.post(f"https://other.example:{receiver.port}/", b"{}", {})
        with pytest.raises(CallFailed, match="unreachable"):
            await post(Outgoing(LOOPBACK, resolver=resolver), f"https://partner.example:{receiver.port}/")
        assert len(receiver.calls) == 1


def _certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(secret + pem)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(file)
    return server_side, ssl.create_default_context(cadata=pem.decode())


async def test_many_calls_at_once_do_not_wait_for_each_other(receiver: Receiver) -> None:
    receiver.hold()
    async with aclosing(Outgoing(LOOPBACK)) as client:
        calls = [asyncio.create_task(client.post(receiver.url, b"{}", {})) for _ in range(50)]
        while receiver.most_at_once < 50:
            await asyncio.wait(calls, timeout=0.01)
        receiver.let_go()
        assert {answer.status for answer in await asyncio.gather(*calls)} == {204}


async def test_a_name_whose_servers_do_not_answer_holds_nobody_up(receiver: Receiver) -> None:
    answer, asked = threading.Event(), []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        if host == "silent.example":
            answer.wait(10)
        return ["127.0.0.1"]

    async with aclosing(Outgoing(LOOPBACK, resolver=resolver)) as client:
        waiting = [asyncio.create_task(client.post("http://silent.example/", b"{}", {})) for _ in range(200)]
        await asyncio.wait(waiting, timeout=0.01)
        assert (await client.post(f"http://quick.example:{receiver.port}/", b"{}", {})).status == 204
        assert asked.count("silent.example") == 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        answer.set()
