"""One example of every fact; run as a program it stores those that are not stored yet, as they would be published."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from shared.contracts import Event, Fact, encode
from shared.contracts import callbacks as c
from shared.contracts import casework as w
from shared.contracts import directory as d
from shared.contracts import drills as dr
from shared.contracts import lookback as b
from shared.contracts import operations as o
from shared.contracts import requests as r
from shared.contracts import reviews as v
from shared.contracts import texts as t
from shared.contracts.shapes import MultiPolygon
from shared.contracts.vocabulary import (
    Addressee,
    AlarmKind,
    AttemptOutcome,
    Category,
    Channel,
    Colour,
    Decider,
    DisputeReason,
    FiledBy,
    Finding,
    Language,
    Medium,
    NoticeOutcome,
    Outcome,
    PlaceDoubt,
    PlaceSource,
    ProblemKind,
    RejectionReason,
    ReturnReason,
    Role,
    Stage,
    SupervisionCause,
    TextKind,
    TransferCause,
    Vulnerability,
    WithdrawalReason,
)

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REQUEST = UUID("0193f1a0-0000-7000-8000-000000000001")
TEXT = UUID("0193f1a0-0000-7000-8000-000000000002")
TASK = UUID("0193f1a0-0000-7000-8000-000000000003")
OTHER = UUID("0193f1a0-0000-7000-8000-000000000004")
LEAD = {"task_id": TASK, "role": Role.LEAD, "organisation": "central-hospital"}
DAY = "central-hospital.day"
SAID = {"text_id": TEXT, "text_hash": "5f3a"}

EXAMPLES: list[Fact] = [
    r.RequestReceived(
        receipt="H7K3-92QF-X",
        channel=Channel.APP,
        filed_by=FiledBy.RESIDENT,
        language=Language.ZH,
        area="pinghu/dushangang/huxiao/06",
        place_source=PlaceSource.ADDRESS,
        place_confidence=0.5,
        place_doubt=PlaceDoubt.NAMES,
        contact_hash="c0ffee",
        household_hash="beef",
        building_hash="cafe",
        stated_category=Category.MEDICAL,
        persons=1,
        vulnerability=(Vulnerability.ELDERLY, Vulnerability.ALONE),
        filed_at=AT,
        received_at=AT,
        text_id=TEXT,
        text_hash="5f3a",
    ),
    r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON, text_id=TEXT, text_hash="5f3a"),
    r.RequestMerged(into=OTHER),
    r.RequestWithdrawn(reason=WithdrawalReason.SOLVED_OTHERWISE),
    r.RequestAmended(text_id=TEXT, text_hash="5f3a"),
    r.RequestArchived(),
    r.RequestTriaged(
        revision=1,
        category=Category.MEDICAL,
        colour=Colour.RED,
        deadline=AT,
        needs=("transport",),
        decided_by=Decider.MACHINE,
        unsure=True,
        review_due_at=AT,
        reasons=(r.Reason(rule="rabies-dose", gives="red", text_id=TEXT, start=3, end=6),),
        policy_version="2026-11-24",
    ),
    r.TaskAssigned.model_validate(
        LEAD
        | {"liaison": DAY, "rule": "medical", "attempt": 1, "accept_by": AT, "contact_by": AT, "answer_by": AT}
        | {"policy_version": "2026-11-24"}
    ),
    r.TaskAccepted.model_validate(LEAD | {"liaison": DAY}),
    r.TaskReturned.model_validate(LEAD | SAID | {"reason": ReturnReason.NOT_OURS, "belongs_to": "utilities"}),
    r.TaskRecalled.model_validate(LEAD | {"liaison": DAY}),
    r.TaskCancelled.model_validate(LEAD),
    r.ResidentContacted.model_validate(LEAD | {"medium": Medium.PHONE}),
    r.TaskProgressed.model_validate(LEAD | SAID),
    r.RequestAnswered.model_validate(LEAD | SAID | {"fulfil_by": AT}),
    r.TaskFulfilled.model_validate(LEAD),
    r.TaskReminded.model_validate(LEAD | {"stage": Stage.ACCEPTED, "percent": 50, "due_at": AT}),
    r.TaskNudged.model_validate(LEAD | {"stage": Stage.ANSWERED, "count": 2, "missed": 1, "due_at": AT}),
    r.TaskEscalated.model_validate(LEAD | {"stage": Stage.ANSWERED, "level": 1}),
    w.TaskConfirmed.model_validate(LEAD | {"happens_at": AT}),
    w.TaskDelivered.model_validate(LEAD | {"quantity": 2, "delivered": 2, "asked": 3, "unit": "box"}),
    w.TaskTransferred.model_validate(
        LEAD | {"cause": TransferCause.SHIFT_CHANGE, "from_liaison": DAY, "liaison": "central-hospital.night"}
    ),
    w.RequestInterimAnswered.model_validate(LEAD | SAID),
    w.TaskExtended.model_validate(
        LEAD | SAID | {"stage": Stage.ANSWERED, "before": AT, "due_at": AT, "policy_version": "2026-11-25"}
    ),
    w.ResidentQuestioned.model_validate(LEAD | SAID | {"number": 1, "answer_by": AT, "policy_version": "2026-11-25"}),
    w.QuestionLapsed.model_validate(LEAD | {"number": 1}),
    w.TaskArbitrated.model_validate(LEAD | {"returns": 2}),
    w.TaskSupervised.model_validate(
        LEAD
        | {"cause": SupervisionCause.OVERDUE, "stage": Stage.ANSWERED, "leader": "central-hospital.supervisor"}
        | {"answer_by": AT, "policy_version": "2026-11-25"}
    ),
    w.SupervisionAnswered.model_validate(LEAD | SAID | {"leader": "central-hospital.supervisor"}),
    w.DelayPublicised.model_validate(LEAD | {"stage": Stage.ANSWERED, "due_at": AT}),
    r.RequestDisputed(reason=DisputeReason.NOT_SOLVED),
    r.RequestClosed(outcome=Outcome.CONFIRMED),
    r.RequestRated(solved=True, satisfaction=5, text_id=TEXT, text_hash="5f3a"),
    r.ResidentVisited(
        visit_id=OTHER, attempt=1, medium=Medium.PHONE, outcome=AttemptOutcome.REACHED, solved=True, satisfaction=4
    ),
    r.PersonNotified(
        notice_id=OTHER,
        addressee=Addressee.RESIDENT,
        medium=Medium.APP,
        about="heed.request.received",
        outcome=NoticeOutcome.DELIVERED,
    ),
    t.TextRecorded(
        text_id=TEXT,
        request_id=REQUEST,
        kind=TextKind.REQUEST,
        text="需要帮助，电话[phone]",
        language=Language.ZH,
        filed_at=AT,
        received_at=AT,
        channel=Channel.APP,
    ),
    t.TextErased(),
    d.OrganisationRecorded(
        organisation="central-hospital",
        name=d.Named(zh="中心医院", en="Central hospital"),
        services=(Category.MEDICAL,),
        areas=("pinghu",),
        liaisons=(DAY,),
        supervisor="central-hospital.supervisor",
    ),
    d.AreaRecorded(
        area="pinghu/dushangang/huxiao",
        level="village",
        name=d.Named(zh="虎啸村", en="Huxiao village"),
        aliases=("虎啸",),
        shape=MultiPolygon(
            type="MultiPolygon",
            coordinates=(
                (
                    ((121.1, 30.6), (121.2, 30.6), (121.2, 30.7), (121.1, 30.6)),
                    ((121.15, 30.61), (121.19, 30.61), (121.19, 30.65), (121.15, 30.61)),
                ),
                (((121.3, 30.6), (121.4, 30.6), (121.4, 30.7), (121.3, 30.6)),),
            ),
        ),
        people=(DAY,),
    ),
    d.PolicyRecorded(policy="triage-rules", version="2026-11-24"),
    c.DeliverySucceeded(
        endpoint_id=OTHER, delivery_id=TASK, event_id=TEXT, event_type="heed.request.closed", attempt=2
    ),
    c.DeliveryFailed(
        endpoint_id=OTHER,
        delivery_id=TASK,
        event_id=TEXT,
        event_type="heed.request.closed",
        attempt=1,
        status_code=500,
        final=False,
    ),
    c.EndpointDisabled(endpoint_id=OTHER),
    o.EventParked(service="dispatch", event_id=TEXT, event_type="heed.request.triaged", error="KeyError"),
    o.EventRetried(service="dispatch", event_id=TEXT),
    o.EventDropped(service="dispatch", event_id=TEXT),
    o.AlarmRaised(service="followup", kind=AlarmKind.SILENT, request_id=REQUEST, stage=Stage.ACCEPTED, count=2),
    o.AlarmCleared(service="followup", kind=AlarmKind.SILENT, request_id=REQUEST),
    o.LogSealed(
        service="followup",
        topic="heed.requests",
        partition=3,
        first_position=0,
        from_position=12,
        to_position=40,
        records=40,
        hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    dr.DrillAsked(service="dispatch", drill_id=OTHER, organisation="central-hospital", liaisons=(DAY,), answer_by=AT),
    dr.DrillClosed(
        service="dispatch", drill_id=OTHER, organisation="central-hospital", asked=4, answered=3, unreached=(DAY,)
    ),
    b.RatingReminded(until=AT),
    b.RequestInspected(
        visit_id=OTHER,
        organisation="central-hospital",
        answers_what_was_asked=2,
        concrete_action_and_time=2,
        right_owner_and_contact=2,
        plain_and_polite=2,
        proof_attached=0,
        passed=True,
        finding=Finding.SUPERVISION,
    ),
    v.DrawCommitted(service="followup", period=AT.date(), days=7, commitment="5f3a"),
    v.DrawRevealed(service="followup", period=AT.date(), days=7, seed="5f3a", answers=120, drawn=31),
    v.ImprovementAssigned(
        service="dispatch",
        improvement_id=OTHER,
        problem=ProblemKind.LATE,
        stage=Stage.ANSWERED,
        organisation="central-hospital",
        holder="central-hospital.supervisor",
        due_at=AT,
        since=AT,
        until=AT,
    ),
    v.ImprovementDone(service="dispatch", improvement_id=OTHER),
]


def store_missing(folder: Path) -> None:
    """Store an example of each type that has none; what is stored is never changed."""
    for fact in EXAMPLES:
        place = folder / fact.TYPE
        if place.exists():
            continue
        place.mkdir(parents=True)
        event = Event(id=OTHER, source="example", subject=str(REQUEST), key="key", time=AT, sequence=1, fact=fact)
        record = encode(event)
        stored = {
            "topic": record.topic,
            "key": record.key,
            "headers": dict(record.headers),
            "value": None if record.value is None else json.loads(record.value),
        }
        path = place / f"{AT:%Y-%m-%d}.json"
        path.write_text(json.dumps(stored, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    store_missing(Path(__file__).parent / "golden")
