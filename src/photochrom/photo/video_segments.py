"""Write a coloured film in segments, and join them with everything else of the source.

A segment is a whole file, with its exact timestamps and the state of the colouring after it beside
it, so that a run that was ended goes on after the last whole one. Joining copies packets: of the
segments, and of the source's sound, subtitles, data, covers and attachments. Nothing is encoded
twice.

Timestamps are stored apart, in the order of the packets, because a segment's container rounds them.
Packets come in the order of decoding; the decoding timestamps are those of presentation, delayed by
as many frames as the codec reorders.
"""

import heapq
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photochrom.errors import UnwritablePhotoError
from photochrom.photo.atomic import atomic_target, unwritable
from photochrom.photo.matroska_display import ROOM, write_pixel_aspect
from photochrom.photo.video import VideoFacts, open_container, pyav
from photochrom.photo.video_codecs import Encoding, new_encoder
from photochrom.photo.video_decoding import Frame, rows_of
from photochrom.photo.video_frame_marks import FrameMarks
from photochrom.photo.video_others import other_packets
from photochrom.photo.video_streams import (
    TIMECODE,
    add_marker,
    copy_of,
    has_cover_in,
    kept_tags,
    not_held,
    timecode_of,
)
from photochrom.photo.video_timecode import later_timecode

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CONTAINERS = {
    ".mkv": "matroska", ".webm": "webm", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov",
    ".3gp": "3gp", ".avi": "avi", ".flv": "flv",
    ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts",
}  # fmt: skip


class Segment(NamedTuple):
    """A finished part of a film.

    Attributes
    ----------
    path : Path
    pts, durations : int64 arrays, (n,)
        Of its frames, in units of the film's time base.
    order : int64 array, (n,)
        The same timestamps in the order of its packets.
    """

    path: Path
    pts: np.ndarray
    durations: np.ndarray
    order: np.ndarray


class SegmentWriter:
    """Encode frames to one segment; call `finish` to keep it or `discard` to remove it.

    Parameters
    ----------
    path : Path
        The segment's file, .mkv.
    encoding : Encoding
    facts : VideoFacts
    """

    def __init__(self, path: Path, encoding: Encoding, facts: VideoFacts) -> None:
        self.path, self.encoding, self.facts = path, encoding, facts
        self.pts: list[int] = []
        self.durations: list[int] = []
        self._order: list[int] = []
        self._marks = FrameMarks(encoding.plane.format, facts)
        self._part = path.with_suffix(".part")
        with self._writing():
            self._container = pyav().open(str(self._part), "w", format="matroska")
            try:
                self._stream = new_encoder(self._container, encoding, facts)
            except BaseException:
                self.discard()
                raise

    def add(self, frame: Frame, chroma: tuple[np.ndarray, np.ndarray]) -> None:
        """Encode a frame with its chroma planes; its luma is stored as it is."""
        av = pyav()
        picture = av.VideoFrame(self.facts.width, self.facts.height, self.encoding.plane.format)
        luma = widened(frame.luma, self.facts, self.encoding)
        for plane, samples in zip(picture.planes, (luma, *chroma), strict=True):
            rows = rows_of(plane).view(samples.dtype)
            height, width = samples.shape
            rows[:height, :width] = samples
            rows[:height, width:] = samples[:, -1:]  # where its lines are longer
        if frame.interlaced or self.facts.pixel_aspect != 1:
            picture = self._marks.on(picture, frame.interlaced)
        picture.pts, picture.time_base = frame.pts, self.facts.time_base
        picture.color_range = self._stream.codec_context.color_range
        picture.colorspace = self.facts.matrix
        self.pts.append(frame.pts)
        self.durations.append(frame.duration)
        self._encode(picture)

    def finish(self, state: dict[str, np.ndarray]) -> Segment:
        """Write what the encoder still holds, then the timestamps and a state."""
        self._encode(None)
        times = (self.pts, self.durations, self._order)
        pts, durations, order = (np.array(values, np.int64) for values in times)
        times_of = {"pts": pts, "durations": durations, "order": order}
        with self._writing():
            self._container.close()
            with self._part.with_suffix(".state").open("wb") as file:
                np.savez(file, allow_pickle=False, **times_of, **state)
            for part in (self._part, self._part.with_suffix(".state")):
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
            self._part.with_suffix(".state").replace(self.path.with_suffix(".npz"))
            self._part.replace(self.path)
        return Segment(self.path, pts, durations, order)

    def discard(self) -> None:
        """Remove an unfinished segment."""
        with suppress(OSError, pyav().error.FFmpegError):  # as on a full disk, which was said
            self._container.close()
        for suffix in (".part", ".state"):
            with suppress(OSError):
                self._part.with_suffix(suffix).unlink(missing_ok=True)

    def _encode(self, picture: "VideoFrame | None") -> None:
        with self._writing():
            for packet in self._stream.encode(picture):
                assert packet.pts is not None  # as every frame that is encoded has one
                self._order.append(packet.pts)
                if packet.dts is None or packet.dts > packet.pts:
                    packet.dts = packet.pts  # x265 leaves it undefined in segments of two frames
                self._container.mux(packet)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say which segment cannot be written, and why."""
        try:
            yield
        except (OSError, pyav().error.FFmpegError) as error:
            code = getattr(error, "errno", None)
            reason = error if isinstance(error, OSError) and code else str(error)
            raise unwritable(self.path, reason) from error


def widened(luma: np.ndarray, facts: VideoFacts, encoding: Encoding) -> np.ndarray:
    """Return luma in the bits that are stored; exact, as more bits only add zeros below."""
    more = encoding.plane.bits - facts.plane.bits
    if not more:
        return luma
    if facts.full_range:
        ratio = (2**encoding.plane.bits - 1) / (2**facts.plane.bits - 1)
        return np.asarray(np.round(luma * ratio), np.uint16)
    return luma.astype(np.uint16) << more


def read_segment(path: Path) -> tuple[Segment, dict[str, np.ndarray]] | None:
    """Return a finished segment with its state; None if it is missing or damaged."""
    try:
        with (
            path.with_suffix(".npz").open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            values = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    if not {"pts", "durations", "order", "next"} <= values.keys():
        return None
    segment = Segment(path, *(values.pop(name) for name in ("pts", "durations", "order")))
    return (segment, values) if _is_whole(segment) else None


def _is_whole(segment: Segment) -> bool:
    """Return whether a segment's file has all its packets, as it may not after a power failure."""
    try:
        return sum(1 for _ in _packets(segment.path)) == len(segment.order)
    except (OSError, pyav().error.FFmpegError):
        return False


