"""``mailsuite queue``, as an operator uses it while the server runs."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailsuite.asked import Asked
from mailsuite.cli import main
from mailsuite.directory.accounts import Accounts
from mailsuite.meaning import Mailbox
from mailsuite.outcome import Answer, Deferred
from mailsuite.queue.store import SqliteQueue
from mailsuite.queued import LOCAL, Settled
from mailsuite.service.asking import fates
from tests.queue.queues import BODY, Queues, names, to

CONFIG = 'hostname = "mail.example.com"\n[listen.mta]\nservice = "mta"\nendpoint = "tcp:25"\n'
BUSY = Deferred("4.2.0", "The server is busy", Answer("mx.b.example", 450, "4.2.0", ("come", "later"), "TLSv1.3 X"))
DOWN = Deferred("4.4.1", "No connection", Answer("192.0.2.1"), whole=True)


class Site:
    """A site with a queue that the server has open."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "mailsuite.toml"
        self.config.write_text(CONFIG)
        self.queues = Queues(folder / "queue")
        self.queues.now = time.time() - 100
        self.queue: SqliteQueue = self.queues.open()

    def run(self, *words: str, typed: str = "") -> Result:
        """Run ``mailsuite queue WORDS``."""
        return CliRunner().invoke(main, ["queue", *words, "--config", str(self.config)], input=typed)

    def done(self, *words: str, typed: str = "") -> str:
        """Run a command that has to succeed; return what it printed."""
        result = self.run(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def route(self) -> None:
        """Let mail for d.example go by a next hop, from now on."""
        self.config.write_text(CONFIG + '[routes.isp]\nhost = "smtp.isp.example"\nrecipients = ["d.example"]\n')

    def listed(self) -> list[Any]:
        """The recipients that are in the queue."""
        found: list[Any] = json.loads(self.done("list", "--json"))
        return [each["recipient"] for each in found]

    def deferred(self, *recipients: str) -> None:
        """Accept a message that was tried once and is tried again in an hour."""
        jobs = self.queues.accept(self.queue, *recipients, claim=True)
        later = self.queues.now + 3600
        self.queues.record(self.queue, *(Settled(each, later, BUSY) for job in jobs for each in job.recipients))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site."""
    made = Site(tmp_path)
    yield made
    made.queues.stop()


class TestList:
    """What is in the queue."""

    def test_a_line_for_each_recipient(self, site: Site) -> None:
        """Id, size, arrival, sender, recipient, state, next try, last answer."""
        site.queues.accept(site.queue, "bob@b.example", sender=None)
        site.deferred("eve@b.example")
        header, first, second = site.done("list").splitlines()

        assert header.split()[:6] == ["id", "size", "arrived", "sender", "recipient", "state"]
        assert first.split()[:2] == ["m1", str(len(BODY))]
        assert first.split()[4:] == ["<>", "bob@b.example", "waiting", "now", "-"]
        assert "carol@a.example" in second
        assert second.endswith("mx.b.example: 450 4.2.0 come later")

    def test_for_programs(self, site: Site) -> None:
        """The same facts and more; an empty queue is an empty list."""
        assert json.loads(site.done("list", "--json")) == []
        site.deferred("eve@b.example")
        site.queues.accept(site.queue, to("bob@b.example", destination=LOCAL, mailbox=Mailbox(1, "b.example/bob")))
        first, second = json.loads(site.done("list", "--json"))

        assert (first["id"], first["recipient"], first["destination"]) == ("m1", "eve@b.example", "b.example")
        assert (first["tries"], first["state"], first["mailbox"]) == (1, "waiting", None)
        assert first["last"]["answer"]["lines"] == ["come", "later"]
        assert first["next_try"] == pytest.approx(site.queues.now + 3600)
        assert second["mailbox"] == "b.example/bob"

    def test_filters(self, site: Site) -> None:
        """All that are given have to fit; an id may stand alone."""
        site.queues.accept(site.queue, "bob@b.example")
        site.queues.now -= 86_400
        site.queues.accept(site.queue, "eve@d.example", sender=None)

        for words, found in {
            ("m1",): "bob@",
            ("--id", "m2"): "eve@",
            ("--domain", "d.example"): "eve@",
            ("--recipient", "bob@b.example"): "bob@",
            ("--sender", "<>"): "eve@",
            ("--older", "12h30m"): "eve@",
            ("--younger", "0.5d"): "bob@",
            ("--limit", "1"): "bob@",
            ("--destination", "b.example", "--status", "waiting"): "bob@",
        }.items():
            lines = site.done("list", *words).splitlines()
            assert len(lines) == 2, words
            assert found in lines[1]
        assert site.done("list", "--status", "held") == "Nothing found.\n"

    def test_a_summary(self, site: Site) -> None:
        """How much waits for each destination, and its trouble."""
        site.deferred("eve@b.example", "bob@b.example", "dan@d.example")
        site.queues.wait(site.queue.put_off("b.example", site.queues.now + 900, DOWN))
        site.done("hold", "--destination", "d.example")
        _, first, second = site.done("list", "--summary").splitlines()
        facts = json.loads(site.done("list", "--summary", "--json"))

        assert first.split()[:4] == ["b.example", "2", "0", "0"]
        assert first.endswith("4.4.1 No connection")
        assert second.split() == ["d.example", "(held)", "1", "0", "0", "-", "-"]
        assert facts[0]["put_off_until"] == pytest.approx(site.queues.now + 900)
        assert (facts[1]["destination"], facts[1]["destination_held"]) == ("d.example", True)
        assert facts[1]["trouble"] is None
        assert site.run("list", "--summary", "--domain", "b.example").exit_code == 2

    def test_what_a_peer_sent_does_no_harm_to_the_terminal(self, site: Site) -> None:
        """Control characters are shown, not sent."""
        site.queues.accept(site.queue, "\x1b[2Jbob@b.example")

        for words in (["list"], ["show", "m1"], ["explain", "m1"]):
            assert "\x1b" not in site.done(*words)

    def test_a_long_one_comes_in_pieces(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        """It need not fit in memory."""
        monkeypatch.setattr("mailsuite.cli.queue._ROWS", 2)
        site.queues.accept(site.queue, *(f"r{index}@b.example" for index in range(5)))
        printed = site.done("list")

        assert printed.count("recipient") == 3
        assert [f"r{index}@" in printed for index in range(5)] == [True] * 5


class TestShow:
    """One message."""

    def test_its_envelope_and_each_recipient(self, site: Site) -> None:
        """With what DSN asked for, and the last answer."""
        whom = [to("bob@b.example", notify="NEVER", original="rfc822;robert@b.example"), to("eve@d.example")]
        site.queues.accept(site.queue, *whom, ret="HDRS", envid="e-1", origin="192.0.2.7", body=BODY)
        printed = site.done("show", "m1")

        for fact in ("carol@a.example", "HDRS", "e-1", "192.0.2.7", "NEVER", "rfc822;robert@b.example", "d.example"):
            assert fact in printed
        assert [each["recipient"] for each in json.loads(site.done("show", "m1", "--json"))] == [
            "bob@b.example", "eve@d.example",
        ]  # fmt: skip

    @pytest.mark.parametrize("tls, told", [("TLSv1.3 X (DANE)", "TLSv1.3 X (DANE)"), ("", "none")])
    def test_what_tls_the_last_answer_came_over(self, site: Site, tls: str, told: str) -> None:
        """Version, cipher and trust; nothing where no server has answered."""
        assert BUSY.answer is not None
        (job,) = site.queues.accept(site.queue, "bob@b.example", claim=True)
        assert "TLS" not in site.done("show", "m1")
        later = replace(BUSY, answer=replace(BUSY.answer, tls=tls))
        site.queues.record(site.queue, Settled(job.recipients[0], site.queues.now + 3600, later))

        assert ["TLS", *told.split()] in [line.split() for line in site.done("show", "m1").splitlines()]

    @pytest.mark.parametrize("body", [BODY, bytes(range(256)) * 20])
    def test_its_content(self, site: Site, body: bytes) -> None:
        """Octet for octet."""
        site.queues.accept(site.queue, "bob@b.example", body=body)
        result = site.run("show", "m1", "--content")

        assert (result.exit_code, result.stdout_bytes) == (0, body)

    def test_its_content_is_no_json(self, site: Site) -> None:
        """Both together are a slip, and not the one without the other."""
        result = site.run("show", "m1", "--content", "--json")

        assert (result.exit_code, result.stdout) == (2, "")
        assert "give one of --content and --json" in result.stderr

    def test_content_that_is_gone(self, site: Site) -> None:
        """Exit code 1, and what is wrong."""
        site.queues.accept(site.queue, "bob@b.example", body=b"x" * 5000)
        for name in site.queues.files():
            (site.queues.path / "content" / name).unlink()
        result = site.run("show", "m1", "--content")

        assert result.exit_code == 1
        assert "cannot be read" in result.stderr

    @pytest.mark.parametrize("command", ["show", "explain"])
    def test_a_message_that_is_not_there(self, site: Site, command: str) -> None:
        """Exit code 1, and where to look."""
        result = site.run(command, "m9")

        assert result.exit_code == 1
        assert "m9 is not in the queue" in result.stderr


class TestExplain:
    """Why something waits, in sentences."""

    def explained(self, site: Site) -> str:
        """What is said of m1."""
        return site.done("explain", "m1")

    def test_one_that_is_due(self, site: Site) -> None:
        """Where it goes, and that it was not tried yet."""
        site.queues.accept(site.queue, "bob@b.example")
        text = self.explained(site)

        assert text.startswith("bob@b.example goes to b.example.\n")
        for sentence in (
            "It is due, and waits for its turn.", "No try has reached a verdict on it yet.", "It is tried next now.",
            "Its sender is told of the delay at", "It is given up at",
        ):  # fmt: skip
            assert sentence in text

    def test_one_that_was_deferred(self, site: Site) -> None:
        """What was said, by whom, over what; and that its sender knows."""
        (job,) = site.queues.accept(site.queue, "bob@b.example", claim=True)
        later = site.queues.now + 3600
        site.queues.record(site.queue, Settled(job.recipients[0], later, BUSY, warned=True))
        text = self.explained(site)

        assert "Of 1 try the last ended so: 4.2.0 The server is busy (mx.b.example, answered 450 4.2.0 come later, with TLSv1.3 X)." in text  # noqa: E501
        assert "It waits for its next try." in text
        assert "It is tried next at 20" in text
        assert "Its sender was told of the delay." in text

    def test_one_whose_destination_is_down(self, site: Site) -> None:
        """Until when, and why; then that one message finds out."""
        site.queues.accept(site.queue, "bob@b.example")
        site.queues.wait(site.queue.put_off("b.example", site.queues.now + 900, DOWN))
        text = self.explained(site)
        assert "It waits with all that is for b.example, which is put off until 20" in text
        assert "b.example is in trouble: 4.4.1 No connection (192.0.2.1, in the clear)." in text
        site.queues.wait(site.queue.put_off("b.example", site.queues.now - 900, DOWN))

        assert "one message finds out whether it works again" in self.explained(site)

    def test_one_for_a_mailbox(self, site: Site) -> None:
        """It stays here."""
        site.queues.accept(site.queue, to("bob@b.example", destination=LOCAL, mailbox=Mailbox(1, "b.example/bob")))

        assert "goes to the mailbox b.example/bob here." in self.explained(site)

    def test_one_in_the_servers_hands(self, site: Site) -> None:
        """Nothing more is known of it."""
        site.queues.accept(site.queue, "bob@b.example", claim=True)

        assert "in the server's hands at this moment" in self.explained(site)
        assert "tried next" not in self.explained(site)

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("hold", "m1"), "It is held: nothing happens to it until mailsuite queue release."),
            (("bounce", "m1", "--yes"), "to be given up on an operator's word"),
            (("hold", "--destination", "b.example"), "until mailsuite queue release --destination b.example."),
            (("hold", "--queue"), "The whole queue is held"),
        ],
    )
    def test_what_an_operator_did(self, site: Site, words: tuple[str, ...], sentence: str) -> None:
        """It is said, and nothing that will not happen."""
        site.queues.accept(site.queue, "bob@b.example")
        site.done(*words)

        assert sentence in self.explained(site)
        assert "tried next" not in self.explained(site)

    def test_one_with_damaged_content(self, site: Site) -> None:
        """What to do about it."""
        site.queues.accept(site.queue, "bob@b.example", body=b"x" * 5000)
        (job,) = site.queues.claim(site.queue)
        for name in site.queues.files():
            (site.queues.path / "content" / name).unlink()
        with pytest.raises(OSError, match="content"):
            site.queues.content(site.queue, job)
        site.queues.record(site.queue, Settled(job.recipients[0], 0.0))

        assert "Bring the content back and release it" in self.explained(site)


class TestChange:
    """An operator's hands on it."""

    def test_retry(self, site: Site) -> None:
        """The server gets it with its next claim."""
        site.deferred("bob@b.example")
        assert site.queues.claim(site.queue) == []
        site.queues.now = time.time()

        assert site.done("retry", "--domain", "b.example") == "Due now: 1 recipient.\n"
        site.queues.now = time.time()
        assert names(site.queues.claim(site.queue)) == ["bob@b.example"]

    def test_hold_and_release(self, site: Site) -> None:
        """What cannot be done is counted and said."""
        site.queues.accept(site.queue, "bob@b.example", "eve@d.example")
        assert site.done("hold", "--domain", "b.example") == "Held: 1 recipient.\n"
        again = site.run("hold", "m1")
        assert (again.exit_code, again.stdout) == (0, "Held: 1 recipient.\n")
        assert again.stderr == "Left as it was: 1 recipient; it was held, or set aside, before.\n"
        assert site.queues.claim(site.queue) == []
        none = site.run("retry", "--all")
        assert (none.exit_code, none.stdout) == (1, "Due now: 0 recipients.\n")
        assert site.done("release", "--all") == "Released: 2 recipients.\n"
        site.queues.now = time.time()

        assert len(site.queues.claim(site.queue)) == 2

    def test_remove_asks_first(self, site: Site) -> None:
        """And does nothing without a yes, or --yes."""
        site.queues.accept(site.queue, "bob@b.example", "eve@d.example")
        refused = site.run("remove", "m1", typed="n\n")
        assert refused.exit_code == 1
        assert "Remove 2 recipients of 1 message for good, and tell nobody?" in refused.stderr
        assert len(site.listed()) == 2
        site.done("remove", "--domain", "b.example", typed="y\n")
        assert site.listed() == ["eve@d.example"]

        assert site.done("remove", "--all", "--yes") == "Removed: 1 recipient.\n"

    def test_bounce_asks_first(self, site: Site) -> None:
        """The server tells the sender."""
        site.queues.accept(site.queue, "bob@b.example")
        assert "Give up 1 recipient of 1 message, and tell the senders?" in site.run("bounce", "m1", typed="").stderr
        assert site.done("bounce", "m1", "--yes") == "Given up: 1 recipient.\n"
        site.queues.now = time.time()

        assert [job.purpose for job in site.queues.claim(site.queue)] == ["bounce"]

    def test_what_the_server_has_in_its_hands(self, site: Site) -> None:
        """It is left alone; where that is all, the exit code is 1."""
        site.queues.accept(site.queue, "bob@b.example", claim=True)
        result = site.run("remove", "m1", "--yes")

        assert result.exit_code == 1
        assert "Left as it was: 1 recipient; in the server's hands at this moment" in result.stderr
        assert len(site.listed()) == 1

    def test_the_queue_and_destinations_as_a_whole(self, site: Site) -> None:
        """What is held is said wherever the queue is looked at."""
        assert site.done("hold", "--queue") == "The queue is held: nothing is tried.\n"
        site.done("hold", "--destination", "b.example")
        told = site.run("list").stderr
        assert "The queue is held" in told
        assert "Held destinations: b.example." in told
        assert site.done("release", "--queue") == "The queue goes on.\n"
        assert site.done("release", "--destination", "b.example") == "b.example goes on.\n"

        assert site.run("list").stderr == ""

    @pytest.mark.parametrize(
        ("typed", "name"),
        [("B.Example", "b.example"), ("BÜCHER.example", "xn--bcher-kva.example"), ("local", "local"),
         ("[192.0.2.1]", "[192.0.2.1]"), ("route:isp", "route:isp")],
    )  # fmt: skip
    def test_a_destination_however_it_is_written(self, site: Site, typed: str, name: str) -> None:
        """It is held under the name that its mail goes by; where there is none yet, that is said."""
        site.route()
        told = site.run("hold", "--destination", typed)
        assert told.stdout == f"{name} is held: nothing is tried there.\n"
        assert "Nothing of that name is in the queue" in told.stderr
        assert site.queues.ask("SELECT name FROM destinations WHERE held") == [(each,) for each in fates(name)]
        assert f"Held destinations: {name}.\n" in site.run("list").stderr
        assert site.done("release", "--destination", typed) == f"{name} goes on.\n"
        again = site.run("release", "--destination", typed)

        assert (again.exit_code, again.stderr) == (1, f"Error: {name} is not held\n")

    def test_what_is_to_have_other_tls_can_be_named_alone(self, site: Site) -> None:
        """It waits apart from the rest, as `list` shows it."""
        name = "b.example with REQUIRETLS"
        told = site.done("hold", "--destination", "B.example with REQUIRETLS")
        assert told == f"{name} is held: nothing is tried there.\n"
        assert site.queues.ask("SELECT name FROM destinations WHERE held") == [(name,)]
        assert f"Held destinations: {name}." in site.run("list").stderr

        assert site.done("release", "--destination", name) == f"{name} goes on.\n"

    def test_a_destination_that_mail_waits_for(self, site: Site) -> None:
        """Nothing is said of it but that it is held; it is found however it is written."""
        site.queues.accept(site.queue, "bob@b.example")
        result = site.run("hold", "--destination", "B.Example")

        assert (result.exit_code, result.stderr) == (0, "")
        assert "bob@b.example" in site.done("list", "--destination", "B.EXAMPLE")

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("d.example", "mail for d.example is scheduled as one of route:isp"),
            ("route:ips", "no next hop has the name route:ips; there are route:isp"),
            ("bob@d.example", '"bob@d.example" is no destination: expected a domain'),
            ("", '"" is no destination: expected a domain'),
            ("[192.0.2.256]", '"[192.0.2.256]" is no destination: expected a domain'),
        ],
    )
    def test_what_is_no_destination_is_not_held(self, site: Site, name: str, why: str) -> None:
        """It would confirm what it does not do; what was held before the route was made can be released."""
        site.done("hold", "--destination", "d.example")
        site.route()
        result = site.run("hold", "--destination", name)
        assert (result.exit_code, site.queues.ask("SELECT count(*) FROM destinations")) == (1, [(3,)])
        assert why in result.stderr

        assert site.done("release", "--destination", "d.example") == "d.example goes on.\n"

    def test_a_domain_of_ours_is_no_destination(self, site: Site) -> None:
        """What waits for our own mailboxes has one destination, whatever the domain."""
        with Accounts.open(str(site.config.with_name("accounts.sqlite")), create=True) as accounts:
            accounts.domains.add("d.example")
        result = site.run("hold", "--destination", "D.example")

        assert (result.exit_code, site.queues.ask("SELECT count(*) FROM destinations")) == (1, [(0,)])
        assert "name local, or hold only what is in the queue now, with --domain D.example" in result.stderr

    @pytest.mark.parametrize("command", ["retry", "hold", "release", "remove", "bounce"])
    def test_all_of_nothing(self, site: Site, command: str) -> None:
        """An empty queue is no failure for who means all that there is."""
        assert site.done(command, "--all") == "The queue is empty.\n"

    @pytest.mark.parametrize("command", ["retry", "hold", "release", "remove", "bounce"])
    def test_nothing_that_fits(self, site: Site, command: str) -> None:
        """Exit code 1, and no question."""
        result = site.run(command, "m9")

        assert result.exit_code == 1
        assert "nothing of that kind is in the queue" in result.stderr

    @pytest.mark.parametrize(
        "words",
        [
            ["retry"],
            ["retry", "--limit", "3"],
            ["remove", "--yes"],
            ["retry", "m1", "--all"],
            ["retry", "m1", "--id", "m2"],
            ["hold", "--queue", "--domain", "b.example"],
            ["hold", "--queue", "--destination", "b.example"],
            ["hold", "--destination", "b.example", "m1"],
            ["release", "--destination", "b.example", "--all"],
            ["list", "--older", "yesterday"],
            ["list", "--older", "1d 2h"],
            ["list", "--limit", "0"],
            ["list", "--status", "lost"],
            ["show"],
        ],
    )
    def test_wrong_usage_is_exit_code_2(self, site: Site, words: list[str]) -> None:
        """A change has to say what it is about; nothing is changed by a guess."""
        assert site.run(*words).exit_code == 2


