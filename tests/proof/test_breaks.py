"""The kit can fail: products that are broken on purpose are found out."""

import ast

import pytest

from tests.proof import kit
from tests.proof.breaks import BREAKS, broken
from tests.proof.ptrace import SUPPORTED, WHY_NOT

pytestmark = [pytest.mark.system, pytest.mark.skipif(not SUPPORTED, reason=WHY_NOT)]

# One that leaves out the sync, one that promises too early, and one that promises before the queue has it.
SHORT = ("sync", "order", "promise")


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.slow) for name in BREAKS]
)
def test_a_broken_product_is_found_out(name: str) -> None:
    """A message that was acknowledged and is gone, or one that is half there, is told of."""
    with broken(name) as product:
        outcome = kit.search(product, BREAKS[name].by, 1)
    assert outcome is not None
    assert outcome.findings.losses


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_product_still_runs(name: str) -> None:
    """What is broken is a promise, and no syntax."""
    ast.parse(BREAKS[name].text())
