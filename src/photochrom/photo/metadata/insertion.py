"""Putting bytes into the middle of a file."""

from typing import BinaryIO

BLOCK = 1 << 22


def insert(file: BinaryIO, at: int, data: bytes) -> None:
    """Insert bytes into a file; the rest is moved in place, a block at a time.

    Parameters
    ----------
    file : binary file
        Open for reading and writing.
    at : int
        Offset of the first byte of `data`.
    data : bytes
    """
    end = file.seek(0, 2)
    while end > at:
        start = max(at, end - BLOCK)
        file.seek(start)
        block = file.read(end - start)
        file.seek(start + len(data))
        file.write(block)
        end = start
    file.seek(at)
    file.write(data)
