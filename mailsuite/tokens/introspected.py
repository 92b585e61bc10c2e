"""Tokens that say nothing to us: their issuer is asked (RFC 7662), and its answer kept for a little while."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from mailsuite.interfaces import ITokens, IWebClient
from mailsuite.meaning import CannotJudge
from mailsuite.route import CannotConnect
from mailsuite.tokens.rules import Rules, seconds

# Answers that are kept, how long, and how large one may be. A token that was taken back is good here for so long.
ANSWERS = 10_000
KEEP_SECONDS = 60.0
ANSWER_OCTETS = 65_536
# Questions under way; one more is put off.
AT_ONCE = 50


class CannotAsk(CannotJudge):
    """The issuer cannot be asked now: nothing is known about the token."""


@implementer(ITokens)
class IntrospectedTokens:
    """Asks at *url*, as the client *login* (name and password); *now* gives POSIX seconds."""

    def __init__(
        self, rules: Rules, url: str, login: tuple[str, str] | None, web: IWebClient, now: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._url = url
        self._login = login
        self._web = web
        self._now = now
        self._asking = 0
        # By the token's hash: until when the answer is good, and what it says.
        self._answers: OrderedDict[bytes, tuple[float, str | None]] = OrderedDict()

    async def owner(self, token: str) -> str | None:
        """See `ITokens.owner`. Raises `CannotAsk`."""
        key = hashlib.sha256(token.encode()).digest()
        until, name = self._answers.get(key, (0.0, None))
        now = self._now()
        # A clock that was set back must not keep old answers alive.
        if now < until <= now + KEEP_SECONDS:
            self._answers.move_to_end(key)
            return name
        claims = await self._ask(token)
        now = self._now()
        name = None
        until = now + KEEP_SECONDS
        # RFC 7662 §2.2: of a token that is not active nothing else is said.
        if claims.get("active") is True:
            name = self._rules.owner(claims, now)
            until = min(until, seconds(claims.get("exp")) or until)
        self._answers[key] = (until, name)
        self._answers.move_to_end(key)
        if len(self._answers) > ANSWERS:
            self._answers.popitem(last=False)
        return name

    async def _ask(self, token: str) -> dict[str, Any]:
        if self._asking >= AT_ONCE:
            raise CannotAsk(f"{self._asking} questions about tokens are under way")
        self._asking += 1
        try:
            form = {"token": token, "token_type_hint": "access_token"}
            _, body = await self._web.post(self._url, form, ANSWER_OCTETS, self._login)
        except CannotConnect as error:
            raise CannotAsk(str(error)) from error
        finally:
            self._asking -= 1
        try:
            said = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise CannotAsk("the issuer's answer about a token is no JSON") from error
        if not isinstance(said, dict):
            raise CannotAsk("the issuer's answer about a token is none")
        return said
