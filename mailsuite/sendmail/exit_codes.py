"""How the program ends: sysexits(3), which callers of sendmail know."""

OK = 0
USAGE = 64
DATAERR = 65
NOUSER = 67
UNAVAILABLE = 69
TEMPFAIL = 75
NOPERM = 77
CONFIG = 78


class Ends(Exception):
    """The program is to end: with *status*, and its text on standard error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
