"""A JPEG's comments (COM segments), which libvips neither reads nor writes (8.18, measured).

Source: ITU-T T.81, annex B.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

START = b"\xff\xd8"
COMMENT = 0xFE
APPLICATION = range(0xE0, 0xF0)  # these stand first: JFIF and EXIF want to follow the start
SCAN = 0xDA


def read_comments(path: Path) -> tuple[bytes, ...]:
    """Collect the comments that stand before a JPEG's pixels.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of bytes
        As they are: no encoding is agreed on. Of a file that breaks off, those found until there.
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
    longer = path.with_name(f"{path.name}.longer")
    try:
        with path.open("rb") as file, longer.open("wb") as target:
            at = _behind_applications(file)
            file.seek(0)
            target.write(file.read(at))
            for comment in comments:
                target.write(bytes((0xFF, COMMENT)) + (len(comment) + 2).to_bytes(2) + comment)
            shutil.copyfileobj(file, target)
        longer.replace(path)
    finally:
        longer.unlink(missing_ok=True)


def _behind_applications(file: BinaryIO) -> int:
    at = len(START)
    for marker, size in _segments(file):
        if marker not in APPLICATION:
            break
        at = file.tell() + size
    return at


def _segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Walk a JPEG's segments up to its pixels: marker and bytes; the file stands at the first."""
    file.seek(len(START))
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != SCAN:
        if head[1] == 0xFF:  # a fill byte
            file.seek(-3, 1)
            continue
        size = int.from_bytes(head[2:]) - 2
        if size < 0:
            return
        behind = file.tell() + size
        yield head[1], size
        file.seek(behind)
