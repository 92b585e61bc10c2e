"""``mailsuite check``."""

import datetime
import json
import os
import resource
import shlex
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from mailsuite.certificates import read_pair, self_signed, write_pair
from mailsuite.cli import main
from mailsuite.cli.check import findings
from mailsuite.cli.checks import outbound
from mailsuite.cli.checks.certificate import renewal, ways
from mailsuite.cli.checks.storage import storage
from mailsuite.config import load
from mailsuite.mailbox import locks
from mailsuite.policy.backup_list import shown_key
from mailsuite.policy.backup_store import ListStore
from mailsuite.policy.ban_file import BanFile
from tests.cli.site import edit, new_site, run
from tests.policy.lists import KEY, signed_list
from tests.test_certificates import UNKNOWN_CURVE


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a good site on unprivileged ports, of a user who may have many descriptors."""
    monkeypatch.setattr(resource, "getrlimit", lambda of: (1024, 65_536))
    return new_site(tmp_path / "site", "--unprivileged", "--interface", "127.0.0.1")


def problems(config: Path, later: float = 0) -> list[str]:
    """Return the warnings and errors about a site, *later* days after its certificate was made."""
    settings = load(config)
    try:
        now = read_pair(settings.tls.certificate, settings.tls.key).begins + datetime.timedelta(hours=1)
    except Exception:
        now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    found = findings(settings, now + datetime.timedelta(days=later))
    return [str(finding) for finding in found if finding.level != "ok" and "self-signed" not in finding.what]


def test_a_new_site_has_no_errors(config: Path) -> None:
    """What init makes can be started; that it is self-signed is worth a warning."""
    result = run("check", "--config", config)

    assert result.exit_code == 0
    assert "it is self-signed" in result.output
    assert result.output.endswith("0 errors, 1 warning\n")
    assert problems(config) == []


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("[pop3]\nexpire = 30\nlogin_delay = 900", []),
        ("[pop3]\nexpire = 0", ["pop3.expire: what a client has fetched is removed when it quits"]),
        ("[pop3]\nlogin_delay = 901", ["pop3.login_delay: clients look for mail more often than every 901 seconds"]),
        (
            '[domains."example.org"]\npop3_expire = 0\npop3_login_delay = 3600',
            [
                "domains.example.org.pop3_expire: what a client has fetched is removed",
                "domains.example.org.pop3_login_delay: clients look for mail more often",
            ],
        ),
    ],
)
def test_terms_of_mailboxes(config: Path, terms: str, found: list[str]) -> None:
    """What may surprise users of POP3 is told before it does."""
    run("domain", "add", "example.org", "--config", config)
    config.write_text(f"{config.read_text()}\n{terms}\n")

    said = problems(config)
    assert len(said) == len(found)
    assert all(line.startswith(f"warning  {what}") for line, what in zip(said, found, strict=True))


def test_terms_of_mailboxes_without_pop3(config: Path) -> None:
    """Mail that goes without a word, and settings for nobody."""
    edit(config, 'service = "pop3"\n', 'service = "mta"\n')
    config.write_text(f"{config.read_text()}\n[pop3]\nexpire = 30\n")

    said = [line for line in problems(config) if line.startswith("warning  pop3")]
    assert said == [
        "warning  pop3: nobody fetches mail here: no listener serves pop3; to mend it: add one, or remove the table",
        "warning  pop3.expire: nobody is told so: no listener serves pop3; to mend it: add one, or set \"never\"",
    ]


def test_an_error_makes_the_exit_code_1(config: Path) -> None:
    """So that a script can rely on it."""
    os.unlink(config.parent / "key.pem")

    assert run("check", "--config", config).exit_code == 1


def test_a_configuration_that_cannot_be_used_makes_it_2(config: Path) -> None:
    """The line is named, on standard error."""
    edit(config, 'tls = "implicit"', 'tls = "yes"')
    result = run("check", "--config", config)

    assert result.exit_code == 2
    assert 'mailsuite.toml:' in result.stderr
    assert 'listen.submissions.tls: expected "none", "starttls" or "implicit", got "yes"' in result.stderr
    assert result.stdout == ""


def test_json_has_the_same_findings(config: Path) -> None:
    """Level, place, what and how to mend it."""
    found = json.loads(run("check", "--config", config, "--json").stdout)

    assert {frozenset(finding) for finding in found} == {frozenset({"level", "where", "what", "mend"})}
    assert [finding["where"] for finding in found if finding["level"] == "warning"] == ["tls.certificate"]


def test_two_listeners_on_one_port_clash(config: Path) -> None:
    """Both are named."""
    edit(config, "tcp:2587:", "tcp:2525:")

    (problem,) = problems(config)
    assert problem.startswith("error    listen.submission: listen.mta listens on port 2525 too; to mend it: ")


@pytest.mark.parametrize("interface", ["192.0.2.1", "lo", "nowhere.invalid"])
def test_an_address_of_another_machine_is_an_error(config: Path, interface: str) -> None:
    """So is a name that stands for none; nobody could listen there."""
    edit(config, '"tcp:2525:interface=127.0.0.1"', f'"tcp:2525:interface={interface}"')

    (problem,) = problems(config)
    assert problem.startswith(f"error    listen.mta: nothing can listen on {interface}: ")


def test_a_listener_on_which_nobody_can_log_in_is_an_error(config: Path) -> None:
    """Passwords under TLS only, and no TLS."""
    edit(config, 'service = "pop3"\nendpoint = "tcp:2110:interface=127.0.0.1"\ntls = "starttls"',
         'service = "pop3"\nendpoint = "tcp:2110:interface=127.0.0.1"\ntls = "none"')  # fmt: skip

    (problem,) = problems(config)
    assert problem.startswith("error    listen.pop3: nobody can log in")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ('auth = "tls"', "warning  listen.mta: nobody can log in"),
        ('mechanisms = ["PLAIN"]', "warning  listen.mta.mechanisms: nobody logs in here: auth is off"),
    ],
)
def test_what_would_be_for_logins_that_cannot_be_is_warned_of(config: Path, key: str, told: str) -> None:
    """On a listener that takes mail without them, too: somebody wanted some."""
    edit(config, 'endpoint = "tcp:2525:interface=127.0.0.1"\ntls = "starttls"',
         f'endpoint = "tcp:2525:interface=127.0.0.1"\ntls = "none"\n{key}')  # fmt: skip

    (problem,) = problems(config)
    assert problem.startswith(told)


def test_passwords_in_the_clear_are_warned_of(config: Path) -> None:
    """It may be meant, but it should be known."""
    edit(config, 'service = "pop3"\nendpoint = "tcp:2110', 'auth = "always"\nservice = "pop3"\nendpoint = "tcp:2110')

    (problem,) = problems(config)
    assert problem.startswith("warning  listen.pop3: passwords are taken without TLS")


def test_what_goes_with_an_extension_is_told(config: Path) -> None:
    """An extension that others need takes them along; whoever names them knows."""
    edit(config, "[listen.mta]", '[listen.mta]\nwithout = ["ETRN"]')
    assert problems(config) == []
    edit(config, '["ETRN"]', '["8bitmime"]')
    (problem,) = problems(config)
    assert problem.startswith("warning  listen.mta.without: BINARYMIME and SMTPUTF8 cannot be had either; ")
    edit(config, '["8bitmime"]', '["8BITMIME", "BINARYMIME", "SMTPUTF8"]')
    assert problems(config) == []


def test_workers_must_be_able_to_start(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are new processes of the service's own user, and need exact locks."""
    edit(config, 'hostname = ', 'workers = "auto"\nhostname = ')
    assert problems(config) == []
    with monkeypatch.context() as changed:
        changed.setattr(sys, "executable", "/root/nowhere/python")
        assert problems(config) == [
            "error    workers: this user cannot run /root/nowhere/python; to mend it: install Python and mailsuite"
            " where every user can run them, or set workers = 1"
        ]
    monkeypatch.setattr(locks, "_SET", None)
    assert [found.partition(";")[0] for found in problems(config)] == [
        "error    workers: this system has no locks for several processes"
    ]