class Window(NamedTuple):
    """The wanted part of a film, in units of its time base.

    Attributes
    ----------
    start : int or None
        The first timestamp, which becomes 0; None for the whole film, whose timestamps are kept.
    stop : int or None
        The first one no longer wanted.
    """

    start: int | None = None
    stop: int | None = None

    def seconds(self, facts: VideoFacts) -> tuple[Fraction | None, Fraction | None]:
        """Return both in seconds."""
        start, stop = (None if at is None else at * facts.time_base for at in self)
        return start, stop


def join_segments(
    segments: Sequence[Segment],
    facts: VideoFacts,
    encoding: Encoding,
    target: Path,
    marker: dict[str, str],
    window: Window,
) -> tuple[str, ...]:
    """Write the finished film: coloured segments, and all other streams of the source.

    Parameters
    ----------
    segments : sequence of Segment
        In order; at least one frame in all.
    facts : VideoFacts
    encoding : Encoding
        Of the segments.
    target : Path
        Its suffix chooses the container.
    marker : dict
        Written to the container's metadata as JSON.
    window : Window

    Returns
    -------
    tuple of str
        Notes on streams that the container cannot hold.

    Raises
    ------
    UnwritablePhotoError
        If the target cannot be written; no partial file is left.
    """
    av = pyav()
    try:
        with atomic_target(target) as part, open_container(facts.path) as source:
            format = CONTAINERS[target.suffix.lower()]
            flags = "faststart" if has_cover_in(source, format) else "use_metadata_tags+faststart"
            options = {"movflags": flags} if format in ("mp4", "mov", "3gp") else {}
            with av.open(str(part), "w", format=format, options=options) as out:
                notes = _join(out, source, segments, (facts, encoding), marker, window)
            if _needs_display_size(format, facts):
                with open_container(part) as container:
                    number = container.streams.video[0].index  # tracks come before covers
                # Where there is no room, `not_held` says so.
                write_pixel_aspect(part, number, facts.width, facts.height, facts.pixel_aspect)
            return (*notes, *not_held(part, source, facts, format))
    except av.error.FFmpegError as error:
        raise unwritable(target, error.strerror or str(error)) from error


def _needs_display_size(format: str, facts: VideoFacts) -> bool:
    return format in ("matroska", "webm") and facts.pixel_aspect != 1


def _join(
    out: "OutputContainer",
    source: "InputContainer",
    segments: Sequence[Segment],
    stored: tuple[VideoFacts, Encoding],
    marker: dict[str, str],
    window: Window,
) -> tuple[str, ...]:
    facts = stored[0]
    _copy_metadata(out, source, marker, window, facts)
    video, copied, notes = _add_streams(out, source, segments[0].path, *stored)
    _set_timecode(video, source, window, facts)
    ours = _timed(0, _segment_packets(segments, facts, window.start or 0), lambda _: video)
    others = other_packets(source, copied, *window.seconds(facts), facts.recordings)
    theirs = _timed(1, others, lambda packet: copied[packet.stream.index])
    for *_, packet, stream in heapq.merge(ours, theirs):
        packet.stream = stream
        out.mux(packet)
    return tuple(notes)


def _timed(
    rank: int,
    packets: Iterator["Packet[Stream]"],
    stream_of: Callable[["Packet[Stream]"], "Stream"],
) -> Iterator[tuple[float, int, int, "Packet[Stream]", "Stream"]]:
    """Yield (seconds, rank, number, packet, stream), as a merge by time needs them."""
    last = 0.0
    for number, packet in enumerate(packets):
        time = packet.dts if packet.dts is not None else packet.pts
        last = last if time is None else float(time * packet.time_base)
        yield last, rank, number, packet, stream_of(packet)


