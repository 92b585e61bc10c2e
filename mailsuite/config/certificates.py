"""What types cannot say about certificates: for which names each is shown, and who is asked for one."""

from collections.abc import Iterator

from mailsuite.address import domain_key
from mailsuite.config.decoding import Problem
from mailsuite.config.settings import Settings
from mailsuite.directory.spelling import is_domain, shown


def certificate_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the tables of certificates, and with the listeners that ask for them."""
    taken: dict[str, str] = {}
    for title, table in settings.certificates.items():
        path = ("certificates", title, "names")
        for name in table.names:
            if not is_domain(name.removeprefix("*.")):
                yield Problem(path, f'"{shown(name)}" is not a host name such as mail.example.org or *.example.org')
            elif (other := taken.setdefault(domain_key(name), title)) != title:
                yield Problem(path, f'"{name}" is a name of [certificates.{other}] already')
    for title, listener in settings.listen.items():
        if listener.client_certificates == "ask" and listener.tls == "none":
            path = ("listen", title, "client_certificates")
            yield Problem(path, 'nobody can be asked without TLS: set tls = "starttls" or "implicit"')