def test_more_connections_than_descriptors_are_warned_of(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last descriptor is the one that a message's file needs."""
    monkeypatch.setattr(resource, "getrlimit", lambda of: (1024, 11_000))
    assert problems(config) == []
    monkeypatch.setattr(resource, "getrlimit", lambda of: (1024, 10_999))
    (problem,) = problems(config)
    assert problem.startswith("warning  limits.connections: 5 listeners may have 10000 connections together, and")
    monkeypatch.setattr(resource, "getrlimit", lambda of: (1024, resource.RLIM_INFINITY))
    assert problems(config) == []


@pytest.mark.parametrize(
    ("keys", "where", "other"),
    [
        ("address_connections = 201", "address_connections", "network_connections"),
        ("connections = 199", "network_connections", "connections"),
        ("unknown_recipients = 50", "unknown_recipients", "errors"),
        ("session_time = 3599", "data_timeout", "session_time"),
    ],
)
def test_limits_that_are_never_reached_are_warned_of(config: Path, keys: str, where: str, other: str) -> None:
    """Another one is reached before."""
    config.write_text(f"{config.read_text()}\n[limits]\n{keys}\n")

    (problem,) = problems(config)
    assert problem.startswith(f"warning  limits.{where}: it is never reached: {other} is reached before; ")


@pytest.mark.parametrize(("seconds", "expected"), [("599", 1), ("600", 0)])
def test_an_autologout_that_is_too_early_is_warned_of(config: Path, seconds: str, expected: int) -> None:
    """RFC 1939 §3: ten minutes at least."""
    config.write_text(f"{config.read_text()}\n[limits]\npop3_idle_timeout = {seconds}\n")

    found = problems(config)
    assert len(found) == expected
    assert all(problem.startswith("warning  limits.pop3_idle_timeout: RFC 1939 §3 ") for problem in found)


@pytest.mark.parametrize(
    ("keys", "expected"), [("login_recipients = 999", 1), ("login_recipients = 0", 0), ("recipient_rate = 999", 1)]
)
def test_a_rate_below_one_message_is_warned_of(config: Path, keys: str, expected: int) -> None:
    """Whoever uses RECIPIENTS to the full is put off halfway."""
    config.write_text(f"{config.read_text()}\n[limits]\n{keys}\n")

    found = problems(config)
    assert len(found) == expected
    assert all("one message may name 1000 recipients, which is more" in problem for problem in found)


def test_a_site_without_listeners_is_an_error(tmp_path: Path, config: Path) -> None:
    """It would start and do nothing, so it is no configuration at all."""
    text = config.read_text()
    config.write_text(text[: text.index("\n# Mail from other servers")])

    result = run("check", "--config", config)
    assert result.exit_code == 2
    assert "there is no listener, so nothing to serve" in result.stderr


def test_low_ports_are_worth_a_word_to_those_who_are_not_root(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all of them."""
    edit(config, "tcp:2525:", "tcp:25:")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(config).st_uid or 1000)

    (problem,) = problems(config)
    assert problem.startswith("warning  listen: ports below 1024 (25) need privileges")


def test_a_key_that_does_not_belong_is_an_error(config: Path) -> None:
    """With the words of the start."""
    pair = self_signed("mail.example.org", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    (config.parent / "key.pem").write_bytes(pair[1])

    (problem,) = problems(config)
    assert "does not belong to the first certificate" in problem


def test_a_certificate_for_another_name_is_warned_of(config: Path) -> None:
    """Both names are said."""
    edit(config, 'hostname = "mail.example.org"', 'hostname = "mx.example.org"')

    (problem,) = problems(config)
    assert problem.startswith("warning  tls.certificate: it is for mail.example.org, not for mx.example.org")


def test_each_further_certificate_is_looked_at(config: Path) -> None:
    """Its pair, its names, its days; one that is missing keeps the service from starting."""
    begins = read_pair(str(config.parent / "cert.pem"), str(config.parent / "key.pem")).begins
    now = begins + datetime.timedelta(hours=1)
    write_pair(str(config.parent / "net.pem"), str(config.parent / "net.key"), self_signed("*.example.net", now))
    table = '\n[certificates.net]\ncertificate = "net.pem"\nkey = "net.key"\n'
    text = config.read_text()
    config.write_text(text + table + 'names = ["mail.example.net", "*.example.net", "*.example.com"]\n')

    (problem,) = problems(config)
    assert problem.startswith(
        "warning  certificates.net.certificate: it is for *.example.net, not for *.example.com: mail programs"
    )
    assert len(problems(config, later=820)) == 3
    os.unlink(config.parent / "net.key")
    (problem,) = problems(config)
    assert problem.startswith(f"error    certificates.net: {config.parent}/net.key cannot be read")


def test_issuers_of_clients_are_looked_at(config: Path) -> None:
    """Their file, and whether anybody asks."""
    edit(config, '[tls]', '[tls]\nclient_ca = "ca.pem"')
    (problem,) = problems(config)
    assert problem.startswith(f"error    tls.client_ca: {config.parent}/ca.pem cannot be read")

    (config.parent / "ca.pem").write_bytes((config.parent / "cert.pem").read_bytes())
    (problem,) = problems(config)
    assert problem.startswith("warning  tls.client_ca: no listener asks clients for a certificate")

    edit(config, 'tls = "implicit"', 'tls = "implicit"\nclient_certificates = "ask"')
    (problem,) = problems(config)
    assert problem.startswith("warning  sasl: clients are asked for certificates, which are nobody's")
    add_table(config, "sasl", "certificate_addresses = true")
    assert problems(config) == []


def add_table(config: Path, table: str, *lines: str) -> None:
    """Add a table to the configuration."""
    config.write_text("\n".join([config.read_text(), f"[{table}]", *lines, ""]))


@pytest.mark.parametrize(
    ("table", "lines", "problem"),
    [
        ("sasl", ['certificates = "list"'], "error    sasl.certificates: {folder}/list cannot be read"),
        ("sasl", ["certificate_addresses = true"], "warning  sasl: no listener asks for certificates"),
        ("sasl", ["certificate_addresses = true"], "warning  sasl.certificate_addresses: no issuer is trusted"),
        ("sasl", ['secrets = ["cram-md5"]'], "warning  sasl.secrets: who steals the secrets of cram-md5"),
        ("sasl", ['secrets = ["digest-md5"]'], "warning  sasl.secrets: who steals the secrets of digest-md5"),
        ("sasl", ['secrets = ["apop"]'], "warning  sasl.secrets: who steals the secrets of apop has the passwords"),
        (
            "oauth", ['keys = "keys"', 'issuer = "https://id.example.org"', 'audience = "mail"'],
            "error    oauth.keys: {folder}/keys has no keys",
        ),
        (
            "oauth", ['introspection = "https://id.example.org/i"', 'client = "mail"', 'secret_file = "secret"'],
            "error    oauth.secret_file: {folder}/secret cannot be read",
        ),
        ("oauth", ['introspection = "https://id.example.org/i"'], "warning  oauth: each token of the issuer is taken"),
        ("oauth", ['scope = "mail"'], "warning  oauth: no tokens are taken"),
    ],
)  # fmt: skip
def test_what_logins_stand_on_is_looked_at(config: Path, table: str, lines: list[str], problem: str) -> None:
    """Files that are not there, and settings that come to nothing or to too much."""
    add_table(config, table, *lines)

    assert [each for each in problems(config) if each.startswith(problem.format(folder=config.parent))]


def test_apop_needs_a_listener_that_greets_with_a_timestamp(config: Path) -> None:
    """TLS from the first octet, or logins without it."""
    add_table(config, "sasl", 'secrets = ["apop"]')
    complaint = "warning  sasl.secrets: APOP is offered by no listener"
    assert not [each for each in problems(config) if each.startswith(complaint)]
    edit(config, 'service = "pop3"', 'service = "lmtp"')

    assert [each for each in problems(config) if each.startswith(complaint)]


def test_mechanisms_that_nobody_can_use_are_an_error(config: Path) -> None:
    """What they need is not kept."""
    edit(config, 'tls = "implicit"', 'tls = "implicit"\nmechanisms = ["CRAM-MD5"]')

    found = problems(config)

    assert found and all("mechanisms: nobody can log in: what these need is not kept" in each for each in found)


def test_users_without_secrets_are_counted(config: Path) -> None:
    """They keep a mechanism from being offered; with what they need, nothing is said."""
    add_table(config, "sasl", "secrets = []")
    for name in ("alice", "bob"):
        typed = ["user", "add", f"{name}@example.org", "--password-stdin", "--config", str(config)]
        assert CliRunner().invoke(main, typed, input="secret\n").exit_code == 0
    assert problems(config) == []
    edit(config, "secrets = []", 'secrets = ["scram-sha-256"]')
    (problem,) = problems(config)
    assert problem.startswith("warning  sasl.secrets: 2 users have no scram-sha-256 secret yet")
    assert "is not offered" in problem
    edit(config, "[sasl]", '[sasl]\noffer = "some"')
    for name in ("alice", "bob"):
        assert "does not work for them" in problems(config)[0]
        typed = ["user", "passwd", f"{name}@example.org", "--password-stdin", "--config", str(config)]
        assert CliRunner().invoke(main, typed, input="secret\n").exit_code == 0
    assert problems(config) == []


@pytest.mark.parametrize(
    ("days", "complaint"),
    [
        (-1, "error    tls.certificate: it begins only on "),
        (811.5, "warning  tls.certificate: it ends in 13 days"),
        (825.1, "error    tls.certificate: it ended on "),
    ],
)
def test_the_days_of_a_certificate_are_counted(config: Path, days: float, complaint: str) -> None:
    """Not yet, not for long, not any more."""
    (problem,) = problems(config, later=days)

    assert problem.startswith(complaint)


def test_two_weeks_before_its_end_a_certificate_is_still_well(config: Path) -> None:
    """The warning comes after that."""
    assert problems(config, later=810.9) == []


def test_a_site_without_tls_needs_no_certificate(config: Path) -> None:
    """Where no listener offers it."""
    text = config.read_text()
    config.write_text(text[: text.index("\n# Mail from our users")].replace('tls = "starttls"', 'tls = "none"'))
    os.unlink(config.parent / "key.pem")

    assert problems(config) == []


def test_a_missing_state_folder_is_an_error(config: Path) -> None:
    """Nothing else about folders is said then."""
    edit(config, 'state_dir = "."', 'state_dir = "nowhere"')
    found = list(storage(load(config)))

    assert [finding.where for finding in found] == ["state_dir"]


def test_a_missing_mail_folder_is_an_error(config: Path) -> None:
    """With the command that makes it."""
    edit(config, 'state_dir = "."', 'state_dir = "."\nstore.path = "nowhere"')

    (problem,) = problems(config)
    assert problem == (
        f"error    store.path: {config.parent}/nowhere is not a folder;"
        f" to mend it: mkdir -m 700 {config.parent}/nowhere, as the owner of state_dir"
    )


def test_mail_that_others_could_read_is_warned_of(config: Path) -> None:
    """And accounts too."""
    os.chmod(config.parent / "mail", 0o755)
    os.chmod(config.parent / "accounts.sqlite", 0o640)

    assert [problem.partition(";")[0] for problem in problems(config)] == [
        f"warning  store.path: {config.parent}/mail is open to other users of this machine",
        f"warning  directory.path: {config.parent}/accounts.sqlite is open to other users of this machine",
    ]


def test_remedies_can_be_pasted(tmp_path: Path) -> None:
    """Whatever the folder is called: a shell takes each path for one word."""
    config = new_site(tmp_path / "si te; exit", "--unprivileged", "--interface", "127.0.0.1")
    folder = config.parent
    with config.open("a") as file:
        file.write('[log]\npath = "no log/mail.log"\n')
        for name in ("no password", "pass word"):
            host = name.replace(" ", ".")
            file.write(f'[routes."{name}"]\nrecipients = ["{host}"]\nhost = "{host}"\n')
            file.write(f'user = "we"\npassword_file = "{name}"\n')
    (folder / "pass word").write_text("secret\n")
    assert run("srs", "rotate", "-c", config).exit_code == 0
    for name, mode in (("", 0o707), ("mail", 0o755), ("accounts.sqlite", 0o644), ("srs-secrets", 0o644)):
        (folder / name).chmod(mode)
    found = [each for each in findings(load(config), datetime.datetime.now(datetime.UTC)) if str(folder) in each.mend]

    for name in ("", "mail", "no log", "accounts.sqlite", "no password", "pass word", "srs-secrets"):
        quoted = shlex.quote(str(folder / name))
        assert any(quoted in each.mend for each in found), quoted
    assert not any(str(folder) in each.mend.replace(f"'{folder}", "") for each in found)


def test_too_little_free_space_is_an_error(config: Path) -> None:
    """The floor counts, not zero."""
    edit(config, 'state_dir = "."', f'state_dir = "."\nstore.free_floor = {2**60}')

    (problem,) = problems(config)
    assert problem.startswith("error    store.free_floor: ")


def test_missing_accounts_are_an_error(config: Path) -> None:
    """The directory's own words."""
    os.unlink(config.parent / "accounts.sqlite")

    (problem,) = problems(config)
    assert problem.startswith("error    directory.path: there is no accounts file")


def test_damaged_accounts_are_an_error(config: Path) -> None:
    """SQLite's own words, wherever it comes upon the damage."""
    path = config.parent / "accounts.sqlite"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    (problem,) = problems(config)
    assert problem.startswith(f"error    directory.path: {path} cannot be used as an accounts file: database disk")


def test_accounts_of_a_newer_version_are_an_error(config: Path) -> None:
    """And are not touched."""
    with sqlite3.connect(config.parent / "accounts.sqlite") as connection:
        connection.execute("PRAGMA user_version = 999")

    (problem,) = problems(config)
    assert "schema version 999" in problem


def test_a_postmaster_whom_nobody_is_is_warned_of(config: Path) -> None:
    """Mail for abuse would find nobody."""
    edit(config, 'postmaster = "postmaster@example.org"', 'postmaster = "nobody@example.org"')

    (problem,) = problems(config)
    assert problem.startswith("warning  directory.postmaster: nobody@example.org is neither")
    assert "to mend it: mailsuite user add nobody@example.org, or" in problem


def test_a_postmaster_in_a_domain_that_is_not_here_is_warned_of(config: Path) -> None:
    """A user cannot be added before the domain is."""
    edit(config, 'postmaster = "postmaster@example.org"', 'postmaster = "me@b.example"')

    (problem,) = problems(config)
    assert "to mend it: mailsuite domain add b.example, or" in problem


def test_mail_of_this_machine_that_finds_nobody_is_warned_of(config: Path) -> None:
    """What cron writes to root would be lost."""
    where = "warning  submission.origin: mail of this machine for root goes to root@"
    add(config, '[listen.local]\nservice = "submission"\nauth = "peer"\nendpoint = "unix:local"')
    (problem,) = problems(config)
    assert problem.startswith(f"{where}mail.example.org, whom nobody is; to mend it: mailsuite domain add mail.")

    add(config, '[submission]\norigin = "example.org"')
    assert problems(config) == [
        f"{where}example.org, whom nobody is; to mend it: mailsuite alias add root@example.org ADDRESS"
    ]
    run("alias", "add", "root@example.org", "postmaster@example.org", "-c", config)
    assert problems(config) == []


def test_terms_for_nobody_are_warned_of(config: Path) -> None:
    """What is said of a domain without users holds for nobody."""
    run("domain", "add", "example.net", "--class", "relay", "--config", config)
    for name in ("example.org", "example.com", "example.net"):
        config.write_text(f'{config.read_text()}\n[domains."{name}"]\npop3_expire = 30\n')

    assert problems(config) == [
        f"warning  domains.{name}: it is not a local domain, so nobody is held to this; to mend it: mailsuite domain"
        f" {command}"
        for name, command in (("example.com", "add example.com"), ("example.net", "set example.net --class local"))
    ]


def test_accounts_without_a_domain_are_warned_of(config: Path) -> None:
    """All mail would be refused."""
    with sqlite3.connect(config.parent / "accounts.sqlite") as connection:
        for table in ("addresses", "logins", "mailboxes", "domains"):
            connection.execute(f"DELETE FROM {table}")

    assert problems(config)[0].startswith("warning  directory: there is no local domain: all mail is refused")


def test_a_site_of_root_needs_leave_to_run_as_root(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start would refuse it; better to know before."""
    settings = load(config)
    plain = os.stat

    def of_root(path: str) -> os.stat_result:
        """Say of every path that it belongs to root."""
        status = list(plain(path))
        status[4] = 0
        return os.stat_result(status)

    monkeypatch.setattr(os, "stat", of_root)
    found = [str(finding) for finding in storage(settings) if finding.level == "error"]

    assert found == ([] if settings.allow_root else [
        "error    state_dir: it belongs to root, and the service refuses to run as root;"
        f" to mend it: chown -R USER {settings.state_dir}, or set allow_root = true"
    ])  # fmt: skip


def test_a_listener_for_users_that_takes_no_password_is_an_error(config: Path) -> None:
    """auth is written, and off."""
    edit(config, 'service = "pop3"\nendpoint = "tcp:2110', 'auth = "off"\nservice = "pop3"\nendpoint = "tcp:2110')

    (problem,) = problems(config)
    assert problem.startswith("error    listen.pop3: nobody can log in: auth is off")


def test_servers_do_not_begin_with_tls(config: Path) -> None:
    """On port 25, STARTTLS is the way (RFC 3207)."""
    edit(config, 'service = "mta"\nendpoint = "tcp:2525:interface=127.0.0.1"\ntls = "starttls"',
         'service = "mta"\nendpoint = "tcp:2525:interface=127.0.0.1"\ntls = "implicit"')  # fmt: skip

    (problem,) = problems(config)
    assert problem.startswith("warning  listen.mta: other servers do not speak TLS from the first octet")


def test_lmtp_for_others_than_this_machine_needs_a_list(config: Path) -> None:
    """It would be cut off."""
    table = '[listen.store]\nservice = "lmtp"\nendpoint = ["unix:lmtp", "tcp:2424"]\n'
    edit(config, "[listen.mta]", f"{table}[listen.mta]")
    (problem,) = problems(config)
    assert problem.startswith("warning  listen.store: only this machine may connect")

    edit(config, '"tcp:2424"]', '"tcp:2424"]\npeers = ["192.0.2.1"]')
    assert problems(config) == []


def test_lmtp_for_this_machine_alone_is_well(config: Path) -> None:
    """By a socket, or on loopback."""
    endpoint = '["unix:lmtp", "tcp:2424:interface=127.0.0.1", "tcp6:2425:interface=\\\\:\\\\:1"]'
    edit(config, '[listen.mta]', f'[listen.store]\nservice = "lmtp"\nendpoint = {endpoint}\n[listen.mta]')

    assert problems(config) == []


def test_a_socket_needs_a_folder(config: Path) -> None:
    """Where its path says one; a service manager may make it."""
    table = f'[listen.store]\nservice = "lmtp"\nendpoint = "unix:{config.parent}/run/lmtp"\n'
    edit(config, "[listen.mta]", f"{table}[listen.mta]")
    (problem,) = problems(config)
    assert problem.startswith(f"warning  listen.store: {config.parent}/run, the folder of its socket, is not there")

    (config.parent / "run").mkdir()
    assert problems(config) == []


def test_peers_by_a_socket_need_one(config: Path) -> None:
    """Else nobody can connect."""
    edit(config, "[listen.mta]", '[listen.mta]\npeers = ["unix"]')
    (problem,) = problems(config)
    assert problem.startswith("error    listen.mta: nobody can connect")

    edit(config, '["unix"]', '["unix", "192.0.2.1"]')
    assert problems(config) == []


def test_not_everybody_is_a_proxy(config: Path) -> None:
    """Whoever is one says who it is."""
    edit(config, 'service = "mta"\n', 'service = "mta"\nproxy = ["192.0.2.1", "0.0.0.0/0"]\n')
    with config.open("a") as file:
        file.write('[smtp]\nxclient_peers = ["::/0"]\n')

    told = "anybody may speak for anybody"
    assert [problem.partition(";")[0] for problem in problems(config)] == [
        f"error    listen.mta: {told}: 0.0.0.0/0",
        f"error    smtp.xclient_peers: {told}: ::/0",
    ]


def test_a_log_in_another_folder_is_looked_at_too(config: Path) -> None:
    """It must be there."""
    edit(config, 'state_dir = "."', 'state_dir = "."\nlog.path = "logs/mail.log"')

    (problem,) = problems(config)
    assert problem.startswith(f"error    log.path: {config.parent}/logs is not a folder")


def test_a_folder_that_everyone_may_write_in_is_warned_of(config: Path) -> None:
    """Others could put files in our place."""
    os.chmod(config.parent, 0o757)

    assert problems(config) == [
        f"warning  state_dir: everyone may write in {config.parent}; to mend it: chmod o-w {config.parent}"
    ]


def test_a_folder_that_we_cannot_write_is_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With owner and mode in the remedy."""
    monkeypatch.setattr(os, "access", lambda path, mode: path != f"{config.parent}/mail")

    (problem,) = problems(config)
    assert problem.startswith(f"error    store.path: {config.parent}/mail cannot be written by this user")


def test_a_mail_folder_of_somebody_else_is_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service could neither write nor read there."""
    settings = load(config)
    plain = os.stat

    def stat_of(path: str) -> os.stat_result:
        """Say that the mail folder belongs to another user."""
        status = list(plain(path))
        status[4] += path == settings.store.path
        return os.stat_result(status)

    monkeypatch.setattr(os, "stat", stat_of)
    errors = [str(finding) for finding in storage(settings) if finding.level == "error"]

    assert f"error    store.path: {settings.store.path} belongs to another user than state_dir" in errors[-1]


def test_a_key_that_only_root_can_read_is_warned_of(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start works, the renewal does not."""
    monkeypatch.setattr("mailsuite.cli.checks.certificate.unreadable", lambda path, way: f"chmod g+r {path}")
    settings = load(config)
    found = [str(finding) for finding in renewal(settings, ways(settings))]

    assert len(found) == 2
    assert found[1].startswith(f"warning  tls: {config.parent}/key.pem cannot be read after root is dropped")


def test_a_log_that_is_a_folder_is_an_error(config: Path) -> None:
    """The service could not begin."""
    (config.parent / "mail.log").mkdir()

    (problem,) = problems(config)
    assert problem == f"error    log.path: {config.parent}/mail.log is a folder; to mend it: name a file in [log] path"


def test_sockets_of_systemd_are_left_to_systemd(config: Path) -> None:
    """They are not there when somebody checks the site."""
    edit(config, "tcp:2525:interface=127.0.0.1", "systemd:domain=INET6:index=0")

    assert problems(config) == []


def test_a_pair_that_tls_refuses_is_an_error(config: Path) -> None:
    """As at the start of the service."""
    (config.parent / "cert.pem").write_bytes(UNKNOWN_CURVE)

    (problem,) = problems(config)
    assert problem.startswith("error    tls: ")
    assert "is for a key of a kind that cannot be used" in problem


def add(config: Path, text: str) -> None:
    """Write *text* at the end of the configuration."""
    with config.open("a") as file:
        file.write(f"\n{text}\n")


def test_a_site_without_a_local_domain_has_no_postmaster(config: Path) -> None:
    """What is passed on is taken; role mail of this system is not."""
    assert run("domain", "set", "example.org", "--class", "relay", "--force", "-c", config).exit_code == 0

    assert problems(config) == [
        "warning  directory: there is no local domain: mail for <postmaster> is refused;"
        " to mend it: mailsuite domain add DOMAIN",
        "warning  directory.postmaster: postmaster@example.org is neither a mailbox nor an alias of a local domain;"
        " to mend it: mailsuite domain set example.org --class local, or name another address",
    ]


def test_routes_are_told_of(config: Path) -> None:
    """For whose mail, and where it goes."""
    add(config, '[routes.a]\nrecipients = ["x.example"]\nsenders = ["y.example"]\nhost = "z.example"\n[routes.b]')
    add(config, '[routes.c]\nrecipients = ["c.example"]\nprotocol = "lmtp"\nhost = "unix:/run/c"')
    found = [str(finding) for finding in findings(load(config), datetime.datetime.now(datetime.UTC))]

    assert "ok       routes.a: mail for x.example and mail from y.example goes to z.example port 25" in found
    assert "ok       routes.b: all other mail goes to where MX records say" in found
    assert "ok       routes.c: mail for c.example goes to unix:/run/c" in found
    assert problems(config) == []


def test_a_route_for_a_domain_of_ours_is_warned_of(config: Path) -> None:
    """Its mail ends here, whatever a route says."""
    add(config, '[routes.a]\nrecipients = ["EXAMPLE.test", ".example.test", "x.example"]\nhost = "z.example"')
    run("domain", "add", "example.test", "--config", config)

    assert problems(config) == [
        "warning  routes.a.recipients: mail for EXAMPLE.test goes into mailboxes of ours and never this way: it is a"
        " domain of class local; to mend it: mailsuite domain set EXAMPLE.test --class relay, or remove it here"
    ]


@pytest.mark.parametrize(("lifetime", "told"), [(14_401, False), (14_400, True)])
def test_a_warning_that_comes_too_late_is_warned_of(config: Path, lifetime: int, told: bool) -> None:
    """Nobody would ever be told of a delay."""
    add(config, f"[queue]\nlifetime = {lifetime}")

    assert [problem.partition(":")[0] for problem in problems(config)] == ["warning  queue.delay_warning"] * told


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (None, 0o600, "error    routes.isp.password_file: {} cannot be read by this user: No such file or directory;"),
        (b"\nsecret\n", 0o600, "error    routes.isp.password_file: {} has an empty first line;"),
        (b"\xff\n", 0o600, "error    routes.isp.password_file: {} cannot be read by this user: it is not UTF-8;"),
        (b"\xef\xbb\xbf\n", 0o600, "error    routes.isp.password_file: {} has an empty first line;"),
        (b"secret\n", 0o644, "warning  routes.isp.password_file: {} is open to other users of this machine;"),
        (b"secret\n", 0o600, None),
    ],
)
def test_a_password_has_to_be_there_and_secret(
    config: Path, content: bytes | None, mode: int, told: str | None
) -> None:
    """In the first line of a file that the service can read and others cannot."""
    add(config, '[routes.isp]\nhost = "smtp.isp.example"\nuser = "we"\npassword_file = "isp.password"')
    file = config.parent / "isp.password"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)

    assert [problem.partition(";")[0] for problem in problems(config)] == (
        [] if told is None else [told.format(file).partition(";")[0]]
    )