def test_a_queue_that_is_not_there(tmp_path: Path) -> None:
    """The server has never started: exit code 1, and nothing is made."""
    config = tmp_path / "mailsuite.toml"
    config.write_text(CONFIG)
    result = CliRunner().invoke(main, ["queue", "list", "--config", str(config)])

    assert result.exit_code == 1
    assert "the server makes it when it first starts" in result.stderr
    assert not (tmp_path / "queue").exists()


@pytest.mark.parametrize("command", ["list", "show", "explain", "retry", "hold", "release", "remove", "bounce"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    """Nobody has to guess."""
    result = CliRunner().invoke(main, ["queue", command, "--help"])

    assert result.exit_code == 0
    assert f"mailsuite queue {command}" in result.stdout.partition("Example:")[2]


class TestAsked:
    """What senders have asked of a message's way."""

    def test_show_tells_it(self, site: Site) -> None:
        """Each in a row of its own, and in JSON as it is kept."""
        asked = Asked(require_tls=True, priority=4, by=site.queues.now + 3600, by_mode="N", traced=True)
        site.queues.accept(site.queue, "bob@b.example", asked=asked, smtputf8=True)
        shown = site.done("show", "m1")

        for words in ("priority", "else its sender told; each relaying is told", "REQUIRETLS", "SMTPUTF8"):
            assert words in shown
        (entry,) = json.loads(site.done("show", "m1", "--json"))
        assert (entry["asked"]["priority"], entry["asked"]["require_tls"], entry["smtputf8"]) == (4, True, True)

    def test_what_goes_later(self, site: Site) -> None:
        """It is found, explained, and sent at an operator's word (RFC 4865)."""
        release = time.time() + 86_400
        asked = Asked(release=release, hold="for;86400", tls_optional=True, by=release + 9, by_mode="R")
        site.queues.accept(site.queue, "bob@b.example", asked=asked)
        site.queues.accept(site.queue, "eve@b.example")

        assert [each["recipient"] for each in json.loads(site.done("list", "--status", "scheduled", "--json"))] == [
            "bob@b.example"
        ]
        assert "held by its sender until" in site.done("show", "m1")
        assert "TLS-Required: No" in site.done("show", "m1")
        explained = site.done("explain", "m1")
        assert "It is held by its sender until" in explained
        assert "It is tried next at" in explained
        site.done("retry", "m1")
        site.queues.now = time.time()
        assert sorted(names(site.queues.claim(site.queue))) == ["bob@b.example", "eve@b.example"]
