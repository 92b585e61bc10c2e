"""TLSA records against chains: every usage, selector and matching type, and what hostile servers show."""

import hashlib
from datetime import timedelta
from itertools import product

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.delivery import dane_chain
from mailsuite.delivery.dane import RECORDS, Associations, usable
from mailsuite.delivery.dane_chain import CERTIFICATES
from mailsuite.delivery.der import matches, public_key_info
from mailsuite.dns import TLSA
from tests.delivery.chains import HOST, NOW, Made, chain, key, make, tlsa, with_sha1

ANOTHER = make("another", key("ec", 9), names=[HOST], ca=True)
KINDS = ("ec", "rsa", "ed25519")
GOOD = {kind: chain(kind) for kind in KINDS}
EC = GOOD["ec"]
WAYS = list(product((0, 1), (0, 1, 2)))
LATE = {"ends": NOW - timedelta(seconds=1)}
EARLY = {"begins": NOW + timedelta(seconds=1)}


def objection(records: list[TLSA], sent: tuple[bytes, ...], names: tuple[str, ...] = (HOST,)) -> str:
    """Return why *sent* is not what *records* ask for."""
    found = usable(records)
    assert found
    return Associations(HOST, names, found).objection(sent, NOW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("selector", "matching"), WAYS)
def test_ee_matches_the_server_alone(kind: str, selector: int, matching: int) -> None:
    """DANE-EE is the server's own certificate or key, in every form; an issuer's or another one is not."""
    made = GOOD[kind]

    assert objection([tlsa(3, selector, matching, made.leaf)], made.whole) == ""
    assert objection([tlsa(3, selector, matching, made.leaf)], (made.leaf.der,)) == ""
    assert objection([tlsa(3, selector, matching, made.middle)], made.whole)
    assert objection([tlsa(3, selector, matching, ANOTHER)], made.whole)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("selector", "matching"), WAYS)
def test_ta_matches_an_issuer_of_the_server(kind: str, selector: int, matching: int) -> None:
    """DANE-TA is the root or the issuer between, in every form; never the server's own, nor one beside the path."""
    made = GOOD[kind]

    assert objection([tlsa(2, selector, matching, made.root)], made.whole) == ""
    assert objection([tlsa(2, selector, matching, made.middle)], made.whole) == ""
    assert objection([tlsa(2, selector, matching, made.middle)], made.whole[:2]) == ""
    assert objection([tlsa(2, selector, matching, made.leaf)], made.whole)
    assert objection([tlsa(2, selector, matching, ANOTHER)], (*made.whole, ANOTHER.der))


@pytest.mark.parametrize("changed", [LATE, EARLY, {"names": ["wrong.example"]}])
def test_ee_looks_at_no_date_and_no_name(changed: dict[str, object]) -> None:
    """RFC 7672 §3.1.1, §3.2.1: the association is all that counts."""
    made = chain(leaf=changed)

    assert objection([tlsa(3, 1, 1, made.leaf)], made.whole) == ""
    assert objection([tlsa(2, 0, 1, made.root)], made.whole)


@pytest.mark.parametrize("part", ["leaf", "middle", "root"])
@pytest.mark.parametrize("changed", [LATE, EARLY])
def test_ta_looks_at_every_date(part: str, changed: dict[str, object]) -> None:
    """A certificate of the path, the anchor too, that is not in its time breaks it."""
    made = chain(**{part: changed})  # type: ignore[arg-type]

    assert "its certificates lead to none" in objection([tlsa(2, 0, 1, made.root)], made.whole)


def test_a_date_counts_to_its_last_second() -> None:
    """What ends now is good, as is what begins now."""
    made = chain(leaf={"begins": NOW, "ends": NOW})

    assert objection([tlsa(2, 0, 1, made.root)], made.whole) == ""


