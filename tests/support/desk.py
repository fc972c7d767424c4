"""What a willing liaison does next with a task, as the playbooks have it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2

from shared.clock import wall_now

ANSWER = "已安排。"


def next_step(task: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The verb and what is said with it; None where the task waits for others or is done.

    It is accepted, confirmed for a time tomorrow where others or the lead's answer wait for that, then answered; help
    is done as soon as it is confirmed, so that it is out of the list of what is open.
    """
    if task["status"] == "assigned":
        return "accept", {}
    if task["status"] != "accepted":
        return None
    if task["confirmed_at"] is None and (task["role"] == "assisting" or task["waits_for"]):
        return "confirm", {"happens_at": (wall_now() + timedelta(days=1)).isoformat()}
    if task["role"] == "assisting":
        return "fulfil", {}
    return None if task["waits_for"] else ("answer", {"text": ANSWER})


async def work_on(client: httpx2.AsyncClient, task: Mapping[str, Any]) -> None:
    """Take the steps that can be taken now; one that is refused ends it."""
    while step := next_step(task):
        verb, said = step
        answer = await client.post(f"/v1/tasks/{task['id']}/{verb}", json={"revision": task["revision"], **said})
        if not answer.is_success:
            return
        task = answer.json()
