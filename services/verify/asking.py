"""Asking the public API: one call after the other, patient where it says that there were too many."""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx2

from services.verify.difference import CannotVerify
from shared.clock import Clock

HEED_READ = "Heed-Read"
TRIES = 5
RETRY_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 60.0


class Api:
    """The API, with a token of the desk."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        """`client` has the address and the token."""
        self._client, self._clock = client, Clock()

    async def pause(self, seconds: float) -> None:
        """Let real seconds pass."""
        await self._clock.pause(seconds)

    async def get(self, path: str, **params: Any) -> Any:
        """The answer's JSON; raises CannotVerify."""
        return (await self._answer(path, params)).json()

    async def get_as_of(self, path: str, **params: Any) -> tuple[Any, str]:
        """The answer's JSON, and how far who answers had read the log; raises CannotVerify."""
        answer = await self._answer(path, params)
        if HEED_READ not in answer.headers:
            raise CannotVerify(f"{path} does not say how far it has read the log ({HEED_READ}).")
        return answer.json(), answer.headers[HEED_READ]

    async def items(self, path: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            page = await self.get(path, **params, **({"cursor": cursor} if cursor else {}))
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def _answer(self, path: str, params: Mapping[str, Any]) -> httpx2.Response:
        for _ in range(TRIES):
            try:
                answer = await self._client.get(path, params=params)
            except httpx2.TransportError as away:
                raise CannotVerify(f"Nobody answers at {self._client.base_url}. Is Heed running?") from away
            if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                await self.pause(min(LONGEST_WAIT_SECONDS, float(answer.headers.get("retry-after", RETRY_SECONDS))))
            elif answer.is_server_error:
                await self.pause(RETRY_SECONDS)
            elif answer.is_error:
                raise CannotVerify(f"{path} answers {answer.status_code}: {_detail(answer)}")
            else:
                return answer
        raise CannotVerify(f"{path} has no answer, after {TRIES} tries.")


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
