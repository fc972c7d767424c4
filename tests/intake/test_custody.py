import json
from dataclasses import replace

import pytest

from intake.custody import Custody
from intake.model import Details
from shared.ids import new_id
from shared.sealing import Keyring, SealBroken

OLD, NEW, SECRET = b"o" * 32, b"n" * 32, b"s" * 32
DETAILS = Details(name="王小明", phone="+8613800138000", address="金茂花苑3幢502室", latitude=30.6, longitude=121.1)


def test_details_come_back_as_they_were() -> None:
    custody, request = Custody(Keyring({1: OLD}), SECRET), new_id()
    assert custody.open_details(request, custody.seal_details(request, DETAILS)) == DETAILS


def test_what_is_not_known_is_not_sealed_so_that_the_release_before_can_open_it() -> None:
    ring, request = Keyring({1: OLD}), new_id()
    sealed = Custody(ring, SECRET).seal_details(request, DETAILS)
    known = {"name", "phone", "address", "latitude", "longitude"}
    assert set(json.loads(ring.open(sealed, f"filings.details|{request}"))) == known
    exact = replace(DETAILS, accuracy_m=12.5)
    assert Custody(ring, SECRET).open_details(request, Custody(ring, SECRET).seal_details(request, exact)) == exact


def test_what_is_sealed_shows_nothing() -> None:
    sealed = Custody(Keyring({1: OLD}), SECRET).seal_details(new_id(), DETAILS)
    assert not any(words.encode() in sealed for words in ("王小明", "13800138000", "金茂花苑", "121.1"))


def test_a_value_moved_to_another_row_or_column_does_not_open() -> None:
    custody, request = Custody(Keyring({1: OLD}), SECRET), new_id()
    with pytest.raises(SealBroken):
        custody.open_details(new_id(), custody.seal_details(request, DETAILS))
    with pytest.raises(SealBroken):
        custody.open_text(request, custody.seal_details(request, DETAILS))


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    text = new_id()
    sealed = Custody(Keyring({1: OLD}), SECRET).seal_text(text, "原文")
    both = Custody(Keyring({1: OLD, 2: NEW}), SECRET)
    assert both.open_text(text, sealed) == "原文"
    with pytest.raises(SealBroken):
        Custody(Keyring({1: OLD}), SECRET).open_text(text, both.seal_text(text, "原文"))


def test_hashes_find_equal_values_of_one_kind_and_depend_on_the_secret() -> None:
    custody, other = Custody(Keyring({1: OLD}), SECRET), Custody(Keyring({1: OLD}), b"t" * 32)
    assert custody.hash("contact", "1") == custody.hash("contact", "1")
    values = custody.hash("contact", "1"), custody.hash("household", "1"), custody.hash("contact", "2")
    assert len({*values, other.hash("contact", "1")}) == 4
