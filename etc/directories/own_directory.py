"""Everybody in a dictionary: the least that a back end of one's own has to be."""

from mailsuite.address import Address
from mailsuite.directory.backend import Backend
from mailsuite.directory.records import AddressRecord, Credential, DomainRecord, LoginRecord
from mailsuite.meaning import Login, Mailbox

HASH = "{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA=="
BOXES = {"alice": Mailbox(1, "example.org/alice"), "postmaster": Mailbox(2, "example.org/postmaster")}


class OwnBackend(Backend):
    def domain(self, name):
        return DomainRecord("example.org", catch_all=None) if name == "example.org" else None

    def address(self, local, domain):
        if (local, domain) == ("press", "example.org"):
            return AddressRecord(3, None, False, (Address("alice", "example.org"), Address("agency", "example.com")))
        box = BOXES.get(local) if domain == "example.org" else None
        return None if box is None else AddressRecord(box.id, box, suspended=False, targets=())

    def login(self, name):
        local, _, domain = name.rpartition("@")
        box = BOXES.get(local) if domain == "example.org" else None
        return None if box is None else LoginRecord(Login(box.id, name, box), False, (Credential(box.id, "", HASH),))


def make(options, reactor):
    return OwnBackend()
