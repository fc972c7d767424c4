"""Who is drawn: certain where it must be, reproducible where chance decides, in the planned share."""

from uuid import UUID, uuid5

import pytest

from followup import sampling
from followup.model import Case
from followup.plan import Plan
from followup.sampling import Reason
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour, DisputeReason
from tests.followup.stories import Story

SEED = b"a seed that only the service has"
IDS = [uuid5(UUID(int=0), str(n)) for n in range(20_000)]


def case_of(plan: Plan, colour: Colour = Colour.GREEN, category: Category = Category.OTHER) -> Case:
    return Story().received().triaged(colour, category=category).assigned().accepted().answered(5).case(plan)


def test_every_red_is_drawn_whatever_its_lot(plan: Plan) -> None:
    assert sampling.draw(case_of(plan, Colour.RED), plan.look_back, SEED) is Reason.COLOUR


def test_every_reopened_is_drawn(plan: Plan) -> None:
    story = Story().begun().answered(5).add(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    case = story.assigned().accepted().answered(5).case(plan)
    assert sampling.draw(case, plan.look_back, SEED) is Reason.REOPENED


@pytest.mark.parametrize(
    ("colour", "category", "share"),
    [
        (Colour.GREEN, Category.OTHER, 0.2),
        (Colour.YELLOW, Category.OTHER, 0.3),
        (Colour.YELLOW, Category.MEDICAL, 0.5),
        (Colour.GREEN, Category.COMPLAINT, 0.5),
    ],
)
def test_the_first_share_that_fits_holds(plan: Plan, colour: Colour, category: Category, share: float) -> None:
    assert sampling.share(case_of(plan, colour, category), plan.look_back) == share


def test_a_draw_can_be_repeated_by_whoever_has_the_seed_and_by_nobody_else() -> None:
    lots = [sampling.lot(SEED, request_id) for request_id in IDS]
    assert lots == [sampling.lot(SEED, request_id) for request_id in IDS]
    others = [sampling.lot(b"another seed", request_id) for request_id in IDS]
    both = sum(1 for a, b in zip(lots, others, strict=True) if a < 0.2 and b < 0.2)
    assert 0.03 < both / len(IDS) < 0.05  # as independent draws would


def test_lots_lie_evenly_between_0_and_1() -> None:
    lots = [sampling.lot(SEED, request_id) for request_id in IDS]
    assert all(0 <= lot < 1 for lot in lots)
    for share in (0.1, 0.2, 0.5, 0.9):
        drawn = sum(1 for lot in lots if lot < share) / len(lots)
        assert abs(drawn - share) < 0.015  # 4 standard deviations


def test_an_organisation_is_topped_up_to_five(plan: Plan) -> None:
    assert [sampling.top_up(drawn, plan.look_back) for drawn in (0, 4, 5, 9)] == [
        Reason.TOPPED_UP,
        Reason.TOPPED_UP,
        None,
        None,
    ]
