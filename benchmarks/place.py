"""Where on the disk servers lie: far from each other, so that none pays for the files that another removes.

ext4 does not take the inode of a removed file again for a minute or more and looks through those one by one whenever a
file is made near by: a server that makes and removes a file for each message makes its neighbours slower, too.
"""

import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

# ioctl_iflags(2), on machines of 64 bits; chattr(1) calls the flag "T".
_GET_FLAGS, _SET_FLAGS, _TOP_OF_TREES = 0x80086601, 0x40086602, 0x20000


def spread_below(folder: Path) -> None:
    """Let folders that are made in *folder* be put into block groups far apart, where the file system can do that."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            flags, *_ = struct.unpack("i", fcntl.ioctl(fd, _GET_FLAGS, bytes(4)))
            fcntl.ioctl(fd, _SET_FLAGS, struct.pack("i", flags | _TOP_OF_TREES))
        finally:
            os.close(fd)
