"""Write the shape of a film's pixels to a Matroska or WebM file.

FFmpeg writes DisplayWidth and DisplayHeight from a field of its streams that PyAV cannot set. They
are added to the finished file, in place: the room comes from sizes that are stored in 8 bytes where
fewer do, from the optional checksum of the tracks, and from `ROOM` in the track's name. Source:
RFC 9559 (Matroska), section 5.1.4; RFC 8794 (EBML).
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

SEGMENT, TRACKS, CLUSTER = 0x18538067, 0x1654AE6B, 0x1F43B675
TRACK, VIDEO, CRC, VOID = 0xAE, 0xE0, 0xBF, 0xEC
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
NAME = 0x536E
ASPECT = 3  # display unit
ROOM = " (display size)"  # added to a track's name until its place is needed
MOST_BYTES = 16_000_000  # before the tracks and of them; attachments come later


class _Element(NamedTuple):
    """An EBML element: its identifier, and where its content lies."""

    id: int
    start: int
    first: int
    end: int


def write_pixel_aspect(path: Path, number: int, width: int, height: int, aspect: Fraction) -> bool:
    """Write the shape of pixels to a finished file.

    Parameters
    ----------
    path : Path
    number : int
        Of the film among the tracks, from 0; attachments are not tracks.
    width, height : int
        As stored.
    aspect : Fraction
        Width of a pixel for its height.

    Returns
    -------
    bool
        False if the file has no room for it, or is not as FFmpeg writes it; then it is unchanged.
    """
    with path.open("rb+") as file:
        head = file.read(MOST_BYTES)
        tracks = _tracks_in(head)
        if tracks is None:
            return False
        content = _tracks_with_display(head, tracks, number, _display(width, height, aspect))
        room = tracks.end - tracks.first
        # The smallest void has 2 bytes.
        if content is None or len(content) > room or room - len(content) == 1:
            return False
        file.seek(tracks.first)
        file.write(content + _void(room - len(content)))
    return True


def _display(width: int, height: int, aspect: Fraction) -> dict[int, int]:
    """Return the elements that say how large a frame is shown: exactly, in pixels if possible."""
    for shown in ((width * aspect, Fraction(height)), (Fraction(width), height / aspect)):
        if all(side.denominator == 1 for side in shown):
            return {DISPLAY_WIDTH: int(shown[0]), DISPLAY_HEIGHT: int(shown[1])}
    whole = Fraction(width, height) * aspect
    across, down = whole.numerator, whole.denominator
    return {DISPLAY_WIDTH: across, DISPLAY_HEIGHT: down, DISPLAY_UNIT: ASPECT}


def _tracks_in(head: bytes) -> _Element | None:
    segment = next((e for e in _elements(head, 0, len(head)) if e.id == SEGMENT), None)
    if segment is None:
        return None
    for element in _elements(head, segment.first, len(head)):
        if element.id == TRACKS:
            return element if element.end <= len(head) else None
        if element.id == CLUSTER:
            break
    return None


def _tracks_with_display(
    head: bytes, tracks: _Element, number: int, display: dict[int, int]
) -> bytes | None:
    """Return the content of the tracks with a display size in one; None if that has no video."""
    entries = []
    count = 0
    for element in _elements(head, tracks.first, tracks.end):
        content = head[element.first : element.end]
        if element.id in (CRC, VOID):
            continue
        if element.id == TRACK:
            if count == number:
                changed = _with_display(content, display)
                if changed is None:
                    return None
                content = changed
            count += 1
        entries.append(_element(element.id, content))
    return b"".join(entries) if count > number else None


def _with_display(track: bytes, display: dict[int, int]) -> bytes | None:
    """Return a track's content with its video's display size; None if it has no video."""
    parts, has_video = [], False
    room = ROOM.encode()
    for element in _elements(track, 0, len(track)):
        content = track[element.first : element.end]
        if element.id == VIDEO:
            has_video = True
            kept = [
                content[part.start : part.end]
                for part in _elements(content, 0, len(content))
                if part.id not in (DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT)
            ]
            kept += [_element(id, _number(value)) for id, value in display.items()]
            content = b"".join(kept)
        elif element.id == NAME:
            content = content.removesuffix(room)
        if element.id != VOID and (content or element.id != NAME):
            parts.append(_element(element.id, content))
    return b"".join(parts) if has_video else None


def _elements(content: bytes, at: int, end: int) -> Iterator[_Element]:
    """Yield the elements that lie one after another; stop where there is no whole one."""
    while at + 2 <= end and content[at]:
        id_length = 9 - content[at].bit_length()
        length_at = at + id_length
        if length_at >= end or not content[length_at]:
            return
        length = 9 - content[length_at].bit_length()
        first = length_at + length
        size = int.from_bytes(content[length_at:first], "big") & ((1 << 7 * length) - 1)
        id = int.from_bytes(content[at:length_at], "big")
        yield _Element(id, at, first, first + size)
        at = first + size


def _element(id: int, content: bytes) -> bytes:
    length = 1
    while len(content) >= (1 << 7 * length) - 1:
        length += 1
    size = (len(content) | 1 << 7 * length).to_bytes(length, "big")
    return _number(id) + size + content


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, -(-value.bit_length() // 8)), "big")


def _void(length: int) -> bytes:
    """Return an element of some bytes that says nothing."""
    if length == 0:
        return b""
    for size_length in range(1, 9):
        content = length - 1 - size_length
        if 0 <= content < (1 << 7 * size_length) - 1:
            size = (content | 1 << 7 * size_length).to_bytes(size_length, "big")
            return _number(VOID) + size + bytes(content)
    raise ValueError(f"an element cannot have {length} bytes")
