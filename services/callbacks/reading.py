"""Who may read which notices; and the places where pages begin."""

from typing import Any
from uuid import UUID

from services.callbacks import store
from services.callbacks.notices import Case
from shared.clock import wall_now
from shared.contracts.vocabulary import Addressee
from shared.identity import DESK, Kind, Principal, may_read
from shared.ids import made_at
from shared.problems import Forbidden, NotFound
from shared.service import Service

YOUNG_SECONDS = 10
PATIENCE_SECONDS = 2.0
TO_HANDLERS = (Addressee.LIAISON, Addressee.SUPERVISOR)


async def notices_of_request(
    service: Service, caller: Principal, request_id: UUID, before: int | None, limit: int
) -> list[Any]:
    """A request's notices, as far as the caller may see them; raises NotFound where he may not see the request."""
    case = await _find_case(service, request_id)
    if case is None or not may_read(caller, request_id, case.life.area, case.organisations):
        raise NotFound
    return await service.query(
        store.list_notices,
        request_id=request_id,
        addressees=(Addressee.RESIDENT,) if caller.kind is Kind.RESIDENT else (),
        organisation=caller.organisation if caller.is_handler else None,
        with_resident=True,
        before=before,
        limit=limit,
    )


async def _find_case(service: Service, request_id: UUID) -> Case | None:
    """The case; of a request that was filed a moment ago, once its first fact has arrived."""
    case = await service.query(store.find_case, request_id)
    if case or not 0 <= (wall_now() - made_at(request_id)).total_seconds() < YOUNG_SECONDS:
        return case
    await service.arrivals.wait(PATIENCE_SECONDS)
    return await service.query(store.find_case, request_id)


async def notices_to(
    service: Service, caller: Principal, before: int | None, limit: int, *, only_mine: bool
) -> list[Any]:
    """Notices to those who handle requests: a handler's own organisation's; for the desk all, or supervisors' alone."""
    if caller.kind not in DESK and not (caller.is_handler and caller.organisation):
        raise Forbidden
    to_supervisors = caller.kind in DESK and only_mine
    return await service.query(
        store.list_notices,
        addressees=(Addressee.SUPERVISOR,) if to_supervisors else TO_HANDLERS,
        organisation=caller.organisation if caller.is_handler else None,
        before=before,
        limit=limit,
    )
