"""The HTTP API beside the running server, with curl: what it changes holds at once; its answers are as described."""

import json
import os
import poplib
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest

from mailsuite.admin.api.application import ROUTES
from mailsuite.directory.passwords import Passwords
from mailsuite.directory.postgresql_schema import create, open_accounts
from tests.admin.described import check_answer
from tests.commands import commands
from tests.directory.servers import running_postgres
from tests.system.fetchers import fetch_all, pop3_session
from tests.system.messages import message
from tests.system.senders import smtp_session
from tests.system.site import DOMAIN, HOSTNAME, LISTENERS, Options, Site, secret, until
from tests.system.test_admin import FOREIGN, KNOWN, UNKNOWN, soon, verdict

pytestmark = pytest.mark.system

ALICE = f"alice@{DOMAIN}"
GUESSES = 12
OPTIONS: Options = {
    "limits": {"exempt": [], "guesses": GUESSES},
    "routes.away": {"host": "127.0.0.1", "port": 1, "recipients": ["far.example"]},
}


@dataclass(frozen=True)
class Answer:
    """What curl was told."""

    status: int
    kind: str
    body: str
    head: str

    @property
    def value(self) -> Any:
        """The JSON in it."""
        return json.loads(self.body)


class API:
    """The API of *site*; *used* has what was asked for and went well."""

    def __init__(self, site: Site) -> None:
        self.url = f"http://127.0.0.1:{site.ports['admin']}"
        self.token = site.cli("token", "add", "billing").stdout.strip()
        self.used: set[tuple[str, str]] = set()

    def __call__(
        self, method: str, path: str, body: Any = None, /, token: str | None = None, query: str = "", **names: str
    ) -> Answer:
        """Ask for *path*, in which *names* stand in braces; the answer has to be as it is described."""
        url = self.url + path.format(**{name: quote(value, safe="@/") for name, value in names.items()}) + query
        said = [] if body is None else ["--json", body if isinstance(body, str) else json.dumps(body)]
        answer = self.curl("-X", method, url, *said, token=self.token if token is None else token)
        check_answer(method, path, answer.status, answer.kind, answer.body)
        if answer.status < 400:
            self.used.add((method, path))
        return answer

    def curl(self, *arguments: str, token: str = "") -> Answer:
        """Run curl."""
        shown = ["-H", f"Authorization: Bearer {token}"] if token else []
        done = subprocess.run(
            ["curl", "-sS", "-i", *shown, *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        kind = re.search(r"^content-type: (.*)$", head, re.M | re.I)
        return Answer(int(head.split()[1]), kind[1] if kind else "", body, head)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Serve one site to all tests; each uses names of its own. It runs as somebody who cannot read all of Python."""
    listeners = {**LISTENERS, "admin": {"service": "admin"}, "admins": {"service": "admin", "tls": "implicit"}}
    owner = "nobody" if os.geteuid() == 0 else None
    if request.param == "sqlite":
        with Site(users=["alice"], listeners=listeners, options=OPTIONS, owner=owner) as site:
            yield site
        return
    with running_postgres() as server:
        create(server.dsn())
        with open_accounts(server.dsn()) as accounts:
            accounts.domains.add(DOMAIN)
            accounts.users.add(ALICE, Passwords().hash(secret(ALICE)))
        kept: Options = {"directory": {"backend": "postgresql"}, "postgresql": {"dsn": server.dsn(), "connections": 2}}
        with Site(listeners=listeners, options={**OPTIONS, **kept}, owner=owner) as site:
            yield site


@pytest.fixture(scope="module")
def api(site: Site) -> API:
    """The API, with a token for changes."""
    return API(site)


def test_the_life_of_a_domain(site: Site, api: API) -> None:
    """From nobody's to ours, with a user, its passwords and aliases, and back."""
    user, label = "carol@new.example", "her phone/2"
    assert verdict(site, user) == FOREIGN
    assert api("POST", "/v1/domains", {"name": "New.example"}).value["users"] == 1
    soon(site, user, UNKNOWN)
    made = api("POST", "/v1/users", {"address": user, "password": "hush-carol-9f3b"})
    assert (made.status, made.value["has_password"], made.value["notes"]) == (201, True, [])
    soon(site, user, KNOWN)
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [user], message(ALICE, b"welcome\r\n"))
    until(lambda: not refused(site, user, "hush-carol-9f3b"), 1, "the password to be taken")

    drawn = api("POST", "/v1/users/{user}/app-passwords", {"label": label, "scopes": ["pop3"]}, user=user).value
    until(lambda: not refused(site, user, drawn["password"]), 1, "the app password to be taken")
    listed = api("GET", "/v1/users/{user}/app-passwords", user=user).value["items"]
    assert [each["label"] for each in listed] == [label]
    assert api("DELETE", "/v1/users/{user}/app-passwords/{label}", user=user, label=label).status == 204
    until(lambda: refused(site, user, drawn["password"]), 1, "the app password to be refused")

    assert api("PATCH", "/v1/users/{user}", {"suspended": True}, user=user).value["suspended"]
    soon(site, user, "550 5.2.1")
    api("PATCH", "/v1/users/{user}", {"suspended": False, "password": "hush-again-9f3b"}, user=user)
    soon(site, user, KNOWN)
    until(lambda: refused(site, user, "hush-carol-9f3b"), 1, "the old password to be refused")
    until(lambda: not refused(site, user, "hush-again-9f3b"), 1, "the new password to be taken")

    sales = "sales@new.example"
    alias = api("POST", "/v1/aliases", {"address": sales, "targets": [user, ALICE]}).value
    assert alias["targets"] == [user, ALICE]
    soon(site, sales, KNOWN)
    assert api("GET", "/v1/aliases/{alias}", alias=sales).value == alias
    assert api("DELETE", "/v1/aliases/{alias}/targets/{target}", alias=sales, target=ALICE).value["targets"] == [user]
    assert api("PUT", "/v1/aliases/{alias}/reply", {"text": "Gone"}, alias=sales).value["reply"] == "550 5.1.1 Gone"
    soon(site, sales, UNKNOWN)
    api("DELETE", "/v1/aliases/{alias}/reply", alias=sales)
    soon(site, sales, KNOWN)
    listed = api("GET", "/v1/aliases", query="?domain=new.example").value
    assert [each["name"] for each in listed["items"]] == [sales]
    assert api("DELETE", "/v1/users/{user}", user=user).status == 409
    assert api("DELETE", "/v1/aliases/{alias}", alias=sales).status == 204

    assert api("PATCH", "/v1/domains/{domain}", {"catch_all": user}, domain="new.example").value["catch_all"] == user
    soon(site, "anybody@new.example", KNOWN)
    assert api("GET", "/v1/domains/{domain}", domain="new.example").value["catch_all"] == user
    assert api("GET", "/v1/users/{user}", user=user).value["aliases"] == []
    removed = api("DELETE", "/v1/users/{user}", user=user, query="?force=true").value
    assert "was not touched" in removed["notes"][0]
    soon(site, user, UNKNOWN)
    assert api("DELETE", "/v1/domains/{domain}", domain="new.example").value["name"] == "new.example"
    soon(site, user, FOREIGN)


def test_a_quota(site: Site, api: API) -> None:
    """Of a mailbox and of a domain; the next message is refused by it."""
    before = api("GET", "/v1/users/{user}/quota", user=ALICE).value
    assert (before["own"], before["octets_limit"]) == ({"octets": None, "messages": None}, None)
    with smtp_session(site, "mta", ALICE) as session:
        session.sendmail(ALICE, [ALICE], message(ALICE, b"one\r\n"))
    assert api("PATCH", "/v1/users/{user}/quota", {"messages": 1}, user=ALICE).value["messages_limit"] == 1
    soon(site, ALICE, "452 4.2.2")
    api("PATCH", "/v1/users/{user}/quota", {"messages": None}, user=ALICE)
    soon(site, ALICE, KNOWN)
    said = {"together": {"octets": 7}, "each": {"messages": 0}}
    assert api("PATCH", "/v1/domains/{domain}/quota", said, domain=DOMAIN).value == {
        "domain": DOMAIN, "together": {"octets": 7, "messages": None}, "each": {"octets": None, "messages": 0}
    }  # fmt: skip
    api("PATCH", "/v1/domains/{domain}/quota", {"together": {"octets": None}}, domain=DOMAIN)
    assert api("GET", "/v1/domains/{domain}/quota", domain=DOMAIN).value["together"]["octets"] is None
    assert api("PATCH", "/v1/domains/{domain}/quota", {}, domain=DOMAIN).status == 422
    assert api("PATCH", "/v1/users/{user}/quota", {}, user=ALICE).status == 422


def test_lists_of_quotas(site: Site, api: API) -> None:
    """Who has one of its own, a domain before its mailboxes; and what lies in each mailbox, counted anew if asked."""
    api("POST", "/v1/domains", {"name": "q.example"})
    user = "carl@q.example"
    api("POST", "/v1/users", {"address": user})
    api("PATCH", "/v1/users/{user}/quota", {"octets": 0}, user=user)
    api("PATCH", "/v1/domains/{domain}/quota", {"each": {"octets": 7}}, domain="q.example")
    nothing = {"octets": None, "messages": None}
    own = [
        {"whom": "q.example", **nothing, "each": {"octets": 7, "messages": None}},
        {"whom": user, "octets": 0, "messages": None, "each": None},
    ]
    assert api("GET", "/v1/quotas", query="?domain=q.example").value == {"items": own, "next": None}
    assert api("GET", "/v1/quotas", query="?limit=1&after=p.example").value == {"items": own[:1], "next": "q.example"}
    assert api("GET", "/v1/quotas", query="?limit=1&after=q.example").value["items"] == own[1:]
    assert json.loads(site.cli("quota", "list", "q.example", "--json").stdout) == own
    for query, names, more in (("limit=1", [user], user), (f"after={user}", ["postmaster@q.example"], None)):
        found = api("GET", "/v1/usage", query=f"?domain=q.example&{query}").value
        assert ([each["mailbox"] for each in found["items"]], found["next"]) == (names, more)
    (site.folder / "mail" / "q.example" / "carl" / "maildirsize").write_bytes(b"0S\n77 7\n")
    assert api("GET", "/v1/usage", query="?domain=q.example&limit=1").value["items"][0]["messages"] == 7
    assert api("POST", "/v1/users/{user}/quota/recalculate", user=user).value["messages"] == 0
    for path in ("/v1/usage", "/v1/quotas", "/v1/caps"):
        assert api("GET", path, query="?domain=nowhere.example").status == 404
    api("DELETE", "/v1/domains/{domain}", domain="q.example", query="?force=true")


def test_caps(site: Site, api: API) -> None:
    """Of a login and of a domain; what lets any number pass is shown as it is set, and taken off it is gone."""
    path, domain_path = "/v1/users/{user}/caps/{counted}/{span}", "/v1/domains/{domain}/caps/{counted}/{span}"
    cap = {"counted": "messages", "seconds": 3600, "most": 5}
    assert api("PUT", path, {"most": 5}, user=ALICE, counted="messages", span="hour").value == {
        "items": [{"by": ALICE, **cap}]
    }
    none = api("PUT", domain_path, {"most": None}, domain=DOMAIN, counted="recipients", span="day").value["items"]
    assert none == [{"by": DOMAIN, "counted": "recipients", "seconds": 86_400, "most": None}]
    assert [(each["by"], each["most"]) for each in api("GET", "/v1/users/{user}/caps", user=ALICE).value["items"]] == [
        (ALICE, 5), (f"all of {DOMAIN}", None)
    ]  # fmt: skip
    assert api("GET", "/v1/domains/{domain}/caps", domain=DOMAIN).value["items"] == none
    listed = api("GET", "/v1/caps", query=f"?domain={DOMAIN}").value["items"]
    assert [each["whom"] for each in listed] == [ALICE, DOMAIN]
    assert listed[0]["caps"] == [cap]
    assert json.loads(site.cli("cap", "list", DOMAIN, "--json").stdout) == listed
    part = api("GET", "/v1/caps", query="?limit=1").value
    assert ([each["whom"] for each in part["items"]], part["next"]) == ([ALICE], ALICE)
    for span in ("week", "hour"):
        assert api("PUT", path, {"most": 1}, user=DOMAIN, counted="messages", span=span).status == (
            404 if span == "week" else 422
        )
    assert api("DELETE", domain_path, domain=DOMAIN, counted="recipients", span="day").value["items"] == []
    assert api("DELETE", path, user=ALICE, counted="messages", span="hour").value["items"] == []


def test_a_user_who_leaves(site: Site, api: API) -> None:
    """Mail goes on until a day, and is refused then; unless the user stays."""
    user = f"gone@{DOMAIN}"
    api("POST", "/v1/users", {"address": user})
    said = {"until": 4_000_000_000, "targets": [ALICE]}
    left = api("PUT", "/v1/users/{user}/leave", said, user=user).value
    assert (left["leaves"], left["targets"]) == (4_000_000_000, [user, ALICE])
    soon(site, user, KNOWN)
    api("PUT", "/v1/users/{user}/leave", {"until": 1_000_000_000, "text": "Gone fishing"}, user=user)
    soon(site, user, "550 5.1.6")
    stays = api("DELETE", "/v1/users/{user}/leave", user=user).value
    assert (stays["leaves"], stays["targets"]) == (None, [user, ALICE])
    assert stays["notes"] == [
        f"Mail for {user} still goes to {ALICE}; that ends by: mailsuite alias remove {user}"
    ]
    soon(site, user, KNOWN)
    assert api("DELETE", "/v1/users/{user}/leave", user=user).status == 404
    for wrong in ({"until": 1, "text": "\n"}, {"until": 1 << 40}, {"until": 1, "targets": [f"none@{DOMAIN}"]}, {}):
        assert api("PUT", "/v1/users/{user}/leave", wrong, user=user).status == 422
    assert api("GET", "/v1/users/{user}", user=user).value["leaves"] is None
    api("DELETE", "/v1/users/{user}", user=user, query="?force=true")


def test_a_shared_mailbox(site: Site, api: API) -> None:
    """Several logins read it, until the last but its own is gone."""
    box, reader = f"info@{DOMAIN}", f"bob.info@{DOMAIN}"
    api("POST", "/v1/users", {"address": box, "password": secret(box)})
    new = {"login": reader, "password": secret(reader)}
    assert api("POST", "/v1/users/{user}/readers", new, user=box).status == 409
    alone = {"mailbox": box, "shared": False, "expire_hidden": None, "readers": [box]}
    assert api("GET", "/v1/users/{user}/sharing", user=box).value == alone
    with site_session(site, box):
        assert api("PUT", "/v1/users/{user}/sharing", {}, user=box).status == 409
    shared = api("PUT", "/v1/users/{user}/sharing", {"expire_hidden": 30}, user=box).value
    assert shared == {**alone, "shared": True, "expire_hidden": 30}
    assert api("POST", "/v1/users/{user}/readers", new, user=box).value["readers"] == [reader, box]
    assert api("POST", "/v1/users/{user}/readers", new, user=box).status == 409
    assert api("GET", "/v1/users/{user}", user=reader).value["reads"] == box
    until(lambda: not refused(site, reader, secret(reader)), 3, "the reader to be known")
    assert api("DELETE", "/v1/users/{user}/sharing", user=box).status == 409
    api("DELETE", "/v1/users/{user}", user=reader)
    assert api("DELETE", "/v1/users/{user}/sharing", user=box).value == alone
    api("DELETE", "/v1/users/{user}", user=box)


@contextmanager
def site_session(site: Site, user: str) -> Iterator[None]:
    """Be logged in by POP3."""
    session = until(lambda: logged_in(site, user), 3, "the user to be known")
    assert session is not None
    try:
        yield
    finally:
        session.quit()


def logged_in(site: Site, user: str) -> poplib.POP3 | None:
    """Return a session, if the user is known by now."""
    try:
        return pop3_session(site, user)
    except poplib.error_proto:
        return None


def refused(site: Site, user: str, password: str) -> bool:
    """Say whether the password is refused."""
    try:
        pop3_session(site, user, password=password).quit()
    except poplib.error_proto:
        return True
    return False


def test_lists_come_in_parts(api: API) -> None:
    """Each part begins where the one before ended, of domains, users and aliases alike."""
    for name in ("b.example", "a.example"):
        api("POST", "/v1/domains", {"name": name})
        for local in ("y", "x"):
            api("POST", "/v1/aliases", {"address": f"{local}@{name}", "targets": [ALICE]})
    for path, after, wanted, more in (
        ("/v1/domains", "", ["a.example", "b.example"], True),
        ("/v1/domains", "a.example", ["b.example", DOMAIN], False),
        ("/v1/users", "", [ALICE, "postmaster@a.example"], True),
        ("/v1/users", "postmaster@b.example", [f"postmaster@{DOMAIN}"], False),
        ("/v1/aliases", "", ["x@a.example", "y@a.example"], True),
        ("/v1/aliases", "y@a.example", ["x@b.example", "y@b.example"], False),
    ):
        found = api("GET", path, query=f"?limit=2&after={after}").value
        assert [each["name"] for each in found["items"]] == wanted
        assert found["next"] == (wanted[-1] if more else None)
    for name in ("b.example", "a.example"):
        api("DELETE", "/v1/domains/{domain}", domain=name, query="?force=true")


def test_a_ban(site: Site, api: API) -> None:
    """Whoever logs in by that name is kept out within a second, until the ban is lifted."""
    made = api("POST", "/v1/bans", {"subject": ALICE, "forever": True, "reason": "stolen"}).value
    assert (made["covers"], made["until"], made["by"], made["notes"]) == ("logins", None, "operator", [])
    until(lambda: refused(site, ALICE, secret(ALICE)), 3, "the ban")
    assert [each["subject"] for each in api("GET", "/v1/bans").value["items"]] == [ALICE]
    assert api("DELETE", "/v1/bans/{subject}", subject=ALICE).status == 204
    until(lambda: not refused(site, ALICE, secret(ALICE)), 3, "the end of the ban")
    mistyped = api("POST", "/v1/bans", {"subject": f"alcie@{DOMAIN}", "seconds": 60}).value
    assert "There is no login alcie@" in mistyped["notes"][0]
    api("POST", "/v1/bans", {"subject": "192.0.2.9/24", "seconds": 60})
    parts = [api("GET", "/v1/bans", query="?limit=1").value]
    parts.append(api("GET", "/v1/bans", query=f"?limit=1&after={parts[0]['next']}").value)
    subjects = [[each["subject"] for each in part["items"]] for part in parts]
    assert (subjects, parts[1]["next"]) == ([[f"alcie@{DOMAIN}"], ["192.0.2.0/24"]], None)
    assert api("DELETE", "/v1/bans/{subject}", subject="192.0.2.0/24").status == 204
    assert api("DELETE", "/v1/bans/{subject}", subject="192.0.2.0/24").status == 404


def test_the_queue(site: Site, api: API) -> None:
    """What waits is seen, held, released, tried and removed."""
    with smtp_session(site, "submission", ALICE) as session:
        session.sendmail(ALICE, ["a@far.example", "b@far.example"], message(ALICE, b"far\r\n"))

    def waiting() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = api("GET", "/v1/queue", query="?domain=far.example").value["items"]
        return items if [each["state"] for each in items] == ["waiting"] * 2 else []

    entry = until(waiting, what="the mail to wait")[0]
    counts = api("GET", "/v1/queue/summary").value
    assert (counts["items"][0]["recipients"], counts["next"]) == (2, None)
    assert api("GET", "/v1/queue/summary", query=f"?after=2+{counts['items'][0]['destination']}").value["items"] == []
    assert api("GET", "/v1/queue/summary", query="?after=far.example").status == 422
    found = api("GET", "/v1/queue/messages/{message}", message=entry["id"]).value["items"]
    assert [each["recipient"] for each in found] == ["a@far.example", "b@far.example"]
    assert api("GET", "/v1/queue/messages/{message}", message="none").status == 404
    parts = [api("GET", "/v1/queue", query="?limit=1").value]
    while parts[-1]["next"] is not None:
        parts.append(api("GET", "/v1/queue", query=f"?limit=1&after={parts[-1]['next']}").value)
    assert [[each["recipient"] for each in part["items"]] for part in parts] == [["a@far.example"], ["b@far.example"]]
    one = {"id": entry["id"], "recipient": "a@far.example"}
    assert api("POST", "/v1/queue/hold", one).value == {"changed": 1, "busy": 0, "unfit": 0}
    held = api("GET", "/v1/queue", query="?status=held").value["items"]
    assert [each["recipient"] for each in held] == ["a@far.example"]
    assert api("POST", "/v1/queue/retry", one).value["unfit"] == 1
    assert api("POST", "/v1/queue/release", one).value["changed"] == 1
    until(waiting, what="the mail to wait again")
    assert api("POST", "/v1/queue/bounce", one).value["changed"] == 1
    until(lambda: any(b"far.example" in each for each in fetch_all(site, ALICE)), what="the report")
    until(lambda: len(api("GET", "/v1/queue").value["items"]) == 1, what="what was reported to leave the queue")
    assert api("POST", "/v1/queue/remove", {"all": True}).value == {"changed": 1, "busy": 0, "unfit": 0}
    assert api("GET", "/v1/queue").value["items"] == []
    for vague in ({}, {"all": True, "id": "x"}, {"limit": 1}):
        assert api("POST", "/v1/queue/remove", vague).status == 422
    assert api("POST", "/v1/queue/remove", {"id": "x"}).status == 404


def test_holds(site: Site, api: API) -> None:
    """Destinations, by the names that they have in the queue, and the queue as a whole."""
    path = "/v1/queue/holds/destinations/{destination}"
    nothing = {"queue_held": False, "destinations": []}
    assert api("GET", "/v1/queue/holds").value == nothing
    held = api("PUT", path, destination="route:away").value
    assert (held["name"], held["held"]) == ("route:away", True)
    assert api("GET", "/v1/queue/holds").value["destinations"] == ["route:away"]
    assert "route:away" in site.cli("queue", "list").stderr
    assert api("DELETE", path, destination="route:away").value["held"] is False
    assert api("DELETE", path, destination="route:away").status == 404
    for name, why in (("far.example", "name route:away"), (DOMAIN, "mailboxes of ours"), ("a/b", "no destination")):
        refusal = api("PUT", path, destination=name)
        assert (refusal.status, why in refusal.value["detail"]) == (422, True)
    assert api("PUT", "/v1/queue/holds/queue").value["queue_held"]
    assert api("GET", "/v1/queue").value["queue_held"]
    assert api("DELETE", "/v1/queue/holds/queue").value == nothing


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/v1/domains", {"name": DOMAIN}, 409, "is here already"),
        ("POST", "/v1/domains", {"name": "no domain"}, 422, "no domain"),
        ("POST", "/v1/domains", {"nme": "x.example"}, 422, "nme"),
        ("POST", "/v1/domains", "{", 400, "truncated"),
        ("POST", "/v1/users", {"address": "a@far.example"}, 404, "no domain"),
        ("POST", "/v1/users", {"address": f"x@{DOMAIN}", "password": ""}, 422, "empty password"),
        ("POST", "/v1/aliases", {"address": f"x@{DOMAIN}", "targets": [f"y@{DOMAIN}"]}, 422, "no user or alias"),
        ("POST", "/v1/bans", {"subject": "nobody"}, 422, "nothing that can be banned"),
        ("POST", "/v1/bans", {"subject": "0.0.0.0/0"}, 422, "a great part of the world"),
        ("GET", "/v1/queue", None, 200, "items"),
    ],
)
def test_what_is_refused(
    api: API, method: str, path: str, body: object, status: int, said: str
) -> None:
    """With the text that the command prints, as problem details (RFC 9457)."""
    answer = api(method, path, body)

    assert answer.status == status, answer.body
    assert said in (answer.body if status == 200 else answer.value["detail"])


