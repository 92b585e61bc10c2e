"""The PROXY header: a cut changes nothing, and what is said of a client is an address, or nothing."""

from collections.abc import Iterable
from ipaddress import ip_address

from mailsuite.wire.proxy import HEADER_OCTETS, BadHeader, Client, HeaderReader
from tests.fuzz.target import Target, choose, pieces


def run(data: bytes) -> None:
    """The first octet says how the rest is cut."""
    text = data[1:]
    found = read([text])

    assert found == read(pieces(text, choose(data, 0, range(1, 17))))
    if not isinstance(found, tuple):
        return
    client, rest = found
    assert text.endswith(rest) and len(text) - len(rest) <= HEADER_OCTETS
    assert 0 <= client.port <= 65_535
    if client.host not in ("", "unix"):
        assert str(ip_address(client.host)) == client.host


def read(segments: Iterable[bytes]) -> tuple[Client, bytes] | str | None:
    """Return the client and what comes behind the header, why there is none, or ``None``: it is not whole."""
    reader, found, rest = HeaderReader(), None, b""
    for segment in segments:
        if found is not None:
            rest += segment
            continue
        try:
            found = reader.receive(segment)
        except BadHeader:
            return "bad"
        rest = reader.rest if found is not None else b""
    return None if found is None else (found, rest)


PART = Target("proxy", run)
