"""Reading pictures from named pipes; devices are rejected."""

import os
import select
import stat
import time
from pathlib import Path

from photochrom.errors import UnreadablePhotoError

SILENT_SECONDS = 30.0  # a pipe without data for this long is abandoned
BLOCK = 1 << 16


def is_pipe(path: Path) -> bool:
    """Return whether a path is a named pipe.

    Raises
    ------
    UnreadablePhotoError
        If it is a device or a socket, which may never end.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it gives the error
        return False
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        raise UnreadablePhotoError(f"{path}: is a device or a socket; a file is needed.")
    return stat.S_ISFIFO(mode)


class Pipe:
    """A named pipe as a readable file, with a timeout.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UnreadablePhotoError
        If it cannot be opened; from `read`, on timeout.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._seconds = SILENT_SECONDS
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UnreadablePhotoError(f"{path}: cannot be read ({error.strerror}).") from error
        self._has_begun = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; none at the end."""
        deadline = time.monotonic() + self._seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise UnreadablePhotoError(
                    f"{self.name}: a pipe without data for {self._seconds:g} seconds."
                )
            try:
                block = os.read(self._descriptor, BLOCK if size < 0 else min(size, BLOCK))
            except BlockingIOError:
                continue
            if block or self._has_begun:
                self._has_begun = True
                return block
            time.sleep(0.01)  # no writer has opened it yet

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)