def test_a_password_is_no_pipe(config: Path) -> None:
    """The check does not wait for somebody to write into it."""
    add(config, '[routes.isp]\nhost = "smtp.isp.example"\nuser = "we"\npassword_file = "isp.password"')
    os.mkfifo(config.parent / "isp.password")

    (problem,) = problems(config)
    assert "is no regular file" in problem


def test_a_password_without_tls_is_warned_of(config: Path) -> None:
    """Everybody on the way could read it."""
    add(config, '[routes.isp]\nhost = "a.example"\ntls = "none"\nuser = "we"\npassword_file = "isp.password"')
    (config.parent / "isp.password").write_text("secret\n")
    (config.parent / "isp.password").chmod(0o600)

    (problem,) = problems(config)
    assert problem.startswith("warning  routes.isp.tls: a login without TLS shows the password")


@pytest.mark.parametrize(
    ("lines", "warned"),
    [
        ('tls = "encrypt"', True),
        ('tls = "may"', True),
        ('tls = "may"\nmechanisms = ["SCRAM-SHA-256", "LOGIN"]', True),
        ('tls = "may"\nmechanisms = ["SCRAM-SHA-256", "CRAM-MD5"]', False),
        ('tls = "verify"', False),
        ('tls = "implicit"', False),
        ('tls = "dane"', False),
        ("", False),
    ],
)
def test_a_password_for_whoever_answers_is_warned_of(config: Path, lines: str, warned: bool) -> None:
    """Where any certificate will do and the password itself is sent."""
    add(config, f'[routes.isp]\nhost = "a.example"\nuser = "we"\npassword_file = "isp.password"\n{lines}')
    (config.parent / "isp.password").write_text("secret\n")
    (config.parent / "isp.password").chmod(0o600)

    assert [problem.partition(";")[0] for problem in problems(config)] == [
        "warning  routes.isp.tls: the password is shown to whoever answers, with any certificate"
    ] * warned


