"""Which service answers what: the public API as a table, and the look-up in it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

GATEWAY = "gateway"
SERVICES = ("intake", "triage", "dispatch", "followup", "callbacks")

# owner: path: methods
ROUTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "gateway": {
            "/v1/requests/{id}": "GET",
            "/v1/requests/{id}/events": "GET",
            "/v1/queue": "GET",
            "/v1/events": "GET",
            "/v1/log": "GET",
            "/v1/categories": "GET",
            "/v1/tokens": "GET POST",
            "/v1/tokens/{id}": "DELETE",
        },
        "documents": {
            "/openapi.json": "GET",
            "/asyncapi.json": "GET",
            "/docs": "GET",
        },
        "intake": {
            "/v1/requests": "POST",
            "/v1/requests/{id}/amendments": "POST",
            "/v1/requests/{id}/withdrawal": "POST",
            "/v1/requests/{id}/rejection": "POST",
            "/v1/requests/{id}/merge": "POST",
            "/v1/requests/{id}/contact-views": "GET POST",
        },
        "triage": {
            "/v1/requests/{id}/assessments": "GET POST",
            "/v1/reviews": "GET",
            "/v1/requests/{id}/standard-answers": "GET",
            "/v1/assessments": "GET",
            "/v1/policies/triage": "GET POST",
            "/v1/categories/{id}": "GET",
        },
        "dispatch": {
            "/v1/tasks": "GET",
            "/v1/tasks/{id}": "GET",
            "/v1/tasks/{id}/accept": "POST",
            "/v1/tasks/{id}/return": "POST",
            "/v1/tasks/{id}/contact": "POST",
            "/v1/tasks/{id}/progress": "POST",
            "/v1/tasks/{id}/answer": "POST",
            "/v1/tasks/{id}/fulfil": "POST",
            "/v1/tasks/{id}/confirm": "POST",
            "/v1/tasks/{id}/waive": "POST",
            "/v1/tasks/{id}/transfer": "POST",
            "/v1/tasks/{id}/extend": "POST",
            "/v1/tasks/{id}/question": "POST",
            "/v1/tasks/{id}/interim-answer": "POST",
            "/v1/tasks/{id}/supervision-answer": "POST",
            "/v1/requests/{id}/tasks": "POST",
            "/v1/requests/{id}/nudges": "POST",
            "/v1/requests/{id}/supervision": "POST",
            "/v1/requests/{id}/arbitration": "POST",
            "/v1/improvements": "GET POST",
            "/v1/improvements/{id}": "GET",
            "/v1/improvements/{id}/done": "POST",
            "/v1/surge": "GET PUT",
            "/v1/backlog": "GET",
            "/v1/routing": "GET",
            "/v1/routing/accuracy": "GET",
            "/v1/organisations": "GET",
            "/v1/organisations/{id}": "GET PUT",
            "/v1/liaisons": "GET",
            "/v1/liaisons/{id}": "GET PUT",
            "/v1/shifts": "GET",
            "/v1/shifts/{id}": "GET PUT",
            "/v1/areas": "GET",
            "/v1/areas/{id...}": "GET PUT",
            "/v1/directory": "GET POST",
            "/v1/directory/{kind}": "GET",
            "/v1/organisations/{id}/assurance": "POST",
            "/v1/liaisons/{id}/assurance": "POST",
            "/v1/shifts/{id}/assurance": "POST",
            "/v1/drills": "GET POST",
            "/v1/drills/{id}": "GET",
            "/v1/drills/{id}/answer": "POST",
        },
        "followup": {
            "/v1/requests/{id}/rating": "POST",
            "/v1/visits": "GET",
            "/v1/visits/{id}": "GET",
            "/v1/visits/{id}/attempts": "POST",
            "/v1/visits/{id}/score": "POST",
            "/v1/figures": "GET",
            "/v1/figures/definitions": "GET",
            "/v1/figures/reconciliation": "GET",
            "/v1/figures/exclusions": "GET",
            "/v1/bulletin": "GET",
            "/v1/figures/look-back": "GET",
            "/v1/draws": "GET",
            "/v1/draws/{id}/lots": "GET",
            "/v1/suspicions": "GET",
            "/v1/retrospective": "GET",
            "/v1/alarms": "GET",
            "/v1/statuses": "GET",
        },
        "callbacks": {
            "/v1/webhooks": "GET POST",
            "/v1/webhooks/{id}": "GET PATCH DELETE",
            "/v1/webhooks/{id}/deliveries": "GET",
            "/v1/webhooks/{id}/replay": "POST",
            "/v1/webhooks/{id}/test": "POST",
            "/v1/notices": "GET",
            "/v1/requests/{id}/notices": "GET",
        },
    }
)


PARKED = "/v1/parked"
"""Each service answers for what is parked there: the gateway's address names the service, its own does not."""


def all_routes() -> Iterator[tuple[str, str, str]]:
    """Every route as method, path, owner."""
    for owner, paths in ROUTES.items():
        for path, methods in paths.items():
            for method in methods.split():
                yield method, path, owner
    for service in (GATEWAY, *SERVICES):
        yield "GET", f"{PARKED}/{service}", service
        yield "POST", f"{PARKED}/{service}/{{event_id}}/retry", service
        yield "POST", f"{PARKED}/{service}/{{event_id}}/drop", service


@dataclass(slots=True)
class Node:
    """What may follow on a path so far, and who answers where it ends here."""

    literal: dict[str, "Node"] = field(default_factory=dict)
    any_one: "Node | None" = None
    rest: "Node | None" = None
    owners: dict[str, str] = field(default_factory=dict)

    def child(self, segment: str) -> "Node":
        """The node behind a segment of a pattern, made where it is new."""
        if segment.endswith("...}"):
            self.rest = self.rest or Node()
            return self.rest
        if segment.startswith("{"):
            self.any_one = self.any_one or Node()
            return self.any_one
        return self.literal.setdefault(segment, Node())


class Table:
    """Finds who answers a call; `{name}` in a pattern stands for one segment, `{name...}` for all that follow."""

    def __init__(self, routes: Iterable[tuple[str, str, str]]) -> None:
        """`routes` are method, path, owner."""
        self._root = Node()
        for method, path, owner in routes:
            node = self._root
            for segment in path[1:].split("/"):
                node = node.child(segment)
            node.owners[method] = owner

    def owners(self, path: str) -> Mapping[str, str]:
        """Each method that the path knows, with its owner; empty where there is no such path."""
        node = self._root
        for segment in path[1:].split("/"):
            step = node.literal.get(segment) or (node.any_one if segment else None)
            if step is None:
                return node.rest.owners if node.rest and segment else {}
            node = step
        return node.owners
