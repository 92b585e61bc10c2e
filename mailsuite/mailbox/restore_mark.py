"""The mark of a restore: it lies in the state folder from before the first file comes back until the last is durable.

If it is there, and nobody is at it, a restore was not finished: a part of the mail is not here, and nothing tells
which.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from mailsuite.durable import read_file, replace_file, sync_folder

NAME = "restoring"
# Some thousand names of files are more than a state folder has.
_OCTETS = 1024 * 1024


class HalfRestored(OSError):
    """A restore of this site was not finished."""


class RestoreMark:
    """The mark in *folder*. Whoever sets or changes it holds the site's lock (`RunMark.take`)."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/{NAME}"
        self._folder = folder

    def refuse(self) -> None:
        """Raise `HalfRestored`, which says what to do, where a restore was not finished."""
        if os.path.lexists(self.path):
            source = self.facts().get("source", "FOLDER")
            raise HalfRestored(
                f"a restore of this site was not finished ({self.path}), and a part of the mail may be missing: run"
                f" 'mailsuite restore {source}' again, as before, and it goes on"
            )

    def facts(self) -> dict[str, object]:
        """Return what was said of the restore that was not finished; nothing where there is none, or no knowing."""
        try:
            found = json.loads(read_file(self.path, _OCTETS))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def set(self, facts: Mapping[str, object]) -> None:
        """A restore is under way, of which *facts* are to be known; durable when this returns. Raises `OSError`."""
        replace_file(self.path, json.dumps(facts, indent=2).encode() + b"\n")

    def clear(self) -> None:
        """All that came back is durable: it is a site like others."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)
        sync_folder(self._folder)
