"""The phone that a notice goes to: asked for when it goes out, through the gateway as any caller does, kept nowhere."""

import json
from collections.abc import Mapping
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


class Phones(Protocol):
    """Where a phone comes from."""

    async def of(self, request_id: UUID) -> str:
        """The phone of a request's contact; raises NoContact or PhoneUnavailable."""

    async def aclose(self) -> None:
        """Close every connection."""


class GatewayPhones:
    """Asks the gateway's contact-views, which logs who asked, and for what."""

    def __init__(self, outgoing: Outgoing, gateway_url: str, token: str) -> None:
        """`token` is a service's; `outgoing` may reach the gateway wherever it stands."""
        self._outgoing, self._url, self._token = outgoing, gateway_url.rstrip("/"), token

    async def of(self, request_id: UUID) -> str:
        """The phone of a request's contact; raises NoContact or PhoneUnavailable."""
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
        return _phone_in(answer.body)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._outgoing.aclose()


def _phone_in(body: bytes) -> str:
    try:
        phone = json.loads(body)["phone"]
    except (ValueError, KeyError, TypeError) as odd:
        raise PhoneUnavailable from odd
    if not phone:
        raise NoContact
    return str(phone)


def notice_body(notice: Mapping[str, Any], phone: str) -> bytes:
    """What the message provider is told: to whom, and the words in both languages, the addressee's own named."""
    document = {
        "id": str(notice["id"]),
        "type": "heed.notice",
        "timestamp": notice["created_at"].isoformat().replace("+00:00", "Z"),
        "data": {
            "to": phone,
            "language": notice["language"],
            "text": notice["text"],
            "about": notice["about"],
            "request_id": str(notice["request_id"]),
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
