"""The account at the end: is every filing that got a receipt in exactly one status, by the API and by the log?"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import click

from services.client import Remote, tail_events
from services.demo.city import City
from services.demo.ledger import Ledger, read_event
from shared.contracts import requests as r
from shared.contracts.vocabulary import ENDINGS, Status

QUIET_SECONDS = 2.0
"""When nothing came for so long, the log is read to its end."""
LISTING = ", ".join


@dataclass
class Account:
    """What was found."""

    expected: int
    by_api: Counter[Status] = field(default_factory=Counter)
    by_log: Counter[Status] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, doubled or told in two ways."""
        sums = {sum(self.by_api.values()), sum(self.by_log.values())}
        return not self.faults and sums == {self.expected}


async def read_log(remote: Remote) -> Ledger:
    """The whole log, read anew from its beginning to its end."""
    ledger = Ledger()
    tail = tail_events(remote, {"topic": [r.TOPIC], "from": "beginning"})
    while True:
        try:
            data = await asyncio.wait_for(anext(tail), QUIET_SECONDS)
        except TimeoutError:
            return ledger
        if event := read_event(data):
            ledger.read(event)


async def draw_up(city: City, expected: int, remote: Remote) -> Account:
    """Ask the API about every receipt, and compare with the log."""
    account = Account(expected)
    log = await read_log(remote)
    account.by_log = log.statuses()
    for case in city.cases.values():
        answer = await city.telephone.call("operator", "GET", f"/v1/requests/{case.request_id}")
        if not answer.is_fine:
            account.faults.append(f"{case.filing.name} ({case.receipt}): the API answers {answer.status}")
            continue
        account.by_api[Status(answer.body["status"])] += 1
        account.faults += faults_of(case.filing.name, case.request_id, answer.body, log)
    account.faults += [f"the log has {name}, of which nobody holds a receipt" for name in log.lives.keys() - city.cases]
    return account


def faults_of(name: str, request_id: UUID, shown: dict[str, Any], log: Ledger) -> list[str]:
    """What is wrong with one request: nobody holds it, somebody still does, or the two ways of counting differ."""
    life = log.lives.get(request_id)
    if life is None:
        return [f"{name}: not in the log"]
    status, holder = Status(shown["status"]), shown["holder"]
    faults = []
    if (holder is None) is not (status in ENDINGS):
        faults.append(f"{name}: {status}, and held by {holder}")
    if status is not life.status:
        faults.append(f"{name}: {status} by the API, {life.status} by the log")
    return faults


def show(account: Account) -> None:
    """Print it."""
    click.echo("\nThe account:")
    for way, statuses in (("by the API", account.by_api), ("by the log", account.by_log)):
        parts = [f"{status} {statuses[status]}" for status in Status if statuses[status]]
        click.echo(f"  {way}: {LISTING(parts)} = {sum(statuses.values())}")
    for fault in account.faults:
        click.secho(f"  {fault}", fg="red")
    found = account.expected - len({fault.partition(":")[0] for fault in account.faults})
    found = min(found, sum(account.by_api.values()), sum(account.by_log.values()))
    colour = "green" if account.is_complete else "red"
    click.secho(f"\n{found} of {account.expected} accounted for.", fg=colour, bold=True)
