"""Reports: whatever a message, an address or an answer holds, every reader understands the report in one way."""

from dataclasses import replace

from mailsuite.address import Address
from mailsuite.message.report import Returned, build
from mailsuite.message.report_fields import Fate
from mailsuite.outcome import Answer, Failed
from tests.fuzz.target import Target, choose
from tests.message.dsn import check
from tests.message.test_report import BOUNDARY, NOW, report


def run(data: bytes) -> None:
    """The first octet says whether the message is whole; then, parted by NUL, texts for fields, and the message."""
    envid, local, said, original = [*data[1:].split(b"\0", 3), *[b""] * 4][:4]
    answer = Answer("mx.else.example", 550, "5.1.1", (said.decode("latin-1"),))
    outcome = Failed("5.1.1", f"mx.else.example said {said.decode('utf-8', 'replace')}", answer)
    recipient = Address(local.decode("utf-8", "replace"), "else.example")
    fate = Fate(recipient, "failed", outcome, f"rfc822;{local.decode('latin-1')}", NOW)
    returned = Returned(original, choose(data, 0, [True, False]))
    made = report(fate, envid=envid.decode("utf-8", "replace"), returned=returned)

    check(build(made))
    check(build(replace(made, boundary=BOUNDARY[:1])))


PART = Target("report", run)
