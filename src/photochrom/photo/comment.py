"""A JPEG's comments (COM segments), which libvips neither reads nor writes (8.18, measured).

Source: ITU-T T.81, annex B.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

START = b"\xff\xd8"
COMMENT = 0xFE
APPLICATION = range(0xE0, 0xF0)  # these stand first: JFIF and EXIF want to follow the start
SCAN = 0xDA
MOST_STEPS = 1000  # segments and fill bytes: a file of nothing else must not hold anybody up
IN_MEMORY = 16_000_000  # bytes of a JPEG that are moved without a file of their own


def read_comments(path: Path) -> tuple[bytes, ...]:
    """Collect the comments that stand before a JPEG's pixels.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of bytes
        As they are: no encoding is agreed on. Of a file that breaks off, those found until there;
        of one with more than 1,000 segments, those among the first.
    """
    with path.open("rb") as file:
        return tuple(
            comment
            for marker, size in _segments(file)
            if marker == COMMENT and len(comment := file.read(size)) == size
        )


def write_comments(path: Path, comments: tuple[bytes, ...]) -> None:
    """Enter comments into a JPEG, behind its application segments.

    Parameters
    ----------
    path : Path
    comments : tuple of bytes
        Each at most 65,533.
    """
    with path.open("r+b") as file, tempfile.SpooledTemporaryFile(IN_MEMORY) as rest:
        at = _behind_applications(file)
        file.seek(at)
        shutil.copyfileobj(file, rest)
        file.seek(at)
        for comment in comments:
            file.write(bytes((0xFF, COMMENT)) + (len(comment) + 2).to_bytes(2) + comment)
        rest.seek(0)
        shutil.copyfileobj(rest, file)


def _behind_applications(file: BinaryIO) -> int:
    at = len(START)
    for marker, size in _segments(file):
        if marker not in APPLICATION:
            break
        at = file.tell() + size
    return at


def _segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Walk a JPEG's segments up to its pixels: marker and bytes; the file stands at the first."""
    at = len(START)
    for _ in range(MOST_STEPS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == SCAN:
            return
        if head[1] == 0xFF:  # a fill byte
            at += 1
            continue
        size = int.from_bytes(head[2:]) - 2
        if size < 0:
            return
        at += 4 + size
        yield head[1], size
