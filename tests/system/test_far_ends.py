"""Whatever other people's servers do: each recipient gets its fate, senders hear of it, and other mail goes on."""

import email
import email.policy
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import pytest

from tests.message import dsn
from tests.system.exchangers import tls
from tests.system.far_end import FarEnd, FarEnds, drop, silence, then
from tests.system.messages import message, parted
from tests.system.misbehaviour import (
    CASES,
    HEALTHY,
    LARGE,
    PLAIN,
    SILENT,
    SMALL,
    TIMEOUTS,
    Case,
    Kind,
    Make,
    far,
)
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, Site, until
from tests.transport.authority import Authority

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
# No second try comes by itself.
RETRY = 3000.0
# Every first try is over long before.
PATIENCE = 20.0
# Reports return messages up to so many octets whole.
RETURNED = 100_000

# What needs more than one message, or more than one recipient.
LMTP = {"a": "250 2.1.5 Kept", "b": "452 4.2.2 Over quota", "c": "550 5.7.1 Not wanted"}
SPECIAL: Mapping[str, Make] = {
    "mixed": far(rcpt={"b": "450 4.2.1 Busy", "c": "550 5.1.1 No such user"}),
    "mixed-plain": far(PLAIN, rcpt={"b": "450 4.2.1 Busy", "c": "550 5.1.1 No such user"}),
    "most-452": far(rcpt=["250 OK", "250 OK", "452 4.5.3 Too many recipients", "250 OK"]),
    "most-552": far(rcpt=["250 OK", "250 OK", "552 Too many recipients", "250 OK"]),
    "most-plain": far(PLAIN, rcpt=["250 OK", "452 Too many", "452 Too many", "250 OK"]),
    "tired-421-mail": far(mail=["250 OK", "421 4.3.2 Tired", "250 OK"]),
    "tired-450-mail": far(mail=["250 OK", "450 4.7.0 Tired", "250 OK"]),
    "tired-drop-mail": far(mail=["250 OK", drop, "250 OK"]),
    "tired-silent-mail": far(mail=["250 OK", silence, "250 OK"]),
    "tired-421-rcpt": far(rcpt=["250 OK", "421 4.3.2 Tired", "250 OK"]),
    "tired-421-data": far(PLAIN, data=["354 Go", "421 4.3.2 Tired", "354 Go"]),
    "tired-421-unasked": far(end=[then("250 2.0.0 Taken\r\n421 4.4.2 Idle too long", drop), "250 OK"]),
    "tired-gone": far(end=[then("250 2.0.0 Taken", drop), "250 OK"]),
    "tired-garbage": far(end=[then("250 2.0.0 Taken\r\nHello?", silence), "250 OK"]),
    "lmtp": far(("PIPELINING", "8BITMIME"), lmtp=True, rcpt={"d": "550 5.1.1 Nobody"}, end=LMTP),
    "lmtp-unix": far(("PIPELINING", "8BITMIME"), lmtp=True, rcpt={"d": "550 5.1.1 Nobody"}, end=LMTP),
    "lmtp-drops": far(("PIPELINING",), lmtp=True, end={"a": "250 2.1.5 Kept", "b": drop}),
    "lmtp-nobody": far(("PIPELINING",), lmtp=True, rcpt="550 5.1.1 Nobody"),
    "seven-bit": far(("PIPELINING",)),
    "seven-bit-large": far(PLAIN),
    "eight-bit": far(),
    "comes-twice": far(end=[drop, "250 2.0.0 Taken"]),
    "comes-back": far(greeting=["421 4.3.2 Not now", "220 mx.example"]),
}


