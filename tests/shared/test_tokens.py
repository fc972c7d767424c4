import pytest

from shared.identity import Kind, Principal, may_read
from shared.ids import new_id
from shared.problems import Unauthenticated
from shared.sealing import Keyring, SealBroken, keyed_hash, text_hash
from shared.tokens import (
    IdentityReader,
    IdentitySigner,
    make_identity_keys,
    make_tracking_token,
    read_tracking_token,
)

PRIVATE, PUBLIC = make_identity_keys()
LIAISON = Principal(
    kind=Kind.LIAISON, id="x.liaison", organisation="x", area="a/b", request_id=new_id(), rights=frozenset({"import"})
)


def test_an_identity_travels_whole() -> None:
    assert IdentityReader(PUBLIC).read(IdentitySigner(PRIVATE).sign(LIAISON)) == LIAISON


def test_a_signature_is_used_again() -> None:
    signer = IdentitySigner(PRIVATE)
    assert signer.sign(LIAISON) is signer.sign(LIAISON)


def test_a_changed_identity_is_refused() -> None:
    token = IdentitySigner(PRIVATE).sign(LIAISON)
    head, _, signature = token.split(".")
    for changed in (token[:-6] + "AAAAAA", head, "", f"{head}.e30.{signature}"):
        with pytest.raises(Unauthenticated):
            IdentityReader(PUBLIC).read(changed)


def test_the_identity_of_another_gateway_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        IdentityReader(PUBLIC).read(IdentitySigner(make_identity_keys()[0]).sign(LIAISON))


def test_a_tracking_token_opens_its_request_only() -> None:
    secret, request = b"s" * 32, new_id()
    token = make_tracking_token(secret, request)
    assert read_tracking_token(secret, token) == request
    assert read_tracking_token(b"t" * 32, token) is None
    flipped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for other in (flipped, token + "A", token[:-1], "track_", "track_ü", "x" + token):
        assert read_tracking_token(secret, other) is None


def test_a_sealed_value_opens_in_its_row_only() -> None:
    ring = Keyring({1: b"a" * 32})
    sealed = ring.seal(b"13800138000", "contacts.phone|1")
    assert ring.open(sealed, "contacts.phone|1") == b"13800138000"
    for broken, place in ((sealed, "contacts.phone|2"), (sealed[:-1] + b"x", "contacts.phone|1"), (b"", "")):
        with pytest.raises(SealBroken):
            ring.open(broken, place)


def test_an_old_key_still_opens() -> None:
    old = Keyring({1: b"a" * 32}).seal(b"x", "p")
    both = Keyring({1: b"a" * 32, 2: b"b" * 32})
    assert both.open(old, "p") == b"x"
    with pytest.raises(SealBroken):
        Keyring({1: b"a" * 32}).open(both.seal(b"x", "p"), "p")


def test_keyed_hashes_find_equals_and_keep_fields_apart() -> None:
    secret = b"s" * 32
    assert keyed_hash(secret, "phone", "1") == keyed_hash(secret, "phone", "1")
    assert keyed_hash(secret, "phone", "1") != keyed_hash(secret, "house", "1")
    assert text_hash(secret, new_id(), "a") != text_hash(secret, new_id(), "a")


@pytest.mark.parametrize(
    ("caller", "may"),
    [
        (Principal(kind=Kind.OPERATOR, id="o"), True),
        (Principal(kind=Kind.INSPECTOR, id="i"), True),
        (Principal(kind=Kind.GRID_WORKER, id="g", area="a"), True),
        (Principal(kind=Kind.GRID_WORKER, id="g", area="a/bc"), False),
        (Principal(kind=Kind.LIAISON, id="l", organisation="x"), True),
        (Principal(kind=Kind.LIAISON, id="l", organisation="y"), False),
        (Principal(kind=Kind.PARTNER, id="p", organisation="x"), True),
        (Principal(kind=Kind.ANONYMOUS, id="a"), False),
        (Principal(kind=Kind.RESIDENT, id="r", request_id=new_id()), False),
    ],
    ids=lambda value: f"{value.kind}-{value.area}-{value.organisation}" if isinstance(value, Principal) else str(value),
)
def test_who_may_read(caller: Principal, may: bool) -> None:
    assert may_read(caller, new_id(), "a/b", frozenset({"x"})) is may


def test_a_resident_reads_the_own_request() -> None:
    request = new_id()
    assert may_read(Principal(kind=Kind.RESIDENT, id="r", request_id=request), request, None, frozenset())
