"""Where a Kafka cluster is, and how it is spoken to, in one URL.

    kafka://host:9092,host:9092
    kafka+tls://user:password@host:9093,host:9093?ca=/etc/heed/kafka-ca.pem
    kafka+tls://host:9093?ca=…&certificate=…&key=…

A user signs in by SCRAM-SHA-512, or by the `mechanism` that is named; a certificate of our own signs in by TLS itself.
What is special in user or password is percent-encoded, as in every URL.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

SCHEMES = {"kafka": False, "kafka+tls": True}
"""Whether it is spoken to over TLS."""
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
FILES = frozenset({"ca", "certificate", "key"})


@dataclass(frozen=True, slots=True)
class Address:
    """The brokers first asked, and what the library wants to know besides."""

    servers: Sequence[str]
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, url: str) -> "Address":
        """The address that a URL names; raises ValueError, without the password, where it cannot be right."""
        scheme, rest = url.split("://", 1)
        place, _, asked = rest.partition("?")
        login, at, hosts = place.rpartition("@")
        servers = [server for server in hosts.rstrip("/").split(",") if server]
        options = dict(parse_qsl(asked, keep_blank_values=True))
        if scheme not in SCHEMES or not servers:
            raise ValueError(
                f"a Kafka cluster is named by {' or '.join(f'{s}://host:port,host:port' for s in SCHEMES)}"
            )
        if unknown := options.keys() - FILES - {"mechanism"}:
            raise ValueError(
                f"the URL of a Kafka cluster has no `{min(unknown)}`, but ca, certificate, key and mechanism"
            )
        if options.keys() & FILES and not SCHEMES[scheme]:
            raise ValueError("ca, certificate and key are for TLS: kafka+tls://…")
        security: dict[str, Any] = {"ssl_context": _tls(options)} if SCHEMES[scheme] else {}
        if at:
            security |= _signing_in(login, options, is_secret=SCHEMES[scheme])
        elif "mechanism" in options:
            raise ValueError("`mechanism` says how a user signs in: kafka+tls://user:password@host:port?mechanism=…")
        protocol = ("SASL_" if at else "") + ("SSL" if SCHEMES[scheme] else "PLAINTEXT")
        return cls(servers, security | {"security_protocol": protocol})


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    """Trusts `ca`, or what the machine trusts; shows `certificate` where there is one."""
    if ("certificate" in options) != ("key" in options):
        raise ValueError("`certificate` and `key` of a Kafka client go together")
    try:
        context = ssl.create_default_context(cafile=options.get("ca"))
        if "certificate" in options:
            context.load_cert_chain(options["certificate"], options["key"])
    except OSError as unreadable:  # ssl.SSLError is one too
        named = ", ".join(f"{name}={options[name]}" for name in sorted(FILES & options.keys()))
        raise ValueError(f"a certificate for Kafka cannot be read ({named}): {unreadable}") from unreadable
    return context


def _signing_in(login: str, options: Mapping[str, str], *, is_secret: bool) -> dict[str, str]:
    user, colon, password = login.partition(":")
    mechanism = options.get("mechanism", MECHANISMS[0])
    if not (user and colon and password):
        raise ValueError("a user of Kafka signs in with a password: kafka+tls://user:password@host:port")
    if mechanism not in MECHANISMS:
        raise ValueError(f"users of Kafka sign in by {', '.join(MECHANISMS)}, not by {mechanism}")
    if mechanism == "PLAIN" and not is_secret:
        raise ValueError("PLAIN shows the password to whoever listens: use kafka+tls://…, or SCRAM")
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": unquote(user),
        "sasl_plain_password": unquote(password),
    }
