"""A draft that is read while it is still there, as `IContent`."""

from io import BytesIO
from typing import IO

from zope.interface import implementer

from mailsuite.interfaces import IContent, IDraft
from mailsuite.maybe import Maybe


@implementer(IContent)
class DraftContent:
    """Reads *draft* without its first *skip* octets. Raises `OSError` where its file cannot be opened."""

    def __init__(self, draft: IDraft, skip: int) -> None:
        self._file: IO[bytes] = BytesIO(draft.octets()) if draft.path is None else open(draft.path, "rb")  # noqa: SIM115
        self._file.seek(skip)

    def read(self, size: int) -> Maybe[bytes]:
        """See `IContent.read`."""
        return self._file.read(size)

    def close(self) -> None:
        """See `IContent.close`."""
        self._file.close()