def test_a_password_for_a_socket_is_shown_to_nobody(config: Path) -> None:
    """TLS would not make it safer."""
    add(config, '[routes.x]\nhost = "unix:/run/x"\nprotocol = "lmtp"\nuser = "we"\npassword_file = "x.password"')
    (config.parent / "x.password").write_text("secret\n")
    (config.parent / "x.password").chmod(0o600)

    assert problems(config) == []


def test_a_route_to_ourselves_is_warned_of(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our listener takes any address, and the host's is one of this machine's."""
    monkeypatch.setattr(outbound, "is_address_of_ours", "192.0.2.1".__eq__)
    add(config, '[routes.x]\nhost = "192.0.2.1"\nport = 2525')
    assert problems(config) == []

    edit(config, "tcp:2525:interface=127.0.0.1", "tcp:2525")
    assert problems(config) == [
        "warning  routes.x.host: 192.0.2.1 port 2525 is this system itself (listen.mta): mail goes round;"
        " to mend it: name the system that the mail is to go to"
    ]

    monkeypatch.setattr(outbound, "is_address_of_ours", "192.0.2.2".__eq__)
    assert problems(config) == []


def test_a_route_to_our_own_name_is_warned_of(config: Path) -> None:
    """No listener of ours is there, but what others reach by that port may be one; a filter has a port of its own."""
    add(config, '[routes.x]\nhost = "Mail.Example.Org"')
    assert problems(config) == [
        "warning  routes.x.host: Mail.Example.Org is our own name: mail goes round if its port 25 leads to a listener"
        " of ours; to mend it: name the system that the mail is to go to"
    ]

    edit(config, 'host = "Mail.Example.Org"', 'host = "Mail.Example.Org"\nport = 10025')
    assert problems(config) == []


def test_an_address_to_send_from_has_to_be_ours(config: Path) -> None:
    """That of another machine cannot be used, in [delivery] nor on a route."""
    add(config, '[delivery]\nsource = ["192.0.2.1", "::1"]\n[routes.x]\nsource = "127.0.0.1"')

    (problem,) = problems(config)
    assert problem.startswith("error    delivery.source: nothing can be sent from 192.0.2.1: ")


@pytest.mark.parametrize("content", [None, b"not PEM"])
def test_issuers_have_to_be_certificates(config: Path, content: bytes | None) -> None:
    """Otherwise nothing could be verified by them."""
    add(config, '[delivery]\nca_file = "issuers.pem"')
    if content is not None:
        (config.parent / "issuers.pem").write_bytes(content)

    (problem,) = problems(config)
    assert problem.startswith(f"error    delivery.ca_file: {config.parent}/issuers.pem cannot be used: ")


def test_a_queue_that_cannot_be_read_is_an_error(config: Path) -> None:
    """The service would not start with it; an empty folder it fills."""
    folder = config.parent / "queue"
    folder.mkdir(0o700)
    assert problems(config) == []

    (folder / "queue.sqlite").write_bytes(b"no database" * 100)
    (problem,) = problems(config)
    assert problem.startswith(f"error    queue.path: {folder}/queue.sqlite is damaged or no queue of mailsuite")


def test_a_queue_that_cannot_be_written_is_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is there; the service makes it."""
    assert problems(config) == []
    (config.parent / "queue").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != f"{config.parent}/queue")

    (problem,) = problems(config)
    assert problem.startswith(f"error    queue.path: {config.parent}/queue cannot be written by this user")


