"""What a table of the configuration is, and how keys are marked of which the type does not say all."""

from typing import Any, Literal

import msgspec


def below(place: Literal["config", "state_dir"]) -> dict[str, Any]:
    """Mark a key as a path name; a relative one begins at the file's folder or at `state_dir`. Empty stays empty."""
    return {"below": place}


def written(expected: str) -> dict[str, Any]:
    """Mark a key whose form the type does not say: *expected* is how people are told."""
    return {"expected": expected}


# A key that lists peers (`forms.is_peer`).
PEERS = written('a list of IP addresses and networks, and "unix" for who comes by a UNIX socket')


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the configuration file."""
