"""Decode the frames of a film in order of presentation."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photochrom.photo.video import (
    FULL,
    LIMITED,
    SHALLOW,
    VideoFacts,
    open_container,
    pyav,
    read_packets,
)
from photochrom.photo.video_joins import Clock

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.plane import VideoPlane
    from av.video.stream import VideoStream

COLOURED, COLOURED_SHARE = 6, 1e-3  # codes of 8 bits from the middle; share of chroma samples


class Frame(NamedTuple):
    """A decoded frame.

    Attributes
    ----------
    luma : uint8 or uint16 array, (h, w)
        As stored.
    pts : int
        In units of the film's time base.
    duration : int
        0 if unknown.
    interlaced : bool
    """

    luma: np.ndarray
    pts: int
    duration: int
    interlaced: bool


def rows_of(plane: "VideoPlane") -> np.ndarray:
    """Return a plane's lines as they lie in memory, uint8 (h, bytes), without copying them."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


class Decoder:
    """Decode a film's frames in order of presentation, from a time on.

    Parameters
    ----------
    facts : VideoFacts
    start : int
        The first timestamp wanted, in units of the time base.
    stop : int, optional
        The first one no longer wanted.

    Attributes
    ----------
    damaged : int
        Packets and frames that the decoder could not read, or concealed.
    moved : int
        Frames whose time did not lie between those of their neighbours; it was set right.
    misplaced : int
        Frames for which there is no such time; they are left out.
    untimed : int
        Frames without a timestamp; they follow the frame before them at the film's rate.
    resized : int
        Frames of another size than the first, which were brought to its size.
    has_shown_colours : bool
        Whether a frame's own chroma is more than noise.
    """

    def __init__(
        self, facts: VideoFacts, start: int | None = None, stop: int | None = None
    ) -> None:
        self.facts, self.start, self.stop = facts, start, stop
        self.damaged = self.moved = self.misplaced = self.untimed = self.resized = 0
        self.has_shown_colours = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        seeks = self._can_seek()
        with open_container(self.facts.path) as container:
            stream = self._stream_in(container)
            stream.thread_type = "AUTO"
            if seeks and self.start is not None:
                container.seek(self.start, stream=stream)
            for frame, pts in self._timed(self._decoded(container, stream)):
                if self.stop is not None and pts >= self.stop:
                    return
                if self.start is None or pts >= self.start:
                    yield self._frame(frame, pts)

    def _timed(self, frames: Iterator["VideoFrame"]) -> Iterator[tuple["VideoFrame", int]]:
        """Yield frames with times that increase; each waits for the next, which shows its place."""
        last: int | None = None
        held: tuple[VideoFrame, int] | None = None
        for frame in frames:
            pts = self._timestamp(frame, last if held is None else held[1])
            if held is not None and (placed := self._placed(held[1], last, pts)) is not None:
                last = placed
                yield held[0], placed
            held = frame, pts
        if held is not None and (placed := self._placed(held[1], last, None)) is not None:
            yield held[0], placed

    def _placed(self, pts: int, last: int | None, following: int | None) -> int | None:
        """Return a frame's time, set right if it does not lie between those of its neighbours."""
        if last is None:
            if following is None or pts <= following:
                return pts
            self.moved += 1
            return following - self._step()
        if following is not None and last + 1 < following and not last < pts < following:
            self.moved += 1  # one wrong time must not cost all frames after it
            return (last + following) // 2
        if pts > last:
            return pts
        self.misplaced += 1
        return None

    def _step(self) -> int:
        """Return a frame's length at the film's rate."""
        return max(1, round(1 / (self.facts.rate * self.facts.time_base)))

    def _can_seek(self) -> bool:
        """Return whether seeking leads to a whole frame at the start, or before it."""
        if self.start is None or not self.facts.is_timed or self.facts.recordings:
            return False
        av = pyav()
        with open_container(self.facts.path) as container:
            stream = self._stream_in(container)
            try:
                container.seek(self.start, stream=stream)
                frame = next(container.decode(stream), None)
            except av.error.FFmpegError:  # no index, or damage: read from the beginning
                return False
        if frame is None or frame.pts is None:
            return False
        return bool(frame.key_frame and frame.pts <= self.start)

    def _stream_in(self, container: "InputContainer") -> "VideoStream":
        return next(s for s in container.streams.video if s.index == self.facts.stream)

    def _decoded(
        self, container: "InputContainer", stream: "VideoStream"
    ) -> Iterator["VideoFrame"]:
        recordings = self.facts.recordings
        clock, current = Clock(recordings), 0
        for packet in read_packets(container, [stream], self._failed):
            if recordings and clock.number_of(packet) != current:
                current = clock.number_of(packet)
                yield from self._decode(stream, None)  # what is still held of the one before
                stream.codec_context.flush_buffers()
            clock.set(packet)
            yield from self._decode(stream, packet)

    def _decode(
        self, stream: "VideoStream", packet: "Packet[Stream] | None"
    ) -> Sequence["VideoFrame"]:
        try:
            return stream.decode(packet)
        except pyav().error.FFmpegError:
            self._failed()
            return ()

    def _failed(self) -> None:
        self.damaged += 1

    def _timestamp(self, frame: "VideoFrame", last: int | None) -> int:
        if frame.pts is not None:
            return int(frame.pts)
        self.untimed += 1
        return 0 if last is None else last + self._step()

    def _frame(self, frame: "VideoFrame", pts: int) -> Frame:
        facts = self.facts
        self.damaged += bool(frame.is_corrupt)
        self.resized += (frame.width, frame.height) != (facts.width, facts.height)
        frame = self._converted(frame)
        self.has_shown_colours = self.has_shown_colours or self._shows_colours(frame)
        dtype = np.uint8 if facts.plane.bits == SHALLOW else np.uint16
        plane = frame.planes[0]
        rows = rows_of(plane)[: facts.height]
        luma = rows[:, : facts.width * np.dtype(dtype).itemsize].copy().view(dtype)
        duration = int(frame.duration or 0)
        return Frame(luma, pts, duration, bool(frame.interlaced_frame))

    def _converted(self, frame: "VideoFrame") -> "VideoFrame":
        """Return a frame of the film's size whose first plane is luma, changed only if needed."""
        facts = self.facts
        wanted = facts.plane.format
        if facts.is_gray:  # stays gray: to YUV, FFmpeg would change its range
            wanted = "gray" if facts.plane.bits == SHALLOW else f"gray{facts.plane.bits}le"
        same_size = (frame.width, frame.height) == (facts.width, facts.height)
        if same_size and frame.format.name in (wanted, wanted.replace("yuv", "yuvj")):
            return frame
        return frame.reformat(
            width=facts.width,
            height=facts.height,
            format=wanted,
            dst_colorspace=facts.matrix,
            dst_color_range=FULL if facts.full_range else LIMITED,
        )

    def _shows_colours(self, frame: "VideoFrame") -> bool:
        """Return whether a converted frame's chroma is more than noise."""
        bits = self.facts.plane.bits
        dtype = np.uint8 if bits == SHALLOW else np.uint16
        for plane in frame.planes[1:3]:
            rows = rows_of(plane).view(dtype)
            samples = rows[: plane.height : 3, : plane.width : 3].astype(np.int32)
            away = np.abs(samples - 2 ** (bits - 1)) > COLOURED << (bits - SHALLOW)
            if away.mean() > COLOURED_SHARE:
                return True
        return False
