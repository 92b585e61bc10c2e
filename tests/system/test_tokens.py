"""Logins by tokens that an issuer has signed (RFC 7519), its keys in a file or fetched over HTTPS, with programs."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.system.messages import message
from tests.system.programs import needs, run
from tests.system.site import DOMAIN, HOSTNAME, Site
from tests.system.token_host import NAME, Names, TokenHost
from tests.system.wire import Wire
from tests.tokens.issuer import Issuer

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"
ISSUER = f"https://{NAME}"


class World:
    """A site that goes by the keys of an issuer, and tokens of that issuer."""

    def __init__(self, site: Site, host: TokenHost, signer: Issuer, stranger: Issuer, names: Names) -> None:
        self.site = site
        self.host = host
        self.signer = signer
        self.stranger = stranger
        self._names = names
        self._place = ""

    def serve(self, place: str) -> None:
        """Serve with the keys at *place*."""
        self._place = place
        self.site.options = {
            "dns": {"servers": [f"127.0.0.1:{self._names.port}"]},
            "oauth": {
                "keys": place, "issuer": ISSUER, "audience": "mail", "scope": "mail",
                "ca_file": str(self.host.certificate),
            },
        }  # fmt: skip
        if self.site.process is not None:
            self.site.stop()
        self.site.write_config()
        self.site.start()

    @property
    def by_url(self) -> bool:
        """Whether the keys are the host's."""
        return self._place.startswith(self.host.url)

    @property
    def fetched(self) -> int:
        """How often the host has been asked for the keys."""
        return self.host.fetched.get(self._place.removeprefix(self.host.url), 0)

    def token(self, kind: str = "RS256", signer: Issuer | None = None, **claims: Any) -> str:
        """Return a token of alice's, good for some minutes, with other *claims* where they are given."""
        now = time.time()
        said = {"iss": ISSUER, "aud": "mail", "exp": now + 300, "nbf": now - 300}
        said |= {"scope": "openid mail", "email": ALICE}
        return (signer or self.signer).token({**said, **claims}, kind)

    def log_in(self, listener: str, token: str, mechanism: str = "OAUTHBEARER", source: str = "127.0.0.1") -> bytes:
        """Log in as alice with *token*, from the address *source*; return the last answer."""
        with Wire(self.site.ports[listener], 30, source) as wire:
            wire.start_tls(self.site.tls())
            if listener == "submissions":
                wire.greet()
            else:
                wire.ok()
            # RFC 7628 §3.2.3: what goes with a failure has to be answered.
            for line in (f"AUTH {mechanism}", response(token, mechanism), "AQ=="):
                wire.send(line.encode() + b"\r\n")
                answer = wire.line()
                if not answer.startswith((b"334 ", b"+ ")):
                    return answer
            raise AssertionError("there is no end to it")


