"""Tokens of the HTTP API: who may look at a site and who may change it, one file for each below ``admin-tokens``.

A token is its label, a tilde, and a secret of 256 bits that is drawn here and of which only a keyed hash is kept: that
needs no slow one, since nobody can go through so many. The time of a file is that of the token's last use.
"""

import hmac
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from mailsuite.durable import drafted, fsync_path, sync_folder

Scope: TypeAlias = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FOLDER = "admin-tokens"
# Beyond so many, nobody knows any more who has one.
MOST = 100
# The time of use is this much behind at most, so that a busy client costs no write each time.
USE_SECONDS = 60.0
_SECRET_OCTETS = 32
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class TokenError(Exception):
    """The request was refused, and nothing has changed; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token. Times are POSIX seconds; *last_used* is ``None`` for one that was never used."""

    label: str
    scope: Scope
    made: float
    last_used: float | None


class TokenFolder:
    """The tokens of the site whose state is in the folder *state*; *root* gives the key of their hashes.

    Everything blocks, may be called in any thread, and raises `OSError` where the disk does. What a command changes
    holds for the next request.
    """

    def __init__(self, state: str, root: bytes) -> None:
        self._path = os.path.join(state, FOLDER)
        self._root = root

    def add(self, label: str, scope: Scope, now: float) -> str:
        """Draw a token and return it: nobody can be told it again. Raises `TokenError`."""
        if not _LABEL.fullmatch(label):
            raise TokenError(
                f"{label!r} is no label; expected 1 to 64 letters, digits, dots, dashes and underscores, a letter or"
                " digit first"
            )
        if len(self.list()) >= MOST:
            raise TokenError(f"there are {MOST} tokens, which is the most; remove one that is not used")
        token = f"{label}~{secrets.token_urlsafe(_SECRET_OCTETS)}"
        self._write(label, json.dumps({"scope": scope, "made": now, "proof": self._proof(token)}))
        return token

    def list(self) -> list[Token]:
        """Return the tokens by label."""
        try:
            names = sorted(os.listdir(self._path))
        except FileNotFoundError:
            return []
        found = (self._read(name) for name in names if _LABEL.fullmatch(name))
        return [token for token, _ in filter(None, found)]

    def remove(self, label: str) -> None:
        """Take the token back. Raises `TokenError` where there is none."""
        try:
            if not _LABEL.fullmatch(label):
                raise FileNotFoundError
            os.unlink(os.path.join(self._path, label))
        except FileNotFoundError:
            raise TokenError(f"there is no token {label!r}; see mailsuite token list") from None
        sync_folder(self._path)

    def find(self, token: str, now: float) -> Token | None:
        """Return whose *token* is, and take note of its use at *now*; ``None`` where it is none of ours."""
        label = token.partition("~")[0]
        found = self._read(label) if _LABEL.fullmatch(label) else None
        # Compared in the same time whether there is such a label or not.
        proof = self._proof(token)
        if not hmac.compare_digest(found[1] if found else self._proof(""), proof) or found is None:
            return None
        used = found[0].last_used
        if used is None or abs(now - used) >= USE_SECONDS:
            # It may have been removed in this moment.
            with suppress(FileNotFoundError):
                os.utime(os.path.join(self._path, label), (now, now))
        return found[0]

    def _read(self, label: str) -> tuple[Token, str] | None:
        try:
            with open(os.path.join(self._path, label), encoding="utf-8") as file:
                used = os.fstat(file.fileno()).st_mtime
                kept = json.load(file)
            return Token(label, kept["scope"], kept["made"], used or None), str(kept["proof"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # Damaged: it opens nothing, and can be removed and made anew.
            return None

    def _write(self, label: str, text: str) -> None:
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        path = os.path.join(self._path, label)
        with drafted(path, [text.encode()]) as draft:
            # Never used.
            os.utime(draft, (0, 0))
            fsync_path(draft)
            try:
                os.link(draft, path)
            except FileExistsError:
                raise TokenError(
                    f"there is a token {label!r} already; remove it first with: mailsuite token remove {label}"
                ) from None

    def _proof(self, token: str) -> str:
        return hmac.new(self._root, b"admin token " + token.encode("utf-8", "replace"), "sha256").hexdigest()