class Run:
    """A site with a route to each far end; *ends* are these by name."""

    def __init__(self, site: Site, ends: Mapping[str, FarEnd]) -> None:
        self.site = site
        self.ends = ends
        self.pid = site.pid
        self.descriptors = self.open_descriptors()
        self.sent: dict[str, bytes] = {}
        self.queue: list[dict[str, Any]] = []

    def send_all(self, cases: Sequence[Case]) -> None:
        """Send a message to each far end, and let all of them be tried at once."""
        with smtp_session(self.site, "submission", ALICE) as session:
            for case in cases:
                octets = self.sent[case.name] = message(ALICE, body(case.size), case.name)
                assert session.sendmail(ALICE, [f"bob@{case.domain}"], octets) == {}
        # A case without its try will say so itself.
        end = time.monotonic() + PATIENCE
        while len(self.log("delivery")) < len(cases) and time.monotonic() < end:
            time.sleep(0.1)
        self.queue = self.waiting()

    def send(self, name: str, octets: bytes, *names: str) -> dict[str, dict[str, Any]]:
        """Send a message to recipients of one far end; return what the log says of each once it was tried."""
        recipients = [f"{local}@{name}.example" for local in names or ("a",)]
        before = len(self.log("delivery"))
        with smtp_session(self.site, "submission", ALICE) as session:
            assert session.sendmail(ALICE, recipients, octets) == {}
        tried = until(lambda: self._tried(recipients, before), PATIENCE, f"a try of {recipients}")
        return {record["to"].partition("@")[0]: record for record in tried}

    def _tried(self, recipients: Sequence[str], before: int) -> list[dict[str, Any]]:
        records = [record for record in self.log("delivery")[before:] if record["to"] in recipients]
        return records if len(records) == len(recipients) else []

    def log(self, kind: str = "", **fields: str) -> list[dict[str, Any]]:
        """Return the records of a *kind* in the mail log that have these *fields*."""
        records = [json.loads(line) for line in self.site.mail_log.splitlines(keepends=True) if line.endswith("\n")]
        return [
            record
            for record in records
            if kind in ("", record["kind"]) and all(record.get(key) == value for key, value in fields.items())
        ]

    def waiting(self, *arguments: str) -> list[dict[str, Any]]:
        """Return what ``mailsuite queue list`` says."""
        return cast(list[dict[str, Any]], json.loads(self.site.cli("queue", "list", "--json", *arguments).stdout))

    def report(self, recipient: str) -> dsn.Checked | None:
        """Return the report that alice has got about *recipient*, if there is one; it must be without a fault."""
        found = []
        for octets in self.site.on_disk(ALICE):
            assert octets.startswith(b"Return-Path: <>\r\n")
            report = octets.partition(b"\r\n")[2]
            if b"\r\nFinal-Recipient: rfc822; %b\r\n" % recipient.encode() in report:
                found.append(dsn.check(report))
        assert len(found) < 2
        return found[0] if found else None

    def taken(self, name: str) -> list[bytes]:
        """Return the messages that a far end has, without the Received field that we have put before each."""
        found = [parted(taken.octets) for taken in self.ends[name].taken]
        assert all(len(hops) == 1 for hops, _ in found)
        return [octets for _, octets in found]

    def open_descriptors(self) -> int:
        """Return how many files and connections the server has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@lru_cache(maxsize=8)
def body(size: int) -> bytes:
    """Return about *size* octets of text, with dots where they matter."""
    lines = (b".\r\n", b"..\r\n", b".hidden\r\n", b"%d\r\n", b"x" * 70 + b"\r\n")
    count = max(5, size // 18)
    return b"".join(line % at if b"%" in line else line for at in range(count) for line in (lines[at % 5],))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Serve a site that has sent to all far ends at once."""
    context = tls(Authority().issue("mx.example"), tmp_path_factory.mktemp("tls"))
    options: dict[str, Mapping[str, object]] = {
        "queue": {**TIMEOUTS, "retry_first": RETRY, "report_size": RETURNED},
        "delivery": {"connection_idle": 5.0},
        "limits": {"shutdown_grace": 1.0},
        "log": {"format": "json"},
    }
    with FarEnds() as far_ends:
        ends = {case.name: case.make() for case in CASES if case.make is not None}
        ends.update({name: make() for name, make in SPECIAL.items()})
        site = Site(options, ["alice"])
        for case in CASES:
            where = {"refuses": far_ends.refuse, "ignores": far_ends.ignore}.get(case.name)
            port = where() if where is not None else far_ends.listen(ends[case.name])
            options[f"routes.{case.name}"] = {**_route(case.domain, port), **case.route}
        for name in SPECIAL:
            options[f"routes.{name}"] = _special(name, ends[name], far_ends, site)
        for end in ends.values():
            end.context = context
        site.options = options
        with site:
            run = Run(site, ends)
            run.send_all(CASES)
            yield run


def _route(domain: str, port: int) -> dict[str, object]:
    return {"recipients": [domain], "host": "127.0.0.1", "port": port}


def _special(name: str, end: FarEnd, far_ends: FarEnds, site: Site) -> dict[str, object]:
    protocol = {"protocol": "lmtp"} if end.lmtp else {}
    if name == "lmtp-unix":
        path = site.root / "lmtp"
        far_ends.listen(end, path)
        return {"recipients": [f"{name}.example"], "host": f"unix:{path}", **protocol}
    return {**_route(f"{name}.example", far_ends.listen(end)), **protocol}


