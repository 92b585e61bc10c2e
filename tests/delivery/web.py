"""The verified double of a web client: it has the documents that it was given."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailsuite.interfaces import IWebClient
from mailsuite.route import CannotConnect


@implementer(IWebClient)
class FixedWeb:
    """Answers from *documents*, by URL; *pending*, if set, is waited for first. *asked* holds what was asked for."""

    def __init__(self, documents: dict[str, tuple[str, bytes]] | None = None) -> None:
        self.documents = dict(documents or {})
        self.pending: Deferred[None] | None = None
        self.asked: list[tuple[str, int]] = []
        self.posted: list[tuple[dict[str, str], tuple[str, str] | None]] = []

    async def post(
        self, url: str, form: Mapping[str, str], limit: int, login: tuple[str, str] | None = None
    ) -> tuple[str, bytes]:
        self.posted.append((dict(form), login))
        return await self.get(url, limit)

    async def get(self, url: str, limit: int) -> tuple[str, bytes]:
        self.asked.append((url, limit))
        if self.pending is not None:
            await self.pending
        if url not in self.documents:
            raise CannotConnect(f"{url}: 404 Not Found")
        kind, body = self.documents[url]
        if len(body) > limit:
            raise CannotConnect(f"{url}: more than {limit} octets")
        return kind, body
