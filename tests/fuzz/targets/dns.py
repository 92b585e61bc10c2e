"""DNS: names that people write, and messages that servers send."""

from mailsuite.dns import DnsTrouble, NoSuchDomain
from mailsuite.transport.dns import records
from mailsuite.transport.dns.answers import belongs, interpret
from mailsuite.transport.dns.names import name_of, reverse_name, shown
from mailsuite.transport.dns.records import Question
from mailsuite.transport.dns.wire import Malformed, read
from tests.fuzz.target import Target

NAME = name_of("a.example")
TYPES = [
    records.A_RECORDS,
    records.AAAA_RECORDS,
    records.MX_RECORDS,
    records.TXT_RECORDS,
    records.TLSA_RECORDS,
    records.PTR_RECORDS,
]


def run(data: bytes) -> None:
    """The octets are a name, and a message."""
    _name(data.decode("utf-8", "replace"))
    try:
        message = read(data)
    except Malformed:
        return
    for kind in TYPES:
        question: Question[object] = Question(NAME, kind)
        belongs(message, 0x4040, question)
        try:
            answer = interpret(message, question, True)
        except DnsTrouble:
            continue
        assert answer.seconds >= 0
        assert answer.name.isascii() and answer.name.isprintable()


def _name(text: str) -> None:
    try:
        name = name_of(text)
    except NoSuchDomain:
        pass
    else:
        assert shown(name).isascii() and shown(name).isprintable()
    try:
        reverse_name(text)
    except NoSuchDomain:
        pass


PART = Target("dns", run)
