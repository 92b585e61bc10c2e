"""``mailsuite explain``."""

import gzip
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.cli.explaining.log_lines import Line, lines_with, parse, recent
from mailsuite.cli.explaining.story import belongs, sentence
from mailsuite.maillog import format_json, format_text
from tests.cli.site import new_site, run
from tests.queue.queues import Queues

POLICY = """
[limits]
exempt = []
[deny.spam]
senders = ["spam.example"]
reply = "451 4.7.1 Not now"
[relay.printers]
networks = ["192.0.2.20"]
hourly_recipients = 1
[routes.bank]
recipients = ["bank.example"]
host = "192.0.2.80"
tls = "encrypt"
[listen.inside]
service = "mta"
endpoint = "tcp:2599:interface=127.0.0.1"
peers = ["192.0.2.0/24"]
[listen.hand]
service = "lmtp"
endpoint = "unix:/run/nothing"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a site that never serves."""
    made = new_site(tmp_path_factory.mktemp("explain") / "site", "--unprivileged", "--interface", "127.0.0.1")
    made.write_text(made.read_text() + POLICY)
    for arguments in (
        ("user", "add", "alice@example.org", "--no-password"),
        ("user", "add", "carol@example.org", "--no-password"),
        ("user", "set", "carol@example.org", "--must-change"),
        ("alias", "add", "fans@example.org", "alice@example.org", "bob@bank.example", "joe@example.net"),
        ("domain", "add", "backed.example", "--class", "backup"),
        ("domain", "add", "passed.example", "--class", "relay"),
        ("alias", "add", "all@example.org", "fans@example.org", "carol@example.org"),
        ("alias", "add", "*-bills@example.org", "carol@example.org"),
        ("domain", "add", "caught.example", "--catch-all", "alice@example.org"),
        ("domain", "add", "alias.example", "--alias-of", "example.org"),
        ("bans", "add", "192.0.2.66", "--forever"),
        ("user", "add", "full@example.org", "--no-password"),
        ("quota", "set", "full@example.org", "--messages", "1"),
        ("bans", "add", "192.0.2.67", "--logins", "--forever"),
        ("bans", "add", "lost@example.org", "--forever"),
    ):
        done = run(*arguments, "-c", made)
        assert done.exit_code == 0, done.output
    (made.parent / "mail/example.org/full/new/1764144000.M1.host,S=10").write_text("To: x\n\nHi\n")
    return made


def explained(config: Path, arguments: str) -> tuple[str, dict[str, str]]:
    """Return the reply, and what was said of each step, of some the last thing."""
    words = shlex.split(arguments)
    peer = [] if "--peer" in words else ["--peer", "192.0.2.7"]
    done = run("explain", "rcpt", *words, *peer, "--json", "-c", config)
    found = json.loads(done.output)
    assert done.exit_code == (0 if str(found["reply"]).startswith("2") else 1)
    return str(found["reply"]), {each["step"]: f"{each['said']}: {each['why']}" for each in found["steps"]}


