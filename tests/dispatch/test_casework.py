"""Time asked for, colleagues who take over, orders, arbitration, playbooks and quantities: the rules by example."""

from datetime import timedelta

import pytest

from dispatch import concessions, oversight, playbooks
from dispatch.returns import give_back
from dispatch.tasks import (
    EvidenceMissing,
    ExtensionRefused,
    HappensInThePast,
    InterimAnswerMissing,
    NoOrder,
    NotOnDuty,
    QuantityRefused,
    RedNeverExtends,
    RequiredTasksOpen,
    ReturnsExhausted,
    Task,
    TaskStatus,
    TransfersExhausted,
)
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Colour, DisputeReason, ReturnReason, Stage, SupervisionCause, TransferCause
from tests.dispatch.stories import triaged
from tests.dispatch.told import MINUTE, TEXT, Told, kinds

DAY = timedelta(days=1)


def extend(told: Told, by: timedelta, *, hard: bool = False) -> None:
    until = told.lead.clocks[Stage.ANSWERED].due_at + by
    concessions.extend(told.case, told.lead, told.lead.revision, until, TEXT, told.duty(), hard=hard)


def of(told: Told, kind: type[r.TaskFact]) -> list[r.TaskFact]:
    return [fact for fact in told.stated() if isinstance(fact, kind)]


# Extension


def test_an_extension_is_one_and_says_what_was_promised_before() -> None:
    told = Told(triaged(Colour.YELLOW))
    told.accept()
    before = told.lead.due(Stage.ANSWERED)
    extend(told, timedelta(hours=12))
    [fact] = of(told, w.TaskExtended)
    assert isinstance(fact, w.TaskExtended)
    assert (fact.before, fact.due_at, fact.hard) == (before, told.lead.due(Stage.ANSWERED), False)
    assert fact.policy_version
    with pytest.raises(ExtensionRefused):
        extend(told, timedelta(hours=1))


def test_red_never_extends() -> None:
    told = Told(triaged(Colour.RED))
    told.accept()
    with pytest.raises(RedNeverExtends):
        extend(told, MINUTE)


def test_an_extension_is_asked_for_before_the_time_is_up_and_within_the_policy() -> None:
    told = Told(triaged(Colour.YELLOW))
    told.accept()
    with pytest.raises(ExtensionRefused):
        extend(told, timedelta(hours=12, minutes=1))
    told.turn(hours=24)
    told.accept()
    with pytest.raises(ExtensionRefused):
        extend(told, timedelta(hours=1))


def test_no_extension_reaches_beyond_the_deadline_of_the_need() -> None:
    told = Told(triaged(Colour.YELLOW, deadline=Told().now + timedelta(hours=30)))
    told.accept()
    with pytest.raises(ExtensionRefused) as refused:
        extend(told, timedelta(hours=8))
    assert refused.value.members["latest"].startswith("2026-03-03T14:00")


def test_a_hard_case_gets_more_after_an_interim_answer() -> None:
    told = Told(triaged(Colour.GREEN))
    told.accept()
    with pytest.raises(InterimAnswerMissing):
        extend(told, 10 * DAY, hard=True)
    concessions.interim_answer(told.case, told.lead, told.lead.revision, TEXT, told.duty())
    due = told.lead.due(Stage.ANSWERED)
    assert kinds(told.stated())[-1] is w.RequestInterimAnswered
    extend(told, 10 * DAY, hard=True)
    assert due is not None
    assert told.lead.due(Stage.ANSWERED) == due + 10 * DAY


def test_an_extension_is_void_once_it_is_red() -> None:
    told = Told(triaged(Colour.YELLOW))
    told.accept()
    extend(told, timedelta(hours=12))
    told.tell(triaged(Colour.RED, revision=2))
    assert told.lead.due(Stage.ANSWERED) == told.now + 120 * MINUTE


# Transfer


