"""What types cannot say about routes, sources, peers and backups."""

from pathlib import Path

import pytest

from mailsuite.config import Settings
from mailsuite.config.decoding import decode
from mailsuite.config.meaning import problems_of
from tests.config.test_loading import KEY, MINIMAL, loaded, refused

OURS = '"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"'
STORE = ('host = "unix:/run/lmtp"', 'protocol = "lmtp"')


def route(*lines: str) -> str:
    """Return a configuration with one route."""
    return "\n".join([MINIMAL + "[routes.x]", *lines, ""])


def taken(folder: Path, text: str) -> Settings:
    """Load what has to be taken."""
    return loaded(folder, text)


@pytest.mark.parametrize(
    "lines",
    [
        ('host = "smtp.isp.example"',),
        ('host = "192.0.2.1"', "port = 2525"),
        ('host = "2001:db8::1"', 'tls = "encrypt"'),
        STORE,
        (*STORE, 'tls = "encrypt"'),
        ('host = "store.example"', 'protocol = "lmtp"', "port = 24"),
        ('host = "smtp.isp.example"', 'tls = "implicit"', "port = 465", 'user = "we"', 'password_file = "p"'),
        ('host = "smtp.isp.example"', 'tls = "dane"', 'mechanisms = ["SCRAM-SHA-256", "PLAIN"]'),
        ('recipients = ["example.net", ".example.net", "bücher.example"]', 'tls = "mta-sts"'),
        ('senders = ["example.net"]', 'recipients = ["example.net"]', 'source = "2001:db8::2"'),
        (),
    ],
)
def test_a_route_that_leads_somewhere_is_taken(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """Hosts, addresses, sockets, patterns."""
    assert list(taken(tmp_path, route(*lines)).routes) == ["x"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (('host = "a b"',), '3: routes.x.host: expected a host name, an IP address, or unix:/path of a socket'),
        (('host = "smtp.isp.example:587"',), "3: routes.x.host: expected a host name"),
        (('host = "[192.0.2.1]"',), "3: routes.x.host: expected a host name"),
        (('host = "unix:lmtp"', 'protocol = "lmtp"'), "3: routes.x.host: \"unix:lmtp\": the path of a socket is"),
        (('host = "unix:/run/lmtp"',), '3: routes.x.host: a socket is for another mail store: set protocol = "lmtp"'),
        (('host = "unix:/run/lmtp"', 'protocol = "lmtp"', "port = 24"), "5: routes.x.port: a socket has no port"),
        (('host = "a.example"', 'protocol = "lmtp"'), "2: routes.x.port: LMTP never runs on port 25"),
        (('host = "a.example"', 'protocol = "lmtp"', "port = 25"), "5: routes.x.port: LMTP never runs on port 25"),
        (('protocol = "lmtp"',), "3: routes.x.protocol: LMTP needs a host"),
        (('tls = "implicit"',), "3: routes.x.tls: servers that MX records name do not speak TLS"),
        (('host = "a.example"', 'tls = "mta-sts"'), "4: routes.x.tls: MTA-STS is about MX records"),
        (('host = "192.0.2.1"', 'tls = "dane"'), "4: routes.x.tls: TLSA records are found by a host's name"),
        (('host = "a.example"', 'user = "we"'), "4: routes.x.user: a login needs a password"),
        (('host = "a.example"', 'password_file = "p"'), "4: routes.x.password_file: a password needs a name"),
        (('user = "we"', 'password_file = "p"'), "3: routes.x.user: a password is for one host"),
        (('mechanisms = ["PLAIN", "XOAUTH2"]',), f'3: routes.x.mechanisms: expected some of {OURS}, got "XOAUTH2"'),
        (('mechanisms = ["plain"]',), f'3: routes.x.mechanisms: expected some of {OURS}, got "plain"'),
        ((*STORE, 'tls = "verify"'), "5: routes.x.tls: no certificate is for the path of a socket"),
        ((*STORE, 'tls = "implicit"'), '5: routes.x.tls: no certificate is for the path of a socket: expected "none"'),
        ((*STORE, 'tls = "dane"'), "5: routes.x.tls: no certificate is for the path of a socket"),
        ((*STORE, 'tls = "mta-sts"'), "5: routes.x.tls: no certificate is for the path of a socket"),
        (('source = "localhost"',), '3: routes.x.source: "localhost" is not an IP address'),
        (('recipients = ["*.example.net"]',), '3: routes.x.recipients: "*.example.net" is not a domain'),
        (('recipients = ["..example.net"]',), '3: routes.x.recipients: "..example.net" is not a domain'),
        (('senders = ["we@example.net"]',), '3: routes.x.senders: "we@example.net" is not a domain'),
    ],
)
def test_a_route_that_leads_nowhere_is_named(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    """Line, key, and what to do about it."""
    (said,) = refused(tmp_path, route(*lines))

    assert said.startswith(f"mailsuite.toml:{problem}")


@pytest.mark.parametrize(
    ("endpoint", "lines", "port"),
    [
        ("tcp:25", ('host = "MAIL.Example.Org"',), 25),
        ("tcp:25:interface=192.0.2.1", ('host = "mail.example.org"',), 25),
        ("tcp:465", ('host = "mail.example.org"', 'tls = "implicit"'), 465),
        ("tcp:2525", ('host = "127.0.0.1"', "port = 2525"), 2525),
        ("tcp:2525:interface=127.0.0.1", ('host = "127.0.0.1"', "port = 2525"), 2525),
        (r"tcp:2525:interface=\\:\\:", ('host = "::1"', "port = 2525"), 2525),
        ("tcp:25:interface=192.0.2.1", ('host = "192.0.2.1"',), 25),
    ],
)
def test_a_route_to_ourselves_is_named(tmp_path: Path, endpoint: str, lines: tuple[str, ...], port: int) -> None:
    """Mail would go round until there are too many Received lines."""
    text = route(*lines) + f'[listen.in]\nservice = "mta"\nendpoint = "{endpoint}"\n'
    (said,) = refused(tmp_path, text)

    assert said.startswith("mailsuite.toml:3: routes.x.host: expected another system, got ")
    assert said.endswith(f" port {port}, which is this one (listen.in): mail would go round")


@pytest.mark.parametrize(
    ("service", "endpoint", "lines"),
    [
        ("mta", "tcp:25", ('host = "mail.example.org"', "port = 10025")),
        ("mta", "tcp:25", ('host = "127.0.0.1"', "port = 10025")),
        ("mta", "tcp:25", ('host = "192.0.2.1"',)),
        ("mta", "tcp:25", ('host = "smtp.isp.example"',)),
        ("mta", "tcp:25:interface=127.0.0.1", ('host = "mail.example.org"',)),
        ("mta", "tcp:25:interface=192.0.2.1", ('host = "127.0.0.1"',)),
        ("mta", "unix:/run/mta", STORE),
        ("pop3", "tcp:25", ('host = "127.0.0.1"',)),
        ("mta", "systemd:domain=INET:index=0", ('host = "127.0.0.1"',)),
    ],
)
def test_a_route_to_others_on_this_machine_is_taken(
    tmp_path: Path, service: str, endpoint: str, lines: tuple[str, ...]
) -> None:
    """A filter on another port, say; whether an address is the machine's is not for the configuration to know."""
    text = route(*lines) + f'[listen.in]\nservice = "{service}"\nendpoint = "{endpoint}"\n'

    assert list(taken(tmp_path, text).routes) == ["x"]


def test_no_two_routes_claim_the_same_mail(tmp_path: Path) -> None:
    """Neither the same pattern, in any spelling, nor all mail; a domain and what is below it are two things."""
    text = '[routes.x]\nrecipients = ["Bücher.example"]\n[routes.y]\nrecipients = ["{}"]\n'

    assert refused(tmp_path, MINIMAL + text.format("xn--bcher-kva.example")) == [
        'mailsuite.toml:5: routes.y.recipients: "xn--bcher-kva.example" is one of routes.x already'
    ]
    assert list(taken(tmp_path, MINIMAL + text.format(".bücher.example")).routes) == ["x", "y"]
    assert refused(tmp_path, MINIMAL + '[routes.x]\n[routes.y]\nhost = "a.example"\n') == [
        "mailsuite.toml:3: routes.y: routes.x takes all mail already: say recipients or senders"
    ]


def test_sources_are_addresses_one_of_each_family(tmp_path: Path) -> None:
    """Both families, not twice the same."""
    both = '[delivery]\nsource = ["192.0.2.1", "2001:db8::1"]\n'

    assert len(taken(tmp_path, MINIMAL + both).delivery.source) == 2
    for sources, told in [
        ('["192.0.2.1", "192.0.2.2"]', '"192.0.2.2" is a second IPv4 address'),
        ('["2001:db8::1", "2001:db8::2"]', '"2001:db8::2" is a second IPv6 address'),
        ('["eth0"]', '"eth0" is not an IP address'),
    ]:
        (problem,) = refused(tmp_path, f"{MINIMAL}[delivery]\nsource = {sources}\n")
        assert problem.startswith(f"mailsuite.toml:3: delivery.source: {told}")


def test_what_we_are_known_by_are_names_and_addresses(tmp_path: Path) -> None:
    """Of any kind."""
    known = ["mx.example.org", "bücher.example", "192.0.2.1", "2001:db8::1"]

    assert taken(tmp_path, f"{MINIMAL}delivery.ourselves = {known}\n").delivery.ourselves == known
    for name in ("192.0.2.0/24", "[192.0.2.1]", "mx example", "mx.example.org:25", ""):
        (problem,) = refused(tmp_path, f'{MINIMAL}delivery.ourselves = ["{name}"]\n')
        assert problem.startswith("mailsuite.toml:2: delivery.ourselves: ")
        assert problem.endswith(" is neither a host name nor an IP address")


def test_a_network_is_told_where_only_bits_are_too_many(tmp_path: Path) -> None:
    """An address with the length of its network is what people copy from ``ip addr``."""
    (problem,) = refused(tmp_path, f'{MINIMAL}smtp.etrn_peers = ["192.0.2.7/24"]\n')
    assert problem.endswith("; the network that it lies in is 192.0.2.0/24")


def test_peers_are_addresses_and_networks(tmp_path: Path) -> None:
    """A network with bits beyond its length is a slip of the pen."""
    peers = ["192.0.2.1", "192.0.2.0/24", "2001:db8::/32"]

    assert taken(tmp_path, f"{MINIMAL}smtp.etrn_peers = {peers}\n").smtp.etrn_peers == peers
    for peer in ("192.0.2.1/24", "example.org", ""):
        (problem,) = refused(tmp_path, f'{MINIMAL}smtp.etrn_peers = ["{peer}"]\n')
        assert problem.startswith("mailsuite.toml:2: smtp.etrn_peers: ")
        (problem,) = refused(tmp_path, f'{MINIMAL}limits.exempt = ["{peer}"]\n')
        assert problem.startswith("mailsuite.toml:2: limits.exempt: ")


@pytest.mark.parametrize("setting", ["delay", "drop"])
def test_early_talkers_need_time_to_speak(tmp_path: Path, setting: str) -> None:
    """A greeting that comes at once comes before anybody."""
    smtp = f'{MINIMAL}smtp.early_talkers = "{setting}"\n'

    assert taken(tmp_path, smtp + "smtp.greeting_delay = 1\n").smtp.early_talkers == setting
    (problem,) = refused(tmp_path, smtp)
    assert problem.startswith("mailsuite.toml:2: smtp.early_talkers: ")


@pytest.mark.parametrize("endpoint", ["tcp:25", "tcp:25:interface=127.0.0.1"])
def test_lmtp_is_not_spoken_on_port_25(tmp_path: Path, endpoint: str) -> None:
    """RFC 2033 §5."""
    table = f'{MINIMAL}[listen.x]\nservice = "lmtp"\nendpoint = '

    (problem,) = refused(tmp_path, f'{table}["unix:/run/lmtp", "{endpoint}"]\n')
    assert problem.startswith("mailsuite.toml:4: listen.x.endpoint: port 25 is that of SMTP")
    assert taken(tmp_path, f'{table}["unix:/run/lmtp", "tcp:24"]\n').listen["x"].authentication == "off"


def test_what_lmtp_has_and_has_not(tmp_path: Path) -> None:
    """RFC 2033 §5: two extensions are required; a queue that ETRN could start is not there."""
    table = f'{MINIMAL}[listen.x]\nservice = "lmtp"\nendpoint = "tcp:24"\nwithout = '

    assert taken(tmp_path, table + '["DSN"]').listen["x"].switched_off == {"DSN", "ETRN"}
    for keyword in ("pipelining", "ENHANCEDSTATUSCODES"):
        (problem,) = refused(tmp_path, f'{table}["{keyword}"]')
        assert problem == f"mailsuite.toml:5: listen.x.without: LMTP must have {keyword.upper()} (RFC 2033 §5)"


def test_who_may_connect(tmp_path: Path) -> None:
    """Everybody, but for LMTP, unless a list says otherwise."""
    table = f'{MINIMAL}[listen.x]\nendpoint = "tcp:2524"\nservice = '

    assert taken(tmp_path, f'{table}"mta"\n').listen["x"].admitted == ()
    assert taken(tmp_path, f'{table}"lmtp"\n').listen["x"].admitted == ("127.0.0.0/8", "::1", "unix")
    assert taken(tmp_path, f'{table}"lmtp"\npeers = ["192.0.2.1", "unix"]\n').listen["x"].admitted == (
        "192.0.2.1",
        "unix",
    )
    for key in ("peers", "proxy"):
        for peer in ("192.0.2.1/24", "example.org", "", "Unix"):
            (problem,) = refused(tmp_path, f'{table}"pop3"\n{key} = ["{peer}"]\n')
            assert problem.startswith(f"mailsuite.toml:5: listen.x.{key}: ")


def test_extensions_are_switched_off_by_their_keywords(tmp_path: Path) -> None:
    """In any case of letters; what has a key of its own is switched by that, and POP3 has none of them."""
    table = f'{MINIMAL}[listen.x]\nservice = "mta"\nendpoint = "tcp:25"\nwithout = '

    assert taken(tmp_path, table + '["etrn", "DSN"]').listen["x"].switched_off == {"ETRN", "DSN"}
    for keyword, problem in (
        ("ERTN", '"ERTN" is no extension that there is here; these are: 8BITMIME, '),
        ("starttls", 'STARTTLS is switched off by tls = "none"'),
        ("AUTH", 'AUTH is switched off by auth = "off"'),
    ):
        (said,) = refused(tmp_path, f'{table}["ETRN", "{keyword}"]')
        assert said.startswith(f"mailsuite.toml:5: listen.x.without: {problem}")
    (said,) = refused(tmp_path, (table + '["ETRN"]').replace("mta", "pop3"))
    assert said == "mailsuite.toml:5: listen.x.without: these are extensions of SMTP, and this listener speaks POP3"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('["a b"]', '2: backups."a b": "a b" is not a domain name'),
        (f'["a.example"]\nlist = "http://a.example/l"\nkey = "{KEY}"', '3: backups."a.example".list: expected an'),
        (f'["a.example"]\nlist = "https://a.example"\nkey = "{KEY}"', '3: backups."a.example".list: expected an'),
        (f'["a.example"]\nlist = "https://u:p@a.example/"\nkey = "{KEY}"', '3: backups."a.example".list: expected an'),
        (f'["a.example"]\nlist = "file:///a"\nkey = "{KEY}"', '3: backups."a.example".list: expected an https URL'),
        ('["a.example"]\nlist = "a.list"', '3: backups."a.example".list: a list is believed only by its signature'),
        ('["a.example"]\nkey = "11qYAYKxCrfVS"', '3: backups."a.example".key: expected ed25519:'),
        ('["a.example"]\nkey = "ed25519:AAAA"', '3: backups."a.example".key: expected ed25519:'),
        ('["a.example"]\nrefresh = 0.5', '3: backups."a.example".refresh: expected number from 1 to 604800'),
        ('["a.example"]\n[backups."A.Example"]', '3: backups."A.Example": this domain has a table already'),
    ],
)
def test_a_backup_that_cannot_work_is_named(tmp_path: Path, table: str, problem: str) -> None:
    """Whose list, from where, signed by whom."""
    (said,) = refused(tmp_path, MINIMAL + "[backups." + table[1:] + "\n")

    assert said.startswith(f"mailsuite.toml:{problem}")


