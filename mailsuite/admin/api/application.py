"""Serves the routes: `klein` finds the one that is meant, once it is known whose token the request has.

What is done is done in a thread. A client that goes away does not end what it has begun, and the mail log tells of it.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, TypeVar, cast

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mailsuite.admin.api import aliases, app_passwords, bans, caps, domains, queue, quotas, sharing, users
from mailsuite.admin.api.caller import admit, peer_of, token_of
from mailsuite.admin.api.problems import UNAVAILABLE, UNFIT, Problem, problem
from mailsuite.admin.api.route import Answer, Asked, Route, decoded, told
from mailsuite.admin.site import Site
from mailsuite.admin.tokens import Token, TokenFolder
from mailsuite.interfaces import IGuessingLimit, IMailLog

T = TypeVar("T")

ROUTES: tuple[Route, ...] = (
    *domains.ROUTES, *users.ROUTES, *app_passwords.ROUTES, *sharing.ROUTES, *quotas.ROUTES, *caps.ROUTES,
    *aliases.ROUTES, *bans.ROUTES, *queue.ROUTES,
)  # fmt: skip
# So long a client waits for an answer; what it has asked for goes on all the same.
WORK_SECONDS = 60.0
JSON = "application/json"
_log = Logger()


class Run(Protocol):
    """Runs work in a thread, whoever waits for it. Raises a `CannotJudge` at once where too many wait."""

    def __call__(self, work: Callable[[], T]) -> Deferred[T]:
        """Return what *work* returns, later."""


class Application:
    """The API of *site* as a web resource. *now* gives POSIX seconds."""

    def __init__(
        self,
        site: Site,
        tokens: TokenFolder,
        guessing: IGuessingLimit,
        log: IMailLog,
        run: Run,
        now: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        self._site = site
        self._tokens = tokens
        self._guessing = guessing
        self._mail_log = log
        self._run = run
        self._now = now
        self._clock = clock
        self.klein = Klein()
        # A path with two slashes is none of ours, and leads nowhere else.
        self.klein.url_map.merge_slashes = False
        for route in ROUTES:
            self._add(route)
        self.klein.handle_errors(HTTPException)(cast(Any, self._not_found))
        self.resource: IResource = _Guarded(self._admit, cast(IResource, self.klein.resource()))

    def _add(self, route: Route) -> None:
        async def serve(request: Request, **path: str) -> bytes:
            return await self._serve(route, request, path)

        name = f"{route.method} {route.path}"
        self.klein.route(route.path, methods=[route.method], endpoint=name)(serve)

    async def _admit(self, request: Request) -> Problem | None:
        """Find out whose token the request has; return what is said where it is nobody's."""
        peer = peer_of(request)
        try:
            admitted = self._guessing.admit(peer, "")
            if not (await admitted if isinstance(admitted, Awaitable) else admitted):
                self._record(request, None, 429, "too many wrong tokens")
                return Problem(429, "too many wrong tokens came from there; wait, or see mailsuite bans list")
            said = _header(request, b"authorization")
            scheme, _, text = said.partition(" ")
            token = None
            if scheme.lower() == "bearer":
                token = await self._bounded(self._run(partial(self._tokens.find, text.strip(), self._now())))
        except Exception as error:
            # Nothing is known about the token.
            self._guessing.succeeded(peer, "", "")
            return _problem(error)
        if token is None:
            # Who shows none at all guesses at nothing.
            if said:
                self._guessing.failed(peer, "")
            else:
                self._guessing.succeeded(peer, "", "")
            self._record(request, None, 401, "wrong token" if said else "no token")
            why = "invalid_token" if said else ""
            return _denied(401, "expected Authorization: Bearer TOKEN, as mailsuite token add has made one", why)
        self._guessing.succeeded(peer, "", "")
        if token.scope == "read" and request.method not in (b"GET", b"HEAD"):
            self._record(request, token, 403, "read-only token")
            words = f"the token {token.label} is for reading: make one with --scope write"
            return _denied(403, words, "insufficient_scope")
        admit(request, token)
        return None

    async def _serve(self, route: Route, request: Request, path: dict[str, str]) -> bytes:
        try:
            asked = self._asked(route, request, path)
            working = self._run(partial(route.work, self._site, asked))
            # Whoever still waits for it then: it is written down when it is done.
            ended: Deferred[Answer | Problem] = working.addBoth(partial(self._ended, route, request, asked))
            answer = await self._bounded(ended)
        except Exception as error:
            answer = _problem(error)
        return _written(request, answer)

    def _ended(
        self, route: Route, request: Request, asked: Asked, result: Answer | Failure
    ) -> Answer | Problem:
        answer = _problem(result.value) if isinstance(result, Failure) else result
        if route.changes:
            refused = answer.detail if isinstance(answer, Problem) else None
            self._record(request, token_of(request), int(answer.status), refused, told(asked.body))
        return answer

    def _asked(self, route: Route, request: Request, path: dict[str, str]) -> Asked:
        """Return what *request* asks for. Raises `Problem` or what msgspec raises."""
        body = request.content.read() if request.content is not None else b""
        kind = _header(request, b"content-type").partition(";")[0].strip().lower()
        if body and kind != JSON:
            raise Problem(415, f"expected a body of Content-Type: {JSON}")
        return Asked(path, _query(route, request), decoded(route.body, body), self._now())

    def _bounded(self, work: Deferred[T]) -> Deferred[T]:
        """Return what *work* gives, to somebody who may go away before it does."""

        def out_of_time(result: object, seconds: float) -> Failure:
            return Failure(Problem(UNAVAILABLE, f"this takes more than {seconds:.0f} s; it goes on, look again later"))

        return shielded(work).addTimeout(WORK_SECONDS, self._clock, out_of_time)

    def _record(
        self, request: Request, token: Token | None, status: int, refused: str | None, asked: str = ""
    ) -> None:
        peer = peer_of(request)
        self._mail_log.record("admin", {
            "peer": peer.host,
            "via": peer.via or None,
            "token": token and token.label,
            "method": request.method.decode("latin-1"),
            # What stands behind a question mark could be anything.
            "path": request.path.decode("latin-1"),
            "asked": asked or None,
            "status": status,
            "refused": refused,
        })  # fmt: skip

    def _not_found(self, request: Request, failure: Failure) -> bytes:
        error = cast(HTTPException, failure.value)
        if isinstance(error, MethodNotAllowed):
            allowed = ", ".join(sorted(error.valid_methods or ()))
            return _written(request, Problem(405, f"allowed there: {allowed}", {"Allow": allowed}))
        return _written(request, Problem(404, "there is nothing at that path; docs/admin-api.rst has what there is"))


