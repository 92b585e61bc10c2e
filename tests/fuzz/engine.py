"""One target under Atheris, which counts the branches that an input reaches: ``python -m tests.fuzz.engine NAME ...``.

Further arguments are libFuzzer's. `tests.fuzz.__main__` starts it, once for each target: it ends its process.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

# Only what is imported after this line is watched, and nothing of ours must be imported before.
atheris: Any = importlib.import_module("atheris")


def main(name: str, arguments: Sequence[str]) -> None:
    """Fuzz the target *name*; libFuzzer ends the process."""
    with atheris.instrument_imports(include=["mailsuite"]):
        target = importlib.import_module(f"tests.fuzz.targets.{name}").PART
    atheris.Setup([name, *arguments], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
