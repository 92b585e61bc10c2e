"""``python -m benchmarks.counted FILE ARGUMENTS...``: twistd, whose function calls are counted, in all its threads.

SIGUSR1 makes it write how many there were into FILE. Unlike time, a count is the same on a busy machine.
"""

import itertools
import os
import signal
import sys
import threading
from pathlib import Path

from twisted.scripts.twistd import run


def main(path: Path) -> None:
    """Count, and be twistd."""
    # Its next() cannot be cut in two by another thread.
    calls = itertools.count()

    def count(frame: object, event: str, argument: object) -> None:
        if event == "call" or event == "c_call":
            next(calls)

    def write(number: int, frame: object) -> None:
        part = path.with_suffix(".part")
        part.write_text(str(next(calls)))
        os.replace(part, path)

    signal.signal(signal.SIGUSR1, write)
    threading.setprofile(count)
    sys.setprofile(count)
    run()


if __name__ == "__main__":
    counts = Path(sys.argv[1])
    sys.argv[:2] = ["twistd"]
    main(counts)
