"""The HTTP door of callbacks: a partner's endpoints, their deliveries, and the notices that people got."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator

from services.callbacks import endpoints, queue, reading, store
from services.callbacks.model import (
    DRILLS,
    ERRORS,
    TEST_TYPE,
    DeliveryState,
    Disabled,
    Endpoint,
    show_secret,
)
from services.callbacks.sender import Sender
from shared.contracts import FACTS
from shared.contracts.requests import TOPIC
from shared.contracts.vocabulary import Addressee, Medium, NoticeOutcome
from shared.messaging.idempotency import Replay
from shared.outgoing import LONGEST_URL, Outgoing, TargetRefused
from shared.problems import Forbidden, InvalidInput, NotFound, NotInThisState, RevisionConflict
from shared.sealing import Keyring
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, page, read_cursor, responses

router = APIRouter()
EVENT_TYPES = DRILLS | {name for name, fact in FACTS.items() if fact.TOPIC == TOPIC}


@dataclass(frozen=True, slots=True)
class Tools:
    """What the routes need beside the service."""

    outgoing: Outgoing
    keyring: Keyring
    sender: Sender


def _tools(request: Request) -> Tools:
    tools: Tools = request.app.state.tools
    return tools


OurTools = Annotated[Tools, Depends(_tools)]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of a page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]


def _known_type(name: str) -> str:
    if name not in EVENT_TYPES:
        raise ValueError("no event type that webhooks deliver; see the list in the documentation of events")
    return name


EventType = Annotated[str, AfterValidator(_known_type), Field(max_length=100)]
EventTypes = Annotated[list[EventType], Field(max_length=100)]
Url = Annotated[str, Field(min_length=1, max_length=LONGEST_URL)]


# Bodies


class NewWebhook(Body):
    """Where to send what."""

    url: Url = Field(examples=["https://hospital.example/heed"])
    event_types: EventTypes = Field(
        default=[],
        description="Types of heed.requests, and heed.drill.asked and heed.drill.closed; empty for all.",
        examples=[["heed.request.assigned"]],
    )
    organisation: str | None = Field(
        None, max_length=100, description="For the desk: whose endpoint it is; null for all requests of the city."
    )
    description: str | None = Field(None, max_length=500)


class WebhookChange(Body):
    """What to change; what is left out stays."""

    revision: int = Field(ge=1, description="As last read.")
    url: Url | None = None
    event_types: EventTypes | None = None
    enabled: bool | None = None
    rotate_secret: bool = Field(False, description="Make a new secret; the old one signs beside it for 24 hours.")


class ReplayOrder(Body):
    """What to send again: one delivery, or all of a time."""

    since: AwareDatetime | None = Field(None, description="Default: when the endpoint was registered.")
    until: AwareDatetime | None = Field(None, description="Default: now.")
    delivery_id: UUID | None = None

    @model_validator(mode="after")
    def _one_or_all(self) -> "ReplayOrder":
        if self.delivery_id and (self.since or self.until):
            raise ValueError("name a delivery or a time, not both")
        return self


class Webhook(BaseModel):
    """An endpoint."""

    id: UUID
    url: str
    event_types: list[str]
    organisation: str | None
    description: str | None
    enabled: bool
    disabled_because: Disabled | None = Field(description="`gone`: it answered 410. `failing`: it failed for days.")
    failing_since: datetime | None = Field(description="First failure since the last success.")
    created_at: datetime
    revision: int


class WebhookWithSecret(Webhook):
    """An endpoint with a secret that is shown this once."""

    secret: str | None = Field(None, description="`whsec_…`; only where it was just made.")


class AttemptShown(BaseModel):
    """One call."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    error: str | None = Field(description=f"Why there was no answer: {', '.join(sorted(ERRORS))}.")


class Delivery(BaseModel):
    """An event on its way to an endpoint, with every call that was made."""

    id: UUID
    event_id: UUID = Field(description="Also the header webhook-id, the same at every attempt.")
    event_type: str
    request_id: UUID | None
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None
    attempts: list[AttemptShown]


