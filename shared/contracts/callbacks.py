"""Webhook deliveries: topic `heed.callbacks`, key = the endpoint's id; stated by callbacks."""

from typing import ClassVar
from uuid import UUID

from shared.contracts.envelope import Fact

TOPIC = "heed.callbacks"


class CallbackFact(Fact):
    """A fact about a partner's endpoint."""

    TOPIC: ClassVar[str] = TOPIC
    STATED_BY: ClassVar[tuple[str, ...]] = ("callbacks",)

    endpoint_id: UUID


class DeliverySucceeded(CallbackFact):
    """The partner answered with a 2xx."""

    TYPE: ClassVar[str] = "heed.delivery.succeeded"

    delivery_id: UUID
    event_id: UUID
    event_type: str
    attempt: int


class DeliveryFailed(CallbackFact):
    """An attempt failed; `final` where no other follows."""

    TYPE: ClassVar[str] = "heed.delivery.failed"

    delivery_id: UUID
    event_id: UUID
    event_type: str
    attempt: int
    status_code: int | None = None
    final: bool


class EndpointDisabled(CallbackFact):
    """The endpoint failed for so long that nothing is sent to it until somebody enables it."""

    TYPE: ClassVar[str] = "heed.endpoint.disabled"
