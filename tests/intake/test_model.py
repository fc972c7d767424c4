from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from intake import model
from intake.model import Case, Details, follow
from shared.contracts import Event, Fact
from shared.contracts.life import Known, Life
from shared.contracts.requests import (
    RequestAmended,
    RequestAnswered,
    RequestRejected,
    RequestWithdrawn,
    TaskCancelled,
    TaskFact,
    TaskFulfilled,
    TaskRecalled,
    TaskReturned,
)
from shared.contracts.vocabulary import (
    Channel,
    Decider,
    FiledBy,
    Language,
    RejectionReason,
    ReturnReason,
    Role,
    Status,
    WithdrawalReason,
)
from shared.identity import ANONYMOUS, Kind, Principal
from shared.ids import new_id
from shared.problems import Forbidden, NotInThisState, Problem
from tests.intake.builders import (
    GRID_WORKER,
    IMPORTER,
    INSPECTOR,
    OPERATOR,
    SUPERVISOR,
    accepted,
    assigned,
    handler,
    resident,
)
from tests.support.builders import START, Builder

PARTNER, LIAISON, DEPUTY = (handler(kind) for kind in (Kind.PARTNER, Kind.LIAISON, Kind.DEPUTY))
RESIDENT = resident(new_id())
REJECTED = RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON)
WITHDRAWN = RequestWithdrawn(reason=WithdrawalReason.UNSTATED)
TASK = new_id()


@pytest.mark.parametrize("caller", [ANONYMOUS, RESIDENT, OPERATOR, GRID_WORKER, PARTNER], ids=lambda c: c.kind)
@pytest.mark.parametrize("channel", [Channel.APP, Channel.WECHAT])
def test_app_and_wechat_are_open_to_all(caller: Principal, channel: Channel) -> None:
    assert model.channel_of(caller, channel) is channel


@pytest.mark.parametrize("channel", [Channel.HOTLINE, Channel.VISIT])
def test_hotline_and_visit_are_for_staff(channel: Channel) -> None:
    for caller in (OPERATOR, SUPERVISOR, INSPECTOR, GRID_WORKER):
        assert model.channel_of(caller, channel) is channel
    for caller in (ANONYMOUS, RESIDENT, PARTNER, LIAISON, DEPUTY):
        with pytest.raises(model.NotYourChannel):
            model.channel_of(caller, channel)


def test_partner_is_for_those_who_act_for_an_organisation() -> None:
    for caller in (PARTNER, LIAISON, DEPUTY):
        assert model.channel_of(caller, Channel.PARTNER) is Channel.PARTNER
    for caller in (ANONYMOUS, RESIDENT, OPERATOR, GRID_WORKER):
        with pytest.raises(model.NotYourChannel):
            model.channel_of(caller, Channel.PARTNER)


@pytest.mark.parametrize(
    ("caller", "channel", "capacity"),
    [
        (ANONYMOUS, Channel.APP, FiledBy.RESIDENT),
        (RESIDENT, Channel.APP, FiledBy.RESIDENT),
        (OPERATOR, Channel.HOTLINE, FiledBy.OPERATOR),
        (INSPECTOR, Channel.HOTLINE, FiledBy.OPERATOR),
        (GRID_WORKER, Channel.VISIT, FiledBy.GRID_WORKER),
        (PARTNER, Channel.PARTNER, FiledBy.PARTNER),
        (LIAISON, Channel.PARTNER, FiledBy.PARTNER),
    ],
)
def test_each_kind_of_caller_has_its_usual_channel(caller: Principal, channel: Channel, capacity: FiledBy) -> None:
    assert model.channel_of(caller, None) is channel
    assert model.filed_by(caller) is capacity


def test_only_staff_dates_a_filing() -> None:
    hour_ago = START - timedelta(hours=1)
    assert model.filed_at(OPERATOR, hour_ago, START) == hour_ago
    assert model.filed_at(ANONYMOUS, None, START) == START
    for caller in (ANONYMOUS, RESIDENT, PARTNER):
        with pytest.raises(model.NotYoursToDate):
            model.filed_at(caller, hour_ago, START)


def test_a_clock_a_little_ahead_is_forgiven_and_the_future_refused() -> None:
    assert model.filed_at(OPERATOR, START + timedelta(minutes=2), START) == START
    with pytest.raises(model.FiledInTheFuture):
        model.filed_at(OPERATOR, START + timedelta(minutes=2, seconds=1), START)


def test_what_is_older_than_a_week_needs_a_right() -> None:
    week_ago = START - timedelta(days=7)
    assert model.filed_at(OPERATOR, week_ago, START) == week_ago
    long_ago = week_ago - timedelta(seconds=1)
    assert model.filed_at(SUPERVISOR, long_ago, START) == long_ago
    assert model.filed_at(IMPORTER, long_ago, START) == long_ago
    for caller in (OPERATOR, INSPECTOR, GRID_WORKER):
        with pytest.raises(model.FiledTooLongAgo):
            model.filed_at(caller, long_ago, START)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("老人发烧", Language.ZH),
        ("I need a doctor", Language.EN),
        ("I live in 金茂花苑 and need a doctor for my child", Language.EN),
        ("需要 insulin", Language.ZH),
        ("🆘", Language.EN),
    ],
)
def test_the_language_is_that_of_most_words(text: str, language: Language) -> None:
    assert model.language_of(text) is language


@pytest.mark.parametrize(
    ("on_behalf_of", "masked"),
    [
        ("我奶奶", ()),
        ("我奶奶李桂英", ("李桂英",)),
        ("my grandmother Mary Smith", ("Mary Smith",)),
        ("张三", ("张三",)),
    ],
)
def test_a_relation_is_no_name(on_behalf_of: str, masked: tuple[str, ...]) -> None:
    assert Details(phone="+86", on_behalf_of=on_behalf_of).names == ("+86", *masked)