@pytest.mark.parametrize(
    "lines",
    ["", f'list = "https://a.example:8443/lists/a"\nkey = "{KEY}"', f'list = "https://[2001:db8::1]/a"\nkey = "{KEY}"',
     f'list = "/srv/a.list"\nkey = "{KEY}"', f'key = "{KEY}"\ncallout = false'],
)
def test_a_backup_that_can_work_is_taken(tmp_path: Path, lines: str) -> None:
    """From the web, from a file, by hand, or by asking alone."""
    assert list(taken(tmp_path, f'{MINIMAL}[backups."a.example"]\n{lines}\n').backups) == ["a.example"]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('[domains."a b"]', '2: domains."a b": "a b" is not a domain name'),
        ('[domains."a.example"]\n[domains."A.Example"]', '3: domains."A.Example": this domain has a table already'),
        ('[domains."a.example"]\npop3_expire = -1', '3: domains."a.example".pop3_expire: expected a number from 0'),
        ('[domains."a.example"]\npop3_expire = 36501', '3: domains."a.example".pop3_expire: expected a number from 0'),
        ('[domains."a.example"]\npop3_login_delay = 86401', '3: domains."a.example".pop3_login_delay: expected a nu'),
        ('[domains."a.example"]\npop3_expire = "soon"', '3: domains."a.example".pop3_expire: expected a number of '),
        ("[pop3]\nexpire = -1", "3: pop3.expire: expected a number from 0 to 36500, got -1"),
        ('[pop3]\nlanguage = "sv"', '3: pop3.language: "sv" is no language that there is here; these are: de, en, '),
    ],
)
def test_terms_of_mailboxes_that_cannot_be_are_named(tmp_path: Path, table: str, problem: str) -> None:
    """For whom, for how long, in which language."""
    (said,) = refused(tmp_path, f"{MINIMAL}{table}\n")

    assert said.startswith(f"mailsuite.toml:{problem}")


