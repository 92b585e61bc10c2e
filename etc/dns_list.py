"""Refuses mail from hosts that a list in the DNS has (RFC 5782): all of a check of one's own."""

from twisted.internet.error import DNSLookupError
from zope.interface import implementer

from mailsuite.interfaces import IPolicyCheck
from mailsuite.smtp.replies import Reply
from mailsuite.smtp.verdict import Verdict

LISTED = Reply(550, "5.7.1", "Your host is on a list of those that send spam")


@implementer(IPolicyCheck)
class DNSList:
    name = "list in the DNS"

    def __init__(self, zone, resolve):
        self.zone, self.resolve = zone, resolve

    def judge(self, case):
        if case.login is not None or case.peer.address is None:
            return Verdict(None, "no list is asked about this peer")
        return self.ask(case.peer.address.reverse_pointer.rsplit(".", 2)[0])

    async def ask(self, reversed_address):
        try:
            await self.resolve(f"{reversed_address}.{self.zone}")
        except DNSLookupError:
            return Verdict(None, f"the peer is not in {self.zone}")
        return Verdict(LISTED, f"the peer is in {self.zone}")


def make(options, reactor):
    return DNSList(options, reactor.resolve)
