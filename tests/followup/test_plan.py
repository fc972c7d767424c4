"""A plan that is not as it should be is refused with the place that is wrong."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from followup.plan import parse
from shared.contracts.vocabulary import Colour
from tests.support.harness import project_root


def document() -> Any:
    return yaml.safe_load((project_root() / "deploy/sample/followup.yaml").read_text())


def test_the_sample_is_read() -> None:
    plan = parse(document())
    assert plan.rating_window.days == 14
    assert plan.watchdog.acknowledged.of(Colour.RED).total_seconds() == 60
    assert plan.watchdog.acknowledged.of(None).total_seconds() == 180
    assert plan.promises.answered.of(None) == plan.promises.answered.of(Colour.RED)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("rating_window_days",), 0, "rating_window_days"),
        (("call_back", "media"), ["phone", "phone", "phone"], "two different media"),
        (("call_back", "media"), ["phone", "home"], "media"),
        (("call_back", "retry_minutes"), {"busy": [1, 2]}, "retry_minutes lacks"),
        (("look_back", "shares"), [{"share": 1.5}], "share"),
        (("look_back", "shares"), [{"shares": 0.5}], "shares"),
        (("watchdog", "repeat"), {"red": 0, "yellow": 1, "green": 1}, "at least a minute"),
        (("watchdog", "triaged"), {"red": -1, "yellow": 1, "green": 1}, "triaged"),
        (("surprise",), 1, "surprise"),
    ],
)
def test_a_bad_plan_is_refused(path: tuple[str, ...], value: Any, named: str) -> None:
    broken = document()
    at = broken
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(ValidationError, match=named):
        parse(broken)


def test_a_missing_part_is_refused() -> None:
    broken = document()
    del broken["watchdog"]["silence" if "silence" in broken["watchdog"] else "assigned"]
    with pytest.raises(ValidationError, match="assigned"):
        parse(broken)
