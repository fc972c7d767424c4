"""How many open tasks a liaison can have: whoever has them is passed over, and nothing waits for a free hand."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.city import Liaison
from dispatch.concessions import hand_over
from dispatch.explaining import explain
from dispatch.files import FileKind
from dispatch.routing import Duty
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour
from tests.dispatch.stories import OPERATOR, Story, sample, triaged
from tests.dispatch.test_routing import person, shift, town
from tests.dispatch.told import Told

ALWAYS = ("00:00", "24:00")


def office(loads: Mapping[str, int], capacities: Mapping[str, int | None], *, level: int = 0) -> Duty:
    """An office whose people are all on duty, at an emergency level, with these loads and capacities."""
    people = tuple(able(name, capacity) for name, capacity in capacities.items())
    duty = town(*(shift(name, *ALWAYS) for name in capacities), people=people)
    duty.loads, duty.clocks = Counter(loads), duty.clocks.at_level(level)
    return duty


def able(name: str, capacity: int | None) -> Liaison:
    return person(name).model_copy(update={"capacity": capacity})


def chosen(duty: Duty) -> tuple[str, bool]:
    found = duty.choose("help")
    assert found is not None
    return found.liaison, found.beyond_capacity


@pytest.mark.parametrize(
    ("loads", "capacities", "who", "beyond"),
    [
        ({"help.a": 2, "help.b": 5}, {"help.a": 2, "help.b": 9}, "help.b", False),  # fewer, and full
        ({"help.a": 2, "help.b": 5}, {"help.a": 3, "help.b": 9}, "help.a", False),
        ({"help.a": 2, "help.b": 5}, {"help.a": 2, "help.b": None}, "help.b", False),
        ({"help.a": 2, "help.b": 5}, {"help.a": 1, "help.b": 5}, "help.b", True),  # all full: 200 % against 100 %
        ({"help.a": 6, "help.b": 9}, {"help.a": 4, "help.b": 8}, "help.b", True),
        ({"help.a": 3}, {"help.a": 3}, "help.a", True),
    ],
)
def test_whoever_is_at_his_capacity_is_passed_over_while_another_is_not(
    loads: dict[str, int], capacities: dict[str, int | None], who: str, beyond: bool
) -> None:
    assert chosen(office(loads, capacities)) == (who, beyond)


def test_the_deputy_is_not_asked_because_the_liaisons_are_full() -> None:
    assert chosen(office({"help.a": 9}, {"help.a": 1, "help.deputy": 9})) == ("help.a", True)


def test_an_emergency_level_gives_everybody_more_to_do() -> None:
    loads, capacities = {"help.a": 2, "help.b": 5}, {"help.a": 2, "help.b": 9}
    assert sample(FileKind.CLOCKS).at_level(1).capacity_percent == 150
    assert chosen(office(loads, capacities, level=1)) == ("help.a", False)  # three now


def test_whoever_did_not_answer_the_last_drill_comes_after_his_equals() -> None:
    duty = office({}, {"help.a": None, "help.b": None})
    duty.unreached = frozenset({"help.a"})
    assert [chosen(duty)[0] for _ in range(3)] == ["help.b", "help.a", "help.b"]


people = st.dictionaries(
    st.sampled_from(["help.a", "help.b", "help.c", "help.d"]),
    st.tuples(st.integers(0, 6), st.none() | st.integers(1, 5)),
    min_size=1,
)


@given(people, st.integers(1, 12))
def test_nothing_is_ever_unassigned_for_lack_of_capacity(of: dict[str, tuple[int, int | None]], tasks: int) -> None:
    duty = office({name: load for name, (load, _) in of.items()}, {name: can for name, (_, can) in of.items()})
    for _ in range(tasks):
        before = Counter(duty.loads)
        who, beyond = chosen(duty)
        free = [name for name, (_, can) in of.items() if can is None or before[name] < can]
        assert beyond == (not free)
        if free:
            assert before[who] == min(before[name] for name in free)
        assert duty.loads[who] == before[who] + 1


def test_the_change_of_shift_passes_over_who_is_full_as_well() -> None:
    told = Told(triaged())
    duty = office({"help.a": 1, "help.b": 4}, {"help.a": 1, "help.b": None})
    told.lead.organisation, told.lead.liaison = "help", "help.gone"
    told.lead.duty_ends_at = duty.now
    hand_over(told.case, told.lead, duty)
    assert told.lead.liaison == "help.b"


def test_the_explanation_says_who_was_passed_over_and_why_it_is_him() -> None:
    duty = office({"help.a": 2, "help.b": 5}, {"help.a": 2, "help.b": 9})
    duty.routing = duty.routing.model_copy(update={"rules": (), "backstop": "help"})
    found = explain(duty, Category.MEDICAL, None, Colour.RED)
    assert (found.liaison, found.passed_over) == ("help.b", ["help.a"])
    assert found.chosen_because == "the least loaded of 2 on duty: 5 open tasks of 9"
    full = office({"help.a": 4}, {"help.a": 3})
    full.routing = duty.routing
    found = explain(full, Category.MEDICAL, None, Colour.RED)
    assert (found.liaison, found.passed_over) == ("help.a", [])
    assert found.chosen_because.startswith("everybody on duty (1) is at capacity")


async def test_red_goes_to_a_full_liaison_at_once_and_the_fact_says_that_he_is_full(story: Story) -> None:
    async with story.harness.client(OPERATOR) as client:
        entry: dict[str, Any] = (await client.get("/v1/liaisons/central-hospital.day")).json()
        body = {"revision": 1, "content": entry["content"] | {"capacity": 1}}
        assert (await client.put("/v1/liaisons/central-hospital.day", json=body)).status_code == 200
        asked = {"category": "medical", "colour": "red"}
        assert (await client.get("/v1/routing", params=asked)).json()["chosen_because"].endswith("0 open tasks of 1")
        first, second = await story.file(triaged(Colour.YELLOW)), await story.file(triaged(Colour.RED))
        assert "at capacity" in (await client.get("/v1/routing", params=asked)).json()["chosen_because"]
    given = [(await story.stated(request_id, r.TaskAssigned))[0].fact for request_id in (first, second)]
    assert [(fact.liaison, fact.beyond_capacity) for fact in given] == [
        ("central-hospital.day", False), ("central-hospital.day", True)
    ]  # fmt: skip
