"""Read a file that a user names and that is read whole: a sidecar, hints, a profile, a network.

A device may never end and a named pipe may never begin; a file may have more bytes than memory.
"""

import errno
import io
from pathlib import Path
from typing import BinaryIO

from photochrom.errors import UnreadablePhotoError
from photochrom.photo.named_pipe import Pipe, is_pipe

MOST_BYTES = 1 << 26  # of a file that people write or that describes something
MOST_NETWORK_BYTES = 1 << 31  # Protocol Buffers' own limit
BLOCK = 1 << 20


def read_given(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return a file's bytes.

    Parameters
    ----------
    path : Path
        A file, or a named pipe, such as a shell makes of `<(command)`.
    most_bytes : int

    Raises
    ------
    OSError
        If it cannot be read, has more bytes, is a device or a socket, or is a pipe that nothing is
        written to.
    """
    try:
        if is_pipe(path):
            return _read(Pipe(path), most_bytes)
    except UnreadablePhotoError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise OSError(errno.EINVAL, reason.rstrip("."), str(path)) from error
    with path.open("rb") as file:
        return _read(file, most_bytes)


def read_given_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return a file's text, UTF-8; see `read_given`.

    Raises
    ------
    OSError
        See `read_given`.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    text = read_given(path, most_bytes).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(file: BinaryIO | Pipe, most_bytes: int) -> bytes:
    content = io.BytesIO()
    while block := file.read(BLOCK):
        content.write(block)
        if content.tell() > most_bytes:
            raise OSError(errno.EFBIG, f"it has more than {most_bytes:,} bytes")
    return content.getvalue()
