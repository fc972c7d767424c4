"""Intake, whose contacts are on no log: back to a moment from archived WAL; what is lost all the same is listed."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from intake import app as intake
from shared.bus.postgres import PostgresBus
from shared.contracts import Event, Fact, decode
from shared.contracts.operations import AlarmRaised
from shared.contracts.requests import RequestReceived, RequestWithdrawn
from shared.contracts.vocabulary import AlarmKind
from shared.embedded import EmbeddedPostgres
from shared.programs import server_account
from shared.service import Service
from shared.tokens import IdentitySigner
from tests.contract.bus_cases import read_all
from tests.intake.builders import OPERATOR, body
from tests.recovery.dumps import tool
from tests.support.eventually import eventually
from tests.support.harness import PRIVATE_KEY, test_settings
from tests.support.postgres import PostgresServer

ROLE = "intake"


@dataclass
class Archived:
    """A server of intake's own, that archives its log; it can be put back to a moment."""

    folder: Path
    server: EmbeddedPostgres

    @property
    def place(self) -> Path:
        """Where the cluster really lives."""
        location = self.folder / "pg" / "location"
        return Path(location.read_text().strip()) if location.exists() else self.folder / "pg"

    async def url(self) -> str:
        return await self.server.ensure_database(ROLE, ROLE)

    async def execute(self, *statements: str) -> Any:
        """Run statements as the superuser; the value of the last."""
        connection = await asyncpg.connect(self.server.admin_url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    async def begin_archiving(self) -> None:
        """As docs/operating.md says."""
        archive = self.place / "archive"
        archive.mkdir()
        own(archive)
        command = f"test ! -f {archive}/%f && cp %p {archive}/%f"
        await self.execute(
            "alter system set archive_mode = 'on'", f"alter system set archive_command = '{command}'", "select 1"
        )
        await self.server.stop()
        self.server = await EmbeddedPostgres.start(self.folder / "pg", durable=False)

    async def base_backup(self) -> None:
        await tool("pg_basebackup", self.server.admin_url, "--pgdata", str(self.place / "base"), "--checkpoint=fast")

    async def archived(self) -> None:
        """Wait until all that was written is in the archive."""
        last = await self.execute("select pg_walfile_name(pg_switch_wal())")

        async def there() -> bool:
            return (self.place / "archive" / str(last)).exists()

        await eventually(there, within_seconds=30)

    async def lose_and_restore(self, moment: str) -> None:
        """The disk is gone; the base backup and the archive give the state of that moment."""
        await self.server.stop()
        data, base = self.place / "cluster", self.place / "base"
        shutil.rmtree(data)
        base.rename(data)
        (data / "recovery.signal").touch()
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"restore_command = 'cp {self.place}/archive/%f %p'\n")
            settings.write(f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n")
        for path in (data, *data.rglob("*")):
            own(path)
        self.server = await EmbeddedPostgres.start(self.folder / "pg", durable=False)

        async def in_recovery() -> bool:
            return bool(await self.execute("select pg_is_in_recovery()"))

        await eventually(in_recovery, lambda found: not found, 60)


def own(path: Path) -> None:
    if account := server_account():
        shutil.chown(path, account.uid, account.gid)


@pytest.fixture
async def archived(tmp_path: Path) -> AsyncIterator[Archived]:
    made = Archived(tmp_path, await EmbeddedPostgres.start(tmp_path / "pg", durable=False))
    try:
        await made.begin_archiving()
        yield made
    finally:
        place = made.place
        await made.server.stop()
        shutil.rmtree(place, ignore_errors=True)


@asynccontextmanager
async def running(database: str, bus: str) -> AsyncIterator[FastAPI]:
    app = intake.build(test_settings(database=database, bus=bus))
    service: Service = app.state.service
    async with service.running():
        await eventually(lambda: _is_over(service))
        yield app
        await service.settled(30)


async def _is_over(service: Service) -> bool:
    return service.recovery.is_over


async def call(app: FastAPI, path: str, sent: dict[str, Any]) -> httpx2.Response:
    headers = {"heed-identity": IdentitySigner(PRIVATE_KEY).sign(OPERATOR)}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://intake", headers=headers) as client:
        return await client.post(path, json=sent)


async def file(app: FastAPI, count: int) -> list[str]:
    answers = [await call(app, "/v1/requests", body()) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {201}
    return [answer.json()["id"] for answer in answers]


async def look(app: FastAPI, request_id: str) -> httpx2.Response:
    return await call(app, f"/v1/requests/{request_id}/contact-views", {"purpose": "call back"})


async def facts(bus: str, kind: type[Fact]) -> list[Event[Any]]:
    """All of this kind on the log; what stands there twice, since its relay died before it could note that, once."""
    reading = PostgresBus(bus)
    await reading.start()
    try:
        events = [decode(delivered.record) for delivered in await read_all(reading, kind.TOPIC)]
    finally:
        await reading.stop()
    return list({event.id: event for event in events if event and isinstance(event.fact, kind)}.values())


@pytest.mark.timeout(240)
async def test_intake_comes_back_to_a_moment_and_says_which_contacts_are_lost(
    archived: Archived, postgres: PostgresServer
) -> None:
    bus = await postgres.fresh_database("bus")
    await archived.url()
    await archived.base_backup()
    async with running(await archived.url(), bus) as app:
        kept = await file(app, 3)
        moment = await archived.execute("select pg_switch_wal()", "select clock_timestamp()::text")
        lost = await file(app, 2)
        assert (await call(app, f"/v1/requests/{kept[0]}/withdrawal", {})).status_code == 200
    await archived.archived()
    before = len(await facts(bus, RequestReceived))

    await archived.lose_and_restore(moment)
    async with running(await archived.url(), bus) as app:
        assert [(await look(app, request)).status_code for request in kept] == [201, 201, 201]
        assert [(await look(app, request)).status_code for request in lost] == [410, 410]
        again = await call(app, f"/v1/requests/{kept[0]}/withdrawal", {})
        assert again.status_code == 409, "it knows from the log that this was withdrawn"
        assert (await call(app, f"/v1/requests/{kept[1]}/withdrawal", {})).status_code == 200
        assert (await call(app, f"/v1/requests/{lost[0]}/withdrawal", {})).status_code == 200

    alarms = [event.fact for event in await facts(bus, AlarmRaised)]
    assert {(alarm.kind, str(alarm.request_id)) for alarm in alarms} == {(AlarmKind.CONTACT_LOST, i) for i in lost}
    assert len(await facts(bus, RequestReceived)) == before
    numbers = {event.subject: event.sequence for event in await facts(bus, RequestWithdrawn)}
    assert numbers == {kept[0]: 2, kept[1]: 2, lost[0]: 2}
