"""Why a request goes where it goes: every rule that was looked at, with the reason that it decided or did not. Pure."""

from datetime import datetime

from pydantic import BaseModel

from dispatch.city import OnDuty
from dispatch.routing import OWN, Duty, Rule, Serves
from shared.areas import lies_in
from shared.contracts.vocabulary import Category, Colour


class Looked(BaseModel):
    """A rule that was looked at."""

    rule: str
    decides: bool
    reason: str


class Help(BaseModel):
    """An organisation that assists, and why."""

    organisation: str
    rule: str
    step: str | None = None
    after: list[str] = []


class Explained(BaseModel):
    """Where such a request goes now, to whom there, and why."""

    organisation: str
    rule: str
    place: str | None
    """The area it is routed by: the one asked about, or its town where that is not sure."""
    liaison: str | None
    level: int | None
    chosen_because: str
    """Why him, of those who are on duty."""
    passed_over: list[str]
    """Those of his post who are on duty and at their capacity."""
    given_to: str
    """The organisation of the person who would be given it: the backstop where nobody of its own is on duty."""
    equals: list[str]
    """Others that could have led as well, with more open tasks or a later name."""
    trail: list[Looked]
    playbook: str | None
    helpers: list[Help]
    policy_version: str


def explain(
    duty: Duty,
    category: Category,
    area: str | None,
    colour: Colour,
    needs: tuple[str, ...] = (),
    deadline: datetime | None = None,
    confidence: float = 1,
) -> Explained:
    """What routing decides on such a request at this moment, and why; `confidence` is how sure its place is."""
    area = duty.place(area, confidence)
    route = duty.route(category, area, colour)
    trail = _trail(duty, category, area, colour, route.rule)
    chosen = duty.choose(route.organisation, area=area)
    because, passed_over = _choice(duty, chosen, area)
    book = duty.playbook(category, needs, deadline)
    steps = [step for step in book.steps if step.need or step.by != "lead"] if book else []
    helpers = [
        Help(
            organisation=step.by or duty.route_need(step.need or "", area).organisation,
            rule=f"playbook:{book.id if book else ''}:{step.id}",
            step=step.id,
            after=list(step.after),
        )
        for step in steps
    ]
    covered = {step.need for step in steps}
    for need in needs:
        if need not in covered:
            found = duty.route_need(need, area)
            helpers.append(Help(organisation=found.organisation, rule=found.rule))
    return Explained(
        organisation=route.organisation,
        rule=route.rule,
        place=area,
        liaison=chosen.liaison if chosen else None,
        level=chosen.level if chosen else None,
        chosen_because=because,
        passed_over=passed_over,
        given_to=chosen.organisation if chosen else route.organisation,
        equals=[name for name in _candidates(duty, category, area, route.rule) if name != route.organisation],
        trail=trail,
        playbook=book.id if book else None,
        helpers=helpers,
        policy_version=duty.policy_version,
    )


def _choice(duty: Duty, chosen: OnDuty | None, area: str | None) -> tuple[str, list[str]]:
    """Why this person of those on duty, and who was passed over; his new task is counted already."""
    if chosen is None:
        return "nobody is on duty", []
    there = duty.city.on_duty(chosen.organisation, chosen.level, duty.now)
    has, can = duty.loads[chosen.liaison] - 1, duty.capacity(chosen.liaison)
    load = f"{has} open tasks" + (f" of {can}" if can is not None else "")
    if chosen.beyond_capacity:
        return f"everybody on duty ({len(there)}) is at capacity; he has the least for what he can take: {load}", []
    passed_over = [person for person in there if person != chosen.liaison and duty.is_full(person)]
    named, knows = duty.city.knowing([person for person in there if person not in passed_over], area)
    among = len(named) if knows else len(there)
    first = f"the least loaded of {among}" if among > 1 else "the only one"
    return f"{first} on duty{f' named for {knows}' if knows else ''}: {load}", passed_over


def _candidates(duty: Duty, category: str, area: str | None, rule_id: str) -> list[str]:
    rule = next((rule for rule in duty.routing.rules if rule.id == rule_id), None)
    if rule is None or not isinstance(rule.organisation, Serves):
        return []
    wanted = category if rule.organisation.serves == OWN else rule.organisation.serves
    return duty.city.nearest_serving(wanted, area)


def _trail(duty: Duty, category: str, area: str | None, colour: Colour, decided_by: str) -> list[Looked]:
    trail: list[Looked] = []
    for rule in duty.routing.rules:
        if rule.id == decided_by:
            trail.append(Looked(rule=rule.id, decides=True, reason=rule.note or "the first rule that fits"))
            return trail
        trail.append(Looked(rule=rule.id, decides=False, reason=_misfit(rule, category, area, colour)))
    why = "no rule fits, and nothing is unrouted" if area else "no rule fits a request whose place is not known"
    return [*trail, Looked(rule=decided_by, decides=True, reason=why)]


def _misfit(rule: Rule, category: str, area: str | None, colour: Colour) -> str:
    """Why a rule that was looked at did not decide."""
    if rule.category != "any" and category not in rule.category:
        return f"is for {', '.join(rule.category)}, not for {category}"
    if rule.areas != "any" and not any(lies_in(area, wider) for wider in rule.areas):
        return f"is for {', '.join(rule.areas)}, not for {area or 'a place that is not known'}"
    if rule.colour is not None and colour not in rule.colour:
        return f"is for {', '.join(rule.colour)}, not for {colour}"
    return "fits, but no organisation that offers this serves the place"