@pytest.mark.parametrize("days", ["0", "36500", '"never"', '"default"'])
def test_terms_of_mailboxes_that_can_be_are_taken(tmp_path: Path, days: str) -> None:
    """The first and the last of the range, and the words."""
    taken(tmp_path, f'{MINIMAL}[domains."a.example"]\npop3_expire = {days}\npop3_login_delay = 86400\n')


CERTIFICATE = '[certificates.one]\ncertificate = "a.pem"\nkey = "a.key"\n'


def test_a_certificate_has_names_that_clients_can_ask_for(tmp_path: Path) -> None:
    """Whole names and wildcards of one label; each is of one certificate. Path names begin at the file's folder."""
    names = '["mail.example.net", "*.example.org", "bücher.example"]'
    table = taken(tmp_path, f"{MINIMAL}{CERTIFICATE}names = {names}\n").certificates["one"]

    assert (table.names[1], table.certificate) == ("*.example.org", f"{tmp_path}/a.pem")
    for name in ("a b", "*", "*.*.example.org", "mail.*.example.org"):
        (said,) = refused(tmp_path, f'{MINIMAL}{CERTIFICATE}names = ["{name}"]\n')
        assert said == (
            f'mailsuite.toml:5: certificates.one.names: "{name}" is not a host name such as mail.example.org'
            " or *.example.org"
        )
    two = CERTIFICATE.replace("one", "two") + 'names = ["MAIL.example.net"]\n'
    (said,) = refused(tmp_path, f"{MINIMAL}{CERTIFICATE}names = {names}\n{two}")
    assert said.endswith('certificates.two.names: "MAIL.example.net" is a name of [certificates.one] already')