# Tasks


def task_facts() -> dict[str, TaskFact]:
    about: dict[str, Any] = {"task_id": TASK, "role": Role.LEAD, "organisation": "central-hospital"}
    answer: dict[str, Any] = {"text_id": new_id(), "text_hash": ""}
    return {
        "returned": TaskReturned(**about, reason=ReturnReason.NOT_OURS),
        "recalled": TaskRecalled(**about, liaison="x"),
        "cancelled": TaskCancelled(**about),
        "fulfilled": TaskFulfilled(**about),
        "answered": RequestAnswered(**about, **answer),
        "promised": RequestAnswered(**about, **answer, fulfil_by=START),
    }


@pytest.mark.parametrize(
    ("fact", "is_open"),
    [
        ("returned", False),
        ("recalled", False),
        ("cancelled", False),
        ("fulfilled", False),
        ("answered", False),
        ("promised", True),
    ],
)
def test_a_task_is_open_until_its_organisation_is_done_with_it(fact: str, is_open: bool) -> None:
    tasks = follow(follow({}, assigned(TASK)), accepted(TASK))
    assert tasks == {(TASK, "central-hospital"): True}
    assert follow(tasks, task_facts()[fact]) == {(TASK, "central-hospital"): is_open}


def test_a_task_given_on_is_open_at_the_new_organisation_alone() -> None:
    tasks = follow(follow({}, assigned(TASK)), assigned(TASK, "ambulance"))
    assert tasks == {(TASK, "central-hospital"): False, (TASK, "ambulance"): True}


# Where a request stands


def case(status: Status = Status.RECEIVED, request_id: UUID | None = None) -> Case:
    life = Life(
        request_id=request_id or new_id(),
        status=status,
        received_at=START,
        changed_at=START,
        holder=None,
        receipt="",
    )
    return Case(Known(life, life), {})


def heard(before: Case, *facts: Fact) -> Case:
    build = Builder()
    for fact in facts:
        event: Event[Fact] = build.event(fact, before.known.life.request_id)
        before = before.hear(event, own=event.source == "intake")
    return before


def test_what_intake_states_counts_at_once_and_is_not_counted_twice() -> None:
    said = case(Status.TRIAGED).say(WITHDRAWN, START)
    assert (said.known.life.status, said.known.ahead.status) == (Status.TRIAGED, Status.WITHDRAWN)
    after = heard(said, WITHDRAWN)
    assert (after.known.life.status, after.known.ahead.status) == (Status.WITHDRAWN, Status.WITHDRAWN)
    assert after.known.unheard == 0


def test_a_withdrawn_request_stays_withdrawn_whatever_was_stated_at_the_same_time() -> None:
    said = case(Status.TRIAGED).say(WITHDRAWN, START)
    for facts in ((assigned(TASK), WITHDRAWN), (WITHDRAWN, assigned(TASK))):
        between = heard(said, facts[0])
        assert between.known.ahead.status is Status.WITHDRAWN
        assert heard(said, *facts).known.life.status is Status.WITHDRAWN


def test_a_rejection_that_the_log_has_after_an_assignment_did_not_happen() -> None:
    said = case(Status.TRIAGED).say(REJECTED, START)
    assert heard(said, assigned(TASK)).known.ahead.status is Status.REJECTED
    assert heard(said, assigned(TASK), REJECTED).known.ahead.status is Status.ASSIGNED


def test_an_amendment_on_the_way_does_not_hide_what_others_state() -> None:
    amended = RequestAmended(text_id=new_id(), text_hash="")
    said = case(Status.TRIAGED).say(amended, START)
    assert heard(said, assigned(TASK)).known.ahead.status is Status.ASSIGNED
    assert heard(said, assigned(TASK), amended).known.unheard == 0


def test_nobody_works_on_a_request_that_has_ended() -> None:
    working = heard(case(Status.TRIAGED), assigned(TASK))
    assert working.working == {"central-hospital"}
    ended = working.say(WITHDRAWN, START)
    assert ended.working == frozenset()
    assert ended.organisations == {"central-hospital"}


OPEN = set(Status) - {Status.CLOSED, Status.REJECTED, Status.MERGED, Status.WITHDRAWN, Status.ARCHIVED}


def state_that_stands_against(check: Callable[..., None], *args: object) -> Status | None:
    try:
        check(*args)
    except NotInThisState as problem:
        return Status(problem.members["state"])
    return None


@pytest.mark.parametrize("status", list(Status))
def test_each_command_starts_from_the_states_of_the_table(status: Status) -> None:
    against_ending = None if status in OPEN else status
    against_rejecting = None if status in {Status.RECEIVED, Status.TRIAGED} else status
    assert state_that_stands_against(model.must_be_open, case(status)) == against_ending
    assert state_that_stands_against(model.must_apply, case(status), WITHDRAWN) == against_ending
    assert state_that_stands_against(model.must_take, case(status), case()) == against_ending
    assert state_that_stands_against(model.must_apply, case(status), REJECTED) == against_rejecting


def test_a_request_is_not_merged_into_itself() -> None:
    request_id = new_id()
    with pytest.raises(model.NoSuchTarget):
        model.must_take(case(request_id=request_id), case(request_id=request_id))


@pytest.mark.parametrize("act", list(model.Act))
def test_a_request_that_is_not_there_is_nobodys(act: model.Act) -> None:
    with pytest.raises(Problem) as refused:
        model.permit(SUPERVISOR, act, None)
    assert not isinstance(refused.value, Forbidden)