class Replayed(BaseModel):
    """How many deliveries were queued again."""

    replayed: int
    next_since: datetime | None = Field(None, description="Where there were too many at once: go on from here.")


class Tested(BaseModel):
    """The test event that was queued."""

    event_id: UUID
    event_type: str = TEST_TYPE


class Notice(BaseModel):
    """What somebody was told."""

    id: UUID
    request_id: UUID | None = Field(description="null where it is about no request: a reachability drill.")
    addressee: Addressee
    organisation: str | None
    liaison: str | None
    medium: Medium
    about: str = Field(description="The event type that it tells of.")
    text: dict[str, str] = Field(description="By language: zh, en.")
    created_at: datetime
    outcome: NoticeOutcome | None = Field(description="null while it is on its way.")
    outcome_at: datetime | None


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in Webhook.model_fields} | {
        "event_types": sorted(endpoint.event_types)
    }


# Webhooks

SEES = responses(NotFound, Forbidden)


@router.post("/v1/webhooks", status_code=201, responses=responses(Forbidden, InvalidInput, TargetRefused))
async def register_webhook(
    body: NewWebhook, caller: Caller, service: Here, tools: OurTools, key: IdempotencyKey
) -> WebhookWithSecret:
    """Register an endpoint; its secret is shown here and nowhere else. A handler's is his organisation's."""
    owner = endpoints.owner_of_new(caller, body.organisation)
    await tools.outgoing.check(body.url)

    async def register(work: Any) -> Webhook:
        made = await endpoints.register(
            work,
            tools.keyring,
            url=body.url,
            event_types=body.event_types,
            organisation=owner,
            description=body.description,
        )
        return Webhook(**_shown(made))

    try:
        webhook = await service.command(register, idempotency=key)
    except Replay as before:
        webhook = Webhook(**before.body)  # the secret is not kept with the key, where it would lie open
    return await _with_secret(service, tools, webhook)


async def _with_secret(service: Here, tools: Tools, webhook: Webhook) -> WebhookWithSecret:
    secret = await service.query(endpoints.newest_secret, tools.keyring, webhook.id, service.clock.now())
    return WebhookWithSecret(**webhook.model_dump(), secret=show_secret(secret))


@router.get("/v1/webhooks", responses=responses(Forbidden, InvalidInput))
async def list_webhooks(caller: Caller, service: Here, cursor: Cursor = None, limit: Limit = 50) -> Page[Webhook]:
    """The endpoints of the caller's organisation; the desk sees all."""
    endpoints.check_may_manage(caller)
    (after,) = read_cursor(cursor, UUID) or (None,)
    own = caller.organisation if caller.is_handler else None
    found = await service.query(store.list_endpoints, own, after, limit + 1)
    return page(found, limit, lambda endpoint: Webhook(**_shown(endpoint)), lambda endpoint: (endpoint.id,))


@router.get("/v1/webhooks/{webhook_id}", responses=SEES)
async def get_webhook(webhook_id: UUID, caller: Caller, service: Here) -> Webhook:
    """One endpoint."""
    return Webhook(**_shown(await service.query(endpoints.load_own, caller, webhook_id)))


@router.patch(
    "/v1/webhooks/{webhook_id}",
    responses=responses(NotFound, Forbidden, RevisionConflict, InvalidInput, TargetRefused),
)
async def change_webhook(
    webhook_id: UUID, body: WebhookChange, caller: Caller, service: Here, tools: OurTools
) -> WebhookWithSecret:
    """Change an endpoint. Enabling one that was disabled lets it begin anew; what it missed can be replayed."""
    endpoints.check_may_manage(caller)
    if body.url is not None:
        await tools.outgoing.check(body.url)
    changed = await service.command(
        endpoints.change, caller, tools.keyring, webhook_id, **body.model_dump(exclude={"event_types"}),
        event_types=body.event_types,
    )  # fmt: skip
    tools.sender.wake()
    webhook = Webhook(**_shown(changed))
    if body.rotate_secret:
        return await _with_secret(service, tools, webhook)
    return WebhookWithSecret(**webhook.model_dump())


