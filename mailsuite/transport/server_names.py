"""Which certificate a client is shown: by the name of the server that it asks for (SNI, RFC 6066 §3)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mailsuite.address import domain_key
from mailsuite.certificates import Pair


class ServerNames:
    """The pairs of a site by name: *default* for all that no name leads to, *named* each with its names.

    A whole name comes before a wildcard, whose ``*`` is one label (RFC 6125 §6.4.3); else what was said first, and
    what *default* is for comes last. No names: those that the certificate is for.
    """

    def __init__(self, default: Pair, named: Iterable[tuple[Pair, Sequence[str]]] = ()) -> None:
        self.default = default
        self._pairs: dict[str, Pair] = {}
        for pair, names in (*named, (default, ())):
            for name in names or pair.names:
                self._pairs.setdefault(domain_key(name), pair)

    @property
    def differ(self) -> bool:
        """Whether there is any other pair than the default one."""
        return any(pair is not self.default for pair in self._pairs.values())

    def find(self, asked: bytes | None) -> Pair:
        """Return the pair for the name that a client has sent; it may be any octets, or ``None``."""
        if asked is None or not asked.isascii():
            return self.default
        name = domain_key(asked.decode("ascii"))
        pair = self._pairs.get(name) or self._pairs.get("*." + name.partition(".")[2])
        return pair or self.default


def by_name(names: ServerNames, make: Callable[[Pair], Any]) -> Any:
    """Return the context of one listener; *make* gives one for a pair, and is asked when the first client wants it."""
    context = make(names.default)
    if not names.differ:
        return context
    made = {id(names.default): context}

    def choose(connection: Any) -> None:
        pair = names.find(connection.get_servername())
        if pair is names.default:
            return
        if id(pair) not in made:
            made[id(pair)] = make(pair)
        connection.set_context(made[id(pair)])

    context.set_tlsext_servername_callback(choose)
    return context
