"""Write a coloured film in segments, and join them with everything else of the source.

A segment is a whole file, with its exact timestamps and the state of the colouring after it beside
it, so that a run that was ended goes on after the last whole one. Joining copies packets: of the
segments, and of the source's sound, subtitles, data, covers and attachments. Nothing is encoded
twice.

Timestamps are stored apart because a segment's container rounds them. Packets come in the order of
decoding; the n-th packet by its rounded timestamp has the n-th exact one, and the decoding
timestamps are those of presentation, delayed by as many frames as the codec reorders.
"""

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from photochrom.errors import UnwritablePhotoError
from photochrom.photo.atomic import atomic_target, unwritable
from photochrom.photo.video import Frame, VideoFacts, open_container, pyav
from photochrom.photo.video_codecs import Encoding, new_encoder

MARKER_KEY = "photochrom"  # of the container's metadata
CONTAINERS = {
    ".mkv": "matroska", ".webm": "webm", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov",
    ".3gp": "3gp", ".avi": "avi", ".flv": "flv",
    ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts",
}  # fmt: skip
MOST_REORDERED = 64  # frames


class Segment(NamedTuple):
    """A finished part of a film.

    Attributes
    ----------
    path : Path
    pts, durations : int64 arrays, (n,)
        In units of the film's time base.
    """

    path: Path
    pts: np.ndarray
    durations: np.ndarray


class SegmentWriter:
    """Encode frames to one segment; a context manager that leaves a whole segment or none.

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
        self._part = path.with_suffix(".part")
        self._container = pyav().open(str(self._part), "w", format="matroska")
        self._stream = new_encoder(self._container, encoding, facts)

    def add(self, frame: Frame, chroma: tuple[np.ndarray, np.ndarray]) -> None:
        """Encode a frame with its chroma planes; its luma is stored as it is."""
        av = pyav()
        picture = av.VideoFrame(self.facts.width, self.facts.height, self.encoding.plane.format)
        luma = widened(frame.luma, self.facts, self.encoding)
        for plane, samples in zip(picture.planes, (luma, *chroma), strict=True):
            _fill(plane, samples)
        picture.pts, picture.time_base = frame.pts, self.facts.time_base
        picture.color_range = self._stream.codec_context.color_range
        picture.colorspace = self.facts.matrix
        self.pts.append(frame.pts)
        self.durations.append(frame.duration)
        self._encode(picture)

    def finish(self, state: dict[str, np.ndarray]) -> Segment:
        """Write what the encoder still holds, then the timestamps and a state."""
        self._encode(None)
        self._container.close()
        pts, durations = np.array(self.pts, np.int64), np.array(self.durations, np.int64)
        values: dict[str, Any] = {"pts": pts, "durations": durations, **state}
        with self._part.with_suffix(".npz").open("wb") as file:
            np.savez(file, **values)
        self._part.with_suffix(".npz").replace(self.path.with_suffix(".npz"))
        self._part.replace(self.path)
        return Segment(self.path, pts, durations)

    def discard(self) -> None:
        """Remove an unfinished segment."""
        self._container.close()
        self._part.unlink(missing_ok=True)

    def _encode(self, picture: Any) -> None:
        try:
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        except OSError as error:
            raise unwritable(self.path, error) from error


def widened(luma: np.ndarray, facts: VideoFacts, encoding: Encoding) -> np.ndarray:
    """Return luma in the bits that are stored; exact, as more bits only add zeros below."""
    more = encoding.plane.bits - facts.plane.bits
    if not more:
        return luma
    if facts.full_range:
        ratio = (2**encoding.plane.bits - 1) / (2**facts.plane.bits - 1)
        return np.asarray(np.round(luma * ratio), np.uint16)
    return luma.astype(np.uint16) << more


def _fill(plane: Any, samples: np.ndarray) -> None:
    """Copy samples, (h, w), to a plane, whose lines may be longer."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    line = np.ascontiguousarray(samples).view(np.uint8)
    rows[: len(line), : line.shape[1]] = line


