"""The command line's way to a running Heed: its public API, with the operator's token."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import click
import httpx2

from shared.clock import Clock
from shared.settings import Settings

RETRY_SECONDS = 2.0
SILENT_SECONDS = 60
"""A stream that says nothing for so long, not even that it lives, has lost its other end."""


@dataclass(frozen=True)
class Remote:
    """Where Heed answers, and the token to call it with."""

    base_url: str
    token: str

    @classmethod
    def from_environment(cls, role: str = "operator") -> "Remote":
        """From HEED_BASE_URL and HEED_TOKEN, else that role's, from the credentials of the first start in var/."""
        settings = Settings()
        path = settings.var / "credentials.json"
        written: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"tokens": {}}
        base_url = settings.base_url or written.get("base_url")
        token = settings.token.get_secret_value() if settings.token else written["tokens"].get(role)
        if not (base_url and token):
            raise click.ClickException(f"{path} is not there. Start Heed here, or set HEED_BASE_URL and HEED_TOKEN.")
        return cls(base_url, token)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every call."""
        return {"authorization": f"Bearer {self.token}"}

    def get(self, path: str) -> Any:
        """The answer's JSON; ends the program with the problem's words where it is one."""
        return self._call("GET", path)

    def text(self, path: str) -> str:
        """The answer as it is; ends the program with the problem's words where it is one."""
        return self._answer("GET", path).text

    def delete(self, path: str) -> None:
        """Ends the program with the problem's words where there is one."""
        self._call("DELETE", path)

    def post(self, path: str, body: Any = None) -> Any:
        """The answer's JSON; ends the program with the problem's words where it is one."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._answer(method, path, body)
        return answer.json() if answer.content else None

    def _answer(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        try:
            answer = httpx2.request(
                method, self.base_url + path, json=body, headers=self.headers, trust_env=False, timeout=30
            )
        except httpx2.TransportError as away:
            raise click.ClickException(f"Nobody answers at {self.base_url}. Is Heed running?") from away
        if answer.is_error:
            raise click.ClickException(_words(answer))
        return answer


def _words(answer: httpx2.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.reason_phrase}"
    return "\n".join(
        [document.get("detail") or document.get("title", str(answer.status_code))]
        + [f"  {e['pointer']}: {e['detail']}" for e in document.get("errors", ())]
    )


async def tail_events(remote: Remote, wanted: dict[str, Any]) -> AsyncIterator[str]:
    """The data of each event of GET /v1/events; after a break it asks again from the last position it had."""
    position: str | None = None
    params = {name: value for name, value in wanted.items() if value}
    timeout = httpx2.Timeout(10, read=SILENT_SECONDS)
    async with httpx2.AsyncClient(base_url=remote.base_url, trust_env=False, timeout=timeout) as client:
        while True:
            headers = remote.headers | ({"last-event-id": position} if position else {})
            try:
                async with client.stream("GET", "/v1/events", params=params, headers=headers) as answer:
                    if answer.is_server_error or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                        await Clock().pause(RETRY_SECONDS)
                        continue
                    if answer.is_error:
                        await answer.aread()
                        raise click.ClickException(_words(answer))
                    async for name, value in _fields(answer):
                        if name == "id":
                            position = value
                        elif name == "data":
                            yield value
            except httpx2.TransportError:
                await Clock().pause(RETRY_SECONDS)


async def _fields(answer: httpx2.Response) -> AsyncIterator[tuple[str, str]]:
    """The fields of a stream of server-sent events; comments are passed over."""
    async for line in answer.aiter_lines():
        name, found, value = line.partition(":")
        if name and found:
            yield name, value.removeprefix(" ")
