"""Liaisons who do their part of a request, through the public API."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2

from shared.clock import wall_now


class Desk:
    """Everybody's tokens, and a connection."""

    def __init__(self, client: httpx2.AsyncClient, tokens: Mapping[str, str]) -> None:
        """`tokens` by name, as credentials.json has them."""
        self._client, self._tokens = client, tokens

    async def call(self, token: str, path: str, sent: Mapping[str, Any]) -> Any:
        """POST; the body of the answer. Raises httpx2.HTTPStatusError."""
        answer = await self._client.post(path, json=dict(sent), headers={"authorization": f"Bearer {token}"})
        return answer.raise_for_status().json()

    async def handle(self, request_id: str) -> None:
        """The lead signs for it; where a playbook brings in others, all say when it is; the lead answers."""
        lead, _ = await self._tasks(request_id)
        lead = await self._act(lead, "accept")
        if lead["waits_for"]:
            await self._act(lead, "confirm", happens_at=(wall_now() + timedelta(days=1)).isoformat())
            _, helpers = await self._tasks(request_id)
            for helper in helpers:
                await self._act(await self._act(helper, "accept"), "confirm")
            lead, _ = await self._tasks(request_id)
        await self._act(lead, "answer", text="已安排，明早九点派车接送。")

    async def _act(self, task: Mapping[str, Any], verb: str, **said: str) -> Any:
        token = self._tokens[f"liaison:{task['organisation']}"]
        return await self.call(token, f"/v1/tasks/{task['id']}/{verb}", {"revision": task["revision"], **said})

    async def _tasks(self, request_id: str) -> tuple[Any, list[Any]]:
        headers = {"authorization": f"Bearer {self._tokens['operator']}"}
        answer = await self._client.get("/v1/tasks", params={"request_id": request_id}, headers=headers)
        found = answer.raise_for_status().json()["items"]
        [lead] = [task for task in found if task["role"] == "lead"]
        return lead, [task for task in found if task is not lead]