def _copy_metadata(
    out: "OutputContainer",
    source: "InputContainer",
    marker: dict[str, str],
    window: Window,
    facts: VideoFacts,
) -> None:
    out.metadata.update(kept_tags(source.metadata))
    add_marker(out, marker, has_cover_in(source, out.format.name))
    chapters = source.chapters()
    if chapters:
        out.set_chapters(_within(chapters, window, facts))


def _within(chapters: Sequence["Chapter"], window: Window, facts: VideoFacts) -> list["Chapter"]:
    """Return the chapters of a part of the film, moved to its start."""
    start, stop = window.seconds(facts)
    if start is None and stop is None:
        return list(chapters)
    start = start or Fraction(0)
    kept: list[Chapter] = []
    for chapter in chapters:
        unit = chapter["time_base"] or Fraction(1)
        first = max(chapter["start"] * unit, start)
        last = chapter["end"] * unit if stop is None else min(chapter["end"] * unit, stop)
        if first < last:
            moved = round((first - start) / unit), round((last - start) / unit)
            kept.append({**chapter, "start": moved[0], "end": moved[1]})
    return kept


def _add_streams(
    out: "OutputContainer",
    source: "InputContainer",
    segment: Path,
    facts: VideoFacts,
    encoding: Encoding,
) -> tuple["VideoStream", dict[int, "Stream"], list[str]]:
    """Add the coloured stream in the place of the source's, and copies, by index, of the others.

    The notes say what the container cannot hold.
    """
    copied: dict[int, Stream] = {}
    notes: list[str] = []
    for stream in source.streams:
        if stream.index == facts.stream:
            video = _coloured(out, segment, facts, encoding)
            if facts.rotation:
                video.set_display_rotation(facts.rotation)
            _describe_as(stream, video)
            if _needs_display_size(out.format.name, facts):
                video.metadata["title"] = video.metadata.get("title", "") + ROOM
        elif made := copy_of(out, source, stream, notes):
            copied[stream.index] = made
            _describe_as(stream, made)
    return video, copied, notes


def _set_timecode(
    video: "VideoStream", source: "InputContainer", window: Window, facts: VideoFacts
) -> None:
    """Give the coloured stream the film's timecode, at the start of the wanted part."""
    holders = (source.streams[facts.stream], *source.streams, source)
    found = next((timecode for holder in holders if (timecode := timecode_of(holder))), None)
    if found is None:
        return
    passed = (window.start or facts.origin) - facts.origin
    video.metadata[TIMECODE] = later_timecode(found, passed * facts.time_base, facts.rate)


def _describe_as(stream: "Stream", made: "Stream") -> None:
    """Copy a stream's tags and disposition."""
    made.metadata.update(kept_tags(stream.metadata))
    if made.type != "attachment":
        made.disposition = stream.disposition


def _coloured(
    out: "OutputContainer", segment: Path, facts: VideoFacts, encoding: Encoding
) -> "VideoStream":
    """Add the coloured stream.

    It is that of an encoder like the segments', which encodes nothing, and not a copy of theirs,
    because a copy lacks the frame rate.
    """
    video: VideoStream = new_encoder(out, encoding, facts)
    with pyav().open(str(segment)) as container:
        video.codec_context.extradata = container.streams.video[0].codec_context.extradata
    return video


def _segment_packets(
    segments: Sequence[Segment], facts: VideoFacts, start: int
) -> Iterator["Packet[Stream]"]:
    """Yield the segments' packets with exact timestamps, counted from a start."""
    delay = 0  # frames by which packets precede their turn at most
    for segment in segments:
        ranks = np.argsort(np.argsort(segment.order))
        delay = max(delay, int(np.max(np.arange(len(ranks)) - ranks, initial=0)))
    pts = np.concatenate([segment.pts for segment in segments])
    step = int(np.median(np.diff(pts))) if len(pts) > 1 else 1
    before = pts[0] - step * np.arange(delay, 0, -1)
    decoding = np.concatenate((before, pts))
    done = 0
    for segment in segments:
        for packet, exact in zip(_packets(segment.path), segment.order.tolist(), strict=True):
            packet.time_base = facts.time_base
            packet.pts, packet.dts = exact, int(decoding[done])
            packet.duration = int(segment.durations[np.searchsorted(segment.pts, packet.pts)])
            packet.pts, packet.dts = packet.pts - start, packet.dts - start
            done += 1
            yield packet


def _packets(path: Path) -> Iterator["Packet[Stream]"]:
    with pyav().open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield packet


def check_container(target: Path) -> None:
    """Raise UnwritablePhotoError if a target's container is not known."""
    if target.suffix.lower() not in CONTAINERS:
        raise UnwritablePhotoError(
            f"{target}: not a supported film container. Use {', '.join(sorted(CONTAINERS))}."
        )
