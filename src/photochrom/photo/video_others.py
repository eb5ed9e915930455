"""Copy the packets of a film's other streams, and cut them to the wanted part.

What is shown or heard at the part's start is kept: a subtitle or a piece of data that began before
it begins with it, and sound begins with the packet that lies across it. That packet precedes the
pictures by less than its length; MP4 and MOV say that players skip it, and in other containers the
pictures begin as much later.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from photochrom.photo.video import read_packets
from photochrom.photo.video_joins import Recording
from photochrom.photo.video_streams import is_cover

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

EMPTY_SUBTITLE = b"\0\0"  # of MP4, between two others; its writer makes them itself
INTERLEAVED = Fraction(1)  # seconds by which packets of one time lie apart in a file


def other_packets(
    source: "InputContainer",
    copied: dict[int, "Stream"],
    start: Fraction | None,
    stop: Fraction | None,
    recordings: Sequence[Recording] = (),
) -> Iterator["Packet[Stream]"]:
    """Yield the packets of copied streams that lie in a part of the film, moved to its start.

    Parameters
    ----------
    source : PyAV container
    copied : dict
        Index in the source -> copied stream.
    start, stop : Fraction or None
        Seconds. Without a start, timestamps are kept.
    recordings : sequence of Recording
        Of the source.
    """
    streamed = {index for index, made in copied.items() if made.type != "attachment"}
    wanted = [source.streams[index] for index in sorted(streamed)]
    if not wanted:
        return
    cut = _Cut(start, stop)
    for packet in read_packets(source, wanted, recordings=recordings):
        if not packet.size or packet.stream.index not in streamed or _is_empty_subtitle(packet):
            continue
        yield from cut.of(packet)
    yield from cut.ended()


class _Cut:
    """Cut packets to the part from a start to a stop, in seconds."""

    def __init__(self, start: Fraction | None, stop: Fraction | None) -> None:
        self.start, self.stop = start, stop
        self._shown: dict[int, Packet[Stream]] = {}  # at the start, until the next of its stream
        self._begun: set[int] = set()  # further films, from a key frame on

    def of(self, packet: "Packet[Stream]") -> Iterator["Packet[Stream]"]:
        """Yield what a packet leads to."""
        known = packet.pts if packet.pts is not None else packet.dts
        if known is None or not packet.time_base or is_cover(packet.stream):
            yield packet
            return
        time, index = known * packet.time_base, packet.stream.index
        end = time + (packet.duration or 0) * packet.time_base
        if self.start is not None and time >= self.start:
            yield from self._late(index, time >= self.start + INTERLEAVED)
        if self.stop is not None and time >= self.stop:
            return
        if packet.stream.type in ("subtitle", "data"):
            yield from self._clipped(packet, time, end)
        elif self.start is None or end > self.start or time >= self.start:
            if packet.stream.type == "video" and not self._decodes(packet):
                return
            yield self._moved(packet)

    def ended(self) -> Iterator["Packet[Stream]"]:
        """Yield what is left at the end of the film."""
        yield from self._late(-1, of_all=True)

    def _clipped(
        self, packet: "Packet[Stream]", time: Fraction, end: Fraction
    ) -> Iterator["Packet[Stream]"]:
        """Yield a packet that stands until its end, or until the next one if it has no duration."""
        if self.start is not None and time < self.start:
            if end > self.start:
                yield self._spanning(packet, self.start, end)
            elif not packet.duration:
                self._shown[packet.stream.index] = packet
            return
        yield self._spanning(packet, time, end)

    def _late(self, index: int, of_all: bool) -> Iterator["Packet[Stream]"]:
        """Yield what is shown at the start: of a stream that goes on after it, or of all."""
        for number in list(self._shown) if of_all else [index] if index in self._shown else []:
            shown = self._shown.pop(number)
            assert self.start is not None  # else nothing is held
            yield self._spanning(shown, self.start, self.start)

    def _spanning(
        self, packet: "Packet[Stream]", first: Fraction, end: Fraction
    ) -> "Packet[Stream]":
        """Return a packet that is shown from one time to another, but not beyond the part."""
        assert packet.time_base is not None
        if self.stop is not None:
            end = min(end, self.stop)
        begins = round(first / packet.time_base)
        was = packet.pts if packet.pts is not None else packet.dts
        if begins != was:
            packet.pts = packet.dts = begins
        if packet.duration:
            packet.duration = max(1, round(end / packet.time_base) - begins)
        return self._moved(packet)

    def _decodes(self, packet: "Packet[Stream]") -> bool:
        """Return whether a further film's packet lies after one of its key frames that are kept."""
        if packet.is_keyframe or self.start is None:
            self._begun.add(packet.stream.index)
        return packet.stream.index in self._begun

    def _moved(self, packet: "Packet[Stream]") -> "Packet[Stream]":
        if self.start is not None:
            assert packet.time_base is not None
            moved = round(self.start / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - moved
            packet.dts = None if packet.dts is None else packet.dts - moved
        return packet


def _is_empty_subtitle(packet: "Packet[Stream]") -> bool:
    return (
        packet.size == len(EMPTY_SUBTITLE)
        and packet.stream.type == "subtitle"
        and bytes(packet) == EMPTY_SUBTITLE
    )
