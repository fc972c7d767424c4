"""Returns: bounded, and never without saying whose it is."""

import pytest

from dispatch.tasks import (
    OwnerNotNamed,
    ReturnsExhausted,
    UnknownOrganisation,
)
from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Category,
    Colour,
    ReturnReason,
    Stage,
)
from tests.dispatch.stories import triaged
from tests.dispatch.told import MINUTE, Told, kinds


def test_not_ours_says_whose_and_it_goes_there() -> None:
    told = Told(triaged())
    for wrong, problem in ((None, OwnerNotNamed), ("nobody", UnknownOrganisation), ("central-hospital", OwnerNotNamed)):
        with pytest.raises(problem):
            told.give_back(ReturnReason.NOT_OURS, wrong)
    assert told.stated() == [] or kinds(told.stated()) == [r.TaskAssigned]
    told.read_own()
    told.give_back(ReturnReason.NOT_OURS, "pharmacy-supply")
    assert kinds(told.stated()) == [r.TaskReturned, r.TaskAssigned]
    assert told.lead.organisation == "pharmacy-supply"


def test_other_reasons_go_by_the_rules_without_who_returned_it() -> None:
    told = Told(triaged(Colour.GREEN, Category.QUARANTINE_POLICY))
    assert told.lead.organisation == "huxiao-office"
    told.give_back(ReturnReason.WRONG_AREA)
    assert told.lead.organisation == "town-office"


def test_after_the_second_return_a_person_decides_and_there_is_no_third() -> None:
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    assert (told.lead.organisation, told.lead.needs_person) == ("duty-office", True)
    with pytest.raises(ReturnsExhausted):
        told.give_back(ReturnReason.NOT_OURS, "utilities")


def test_two_that_name_each_other_do_not_play_on() -> None:
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "central-hospital")
    assert (told.lead.organisation, told.lead.needs_person) == ("duty-office", True)


def test_the_backstop_gives_back_only_to_somebody_it_names() -> None:
    told = Told(triaged(Colour.GREEN, Category.OTHER), area=None)
    assert told.lead.organisation == "duty-office"
    with pytest.raises(OwnerNotNamed):
        told.give_back(ReturnReason.NO_CAPACITY)
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    assert (told.lead.organisation, told.lead.needs_person) == ("utilities", False)


def test_the_answer_clock_runs_on_over_a_return() -> None:
    told = Told(triaged())
    due = told.lead.due(Stage.ANSWERED)
    told.now += 4 * MINUTE
    told.give_back(ReturnReason.NOT_OURS, "police")
    assert told.lead.due(Stage.ANSWERED) == due
    assert told.lead.due(Stage.ACCEPTED) == told.now + 5 * MINUTE
