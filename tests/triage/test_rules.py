import shutil
from pathlib import Path

import pytest
import yaml

from shared.contracts.vocabulary import Colour
from tests.triage.builders import ZONE, the_rules
from triage.formats import RulesInvalid
from triage.rules import FOLDER, load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "rules"
    shutil.copytree(FOLDER, copied)
    return copied


def _change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / f"{name}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_version_says_what_was_declared_and_what_the_files_hold(folder: Path) -> None:
    declared = yaml.safe_load((folder / "policy.yaml").read_text("utf-8"))["version"]
    before = the_rules().version
    assert before.startswith(f"{declared}+")
    _change(folder, "cues", "曾经", "早先")
    after = load(ZONE, folder).version
    assert after.startswith(f"{declared}+")
    assert after != before


def test_the_clocks_of_a_review_are_those_of_the_domain() -> None:
    assert dict(the_rules().review_minutes) == {Colour.RED: 5, Colour.YELLOW: 15, Colour.GREEN: 60}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("policy", "red: 5", "red: soon", "policy.yaml:6: review_minutes.red"),
        ("policy", "version:", "versoin:", "versoin"),
        ("policy", "life: {now: red", "life: {now: purple", "policy.yaml:13: colours"),
        ("policy", "life: {now: red, days: red, later: yellow, open: red}", "life: {now: red}", "life"),
        ("colours", "needs: [unconscious]", "needs: [uncoscious]", "uncoscious"),
        ("colours", "id: bleeding", "id: unconscious", "'unconscious' twice"),
        ("colours", "grave: life", "grave: dire", "grave"),
        ("colours", "needs: [bleeding]", "needs: []", "needs"),
        ("categories", "  maternity:", "  maternty:", "maternty"),
        ("cues", "denied:", "refused:", "cues.yaml"),
        ("cues", "zh: [没有", "zh: [[没有], [没有", "cues.yaml"),
        ("signs", "zh: [昏睡不醒", "zh: [..昏睡不醒", "昏睡不醒"),
        ("signs", "signs:", "signs: [", "is not YAML"),
        ("needs", "gives: transport", "gave: transport", "gave"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(folder: Path, name: str, old: str, new: str, said: str) -> None:
    _change(folder, name, old, new)
    with pytest.raises(RulesInvalid) as refused:
        load(ZONE, folder)
    assert said in str(refused.value)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "needs.yaml").unlink()
    with pytest.raises(RulesInvalid, match=r"needs\.yaml is missing"):
        load(ZONE, folder)
