"""What types cannot say about ways to log in: which mechanisms there are, and what goes together."""

from collections.abc import Iterator

from mailsuite.config.decoding import Problem
from mailsuite.config.forms import is_https, is_web
from mailsuite.config.settings import Settings
from mailsuite.directory.spelling import shown
from mailsuite.sasl.terms import MECHANISMS


def login_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the ways to log in."""
    for name, listener in settings.listen.items():
        for mechanism in listener.allowed_mechanisms:
            if mechanism not in MECHANISMS:
                known = ", ".join(MECHANISMS)
                text = f'"{shown(mechanism)}" is no mechanism that there is here; these are: {known}'
                yield Problem(("listen", name, "mechanisms"), text)
    for key, text in _oauth(settings):
        yield Problem(("oauth", key), text)


def _oauth(settings: Settings) -> Iterator[tuple[str, str]]:
    oauth = settings.oauth
    url = "an https URL with a path"
    if is_web(oauth.keys) and not is_https(oauth.keys):
        yield "keys", f'expected {url}, a path name, or an empty string, got "{shown(oauth.keys)}"'
    if oauth.introspection and not is_https(oauth.introspection):
        yield "introspection", f'expected {url}, or an empty string, got "{shown(oauth.introspection)}"'
    if oauth.keys and oauth.introspection:
        yield "introspection", "with keys, tokens are read and their issuer is not asked: set one of the two"
    if oauth.keys and not (oauth.issuer and oauth.audience):
        # RFC 8725 §3.8, §3.9
        yield "keys", "tokens for other services would be taken, too: set issuer and audience"
    if bool(oauth.client) != bool(oauth.secret_file):
        yield "client", "client and secret_file go together: set both, or neither"
