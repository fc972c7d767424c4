"""Tokens: the identity that travels between processes (Ed25519 JWT), and the tracking token of a request (HMAC).

All of them take real time, never the service's clock.
"""

import base64
import hashlib
import hmac
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.clock import wall_now
from shared.identity import Kind, Principal
from shared.problems import Unauthenticated

ALGORITHM = "Ed25519"
ISSUER = "heed-gateway"
AUDIENCE = "heed-services"
LIFETIME_SECONDS = 300
TRACKING_PREFIX = "track_"
TRACKING_MAC_BYTES = 16


def make_identity_keys() -> tuple[str, str]:
    """A new pair (private, public), each PEM."""
    private = Ed25519PrivateKey.generate()
    return (
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


class IdentitySigner:
    """Signs who calls; only the gateway has the private key. A token is used again for half its life."""

    def __init__(self, private_pem: str) -> None:
        """`private_pem`: PKCS 8 of an Ed25519 key."""
        self._key = OKPKey.import_key(private_pem)
        self._made: dict[Principal, tuple[float, str]] = {}

    def sign(self, principal: Principal) -> str:
        """A token for the header Heed-Identity."""
        now = wall_now().timestamp()
        old = self._made.get(principal)
        if old and now < old[0] + LIFETIME_SECONDS / 2:
            return old[1]
        if len(self._made) > 10_000:
            self._made.clear()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": int(now) + LIFETIME_SECONDS,
            "sub": principal.id,
            "kind": principal.kind.value,
            "org": principal.organisation,
            "area": principal.area,
            "req": str(principal.request_id) if principal.request_id else None,
            "rights": sorted(principal.rights),
        }
        token = jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])
        self._made[principal] = (now, token)
        return token


class IdentityReader:
    """Reads who calls from a token that the gateway signed."""

    def __init__(self, public_pem: str) -> None:
        """`public_pem`: SubjectPublicKeyInfo of the gateway's key."""
        self._key = OKPKey.import_key(public_pem)
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
        )
        self._read: dict[str, tuple[float, Principal]] = {}

    def read(self, token: str) -> Principal:
        """The principal; raises Unauthenticated where the token is not the gateway's or is over."""
        now = wall_now().timestamp()
        known = self._read.get(token)
        if known and now < known[0]:
            return known[1]
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
            principal = Principal(
                kind=Kind(claims["kind"]),
                id=claims["sub"],
                organisation=claims.get("org"),
                area=claims.get("area"),
                request_id=UUID(claims["req"]) if claims.get("req") else None,
                rights=frozenset(claims.get("rights", ())),
            )
        except (JoseError, KeyError, ValueError) as refused:
            raise Unauthenticated("The identity token is not valid. Call through the gateway.") from refused
        if len(self._read) > 10_000:
            self._read.clear()
        self._read[token] = (float(claims["exp"]), principal)
        return principal


def make_tracking_token(secret: bytes, request_id: UUID) -> str:
    """The token that opens one request; checked without a look-up."""
    return TRACKING_PREFIX + base64.urlsafe_b64encode(request_id.bytes + _mac(secret, request_id)).decode().rstrip("=")


def read_tracking_token(secret: bytes, token: str) -> UUID | None:
    """The request that the token opens; None where it is no tracking token of ours."""
    if not token.startswith(TRACKING_PREFIX):
        return None
    body = token.removeprefix(TRACKING_PREFIX)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != 16 + TRACKING_MAC_BYTES:
        return None
    request_id = UUID(bytes=raw[:16])
    return request_id if hmac.compare_digest(token, make_tracking_token(secret, request_id)) else None


def _mac(secret: bytes, request_id: UUID) -> bytes:
    return hmac.new(secret, b"tracking\0" + request_id.bytes, hashlib.sha256).digest()[:TRACKING_MAC_BYTES]