def test_a_backup_domain_should_know_its_recipients(config: Path) -> None:
    """By asking, or from a list; one that does neither takes what its primary will refuse."""
    assert run("domain", "add", "a.example", "--class", "backup", "-c", config).exit_code == 0
    assert problems(config) == []
    add(config, '[backups."a.example"]\ncallout = false')

    (problem,) = problems(config)
    assert problem.startswith("warning  backups.a.example: all recipients are taken")


@pytest.mark.parametrize(
    "tables",
    [
        '[delivery]\ntls = "verify"',
        '[routes.a]\nrecipients = ["a.example"]\nhost = "mx.a.example"\ntls = "dane"',
        '[routes.a]\nrecipients = ["a.example"]\nhost = "192.0.2.1"\nprotocol = "lmtp"\nport = 24',
    ],
)
def test_a_primary_that_is_not_asked_is_not_said_to_be(config: Path, tables: str) -> None:
    """Certificates are not looked at by a question, so where one is a must none is put (`[delivery] tls`, routes)."""
    assert run("domain", "add", "a.example", "--class", "backup", "-c", config).exit_code == 0
    add(config, tables)

    (problem,) = problems(config)

    assert problem.startswith("warning  backups.a.example: all recipients are taken")
    assert "the primary is not asked; to mend it: let the primary publish a list" in problem


