"""The HTTP door of intake: what a body must look like, and which verb it is."""

import re
import unicodedata
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StrictFloat, StrictInt, model_validator

from intake import filing, handlers
from intake.answers import Amended, ContactView, Filed, FiledForStaff, LoggedView, Standing
from intake.contacts import normalise_phone
from intake.filing import Prepared, Tools
from intake.model import (
    Details,
    FiledInTheFuture,
    FiledTooLongAgo,
    Filing,
    NoSuchTarget,
    NotYourChannel,
    NotYoursToDate,
)
from intake.places import UnknownArea
from shared.contracts.vocabulary import Category, Channel, RejectionReason, Vulnerability, WithdrawalReason
from shared.messaging.grouped import Grouped
from shared.problems import Forbidden, IdempotencyKeyReused, InvalidInput, NotFound, NotInThisState
from shared.service import Here
from shared.web import Body, Caller, IdempotencyKey, Page, responses

router = APIRouter()
LONGEST_TEXT = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _clean(words: str) -> str:
    """Words in NFC with plain line ends; refuses control characters and what shows nothing."""
    words = unicodedata.normalize("NFC", words.replace("\r\n", "\n"))
    if _CONTROL.search(words):
        raise ValueError("must not hold control characters other than line ends and tabs")
    if not any(unicodedata.category(c)[0] not in "CZ" for c in words):
        raise ValueError("must not be empty")
    if len(words) > LONGEST_TEXT:
        raise ValueError(f"must have at most {LONGEST_TEXT} characters")
    return words


def _one_line(words: str) -> str:
    if "\n" in words or "\t" in words:
        raise ValueError("must be one line")
    return words


def _rfc_3339(moment: Any) -> Any:
    if not (isinstance(moment, str) and _RFC_3339.fullmatch(moment)):
        raise ValueError("must be a time with its offset, as in 2026-03-02T16:00:00+08:00")
    return moment


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_clean)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_clean), AfterValidator(_one_line)]
Address = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_clean), AfterValidator(_one_line)]
Purpose = Annotated[str, Field(min_length=2, max_length=200), AfterValidator(_clean), AfterValidator(_one_line)]
Phone = Annotated[str, Field(min_length=3, max_length=40), AfterValidator(normalise_phone)]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339)]


class Contact(Body):
    """Whom to call back."""

    name: Name | None = None
    phone: Phone = Field(
        description="Any usual spelling; a Chinese landline with its area code.", examples=["13800138000"]
    )