@pytest.mark.parametrize(
    ("arguments", "reply", "step", "why"),
    [
        ("alice@example.org", "250 2.1.5", "routing", "ok: it is put into example.org/alice of"),
        ("Alice+x@example.org --peer unix", "250 2.1.5", "directory", "note: it leads to the mailbox example.org/a"),
        ("'<alice@example.org>' --peer ::1", "250 2.1.5", "relay", "ok: mail for domains of ours"),
        ("@a.example:alice@example.org", "250 2.1.5", "address", "note: what is looked up is alice@example.org"),
        ("nobody@example.org", "550 5.1.1", "recipient", "refused: its domain is ours, and there is no such address"),
        ("алиса@example.org", "550 5.1.1", "directory", "note: its domain is ours, and there is no such address"),
        ("abuse@example.org --from a@spam.example", "250 2.1.5", "denied senders", "ok: postmaster and abuse of our"),
        ("alice@example.org --from a@spam.example", "451 4.7.1", "denied senders", "deferred: the sender is spam.ex"),
        ("bob@bank.example", "550 5.7.1", "relay", "refused: the domain is none of ours"),
        ("bob@bank.example --peer 192.0.2.20", "250 2.1.5", "routing", "ok: bob@bank.example goes to 192.0.2.80,"),
        ("bob@bank.example --peer 192.0.2.20", "250 2.1.5", "relay", "ok: [relay.printers] lets the peer send"),
        ("x@passed.example", "250 2.1.5", "relay", "ok: the domain is one whose mail we pass on"),
        ("x%y.example@passed.example", "550 5.7.1", "relay", "refused: the local part may be a way to a third host"),
        ("x@backed.example", "250 2.1.5", "relay", "ok: we are its backup MX, and nobody can say now"),
        ("full@example.org", "452 4.2.2", "quota", "deferred: "),
        ("alice@example.org", "250 2.1.5", "quota", "ok: there is room"),
        ("alice@example.org --from x@", "501 5.1.7", "MAIL", "refused: Bad address syntax"),
        ("alice@", "501 5.1.3", "RCPT", "refused: Bad address syntax"),
        ("alice@example.org --helo 'a b'", "501 Give", "EHLO", "refused: "),
        ("alice@example.org --peer 192.0.2.66", "421 Your", "bans", "deferred: 192.0.2.66 is banned"),
        ("alice@example.org --peer 192.0.2.67", "250 2.1.5", "bans", "ok: no ban keeps 192.0.2.67 out"),
        ("x@a.example --peer 192.0.2.67 --login alice@example.org", "421 Your", "bans", "deferred: 192.0.2.67 is"),
        ("alice@example.org --peer ::1 --listener inside", "None", "listener", "refused: peers of [listen.inside]"),
        ("x@a.example --peer unix --listener hand", "550 5.7.1", "relay", "refused: the domain has no mailboxes here"),
        ("x@a.example --listener submission", "530 5.7.0", "MAIL", "refused: Must issue a STARTTLS command first"),
        ("x@a.example --login lost@example.org", "421 4.7.0 Banned from logging", "login", "deferred: lost@example"),
        ("x@a.example --from b@c.example --login alice@example.org", "550 5.7.1", "MAIL", "refused: This login may"),
        ("x@a.example --login bob@example.org", "535 5.7.8", "login", "refused: there is no login bob@example.org"),
        ("x@a.example --login carol@example.org", "525 5.7.13", "login", "refused: the password of carol@example.org"),
        ("x@a.example --login alice@example.org --listener mta", "502 5.5.1", "login", "refused: nobody logs"),
    ],
)  # fmt: skip
def test_why(config: Path, arguments: str, reply: str, step: str, why: str) -> None:
    """The answer, and the step that tells why; one recipient counts once, however often it is looked at."""
    answer, steps = explained(config, arguments)

    assert answer.startswith(reply), (answer, steps)
    assert steps[step].startswith(why), steps


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("Alice@example.org", ""),
        ("alice+x@example.org", ", by way of alice@example.org"),
        ("shop-bills@example.org", ", by way of *-bills@example.org, carol@example.org"),
        ("anybody@caught.example", ", by way of alice@example.org"),
        ("all+x@alias.example", ", by way of all@example.org, fans@example.org, alice@example.org, carol@example.org"),
        ("abuse@alias.example", ", by way of postmaster@example.org"),
        ("nobody@example.org", ""),
    ],
)
def test_by_which_users_and_aliases(config: Path, address: str, way: str) -> None:
    """Why mail goes to whom it goes to is told where it is not by the address itself."""
    why = explained(config, address)[1]["directory"]

    assert "".join(why.partition(", by way of")[1:]) == way


def test_a_login_and_an_alias(config: Path) -> None:
    """All ways are told."""
    done = run(
        "explain", "rcpt", "fans@example.org", "--peer", "192.0.2.7", "--login", "ALICE@example.org",
        "--from", "alice@example.org", "-c", config,
    )  # fmt: skip

    assert done.exit_code == 0
    for told in (
        "it leads to the mailbox example.org/alice and bob@bank.example and joe@example.net",
        "who has logged in may send anywhere",
        'bob@bank.example goes to 192.0.2.80, port 25 by [routes.bank], with TLS "encrypt"',
        'joe@example.net goes to the MX records of example.net, with TLS "may"',
        "The answer: 250 2.1.5 Recipient OK",
    ):
        assert told in done.output


def test_what_the_log_says_of_limits(config: Path) -> None:
    """Those of the last hour."""
    log = config.parent / "mail.log"
    log.write_text(
        "2020-01-01T00:00:00.000Z limit service=mta peer=192.0.2.9 limit=message_rate\n"
        "2999-01-01T00:00:00.000Z limit service=mta peer=192.0.2.9 limit=recipient_rate\n"
        "2999-01-01T00:00:00.000Z limit service=mta peer=192.0.2.10 limit=errors\n"
    )

    _, steps = explained(config, "alice@example.org --peer 192.0.2.9")
    log.unlink()

    assert steps["limits"].endswith("within the last hour, 1 time: recipient_rate was the last")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rcpt", "a@example.org", "--peer", "here"), "is no IP address"),
        (("rcpt", "a@example.org\r\nDATA", "--peer", "::1"), "cannot be printed"),
        (("rcpt", "a@example.org", "--peer", "::1", "--from", "x\r\nQUIT"), "cannot be printed"),
        (("rcpt", "a@example.org", "--peer", "::1", "--helo", "x\r\nQUIT"), "cannot be printed"),
        (("rcpt", "a@example.org", "--peer", "::1", "--listener", "pop3"), "no listener pop3 to ask about; these"),
        (("rcpt", "a@example.org", "--peer", "::1", "--login", "alice"), "alice"),
        (("message", "4fk2m9a1"), "is no ID of a message"),
    ],
)
def test_what_is_no_question(config: Path, arguments: tuple[str, ...], told: str) -> None:
    """It is said; nothing gets into the session that is not one line."""
    done = run("explain", *arguments, "-c", config)

    assert done.exit_code == 2
    assert told in done.output