def test_paths_and_queries(api: API) -> None:
    """What is nowhere, not so, given twice, or not text; a slash too many leads nowhere else."""
    for path, method, status in (
        ("/", "GET", 404), ("/v1//domains", "GET", 404), ("/v1/domains/", "GET", 404), ("/v1/%ff", "GET", 400),
        ("/v1/domains", "PUT", 405), ("/v1/domains?limit=0", "GET", 422), ("/v1/domains?limit=1001", "GET", 422),
        ("/v1/domains?limit=2&limit=2", "GET", 422), ("/v1/domains?x=1", "GET", 422),
        ("/v1/users?after=%ff", "GET", 422), ("/v1/users?after=%00", "GET", 422),
        ("/v1/users?after=%f0%9f%91%bb", "GET", 200), ("/v1/users/%00", "GET", 422),
        (f"/v1/users/{ALICE}/app-passwords/%00", "DELETE", 404),
        ("/v1/domains?limit=1000", "GET", 200), ("/v1/domains", "HEAD", 200),
    ):  # fmt: skip
        shown = ["-I"] if method == "HEAD" else ["-X", method]
        assert api.curl(*shown, api.url + path, token=api.token).status == status, path
    assert "Allow: GET, HEAD, POST" in api.curl("-X", "PUT", api.url + "/v1/domains", token=api.token).head
    body = ["-d", '{"name": "x.example"}']
    assert api.curl(api.url + "/v1/domains", *body, token=api.token).status == 415