class Where(Body):
    """Where help is needed; the more, the better it finds its way."""

    address: Address | None = Field(None, examples=["金茂花苑3幢502室"])
    area: Annotated[str, Field(max_length=200)] | None = Field(None, description="An id of GET /v1/areas.")
    latitude: Annotated[StrictFloat, Field(ge=-90, le=90, allow_inf_nan=False)] | None = Field(
        None, description="Degrees, WGS 84; with longitude or not at all."
    )
    longitude: Annotated[StrictFloat, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
    accuracy_m: Annotated[StrictFloat, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = Field(
        None, description="The coordinates are right to so many metres, as the device says; only with them."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> "Where":
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude must be given together, or neither")
        if self.accuracy_m is not None and self.latitude is None:
            raise ValueError("accuracy_m is that of latitude and longitude, which are not given")
        return self


class FilingBody(Body):
    """A request for help."""

    text: Text = Field(description="What is needed, in the filer's own words.")
    channel: Channel | None = Field(None, description="How it reached us; left out, what the caller's kind uses.")
    category: Category | None = Field(None, description="What it is about, where the filer chose.")
    contact: Contact
    place: Where = Where()
    persons: Annotated[StrictInt, Field(ge=1, le=100_000)] | None = None
    vulnerability: Annotated[list[Vulnerability], Field(max_length=len(Vulnerability))] = Field(
        [], description="What holds of those who need help; it raises how urgent a danger is."
    )
    on_behalf_of: Name | None = Field(None, description="Who needs the help, where that is somebody else.")
    filed_at: Moment | None = Field(None, description="When it was said, for staff who bring it in later.")

    def filing(self) -> Filing:
        """The filing as the model takes it."""
        return Filing(
            text=self.text,
            channel=self.channel,
            category=self.category,
            area=self.place.area,
            persons=self.persons,
            vulnerability=tuple(dict.fromkeys(self.vulnerability)),
            filed_at=self.filed_at,
            details=Details(
                name=self.contact.name,
                phone=self.contact.phone,
                address=self.place.address,
                latitude=self.place.latitude,
                longitude=self.place.longitude,
                accuracy_m=self.place.accuracy_m,
                on_behalf_of=self.on_behalf_of,
            ),
        )


class AmendmentBody(Body):
    """Something to add."""

    text: Text


class WithdrawalBody(Body):
    """Why a request is taken back."""

    reason: WithdrawalReason = WithdrawalReason.UNSTATED


class RejectionBody(Body):
    """Why a filing is no valid request."""

    reason: RejectionReason
    explanation: Text | None = Field(None, description="For the resident to read.")


class MergeBody(Body):
    """The request in which this one is handled from now on."""

    into: Annotated[str, Field(min_length=1, max_length=40)] = Field(description="Its id, or its receipt.")


class ContactViewBody(Body):
    """What the contact is needed for; logged."""

    purpose: Purpose


async def _tools(request: Request) -> Tools:
    tools: Tools = request.app.state.tools
    return tools


OurTools = Annotated[Tools, Depends(_tools)]
IN_STATE = responses(NotFound, Forbidden, NotInThisState, InvalidInput, IdempotencyKeyReused)


@router.post(
    "/v1/requests",
    status_code=201,
    response_model=FiledForStaff | Filed,
    responses=responses(
        InvalidInput, UnknownArea, FiledInTheFuture, NotYourChannel, NotYoursToDate, FiledTooLongAgo,
        IdempotencyKeyReused,
    ),
)  # fmt: skip
async def file_request(body: FilingBody, request: Request, caller: Caller, key: IdempotencyKey) -> Response:
    """File a request for help. No account is needed; keep the tracking token, it opens the request."""
    # The hottest route of all: what is at hand is taken by hand, and the answer is written without being checked again.
    together: Grouped[Prepared, Filed] = request.app.state.file_together
    filed = await together(filing.prepare(request.app.state.tools, caller, body.filing()), key)
    location = {"location": f"/v1/requests/{filed.id}"}
    return Response(filed.model_dump_json(), HTTPStatus.CREATED, location, "application/json")


@router.post("/v1/requests/{request_id}/amendments", status_code=201, responses=IN_STATE)
async def amend_request(
    request_id: UUID, body: AmendmentBody, caller: Caller, service: Here, tools: OurTools, key: IdempotencyKey
) -> Amended:
    """Add something to a request that is open."""
    return await service.command(handlers.amend, tools, caller, request_id, body.text, idempotency=key)


@router.post("/v1/requests/{request_id}/withdrawal", responses=IN_STATE)
async def withdraw_request(
    request_id: UUID, body: WithdrawalBody, caller: Caller, service: Here, key: IdempotencyKey
) -> Standing:
    """Take a request back: the resident's own word, or the desk on it."""
    return await service.command(handlers.withdraw, caller, request_id, body.reason, idempotency=key)


@router.post("/v1/requests/{request_id}/rejection", responses=IN_STATE)
async def reject_request(
    request_id: UUID, body: RejectionBody, caller: Caller, service: Here, tools: OurTools, key: IdempotencyKey
) -> Standing:
    """Decide that this is no valid request, before anybody works on it; the resident is told."""
    return await service.command(
        handlers.reject, tools, caller, request_id, body.reason, body.explanation, idempotency=key
    )


@router.post(
    "/v1/requests/{request_id}/merge",
    responses=responses(NotFound, Forbidden, NotInThisState, InvalidInput, NoSuchTarget, IdempotencyKeyReused),
)
async def merge_request(
    request_id: UUID, body: MergeBody, caller: Caller, service: Here, key: IdempotencyKey
) -> Standing:
    """Handle a request within another one; its reporter is still told everything."""
    return await service.command(handlers.merge, caller, request_id, body.into, idempotency=key)


@router.post(
    "/v1/requests/{request_id}/contact-views",
    status_code=201,
    responses=responses(NotFound, Forbidden, InvalidInput, handlers.ContactLost),
)
async def view_contact(
    request_id: UUID, body: ContactViewBody, caller: Caller, service: Here, tools: OurTools, response: Response
) -> ContactView:
    """See who asks for help, and where; who looked, when and what for is logged."""
    response.headers["cache-control"] = "no-store"
    return await service.command(handlers.view_contact, tools, caller, request_id, body.purpose)


@router.get("/v1/requests/{request_id}/contact-views", responses=responses(NotFound, Forbidden, InvalidInput))
async def list_contact_views(
    request_id: UUID,
    caller: Caller,
    service: Here,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[LoggedView]:
    """Who saw the contact of a request, the first first."""
    return await service.query(handlers.list_views, caller, request_id, cursor, limit)
