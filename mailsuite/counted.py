"""Counts in sentences: of one thing people say otherwise than of several."""


def counted(count: int, one: str, several: str = "") -> str:
    """Return *count* with what is counted: *one* thing, or *several*, which is *one* with an s unless it is said.

    >>> counted(1, "user"), counted(0, "user"), counted(2, "entry refuses", "entries refuse")
    ('1 user', '0 users', '2 entries refuse')
    """
    return f"{count} {one if count == 1 else several or f'{one}s'}"