def test_changes_at_the_same_time(site: Site, api: API) -> None:
    """Of many of the same kind one is done and the others are told so; of those of different kinds all are done."""
    user = f"many@{DOMAIN}"

    def asked(method: str, path: str, body: object = None) -> int:
        connection = HTTPConnection("127.0.0.1", site.ports["admin"], timeout=60)
        head = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), head)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status != 500
        assert answer.status == 204 or json.loads(said)
        return answer.status

    with ThreadPoolExecutor(12) as clients:

        def all_of(*requests: tuple[Any, ...]) -> list[int]:
            return sorted(each.result() for each in [clients.submit(asked, *request) for request in requests])

        assert all_of(*[("POST", "/v1/users", {"address": user})] * 12) == [201] + [409] * 11
        path = f"/v1/users/{user}"
        for number in range(1, 6):
            assert all_of(
                ("PATCH", f"{path}/quota", {"octets": number}), ("PATCH", f"{path}/quota", {"messages": number}),
                ("PATCH", path, {"frozen": True}), ("PATCH", path, {"must_change": True}),
                *(("PUT", f"{path}/caps/{each}", {"most": number}) for each in ("messages/hour", "recipients/day")),
                *(("POST", "/v1/aliases", {"address": user, "targets": [user, each]}) for each in
                  (f"{number}a@far.example", f"{number}b@far.example")),
            ) == [200] * 6 + [201] * 2  # fmt: skip
            own = api("GET", "/v1/users/{user}/quota", user=user).value["own"]
            assert own == {"octets": number, "messages": number}
        found = api("GET", "/v1/users/{user}", user=user).value
        assert (found["frozen"], found["must_change"], len(found["targets"])) == (True, True, 11)
        assert [each["most"] for each in api("GET", "/v1/users/{user}/caps", user=user).value["items"]] == [5, 5]
        gone = all_of(*[("DELETE", f"/v1/aliases/{user}")] * 6, *[("DELETE", f"{path}?force=true")] * 6)
        assert set(gone) <= {200, 204, 404}
        assert gone.count(200) == 1
        assert all_of(*[("DELETE", f"/v1/domains/{DOMAIN}/x")] * 2) == [404] * 2


