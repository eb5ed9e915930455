"""Find where recordings were put together in one stream, and let their times go on.

A transport or programme stream (ISO/IEC 13818-1) counts time in 33 bits, from any beginning. Where
several recordings follow each other in one file, or a recorder was stopped in between, times repeat
or run backwards. FFmpeg's command shifts all streams where that happens, by as much as the later
recording must be moved to follow; so does this. Streams are interleaved, so what belongs to which
recording is told by a packet's place in the file.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

JOINABLE = ("mpegts", "mpeg")  # FFmpeg's names of the containers
CLOCK = 90_000  # ticks a second
WRAP = 2**33  # ticks
BACK, AHEAD = CLOCK // 10, 10 * CLOCK  # no stream does so by itself; as FFmpeg's thresholds
MARGIN = 3600 * CLOCK  # by which a packet may precede the first one of its recording
FIRST_PACKETS = 64  # of a recording, in which each stream's first time is looked for
MOST_PACKETS = 1_000_000  # some four hours; they are held, as a stream's places run in disorder


class Recording(NamedTuple):
    """A part of a file whose clock runs on.

    Attributes
    ----------
    position : int
        Byte of the file from which on packets belong to it.
    clock : int
        Of its first packets, in ticks modulo `WRAP`.
    begins : int
        The time that this stands for, in ticks.
    """

    position: int
    clock: int
    begins: int

    def time_of(self, clock: int) -> int:
        """Return the time of a packet, in ticks."""
        return self.begins - MARGIN + (clock - self.clock + MARGIN) % WRAP


class _Row(NamedTuple):
    """A packet: place, stream, times in ticks."""

    position: int
    stream: int
    dts: int
    pts: int
    duration: int


def find_recordings(packets: Iterator["Packet[Stream]"]) -> tuple[tuple[Recording, ...], int]:
    """Return the recordings that a file consists of, and the time at which the last one ends.

    Parameters
    ----------
    packets : iterator of av.packet.Packet
        Of its sound and pictures.

    Returns
    -------
    recordings : tuple of Recording
        Empty if there is one only, or more packets than `MOST_PACKETS`.
    end : int
        In ticks.
    """
    rows = sorted(islice(_rows(packets), MOST_PACKETS + 1), key=lambda row: row.position)
    if not 0 < len(rows) <= MOST_PACKETS:
        return (), 0
    clock = min(_first_times(rows, 0).values())  # just before an overflow, FFmpeg's is negative
    found = [Recording(0, clock % WRAP, max(0, clock))]
    due: dict[int, int] = {}  # when each stream's next packet is decoded
    ends: dict[int, int] = {}  # when its last one has been shown
    for number, row in enumerate(rows):
        time = found[-1].time_of(row.dts)
        # A stream may pause, but not all of them.
        if row.stream in due and not due[row.stream] - BACK <= time <= max(due.values()) + AHEAD:
            found.append(_following(rows, number, found[-1], ends))
            due.clear()
            time = found[-1].time_of(row.dts)
        due[row.stream] = time + row.duration
        shown = found[-1].time_of(row.pts) + row.duration
        ends[row.stream] = max(ends.get(row.stream, shown), shown)
    return (tuple(found) if len(found) > 1 else ()), max(ends.values())


def _rows(packets: Iterator["Packet[Stream]"]) -> Iterator[_Row]:
    position = 0
    for packet in packets:
        dts = packet.dts if packet.dts is not None else packet.pts
        if not packet.size or dts is None or not packet.time_base:
            continue
        position = packet.pos if packet.pos is not None and packet.pos >= 0 else position
        pts = packet.pts if packet.pts is not None else dts
        scale = packet.time_base * CLOCK
        times = (round(time * scale) for time in (dts, pts, packet.duration or 0))
        yield _Row(position, packet.stream.index, *times)


def _first_times(rows: Sequence[_Row], start: int) -> dict[int, int]:
    """Return when each stream's first packet from a row on is shown; pts by stream."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for row in rows[start : start + FIRST_PACKETS]:
        if row.stream in last and row.dts < last[row.stream]:
            break  # the recording after it
        last[row.stream] = row.dts
        first[row.stream] = min(first.get(row.stream, row.pts), row.pts)
    return first


def _following(
    rows: Sequence[_Row], number: int, before: Recording, ends: dict[int, int]
) -> Recording:
    """Return the recording that begins at a row: no stream overlaps its own end."""
    first = _first_times(rows, number)
    clock = min(first.values())
    begins = max(ends.get(stream, 0) - (time - clock) for stream, time in first.items())
    if not any(stream in ends for stream in first):
        begins = max(ends.values(), default=before.begins)
    return Recording(rows[number].position, clock % WRAP, begins)


class Clock:
    """Give packets of a file that consists of several recordings times that go on.

    Parameters
    ----------
    recordings : sequence of Recording
        Empty if times are right as they are.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = recordings
        self._positions = [recording.position for recording in recordings]
        self._last: dict[int, int] = {}  # place of each stream's last packet that has one

    def number_of(self, packet: "Packet[Stream]") -> int:
        """Return to which recording a packet belongs, from 0."""
        index = packet.stream.index
        if packet.pos is not None and packet.pos >= 0:
            self._last[index] = packet.pos
        return max(0, bisect_right(self._positions, self._last.get(index, 0)) - 1)

    def set(self, packet: "Packet[Stream]") -> None:
        """Change a packet's times."""
        if not self.recordings or not packet.time_base:
            return
        recording = self.recordings[self.number_of(packet)]
        scale = Fraction(packet.time_base) * CLOCK
        if packet.dts is not None:
            packet.dts = round(recording.time_of(round(packet.dts * scale)) / scale)
        if packet.pts is not None:
            packet.pts = round(recording.time_of(round(packet.pts * scale)) / scale)
