"""Whatever is asked of the API, by whoever has a token: it is done or refused in JSON, and never a mistake of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from mailsuite.admin.api.application import ROUTES, Application
from mailsuite.admin.api.route import Nothing, Route
from mailsuite.admin.tokens import TokenFolder
from mailsuite.administered import administered
from mailsuite.config import load
from mailsuite.transport.http import BODY_OCTETS, HTTPSessions
from tests.admin.test_application import Lines
from tests.cli.site import new_site, run
from tests.doubles import CountedTries
from tests.queue.queues import Queues

ALICE, DOMAIN = "alice@example.org", "example.org"
# What names have been broken by: octets that end strings, letters of other widths and directions, quotes of all kinds.
HOSTILE = (
    "", " ", "\0", "a\0b@example.org", "\r\nX: y", "\uff21lice@example.org", "alice@ex\u00e4mple.org",
    "\u202ealice@example.org", "\U0001f47b@example.org", "'; DROP TABLE logins; --", '"a b"@example.org',
    '"\\"@example.org', "../../etc", "a/b", "%00", "%", "*@example.org", "@", "a@b@c", "x" * 5000,
    "x" * 65 + "@example.org", "a@" + "b." * 127 + "example.org", "[192.0.2.1]", "192.0.2.0/33", "route:", "local",
    "<>", "null", "-1", "postmaster@example.org", ALICE, DOMAIN, "ALICE@EXAMPLE.ORG.", "xn--a@xn--\u00fc.example",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 63, 1 << 64, -(1 << 64), 1e308, -0.0, 1.5, [], {}, [None], ["smtp", "smtp"], {"octets": 1},
    {"x": {}}, *HOSTILE,
)  # fmt: skip


class API:
    """The API of a site, without a network and without threads."""

    def __init__(self, config: Path) -> None:
        found = load(str(config))
        tokens = TokenFolder(found.state_dir, b"root")
        self._token = tokens.add("all", "write", 0.0)
        application = Application(
            administered(found), tokens, CountedTries(9), cast(Any, Lines()), cast(Any, execute), lambda: 1e9,
            cast(Any, Clock()),
        )  # fmt: skip
        self._sessions = HTTPSessions(lambda: application.resource, cast(Any, Clock()))

    def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """Ask; return the status of the answer, which has to be in JSON."""
        session: Any = self._sessions.buildProtocol(None)
        transport = StringTransport()
        session.makeConnection(transport)
        session.dataReceived(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        head, _, said = transport.value().partition(b"\r\n\r\n")
        status = int(head.split()[1])
        assert status < 500 or status == 503, (method, path, body, said)
        assert said == b"" if status == 204 else json.loads(said) is not None
        if status >= 400:
            assert b"application/problem+json" in head
            assert json.loads(said)["detail"], (method, path, body)
        return status


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    """A site with a user, an alias, and a queue with a message."""
    config = new_site(tmp_path_factory.mktemp("hostile") / "site", "--unprivileged")
    run("user", "add", ALICE, "--no-password", "-c", config)
    run("alias", "add", f"sales@{DOMAIN}", ALICE, "-c", config)
    queues = Queues(config.parent / "queue")
    queue = queues.open()
    queues.accept(queue, "bob@far.example")
    yield API(config)
    queues.stop()


def named(route: Route, name: str, other: str = "messages") -> str:
    """Return the path of *route* with *name* in each place of a name, but *other* where only some words fit."""
    path = route.path
    while "<" in path:
        place = path[path.index("<") : path.index(">") + 1]
        said = "hour" if place == "<span>" else other if place == "<counted>" else quote(name, safe="")
        path = path.replace(place, said, 1)
    return path


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_names(api: API, route: Route) -> None:
    """In its path, and as each key of its query."""
    for name in HOSTILE if "<" in route.path else ():
        api.ask(route.method, named(route, name), b"" if route.body is Nothing else b"{}")
    for key in msgspec.structs.fields(route.query):
        for name in HOSTILE:
            api.ask(route.method, f"{named(route, ALICE)}?{key.encode_name}={quote(name)}")


BODIES = {route.body: route for route in ROUTES if route.body is not Nothing}


@pytest.mark.parametrize("route", BODIES.values(), ids=[kind.__name__ for kind in BODIES])
def test_bodies(api: API, route: Route) -> None:
    """Each key with each value, alone and beside what is needed; and what is no object at all."""
    needed = {"name": "b.example", "address": f"x@{DOMAIN}", "label": "x", "targets": [ALICE], "subject": "192.0.2.7",
              "until": 1, "login": f"r@{DOMAIN}", "password": "x", "most": 1}  # fmt: skip
    keys = [each.encode_name for each in msgspec.structs.fields(route.body)]
    path = named(route, DOMAIN if "<domain>" in route.path else ALICE)
    for key in keys:
        for value in VALUES:
            said = {name: needed[name] for name in keys if name in needed}
            api.ask(route.method, path, json.dumps({**said, key: value}).encode())
    for value in VALUES[:9]:
        api.ask(route.method, path, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": "\xed\xa0\x80"}', 400),
        (b'{"name": NaN}', 400),
        (b'{"name": "a.example"} {}', 400),
        (b"[" * BODY_OCTETS, 422),
        (b'{"name": ' + b"[" * (BODY_OCTETS - 9), 422),
        (b'{"x": ' + b'{"a":' * 9000 + b"1" + b"}" * 9001, 422),
        (b'{"name": "a.example", "name": "b c"}', 422),
        (b'{"name": 1' + b"0" * 60_000 + b"}", 422),
        (b'{"name": 1.0, "x": ' + b"[" * 60_000, 422),
        (b"x" * (BODY_OCTETS + 1), 413),
    ],
)
def test_what_is_no_json(api: API, body: bytes, status: int) -> None:
    """However deep, long, or strange it is."""
    assert api.ask("POST", "/v1/domains", body) == status


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (b"7.0", 200), (b"7e1", 200), (b"7.5", 422), (b"7e-1", 422), (b"1e300", 422), (b"1e400", 422), (b'"7"', 422),
        (b'7.0, "x": ' + b"[" * 60_000, 422),
    ],
)  # fmt: skip
def test_integers(api: API, number: bytes, status: int) -> None:
    """A number that is whole is one, however it is written."""
    assert api.ask("PUT", f"/v1/users/{ALICE}/caps/messages/hour", b'{"most": %b}' % number) == status


@pytest.mark.parametrize("query", ["status=null", "before=null", "domain=null&since=null", "limit=null"])
def test_a_query_without_a_value(api: API, query: str) -> None:
    """It is none, also where nothing need be said; but what is called so can be asked for."""
    assert api.ask("GET", f"/v1/queue?{query}") == 422
    assert api.ask("GET", "/v1/queue?domain=null") == 200


@given(
    st.sampled_from(ROUTES),
    st.text(max_size=80) | st.sampled_from(HOSTILE),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=5,
    ),
    st.dictionaries(st.sampled_from(["limit", "after", "domain", "force", "before", "status"]), st.text(max_size=20)),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything(api: API, route: Route, name: str, value: object, query: dict[str, str]) -> None:
    """Any name, any body, any query."""
    keys = [each.encode_name for each in msgspec.structs.fields(route.body)]
    said = "&".join(f"{key}={quote(text, errors='replace')}" for key, text in query.items())
    body = json.dumps(dict.fromkeys(keys, value) if keys else value).encode()
    api.ask(route.method, f"{named(route, name.encode('utf-8', 'replace').decode())}?{said}", body[:BODY_OCTETS])
