"""The traps that others fell into, as far as they are dispatch's; a test each, named after the trap."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from dispatch import concessions, playbooks
from dispatch.tasks import OwnerNotNamed, TaskStatus
from dispatch.waking import wake
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Colour, Decider, DisputeReason, Medium, ReturnReason, Stage
from shared.ids import new_id
from tests.dispatch.stories import Story, liaison, received, triaged
from tests.dispatch.told import MINUTE, TEXT, Told, kinds

MORE_THAN_A_BATCH = 700


async def test_a_per_run_limit_that_hides_overdue_items(story: Story) -> None:
    """osTicket looks at a hundred a run."""
    now, ids = story.harness.clock.now(), [new_id() for _ in range(MORE_THAN_A_BATCH)]
    facts = [(received(at=now), i) for i in ids] + [(triaged(), i) for i in ids]
    await story.harness.take(*(story.builder.event(fact, i, time=now) for fact, i in facts))
    story.harness.clock.turn(minutes=5)
    await story.harness.fire_due()
    recalled = sa.text("select distinct aggregateid from outbox where type = 'heed.request.recalled'")
    assert len(await story.harness.rows(recalled)) == MORE_THAN_A_BATCH  # type: ignore[arg-type] # as plain SQL


def test_one_reminder_a_day_and_later_ones_swallowed() -> None:
    """Zammad reminds once a day, and forgets what fell into the night."""
    told = Told(triaged(Colour.YELLOW))
    told.accept()
    told.case.contact(told.lead, told.lead.revision, Medium.PHONE, told.now)
    told.lead.duty_ends_at = None
    told.read_own()
    told.now += timedelta(days=4)
    wake(told.case, told.duty())
    [nudge] = [f for f in told.stated() if isinstance(f, r.TaskNudged) and f.stage is Stage.ANSWERED]
    assert (nudge.count, nudge.missed) == (73, 72)  # hourly, from the end of the first day


def test_first_response_overruled_by_a_later_update_clock() -> None:
    """Zammad: a kept first response counts as missed once an update is late."""
    told = Told(triaged(Colour.YELLOW))
    told.accept()
    told.case.contact(told.lead, told.lead.revision, Medium.PHONE, told.now)
    told.case.progress(told.lead, told.lead.revision, TEXT, told.now)
    concessions.transfer(told.case, told.lead, told.lead.revision, "central-hospital.deputy", None, told.duty())
    facts = told.turn(days=3)
    assert Stage.CONTACTED not in {f.stage for f in facts if isinstance(f, r.TaskNudged | r.TaskReminded)}


@pytest.mark.parametrize("medium", list(Medium))
def test_an_answer_over_another_channel_that_does_not_count(medium: Medium) -> None:
    """Zammad: a telephone call does not stop the clock."""
    told = Told(triaged(needs=("transport",)))
    assistant = told.accept(told.case.tasks[1])
    told.case.contact(assistant, assistant.revision, medium, told.now)
    assert not told.lead.clocks[Stage.CONTACTED].is_running


def test_routing_rules_run_again_on_edit_and_moving_the_owner() -> None:
    """Signalen reassigns when somebody corrects the category."""
    told = Told(triaged(Colour.YELLOW))
    told.accept()
    facts = told.tell(triaged(Colour.YELLOW, Category.UTILITIES_PROPERTY, revision=2, by=Decider.PERSON))
    assert r.TaskAssigned not in kinds(facts)
    assert (told.lead.organisation, told.lead.status) == ("central-hospital", TaskStatus.ACCEPTED)


def test_one_message_for_each_part_of_a_split_request() -> None:
    """Signalen/frontend 34: the resident hears each department; here what the lead says is all that is an answer."""
    told = Told(triaged(needs=("transport",), deadline=Told().now + timedelta(days=1)))
    lead = told.accept()
    playbooks.confirm(told.case, lead, lead.revision, told.now + timedelta(hours=5), None, told.duty())
    vehicle = told.accept(told.case.tasks[1])
    playbooks.confirm(told.case, vehicle, vehicle.revision, None, None, told.duty())
    told.case.fulfil(vehicle, vehicle.revision, None, told.duty())
    told.case.answer(lead, lead.revision, TEXT, None, told.duty())
    assert kinds(told.stated()).count(r.RequestAnswered) == 1


def test_reopened_to_somebody_off_duty() -> None:
    """Chatwoot gives it back to whoever had it, though he went home."""
    told = Told(triaged())
    told.answer()
    assert told.lead.liaison == "central-hospital.day"
    told.now += timedelta(hours=8)
    told.tell(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    there = told.duty().city.all_on_duty("central-hospital", told.now)
    assert told.lead.liaison in there
    assert "central-hospital.day" not in there


def test_an_owner_who_never_acts_keeps_it_for_ever() -> None:
    """Chatwoot 13516, 14508."""
    told = Told(triaged(Colour.GREEN))
    facts = told.turn(days=2)
    hands = [f.liaison for f in facts if isinstance(f, r.TaskAssigned)]
    assert hands[:2] == ["huxiao-office.deputy", "huxiao-office.supervisor"] or hands[0].endswith(".deputy")
    assert [f for f in facts if isinstance(f, w.TaskSupervised)]


def test_not_our_responsibility_without_saying_whose() -> None:
    """FixMyStreet 1114, 4457."""
    told = Told(triaged())
    with pytest.raises(OwnerNotNamed):
        told.give_back(ReturnReason.NOT_OURS)
    told.give_back(ReturnReason.NOT_OURS, "police")
    [returned] = [f for f in told.stated() if isinstance(f, r.TaskReturned)]
    assert returned.belongs_to == "police"


def test_fixed_that_is_not_and_no_way_back() -> None:
    """FixMyStreet: who says so is not heard; here the same history goes on, one level higher, with a leader named."""
    told = Told(triaged())
    task = told.answer()
    facts = told.tell(r.RequestDisputed(reason=DisputeReason.NOT_SOLVED))
    assert kinds(facts) == [r.TaskEscalated, r.TaskAssigned, w.TaskSupervised]
    assert told.lead is task
    assert told.lead.status is TaskStatus.ASSIGNED


async def test_a_late_accept_is_told_who_holds_it_now(story: Story) -> None:
    request_id: UUID = await story.file(triaged())
    early = await story.lead(request_id)
    await story.harness.turn(minutes=6)
    late = await story.do(liaison("central-hospital"), early, "accept")
    assert (late.status_code, late.json()["liaison"]) == (409, "central-hospital.deputy")


def test_a_clock_is_not_won_by_handing_the_task_round() -> None:
    """Nobody gains time by passing a task on before he accepts it."""
    told = Told(triaged(Colour.YELLOW))
    due = told.lead.due(Stage.ACCEPTED)
    for liaison_id in ("central-hospital.deputy", "central-hospital.day"):
        told.now += 5 * MINUTE
        concessions.transfer(told.case, told.lead, told.lead.revision, liaison_id, None, told.duty())
    assert told.lead.due(Stage.ACCEPTED) == due
