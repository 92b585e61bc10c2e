"""SRS: what is rewritten comes back as it was, within its time, and from nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.srs import HASH_LETTERS, LOCAL_OCTETS, Expired, Forged, NoWayBack, Rewriting

TODAY = 20_000
BOB = Address("bob", "example.net")
OURS = Rewriting("mail.example.org", 21, lambda: [b"secret"])
NEXT = Rewriting("next.example", 21, lambda: [b"of another"])
THIRD = Rewriting("third.example", 21, lambda: [b"of a third"])


def rewritten(sender: Address, by: Rewriting = OURS, today: int = TODAY) -> Address:
    """Return what fits."""
    made = by.rewrite(sender, today)
    assert made is not None
    return made


def test_there_and_back() -> None:
    """The address is ours by its form, has the sender in it, and leads back in any letter case."""
    made = rewritten(BOB)

    assert made.domain == "mail.example.org"
    assert made.local.startswith("SRS0=")
    assert made.local.endswith("=example.net=bob")
    assert OURS.covers(made)
    for changed in (made, Address(made.local.lower(), made.domain), Address(made.local.upper(), "MAIL.example.org")):
        assert OURS.covers(changed)
        assert OURS.restore(changed, TODAY).key == BOB.key


def test_a_chain_of_forwarders_is_two_hops_long() -> None:
    """The second writes SRS1, each further one changes only its own part; the way back leads to the first."""
    first = rewritten(BOB)
    second = rewritten(first, NEXT)
    third = rewritten(second, THIRD)

    assert second.local.startswith("SRS1=")
    assert len(third.local) == len(second.local)
    assert THIRD.restore(third, TODAY) == NEXT.restore(second, TODAY) == first
    assert OURS.restore(first, TODAY) == BOB


def test_another_forwarders_separators_are_kept() -> None:
    """The first may write a plus or a hyphen, and only itself knows what its hash means."""
    for theirs in (
        Address("SRS0+aB/z=QX=example.net=bob", "first.example"),
        Address("srs0-aB/z=QX=example.net=bob=x", "first.example"),
    ):
        found = OURS.restore(rewritten(theirs), TODAY)
        assert (found.local[4:], found.domain) == (theirs.local[4:], theirs.domain)


@pytest.mark.parametrize(
    ("days", "works"), [(-1, True), (0, True), (21, True), (22, False), (-2, False), (1022, False)]
)
def test_for_a_time(days: int, works: bool) -> None:
    """For as many days as are set, the last one too; a day early where clocks differ."""
    for sender in (BOB, rewritten(BOB, NEXT)):
        made = rewritten(sender)
        if works:
            assert OURS.restore(made, TODAY + days) == sender
        else:
            with pytest.raises(Expired):
                OURS.restore(made, TODAY + days)


def test_nobody_else_makes_one() -> None:
    """Each part is proved: another secret, domain, day, sender or hash makes it a forgery."""
    made = rewritten(BOB)
    proof = made.local[5 : 5 + HASH_LETTERS]
    stamp = made.local[6 + HASH_LETTERS : 8 + HASH_LETTERS]
    for other in (
        rewritten(BOB, Rewriting("mail.example.org", 21, lambda: [b"guessed"])),
        rewritten(BOB, Rewriting("mail.example.com", 21, lambda: [b"secret"])),
        Address(made.local.replace("=bob", "=rob"), made.domain),
        Address(made.local.replace("example.net", "example.com"), made.domain),
        Address(made.local.replace(f"={stamp}=", "=AA="), made.domain),
        Address(made.local.replace(proof, "A" * HASH_LETTERS), made.domain),
        Address(made.local.replace(proof, proof[:-1]), made.domain),
        Address(made.local.replace(proof, "ÄÖÜ€ßß"), made.domain),
        Address("SRS0=", made.domain),
        Address("SRS1=AAAAAAAA=x==y", made.domain),
        Address("SRS1=AA=x==y", made.domain),
    ):
        with pytest.raises(Forged):
            OURS.restore(other, TODAY)


def test_secrets_change_one_after_the_other() -> None:
    """The first makes, each one proves: what was made before a change finds its way until its secret is gone."""
    after = Rewriting(OURS.domain, 21, lambda: [b"new", b"secret"])
    later = Rewriting(OURS.domain, 21, lambda: [b"new"])

    assert after.restore(rewritten(BOB), TODAY) == BOB
    assert later.restore(rewritten(BOB, after), TODAY) == BOB
    with pytest.raises(Forged):
        later.restore(rewritten(BOB), TODAY)


def test_no_longer_than_others_must_take() -> None:
    """64 octets of local part, and not one more; quotes and letters that are not ASCII count as they are sent."""
    room = LOCAL_OCTETS - len(rewritten(Address("", "example.net")).local)
    for letters, fits in (("x" * room, True), ("x" * (room + 1), False), (" " * (room - 2), True),
                          (" " * (room - 1), False), ("я" * (room // 2), True), ("я" * (room // 2 + 1), False)):
        assert (OURS.rewrite(Address(letters, "example.net"), TODAY) is not None) is fits


@pytest.mark.parametrize("sender", [Address("postmaster", ""), Address("x", "a=b.example")])
def test_what_cannot_be_rewritten(sender: Address) -> None:
    """It has no domain, or one that is none."""
    assert OURS.rewrite(sender, TODAY) is None


@pytest.mark.parametrize(
    "address",
    ["srs0@mail.example.org", "bob@mail.example.org", "SRS0=x@example.org", "SRS2=x@mail.example.org",
     "\u017fRS0=x@mail.example.org"],
)
def test_what_is_not_of_ours(address: str) -> None:
    """Only the form in our domain is; all others are looked up as all addresses are."""
    local, _, domain = address.partition("@")
    assert not OURS.covers(Address(local, domain))


def test_secrets_are_shown_to_nobody() -> None:
    """They stand in no log."""
    assert "secret" not in repr(OURS)


@given(st.text(st.characters(blacklist_categories=["Cc"]), min_size=1, max_size=20), st.integers(0, 50_000))
def test_any_sender_comes_back(local: str, today: int) -> None:
    """Whatever its local part, on any day, through a second forwarder too."""
    for sender in (Address(local, "b.example"), Address(f"SRS0={local}", "b.example")):
        made = OURS.rewrite(sender, today)
        if made is not None:
            assert OURS.restore(made, today) == sender
            again = NEXT.rewrite(made, today)
            if again is not None:
                assert NEXT.restore(again, today) == made


@given(st.text(max_size=60))
def test_anything_at_all_is_refused_in_words(local: str) -> None:
    """Nothing but a refusal comes of what we have not made."""
    for kind in ("SRS0=", "SRS1=", "SRS1=AAAAAAAA="):
        with pytest.raises(NoWayBack):
            OURS.restore(Address(kind + local, OURS.domain), TODAY)