class _Guarded(Resource):
    """Lets a request pass to *resource* that *admit* has no objection to."""

    isLeaf = True

    def __init__(self, admit: Callable[[Request], Awaitable[Problem | None]], resource: IResource) -> None:
        super().__init__()
        self._admit = admit
        self._resource = resource

    def render(self, request: Any) -> int:
        """See `Resource.render`."""
        judging = Deferred.fromCoroutine(self._judge(request))
        request.notifyFinish().addErrback(lambda _: judging.cancel())
        judging.addErrback(lambda failure: failure.trap(CancelledError) and None)
        return NOT_DONE_YET

    async def _judge(self, request: Any) -> None:
        refused = await self._admit(request)
        try:
            request.getRequestHostname().decode()
            b"/".join(request.postpath).decode()
        except UnicodeDecodeError:
            refused = refused or Problem(400, "the path, or the host, is not UTF-8")
        if refused is None:
            self._resource.render(request)
            return
        request.write(_written(request, refused))
        request.finish()


def _header(request: Request, name: bytes) -> str:
    """Return what *request* says as *name*, whatever octets these are."""
    return (request.getHeader(name) or b"").decode("latin-1")


def _query(route: Route, request: Request) -> Any:
    """Return the query of *request* as the route has it. Raises `Problem` or `msgspec.ValidationError`."""
    given: dict[str, str] = {}
    try:
        for name, values in (request.args or {}).items():
            (given[name.decode()],) = (value.decode() for value in values)
    except ValueError:
        raise Problem(UNFIT, "each name in the query may stand once, in UTF-8") from None
    found = msgspec.convert(given, route.query, strict=False)
    for name in given:
        # Texts are taken for what they say, and "null" says None.
        if getattr(found, name) is None:
            raise Problem(UNFIT, f"{name} has no value: leave it out")
    return found


def _denied(status: int, detail: str, error: str) -> Problem:
    """Return what RFC 6750 §3 has a client told."""
    said = f', error="{error}"' if error else ""
    return Problem(status, detail, {"WWW-Authenticate": f'Bearer realm="mailsuite"{said}'})


def _problem(error: BaseException | None) -> Problem:
    found = problem(error) if isinstance(error, Exception) else None
    if found is None:
        _log.failure("A request to the admin API failed", Failure(error))
        return Problem(500, "that failed for a reason that the server's log tells")
    return found


def _written(request: Request, answer: Answer | Problem) -> bytes:
    """Set what stands in the header, and return the body."""
    status = HTTPStatus(answer.status)
    request.setResponseCode(status.value, status.phrase.encode())
    request.setHeader("server", "mailsuite")
    request.setHeader("cache-control", "no-store")
    if isinstance(answer, Problem):
        request.setHeader("content-type", "application/problem+json")
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        body = answer.body()
    elif answer.value is None:
        return b""
    else:
        request.setHeader("content-type", JSON)
        body = msgspec.json.encode(answer.value)
    request.setHeader("content-length", str(len(body)))
    return body


def shielded(work: Deferred[T]) -> Deferred[T]:
    """Return what *work* gives, to somebody who may go away: that does not end the work."""
    seen: Deferred[T] = Deferred()

    def done(result: Any) -> None:
        if not seen.called:
            seen.callback(result)

    work.addBoth(done)
    return seen
