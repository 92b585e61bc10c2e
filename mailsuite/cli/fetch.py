"""Fetching a small document over HTTPS, for a command that can wait."""

import ssl
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO

from mailsuite.config.forms import is_https
from mailsuite.route import CannotConnect

SECONDS = 60.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is asked for is at the place that was named, or not at all."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing: the answer counts as an error."""


def fetched(url: str, limit: int, ca_file: str = "") -> bytes:
    """Return the document at *url*, of a longer one than *limit* octets that many and one more.

    The certificate must be good, by *ca_file* where that is not empty. Raises `CannotConnect`.
    """
    if not is_https(url):
        raise CannotConnect("only https URLs are fetched")
    try:
        trust = ssl.create_default_context(cafile=ca_file or None)
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trust), _NoRedirect())
        with opener.open(url, timeout=SECONDS) as answer:
            body: bytes = answer.read(limit + 1)
            return body
    except urllib.error.HTTPError as error:
        raise CannotConnect(f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise CannotConnect(str(error.reason)) from error
    except (OSError, HTTPException) as error:
        raise CannotConnect(str(error) or type(error).__name__) from error
