"""Questions to the resident: the lead cannot go on without his answer, and the request is his until then. Pure.

No clock stops for it, and nothing that was promised moves. So that nobody gains by asking: one question at a time, so
many in all, no longer than until the answer is due, and none about what is red or late.
"""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from dispatch.routing import Duty
from dispatch.tasks import NotTheLead, Task, TaskStatus, TextRef
from shared.contracts import casework as w
from shared.contracts.life import Life
from shared.contracts.vocabulary import Colour, Role, Stage
from shared.problems import Problem

if TYPE_CHECKING:
    from dispatch.model import Case


class RedIsAskedByPhone(Problem):
    """What is red waits for nobody to write back. Ring the resident, and say `contact`."""

    status = HTTPStatus.CONFLICT
    title = "Red is asked by phone"


class QuestionRefused(Problem):
    """The resident is asked one thing at a time, `most` times in all, and not once the answer is late. Ring him."""

    status = HTTPStatus.CONFLICT
    title = "Question refused"


def ask(case: "Case", task: Task, revision: int, text: TextRef, duty: Duty) -> None:
    """Ask the resident; he holds the request until he answers, or his time is over."""
    if task.role is not Role.LEAD:
        raise NotTheLead
    task.check(revision, TaskStatus.ACCEPTED)
    if case.colour is Colour.RED:
        raise RedIsAskedByPhone
    policy, now = duty.clocks.questions, duty.now
    until = min(now + timedelta(minutes=policy.minutes[case.colour]), task.clocks[Stage.ANSWERED].due_at)
    if task.question_until is not None or task.questions >= policy.in_all or until <= now:
        raise QuestionRefused(questions=task.questions, most=policy.in_all)
    task.questions, task.question_ends_at = task.questions + 1, until
    task.change(now)
    case.state(
        w.ResidentQuestioned,
        task,
        number=task.questions,
        answer_by=until,
        policy_version=duty.policy_version,
        text_id=text.text_id,
        text_hash=text.text_hash,
    )


def hear(case: "Case", before: Life, now: datetime) -> None:
    """The resident added something; it answers the question that stands before it in the history, if that is open."""
    lead = case.lead
    if lead is None or lead.question_until is None:
        return
    if before.question is not None and before.question.number == lead.questions:
        lead.question_ends_at = None
        lead.change(now)


def lapse_if_due(case: "Case", task: Task, now: datetime) -> None:
    """Its time is over, or what was asked about has become red: the lead has it again."""
    until = task.question_until
    if until is not None and (now >= until or case.colour is Colour.RED):
        task.question_ends_at = None
        case.state(w.QuestionLapsed, task, number=task.questions)
