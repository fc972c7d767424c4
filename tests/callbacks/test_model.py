"""The schedule, giving up, entitlement and signatures, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.callbacks.model import (
    LONGEST_PAUSE,
    LONGEST_RETRY_AFTER,
    Attempt,
    Disabled,
    Endpoint,
    Limits,
    next_attempt_at,
    parse_retry_after,
    read_secret,
    recovered,
    show_secret,
    signed_headers,
)
from shared.clock import wall_now

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LIMITS = Limits.parse("5,300,1800,7200,18000,36000,50400,72000,86400", 432_000, 43_200)
NEW = Endpoint(
    id=UUID(int=7),
    url="https://partner.example/",
    event_types=frozenset(),
    organisation=None,
    description=None,
    enabled=True,
    disabled_because=None,
    revision=1,
    created_at=NOW,
)


def failed(at: datetime = NOW, status: int | None = 500, retry_after: timedelta | None = None) -> Attempt:
    return Attempt(at=at, duration_ms=1, status_code=status, retry_after=retry_after)


@given(tries=st.integers(1, 9), chance=st.floats(0, 1), asked=st.none() | st.integers(0, 10**7))
def test_a_pause_is_within_its_jitter_or_as_long_as_asked_for(tries: int, chance: float, asked: int | None) -> None:
    retry_after = None if asked is None else timedelta(seconds=asked)
    at = next_attempt_at(tries, failed(retry_after=retry_after), chance, LIMITS)
    assert at is not None
    pause, planned = at - NOW, LIMITS.retry_seconds[tries - 1]
    wished = min(retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    assert pause >= max(timedelta(seconds=planned * 0.79), wished)
    assert pause <= max(timedelta(seconds=planned * 1.21), wished)


def test_after_the_last_pause_410_or_nothing_to_send_there_is_no_attempt() -> None:
    assert next_attempt_at(10, failed(), 0.5, LIMITS) is None
    assert next_attempt_at(1, failed(status=410), 0.5, LIMITS) is None
    for error in ("expired", "no_contact"):
        assert next_attempt_at(1, replace(failed(status=None), error=error), 0.5, LIMITS) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 86400),
        ("Mon, 02 Mar 2026 08:01:00 GMT", 60),
        ("Mon, 02 Mar 2026 07:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("１２", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_nothing(value: str | None, seconds: int | None) -> None:
    asked = parse_retry_after(value, NOW)
    assert asked == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text(max_size=40))
def test_no_retry_after_breaks_anything(value: str) -> None:
    asked = parse_retry_after(value, NOW)
    assert asked is None or asked >= timedelta(0)


def test_lasting_failure_needs_five_days_and_twelve_hours_between_first_and_last() -> None:
    failing = NEW.after(failed(NOW), NOW)
    assert not failing.has_lastingly_failed(NOW + timedelta(days=6), LIMITS), "one failure long ago is no lasting one"
    later = failing.after(failed(NOW + timedelta(hours=12)), None)
    assert not later.has_lastingly_failed(NOW + timedelta(days=5, seconds=-1), LIMITS)
    assert later.has_lastingly_failed(NOW + timedelta(days=5), LIMITS)
    better = later.after(Attempt(at=NOW + timedelta(days=1), duration_ms=1, status_code=200), None)
    assert not better.has_lastingly_failed(NOW + timedelta(days=9), LIMITS)
    assert recovered(later.after(failed(), None), better)
    assert not recovered(later, better), "two failures are no outage"


@pytest.mark.parametrize("status", [None, 429, 502, 503, 504])
def test_an_endpoint_that_is_away_rests_at_most_a_minute(status: int | None) -> None:
    soon = NOW + timedelta(seconds=4)
    assert NEW.after(failed(status=status), soon).paused_until == soon
    assert NEW.after(failed(status=status), NOW + timedelta(days=1)).paused_until == NOW + LONGEST_PAUSE


def test_a_refusal_of_one_message_pauses_nobody_until_there_are_three() -> None:
    once = NEW.after(failed(status=400), NOW + timedelta(hours=1))
    assert once.paused_until is None
    twice = once.after(failed(status=400), NOW + timedelta(hours=1))
    assert twice.paused_until is None
    assert twice.after(failed(status=400), NOW + timedelta(hours=1)).paused_until == NOW + LONGEST_PAUSE


def test_gone_disables_and_enabling_begins_anew() -> None:
    gone = NEW.after(failed(status=410), None)
    assert (gone.enabled, gone.disabled_because) == (False, Disabled.GONE)
    again = gone.enable(enabled=True)
    assert (again.enabled, again.disabled_because, again.failures, again.failing_since) == (True, None, 0, None)


def test_entitled_is_the_city_or_who_had_a_task() -> None:
    assert NEW.is_entitled(frozenset())
    own = replace(NEW, organisation="police")
    assert own.is_entitled(frozenset({"police", "hospital"}))
    assert not own.is_entitled(frozenset({"hospital"}))


@given(body=st.binary(max_size=200), secrets=st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=2))
def test_every_secret_signs_so_that_the_library_agrees(body: bytes, secrets: list[bytes]) -> None:
    text = body.hex().encode()
    headers = signed_headers(secrets, "msg-1", wall_now(), b'"' + text + b'"')
    for secret in secrets:
        assert Webhook(show_secret(secret)).verify(b'"' + text + b'"', headers) == body.hex()
        assert read_secret(show_secret(secret)) == secret


def test_a_bad_setting_fails_at_the_start() -> None:
    for pauses in ("", "5,-1", "0", "soon"):
        with pytest.raises(ValueError, match=r"."):
            Limits.parse(pauses, 1, 1)
    for secret in ("whsec_c2hvcnQ=", "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgISE=", "whsec_%%"):
        with pytest.raises(ValueError, match=r"."):
            read_secret(secret)


@pytest.mark.parametrize("event_type", ["heed.request.visited", "heed.request.inspected"])
def test_an_organisation_is_not_sent_whom_look_back_drew(event_type: str) -> None:
    of_city, of_handler = NEW, replace(NEW, organisation="central-hospital", event_types=frozenset({event_type}))
    assert of_city.wants(event_type)
    assert not of_handler.wants(event_type)
    assert replace(of_handler, event_types=frozenset()).wants("heed.request.answered")
