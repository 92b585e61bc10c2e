"""Queues in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.queue.queues import Queues


@pytest.fixture
def queues(tmp_path: Path) -> Iterator[Queues]:
    """No queue yet; what the test opens is stopped after it."""
    made = Queues(tmp_path / "queue")
    yield made
    made.stop()