def cases(kind: Kind) -> pytest.MarkDecorator:
    """Run a test for each case that ends so."""
    chosen = [case for case in CASES if case.kind == kind]
    return pytest.mark.parametrize("case", chosen, ids=[case.name for case in chosen])


def tried_once(run: Run, case: Case) -> dict[str, Any]:
    """Check what every case has in common; return its one record in the log."""
    (record,) = run.log("delivery", to=f"bob@{case.domain}")
    assert record["result"] == case.kind, record
    assert record["via"] == f"route:{case.name}"
    assert record["from"] == ALICE
    assert record.get("status", "") == case.status, record
    assert case.why in record.get("why", ""), record
    assert case.seconds <= record["delay"], record
    assert bool(run.log("put_off", destination=f"route:{case.name}")) is case.whole
    if case.make is not None:
        end = run.ends[case.name]
        # Each octet, whatever dots and line ends it took.
        assert run.taken(case.name) == [run.sent[case.name]] * case.copies
        assert end.connections == case.connections, end.commands
    return record


@cases("delivered")
def test_delivered(run: Run, case: Case) -> None:
    """The message is there, once and as it was sent; the log tells of the answer and of TLS, and nothing is left."""
    record = tried_once(run, case)
    (taken,) = run.ends[case.name].taken
    assert taken.sender == ALICE
    assert taken.recipients == (f"bob@{case.domain}",)
    assert record["reply"].startswith("250")
    assert record["host"] == "[127.0.0.1]"
    assert ("tls" in record) is taken.encrypted
    assert not any(entry["recipient"] == f"bob@{case.domain}" for entry in run.queue)
    assert run.report(f"bob@{case.domain}") is None


@cases("deferred")
def test_deferred(run: Run, case: Case) -> None:
    """It waits for its next try, whose time is known, with what was said; nobody is told yet."""
    record = tried_once(run, case)
    (entry,) = [entry for entry in run.queue if entry["recipient"] == f"bob@{case.domain}"]
    assert entry["id"] == record["id"]
    assert (entry["state"], entry["destination"]) == ("waiting", f"route:{case.name}")
    assert entry["tries"] == (0 if case.whole else 1)
    assert 0.8 * RETRY < entry["next_try"] - entry["arrived"] < 1.2 * RETRY
    last = entry["last"]
    assert (last["kind"], last["status"], last["whole"]) == ("deferred", case.status, case.whole)
    assert case.why in last["reason"]
    assert (last["answer"] is None) is ("reply" not in record)
    assert run.report(f"bob@{case.domain}") is None


@cases("failed")
def test_failed(run: Run, case: Case) -> None:
    """It is given up at once, and its sender is told with the status and the very words of the other server."""
    record = tried_once(run, case)
    assert not any(entry["recipient"] == f"bob@{case.domain}" for entry in run.queue)
    report = run.report(f"bob@{case.domain}")
    assert report is not None
    fields = report.only
    assert (fields["action"], fields["status"]) == (" failed", f" {case.status}")
    if "reply" in record:
        assert dsn.typed(fields["remote-mta"]) == ("dns", "[127.0.0.1]")
        kind, said = dsn.typed(fields["diagnostic-code"])
        assert (kind, said[:3]) == ("smtp", record["reply"][:3])
        assert said[4:].partition("\r\n")[0][:40] in record["reply"]
    else:
        assert "remote-mta" not in fields
        assert dsn.typed(fields["diagnostic-code"])[0] == "x-mailsuite"
    assert case.why.split()[0] in report.text
    assert report.returned is not None
    whole = len(run.sent[case.name]) < RETURNED
    assert report.returned.get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")
    assert f"Subject: {case.name}\r\n".encode() in report.returned.as_bytes().replace(b"\n", b"\r\n")
    assert run.log("report", id=record["id"], action="failed", to=ALICE)


def test_others_do_not_wait(run: Run) -> None:
    """While servers that say nothing are waited for, mail that came after theirs reaches the good ones."""
    tried = [record["to"] for record in run.log("delivery")]
    silent = [tried.index(f"bob@{case.domain}") for case in SILENT if case.seconds]
    assert len(silent) > 15
    for case in HEALTHY:
        assert tried.index(f"bob@{case.domain}") < min(silent), case.name


def test_the_server_goes_on(run: Run) -> None:
    """After all of that it still delivers at once, and no broken session keeps its connection."""
    record = run.send("healthy-1", message(ALICE, body(SMALL), "after all"), "bob")["bob"]
    assert record["result"] == "delivered"
    assert run.site.pid == run.pid
    assert run.site.process is not None
    assert run.site.process.poll() is None
    # Those that wait for one more message, and what a database or two may have opened.
    until(lambda: run.open_descriptors() < run.descriptors + 10, 25, "connections to be closed")