def test_mail_for_a_backup_domain_is_not_the_smarthost_s(config: Path) -> None:
    """Unless a route for the domain says so: by MX records, or to a host that is meant to be its primary."""
    assert run("domain", "add", "a.example", "--class", "backup", "-c", config).exit_code == 0
    plain = config.read_text()
    smarthost = '[routes.smarthost]\nhost = "smtp.isp.example"\n'
    add(config, smarthost)

    (problem,) = problems(config)

    assert problem.startswith(
        "warning  backups.a.example: mail for a.example goes to smtp.isp.example by routes.smarthost, and not to its"
        ' primary; to mend it: add a route with recipients = ["a.example"]'
    )
    for host in ("", 'host = "mx.a.example"\n'):
        config.write_text(plain)
        add(config, f'{smarthost}[routes.pair]\nrecipients = ["a.example"]\n{host}')
        assert problems(config) == []


def test_where_nobody_is_asked_an_old_list_has_all_taken(config: Path) -> None:
    """The text says which of the two it is."""
    assert run("domain", "add", "example.net", "--class", "backup", "-c", config).exit_code == 0
    add(config, f'[backups."example.net"]\ncallout = false\nkey = "{shown_key(KEY)}"')
    path = Path(ListStore(str(config.parent)).path("example.net"))
    path.parent.mkdir()
    path.write_bytes(signed_list("a", made=int(time.time()) - 8 * 86_400))

    (problem,) = problems(config)

    assert "8 days old: all that are not in it are taken" in problem