def test_nobody_is_asked_for_a_certificate_without_tls(tmp_path: Path) -> None:
    """It is part of the handshake."""
    listener = f'{MINIMAL}[listen.x]\nservice = "mta"\nendpoint = "tcp:25"\nclient_certificates = "ask"\n'

    assert taken(tmp_path, listener + 'tls = "starttls"\n').listen["x"].client_certificates == "ask"
    (said,) = refused(tmp_path, listener)
    assert said.startswith("mailsuite.toml:5: listen.x.client_certificates: nobody can be asked without TLS")


def login_problems(**tables: dict[str, object]) -> list[str]:
    """Return what is wrong with a site that has these tables."""
    table = {"hostname": "mail.example.org", "listen": {"mta": {"service": "mta", "endpoint": "tcp:25"}}, **tables}
    settings, problems = decode(table)
    assert settings is not None, problems
    return [f"{problem.name}: {problem.text}" for problem in problems_of(settings)]


def test_mechanisms_have_to_be_there() -> None:
    """In any case of letters; the text names those that there are."""
    listener = {"service": "submission", "endpoint": "tcp:587", "mechanisms": ["scram-sha-256", "FROB"]}

    (problem,) = login_problems(listen={"msa": listener})

    assert problem.startswith('listen.msa.mechanisms: "FROB" is no mechanism that there is here; these are: EXTERNAL')