@router.delete("/v1/webhooks/{webhook_id}", status_code=204, responses=SEES)
async def delete_webhook(webhook_id: UUID, caller: Caller, service: Here) -> None:
    """Delete an endpoint with its deliveries."""
    await service.command(endpoints.delete, caller, webhook_id)


@router.get("/v1/webhooks/{webhook_id}/deliveries", responses=responses(NotFound, Forbidden, InvalidInput))
async def list_deliveries(
    webhook_id: UUID,
    caller: Caller,
    service: Here,
    state: DeliveryState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Delivery]:
    """What was sent or waits to be sent, newest first, with every attempt."""
    await service.query(endpoints.load_own, caller, webhook_id)
    (before,) = read_cursor(cursor, int) or (None,)
    found = await service.query(queue.list_deliveries, webhook_id, state, before, limit + 1)
    return page(found, limit, lambda row: _delivery(*row), lambda row: (row[0].position,))


def _delivery(row: Any, tried: list[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.type,
        request_id=row.request_id,
        state=row.state,
        created_at=row.created_at,
        next_attempt_at=row.due_at if row.state == DeliveryState.PENDING else None,
        attempts=[AttemptShown.model_validate(one, from_attributes=True) for one in tried],
    )


@router.post(
    "/v1/webhooks/{webhook_id}/replay",
    status_code=202,
    responses=responses(NotFound, Forbidden, NotInThisState, InvalidInput),
)
async def replay(
    webhook_id: UUID, body: ReplayOrder, caller: Caller, service: Here, tools: OurTools, key: IdempotencyKey
) -> Replayed:
    """Send again one delivery, or all that the endpoint is entitled to of a time, delivered before or not."""

    async def run(work: Any) -> Replayed:
        if body.delivery_id:
            await endpoints.replay_one(work, caller, webhook_id, body.delivery_id)
            return Replayed(replayed=1)
        count, go_on = await endpoints.replay(work, caller, webhook_id, body.since, body.until or work.now)
        return Replayed(replayed=count, next_since=go_on)

    done = await service.command(run, idempotency=key)
    tools.sender.wake()
    return done


@router.post(
    "/v1/webhooks/{webhook_id}/test", status_code=202, responses=responses(NotFound, Forbidden, NotInThisState)
)
async def send_test(webhook_id: UUID, caller: Caller, service: Here, tools: OurTools, key: IdempotencyKey) -> Tested:
    """Send a test event, signed and retried like any other."""

    async def run(work: Any) -> Tested:
        return Tested(event_id=await endpoints.send_test(work, caller, webhook_id))

    done = await service.command(run, idempotency=key)
    tools.sender.wake()
    return done


# Notices


@router.get("/v1/requests/{request_id}/notices", responses=responses(NotFound, Forbidden, InvalidInput))
async def list_notices_of_request(
    request_id: UUID, caller: Caller, service: Here, cursor: Cursor = None, limit: Limit = 50
) -> Page[Notice]:
    """Who was told what about a request, newest first. A resident sees what he was told himself."""
    (before,) = read_cursor(cursor, int) or (None,)
    found = await reading.notices_of_request(service, caller, request_id, before, limit + 1)
    return _notices(found, limit)


@router.get("/v1/notices", responses=responses(Forbidden, InvalidInput))
async def list_notices(
    caller: Caller,
    service: Here,
    mine: Annotated[str | None, Query(max_length=5, description="For the desk: only those to supervisors.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[Notice]:
    """What liaisons, deputies and supervisors were told, newest first: of one's own organisation; the desk sees all."""
    only_mine = mine is not None and mine.lower() not in {"false", "0", "no"}
    (before,) = read_cursor(cursor, int) or (None,)
    found = await reading.notices_to(service, caller, before, limit + 1, only_mine=only_mine)
    return _notices(found, limit)


def _notices(found: list[Any], limit: int) -> Page[Notice]:
    return page(found, limit, partial(Notice.model_validate, from_attributes=True), lambda row: (row.position,))