def test_a_table_for_a_domain_that_is_no_backup_is_warned_of(config: Path) -> None:
    """The domain is missing, or of another class."""
    assert run("domain", "add", "b.example", "--class", "relay", "-c", config).exit_code == 0
    add(config, '[backups."a.example"]\n[backups."b.example"]')

    assert problems(config) == [
        "warning  backups.a.example: it is not a domain of class backup;"
        " to mend it: mailsuite domain add a.example --class backup",
        "warning  backups.b.example: it is not a domain of class backup;"
        " to mend it: mailsuite domain set b.example --class backup",
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "warning  backups.example.net: no list of its recipients was taken yet; to mend it: mailsuite backup-mx"
         " import FILE|URL, or wait: the service fetches https://a.example/l"),
        (b"spoiled", "error    backups.example.net: {} cannot be used: it is not a list of recipients"),
        (signed_list("a", made=int(time.time()) - 8 * 86_400), "warning  backups.example.net: the list of its"
         " recipients is 8 days old: the primary is asked about newer ones"),
        (signed_list("a", made=int(time.time())), None),
    ],
)  # fmt: skip
def test_a_list_of_recipients_has_to_be_good_and_new(config: Path, data: bytes | None, told: str | None) -> None:
    """Missing, spoiled, old, or well."""
    assert run("domain", "add", "example.net", "--class", "backup", "-c", config).exit_code == 0
    add(config, f'[backups."example.net"]\nlist = "https://a.example/l"\nkey = "{shown_key(KEY)}"')
    path = ListStore(str(config.parent)).path("example.net")
    if data is not None:
        os.mkdir(os.path.dirname(path))
        Path(path).write_bytes(data)

    found = problems(config)

    assert len(found) == (told is not None)
    assert told is None or found[0].startswith(told.format(path))


