"""Paths, parameters, hosts: what is read is one thing, and is written as it can be read again."""

from mailsuite.directory.errors import BadName
from mailsuite.directory.spelling import login_name, parse_domain, parse_written
from mailsuite.smtp.grammar import TooLong, is_host, is_literal, mailbox, parameters, split_path, xtext
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Every rule reads the same text."""
    text = data.decode("utf-8", "replace")
    _path(text)
    try:
        found = list(parameters(text))
    except ValueError:
        pass
    else:
        for keyword, value in found:
            assert keyword == keyword.upper() and " " not in keyword
            assert value is None or (value.isascii() and " " not in value)
    try:
        xtext(text)
    except ValueError:
        pass
    is_host(text)
    is_literal(text)
    _typed(text)


def _path(text: str) -> None:
    for keyword in ("FROM", "TO"):
        parted = split_path(text, keyword)
        path = text if parted is None else parted[0]
        try:
            address = mailbox(path, 256, 64, 255)
        except TooLong:
            continue
        if address is not None:
            # RFC 5321 §2.3.11: the meaning is the same however it is quoted.
            assert mailbox(f"<{address}>", 1024, 200, 255) == address
            assert f"{address}".isprintable() and "\r" not in f"{address}"


def _typed(text: str) -> None:
    try:
        parse_domain(text)
    except BadName:
        pass
    try:
        address = parse_written(text)
    except BadName:
        assert login_name(text) is None
    else:
        assert parse_written(str(address)) == address
        assert address.local.isprintable()


PART = Target("grammar", run)
