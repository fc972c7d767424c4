"""Encryption at rest: AES-256-GCM with a keyring, and keyed hashes that find equal values without showing them."""

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
NONCE_BYTES = 12


class SealBroken(ValueError):
    """The sealed value was changed, belongs to another row, or its key is not in the keyring."""


class Keyring:
    """Keys by number; the highest number seals, every one opens."""

    def __init__(self, keys: dict[int, bytes]) -> None:
        """`keys`: number (1 to 255) to 32 bytes."""
        self._ciphers = {number: AESGCM(key) for number, key in keys.items()}
        self._newest = max(keys)

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """From `1:<base64>,2:<base64>`; raises ValueError where a key is not 32 bytes."""
        pairs = (part.split(":", 1) for part in text.split(","))
        return cls({int(number): base64.b64decode(key, validate=True) for number, key in pairs})

    def seal(self, plain: bytes, bound_to: str) -> bytes:
        """`version | key number | nonce | ciphertext, tag`; opens with the same `bound_to` (`table.column|row id`)."""
        nonce = os.urandom(NONCE_BYTES)
        return (
            bytes((VERSION, self._newest))
            + nonce
            + self._ciphers[self._newest].encrypt(nonce, plain, bound_to.encode())
        )

    def open(self, sealed: bytes, bound_to: str) -> bytes:
        """The plain bytes; raises SealBroken."""
        cipher = self._ciphers.get(sealed[1]) if len(sealed) > 2 + NONCE_BYTES else None
        if cipher is None or sealed[0] != VERSION:
            raise SealBroken("the keyring has no key for this value")
        try:
            return cipher.decrypt(sealed[2 : 2 + NONCE_BYTES], sealed[2 + NONCE_BYTES :], bound_to.encode())
        except InvalidTag as broken:
            raise SealBroken("the value was changed or moved") from broken


def keyed_hash(secret: bytes, label: str, value: str) -> str:
    """A keyed hash (HMAC-SHA256, 32 hex digits) of `value`; `label` keeps the hashes of different fields apart."""
    return hmac.new(secret, f"{label}\0{value}".encode(), hashlib.sha256).hexdigest()[:32]


def text_hash(secret: bytes, text_id: object, text: str) -> str:
    """The salted hash that stands for a text on heed.requests; salted by the city's secret and the text's id."""
    return keyed_hash(secret, f"text|{text_id}", text)
