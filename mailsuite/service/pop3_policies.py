"""What POP3 holds users to, by their domain: pauses between logins, terms for their mail (RFC 2449 §6.5, §6.7)."""

from collections.abc import Iterable, Iterator, Mapping

from mailsuite.address import domain_key
from mailsuite.meaning import Login
from mailsuite.pop3.settings import Policy


class Policies:
    """*default* holds for the users of all domains that are not in *domains*, whose names are keys."""

    def __init__(self, default: Policy, domains: Mapping[str, Policy]) -> None:
        self._default = default
        self._domains = domains

    def of(self, login: Login) -> Policy:
        """Return what holds for *login*."""
        return self.of_domain(login.name.rpartition("@")[2])

    def of_domain(self, domain: str) -> Policy:
        """Return what holds for the users of *domain*."""
        return self._domains.get(domain_key(domain), self._default)

    def terms(self, domains: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of *domains* whose mail is removed by its age, and after how many days.

        With 0 there is no such term: what was fetched is removed at QUIT (`mailsuite.service.maa`).
        """
        for domain in domains:
            days = self.of_domain(domain).expire
            if days:
                yield domain, days

    def all(self) -> tuple[Policy, ...]:
        """Return all that hold for anybody, the default first."""
        return tuple(dict.fromkeys((self._default, *self._domains.values())))
