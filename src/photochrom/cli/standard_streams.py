"""Standard input and output, which `-` means on the command line."""

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
        If it is closed, or is a terminal.
    """
    if sys.stdin is None:
        raise UnreadablePhotoError("standard input: closed. Pipe a picture into it.")
    if sys.stdin.isatty():
        raise UnreadablePhotoError("standard input: a terminal. Pipe a picture into it.")
    return sys.stdin.buffer


def to_standard_output(content: bytes) -> None:
    """Write to standard output and flush it.

    Raises
    ------
    UnwritablePhotoError
        If it is closed, or the disk is full.
    BrokenPipeError
        If the reader has closed the pipe.
    """
    if sys.stdout is None:
        raise UnwritablePhotoError("standard output: closed. Name a file with -o.")
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # The rest of the buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UnwritablePhotoError(
            f"standard output: cannot be written ({error.strerror})."
        ) from error
