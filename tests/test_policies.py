"""Rules of the configuration as checks of listeners: which hold where, and for whom."""

import textwrap
from functools import partial
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock

from mailsuite.address import Address
from mailsuite.case import Case
from mailsuite.config import load
from mailsuite.envelope import Peer
from mailsuite.maybe import value_of
from mailsuite.meaning import Mailbox, Mailboxes
from mailsuite.policies import BadCheck, Denials, OwnChecks, load_own_checks, relay_rules
from mailsuite.policy.checks import Checks
from mailsuite.policy.deny_file import BadDenyFile
from mailsuite.smtp.verdict import Verdict

ETC = Path(__file__).parents[1] / "etc"
CONFIG = """\
hostname = "mail.example.org"
[listen.outside]
service = "mta"
endpoint = "tcp:25"
[listen.inside]
service = "mta"
endpoint = "tcp:2525"
[listen.users]
service = "submission"
endpoint = "tcp:587"
[deny.first]
senders = ["bob@example.net"]
listeners = ["outside"]
reply = "451 Later"
[deny.second]
senders = ["example.net"]
file = "denied"
networks = ["192.0.2.0/24", "unix"]
exempt = ["192.0.2.7"]
[relay.printers]
networks = ["192.0.2.20"]
listeners = ["inside"]
[relay.all]
networks = ["192.0.2.21"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration, and its list."""
    (tmp_path / "mailsuite.toml").write_text(CONFIG)
    (tmp_path / "denied").write_text("helo ylmf-pc\n")
    return tmp_path


def rule(denials: Denials, listener: str, peer: str, sender: str = "bob@example.net", helo: str = "a.example") -> str:
    """Return the rule that denies; empty where none does."""
    checks = denials.checks(listener)
    if not checks:
        return ""
    local, _, domain = sender.rpartition("@")
    meaning = Mailboxes((Mailbox(1, "example.org/alice"),))
    case = Case(Peer(peer), helo, None, Address(local, domain), Address("alice", "example.org"), meaning)
    verdict = Checks(*checks).judge(case)
    assert isinstance(verdict, Verdict)
    return verdict.rule


def test_where_and_for_whom(folder: Path) -> None:
    """By listeners, networks and exemptions; the first that fits decides."""
    denials = Denials(load(folder / "mailsuite.toml"))
    denials.load()

    assert rule(denials, "outside", "192.0.2.8") == "deny.first"
    assert rule(denials, "outside", "198.51.100.1") == "deny.first"
    assert rule(denials, "outside", "192.0.2.8", "eve@example.net") == "deny.second"
    for listener in ("inside", "users"):
        assert rule(denials, listener, "192.0.2.8") == "deny.second"
        assert rule(denials, listener, "unix") == "deny.second"
        assert rule(denials, listener, "192.0.2.7") == ""
        assert rule(denials, listener, "198.51.100.1") == ""


def test_lists_are_all_read_before_any_holds(folder: Path) -> None:
    """One that cannot be used leaves everything as it was."""
    denials = Denials(load(folder / "mailsuite.toml"))
    assert rule(denials, "users", "192.0.2.8") == ""
    denials.load()
    assert rule(denials, "users", "192.0.2.8", "joe@a.example", "ylmf-pc") == "deny.second"
    (folder / "denied").write_text("helo other\nhelo\n")
    with pytest.raises(BadDenyFile, match="denied:2:"):
        denials.load()

    assert rule(denials, "users", "192.0.2.8", "joe@a.example", "ylmf-pc") == "deny.second"
    (folder / "denied").write_text("helo other\n")
    denials.load()
    assert rule(denials, "users", "192.0.2.8", "joe@a.example", "ylmf-pc") == ""
    assert rule(denials, "users", "192.0.2.8", "joe@a.example", "other") == "deny.second"


def test_a_list_that_cannot_be_used_keeps_no_other_from_being_read(folder: Path) -> None:
    """Its own rule goes on as it was, and it is said which it is and why."""
    config = folder / "mailsuite.toml"
    config.write_text(CONFIG + '[deny.third]\nfile = "third"\n')
    (folder / "third").touch()
    denials = Denials(load(config))
    denials.load()
    (folder / "denied").write_text("helo\n")
    (folder / "third").write_text("helo other\n")
    found, wrong = denials.read()
    denials.take(found)

    assert {name: "denied:1:" in str(error) for name, error in wrong.items()} == {"second": True}
    assert rule(denials, "users", "192.0.2.8", "joe@a.example", "ylmf-pc") == "deny.second"
    assert rule(denials, "users", "192.0.2.8", "joe@a.example", "other") == "deny.third"


def test_who_relays_where(folder: Path) -> None:
    """In the order of the configuration; nobody where a login is asked for."""
    settings = load(folder / "mailsuite.toml")

    assert [each.name for each in relay_rules(settings, "outside")] == ["all"]
    assert [each.name for each in relay_rules(settings, "inside")] == ["printers", "all"]
    assert list(relay_rules(settings, "users")) == []


OWN = """
[check.list]
object = "dns_list:make"
options = "dnsbl.example.net"
budget = 2
listeners = ["outside"]
"""


class Resolver(Clock):
    """A reactor that knows one name."""

    def resolve(self, name: str) -> Deferred[str]:
        """Return its address, or a failure."""
        return succeed("127.0.0.2") if name == "7.2.0.192.dnsbl.example.net" else fail(DNSLookupError())


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration with the check that docs/operations.rst shows, where Python finds it."""
    monkeypatch.syspath_prepend(str(ETC))
    config = folder / "mailsuite.toml"
    config.write_text(config.read_text() + OWN)
    return config


def test_a_check_of_the_sites_own(own: Path) -> None:
    """It is asked on its listeners, about whom it has to do with, and does what the example says."""
    settings = load(own)
    load_own_checks(settings)
    checks = OwnChecks(settings, Resolver())
    assert not checks.checks("users")
    (check,) = checks.checks("outside")
    meaning = Mailboxes((Mailbox(1, "example.org/alice"),))
    found: dict[str, Verdict] = {}
    for peer in ("192.0.2.7", "192.0.2.8", "unix"):
        case = Case(Peer(peer), "a", None, None, Address("alice", "example.org"), meaning)
        Deferred.fromCoroutine(value_of(check.judge(case))).addCallback(partial(found.__setitem__, peer))
    assert {peer: verdict.rule for peer, verdict in found.items()} == {
        "192.0.2.7": "check.list", "192.0.2.8": "", "unix": "",
    }  # fmt: skip


def test_the_example_is_that_of_the_document() -> None:
    """Whoever copies either has the same."""
    example = (ETC / "dns_list.py").read_text().rstrip("\n")
    assert textwrap.indent(example, "    ") in (ETC.parent / "docs" / "operations.rst").read_text()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module:make", "cannot be loaded: ModuleNotFoundError"),
        ("dns_list:makes", "cannot be made: AttributeError"),
        ("dns_list:LISTED", "cannot be made: TypeError"),
        ("builtins:print", "made no IPolicyCheck"),
    ],
)
def test_a_check_that_cannot_be_made(own: Path, name: str, why: str) -> None:
    """It is told by its name, at the start and by ``mailsuite check``."""
    own.write_text(own.read_text().replace("dns_list:make", name))
    with pytest.raises(BadCheck, match=f"check.list: {name} {why}"):
        OwnChecks(load(own), Clock())
    if "loaded" in why:
        with pytest.raises(BadCheck, match=why):
            load_own_checks(load(own))