def test_a_colleague_on_duty_takes_over_and_no_clock_begins_anew() -> None:
    told = Told(triaged(Colour.YELLOW))
    told.now += 20 * MINUTE
    accept, contact, answer = (told.lead.due(s) for s in (Stage.ACCEPTED, Stage.CONTACTED, Stage.ANSWERED))
    concessions.transfer(told.case, told.lead, 1, "central-hospital.deputy", None, told.duty())
    assert [told.lead.due(s) for s in (Stage.ACCEPTED, Stage.CONTACTED, Stage.ANSWERED)] == [accept, contact, answer]
    assert kinds(told.stated())[-2:] == [w.TaskTransferred, r.TaskAssigned]
    assert told.lead.liaison == "central-hospital.deputy"


def test_nobody_off_duty_or_of_another_house_is_handed_a_task_and_not_for_ever() -> None:
    told = Told(triaged(Colour.YELLOW))
    for nobody in ("central-hospital.night", "police.deputy", "nobody", "central-hospital.day"):
        with pytest.raises(NotOnDuty):
            concessions.transfer(told.case, told.lead, told.lead.revision, nobody, None, told.duty())
    for liaison in ("central-hospital.deputy", "central-hospital.supervisor", "central-hospital.day"):
        concessions.transfer(told.case, told.lead, told.lead.revision, liaison, None, told.duty())
    with pytest.raises(TransfersExhausted):
        concessions.transfer(told.case, told.lead, told.lead.revision, "central-hospital.deputy", None, told.duty())


def test_at_the_change_of_shift_what_was_accepted_goes_to_who_came_on_duty() -> None:
    told = Told(triaged(Colour.GREEN))
    told.accept()
    answer = told.lead.due(Stage.ANSWERED)
    assert told.lead.liaison == "central-hospital.day"
    facts = told.turn(hours=4)  # 20:00 in the city
    [moved] = [f for f in facts if isinstance(f, w.TaskTransferred)]
    assert (moved.cause, moved.from_liaison, moved.liaison) == (
        TransferCause.SHIFT_CHANGE, "central-hospital.day", "central-hospital.night"
    )  # fmt: skip
    assert (told.lead.status, told.lead.due(Stage.ANSWERED)) == (TaskStatus.ASSIGNED, answer)


# Supervision and public notice


def test_at_200_percent_a_named_leader_owes_an_answer_and_at_300_it_is_public() -> None:
    told = Told(triaged(Colour.RED))
    told.accept()
    facts = told.turn(minutes=46)
    [order] = [f for f in facts if isinstance(f, w.TaskSupervised)]
    assert (order.leader, order.cause, order.stage) == (
        "central-hospital.supervisor", SupervisionCause.OVERDUE, Stage.CONTACTED
    )  # fmt: skip
    assert order.answer_by == told.lead.first_assigned_at + 60 * MINUTE  # type: ignore[operator] # assigned at once
    [public] = [f for f in facts if isinstance(f, w.DelayPublicised)]
    assert public.stage is Stage.CONTACTED


def test_the_order_is_answered_once_and_one_that_is_not_is_urged() -> None:
    told = Told(triaged(Colour.RED))
    told.accept()
    told.turn(minutes=31)
    told.read_own()
    oversight.answer_order(told.case, told.lead, told.lead.revision, TEXT, told.duty())
    assert kinds(told.stated()) == [w.SupervisionAnswered]
    with pytest.raises(NoOrder):
        oversight.answer_order(told.case, told.lead, told.lead.revision, TEXT, told.duty())
    other = Told(triaged(Colour.RED))
    other.accept()
    facts = other.turn(minutes=61)
    assert [f.stage for f in facts if isinstance(f, r.TaskNudged)].count(Stage.SUPERVISED) == 1