def response(token: str, mechanism: str) -> str:
    """Return what alice's client says."""
    if mechanism == "XOAUTH2":
        said = f"user={ALICE}\x01auth=Bearer {token}\x01\x01"
    else:
        said = f"n,a={ALICE},\x01host={HOSTNAME}\x01auth=Bearer {token}\x01\x01"
    return b64encode(said.encode()).decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A site that is not served yet, and its issuer."""
    folder = tmp_path_factory.mktemp("issuer")
    host, names, signer = TokenHost(folder), Names(), Issuer()
    host.documents["/jwks.json"] = signer.document()
    (folder / "jwks.json").write_bytes(signer.document())
    site = Site(users=["alice", "bob"])
    try:
        site.make()
        yield World(site, host, signer, Issuer(), names)
        if site.process is not None:
            site.stop()
        site.check_logs()
        assert "eyJ" not in site.log + site.mail_log, "a token in a log"
    finally:
        site.discard()
        host.stop()
        names.stop()


@pytest.fixture(scope="module", params=["file", "https"])
def world(made: World, request: pytest.FixtureRequest) -> World:
    """That site, with the keys in a file, then at the URL of a host."""
    url = f"{made.host.url}/jwks.json"
    made.serve(str(made.host.certificate.with_name("jwks.json")) if request.param == "file" else url)
    return made


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_good_token(world: World, mechanism: str, kind: str) -> None:
    """By a key of each kind, in both protocols; the keys are fetched once for all of them."""
    assert world.log_in("submissions", world.token(kind), mechanism).startswith(b"235 2.7.0 ")
    assert world.log_in("pop3s", world.token(kind), mechanism).startswith(b"+OK")
    assert world.fetched == (1 if world.by_url else 0)


BAD: Mapping[str, Mapping[str, Any]] = {
    "over": {"exp": time.time() - 120},
    "without an end": {"exp": None},
    "of another issuer": {"iss": "https://else.example"},
    "for another service": {"aud": "calendar"},
    "for something else": {"scope": "openid"},
    "of nobody here": {"email": f"nobody@{DOMAIN}"},
    "of another": {"email": BOB},
}


WRONG = [*BAD, "by another key", "by none"]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_bad_token(world: World, wrong: str) -> None:
    """It is refused like a wrong password, whatever is wrong about it."""
    if wrong == "by another key":
        token = world.token(signer=world.stranger)
    elif wrong == "by none":
        head, claims, _ = world.token().split(".")
        token = f"{b64encode(json.dumps({'alg': 'none', 'kid': 'RS256'}).encode()).decode().rstrip('=')}.{claims}."
        assert head not in token
    else:
        token = world.token(**BAD[wrong])
    # Each from an address of its own: who guesses has to wait.
    source = f"127.9.{1 + world.by_url}.{1 + WRONG.index(wrong)}"
    assert world.log_in("submissions", token, source=source).startswith(b"535 5.7.8 ")
    assert world.log_in("pop3s", token, source=source).startswith(b"-ERR [AUTH] ")


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
@needs("msmtp")
def test_msmtp(world: World, tmp_path: Path, mechanism: str) -> None:
    """A program sends with it."""
    before = len(world.site.on_disk("bob"))
    lines = [
        "defaults",
        f"tls_trust_file {world.site.certificate}",
        f"tls_host_override {HOSTNAME}",
        "account default",
        "host 127.0.0.1",
        f"port {world.site.ports['submissions']}",
        f"from {ALICE}",
        "tls on",
        "tls_starttls off",
        f"auth {mechanism}",
        f"user {ALICE}",
        f"passwordeval cat {tmp_path}/token",
    ]
    (tmp_path / "token").write_text(world.token())
    (tmp_path / ".msmtprc").write_text("\n".join(lines) + "\n")
    (tmp_path / ".msmtprc").chmod(0o600)
    run(["msmtp", BOB], given=message(ALICE, b"by a token\n").replace(b"\r\n", b"\n"), home=tmp_path)
    assert len(world.site.on_disk("bob")) == before + 1


@pytest.mark.parametrize("scheme", ["smtps", "pop3s"])
@needs("curl")
def test_curl(world: World, tmp_path: Path, scheme: str) -> None:
    """Another, in both protocols."""
    port = world.site.ports["submissions" if scheme == "smtps" else "pop3s"]
    command = ["curl", "--silent", "--show-error", "--resolve", f"{HOSTNAME}:{port}:127.0.0.1"]
    command += ["--cacert", str(world.site.certificate), f"{scheme}://{HOSTNAME}:{port}/"]
    command += ["--user", ALICE, "--login-options", "AUTH=OAUTHBEARER"]
    if scheme == "smtps":
        command += ["--mail-from", ALICE, "--mail-rcpt", BOB, "--upload-file", "-"]
    for token, good in ((world.token(), True), (world.token(email=BOB), False)):
        done = run([*command, "--oauth2-bearer", token], given=message(ALICE, b"x\r\n"), home=tmp_path, status=None)
        assert (done.returncode == 0) == good, done.stderr


def test_no_keys_to_be_had(made: World) -> None:
    """Nothing is known about the token then: it is not wrong, its owner is asked to come again, the log says why."""
    made.serve(f"{made.host.url}/nothing")

    assert made.log_in("submissions", made.token()).startswith(b"454 4.7.0 ")
    assert made.log_in("pop3s", made.token()).startswith(b"-ERR [SYS/TEMP] ")
    assert f"cannot be had from {made.host.url}/nothing" in made.site.log
    assert made.fetched == 1
