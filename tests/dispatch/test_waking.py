"""What time does to a case that nobody acts on."""

from shared.contracts import requests as r
from shared.contracts.vocabulary import (
    Stage,
)
from tests.dispatch.stories import triaged
from tests.dispatch.told import Told


def test_who_never_acts_loses_it_up_to_the_backstop_and_nobody_gets_it_twice() -> None:
    told = Told(triaged())
    facts = told.turn(minutes=25)
    assert [(f.organisation, f.liaison) for f in facts if isinstance(f, r.TaskAssigned)] == [
        ("central-hospital", "central-hospital.deputy"),
        ("central-hospital", "central-hospital.supervisor"),
        ("duty-office", "duty-office.day"),
        ("duty-office", "duty-office.deputy"),
        ("duty-office", "duty-office.supervisor"),
    ]
    levels = [f.level for f in facts if isinstance(f, r.TaskEscalated) and f.stage is Stage.ACCEPTED]
    assert levels == [1, 2, 3, 1, 2]
    assert told.lead.rule == "backstop"


def test_at_the_top_it_is_urged_on_and_given_to_the_next_shift() -> None:
    told = Told(triaged())
    told.turn(minutes=35)
    assert told.lead.liaison == "duty-office.supervisor"
    told.turn(hours=3)
    assert told.lead.liaison == "duty-office.supervisor"
    clock = told.lead.clocks[Stage.ACCEPTED]
    assert clock.nudges > 15
    facts = told.turn(hours=2)  # the night shift begins at 20:00 in the city
    assert "duty-office.night" in {f.liaison for f in facts if isinstance(f, r.TaskAssigned)}


def test_recall_keeps_history_contact_and_answer_clocks() -> None:
    told = Told(triaged())
    contact, answer = told.lead.due(Stage.CONTACTED), told.lead.due(Stage.ANSWERED)
    told.turn(minutes=6)
    assert told.lead.liaison == "central-hospital.deputy"
    assert (told.lead.due(Stage.CONTACTED), told.lead.due(Stage.ANSWERED)) == (contact, answer)
    assert told.lead.attempt == 2
    assert len(told.case.tasks) == 1
