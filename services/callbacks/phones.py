"""The phone that a notice goes to: asked for when it goes out, through the gateway as any caller does, kept nowhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from uuid import UUID

from shared.outgoing import CallFailed, Outgoing, TargetRefused

PURPOSE = "notice"
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class NoContact(Exception):
    """The request has no contact, or has none any more: no attempt can succeed."""


class PhoneUnavailable(Exception):
    """The gateway does not tell the phone just now."""


@dataclass(frozen=True, slots=True)
class Contact:
    """How a resident is reached, and what opens his request; kept nowhere."""

    phone: str
    tracking_token: str | None


class Phones(Protocol):
    """Where a phone comes from."""

    async def of(self, request_id: UUID) -> Contact:
        """The contact of a request; raises NoContact or PhoneUnavailable."""

    async def aclose(self) -> None:
        """Close every connection."""


class GatewayPhones:
    """Asks the gateway's contact-views, which logs who asked, and for what."""

    def __init__(self, outgoing: Outgoing, gateway_url: str, token: str) -> None:
        """`token` is a service's; `outgoing` may reach the gateway wherever it stands."""
        self._outgoing, self._url, self._token = outgoing, gateway_url.rstrip("/"), token

    async def of(self, request_id: UUID) -> Contact:
        """The contact of a request; raises NoContact or PhoneUnavailable."""
        try:
            answer = await self._outgoing.post(
                f"{self._url}/v1/requests/{request_id}/contact-views",
                json.dumps({"purpose": PURPOSE}).encode(),
                {"authorization": f"Bearer {self._token}"},
            )
        except (CallFailed, TargetRefused) as away:
            raise PhoneUnavailable from away
        if answer.status in GONE:
            raise NoContact
        if not 200 <= answer.status < 300:
            raise PhoneUnavailable
        return _contact_in(answer.body)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._outgoing.aclose()


def _contact_in(body: bytes) -> Contact:
    try:
        view = json.loads(body)
        phone, token = view["phone"], view.get("tracking_token")
    except (ValueError, KeyError, TypeError) as odd:
        raise PhoneUnavailable from odd
    if not phone:
        raise NoContact
    return Contact(str(phone), str(token) if token else None)


def notice_body(notice: Mapping[str, Any], contact: Contact) -> bytes:
    """What the message provider is told: to whom, and the words in both languages, the addressee's own named.

    With the tracking token its template makes the link by which the resident reads the answer and rates it.
    """
    document = {
        "id": str(notice["id"]),
        "type": "heed.notice",
        "timestamp": notice["created_at"].isoformat().replace("+00:00", "Z"),
        "data": {
            "to": contact.phone,
            "language": notice["language"],
            "text": notice["text"],
            "about": notice["about"],
            "request_id": str(notice["request_id"]),
            "tracking_token": contact.tracking_token,
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
