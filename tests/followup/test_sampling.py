"""Who is drawn: certain where it must be; by lot in the planned share; the same for whoever draws again."""

import hashlib
import hmac
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import sqrt
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup import sampling
from followup.model import Case
from followup.plan import Plan
from followup.sampling import Lot, Reason, redraw
from shared.contracts import requests as r
from shared.contracts.casework import TaskSupervised
from shared.contracts.vocabulary import Category, Colour, DisputeReason, Role, Stage, SupervisionCause
from tests.followup.stories import Story
from tests.support.builders import START

SECRET = b"a secret that only the service has"
SEED = sampling.seed_of(SECRET, date(2026, 3, 2))
IDS = [uuid5(UUID(int=0), str(n)) for n in range(20_000)]
CLOSED_AT = datetime(2026, 3, 9, tzinfo=UTC)


def case_of(plan: Plan, colour: Colour = Colour.GREEN, category: Category = Category.OTHER) -> Case:
    return Story().received().triaged(colour, category=category).assigned().accepted().answered(5).case(plan)


def drawn(case: Case, plan: Plan) -> Reason | None:
    assert case.open_from
    return sampling.draw(case, case.open_from, plan.look_back, SECRET, START).reason


def test_every_red_is_drawn_whatever_its_lot(plan: Plan) -> None:
    assert drawn(case_of(plan, Colour.RED), plan) is Reason.COLOUR


def test_every_reopened_is_drawn(plan: Plan) -> None:
    story = Story().begun().answered(5).add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    assert drawn(story.assigned().accepted().answered(5).case(plan), plan) is Reason.REOPENED


def test_every_supervised_is_drawn(plan: Plan) -> None:
    story = Story().begun()
    order = TaskSupervised(
        task_id=story.task,
        role=Role.LEAD,
        organisation="central-hospital",
        cause=SupervisionCause.OVERDUE,
        stage=Stage.ANSWERED,
        leader="x",
        answer_by=story.now,
        policy_version="1",
    )
    assert drawn(story.add(order).answered(5).case(plan), plan) is Reason.SUPERVISED


def test_every_one_that_was_complained_of_is_drawn(plan: Plan) -> None:
    assert drawn(case_of(plan, category=Category.COMPLAINT), plan) is Reason.COMPLAINED
    for mark, reason in ((1, Reason.COMPLAINED), (2, Reason.COMPLAINED), (3, None)):
        rated = replace(case_of(plan), satisfaction=mark)
        assert sampling.must(rated, plan.look_back) is reason


@pytest.mark.parametrize(
    ("colour", "category", "share"),
    [
        (Colour.GREEN, Category.OTHER, 0.2),
        (Colour.YELLOW, Category.OTHER, 0.3),
        (Colour.YELLOW, Category.MEDICAL, 0.5),
    ],
)
def test_the_first_share_that_fits_holds(plan: Plan, colour: Colour, category: Category, share: float) -> None:
    assert sampling.share(category, colour, "x", plan.look_back) == share


# Periods and seeds


@pytest.mark.parametrize(
    ("at", "period"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(2026, 3, 8, 23, 59, 59, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(2026, 3, 9, tzinfo=UTC), date(2026, 3, 9)),
    ],
)
def test_a_period_is_a_week_from_monday(plan: Plan, at: datetime, period: date) -> None:
    assert sampling.period_of(at, plan.look_back) == period
    assert period.weekday() == 0


@given(at=st.datetimes(timezones=st.just(UTC)), days=st.integers(1, 40))
def test_periods_cover_time_without_gap_or_overlap(plan: Plan, at: datetime, days: int) -> None:
    at = at.replace(year=2000 + at.year % 100, day=min(at.day, 28))
    period = sampling.period_of(at, plan.look_back.model_copy(update={"period_days": days}))
    assert sampling.begins_at(period) <= at < sampling.begins_at(period) + timedelta(days=days)


def test_a_commitment_fits_one_seed_and_each_period_has_its_own() -> None:
    changed = bytes([SEED[0] ^ 1, *SEED[1:]])
    assert sampling.commitment(SEED) == hashlib.sha256(SEED).hexdigest()
    assert sampling.commitment(changed) != sampling.commitment(SEED)
    assert sampling.seed_of(SECRET, date(2026, 3, 9)) != SEED


# The odds


def test_a_draw_can_be_repeated_by_whoever_has_the_seed_and_by_nobody_else() -> None:
    lots = [sampling.lot(SEED, request_id) for request_id in IDS]
    assert lots == [sampling.lot(SEED, request_id) for request_id in IDS]
    others = [sampling.lot(b"another seed", request_id) for request_id in IDS]
    both = sum(1 for a, b in zip(lots, others, strict=True) if a < 0.2 and b < 0.2)
    assert 0.03 < both / len(IDS) < 0.05  # as independent draws would