KEYS = {"keys": "https://id.example.org/keys", "issuer": "https://id.example.org", "audience": "mail"}


@pytest.mark.parametrize(
    ("oauth", "wrong"),
    [
        (KEYS, ""),
        ({**KEYS, "keys": "keys.json"}, ""),
        ({"introspection": "https://id.example.org/i"}, ""),
        ({"introspection": "https://id.example.org/i", "client": "mail", "secret_file": "secret"}, ""),
        ({**KEYS, "keys": "http://id.example.org/keys"}, "oauth.keys: expected an https URL"),
        ({**KEYS, "audience": ""}, "oauth.keys: tokens for other services"),
        ({**KEYS, "issuer": ""}, "oauth.keys: tokens for other services"),
        ({**KEYS, "introspection": "https://id.example.org/i"}, "oauth.introspection: with keys"),
        ({"introspection": "frob"}, "oauth.introspection: expected an https URL with a path"),
        ({"introspection": "https://id.example.org"}, "oauth.introspection: expected an https URL with a path"),
        ({"introspection": "https://id.example.org:65535/i"}, ""),
        ({"introspection": "https://id.example.org:65536/i"}, "oauth.introspection: expected an https URL"),
        ({"introspection": "https://[2001:db8::1]:0/i"}, "oauth.introspection: expected an https URL"),
        ({"client": "mail"}, "oauth.client: client and secret_file go together"),
    ],
)
def test_tokens_are_judged_in_one_way(oauth: dict[str, object], wrong: str) -> None:
    """By keys or by asking, over TLS, and never for other services too."""
    problems = login_problems(oauth=oauth)

    assert [problem[: len(wrong)] for problem in problems] == ([wrong] if wrong else [])


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('service = "mta"\nendpoint = "unix:local"\nauth = "peer"', '"peer" is for the service submission'),
        ('service = "submission"\nendpoint = "tcp:587"\nauth = "peer"', '"tcp:587" is no UNIX socket'),
        ('service = "submission"\nendpoint = "unix:l"\nauth = "peer"\ntls = "starttls"', "there is no TLS"),
        ('service = "submission"\nendpoint = "unix:l"\nauth = "peer"\nproxy = ["unix"]', "nobody speaks for others"),
    ],
)
def test_users_of_this_system_come_by_a_socket(tmp_path: Path, lines: str, said: str) -> None:
    """The kernel knows nobody else, and what would make no sense there is refused."""
    (problem,) = refused(tmp_path, f"{MINIMAL}[listen.local]\n{lines}\n")

    assert said in problem


