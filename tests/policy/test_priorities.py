"""Who may have mail of a higher priority than others (RFC 6710 §4.1, §11)."""

import pytest

from mailsuite.envelope import Peer
from mailsuite.policy.priorities import Priorities

LISTED, OTHER = Peer("192.0.2.1"), Peer("198.51.100.1")


@pytest.mark.parametrize(
    ("peer", "logged_in", "wanted", "granted"),
    [
        (OTHER, False, 9, 0),
        (OTHER, False, 1, 0),
        (OTHER, False, 0, 0),
        (OTHER, False, -9, -9),
        (OTHER, True, 4, 4),
        (OTHER, True, 5, 4),
        (OTHER, True, -1, -1),
        (LISTED, False, 9, 9),
        (LISTED, True, 9, 9),
    ],
)
def test_what_is_granted(peer: Peer, logged_in: bool, wanted: int, granted: int) -> None:
    """A lower one to everybody, a higher one to listed peers, and up to the site's limit to logins."""
    assert Priorities(lambda peer: peer == LISTED, 4).granted(peer, logged_in, wanted) == granted


def test_logins_may_be_granted_none() -> None:
    """Where the limit is 0."""
    assert Priorities(lambda peer: False, 0).granted(OTHER, True, 9) == 0
