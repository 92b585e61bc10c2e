"""What is said of an address of ours whose aliases reach nobody: what the reason is, and nothing else."""

import pytest

from mailsuite.meaning import Broken
from mailsuite.service.refusals import refusal_of


@pytest.mark.parametrize(
    ("meaning", "said"),
    [
        (Broken("a"), "550 5.4.6 This address leads to itself"),
        (Broken("a", "far"), "550 5.2.4 This address leads through too many aliases, or to too many addresses"),
        (Broken("a", "nowhere"), "550 5.2.4 This address leads to one that does not exist"),
    ],
)
def test_what_is_said_of_a_broken_alias(meaning: Broken, said: str) -> None:
    """Each kind has words of its own."""
    assert refusal_of(meaning).octets == f"{said}\r\n".encode()