def test_lots_are_uniform_by_chi_square() -> None:
    cells = 100
    counts = Counter(int(sampling.lot(SEED, request_id) * cells) for request_id in IDS)
    expected = len(IDS) / cells
    chi = sum((counts[n] - expected) ** 2 / expected for n in range(cells))
    assert set(counts) == set(range(cells))
    assert 55 < chi < 159  # 99 degrees of freedom: 0.01 % on either side


@pytest.mark.parametrize("share", [0.01, 0.2, 0.3, 0.5, 0.9])
def test_the_share_that_is_drawn_is_the_planned_one(share: float) -> None:
    drawn_ones = sum(1 for request_id in IDS if sampling.lot(SEED, request_id) < share)
    deviation = sqrt(len(IDS) * share * (1 - share))
    assert abs(drawn_ones - len(IDS) * share) < 4 * deviation


def test_ids_that_follow_each_other_do_not_share_their_luck() -> None:
    ids = [UUID(int=n) for n in range(20_000)]
    lucky = [sampling.lot(SEED, request_id) < 0.2 for request_id in ids]
    pairs = sum(1 for a, b in pairwise(lucky) if a and b)
    assert abs(pairs - 0.04 * len(ids)) < 4 * sqrt(len(ids) * 0.04)


# Drawing again


def population(plan: Plan, sizes: dict[str, int]) -> list[Lot]:
    """What followup keeps of a week: sampled by lot, and topped up to five."""
    lots = []
    ids = iter(IDS)
    for organisation, size in sizes.items():
        for _ in range(size):
            request_id = next(ids)
            number = sampling.lot(SEED, request_id)
            lots.append(
                Lot(
                    request_id=request_id,
                    opened_at=START,
                    period=date(2026, 3, 2),
                    category="other",
                    colour=Colour.GREEN,
                    organisation=organisation,
                    number=number,
                    reason=Reason.SAMPLED if number < 0.2 else None,
                    noted_at=START,
                )
            )
    topped = {wanted.request_id: wanted for _, wanted in redraw(lots, SEED, plan.look_back, CLOSED_AT)}
    return [topped.get(one.request_id, one) for one in lots]


def test_each_organisation_has_its_share_and_at_least_five_or_all(plan: Plan) -> None:
    sizes = {"tiny": 3, "small": 9, "middle": 60, "large": 5000}
    counts = Counter(one.organisation for one in population(plan, sizes) if one.reason)
    assert counts["tiny"] == 3
    assert counts["small"] == 5
    assert 5 <= counts["middle"] <= 26
    assert abs(counts["large"] - 1000) < 4 * sqrt(5000 * 0.2 * 0.8)


def test_a_true_draw_is_drawn_again_without_a_difference(plan: Plan) -> None:
    assert list(redraw(population(plan, {"a": 8, "b": 300}), SEED, plan.look_back, CLOSED_AT)) == []


@pytest.mark.parametrize("changed", ["left out", "put in", "another number"])
def test_one_lot_that_was_tampered_with_is_found(plan: Plan, changed: str) -> None:
    lots = population(plan, {"b": 300})
    at = next(n for n, one in enumerate(lots) if (one.reason is None) == (changed == "put in"))
    tampered = {
        "left out": replace(lots[at], reason=None),
        "put in": replace(lots[at], reason=Reason.SAMPLED),
        "another number": replace(lots[at], number=0.999),
    }
    lots[at] = tampered[changed]
    assert [kept for kept, _ in redraw(lots, SEED, plan.look_back, CLOSED_AT)] == [lots[at]]


def test_another_seed_draws_others(plan: Plan) -> None:
    assert len(list(redraw(population(plan, {"b": 300}), b"another", plan.look_back, CLOSED_AT))) > 250


def test_who_could_not_be_looked_back_at_is_passed_over_in_topping_up(plan: Plan) -> None:
    lots = population(plan, {"a": 9})
    first = next(one for one in sorted(lots, key=lambda one: one.number) if one.reason is Reason.TOPPED_UP)
    gone = [replace(one, reason=None, gone=True) if one is first else one for one in lots]
    (instead,) = [wanted for _, wanted in redraw(gone, SEED, plan.look_back, CLOSED_AT)]
    assert instead.reason is Reason.TOPPED_UP
    assert instead.request_id != first.request_id


def test_the_recipe_of_the_docs_gives_the_same_lot() -> None:
    digest = hmac.digest(SEED, IDS[0].bytes, "sha256")
    bits = "".join(f"{byte:08b}" for byte in digest)
    assert sampling.lot(SEED, IDS[0]) == int(bits[:53], 2) / 2**53
