"""The order in which points are tried: a short run has something of everything."""

import random
from dataclasses import dataclass

from tests.proof.crashes import spread


@dataclass(frozen=True)
class At:
    """One place of many."""

    area: str
    label: str
    number: int = 0


def test_areas_and_then_labels_take_turns() -> None:
    """However rare they are; and all come in the end."""
    often = [At("queue", f"write {label}", number) for label in "abc" for number in range(100)]
    rare = [At("POP3", "unlink"), At("POP3", "fsync")]
    for seed in range(20):
        found = list(spread([*often, *rare], random.Random(seed)))

        assert {each.area for each in found[:2]} == {"queue", "POP3"}
        assert {each.label for each in found[:5]} == {"write a", "write b", "write c", "unlink", "fsync"}
        assert sorted(found, key=repr) == sorted([*often, *rare], key=repr)
