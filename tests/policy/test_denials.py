"""What is refused by name: peers, HELO names, senders, recipients."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.config.replies import written_reply
from mailsuite.envelope import Peer
from mailsuite.meaning import Foreign, Mailbox, Mailboxes, Meaning, Unknown
from mailsuite.policy import deny_file
from mailsuite.policy.checks import Checks
from mailsuite.policy.denials import KINDS, DenyRule, Entries, Kind
from mailsuite.policy.denied_helos import DeniedHelos
from mailsuite.policy.denied_peers import DeniedPeers
from mailsuite.policy.denied_recipients import DeniedRecipients
from mailsuite.policy.denied_senders import DeniedSenders
from mailsuite.policy.deny_file import BadDenyFile, read_into
from mailsuite.policy.relay import SubmissionRelay
from mailsuite.smtp.replies import NO_RELAY, Reply
from mailsuite.smtp.verdict import Verdict
from tests.kept_out import kept_out, open_folder

OURS = Mailboxes((Mailbox(1, "b.example/alice"),))
GO_AWAY = Reply(550, "5.7.1", "Go away")


def entries(*listed: tuple[Kind, str], reply: Reply = GO_AWAY) -> Entries:
    """Return what lists *listed*."""
    made = Entries()
    for kind, text in listed:
        made.add(kind, text, reply)
    return made


def checks(*rules: DenyRule) -> Checks:
    """Return all checks, and one after them that refuses nobody with a login and everybody else by 530."""
    return Checks(
        DeniedPeers(rules), DeniedHelos(rules), DeniedSenders(rules), DeniedRecipients(rules), SubmissionRelay()
    )


def with_(word: Kind, text: str) -> Case:
    """Return a case of which *text* is one thing."""
    if word == "peer":
        return case(peer=text)
    if word == "helo":
        return case(helo=text)
    return case(sender=text) if word == "sender" else case(to=text)


def case(
    peer: str = "192.0.2.7",
    helo: str = "mx.example.net",
    sender: str = "bob@example.net",
    to: str = "alice@b.example",
    meaning: Meaning = OURS,
) -> Case:
    """Return a case."""
    reverse, forward = ([*each.rpartition("@")] for each in (sender, to))
    return Case(
        Peer(peer, 25), helo, None, Address(reverse[0], reverse[2]) if sender else None,
        Address(forward[0], forward[2]), meaning,
    )  # fmt: skip


def rule_of(of: Case, *listed: tuple[Kind, str]) -> str:
    """Return the rule that refuses *of*; empty where none does."""
    verdict = checks(DenyRule("spam", entries(*listed), lambda peer: True)).judge(of)
    assert isinstance(verdict, Verdict)
    assert (verdict.refusal == GO_AWAY) is bool(verdict.rule)
    return verdict.rule


@pytest.mark.parametrize(
    ("kind", "text", "hits", "misses"),
    [
        ("peer", "192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8", "unix", "unknown", "2001:db8::1"]),
        ("peer", "192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "192.0.1.255"]),
        ("peer", "2001:db8:7::/48", ["2001:db8:7::1", "2001:db8:7:ffff::1"], ["2001:db8:8::1", "192.0.2.7"]),
        ("helo", "ylmf-pc", ["ylmf-pc", "YLMF-PC"], ["a.ylmf-pc", "ylmf"]),
        ("helo", ".spam.example", ["a.spam.example", "B.A.Spam.Example"], ["spam.example", "aspam.example"]),
        ("helo", "[192.0.2.7]", ["[192.0.2.7]"], ["[192.0.2.8]", "192.0.2.7"]),
        ("sender", "bob@spam.example", ["bob@spam.example", "BOB@Spam.Example"], ["eve@spam.example"]),
        ("sender", "spam.example", ["bob@spam.example", "eve@SPAM.example"], ["bob@a.spam.example", ""]),
        ("sender", ".spam.example", ["bob@a.spam.example", "bob@b.a.spam.example"], ["bob@spam.example"]),
        ("sender", "пример.рф", ["bob@xn--e1afmkfd.xn--p1ai", "bob@пример.рф"], ["bob@example.net"]),
        ("recipient", "all@b.example", ["all@b.example", "ALL@b.example"], ["alice@b.example"]),
        ("recipient", "b.example", ["alice@b.example"], ["alice@a.example"]),
    ],
)
def test_what_an_entry_is_for(kind: Kind, text: str, hits: list[str], misses: list[str]) -> None:
    """RFC 2505 §2, §2.5, §2.7: single ones, groups of them, in any case; and nobody else."""
    for each in hits:
        assert rule_of(with_(kind, each), (kind, text)) == "deny.spam", each
    for each in misses:
        assert rule_of(with_(kind, each), (kind, text)) == "", each


def test_who_is_refused_can_complain() -> None:
    """RFC 5321 §4.5.1, RFC 2142: postmaster and abuse of ours are reached by everybody, those of others are not."""
    listed: list[tuple[Kind, str]] = [("peer", "192.0.2.7"), ("recipient", "b.example")]

    for name in ("postmaster@b.example", "Abuse@b.example", "postmaster"):
        of = case(to=name) if "@" in name else case()
        if "@" not in name:
            of.recipient = Address(name, "")
        assert rule_of(of, *listed) == ""
    assert rule_of(case(to="postmaster@else.example", meaning=Foreign()), *listed) == "deny.spam"
    assert rule_of(case(to="alice@b.example", meaning=Unknown()), *listed) == "deny.spam"


def test_a_rule_holds_for_some() -> None:
    """The first that holds and fits decides, and its reply is what is said."""
    later = Reply(451, "4.7.1", "Later")
    first = DenyRule("inside", entries(("sender", "example.net"), reply=later), lambda peer: peer.host == "192.0.2.8")
    other = DenyRule("all", entries(("sender", "example.net")), lambda peer: True)
    policy = checks(first, other)

    said = {host: policy.judge(case(peer=host)) for host in ("192.0.2.7", "192.0.2.8")}

    assert said["192.0.2.7"] == Verdict(GO_AWAY, "the sender is example.net of [deny.all]", "deny.all")
    assert said["192.0.2.8"] == Verdict(later, "the sender is example.net of [deny.inside]", "deny.inside")


def test_a_narrower_network_decides() -> None:
    """Whatever came first."""
    listed = entries(("peer", "192.0.0.0/16"))
    listed.add("peer", "192.0.2.7", NO_RELAY)
    verdict = checks(DenyRule("x", listed, lambda peer: True)).judge(case())

    assert isinstance(verdict, Verdict)
    assert verdict.refusal is NO_RELAY


def test_lists_change_under_a_policy() -> None:
    """What is read anew holds at once."""
    rule = DenyRule("spam", Entries(), lambda peer: True)
    policy = checks(rule)
    before = policy.judge(case())
    rule.entries = entries(("sender", "bob@example.net"))

    after = policy.judge(case())

    assert isinstance(before, Verdict)
    assert isinstance(after, Verdict)
    assert (before.rule, after.rule) == ("", "deny.spam")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("peer", "192.0.2.7/24"), ("peer", "fe80::1%eth0"), ("peer", "unix"), ("peer", ""),
        ("peer", "::ffff:192.0.2.7"),
        ("helo", "a b"), ("helo", ""), ("helo", ".a b"),
        ("sender", "<>"), ("sender", ""), ("sender", "@example.net"), ("sender", "bob@"), ("sender", "a b@x.example"),
        ("sender", "@a.example:bob@x.example"), ("recipient", "exa mple"), ("recipient", ".."),
    ],
)  # fmt: skip
def test_what_is_no_entry(kind: Kind, text: str) -> None:
    """It is refused with words; the null sender is that of reports (RFC 2505 §2.6.1)."""
    with pytest.raises(ValueError, match=r"\w"):
        entries((kind, text))


@given(st.sampled_from(KINDS), st.text(max_size=60))
def test_any_text_is_an_entry_or_is_refused(kind: Kind, text: str) -> None:
    """Nothing else comes of it."""
    try:
        found = entries((kind, text))
    except ValueError:
        return
    assert found.count == 1


def test_a_file(tmp_path: Path) -> None:
    """Comments, empty lines, line ends of Windows, a reply of a line's own."""
    path = tmp_path / "denied"
    path.write_bytes(
        b"\xef\xbb\xbf# who\r\n\r\npeer 192.0.2.0/24\r\n  sender\tbob@example.net   450 Come back tomorrow \n"
        b"helo ylmf-pc\nrecipient old@b.example 550 5.1.6 She has left"
    )
    found = Entries()

    read_into(found, str(path), GO_AWAY, written_reply)

    assert found.count == 4
    entry = found.senders.find(Address("bob", "example.net"))
    assert entry is not None
    assert entry.reply == Reply(450, "4.7.1", "Come back tomorrow")
    gone = found.recipients.find(Address("old", "b.example"))
    assert gone is not None
    assert gone.reply.octets == b"550 5.1.6 She has left\r\n"


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"peer 192.0.2.7\nsnder bob@example.net", r"denied:2: expected one of peer, helo, sender, recipient"),
        (b"peer", r"denied:1: expected one of"),
        (b"peer 192.0.2.7/24", r"denied:1: .*192\.0\.2\.7/24"),
        (b"sender bob@example.net 250 2.0.0 Welcome", r"denied:1: 250 is no reply code"),
        (b"sender bob@example.net 421 4.7.0 Gone", r"denied:1: 421 is no reply code"),
        (b"sender bob@example.net 550 4.7.1 No", r"denied:1: .*no status for 550"),
        (b"sender bob@example.net spam", r"denied:1: 'spam' is no reply"),
        (b"sender \xff", r"is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, octets: bytes, told: str) -> None:
    """Which line, and what was expected."""
    path = tmp_path / "denied"
    path.write_bytes(octets)

    with pytest.raises(BadDenyFile, match=told) as caught:
        read_into(Entries(), str(path), GO_AWAY, written_reply)
    assert caught.value.mend == ("write it in UTF-8" if b"\xff" in octets else "mend the line")


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is taken, one octet past it is not."""
    path = tmp_path / "denied"
    with pytest.raises(BadDenyFile, match=r"cannot be read: No such file.*; to mend it: make the file"):
        read_into(Entries(), str(path), GO_AWAY, written_reply)
    path.write_bytes(b"peer 192.0.2.7\n")
    monkeypatch.setattr(deny_file, "FILE_OCTETS", 15)
    read_into(Entries(), str(path), GO_AWAY, written_reply)
    monkeypatch.setattr(deny_file, "FILE_OCTETS", 14)

    with pytest.raises(BadDenyFile, match="more than 14 octets; to mend it: part it"):
        read_into(Entries(), str(path), GO_AWAY, written_reply)


def test_a_file_that_is_there_and_cannot_be_read() -> None:
    """No advice to make it: it is a folder, or lies in one that keeps us out."""
    with open_folder() as folder:
        with pytest.raises(BadDenyFile, match=r"Is a directory; to mend it: name a file"):
            read_into(Entries(), str(folder), GO_AWAY, written_reply)
        (folder / "closed").mkdir()
        with kept_out(folder / "closed"), pytest.raises(BadDenyFile, match=r"may not pass .*; to mend it: chmod"):
            read_into(Entries(), f"{folder}/closed/denied", GO_AWAY, written_reply)
