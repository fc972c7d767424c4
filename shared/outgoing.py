"""The one HTTP client that leaves the house: for addresses that outsiders gave us (partners' webhooks) and the like.

A name is resolved once, every address it gives is checked against our own list, and the connection goes to an address
that was checked, so that a name cannot change its mind in between (DNS rebinding). TLS still verifies the name. No
redirect is followed, no proxy or credential is taken from the environment, no cookie is kept, the answer is cut off
after some bytes, and a call inside an open transaction is refused.
"""

import asyncio
import ssl
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM, getaddrinfo
from typing import Any

import httpcore2
import httpx2

from shared.database import assert_outside_transaction
from shared.problems import Problem

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Iterable[str]]
"""Gives the addresses of a host; may take its time: it runs in a thread. Raises OSError where there are none."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks from `10.0.0.0/8,::1/128`; raises ValueError where one is malformed."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


# The special-purpose registries of IANA. Not ipaddress.is_global: on Python 3.11 it calls 64:ff9b::/96 and 2002::/16,
# which lead to any IPv4 address, global.
NOT_PUBLIC = parse_networks(
    "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24,"
    "192.88.99.0/24,192.168.0.0/16,198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/4,240.0.0.0/4,"
    "::/96,::ffff:0:0/96,::ffff:0:0:0/96,64:ff9b::/96,64:ff9b:1::/48,100::/64,2001::/23,2001:db8::/32,2002::/16,"
    "3fff::/20,5f00::/16,fc00::/7,fe80::/10,fec0::/10,ff00::/8"
)
EVERYWHERE = parse_networks("0.0.0.0/0,::/0")
"""For an address that the city's own settings name, such as the gateway's."""

HTTPS_PORT = 443
LONGEST_URL = 2000
ADDRESSES_TRIED = 4
LOOKUP_THREADS = 64
CONNECT_SECONDS = 5.0
CONNECTIONS = 1000  # more than any caller keeps open: the bound on work is the caller's
ANSWER_BYTES = 64 * 1024


class TargetRefused(Problem):
    """This address may not be called. Use https, port 443 and a name that resolves to public addresses only."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Target refused"


class CallFailed(Exception):
    """No answer came; `reason` is `timeout`, `unreachable` or `protocol`: nothing that the other side wrote."""

    def __init__(self, reason: str) -> None:
        """`reason`: one of the three words."""
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, the body cut off at the limit."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes


def is_public(address: Address) -> bool:
    """Whether the address lies in none of the special networks."""
    return not any(address in network for network in NOT_PUBLIC if network.version == address.version)


def plain_address(text: str) -> Address:
    """The address, without a zone, and as IPv4 where it is one mapped into IPv6."""
    address = ip_address(text.split("%", maxsplit=1)[0])
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def parse_target(url: str) -> httpx2.URL:
    """The URL, where it can be a target at all; raises TargetRefused. Looks nothing up."""
    try:
        target = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError) as malformed:
        raise TargetRefused("This is not a URL.") from malformed
    if len(url) > LONGEST_URL:
        raise TargetRefused(f"The URL is longer than {LONGEST_URL} characters.")
    if target.scheme not in {"http", "https"} or not target.host:
        raise TargetRefused("The URL must begin with https:// and name a host.")
    if not 0 < (target.port or HTTPS_PORT) < 65536:
        raise TargetRefused("The port must be between 1 and 65535.")
    if target.userinfo or target.fragment:
        raise TargetRefused("Leave user, password and fragment out of the URL.")
    return target


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the machine's resolver gives them."""
    return [str(info[4][0]) for info in getaddrinfo(host, port, type=SOCK_STREAM)]


