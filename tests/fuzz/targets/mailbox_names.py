"""Names of files that other programs write into a Maildir, and the lists of unique ids that other servers leave."""

import re
from collections.abc import Callable, Iterable

from mailsuite.mailbox import names
from mailsuite.mailbox.layout import modified_utf7
from mailsuite.mailbox.uidl_sources import BadSource, Pair, courier, dovecot, header_id, plain
from tests.fuzz.target import Target

READERS: tuple[Callable[[Iterable[bytes]], Iterable[Pair]], ...] = (dovecot, courier, plain)
FORMATS = ("%u", "%08Xu%08Xv", "%f", "%Mf")


def run(data: bytes) -> None:
    """The octets are a name, a list, and the beginning of a message."""
    _name(data)
    lines = data.splitlines(keepends=True)
    for reader in READERS:
        _pairs(reader(lines))
    for form in (*FORMATS, data.decode("utf-8", "replace")[:40]):
        _pairs(dovecot([b"3 V1 N2\n", *lines], form))
    _header_id(data)
    folder = modified_utf7(data.decode("utf-8", "replace").replace("\0", ""))
    assert folder.isascii()


def _name(name: bytes) -> None:
    said = names.sizes(name)
    ours = names.our_size(name)
    assert said.ours == (ours is not None)
    assert not said.ours or said.wire == ours
    base = names.base(name)
    assert name.startswith(base) and not {b",", b":"} & {base[at : at + 1] for at in range(len(base))}
    assert names.is_fit(names.hashed(name).encode())
    assert names.order(name).endswith(name)


def _header_id(data: bytes) -> None:
    found = header_id(data)
    if found is None:
        return
    # Fit or not, it is what stands in one line, without the blanks around it; whoever takes it asks whether it is fit.
    assert found and b"\n" not in found and found == found.strip(b" \t")
    assert re.search(rb"^x-uidl:[ \t]*" + re.escape(found), data, re.M | re.I)
    assert not names.is_fit(found) or found.split() == [found]


def _pairs(pairs: Iterable[Pair]) -> None:
    try:
        for name, unique_id in pairs:
            # A name and an id of one line: neither brings another line in.
            assert b"\n" not in name + unique_id
            assert len(unique_id) < 100_000
    except BadSource as error:
        assert str(error)


PART = Target("mailbox_names", run)
