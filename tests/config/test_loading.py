"""What `mailsuite.config.load` makes of good and of bad files."""

from pathlib import Path

import pytest

from mailsuite.config import ConfigError, Settings, load

MINIMAL = 'hostname = "mail.example.org"\n'
KEY = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
LISTENER = '[listen.mta]\nservice = "mta"\nendpoint = "tcp:25"\n'


def loaded(folder: Path, text: str) -> Settings:
    """Load *text* as a configuration in *folder*, with a listener after it where it has none."""
    file = folder / "mailsuite.toml"
    file.write_text(text if "listen" in text else text + LISTENER, encoding="utf-8")
    return load(file)


def refused(folder: Path, text: str) -> list[str]:
    """Return what `load` says of *text*, without the name of its folder."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_only_the_host_name_and_a_listener_must_be_written(tmp_path: Path) -> None:
    """Every other key has a default."""
    settings = loaded(tmp_path, MINIMAL)

    assert (settings.limits.message_size, settings.limits.recipients) == (52_428_800, 1000)


def test_without_a_listener_there_is_nothing_to_serve(tmp_path: Path) -> None:
    """Neither no table at all nor an empty one will do."""
    (problem,) = refused(tmp_path, MINIMAL + "[listen]\n")

    assert problem.startswith("mailsuite.toml: there is no listener, so nothing to serve: add a table")
    (tmp_path / "mailsuite.toml").write_text(MINIMAL)
    with pytest.raises(ConfigError, match="there is no listener"):
        load(tmp_path / "mailsuite.toml")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Editors of Windows write one; lines are counted as ever."""
    assert loaded(tmp_path, "\ufeff" + MINIMAL).hostname == "mail.example.org"
    assert refused(tmp_path, "\ufeff" + MINIMAL + "x = 1\n")[0].startswith("mailsuite.toml:2: x: unknown key")


def test_path_names_begin_at_the_file_or_at_the_state_folder(tmp_path: Path) -> None:
    """Relative path names become absolute; absolute ones stay."""
    settings = loaded(tmp_path, MINIMAL + 'state_dir = "state"\n[store]\npath = "/srv/mail"\n')

    assert settings.state_dir == f"{tmp_path}/state"
    assert settings.tls.certificate == f"{tmp_path}/cert.pem"
    assert settings.directory.path == f"{tmp_path}/state/accounts.sqlite"
    assert settings.log.path == f"{tmp_path}/state/mail.log"
    assert settings.store.path == "/srv/mail"


def test_path_names_in_tables_with_free_names_become_absolute_too(tmp_path: Path) -> None:
    """A password's file, a list's; an empty one stays empty, and a place on the web is no path name."""
    settings = loaded(
        tmp_path,
        MINIMAL + f"""
        [routes.a]
        host = "a.example"
        user = "we"
        password_file = "a.password"
        [routes.b]
        recipients = ["b.example"]
        [backups."a.example"]
        list = "../a.list"
        key = "{KEY}"
        [backups."b.example"]
        list = "https://b.example/a/../b.list"
        key = "{KEY}"
        """,
    )

    assert [route.password_file for route in settings.routes.values()] == [f"{tmp_path}/a.password", ""]
    assert [backup.list for backup in settings.backups.values()] == [
        f"{tmp_path.parent}/a.list", "https://b.example/a/../b.list",
    ]  # fmt: skip
    assert settings.delivery.ca_file == ""
    assert settings.queue.path == f"{tmp_path}/queue"


