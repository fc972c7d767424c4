"""Problems: what a caller did that cannot be done, with what to do about it (RFC 9457).

A Problem knows no framework, so that a model may raise it. A subclass is named after the situation; its docstring
tells the caller what to do, and is the `detail` where none is given.
"""

from http import HTTPStatus
from typing import Any, ClassVar

BASE = "https://heed.example/problems/"


class Problem(Exception):
    """Something is wrong with the call; read `detail`."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    title: ClassVar[str] = "Bad request"

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        """`members` become extension members of the problem document; no personal data in any of them."""
        self.detail = detail or " ".join((self.__doc__ or self.title).split())
        self.members = members
        super().__init__(self.detail)

    @classmethod
    def slug(cls) -> str:
        """The stable last part of `type`: the class name in kebab case."""
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("-")

    def document(self) -> dict[str, Any]:
        """The problem document, ready for `application/problem+json`."""
        return {
            "type": BASE + self.slug(),
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.members,
        }


class NotFound(Problem):
    """There is nothing here under this address, or you may not see it. Check the id."""

    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class Unauthenticated(Problem):
    """Send a valid token as `Authorization: Bearer …`."""

    status = HTTPStatus.UNAUTHORIZED
    title = "Unauthenticated"


class Forbidden(Problem):
    """Your role does not allow this. Ask somebody whose role does."""

    status = HTTPStatus.FORBIDDEN
    title = "Forbidden"


class CatchingUp(Problem):
    """The service was restored and reads on to where it stood. Try again in a moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Catching up"


class InvalidInput(Problem):
    """The body or a parameter is not as described; `errors` names each place and what is wrong there."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Invalid input"


class MalformedBody(Problem):
    """The body is not UTF-8 JSON. Send `content-type: application/json` and valid JSON."""

    status = HTTPStatus.BAD_REQUEST
    title = "Malformed body"


class BodyTooLarge(Problem):
    """The body is larger than we take; `limit_bytes` says how much that is."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Body too large"


class RevisionConflict(Problem):
    """Somebody changed this before you. Read it again, then decide again with its new `revision`."""

    status = HTTPStatus.CONFLICT
    title = "Revision conflict"


class NotInThisState(Problem):
    """This cannot be done in the present state; `state` says which that is."""

    status = HTTPStatus.CONFLICT
    title = "Not in this state"


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used with another body. Use a new key for a new call."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Idempotency key reused"


class StillRunning(Problem):
    """The first call with this Idempotency-Key is still running. Try again in a second."""

    status = HTTPStatus.CONFLICT
    title = "Still running"


class TooManyRequests(Problem):
    """You call more often than your quota allows. Wait as long as Retry-After says."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"


class Unavailable(Problem):
    """A part of Heed does not answer just now; nothing was changed. Try again as Retry-After says."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Unavailable"