@pytest.mark.parametrize(
    ("presented", "names", "good"),
    [
        ([HOST], (HOST,), True),
        (["MX.B.Example"], (HOST,), True),
        (["*.b.example"], (HOST,), True),
        (["b.example"], (HOST,), False),
        (["b.example"], (HOST, "b.example"), True),
        (["*.example"], (HOST,), False),
        (["m*.b.example"], (HOST,), False),
        (["*x.b.example"], (HOST,), False),
        (["*.mx.b.example"], (HOST,), False),
        (["*.com", "192.0.2.1", HOST], (HOST,), True),
        ([], (HOST,), True),  # its subject's common name is the host's
        ([], ("other.example",), False),
        (["other.example"], (HOST,), False),  # the common name does not count beside DNS names
    ],
)
def test_ta_looks_at_the_names(presented: list[str], names: tuple[str, ...], good: bool) -> None:
    """RFC 7672 §3.2.3: one of the references, a wildcard for one whole label, the common name at a pinch."""
    made = chain(leaf={"names": presented})

    assert (objection([tlsa(2, 0, 1, made.root)], made.whole, names) == "") is good


def test_a_wrong_name_is_told() -> None:
    """An operator sees what was asked for."""
    made = chain(leaf={"names": ["wrong.example"]})

    told = objection([tlsa(2, 0, 1, made.root)], made.whole, (HOST, "b.example"))

    assert told == f"its certificate is not for {HOST} or b.example"


@pytest.mark.parametrize("kind", KINDS)
def test_an_anchor_that_was_not_sent(kind: str) -> None:
    """RFC 7671 §5.2.2, §5.2.3: a whole certificate or key in DNS is enough, a digest is not."""
    made = GOOD[kind]
    sent = made.whole[:2]

    assert objection([tlsa(2, 0, 0, made.root)], sent) == ""
    assert objection([tlsa(2, 1, 0, made.root)], sent) == ""
    assert objection([tlsa(2, 1, 0, made.middle)], sent[:1]) == ""
    assert objection([tlsa(2, 0, 0, made.middle)], sent[:1]) == ""
    assert objection([tlsa(2, 0, 1, made.root)], sent)
    assert objection([tlsa(2, 1, 2, made.root)], sent)
    assert objection([tlsa(2, 1, 0, ANOTHER)], sent)
    assert objection([tlsa(2, 0, 0, ANOTHER)], sent)


def test_a_key_that_was_not_sent_must_sign_the_topmost() -> None:
    """The bare key of the root does not vouch for a server whose issuer was left out."""
    assert objection([tlsa(2, 1, 0, EC.root)], EC.whole[:1])


def test_a_bare_key_looks_at_dates_and_names_too() -> None:
    """Nothing is let off because the anchor is only a key."""
    for changed in (LATE, EARLY, {"names": ["wrong.example"]}):
        made = chain(leaf=changed)
        assert objection([tlsa(2, 1, 0, made.middle)], made.whole[:1])


def test_rsa_pss() -> None:
    """Signatures of this kind are verified as others are, by a bare key too."""
    root = make("Root", key("rsa", 1), ca=True)
    leaf = make(HOST, key("rsa", 3), root, names=[HOST], pss=True)

    assert objection([tlsa(2, 0, 1, root)], (leaf.der, root.der)) == ""
    assert objection([tlsa(2, 1, 0, root)], (leaf.der,)) == ""


def test_order_and_strangers_do_not_matter() -> None:
    """Servers send their issuers in any order, and things that nobody can read."""
    sent = (EC.leaf.der, b"\x30\x03abc", EC.root.der, ANOTHER.der, EC.middle.der)

    assert objection([tlsa(2, 0, 1, EC.root)], sent) == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"middle": {"ca": False}},
        {"middle": {"ca": None}},
        {"root": {"path_length": 0}},
        {"leaf": {"purposes": [ExtendedKeyUsageOID.CLIENT_AUTH]}},
        {"middle": {"extra": [(x509.NameConstraints(None, [x509.DNSName("b.example")]), True)]}},
    ],
)
def test_issuers_keep_within_their_limits(changed: dict[str, dict[str, object]]) -> None:
    """RFC 5280 §6: who is no issuer, or not this one's, does not lead to the anchor."""
    made = chain(**changed)  # type: ignore[arg-type]

    assert objection([tlsa(2, 0, 1, made.root)], made.whole)


