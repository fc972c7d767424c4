"""A cluster that asks who is there, and lets nobody listen: named in one URL, and tried against a real one."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from services.cluster.kafka import Brokers, free_ports
from shared.bus import BusUnavailable
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import Address
from tests.contract.bus_cases import TOPIC, record
from tests.support.certificates import Authority
from tests.support.kafka import kafka_or_skip

PASSWORD = "p@ss:word/100%"
SECURED = """
listeners=PLAINTEXT://127.0.0.1:${{port}},CONTROLLER://127.0.0.1:${{controller_port}},\
USERS://127.0.0.1:{users},MACHINES://127.0.0.1:{machines}
advertised.listeners=PLAINTEXT://127.0.0.1:${{port}},USERS://127.0.0.1:{users},MACHINES://127.0.0.1:{machines}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,USERS:SASL_SSL,MACHINES:SSL
listener.name.users.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.users.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.machines.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""


@dataclass(frozen=True)
class Secured:
    """A broker with a door for users and one for machines."""

    users: int
    machines: int
    authority: Authority
    folder: Path


@pytest.fixture(scope="module")
async def secured() -> AsyncIterator[Secured]:
    await kafka_or_skip()
    with tempfile.TemporaryDirectory(prefix="heed-kafka-") as name:
        folder = Path(name)
        authority = Authority(folder)
        certificate, key = authority.vouch("broker")
        keystore = folder / "keystore.pem"
        keystore.write_text(key.read_text() + certificate.read_text())
        ((users, machines),) = free_ports(1)
        more = SECURED.format(users=users, machines=machines, keystore=keystore, authority=authority.file)
        brokers = Brokers(folder / "brokers", 1, more)
        try:
            await brokers.start()
            _let_in(AdminClient({"bootstrap.servers": brokers.servers[0]}))
            yield Secured(users, machines, authority, folder)
        finally:
            await brokers.stop()


def _let_in(admin: AdminClient) -> None:
    """A user and a machine, with the rights that docs/operating.md names."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    users = admin.alter_user_scram_credentials([UserScramCredentialUpsertion("heed", info, PASSWORD.encode())])
    rights = [(ResourceType.TOPIC, right) for right in ("CREATE", "DESCRIBE", "READ", "WRITE")]
    rules = [
        AclBinding(kind, "heed.", ResourcePatternType.PREFIXED, who, "*", AclOperation[right], AclPermissionType.ALLOW)
        for kind, right in [*rights, (ResourceType.GROUP, "READ")]
        for who in ("User:heed", "User:CN=heed")
    ]
    for answer in [*users.values(), *admin.create_acls(rules).values()]:
        answer.result(timeout=20)


async def there_and_back(url: str) -> list[bytes | None]:
    """What is read of the one record that was just published, by a reader of a group."""
    bus = KafkaBus(Address.of(url))
    try:
        await bus.publish([record("a", b"1")])
        async with bus.reader("heed.intake") as reader:
            found = await reader.read(dict.fromkeys(await bus.partitions(TOPIC), 0), 10, patience_seconds=10)
            await reader.report()
        return [delivered.record.value for delivered in found][-1:]
    finally:
        await bus.stop()


async def test_a_user_signs_in_over_tls(secured: Secured) -> None:
    login = f"heed:{quote(PASSWORD, safe='')}"
    url = f"kafka+tls://{login}@127.0.0.1:{secured.users}?ca={secured.authority.file}"
    assert await there_and_back(url) == [b"1"]


async def test_a_machine_signs_in_with_its_certificate(secured: Secured) -> None:
    certificate, key = secured.authority.vouch("heed")
    url = f"kafka+tls://127.0.0.1:{secured.machines}?ca={secured.authority.file}&certificate={certificate}&key={key}"
    assert await there_and_back(url) == [b"1"]


async def test_who_is_not_let_in_hears_that_the_bus_does_not_answer(
    secured: Secured, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = Authority(secured.folder, "stranger")
    for url in (
        f"kafka+tls://heed:wrong-word@127.0.0.1:{secured.users}?ca={secured.authority.file}",
        f"kafka+tls://heed:wrong-word@127.0.0.1:{secured.users}?ca={stranger.file}",
        f"kafka+tls://127.0.0.1:{secured.machines}?ca={secured.authority.file}",
    ):
        with pytest.raises(BusUnavailable):
            await there_and_back(url)
    said = capsys.readouterr()
    assert "wrong-word" not in said.out + said.err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("kafka://", "is named by"),
        ("kafka+ssl://h:1", "is named by"),
        ("kafka://h:1?ca=/x", "are for TLS"),
        ("kafka+tls://h:1?cafile=/x", "has no `cafile`"),
        ("kafka+tls://h:1?key=/x", "go together"),
        ("kafka+tls://h:1?ca=/nowhere/ca.pem", "cannot be read (ca=/nowhere/ca.pem)"),
        ("kafka+tls://user@h:1", "with a password"),
        ("kafka+tls://user:secret-word@h:1?mechanism=GSSAPI", "not by GSSAPI"),
        ("kafka://user:secret-word@h:1?mechanism=PLAIN", "PLAIN shows the password"),
        ("kafka+tls://h:1?mechanism=PLAIN", "how a user signs in"),
    ],
)
def test_an_address_that_cannot_be_right_says_what_to_do(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        Address.of(url)
    assert says in str(refused.value)
    assert "secret-word" not in str(refused.value)


def test_an_address_shows_no_password() -> None:
    address = Address.of("kafka://heed:secret%2Fword@a:1,b:2?mechanism=SCRAM-SHA-256")
    assert (address.servers, address.security) == (
        ["a:1", "b:2"],
        {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": "heed",
            "sasl_plain_password": "secret/word",
        },
    )
    assert "word" not in repr(address)