def test_requests_in_one_write(site: Site, api: API) -> None:
    """They are answered in their order, each whole, also where one of them changes what the next one shows."""
    host, port = "127.0.0.1", site.ports["admin"]
    head = f"Host: x\r\nAuthorization: Bearer {api.token}\r\n"
    body = json.dumps({"name": "line.example"})
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    posted = f"POST /v1/domains HTTP/1.1\r\n{head}{kind}"
    path = "/v1/domains/line.example"
    said = f"GET {path} HTTP/1.1\r\n{head}\r\n{posted}{body}GET {path} HTTP/1.1\r\n{head}\r\n" * 2
    last = f"DELETE {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
    with socket.create_connection((host, port), 60) as connection:
        connection.sendall((said + last + last).encode())
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"404", b"201", b"200", b"200", b"409", b"200", b"200"]


def test_another_protocol(site: Site, api: API) -> None:
    """HTTP where TLS is expected, and TLS where HTTP is: the connection ends, and the server goes on."""
    for port, said in (
        (site.ports["admins"], b"GET /v1/users HTTP/1.1\r\nHost: x\r\n\r\n"),
        (site.ports["admin"], b"\x16\x03\x01\x00\x05hello\r\n\r\n"),
        (site.ports["admin"], b"EHLO client.example\r\n"),
    ):
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(said)
            with suppress(ConnectionResetError):
                assert b"200" not in b"".join(iter(lambda: connection.recv(65_536), b""))
    assert api("GET", "/v1/users").status == 200
    url = f"https://{HOSTNAME}:{site.ports['admins']}/v1/users"
    shown = ["--cacert", str(site.certificate), "--resolve", f"{HOSTNAME}:{site.ports['admins']}:127.0.0.1"]
    assert api.curl(*shown, url, token=api.token).status == 200


