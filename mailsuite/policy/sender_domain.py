"""Puts off, or refuses, mail from senders whom no report would reach: DNS has no place for them (RFC 2505 §2.9).

A domain of ours is never one of them (§2.6.2), nor is the null sender; where DNS does not answer, mail is put off.
"""

from collections.abc import Callable

from zope.interface import implementer

from mailsuite.case import Case
from mailsuite.dns import DnsTrouble, NoSuchDomain
from mailsuite.envelope import Peer
from mailsuite.interfaces import IMailboxDirectory, IPolicyCheck, IResolver
from mailsuite.maybe import Maybe, value_of
from mailsuite.meaning import Foreign
from mailsuite.policy.denials import REACHED, is_always_reached
from mailsuite.smtp import replies
from mailsuite.smtp.verdict import Verdict

RULE = "smtp.verify_sender"

_NOT_ASKED = Verdict(None, "nothing has to be asked about the sender")
_THERE = Verdict(None, "DNS has hosts for the sender's domain")
_OURS = Verdict(None, "the sender's domain is ours")


@implementer(IPolicyCheck)
class SenderDomain:
    """See the module. *rejects*: what DNS denies is refused for good; else it is put off, as it may be of today alone.

    No host of an exchanger is looked up: that there are some is enough. Nothing is asked of *exempt* peers.
    """

    name = "sender's domain"

    def __init__(
        self, resolver: IResolver, directory: IMailboxDirectory, rejects: bool, exempt: Callable[[Peer], bool]
    ) -> None:
        self._resolver = resolver
        self._directory = directory
        self._exempt = exempt
        self._nowhere = replies.SENDER_NOT_IN_DNS if rejects else replies.SENDER_NOT_IN_DNS_NOW
        self._null_mx = replies.SENDER_TAKES_NO_MAIL if rejects else replies.SENDER_NOT_IN_DNS_NOW

    def judge(self, case: Case) -> Maybe[Verdict]:
        """See `IPolicyCheck.judge`."""
        domain = "" if case.sender is None else case.sender.domain
        if not domain or domain.startswith("[") or case.login is not None or self._exempt(case.peer):
            return _NOT_ASKED
        return REACHED if is_always_reached(case) else self._look(case, domain)

    async def _look(self, case: Case, domain: str) -> Verdict:
        try:
            found = await self._resolver.mx(domain)
            if any(record.host for record in found.records):
                return _THERE
            if found.records:
                # RFC 7505 §4.2
                return await self._denied(case, Verdict(self._null_mx, f"{domain} takes no mail (null MX)", RULE))
            if (await self._resolver.addresses(domain)).records:
                return _THERE
            return await self._denied(case, Verdict(self._nowhere, f"{domain} has no hosts in DNS", RULE))
        except NoSuchDomain as error:
            return await self._denied(case, Verdict(self._nowhere, f"the domain {error}", RULE))
        except DnsTrouble as error:
            return await self._denied(case, Verdict(replies.SENDER_UNKNOWN_NOW, str(error), RULE))

    async def _denied(self, case: Case, verdict: Verdict) -> Verdict:
        assert case.sender is not None
        meaning = await value_of(self._directory.find(case.sender))
        return verdict if isinstance(meaning, Foreign) else _OURS