def test_path_names_do_not_depend_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration named by a relative path gives absolute path names all the same."""
    (tmp_path / "mailsuite.toml").write_text(MINIMAL + LISTENER)
    monkeypatch.chdir(tmp_path)

    assert load("mailsuite.toml").state_dir == str(tmp_path)


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path) -> None:
    """What is not TOML is refused where it stops to be."""
    (problem,) = refused(tmp_path, MINIMAL + "[limits]\nrecipients 5\n")

    assert problem.startswith("mailsuite.toml:3: column 12: ")


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one(tmp_path: Path) -> None:
    """A slip of the pen gets the right word."""
    problems = refused(tmp_path, MINIMAL + "[limits]\nerrors = 3\nmessage_siz = 5\n")

    assert problems == ["mailsuite.toml:4: limits.message_siz: unknown key; did you mean limits.message_size?"]


def test_a_key_in_the_wrong_table_gets_the_right_one(tmp_path: Path) -> None:
    """A key that is known elsewhere is named in full."""
    problems = refused(tmp_path, MINIMAL + "recipients = 500\n")

    assert problems == ["mailsuite.toml:2: recipients: unknown key; did you mean limits.recipients?"]


def test_a_key_like_no_other_gets_no_suggestion(tmp_path: Path) -> None:
    """No far-fetched guess is made: those that there are are named."""
    (problem,) = refused(tmp_path, MINIMAL + "zzz = 1\n")
    assert problem.startswith("mailsuite.toml:2: zzz: unknown key; expected one of allow_root, ")
    (problem,) = refused(tmp_path, MINIMAL + "[tls]\nzzz = 1\n")
    assert problem == "mailsuite.toml:3: tls.zzz: unknown key; expected one of certificate, client_ca, key, minimum"


def test_a_key_that_stands_twice_in_one_of_several(tmp_path: Path) -> None:
    """The line is right, whatever stood before."""
    (problem,) = refused(tmp_path, MINIMAL + "[[r]]\nb = 1\n[[r]]\nb = 1\nb = 2\n")
    assert problem == "mailsuite.toml:6: column 6: Cannot overwrite a value"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[limits]\nerrors = 1\nerrors = 2\n", "4: limits.errors: it stands on line 3 already"),
        ('[tls]\nkey = "a"\n[limits]\n[tls]\n', "5: tls: it stands on line 2 already"),
        ("[listen]\nx = [\n  1,\n]\n'x' = \"\"\"\na\"\"\"", "6: listen.x: it stands on line 3 already"),
        ("limits.errors = 1\nlimits.errors = 2", "3: limits.errors: it stands on line 2 already"),
    ],
)
def test_a_key_that_stands_twice(tmp_path: Path, text: str, problem: str) -> None:
    """TOML has each once; both places are named."""
    assert refused(tmp_path, MINIMAL + text) == [f"mailsuite.toml:{problem}; expected once"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[limits]\nrecipients = "x"', '3: limits.recipients: expected int >= 1, got "x"'),
        ("[limits]\nrecipients = true", "3: limits.recipients: expected int >= 1, got true"),
        ("[limits]\nidle_timeout = nan", "3: limits.idle_timeout: expected number from 1 to 86400, got nan"),
        ("[tls]\nminimum = 1.2", '3: tls.minimum: expected "1.2" or "1.3", got 1.2'),
        ('[tls]\nkey = ""', '3: tls.key: expected a path name, got ""'),
        ('[smtp]\nbare_newlines = "no"', '3: smtp.bare_newlines: expected "reject" or "normalize", got "no"'),
        ("[submission]\ncheck_from = 1", "3: submission.check_from: expected true or false, got 1"),
        ("limits = 3", "2: limits: expected a table, got 3"),
        ("listen = [1]", "2: listen: expected a table, got [1]"),
        ("[listen]\nmta = 25", "3: listen.mta: expected a table, got 25"),
        ("[routes]\nisp = 25", "3: routes.isp: expected a table, got 25"),
        ('[routes.isp]\nhots = "a"', "3: routes.isp.hots: unknown key; did you mean routes.isp.host?"),
        ('[backups."a.example"]\nkeys = 1', '3: backups."a.example".keys: unknown key; did you mean'
         ' backups."a.example".key?'),
        ("[routes.isp]\nport = 65536", "3: routes.isp.port: expected int from 0 to 65535, got 65536"),
        ('[delivery]\nca_file = 1', "3: delivery.ca_file: expected a path name, or an empty string, got 1"),
        ("dns = { servers = 3 }", '2: dns.servers: expected a list of "address", "address:port" or'
         ' "[IPv6 address]:port", got 3'),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_was_expected(
    tmp_path: Path, text: str, problem: str
) -> None:
    """Line, key, what was expected and what was there."""
    assert refused(tmp_path, MINIMAL + text + "\n") == [f"mailsuite.toml:{problem}"]


@pytest.mark.parametrize(
    ("table", "key", "least"),
    [
        ("limits", "recipients", 1), ("limits", "message_size", 1024), ("limits", "errors", 1),
        ("limits", "idle_timeout", 1), ("limits", "data_timeout", 1), ("limits", "pop3_idle_timeout", 1),
        ("limits", "command_line", 512), ("limits", "text_line", 1000), ("limits", "path", 256),
        ("limits", "local_part", 64), ("limits", "domain", 255), ("limits", "hops", 1),
        ("limits", "guesses", 1), ("limits", "guess_window", 1), ("limits", "shutdown_grace", 0),
        ("store", "free_floor", 0), ("directory", "hash_threads", 1), ("dns", "tries", 1), ("dns", "cache", 0),
        ("queue", "retry_factor", 1), ("queue", "delay_warning", 0), ("queue", "remote_port", 1),
        ("queue", "deliveries", 1), ("queue", "destination_deliveries", 1), ("queue", "window", 10),
        ("queue", "lease", 1), ("queue", "inline_size", 0), ("queue", "report_size", 0),
        ("delivery", "connection_messages", 1), ("delivery", "connection_idle", 0), ("delivery", "hosts", 2),
    ],
)  # fmt: skip
def test_the_least_value_is_taken_and_one_less_is_not(
    tmp_path: Path, table: str, key: str, least: int
) -> None:
    """Every lower bound, at the bound and one past it."""
    settings = loaded(tmp_path, f"{MINIMAL}[{table}]\n{key} = {least}\n")
    (problem,) = refused(tmp_path, f"{MINIMAL}[{table}]\n{key} = {least - 1}\n")

    assert getattr(getattr(settings, table), key) == least
    assert problem.startswith(f"mailsuite.toml:3: {table}.{key}: expected ")
    assert problem.endswith(f", got {least - 1}")


@pytest.mark.parametrize(
    ("table", "key", "most"),
    [
        ("limits", "idle_timeout", 86_400), ("limits", "data_timeout", 86_400), ("limits", "data_rate", 1_048_576),
        ("limits", "message_size", 1_099_511_627_776),
        ("limits", "pop3_idle_timeout", 86_400), ("limits", "command_line", 65_536),
        ("limits", "text_line", 1_048_576), ("limits", "path", 4096), ("limits", "local_part", 1024),
        ("limits", "domain", 1024), ("limits", "hops", 10_000), ("limits", "guess_window", 86_400),
        ("limits", "shutdown_grace", 3600), ("directory", "hash_threads", 64), ("dns", "timeout", 60),
        ("dns", "tries", 20), ("dns", "cache", 1_000_000), ("queue", "retry_first", 86_400),
        ("queue", "retry_factor", 10), ("queue", "retry_cap", 604_800), ("queue", "lifetime", 2_592_000),
        ("queue", "delay_warning", 2_592_000), ("queue", "probe_interval", 86_400),
        ("queue", "connect_timeout", 3600), ("queue", "greeting_timeout", 3600), ("queue", "command_timeout", 3600),
        ("queue", "data_timeout", 3600), ("queue", "end_timeout", 7200), ("queue", "remote_port", 65_535),
        ("queue", "deliveries", 10_000), ("queue", "destination_deliveries", 1000), ("queue", "window", 100_000),
        ("queue", "lease", 3600), ("queue", "inline_size", 1_048_576), ("delivery", "connection_messages", 100_000),
        ("delivery", "connection_idle", 300), ("delivery", "hosts", 100),
    ],
)  # fmt: skip
def test_the_greatest_value_is_taken_and_one_more_is_not(
    tmp_path: Path, table: str, key: str, most: int
) -> None:
    """Every upper bound, at the bound and one past it."""
    settings = loaded(tmp_path, f"{MINIMAL}[{table}]\n{key} = {most}\n")
    problems = refused(tmp_path, f"{MINIMAL}[{table}]\n{key} = {most + 1}\n")

    assert getattr(getattr(settings, table), key) == most
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("dns", "timeout"), ("queue", "retry_first"), ("queue", "retry_cap"), ("queue", "lifetime"),
        ("queue", "probe_interval"), ("queue", "connect_timeout"), ("queue", "greeting_timeout"),
        ("queue", "command_timeout"), ("queue", "data_timeout"), ("queue", "end_timeout"),
    ],
)  # fmt: skip
def test_a_time_that_must_pass_is_above_nothing(tmp_path: Path, table: str, key: str) -> None:
    """A hundredth of a second will do, none will not."""
    settings = loaded(tmp_path, f"{MINIMAL}[{table}]\n{key} = 0.01\n")
    (problem,) = refused(tmp_path, f"{MINIMAL}[{table}]\n{key} = 0\n")

    assert getattr(getattr(settings, table), key) == 0.01
    assert problem.startswith(f"mailsuite.toml:3: {table}.{key}: expected number above 0, at most ")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """One round of corrections is enough."""
    problems = refused(tmp_path, "state_dri = 1\n[limits]\nerrors = 0\n[log]\nformat = 'xml'\n")

    assert [problem.split(": ")[0] for problem in problems] == [
        "mailsuite.toml:1", "mailsuite.toml:3", "mailsuite.toml:5", "mailsuite.toml",
    ]  # fmt: skip
    assert problems[-1].startswith("mailsuite.toml: hostname is missing: ")


@pytest.mark.parametrize("name", ["", "mail example", "-mail.example.org", "mail..org", "192.0.2.1", "a" * 64])
def test_a_host_name_must_be_one(tmp_path: Path, name: str) -> None:
    """What could not stand in a greeting is refused."""
    (problem,) = refused(tmp_path, f'hostname = "{name}"\n')

    assert "hostname: expected a host name such as mail.example.org" in problem


@pytest.mark.parametrize(
    "endpoint",
    ["", "tcp", "tcp:x", "frob:25", "tcp:25:interfac=1", "tcp:65536", "tcp6:25:interface=::1", "unix:", "ssl:465",
     "stdio", "stdio:", "haproxy:stdio:", "tls:/etc/certs", "haproxy:tls:/etc/certs",
     "systemd", "systemd:x", "systemd:domain=INET", "systemd:domain=X:index=0", "systemd:domain=INET:index=x"],
)
def test_an_endpoint_must_be_one(tmp_path: Path, endpoint: str) -> None:
    """What Twisted could not listen on is refused with its line."""
    (problem,) = refused(tmp_path, f'{MINIMAL}[listen.x]\nservice = "mta"\nendpoint = "{endpoint}"\n')

    assert problem.startswith(f'mailsuite.toml:4: listen.x.endpoint: "{endpoint}" is not an endpoint')


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[log]\npath = "a\\u0000b"\n', "3: log.path: expected a path name, "),
        ('[delivery]\nsource = ["a\\u0000b"]\n', "3: delivery.source: "),
        ('[listen.x]\nservice = "mta"\nendpoint = "unix:/a\\u0000b"\n', "4: listen.x.endpoint: "),
        ('[listen.x]\nservice = "mta"\nendpoint = ["tcp:25", "tcp:26:interface=\\u0000"]\n', "4: listen.x.endpoint: "),
    ],
)
def test_no_text_has_the_character_nul(tmp_path: Path, text: str, where: str) -> None:
    """Where one names a file, the system would take what is before it, and Python nothing."""
    (problem,) = refused(tmp_path, MINIMAL + text)

    assert problem.startswith(f"mailsuite.toml:{where}")
    assert ", without the character NUL, got " in problem


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ("{a = ", "}")])
def test_values_within_values_without_end(tmp_path: Path, begin: str, end: str) -> None:
    """Deeper than Python can follow: that is said, and no more."""
    (problem,) = refused(tmp_path, f"{MINIMAL}x = {begin * 100_000}1{end * 100_000}\n")

    assert problem == "mailsuite.toml: values are nested too deep to be read: expected lists of plain values"


def test_a_listener_needs_an_endpoint(tmp_path: Path) -> None:
    """Neither none nor an empty list will do."""
    missing = refused(tmp_path, f'{MINIMAL}[listen."a b"]\nservice = "mta"\n')
    empty = refused(tmp_path, f'{MINIMAL}[listen.x]\nservice = "mta"\nendpoint = []\n')

    assert missing[0].startswith('mailsuite.toml:2: listen."a b": endpoint is missing')
    assert empty == ["mailsuite.toml:4: listen.x.endpoint: expected at least one endpoint string"]


def test_one_endpoint_or_several_are_read_alike(tmp_path: Path) -> None:
    """A string counts as a list of one."""
    settings = loaded(
        tmp_path,
        MINIMAL + '[listen.a]\nservice = "mta"\nendpoint = "tcp:25"\n'
        '[listen.b]\nservice = "mta"\nendpoint = ["tcp:26", "unix:/run/x"]\n',
    )

    assert settings.listen["a"].endpoints == ("tcp:25",)
    assert settings.listen["b"].endpoints == ("tcp:26", "unix:/run/x")


@pytest.mark.parametrize(
    ("service", "auth", "rule"),
    [("mta", "", "off"), ("submission", "", "tls"), ("pop3", "", "tls"), ("mta", "always", "always"),
     ("pop3", "off", "off")],
)  # fmt: skip
def test_the_rule_for_passwords_follows_the_service_unless_it_is_written(
    tmp_path: Path, service: str, auth: str, rule: str
) -> None:
    """Servers are asked for no password, users for one under TLS."""
    text = f'[listen.x]\nservice = "{service}"\nendpoint = "tcp:1"\nauth = "{auth}"\n'

    assert loaded(tmp_path, MINIMAL + text).listen["x"].authentication == rule


@pytest.mark.parametrize("server", ["dns.example.org", "192.0.2.1:0", "192.0.2.1:65536", "[::1", "[::1]:x", ""])
def test_a_name_server_must_be_an_address(tmp_path: Path, server: str) -> None:
    """A name would need a name server to be looked up."""
    (problem,) = refused(tmp_path, f'{MINIMAL}dns.servers = ["{server}"]\n')

    assert problem.startswith(f'mailsuite.toml:2: dns.servers: "{server}"')


def test_name_servers_may_have_ports(tmp_path: Path) -> None:
    """IPv4 and IPv6, with a port and without."""
    servers = ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:65535", "[::1]"]

    assert loaded(tmp_path, f"{MINIMAL}dns.servers = {servers}\n").dns.servers == servers


@pytest.mark.parametrize("address", ["postmaster", "@example.org", "a@", "a b@example.org", "a..b@-x-"])
def test_the_postmaster_must_be_an_address(tmp_path: Path, address: str) -> None:
    """A bare name is not enough."""
    (problem,) = refused(tmp_path, f'{MINIMAL}[directory]\npostmaster = "{address}"\n')

    assert problem.startswith("mailsuite.toml:3: directory.postmaster: expected an address")


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    """The system's own words, with the path."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    (tmp_path / "x.toml").write_bytes(b"hostname = '\xff'\n")

    with pytest.raises(ConfigError, match=r"x\.toml: is not UTF-8: .* at octet 12"):
        load(tmp_path / "x.toml")


def test_what_a_message_quotes_is_short_and_printable(tmp_path: Path) -> None:
    """A bad value cannot fill the terminal, or steer it."""
    (problem,) = refused(tmp_path, MINIMAL + '[log]\nformat = "\\u001b[2J' + "x" * 500 + '"\n')

    assert problem.isprintable()
    assert len(problem) < 200


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """What was checked stays what it was."""
    settings = loaded(tmp_path, MINIMAL)

    with pytest.raises(AttributeError):
        settings.hostname = "other.example.org"  # type: ignore[misc]