def test_the_origin_is_a_domain(tmp_path: Path) -> None:
    """It is put behind names."""
    (problem,) = refused(tmp_path, f'{MINIMAL}submission.origin = "no domain"\n')

    assert '"no domain" is not a domain name' in problem


@pytest.mark.parametrize(
    "lines",
    [
        ('endpoint = "tcp:8025:interface=127.0.0.1"',),
        ('endpoint = "tcp6:8025:interface=\\\\:\\\\:1"',),
        ('endpoint = "unix:/run/mailsuite/admin:mode=660"', 'peers = ["unix"]'),
        ('endpoint = "tcp:8025"', 'tls = "implicit"'),
    ],
)
def test_where_the_http_api_may_be(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """On this machine, or under TLS."""
    text = "\n".join([f'{MINIMAL}[listen.x]\nservice = "admin"', *lines, ""])

    assert taken(tmp_path, text).listen["x"].authentication == "off"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (('endpoint = "tcp:8025"',), "can be reached from other machines"),
        (('endpoint = "tcp:8025:interface=192.0.2.1"',), "can be reached from other machines"),
        (('endpoint = "tcp:8025:interface=localhost"',), "can be reached from other machines"),
        (('endpoint = "systemd:domain=INET:index=0"',), "can be reached from other machines"),
        (('endpoint = ["unix:/run/admin", "tcp6:8025"]',), '"tcp6:8025" can be reached'),
        (('endpoint = "tcp:8025"', 'tls = "starttls"'), "HTTP has no STARTTLS"),
        (('endpoint = "unix:/run/admin"', 'auth = "always"'), "by tokens alone"),
        (('endpoint = "unix:/run/admin"', 'mechanisms = ["PLAIN"]'), "by tokens alone"),
        (('endpoint = "unix:/run/admin"', 'without = ["ETRN"]'), "this listener speaks HTTP"),
    ],
)
def test_where_the_http_api_may_not_be(tmp_path: Path, lines: tuple[str, ...], problem: str) -> None:
    """Where tokens would cross a network in clear, or with keys that mean nothing there."""
    text = "\n".join([f'{MINIMAL}[listen.x]\nservice = "admin"', *lines, ""])

    assert problem in "\n".join(refused(tmp_path, text))
