"""Custody of what tells who somebody is: sealed at rest, found again by keyed hashes, never on the bus or in a log."""

import json
from dataclasses import asdict
from uuid import UUID

from intake.model import Details
from shared.sealing import Keyring, keyed_hash, text_hash


class Custody:
    """Seals, opens and hashes; a sealed value opens in its own row only."""

    def __init__(self, keyring: Keyring, hash_secret: bytes) -> None:
        self._keyring, self._hash_secret = keyring, hash_secret

    def hash(self, label: str, value: str) -> str:
        """A keyed hash; equal values of one label have equal hashes."""
        return keyed_hash(self._hash_secret, label, value)

    def text_hash(self, text_id: UUID, words: str) -> str:
        """The salted hash that stands for a text on heed.requests."""
        return text_hash(self._hash_secret, text_id, words)

    def seal_details(self, request_id: UUID, details: Details) -> bytes:
        """Contact and place, for filings.details."""
        known = {name: value for name, value in asdict(details).items() if value is not None}
        return self._keyring.seal(json.dumps(known, ensure_ascii=False).encode(), _details_of(request_id))

    def open_details(self, request_id: UUID, sealed: bytes) -> Details:
        """What seal_details sealed; raises SealBroken."""
        return Details(**json.loads(self._keyring.open(sealed, _details_of(request_id))))

    def seal_text(self, text_id: UUID, words: str) -> bytes:
        """A text as it was written, for originals.words."""
        return self._keyring.seal(words.encode(), _words_of(text_id))

    def open_text(self, text_id: UUID, sealed: bytes) -> str:
        """What seal_text sealed; raises SealBroken."""
        return self._keyring.open(sealed, _words_of(text_id)).decode()


def _details_of(request_id: UUID) -> str:
    return f"filings.details|{request_id}"


def _words_of(text_id: UUID) -> str:
    return f"originals.words|{text_id}"