def test_the_queue_in_words(run: Run) -> None:
    """An operator reads there what the other server said, and why the message waits."""

    def words(command: str, name: str) -> str:
        (entry,) = [entry for entry in run.queue if entry["destination"] == f"route:{name}"]
        return " ".join(run.site.cli("queue", command, entry["id"]).stdout.split())

    shown = words("show", "rcpt-450")
    assert "bob@rcpt-450.example" in shown
    assert "[127.0.0.1]: 450 4.2.1 Busy mailbox" in shown
    explained = words("explain", "rcpt-450")
    assert "waits for its next try. Of 1 try the last ended so: 4.2.1 [127.0.0.1] said to RCPT: 450" in explained
    explained = words("explain", "encrypt-garbage")
    assert "waits with all that is for route:encrypt-garbage, which is put off until" in explained
    assert "is in trouble: 4.7.5 [127.0.0.1]: the connection was lost: TLS handshake failed" in explained


@pytest.mark.parametrize("name", ["mixed", "mixed-plain"])
def test_each_recipient_its_own_answer(run: Run, name: str) -> None:
    """One transaction: one is delivered to, one waits, and of one, and no other, the sender is told."""
    octets = message(ALICE, body(SMALL), name)
    fates = run.send(name, octets, "a", "b", "c")
    assert {local: fate["result"] for local, fate in fates.items()} == {
        "a": "delivered",
        "b": "deferred",
        "c": "failed",
    }
    end = run.ends[name]
    assert end.verbs().count("MAIL") == end.connections == 1
    assert run.taken(name) == [octets]
    assert end.taken[0].recipients == (f"a@{name}.example",)
    (entry,) = run.waiting("--domain", f"{name}.example")
    assert entry["recipient"] == f"b@{name}.example"
    assert (entry["tries"], entry["last"]["answer"]["lines"]) == (1, ["Busy"])
    report = run.report(f"c@{name}.example")
    assert report is not None
    assert report.only["status"] == " 5.1.1"
    assert dsn.typed(report.only["diagnostic-code"]) == ("smtp", "550 5.1.1 No such user")


@pytest.mark.parametrize("name", ["most-452", "most-552", "most-plain"])
def test_more_recipients_than_are_taken_at_a_time(run: Run, name: str) -> None:
    """The others come in further transactions of the same session (RFC 5321 §4.5.3.1.10)."""
    octets = message(ALICE, body(SMALL), name)
    fates = run.send(name, octets, "a", "b", "c")
    assert {fate["result"] for fate in fates.values()} == {"delivered"}
    end = run.ends[name]
    assert end.connections == 1
    assert run.taken(name) == [octets] * len(end.taken)
    assert sorted(to for taken in end.taken for to in taken.recipients) == [f"{each}@{name}.example" for each in "abc"]
    assert len(end.taken) == (3 if name == "most-plain" else 2)


@pytest.mark.parametrize("name", [name for name in SPECIAL if name.startswith("tired-")])
def test_a_session_that_ends_between_two_messages(run: Run, name: str) -> None:
    """The second message goes over another connection, at once, and none of both comes twice."""
    sent = [message(ALICE, body(SMALL), f"{name} {number}") for number in range(2)]
    for octets in sent:
        assert run.send(name, octets)["a"]["result"] == "delivered"
    assert run.taken(name) == sent
    assert run.ends[name].connections == 2
    assert run.log("put_off", destination=f"route:{name}") == []


@pytest.mark.parametrize("name", ["lmtp", "lmtp-unix"])
def test_lmtp(run: Run, name: str) -> None:
    """A mail store answers for each recipient, over TCP or a socket: each answer is that recipient's fate."""
    octets = message(ALICE, body(SMALL), name)
    fates = run.send(name, octets, "a", "b", "c", "d")
    told = {local: (fate["result"], fate.get("status")) for local, fate in fates.items()}
    assert told == {
        "a": ("delivered", None),
        "b": ("deferred", "4.2.2"),
        "c": ("failed", "5.7.1"),
        "d": ("failed", "5.1.1"),
    }
    assert run.taken(name) == [octets]
    assert run.ends[name].verbs()[0] == "LHLO"
    (entry,) = run.waiting("--domain", f"{name}.example")
    assert entry["recipient"] == f"b@{name}.example"
    report = run.report(f"c@{name}.example")
    assert report is not None
    assert [(fields["final-recipient"], fields["status"]) for fields in report.recipients] == [
        (f" rfc822; c@{name}.example", " 5.7.1"),
        (f" rfc822; d@{name}.example", " 5.1.1"),
    ]


