"""Assigning a request, decided by the model alone: does a metropolis cost more than a town?"""

import gc
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import cast
from uuid import UUID

from bench.report import Row, at_most
from dispatch.city import Area, City, Level, Liaison, Name, Organisation, Post
from dispatch.clocks import ClockPolicy
from dispatch.files import FileKind, parse
from dispatch.model import Case
from dispatch.routing import Duty, RoutingPolicy, Rule, Serves
from shared.contracts import Event, Fact
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Channel, Colour, Decider, FiledBy, Language, PlaceSource
from shared.settings import ROOT

TOWNS, MANY_TOWNS = 1, 200
ROUNDS = 5
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
REQUEST, NOTHING = UUID(int=1), UUID(int=0)


def _city(towns: int) -> City:
    """In every town an organisation for each category, with a person who is always there."""
    places = [(f"city/{town}", category) for town in range(towns) for category in Category]
    names = [f"{area.replace('/', '-')}-{category.value.replace('_', '-')}" for area, category in places]
    offices = [
        Organisation(id=name, name=Name(zh=name, en=name), services=(category,), areas=(area,))
        for name, (area, category) in zip(names, places, strict=True)
    ]
    people = [
        Liaison(id=f"{n}.deputy", organisation=n, post=Post.DEPUTY, name=Name(zh=n, en=n), phone="0000") for n in names
    ]
    ids = ["city", *(f"city/{town}" for town in range(towns))]
    return City("UTC", offices, people, [], [Area(id=i, level=Level.TOWN, name=Name(zh=i, en=i)) for i in ids])


def _event(fact: Fact) -> Event[Fact]:
    return Event(id=NOTHING, source="bench", subject=str(REQUEST), key="k", time=NOW, sequence=1, fact=fact)


def _microseconds(towns: int, requests: int) -> float:
    """What it takes from triaged to assigned, per request."""
    clocks = cast("ClockPolicy", parse(FileKind.CLOCKS, (ROOT / "deploy/sample/clocks.yaml").read_text("utf-8")))
    rule = Rule(id="serving", organisation=Serves(serves="category", nearest=True))
    routing = RoutingPolicy(version="1", rules=(rule,), backstop="city-0-other")
    ids = count(1)
    duty = Duty(city=_city(towns), routing=routing, clocks=clocks, now=NOW, new_id=lambda: UUID(int=next(ids)))
    received = r.RequestReceived(
        receipt="b", channel=Channel.APP, filed_by=FiledBy.RESIDENT, language=Language.ZH, area="city/0",
        place_source=PlaceSource.AREA, place_confidence=1, contact_hash="c", text_id=NOTHING, text_hash="t",
        filed_at=NOW, received_at=NOW,
    )  # fmt: skip
    triaged = r.RequestTriaged(
        revision=1, category=Category.MEDICAL, colour=Colour.RED, decided_by=Decider.MACHINE, policy_version="1"
    )
    cases = [Case.begin(cast("Event[r.RequestReceived]", _event(received))) for _ in range(requests)]
    event = _event(triaged)
    gc.collect()  # the city's making, and the round before, are none of its cost
    began = perf_counter()
    for case in cases:
        case.read(event, duty)
    return (perf_counter() - began) / requests * 1e6


def measure(requests: int) -> list[Row]:
    """The row about assigning."""
    _microseconds(TOWNS, requests // 10 or 1)
    rounds = [(_microseconds(TOWNS, requests), _microseconds(MANY_TOWNS, requests)) for _ in range(ROUNDS)]
    few, many = (min(taken) for taken in zip(*rounds, strict=True))
    offices = len(Category)
    figures = f"{few:.0f} µs with {TOWNS * offices} organisations, {many:.0f} µs with {MANY_TOWNS * offices}"
    return [at_most("assign: whose it is, and who is there", figures, many / few, 1.5, " ×")]