def read_segment(path: Path) -> tuple[Segment, dict[str, np.ndarray]] | None:
    """Return a finished segment with its state; None if it is missing or damaged."""
    try:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as stored:
            values = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError):
        return None
    if not path.is_file() or "pts" not in values:
        return None
    return Segment(path, values.pop("pts"), values.pop("durations")), values


def join_segments(
    segments: Sequence[Segment],
    facts: VideoFacts,
    target: Path,
    marker: dict[str, str],
    window: tuple[int, int | None],
) -> tuple[str, ...]:
    """Write the finished film: coloured segments, and all other streams of the source.

    Parameters
    ----------
    segments : sequence of Segment
        In order; at least one frame in all.
    facts : VideoFacts
    target : Path
        Its suffix chooses the container.
    marker : dict
        Written to the container's metadata as JSON.
    window : (start, stop)
        Timestamps of the film's part, in its time base; stop may be None.

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
            is_mp4 = format in ("mp4", "mov", "3gp")
            options = {"movflags": "use_metadata_tags+faststart"} if is_mp4 else {}
            with av.open(str(part), "w", format=format, options=options) as out:
                return _join(out, source, segments, facts, marker, window)
    except av.error.FFmpegError as error:
        raise unwritable(target, error.strerror or str(error)) from error


def _join(
    out: Any,
    source: Any,
    segments: Sequence[Segment],
    facts: VideoFacts,
    marker: dict[str, str],
    window: tuple[int, int | None],
) -> tuple[str, ...]:
    shift = window[0] * facts.time_base
    _copy_metadata(out, source, marker, window, facts)
    video, copied, notes = _add_streams(out, source, segments[0].path, facts)
    ours = _timed(0, _segment_packets(segments, facts, window[0]), lambda _: video)
    stop = None if window[1] is None else window[1] * facts.time_base
    theirs = _timed(
        1, _other_packets(source, copied, shift, stop), lambda p: copied[p.stream.index]
    )
    for *_, packet, stream in heapq.merge(ours, theirs):
        packet.stream = stream
        out.mux(packet)
    return tuple(notes)


def _timed(rank: int, packets: Iterator[Any], stream_of: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield (seconds, rank, number, packet, stream), as a merge by time needs them."""
    for number, packet in enumerate(packets):
        time = packet.dts if packet.dts is not None else packet.pts
        yield (
            float((time or 0) * packet.time_base),
            id(stream_of) + number,
            packet,
            stream_of(packet),
        )


def _copy_metadata(
    out: Any, source: Any, marker: dict[str, str], window: tuple[int, int | None], facts: VideoFacts
) -> None:
    own = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
    for key, value in source.metadata.items():
        if key.lower() not in own:
            out.metadata[key] = value
    out.metadata[MARKER_KEY] = json.dumps(marker)
    chapters = source.chapters()
    if chapters:
        out.set_chapters(_within(chapters, window, facts))


def _within(
    chapters: Sequence[dict[str, Any]], window: tuple[int, int | None], facts: VideoFacts
) -> list[dict[str, Any]]:
    """Return the chapters of a part of the film, moved to its start."""
    start = window[0] * facts.time_base
    stop = None if window[1] is None else window[1] * facts.time_base
    kept = []
    for chapter in chapters:
        unit = Fraction(chapter["time_base"])
        first = max(chapter["start"] * unit, start)
        last = chapter["end"] * unit if stop is None else min(chapter["end"] * unit, stop)
        if first < last:
            moved = {"start": round((first - start) / unit), "end": round((last - start) / unit)}
            kept.append({**chapter, **moved})
    return kept


