"""Whose a request is, and who is on duty; nothing is ever unrouted."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.city import Area, City, Liaison, Organisation, Shift
from dispatch.routing import BACKSTOP, Duty, Route, Rule
from shared.contracts.vocabulary import Category, Colour
from tests.dispatch.stories import GRID, sample_city, sample_duty
from tests.support.builders import START

CITY_ZONE = ZoneInfo("Asia/Shanghai")


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of the week that begins on Monday, 2 March 2026, in the city's time."""
    return datetime(2026, 3, 2 + day, hour, minute, tzinfo=CITY_ZONE)


def town(*shifts: Shift, people: tuple[Liaison, ...] = ()) -> Duty:
    organisations = [
        Organisation.model_validate({"id": "help", "name": {"zh": "助", "en": "Help"}}),
        Organisation.model_validate({"id": "duty-office", "name": {"zh": "值", "en": "Duty"}}),
    ]
    city = City("Asia/Shanghai", organisations, [*people, person("duty-office.deputy")], shifts, [])
    return sample_duty(city=city)


def person(liaison: str) -> Liaison:
    organisation, _, post = liaison.partition(".")
    kind = post if post in {"deputy", "supervisor"} else "liaison"
    name = {"zh": "某", "en": "Somebody"}
    return Liaison.model_validate(
        {"id": liaison, "organisation": organisation, "post": kind, "name": name, "phone": "110"}
    )


def shift(liaison: str, begins: str, ends: str, days: object = "daily") -> Shift:
    return Shift.model_validate({"liaison": liaison, "days": days, "from": begins, "to": ends})


@pytest.mark.parametrize(
    ("category", "area", "colour", "expected"),
    [
        (Category.RESCUE, GRID, Colour.RED, Route("ambulance", "danger-to-life")),
        (Category.RESCUE, GRID, Colour.YELLOW, Route("police", "other-rescue")),
        (Category.MEDICAL, None, Colour.RED, Route("central-hospital", "hospital")),
        (Category.QUARANTINE_POLICY, GRID, Colour.GREEN, Route("huxiao-office", "village-policy")),
        (
            Category.QUARANTINE_POLICY,
            "pinghu/dushangang/jufu/03/1",
            Colour.GREEN,
            Route("jufu-office", "village-policy"),
        ),
        (Category.QUARANTINE_POLICY, "pinghu/dushangangx", Colour.GREEN, Route("town-office", "policy")),
        (Category.QUARANTINE_POLICY, None, Colour.GREEN, Route("town-office", "policy")),
        (Category.OTHER, None, Colour.GREEN, Route("duty-office", "other")),
    ],
)
def test_the_first_rule_that_fits_decides(
    category: Category, area: str | None, colour: Colour, expected: Route
) -> None:
    assert sample_duty().route(category, area, colour) == expected


@given(
    category=st.one_of(st.sampled_from([c.value for c in Category]), st.text(max_size=10)),
    area=st.one_of(st.none(), st.text(max_size=30), st.sampled_from(sorted(sample_city().areas))),
    colour=st.sampled_from(list(Colour)),
    hour=st.integers(0, 400),
    returned=st.sets(st.sampled_from(sorted(sample_city().organisations)), max_size=4),
)
def test_nothing_is_unrouted(category: str, area: str | None, colour: Colour, hour: int, returned: set[str]) -> None:
    duty = sample_duty(START + timedelta(hours=hour))
    route = duty.route(category, area, colour, returned)
    assert route.organisation in duty.city.organisations
    assert route.organisation not in returned or route.rule == BACKSTOP
    assert duty.choose(route.organisation) is not None


def test_what_no_rule_knows_goes_to_the_backstop() -> None:
    duty = sample_duty()
    duty.routing = duty.routing.model_copy(update={"rules": ()})
    assert duty.route(Category.MEDICAL, GRID, Colour.RED) == Route("duty-office", BACKSTOP)


def test_a_rule_for_an_organisation_that_is_gone_is_passed_over() -> None:
    duty = sample_duty()
    gone = Rule.model_validate({"id": "gone", "organisation": "nobody"})
    duty.routing = duty.routing.model_copy(update={"rules": (gone, *duty.routing.rules)})
    assert duty.route(Category.MEDICAL, GRID, Colour.RED).organisation == "central-hospital"