def test_a_forged_signature() -> None:
    """A certificate that only says who issued it leads nowhere."""
    forger = make("Middle", key("ec", 8), ca=True)
    leaf = make(HOST, key("ec", 3), forger, names=[HOST])

    assert objection([tlsa(2, 0, 1, EC.root)], (leaf.der, EC.middle.der, EC.root.der))
    assert objection([tlsa(2, 1, 0, EC.middle)], (leaf.der,))


def test_a_root_of_another_key_with_the_same_name() -> None:
    """The issuer that the record names is beside the path: nothing is proved."""
    twin = make("Root", key("ec", 7), ca=True)

    assert objection([tlsa(2, 0, 1, twin)], (*EC.whole, twin.der))


def test_a_broken_digest() -> None:
    """A server's certificate that is signed with SHA-1 may be a forger's; the anchor's own signature says nothing."""
    made = GOOD["rsa"]
    weak = with_sha1(made.leaf, made.middle)
    anchor = with_sha1(made.root, made.root)

    assert "broken digest" in objection([tlsa(2, 0, 1, made.root)], (weak.der, *made.whole[1:]))
    assert objection([tlsa(2, 1, 0, made.middle)], (weak.der,))
    assert objection([tlsa(2, 0, 1, anchor)], (*made.whole[:2], anchor.der)) == ""


def test_self_signed_under_ta() -> None:
    """The server's own certificate is no trust anchor, be it self-signed."""
    own = make(HOST, key("ec", 3), names=[HOST])

    assert objection([tlsa(2, 0, 1, own)], (own.der,))
    assert objection([tlsa(3, 0, 1, own)], (own.der,)) == ""


def test_no_certificate() -> None:
    """A server that shows none proves nothing."""
    assert objection([tlsa(3, 1, 1, EC.leaf)], ()) == "it showed no certificate"


def test_one_good_record_is_enough() -> None:
    """A set with a record for the next key, or an anchor that does not fit, holds."""
    records = [tlsa(3, 1, 1, ANOTHER), tlsa(2, 0, 1, ANOTHER), tlsa(2, 0, 1, EC.root)]

    assert objection(records, EC.whole) == ""
    assert objection([tlsa(2, 0, 1, ANOTHER), tlsa(3, 1, 1, EC.leaf)], EC.whole) == ""


@pytest.mark.parametrize(
    "record",
    [
        TLSA(0, 1, 1, bytes(32)),
        TLSA(1, 1, 1, bytes(32)),
        TLSA(4, 1, 1, bytes(32)),
        TLSA(255, 1, 1, bytes(32)),
        TLSA(3, 2, 1, bytes(32)),
        TLSA(3, 1, 3, bytes(32)),
        TLSA(3, 1, 1, bytes(31)),
        TLSA(3, 1, 1, bytes(33)),
        TLSA(3, 1, 2, bytes(32)),
        TLSA(3, 1, 1, b""),
        TLSA(3, 0, 0, b""),
        TLSA(3, 1, 0, b"no key"),
        TLSA(2, 0, 0, b"\x30\x00"),
        TLSA(2, 1, 0, EC.leaf.der),
        TLSA(2, 0, 0, EC.leaf.public),
    ],
)
def test_what_cannot_be_used(record: TLSA) -> None:
    """RFC 7672 §3.1.3 and RFC 6698 §4.1: PKIX usages, the unknown, the malformed."""
    good = tlsa(3, 1, 1, EC.leaf)

    assert usable([record]) == ()
    assert usable([record, good]) == (good,)


def test_the_best_digest_counts() -> None:
    """RFC 7671 §9: beside SHA-512 SHA-256 says nothing, of the same usage and selector; a full one always does."""
    strong, weak, full = tlsa(3, 1, 2, ANOTHER), tlsa(3, 1, 1, EC.leaf), tlsa(3, 1, 0, EC.leaf)
    other = tlsa(3, 0, 1, EC.leaf)

    assert usable([weak, strong]) == (strong,)
    assert usable([strong, weak, full, other]) == (strong, full, other)
    assert usable([weak, TLSA(3, 1, 2, b"malformed")]) == (weak,)
    assert usable([full]) == (full,)