def test_secrets_of_return_addresses(config: Path) -> None:
    """None yet is well; those that are there can be read, by the owner alone."""
    assert run("srs", "rotate", "-c", config).exit_code == 0
    assert problems(config) == []
    path = config.parent / "srs-secrets"
    path.chmod(0o644)
    (problem,) = problems(config)
    assert problem.startswith("warning  srs.secrets:")
    path.write_text("")
    (problem,) = problems(config)
    assert problem.startswith("error    srs.secrets:")
    assert "has no secret in it" in problem


def test_the_file_with_the_bans_is_looked_at(config: Path) -> None:
    """Where there is one: what stands in it is counted, and one that cannot be read is an error."""
    assert run("bans", "add", "192.0.2.7", "--forever", "--config", config).exit_code == 0
    assert problems(config) == []
    assert "1 banned, see" in run("check", "--config", config).output

    BanFile.of(load(config).state_dir).remove(["192.0.2.7"])
    (config.parent / "bans.sqlite").write_bytes(b"no database" * 1000)
    (problem,) = problems(config)
    assert problem.startswith("error    state_dir: ")
    assert "move it away" in problem


def test_rules_of_the_policy(config: Path) -> None:
    """Lists that cannot be used are errors; who may send anything to anybody is warned of."""
    listed = config.parent / "denied.list"
    listed.write_text("peer 192.0.2.7\nsnder bob@example.net\n")
    config.write_text(config.read_text() + '\n[deny.spam]\nfile = "denied.list"\n[relay.x]\nnetworks = ["10.1.2.3"]\n')

    found = "\n".join(problems(config))

    assert f"error    deny.spam.file: {listed}:2: expected one of peer, helo, sender, recipient" in found
    assert "; to mend it: mend the line; the service does not start before" in found
    assert "warning  relay.x: whatever runs in 10.1.2.3 may send anything to anybody" in found
    listed.write_text("peer 192.0.2.7\n")
    edit(config, "[relay.x]", '[relay.x]\nsenders = ["scanner@example.org"]')
    assert not [each for each in problems(config) if "deny" in each or "relay" in each]
    listed.unlink()
    assert [each for each in problems(config) if "deny" in each] == [
        f"error    deny.spam.file: {listed} cannot be read: No such file or directory; to mend it: make the file,"
        " which may be empty, or name another; the service does not start before"
    ]