def test_a_need_goes_to_who_is_named_else_who_offers_it_else_the_backstop() -> None:
    duty = sample_duty()
    assert duty.route_need("transport", GRID) == Route("transport-team", "need:transport")
    duty.routing = duty.routing.model_copy(update={"needs": {}})
    assert duty.route_need("transport", GRID) == Route("transport-team", "need:transport")
    assert duty.route_need("interpreter", GRID) == Route("duty-office", BACKSTOP)


def test_the_smallest_area_around_the_place_is_nearest() -> None:
    name = {"zh": "x", "en": "x"}
    wide, narrow = (
        Organisation.model_validate({"id": i, "name": name, "services": ["other"], "areas": [a]})
        for i, a in (("wide", "c"), ("narrow", "c/t"))
    )
    everywhere = Organisation.model_validate({"id": "everywhere", "name": name, "services": ["other"]})
    root = Area.model_validate({"id": "c", "level": "city", "name": name})
    city = City("UTC", [everywhere, wide, narrow], [], [], [root])
    assert city.nearest_serving("other", "c/t/v") == ["narrow"]
    assert city.nearest_serving("other", "c/u") == ["wide"]
    assert city.nearest_serving("other", "d") == ["everywhere"]
    assert city.nearest_serving("other", None) == ["wide"]
    assert city.nearest_serving("other", "c/t/v", {"narrow", "wide"}) == ["everywhere"]
    assert city.nearest_serving("medical", "c") == []


@pytest.mark.parametrize(
    ("at", "who"),
    [
        (local(0, 8), "central-hospital.day"),
        (local(0, 19, 59), "central-hospital.day"),
        (local(0, 20), "central-hospital.night"),
        (local(1, 0), "central-hospital.night"),
        (local(1, 7, 59), "central-hospital.night"),
    ],
)
def test_who_is_on_duty_follows_the_citys_clock_across_midnight(at: datetime, who: str) -> None:
    chosen = sample_duty(at).choose("central-hospital")
    assert chosen is not None
    assert (chosen.liaison, chosen.level) == (who, 0)


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    duty = town(shift("help.a", "22:00", "06:00", ["fri"]), people=(person("help.a"),))
    on = [at for at in (local(4, 21), local(4, 23), local(5, 5), local(5, 6), local(5, 23)) if
          duty.city.on_duty("help", 0, at)]  # fmt: skip
    assert on == [local(4, 23), local(5, 5)]


def test_a_shift_may_end_at_24_and_one_that_ends_as_it_begins_lasts_a_day() -> None:
    duty = town(
        shift("help.a", "16:00", "24:00", ["mon"]), shift("help.b", "08:00", "08:00", ["tue"]),
        people=(person("help.a"), person("help.b")),
    )  # fmt: skip
    assert duty.city.on_duty("help", 0, local(0, 23, 59)) == ["help.a"]
    assert duty.city.on_duty("help", 0, local(1, 0)) == []
    assert duty.city.on_duty("help", 0, local(1, 8)) == ["help.b"]
    assert duty.city.on_duty("help", 0, local(2, 7, 59)) == ["help.b"]


def test_among_equals_the_least_loaded_is_chosen_and_counts_at_once() -> None:
    duty = town(
        shift("help.a", "00:00", "24:00"),
        shift("help.b", "00:00", "24:00"),
        people=(person("help.a"), person("help.b")),
    )
    duty.loads["help.a"] = 2
    chosen = [c.liaison for _ in range(4) if (c := duty.choose("help"))]
    assert chosen == ["help.b", "help.b", "help.a", "help.b"]


@pytest.mark.parametrize(
    ("people", "who"),
    [
        (("help.a", "help.deputy", "help.supervisor"), ("help.deputy", 1)),
        (("help.a", "help.supervisor"), ("help.supervisor", 2)),
        (("help.a",), ("duty-office.deputy", 1)),
    ],
)
def test_where_no_liaison_is_on_duty_the_next_post_is_asked(people: tuple[str, ...], who: tuple[str, int]) -> None:
    chosen = town(people=tuple(map(person, people))).choose("help")
    assert chosen is not None
    assert (chosen.liaison, chosen.level) == who


def test_who_let_it_lie_is_not_asked_again() -> None:
    duty = sample_duty()
    tried: list[str] = []
    while chosen := duty.choose("police", 0, tried):
        assert chosen.liaison not in tried
        tried.append(chosen.liaison)
    assert tried == [
        "police.day", "police.deputy", "police.supervisor",
        "duty-office.day", "duty-office.deputy", "duty-office.supervisor",
    ]  # fmt: skip