LINES = """\
2026-11-26T08:00:00.000Z login service=submission id=k7f peer=192.0.2.7 login=alice@example.org mechanism=PLAIN
2026-11-26T08:00:01.000Z smtp service=submission id=k7f-1 peer=192.0.2.7 helo=pc tls="TLSv1.3 X" \
login=alice@example.org from=alice@example.org to=bob@example.net,"a b"@example.net \
refused="550 5.1.1 <nobody@example.org>" size=123 reply="250 2.0.0 Accepted [k7f-1]" seconds=0.1
2026-11-26T08:00:01.500Z smtp service=submission id=k7f-12 peer=192.0.2.7 helo="id=k7f-1" from="" \
to=- size=0 ended=reset
2026-11-26T08:00:02.000Z delivery id=k7f-1 from=alice@example.org to=bob@example.net via=example.net \
host=mx.example.net result=deferred status=4.2.2 reply="452 4.2.2 Full" why=Full size=123 delay=1.0
"""
LATER = """\
2026-11-26T09:00:02.000Z delivery id=k7f-1 from=alice@example.org to=bob@example.net via=example.net \
host=mx.example.net tls="TLSv1.3 X" result=delivered reply="250 OK" size=123 delay=3601.0
2026-11-26T09:00:03.000Z report id=k7f-1 report=k7g-0 to=alice@example.org about=bob@example.net action=delivered
"""


def test_a_story(config: Path) -> None:
    """In order, out of the log, what was kept before it, and the queue; without other messages of the session."""
    folder = config.parent
    with gzip.open(folder / "mail.log.1.gz", "wb") as file:
        file.write(LINES.encode())
    (folder / "mail.log").write_text(LATER)
    queues = Queues(folder / "queue")
    queue = queues.open()
    queues.accept(queue, "late@example.net", id="k7f-1")
    queues.stop()

    done = run("explain", "message", "k7f-1", "-c", config)
    told = json.loads(run("explain", "message", "k7f-1", "--json", "-c", config).output)
    report = run("explain", "message", "k7g-0", "-c", config)

    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert [line.split("  ")[1][:22] for line in lines[:5]] == [
        "In the session that it", "It came in from pc (19", "For bob@example.net it", "For bob@example.net it",
        "alice@example.org was ",
    ]  # fmt: skip
    assert "Refused within it: 550 5.1.1 <nobody@example.org>." in lines[1]
    assert "logged in as alice@example.org, with TLSv1.3 X, by the service submission" in lines[1]
    assert "it has to wait: 4.2.2 Full, which answered: 452 4.2.2 Full." in lines[2]
    assert "it was taken by mx.example.net with TLSv1.3 X, which answered: 250 OK." in lines[3]
    assert "late@example.net goes to example.net" in lines[5]
    assert [each["kind"] for each in told["log"]] == ["login", "smtp", "delivery", "delivery", "report"]
    assert told["queue"][0]["recipient"] == "late@example.net"
    assert "It is a report (delivered) to alice@example.org on the message k7f-1, about bob@ex" in report.output
    assert "It is not in the queue" in report.output
    missing = run("explain", "message", "zzz-1", "-c", config)
    assert (missing.exit_code, "nor the queue knows of zzz-1" in missing.output) == (1, True)


@pytest.mark.parametrize("kind", ["limit", "dropped", "other", "smtp", "delivery"])
def test_every_line_has_a_sentence(kind: str) -> None:
    """Whatever is missing in it."""
    line = Line("2026-11-26T08:00:00.000Z", kind, {"id": "k7f-1", "result": "failed", "trouble": "x", "ended": "y"})

    assert sentence(line, "k7f-1")
    assert belongs(line, "k7f-1")
    assert not belongs(line, "k7f-2")


TEXTS = st.text(max_size=30)


@given(st.dictionaries(st.sampled_from(["id", "helo", "to", "from"]), TEXTS | st.lists(TEXTS, min_size=2, max_size=4)))
def test_lines_are_read_as_they_were_written(fields: Mapping[str, Any]) -> None:
    """In both forms; whatever a peer has put into a value stays in it."""
    for form in (format_text, format_json):
        written = form(1_767_225_600.0, "smtp", fields).decode()

        line = parse(written)

        assert line is not None
        assert line.kind == "smtp"
        assert {name: line.fields[name] for name in fields} == dict(fields)
        assert set(line.fields) == set(fields)


@given(st.text(max_size=80))
def test_any_text_is_a_line_or_none(text: str) -> None:
    """Nothing is raised by what others wrote."""
    line = parse(text)
    if line is not None:
        assert sentence(line, "k7f-1")


def test_the_end_of_a_log(tmp_path: Path) -> None:
    """Only whole lines; none where there is no log."""
    log = tmp_path / "mail.log"
    assert list(recent(str(log))) == []
    assert list(lines_with(str(log), ["x"])) == []
    log.write_text("".join(f"2026-11-26T08:00:0{number}.000Z limit id=x{number}\n" for number in range(5)))

    assert [line.text("id") for line in recent(str(log), 60)] == ["x4"]
    assert len(list(recent(str(log)))) == 5


def test_the_usage_names_what_is_needed() -> None:
    """Not among what may be left out."""
    assert "explain rcpt --peer IP [OPTIONS] TO" in run("explain", "rcpt", "--help").output
