"""The account finds what is missing, doubled, or told in two ways."""

import json
from collections import Counter
from uuid import UUID

import pytest

from services.demo.account import Account, faults_of
from services.demo.ledger import Ledger, read_event
from services.gateway.tail import structured
from shared.contracts import encode
from shared.contracts import requests as r
from shared.contracts.envelope import Event, Fact
from shared.contracts.vocabulary import Channel, FiledBy, Language, PlaceSource, Status, WithdrawalReason
from shared.ids import new_id
from tests.support.builders import START, Builder

REQUEST = new_id()
HOLDER = {"kind": "service", "name": "triage", "since": START.isoformat()}
RECEIVED = r.RequestReceived(
    receipt="AB12-3C", channel=Channel.APP, filed_by=FiledBy.RESIDENT, language=Language.ZH,
    place_source=PlaceSource.NONE, place_confidence=0, contact_hash="c", text_id=new_id(), text_hash="t",
    filed_at=START, received_at=START,
)  # fmt: skip
WITHDRAWN = r.RequestWithdrawn(reason=WithdrawalReason.UNSTATED)


def told(event: Event[Fact]) -> str:
    return json.dumps(structured(encode(event)))


def log_of(*facts: Fact) -> Ledger:
    ledger, builder = Ledger(), Builder()
    for fact in facts:
        event = read_event(told(builder.event(fact, REQUEST)))
        assert event is not None
        ledger.read(event)
        ledger.read(event)
    return ledger


def test_a_fact_that_is_read_twice_counts_once() -> None:
    ledger = log_of(RECEIVED, WITHDRAWN)
    assert ledger.statuses() == {Status.WITHDRAWN: 1}
    assert ledger.counts[r.RequestReceived] == 1


@pytest.mark.parametrize(
    ("facts", "status", "holder", "fault"),
    [
        ((RECEIVED,), "received", HOLDER, None),
        ((RECEIVED, WITHDRAWN), "withdrawn", None, None),
        ((RECEIVED,), "received", None, "held by None"),
        ((RECEIVED, WITHDRAWN), "withdrawn", HOLDER, "held by"),
        ((RECEIVED, WITHDRAWN), "received", HOLDER, "received by the API, withdrawn by the log"),
        ((), "received", HOLDER, "not in the log"),
    ],
)  # fmt: skip
def test_a_request_needs_one_status_and_a_holder_while_it_is_open(
    facts: tuple[Fact, ...], status: str, holder: dict[str, str] | None, fault: str | None
) -> None:
    faults = faults_of("request-001", UUID(str(REQUEST)), {"status": status, "holder": holder}, log_of(*facts))
    assert bool(faults) is (fault is not None)
    assert fault is None or fault in faults[0]


@pytest.mark.parametrize(
    ("by_api", "by_log", "faults", "is_complete"),
    [(2, 2, [], True), (2, 1, [], False), (1, 1, [], False), (2, 2, ["request-001: not in the log"], False)],
)
def test_the_account_is_complete_only_if_both_sums_are_what_was_filed(
    by_api: int, by_log: int, faults: list[str], is_complete: bool
) -> None:
    account = Account(2, Counter({Status.CLOSED: by_api}), Counter({Status.CLOSED: by_log}), faults)
    assert account.is_complete is is_complete
