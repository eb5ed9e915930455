"""What `-` stands for on the command line: standard input, or standard output."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from photochrom.errors import UnreadablePhotoError, UnwritablePhotoError

PIPE = Path("/dev/stdin")


def standard_input() -> BinaryIO:
    """Return standard input.

    Raises
    ------
    UnreadablePhotoError
        If there is none, or it is a terminal, where nobody types a picture.
    """
    if sys.stdin is None:
        raise UnreadablePhotoError("standard input: is closed. Pipe a picture into it.")
    if sys.stdin.isatty():
        raise UnreadablePhotoError("standard input: is a terminal. Pipe a picture into it.")
    return sys.stdin.buffer


def to_standard_output(content: bytes) -> None:
    """Write to standard output at once.

    Raises
    ------
    UnwritablePhotoError
        If it is closed, or its disk is full.
    BrokenPipeError
        If nobody reads it any more.
    """
    if sys.stdout is None:
        raise UnwritablePhotoError("standard output: is closed. Name a file with -o.")
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UnwritablePhotoError(
            f"standard output: cannot be written ({error.strerror})."
        ) from error
