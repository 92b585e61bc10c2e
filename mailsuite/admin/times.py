"""Times as people and programs are told them."""

from datetime import datetime


def when(seconds: float) -> str:
    """Return a time of day here, with its offset."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