class Lookups:
    """Looks names up in threads of its own; one lookup of a name at a time, however many wait for it.

    So a name whose servers do not answer holds one thread, and never those that others need.
    """

    def __init__(self, resolver: Resolver) -> None:
        """`resolver` runs in a thread."""
        self._resolver = resolver
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="outgoing-lookup")
        self._running: dict[tuple[str, int], asyncio.Future[Iterable[str]]] = {}

    async def addresses(self, host: str, port: int) -> Iterable[str]:
        """The host's addresses; raises OSError, TimeoutError among them."""
        key = (host, port)
        running = self._running.get(key)
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, self._resolver, host, port)
            self._running[key] = running
            running.add_done_callback(lambda done: self._forget(key, done))
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.shield(running)

    def _forget(self, key: tuple[str, int], done: "asyncio.Future[Iterable[str]]") -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # seen, though nobody may wait for it any more

    def close(self) -> None:
        """Look nothing up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Guard(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that it checked itself, never to a unix socket; one for https, one for http."""

    def __init__(self, networks: Sequence[Network], is_encrypted: bool, lookups: Lookups) -> None:
        """`networks`: besides the public ones on port 443, what may be called on any port and without encryption."""
        self._networks = networks
        self._is_encrypted = is_encrypted
        self._lookups = lookups
        self._inner = httpcore2.AnyIOBackend()

    def allows(self, address: Address, port: int) -> bool:
        """Whether this address and port may be called."""
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        return self._is_encrypted and port == HTTPS_PORT and is_public(address)

    async def checked(self, host: str, port: int) -> list[Address]:
        """The addresses of the host; raises TargetRefused where any of them may not be called, or there is none."""
        try:
            found = await self._lookups.addresses(host, port)
        except (OSError, UnicodeError) as unknown:  # TimeoutError is an OSError
            raise httpcore2.ConnectError("the name does not resolve") from unknown
        addresses = [plain_address(text) for text in dict.fromkeys(found)]
        if not addresses or not all(self.allows(address, port) for address in addresses):
            raise TargetRefused
        return addresses

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the interface is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to one of the checked addresses, tried in order."""
        failed: Exception = httpcore2.ConnectError("no address")
        for address in (await self.checked(host, port))[:ADDRESSES_TRIED]:
            try:
                return await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        """What httpcore does between tries of its own; we have it try once."""
        await self._inner.sleep(seconds)


class Outgoing:
    """The client; one per service, closed at its end."""

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        timeout_seconds: float = 15.0,
        answer_bytes: int = ANSWER_BYTES,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`networks` may be called on any port, over http too; `timeout_seconds` bounds a call from first to last."""
        self._timeout_seconds = timeout_seconds
        self._answer_bytes = answer_bytes
        self._lookups = Lookups(resolver)
        self._guards = {scheme: Guard(networks, scheme == "https", self._lookups) for scheme in ("http", "https")}
        context = tls or ssl.create_default_context()
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=context,
                network_backend=guard,
                max_connections=CONNECTIONS,
                keepalive_expiry=30.0,
                retries=0,
            )
            for scheme, guard in self._guards.items()
        }

    async def check(self, url: str) -> None:
        """Raise TargetRefused where the URL may not be called now: to tell somebody early; a call checks again."""
        assert_outside_transaction()
        target = parse_target(url)
        try:
            await self._guards[target.scheme].checked(target.host, target.port or _default_port(target))
        except httpcore2.ConnectError as unknown:
            raise TargetRefused("The host's name does not resolve.") from unknown

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post a JSON body; any status is an answer. Raises TargetRefused or CallFailed."""
        assert_outside_transaction()
        target = parse_target(url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._post(target, body, headers)
        except (TimeoutError, httpcore2.TimeoutException) as late:
            raise CallFailed("timeout") from late
        except httpcore2.NetworkError as away:
            raise CallFailed("unreachable") from away
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as odd:
            raise CallFailed("protocol") from odd

    async def _post(self, target: httpx2.URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        sent = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "heed", **headers}
        address = httpcore2.URL(
            scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
        )
        async with self._pools[target.scheme].stream(
            "POST",
            address,
            headers=[(name.encode(), value.encode()) for name, value in sent.items()],
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS}},
        ) as response:
            received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, received, await self._start_of(response.aiter_stream()))

    async def _start_of(self, stream: AsyncIterable[bytes]) -> bytes:
        """The first bytes of a body that may never end."""
        body = b""
        async for part in stream:
            body += part
            if len(body) >= self._answer_bytes:
                break
        return body[: self._answer_bytes]

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        self._lookups.close()


def _default_port(target: httpx2.URL) -> int:
    return HTTPS_PORT if target.scheme == "https" else 80
