"""What is shown at the demo's end."""

import pytest

from services.demo import show
from services.demo.show import RATES


@pytest.mark.parametrize(("n", "of", "shown"), [(280, 287, " 97.5 %"), (9999, 10_000, " 99.9 %"), (3, 3, "100.0 %")])
def test_a_rate_is_cut_as_in_the_sentence(capsys: pytest.CaptureFixture[str], n: int, of: int, shown: str) -> None:
    rate = {"n": n, "of": of, "value": n / of, "low": 0.9, "high": 1.0}
    show.figures({"figures": dict.fromkeys(RATES, rate), "sentence": {"zh": "", "en": ""}})
    lines = [line for line in capsys.readouterr().out.splitlines() if " of " in line]
    assert len(lines) == len(RATES)
    assert all(shown in line for line in lines)