def test_tokens(site: Site, api: API) -> None:
    """None, a wrong one, one for reading, one that was taken back: each is told what it is, and written down."""
    assert "WWW-Authenticate: Bearer" in api.curl(api.url + "/v1/users").head
    assert api("GET", "/v1/users", token="billing~wrong").status == 401
    reader = site.cli("token", "add", "looker", "--scope", "read").stdout.strip()
    assert api("GET", "/v1/domains", token=reader).status == 200
    assert api("POST", "/v1/domains", {"name": "y.example"}, token=reader).status == 403
    listed = json.loads(site.cli("token", "list", "--json").stdout)
    assert [(each["label"], each["scope"], each["last_used"] is None) for each in listed] == [
        ("billing", "write", False), ("looker", "read", False)
    ]  # fmt: skip
    site.cli("token", "remove", "looker")
    assert api("GET", "/v1/domains", token=reader).status == 401

    log = site.mail_log
    assert 'admin peer=127.0.0.1 method=GET path=/v1/users status=401 refused="wrong token"' in log
    assert 'token=looker method=POST path=/v1/domains status=403 refused="read-only token"' in log
    for text in (reader, api.token, "hush-"):
        assert text not in log + site.log


def test_the_document(site: Site, api: API) -> None:
    """Its commands do what it says, in its order."""
    environment = {**os.environ, "TOKEN": api.token}
    for arguments in commands("docs/admin-api.rst", "curl"):
        line = shlex.join(["curl", *arguments]).replace("http://127.0.0.1:8025", api.url)
        line = line.replace("'Authorization: Bearer $TOKEN'", '"Authorization: Bearer $TOKEN"')
        done = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    for arguments in commands("docs/admin-api.rst", "mailsuite"):
        if arguments[:3] != ["token", "add", "billing"]:
            site.cli(*arguments[: arguments.index("--config")])


def test_every_route_was_used(api: API) -> None:
    """By the tests above: so every answer that there is was held to its description."""
    described = {(route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)) for route in ROUTES}

    assert api.used == described


def test_guessing(site: Site, api: API) -> None:
    """Who shows wrong tokens for long is kept out for a time, with a right one too; last of all, since that is us."""
    answers = [api.curl(api.url + "/v1/users", token="billing~wrong").status for _ in range(GUESSES + 1)]

    assert (answers[0], answers[-1]) == (401, 429)
    assert api("GET", "/v1/users").status == 429
    # The file is written beside the work.
    until(lambda: "127.0.0.1" in site.cli("bans", "list").stdout, what="the ban to be in the file")
