"""What is logged, by us and by libraries: names and kinds, no values."""

import io
import logging

import pytest

from shared.telemetry import WithoutValues

PHONE = "19900000777"


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(said: io.StringIO) -> logging.Logger:
    logger = logging.getLogger("a library")
    handler = logging.StreamHandler(said)
    handler.setFormatter(WithoutValues("%(levelname)s %(name)s"))
    logger.addHandler(handler)
    logger.propagate = False
    return logger


def test_an_error_is_logged_by_its_kind_and_place_alone(log: logging.Logger, said: io.StringIO) -> None:
    try:
        try:
            int(f"no {PHONE}")
        except ValueError as missing:
            raise LookupError(f"no row for {PHONE}") from missing
    except LookupError:
        log.exception("while looking for %s", PHONE)
    assert PHONE not in said.getvalue()
    first, second, third = said.getvalue().splitlines()
    assert first == "ERROR a library"
    assert second.startswith("  LookupError at test_telemetry.py:")
    assert third.startswith("  ValueError at test_telemetry.py:")