def test_the_limit_of_records() -> None:
    """So many are looked at, and no more."""
    filling = [TLSA(3, 1, 1, hashlib.sha256(bytes([n])).digest()) for n in range(RECORDS)]
    good = tlsa(3, 1, 1, EC.leaf)

    assert objection([*filling[1:], good], EC.whole) == ""
    assert objection([*filling, good], EC.whole)


def test_the_limit_of_certificates() -> None:
    """So many are looked at, and no more."""
    filling = (ANOTHER.der,) * (CERTIFICATES - 3)

    assert objection([tlsa(2, 0, 1, EC.root)], (*EC.whole[:2], *filling, EC.root.der)) == ""
    assert objection([tlsa(2, 0, 1, EC.root)], (*EC.whole[:2], *filling, ANOTHER.der, EC.root.der))


@pytest.mark.parametrize("made", [EC.leaf, GOOD["rsa"].root, GOOD["ed25519"].middle])
def test_the_key_in_a_certificate(made: Made) -> None:
    """It is found octet by octet."""
    assert public_key_info(made.der) == made.public


def sequence(*elements: bytes) -> bytes:
    """Return a short DER sequence."""
    contents = b"".join(elements)
    return bytes([0x30, len(contents)]) + contents


def test_the_key_in_a_certificate_of_version_1() -> None:
    """It does not say its version (RFC 5280 §4.1.2.1)."""
    public = sequence(b"\x05\x00")
    fields = (b"\x02\x01\x07", sequence(), sequence(), sequence(), sequence(), public, b"\xa3\x00")

    assert public_key_info(sequence(sequence(*fields), sequence())) == public


def test_a_key_of_a_kind_that_nobody_knows() -> None:
    """Its octets can be compared all the same."""
    public = sequence(sequence(b"\x06\x02\x2a\x03"), b"\x03\x02\x00\x00")
    fields = (b"\x02\x01\x07", sequence(), sequence(), sequence(), sequence(), public)
    record = TLSA(3, 1, 0, public)

    assert usable([record]) == (record,)
    assert objection([record], (sequence(sequence(*fields)),)) == ""
    assert objection([TLSA(2, 1, 0, public)], EC.whole)


def test_unknown_ways_match_nothing() -> None:
    """A record that nobody sorted out beforehand does no harm."""
    assert not matches(TLSA(3, 2, 0, EC.leaf.public), EC.leaf.der)
    assert not matches(TLSA(3, 1, 3, EC.leaf.public), EC.leaf.der)


PARTS: list[bytes] = [*EC.whole, GOOD["rsa"].leaf.der]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A certificate that somebody has tampered with, or any octets."""
    octets = bytearray(draw(st.sampled_from(PARTS) | st.binary(max_size=64)))
    for _ in range(draw(st.integers(0, 4))):
        if octets:
            octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))]) if draw(st.booleans()) else bytes(octets)


RECORD_SETS = [
    (tlsa(usage, selector, matching, EC.root),) for usage in (2, 3) for selector, matching in WAYS
]


@given(st.lists(damaged(), max_size=4), st.sampled_from(RECORD_SETS))
def test_nothing_that_is_shown_raises(sent: list[bytes], records: tuple[TLSA, ...]) -> None:
    """A hostile chain is at worst not good."""
    found = Associations(HOST, (HOST,), records).objection(sent, NOW)

    assert isinstance(found, str)


@given(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), damaged())
def test_nothing_that_is_published_raises(usage: int, selector: int, matching: int, data: bytes) -> None:
    """Nor does a hostile record."""
    for record in usable([TLSA(usage, selector, matching, data)]):
        assert isinstance(dane_chain.objection(EC.whole, [record], NOW), str)


@given(damaged())
def test_the_key_of_anything(octets: bytes) -> None:
    """What is no certificate has no key, and says so in one way."""
    try:
        assert public_key_info(octets) in octets
    except ValueError:
        pass