def test_the_first_reopening_and_the_second_return_bring_an_order() -> None:
    told = Told(triaged())
    told.answer()
    facts = told.tell(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    [order] = [f for f in facts if isinstance(f, w.TaskSupervised)]
    assert order.cause is SupervisionCause.REOPENED
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    [order] = [f for f in told.stated() if isinstance(f, w.TaskSupervised)]
    assert order.cause is SupervisionCause.SECOND_RETURN


# Arbitration


def test_what_nobody_wants_has_an_arbitration_clock_and_the_decision_is_final() -> None:
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    assert told.lead.due(Stage.ARBITRATED) == told.now + 10 * MINUTE
    told.read_own()
    oversight.arbitrate(told.case, "police", None, told.duty())
    assert kinds(told.stated()) == [w.TaskArbitrated, r.TaskAssigned]
    assert (told.lead.organisation, told.lead.rule, told.lead.needs_person) == ("police", "arbitrated", False)
    with pytest.raises(ReturnsExhausted):
        told.give_back(ReturnReason.NOT_OURS, "utilities")


def test_an_arbitration_that_nobody_decides_is_urged_and_goes_higher() -> None:
    told = Told(triaged())
    told.give_back(ReturnReason.NOT_OURS, "police")
    told.give_back(ReturnReason.NOT_OURS, "utilities")
    told.accept()
    facts = told.turn(minutes=21)
    assert [f.count for f in facts if isinstance(f, r.TaskNudged) and f.stage is Stage.ARBITRATED] == [1, 2]
    assert [f.level for f in facts if isinstance(f, r.TaskEscalated) and f.stage is Stage.ARBITRATED] == [1]


def test_a_return_without_evidence_is_refused() -> None:
    told = Told(triaged())
    with pytest.raises(EvidenceMissing):
        give_back(told.case, told.lead, 1, ReturnReason.NOT_OURS, "police", None, told.duty())


# Playbooks


def dose() -> Told:
    return Told(triaged(needs=("transport",), deadline=Told().now + DAY))


def confirm(told: Told, task: Task, hours: float) -> None:
    at = told.now + timedelta(hours=hours)
    playbooks.confirm(told.case, task, task.revision, at, None, told.duty())


def test_the_vehicle_is_booked_for_the_time_that_the_hospital_gave() -> None:
    told = dose()
    assert [task.organisation for task in told.case.tasks] == ["central-hospital"]
    told.accept()
    confirm(told, told.lead, 18)
    vehicle = told.case.tasks[1]
    assert (vehicle.organisation, vehicle.step, vehicle.required) == ("transport-team", "vehicle", True)
    assert vehicle.due(Stage.FULFILLED) == told.now + timedelta(hours=18)


def test_a_lead_cannot_answer_while_a_required_task_is_open() -> None:
    told = dose()
    task = told.accept()
    for step in ("before the appointment", "before the vehicle is booked"):
        with pytest.raises(RequiredTasksOpen):
            told.case.answer(task, task.revision, TEXT, None, told.duty())
        if step == "before the appointment":
            confirm(told, task, 18)
    vehicle = told.accept(told.case.tasks[1])
    confirm(told, vehicle, 18)
    told.case.answer(task, task.revision, TEXT, None, told.duty())
    assert kinds(told.stated())[-1] is r.RequestAnswered


def test_the_desk_may_go_without_a_required_help() -> None:
    told = dose()
    task = told.accept()
    confirm(told, task, 18)
    playbooks.waive(told.case, told.case.tasks[1], 1, told.duty())
    told.case.answer(task, task.revision, TEXT, None, told.duty())
    with pytest.raises(HappensInThePast):
        confirm(dose(), dose().accept(), -1)


def test_three_boxes_asked_two_delivered_leaves_one_open() -> None:
    told = Told(triaged(Colour.YELLOW))
    boxes = told.case.add_assisting("pharmacy-supply", None, told.duty(), required=True, quantity=3, unit="box")
    told.accept(boxes)
    told.case.fulfil(boxes, boxes.revision, None, told.duty(), 2)
    assert (boxes.status, boxes.delivered) == (TaskStatus.ACCEPTED, 2)
    with pytest.raises(QuantityRefused) as refused:
        told.case.fulfil(boxes, boxes.revision, None, told.duty(), 2)
    assert refused.value.members["open"] == 1
    task = told.accept()
    with pytest.raises(RequiredTasksOpen):
        told.case.answer(task, task.revision, TEXT, None, told.duty())
    told.case.fulfil(boxes, boxes.revision, None, told.duty())
    assert [f.delivered for f in told.stated() if isinstance(f, w.TaskDelivered)] == [2, 3]
    assert kinds(told.stated())[-1] is r.TaskFulfilled
    told.case.answer(task, task.revision, TEXT, None, told.duty())
