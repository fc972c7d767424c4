"""Playbooks: which tasks a need takes beside its lead, in which order, and which of them the answer waits for. Pure.

The first playbook that fits is chosen once, when the case opens. A step opens when those before it are arranged, for
the time that they gave; the lead answers when every required step is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from dispatch.city import Entry, Id
from dispatch.tasks import (
    HappensInThePast,
    NothingOwed,
    QuantityRefused,
    RequiredTasksOpen,
    Task,
    TaskStatus,
    TextRef,
    said,
)
from shared.contracts import casework as w
from shared.contracts import requests as r
from shared.contracts.vocabulary import Category, Role
from shared.problems import NotInThisState

if TYPE_CHECKING:
    from dispatch.model import Case
    from dispatch.routing import Duty

LEAD = "lead"


class Step(Entry):
    """One task of a playbook; `by` is the lead, else an organisation's id, or a need that routing gives to somebody."""

    id: Id
    by: Literal["lead"] | Id | None = None
    need: str | None = None
    after: tuple[Id, ...] = ()
    required: bool = True
    quantity: int | None = Field(None, ge=1)
    unit: str = Field("piece", pattern="^[a-z_]{1,32}$")

    @model_validator(mode="after")
    def _by_one(self) -> "Step":
        if (self.by is None) == (self.need is None):
            raise ValueError("a step has either `by` or `need`")
        return self


class Playbook(Entry):
    """What such a request takes."""

    id: Id
    category: tuple[Category, ...] | Literal["any"] = "any"
    needs: tuple[str, ...] = ()
    """It fits where the request needs all of these."""
    deadline: bool | None = None
    """Only where there is a deadline, or only where there is none."""
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Playbook":
        known: set[str] = set()
        for step in self.steps:
            if step.id in known or not known.issuperset(step.after):
                raise ValueError(f"step {step.id} stands twice, or before one that it comes after")
            known.add(step.id)
        if sum(step.by == LEAD for step in self.steps) > 1:
            raise ValueError("the lead has one step at most")
        return self

    def fits(self, category: str, needs: tuple[str, ...], deadline: datetime | None) -> bool:
        """Whether it speaks of such a request."""
        return (
            (self.category == "any" or category in self.category)
            and set(self.needs) <= set(needs)
            and self.deadline in {None, deadline is not None}
        )


@dataclass(slots=True, kw_only=True)
class Planned:
    """A step that has not been opened yet."""

    id: str
    organisation: str
    rule: str
    after: list[str]
    required: bool
    quantity: int | None = None
    unit: str | None = None


def begin(case: "Case", lead: Task, playbook: Playbook, duty: "Duty") -> None:
    """Plan the steps of a case that was just opened, and open those that wait for nothing."""
    case.playbook = playbook.id
    for step in playbook.steps:
        if step.by == LEAD:
            lead.step = step.id
            continue
        rule = f"playbook:{playbook.id}:{step.id}"
        named = step.by or duty.route_need(step.need or "", case.place(duty)).organisation
        case.planned.append(
            Planned(
                id=step.id,
                organisation=named,
                rule=rule,
                after=list(step.after),
                required=step.required,
                quantity=step.quantity,
                unit=step.unit if step.quantity else None,
            )
        )
    go_on(case, duty)


def go_on(case: "Case", duty: "Duty") -> None:
    """Open every step whose turn has come; one that the lead's own organisation gives needs no task."""
    while ready := [step for step in case.planned if not _waits(case, step)]:
        for step in ready:
            case.planned.remove(step)
            lead = case.lead
            if lead is not None and step.organisation != lead.organisation:
                times = [t.happens_at for t in case.tasks if t.step in step.after and t.happens_at]
                case.open_step(step, max(times, default=None), duty)


def _waits(case: "Case", step: Planned) -> bool:
    """Whether a step that comes before is still to be opened, or to be arranged."""
    before = set(step.after)
    if before & {planned.id for planned in case.planned}:
        return True
    return any(task.step in before and not is_arranged(task) for task in case.tasks)


def is_arranged(task: Task) -> bool:
    """Whether others may rely on it: confirmed, done, or void."""
    return task.confirmed_at is not None or task.status in {TaskStatus.FULFILLED, TaskStatus.CANCELLED}


def blocking(case: "Case") -> Iterator[str]:
    """The required steps that the lead's answer waits for."""
    yield from (step.id for step in case.planned if step.required)
    for task in case.tasks:
        if task.required and task.role is Role.ASSISTING and not is_arranged(task):
            yield task.step or task.organisation


def check_may_answer(case: "Case") -> None:
    """Raise where a required task is still open."""
    if waiting := list(blocking(case)):
        raise RequiredTasksOpen(tasks=waiting)


def confirm(
    case: "Case", task: Task, revision: int, happens_at: datetime | None, note: TextRef | None, duty: "Duty"
) -> None:
    """The part of an organisation is arranged; what follows in the playbook may begin."""
    task.check(revision, TaskStatus.ACCEPTED)
    if happens_at is not None and happens_at <= duty.now:
        raise HappensInThePast
    task.confirmed_at, task.happens_at = duty.now, happens_at or task.happens_at
    task.change(duty.now)
    case.state(w.TaskConfirmed, task, happens_at=happens_at, **said(note))
    go_on(case, duty)


def waive(case: "Case", task: Task, revision: int, duty: "Duty") -> None:
    """The desk decides that it goes without this help."""
    if task.role is Role.LEAD:
        raise NotInThisState("A lead is not waived: it answers.", state=task.status.value)
    task.check(revision, TaskStatus.WAITING, TaskStatus.ASSIGNED, TaskStatus.ACCEPTED)
    task.status = TaskStatus.CANCELLED
    task.stop(duty.now)
    task.change(duty.now)
    case.state(r.TaskCancelled, task)
    go_on(case, duty)


def deliver(case: "Case", task: Task, quantity: int | None) -> bool:
    """Count what an assistant brought; true once all that was asked for is there."""
    if task.role is Role.LEAD and quantity is not None:
        raise NothingOwed
    if task.asked is None:
        if quantity is not None:
            raise QuantityRefused(open=0)
        return True
    left = task.asked - task.delivered
    brought = left if quantity is None else quantity
    if brought > left:
        raise QuantityRefused(open=left)
    task.delivered += brought
    case.state(
        w.TaskDelivered,
        task,
        quantity=brought,
        delivered=task.delivered,
        asked=task.asked,
        unit=task.unit or "piece",
    )
    return task.delivered == task.asked
