"""Values by the mail addresses and domains that they are for."""

from typing import Generic, TypeVar

from mailsuite.address import Address
from mailsuite.domain_table import DomainTable
from mailsuite.smtp import grammar

T = TypeVar("T")

_LONGEST = 512


class AddressTable(Generic[T]):
    """An address comes before its domain, and that before ``.example.org`` for all domains below example.org.

    Case makes no difference in either part (RFC 2505 §2).
    """

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, str], T] = {}
        self._domains: DomainTable[T] = DomainTable()

    def add(self, text: str, value: T) -> None:
        """Let *text* lead to *value*, if it does not lead to another one before it. Raises `ValueError`."""
        if "@" in text:
            self._addresses.setdefault(written_address(text).key, value)
        else:
            self._domains.add(written_pattern(text), value)

    def __bool__(self) -> bool:
        return bool(self._addresses or self._domains)

    def find(self, address: Address) -> T | None:
        """Return the value of *address*, if it has one."""
        key = address.key
        value = self._addresses.get(key)
        return self._domains.find(key[1]) if value is None else value


def written_address(text: str) -> Address:
    """Return the address that *text* is. Raises `ValueError` where it is none."""
    found = None if text.startswith("@") else grammar.mailbox(f"<{text}>", _LONGEST, _LONGEST, _LONGEST, utf8=True)
    if found is None:
        raise ValueError(f"{text!r} is no address such as bob@example.net")
    return found


def written_pattern(text: str) -> str:
    """Return *text*, which is a domain, or a dot and a domain. Raises `ValueError` where it is neither."""
    try:
        written_address(f"a@{text.removeprefix('.')}")
    except ValueError as error:
        raise ValueError(
            f"{text!r} is neither an address, nor a domain such as example.net, nor .example.net for all below it"
        ) from error
    return text
