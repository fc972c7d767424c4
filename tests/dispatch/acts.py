"""What people may do with a case, in a word each."""

from collections.abc import Callable
from datetime import datetime, timedelta

from dispatch import concessions, oversight, playbooks, questions
from dispatch.city import OnDuty
from dispatch.model import Case
from dispatch.returns import give_back
from dispatch.routing import Duty
from dispatch.tasks import Task, TaskStatus, TextRef
from shared.contracts import requests as r
from shared.contracts.vocabulary import Decider, Medium, RejectionReason, ReturnReason, Stage
from shared.ids import new_id

TEXT = TextRef(new_id(), "hash")
MINUTE = timedelta(minutes=1)


CONCESSIONS: dict[str, Callable[[Case, Task, int, Duty], object]] = {
    "confirm": lambda c, t, revision, d: playbooks.confirm(c, t, revision, d.now + 60 * MINUTE, None, d),
    "waive": playbooks.waive,
    "extend": lambda c, t, revision, d: concessions.extend(c, t, revision, later(t, d), TEXT, d, hard=False),
    "hard": lambda c, t, revision, d: concessions.extend(c, t, revision, later(t, d), TEXT, d, hard=True),
    "interim": lambda c, t, revision, d: concessions.interim_answer(c, t, revision, TEXT, d),
    "transfer": lambda c, t, revision, d: concessions.transfer(c, t, revision, f"{t.organisation}.deputy", None, d),
    "ask": lambda c, t, revision, d: questions.ask(c, t, revision, TEXT, d),
    "answer order": lambda c, t, revision, d: oversight.answer_order(c, t, revision, TEXT, d),
}
ARRIVING, WORKING, OWING = ["accept", "return", "transfer"], ["contact", "progress", "fulfil", "deliver"], ["fulfil"]
USUAL = {
    TaskStatus.WAITING: ["waive"],
    TaskStatus.ASSIGNED: [*ARRIVING, "accept"],
    TaskStatus.ACCEPTED: [*WORKING, "return", "answer", "promise", *CONCESSIONS],
    TaskStatus.ANSWERED: OWING,
}
"""What people do with a task; with one that is over, and now and then with any, they try all."""
VERBS = sorted({verb for verbs in USUAL.values() for verb in verbs})
DESK: dict[str, Callable[[Case, str, Duty], object]] = {
    "nudge": lambda case, _organisation, _duty: case.nudge(),
    "add": lambda case, organisation, duty: case.add_assisting(organisation, None, duty, required=True, quantity=3),
    "arbitrate": lambda case, organisation, duty: oversight.arbitrate(case, organisation, None, duty),
    "supervise": lambda case, _organisation, duty: oversight.order_by_hand(case, None, None, duty),
}


def later(task: Task, duty: Duty) -> datetime:
    return (task.due(Stage.ANSWERED) or duty.now) + 60 * MINUTE


def rejected() -> r.RequestRejected:
    return r.RequestRejected(reason=RejectionReason.TEST, decided_by=Decider.PERSON)


def act(case: Case, task: Task, verb: str, revision: int, duty: Duty, owner: str | None, reason: ReturnReason) -> None:
    """Somebody of the task's organisation, or whoever else may, does this."""
    now = duty.now
    if verb in CONCESSIONS:
        CONCESSIONS[verb](case, task, revision, duty)
        return
    match verb:
        case "accept":
            case.accept(task, OnDuty(task.organisation, task.liaison or "nobody", task.level), revision, duty)
        case "return":
            give_back(case, task, revision, reason, owner, TEXT, duty)
        case "contact":
            case.contact(task, revision, Medium.PHONE, now)
        case "progress":
            case.progress(task, revision, TEXT, now)
        case "deliver":
            case.fulfil(task, revision, None, duty, 1)
        case "fulfil":
            case.fulfil(task, revision, None, duty)
        case _:
            case.answer(task, revision, TEXT, now + 90 * MINUTE if verb == "promise" else None, duty)
