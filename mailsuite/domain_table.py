"""Values by the domains that they are for: ``example.org``, or ``.example.org`` for all below it and not itself."""

from typing import Generic, TypeVar

from mailsuite.address import domain_key

T = TypeVar("T")


class DomainTable(Generic[T]):
    """Finds the value of a domain in as many steps as it has labels, however many there are."""

    def __init__(self) -> None:
        self._values: dict[str, T] = {}

    def add(self, pattern: str, value: T) -> None:
        """Let *pattern* lead to *value*, if it does not lead to another one before it."""
        dot = "." if pattern.startswith(".") else ""
        self._values.setdefault(dot + domain_key(pattern[len(dot) :]), value)

    def __bool__(self) -> bool:
        return bool(self._values)

    def find(self, domain: str) -> T | None:
        """Return the value of *domain* (`domain_key`) itself, else that of the longest suffix, else ``None``."""
        value = self._values.get(domain)
        dot = domain.find(".")
        while value is None and dot >= 0:
            value = self._values.get(domain[dot:])
            dot = domain.find(".", dot + 1)
        return value
