"""What was promised survives a kill -9, whenever it comes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.queue.queues import Queues, names

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("count", [1, 40, 173])
def test_every_message_that_was_accepted_is_there(queues: Queues, count: int) -> None:
    """Each id that was said is in the queue, once and whole, and what the dead process had claimed is free."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.queue.accepting_child", queues.path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said = [child.stdout.readline().strip() for _ in range(count)]
    child.kill()
    said += child.stdout.read().split()
    child.stdout.close()
    child.wait()
    queue = queues.open(delay_warning=0)
    jobs = [*queues.claim(queue, room=100_000, default=100_000)]

    found = [job.message.id for job in jobs]
    assert len(found) == len(set(found)) == len(names(jobs))
    assert set(said) <= set(found)
    for job in jobs[-30:]:
        assert queues.content(queue, job).startswith(f"{job.message.id[1:]}:".encode())
    assert len(queues.files()) == queues.ask("SELECT count(*) FROM messages WHERE file IS NOT NULL")[0][0]