def test_lmtp_that_breaks_off(run: Run) -> None:
    """The answers that came count, the others may have been delivered to (RFC 2033 §5)."""
    fates = run.send("lmtp-drops", message(ALICE, body(SMALL), "drops"), "a", "b", "c")
    assert [fates[local]["result"] for local in "abc"] == ["delivered", "deferred", "deferred"]
    assert "has not answered" in fates["b"]["why"]


def test_lmtp_for_nobody(run: Run) -> None:
    """No recipient, no message."""
    assert run.send("lmtp-nobody", message(ALICE, body(SMALL), "nobody"))["a"]["result"] == "failed"
    assert run.taken("lmtp-nobody") == []


UMLAUTS = "Grüße aus Köln, 日本語\r\n"


@pytest.mark.parametrize(("name", "lines"), [("seven-bit", 5), ("seven-bit-large", LARGE // 25)])
def test_eight_bits_for_seven(run: Run, name: str, lines: int) -> None:
    """A server without 8BITMIME gets the same text in seven bits (RFC 6152 §3)."""
    octets = message(ALICE, (UMLAUTS * lines).encode(), name)
    assert run.send(name, octets)["a"]["result"] == "delivered"
    (taken,) = run.taken(name)
    assert taken.isascii()
    assert not any("BODY=" in line for _, line in run.ends[name].commands)
    converted = email.message_from_bytes(taken, policy=email.policy.default)
    assert converted.get_content().replace("\r\n", "\n") == UMLAUTS.replace("\r\n", "\n") * lines


def test_eight_bits_that_cannot_be_seven(run: Run) -> None:
    """In a header field no encoding can be guessed: the sender is told, and nothing is sent."""
    octets = message(ALICE, b"Hello\r\n", "raw").replace(b"Subject: ", b"Subject: Gr\xfc\xdfe ")
    fate = run.send("seven-bit", octets, "raw")["raw"]
    assert (fate["result"], fate["status"]) == ("failed", "5.6.3")
    assert not any("<raw@" in line for _, line in run.ends["seven-bit"].commands)
    report = run.report("raw@seven-bit.example")
    assert report is not None
    assert report.only["status"] == " 5.6.3"


def test_eight_bits(run: Run) -> None:
    """A server with 8BITMIME gets them untouched, and is told."""
    octets = message(ALICE, UMLAUTS.encode() + bytes(range(0x80, 0x100)) + b"\r\n", "eight")
    assert run.send("eight-bit", octets)["a"]["result"] == "delivered"
    assert run.taken("eight-bit") == [octets]
    assert [line for _, line in run.ends["eight-bit"].commands if line.startswith("MAIL")] == [
        f"MAIL FROM:<{ALICE}> BODY=8BITMIME"
    ]


def test_what_was_not_acknowledged_comes_again(run: Run) -> None:
    """A far end that took the message and broke off has it twice after the next try: a duplicate, and no loss."""
    octets = message(ALICE, body(SMALL), "twice")
    fate = run.send("comes-twice", octets)["a"]
    assert "may have been taken" in fate["why"]
    run.site.cli("queue", "retry", fate["id"])
    until(lambda: run.log("delivery", to="a@comes-twice.example", result="delivered"), PATIENCE, "the second try")
    assert run.taken("comes-twice") == [octets] * 2
    assert run.waiting("--domain", "comes-twice.example") == []


def test_what_was_down_comes_back(run: Run) -> None:
    """What waits for a destination as a whole goes out once it is known to be there again."""
    sent = [message(ALICE, body(SMALL), f"back {number}") for number in range(4)]
    assert run.send("comes-back", sent[0])["a"]["result"] == "deferred"
    with smtp_session(run.site, "submission", ALICE) as session:
        for octets in sent[1:]:
            session.sendmail(ALICE, ["a@comes-back.example"], octets)
    run.site.cli("queue", "retry", "--domain", "comes-back.example")
    until(lambda: len(run.ends["comes-back"].taken) == 4, PATIENCE, "all to arrive")
    assert sorted(run.taken("comes-back")) == sorted(sent)
    done = {"via": "route:comes-back", "result": "delivered"}
    until(lambda: len(run.log("delivery", **done)) == 4, PATIENCE, "all to be recorded")
    assert run.waiting("--domain", "comes-back.example") == []
