"""``python -m mailsuite.workers``: twistd, for a process that inherits from the one that has started it."""

import sys

from twisted.scripts.twistd import run

if __name__ == "__main__":
    sys.argv[0] = "twistd"
    run()
