"""The noting service: answers `withdrawn` by `archived`, and fails on what it is told to fail on."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel

from shared.clock import Clock
from shared.contracts import FACTS, Event, Fact
from shared.contracts.requests import TOPIC, RequestArchived, RequestMerged, RequestWithdrawn
from shared.contracts.vocabulary import WithdrawalReason
from shared.ids import new_id
from shared.messaging.work import Timer, Work
from shared.problems import NotInThisState, Problem
from shared.service import Here, Service
from shared.settings import Settings
from shared.web import Body, Caller, IdempotencyKey
from tests.shared.noting.store import notes

FAILS_ON: set[str] = set()
"""Subjects on which `take` fails."""
router = APIRouter()


class Word(Body):
    word: str


class Noted(BaseModel):
    id: UUID
    word: str


@router.post("/v1/notes", status_code=201)
async def post_note(body: Word, caller: Caller, service: Here, key: IdempotencyKey) -> Noted:
    return await service.command(note, body.word, idempotency=key)


@router.post("/v1/grouped-notes", status_code=201)
async def post_grouped_note(request: Request, body: Word, caller: Caller, service: Here, key: IdempotencyKey) -> Noted:
    together = request.app.state.grouped
    noted: Noted = await together(body.word, key)
    return noted


async def note(work: Work, word: str) -> Noted:
    return (await note_all(work, [word]))[0]  # type: ignore[return-value] # raises instead


async def note_all(work: Work, words: list[str]) -> list[Noted | Problem]:
    done: list[Noted | Problem] = []
    for word in words:
        if word == "refused":
            done.append(NotInThisState(state="refusing"))
            continue
        made = Noted(id=new_id(), word=word)
        if word == "fails":
            raise ZeroDivisionError
        await work.connection.execute(sa.insert(notes).values(subject=str(made.id), type="note", word=word))
        work.state(RequestWithdrawn(reason=WithdrawalReason.UNSTATED), made.id)
        done.append(made)
    return done


async def take(work: Work, events: Sequence[Event[Fact]]) -> None:
    for event in events:
        if event.subject in FAILS_ON:
            raise ZeroDivisionError
        await work.connection.execute(sa.insert(notes).values(subject=event.subject, type=event.type, word="heard"))
        if isinstance(event.fact, RequestMerged):
            work.state(RequestArchived(), event.subject)
            work.set_timer("ring", event.subject, work.now)


async def fire(work: Work, timers: Sequence[Timer]) -> None:
    for timer in timers:
        if timer.key in FAILS_ON:
            raise ZeroDivisionError
    await work.connection.execute(
        sa.insert(notes), [{"subject": t.key, "type": t.kind, "word": "fired"} for t in timers]
    )


def build(settings: Settings, clock: Clock | None = None) -> FastAPI:
    service = Service(
        "noting",
        settings,
        clock,
        migrations=Path(__file__).parent / "migrations",
        topics=(TOPIC,),
        take=take,
        handles=FACTS.values(),
        fire=fire,
    )
    app = service.app(router)
    app.state.grouped = service.grouped(note_all)
    return app