def _add_streams(
    out: Any, source: Any, segment: Path, facts: VideoFacts
) -> tuple[Any, dict[int, Any], list[str]]:
    """Add the coloured stream in the place of the source's, and copies of all others."""
    av = pyav()
    copied: dict[int, Any] = {}
    notes: list[str] = []
    video: Any = None
    for stream in source.streams:
        if stream.index == facts.stream:
            with av.open(str(segment)) as container:
                video = out.add_stream_from_template(container.streams.video[0])
            video.time_base = facts.time_base
            if facts.rotation:
                video.set_display_rotation(facts.rotation)
            made = video
        else:
            made = _copy_of(out, stream, notes)
            if made is None:
                continue
            copied[stream.index] = made
        for key, value in stream.metadata.items():
            made.metadata[key] = value
        made.disposition = stream.disposition
    return video, copied, notes


def _copy_of(out: Any, stream: Any, notes: list[str]) -> Any:
    """Add a stream like another, to be copied; None, with a note, if the container cannot."""
    av = pyav()
    kind = stream.type or "unknown"
    what = f"{kind} stream {stream.index}"
    if stream.codec_context is not None:
        what += f" ({stream.codec_context.name})"
    try:
        if kind == "attachment":
            return out.add_attachment(stream.name, stream.mimetype, stream.data)
        held = out.supported_codecs
        if stream.codec_context is not None and stream.codec_context.name not in held:
            codec = stream.codec_context.codec
            if codec.canonical_name not in held:
                raise ValueError("the container cannot hold it")
        return out.add_stream_from_template(stream)
    except (ValueError, av.error.FFmpegError, NotImplementedError, AttributeError):
        notes.append(f"left out: {what}, which {out.format.name} cannot hold")
        return None


def _segment_packets(segments: Sequence[Segment], facts: VideoFacts, start: int) -> Iterator[Any]:
    """Yield the segments' packets with exact timestamps, counted from a start."""
    delay = max(_reordered(segment.path) for segment in segments)
    pts = np.concatenate([segment.pts for segment in segments])
    step = int(np.median(np.diff(pts))) if len(pts) > 1 else 1
    before = pts[0] - step * np.arange(delay, 0, -1)
    decoding = np.concatenate((before, pts))
    done = 0
    for segment in segments:
        exact = dict(zip(sorted(_rounded(segment.path)), segment.pts.tolist(), strict=True))
        for packet in _packets(segment.path):
            packet.time_base = facts.time_base
            packet.pts, packet.dts = exact[packet.pts], int(decoding[done])
            packet.duration = int(segment.durations[np.searchsorted(segment.pts, packet.pts)])
            packet.pts, packet.dts = packet.pts - start, packet.dts - start
            done += 1
            yield packet


def _packets(path: Path) -> Iterator[Any]:
    with pyav().open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield packet


def _rounded(path: Path) -> list[int]:
    return [packet.pts for packet in _packets(path)]


def _reordered(path: Path) -> int:
    """Return by how many frames a segment's packets precede their turn at most."""
    order = np.argsort(np.argsort(_rounded(path)))
    return int(np.max(np.arange(len(order)) - order, initial=0))


def _other_packets(
    source: Any, copied: dict[int, Any], shift: Fraction, stop: Fraction | None
) -> Iterator[Any]:
    """Yield the packets of the other streams that lie in a part of the film, moved to its start."""
    wanted = [
        source.streams[index] for index in copied if source.streams[index].type != "attachment"
    ]
    if not wanted:
        return
    for packet in source.demux(wanted):
        if not packet.size or packet.pts is None:
            continue
        cover = packet.stream.disposition & pyav().stream.Disposition.attached_pic
        time = packet.pts * packet.time_base
        if not cover and (time < shift or (stop is not None and time >= stop)):
            continue
        moved = 0 if cover else round(shift / packet.time_base)
        packet.pts -= moved
        if packet.dts is not None:
            packet.dts -= moved
        yield packet


def check_container(target: Path) -> None:
    """Raise UnwritablePhotoError if a target's container is not known."""
    if target.suffix.lower() not in CONTAINERS:
        raise UnwritablePhotoError(
            f"{target}: no film container. Use {', '.join(sorted(CONTAINERS))}."
        )
