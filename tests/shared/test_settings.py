"""Where options come from."""

from pathlib import Path

import pytest

from shared.settings import Settings


def test_a_secret_may_stand_in_a_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hash_secret").write_text("c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgISE=")
    monkeypatch.delenv("HEED_HASH_SECRET", raising=False)
    assert Settings().hash_secret is None
    monkeypatch.setenv("HEED_SECRETS", str(tmp_path))
    assert Settings().hash_bytes == b"secret of the tests, 32 bytes !!"
    monkeypatch.setenv("HEED_HASH_SECRET", "YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3RzLCAzMiA=")
    assert Settings().hash_bytes == b"another secret of the tests, 32 "
