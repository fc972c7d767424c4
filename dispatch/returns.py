"""Returns (退单): when a task may be given back, and to whom it goes then. Pure."""

from dispatch.routing import BACKSTOP, Duty, Route
from dispatch.tasks import OwnerNotNamed, ReturnsExhausted, Task, UnknownOrganisation
from shared.contracts.life import Life
from shared.contracts.vocabulary import Colour, ReturnReason, Role

NAMED = "named-on-return"


def check_return(task: Task, reason: ReturnReason, belongs_to: str | None, duty: Duty) -> None:
    """Raise where the holder may not return the task so: nobody says "not ours" without saying whose."""
    if reason is ReturnReason.NOT_OURS and belongs_to is None:
        raise OwnerNotNamed
    if belongs_to is not None and belongs_to not in duty.city.organisations:
        raise UnknownOrganisation
    if belongs_to == task.organisation:
        raise OwnerNotNamed("You named your own organisation. Say in `belongs_to` whose it is.")
    if task.organisation == duty.routing.backstop and belongs_to is None:
        raise OwnerNotNamed("Nobody stands behind you: say in `belongs_to` whose it is.")
    limits = duty.clocks.returns
    count = task.returned_by.count(task.organisation)
    if count >= limits.per_organisation or len(task.returned_by) >= limits.in_all:
        raise ReturnsExhausted(returns=len(task.returned_by))


def route_after_return(
    task: Task, reason: ReturnReason, belongs_to: str | None, life: Life, colour: Colour, duty: Duty
) -> Route:
    """Whose the task is, its return counted: the named owner's, else by the rules; after the last, a person decides.

    A return by the backstop is such a decision; two that name each other are not.
    """
    backstop = Route(duty.routing.backstop, BACKSTOP)
    exhausted = len(task.returned_by) >= duty.clocks.returns.in_all
    task.needs_person = belongs_to in task.returned_by or (exhausted and task.organisation != backstop.organisation)
    if task.needs_person:
        return backstop
    if belongs_to is not None:
        return Route(belongs_to, NAMED)
    if task.role is Role.ASSISTING or reason is ReturnReason.MORE_INFORMATION_NEEDED or life.category is None:
        return backstop
    return duty.route(life.category, life.area, colour, task.returned_by)
