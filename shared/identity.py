"""Who calls, and what a caller may do. Pure: tokens are checked at the gateway, and in shared.web between processes."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from shared.areas import lies_in


class Kind(StrEnum):
    """The kinds of principal."""

    ANONYMOUS = "anonymous"
    RESIDENT = "resident"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    INSPECTOR = "inspector"
    GRID_WORKER = "grid_worker"
    LIAISON = "liaison"
    DEPUTY = "deputy"
    PARTNER = "partner"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls.

    `id` is stable and holds no personal data: a liaison's id, `operator`, a request's id for a resident.
    """

    kind: Kind
    id: str
    organisation: str | None = None
    """For liaison, deputy and partner: whose tasks are theirs."""
    area: str | None = None
    """For a grid worker: the area whose requests are theirs, with all below it."""
    request_id: UUID | None = None
    """For a resident: the one request that the tracking token opens."""
    rights: frozenset[str] = field(default_factory=frozenset)
    """Rights beyond the kind's, such as `import` (to file with a filed_at older than 7 days)."""

    @property
    def is_staff(self) -> bool:
        """True for whoever acts in the city's name."""
        return self.kind in STAFF

    @property
    def is_handler(self) -> bool:
        """True for whoever acts for an organisation that takes tasks."""
        return self.kind in HANDLERS

    def covers(self, area: str | None) -> bool:
        """Whether `area` is this grid worker's area or lies in it."""
        return self.area is not None and lies_in(area, self.area)


ANONYMOUS = Principal(kind=Kind.ANONYMOUS, id="anonymous")
STAFF = frozenset({Kind.OPERATOR, Kind.SUPERVISOR, Kind.INSPECTOR, Kind.GRID_WORKER})
HANDLERS = frozenset({Kind.LIAISON, Kind.DEPUTY, Kind.PARTNER})
DESK = frozenset({Kind.OPERATOR, Kind.SUPERVISOR})
"""Who works the queue for the whole city."""
OVERSIGHT = frozenset({Kind.OPERATOR, Kind.SUPERVISOR, Kind.INSPECTOR})
"""Who may read every request."""


def may_read(caller: Principal, request_id: UUID, area: str | None, organisations: frozenset[str]) -> bool:
    """Whether the caller may read a request in `area` on which `organisations` have or had a task."""
    if caller.kind in OVERSIGHT or caller.kind is Kind.SERVICE:
        return True
    if caller.kind is Kind.RESIDENT:
        return caller.request_id == request_id
    if caller.kind is Kind.GRID_WORKER:
        return caller.covers(area)
    return caller.organisation is not None and caller.organisation in organisations
