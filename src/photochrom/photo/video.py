"""Open a film, describe it, and decode its frames: the room that reads films with PyAV.

A film's lightness is its luma plane. Frames of planar YUV keep that plane as it was decoded; other
formats (gray, RGB, packed YUV) are converted once to planar YUV of the same depth.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from photochrom.errors import UnreadablePhotoError, UnsupportedFormatError
from photochrom.extras import require

HDR_TRANSFERS = {16: "PQ (HDR10, Dolby Vision)", 18: "HLG"}  # of ITU-T H.273
LIMITED, FULL = 1, 2  # FFmpeg's color_range
BT709, UNSPECIFIED, BT601 = 1, 2, 6  # of ITU-T H.273, matrix coefficients
KNOWN_MATRICES = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114)}
KNOWN_MATRICES |= {7: (0.212, 0.087), 9: (0.2627, 0.0593)}
HD_LINES = 720  # from this height on, untagged films are BT.709, else BT.601
MOST_SIDE = 16384
MOST_FAILURES = 100  # reads in a row that fail, before a film counts as ended
COLOURED, COLOURED_SHARE = 6, 1e-3  # codes of 8 bits from the middle; share of chroma samples
SHALLOW = 8
# FFmpeg's readers of film files. Others, such as those of playlists, open further files and
# addresses that a file names.
READERS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,mpegvideo,dv,flv,asf,mxf,ogg,h264,hevc,"
    "ivf,nut,gxf,rm,m4v,obu,yuv4mpegpipe,gif,apng,mp3,wav,flac,aac"
)


class Plane(NamedTuple):
    """How a format stores luma and chroma.

    Attributes
    ----------
    format : str
        FFmpeg's name of the planar YUV format that frames are converted to.
    bits : int
        Of a sample, 8 to 16.
    across, down : int
        Luma samples for each chroma sample, 1, 2 or 4.
    """

    format: str
    bits: int
    across: int
    down: int


@dataclass(frozen=True)
class VideoFacts:
    """What a film's file says about its pictures.

    Attributes
    ----------
    path : Path
    width, height : int
        As stored, before rotation.
    plane : Plane
        Of the frames that are coloured.
    source_format : str
        FFmpeg's name of the decoded format.
    full_range : bool
        Whether luma uses all codes, or 16 to 235 (of 8 bits).
    matrix : int
        Matrix coefficients of ITU-T H.273.
    has_colours : bool
        Whether the source format can hold colours.
    transfer, primaries : int
        Of ITU-T H.273; 2 is unspecified.
    time_base, rate : Fraction
        Seconds for each unit of a timestamp; frames a second.
    rotation : int
        Degrees, a multiple of 90, counter-clockwise, for display.
    pixel_aspect : Fraction
    interlaced : bool
    field_order : int
        As FFmpeg counts them.
    seconds : float
        0 if unknown.
    frames : int
        An estimate; 0 if unknown.
    stream : int
        Index of the coloured stream.
    origin : int
        Timestamp of the film's beginning, from which times are counted.
    is_timed : bool
        Whether its frames have timestamps.
    notes : tuple of str
        What was assumed.
    """

    path: Path
    width: int
    height: int
    plane: Plane
    source_format: str
    full_range: bool
    matrix: int
    has_colours: bool
    transfer: int
    primaries: int
    time_base: Fraction
    rate: Fraction
    rotation: int
    pixel_aspect: Fraction
    interlaced: bool
    field_order: int
    seconds: float
    frames: int
    stream: int
    origin: int = 0
    is_timed: bool = True
    notes: tuple[str, ...] = ()

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) as shown."""
        turned = self.rotation % 180 == 90
        return (self.height, self.width) if turned else (self.width, self.height)

    @property
    def weights(self) -> tuple[float, float]:
        """The shares of red and blue in luma."""
        return KNOWN_MATRICES[self.matrix]

    @property
    def is_gray(self) -> bool:
        """Whether the source format holds luma alone."""
        return not self.has_colours

    def seconds_at(self, pts: int) -> float:
        """Return the seconds from the film's beginning to a timestamp."""
        return float((pts - self.origin) * self.time_base)

    def timestamp_at(self, seconds: float) -> int:
        """Return the timestamp at seconds from the film's beginning."""
        return self.origin + round(Fraction(seconds) / self.time_base)


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
    damaged : bool
        Whether the decoder concealed an error in it.
    interlaced : bool
    """

    luma: np.ndarray
    pts: int
    duration: int
    damaged: bool
    interlaced: bool


def require_video() -> None:
    """Raise MissingExtraError unless films can be coloured."""
    require("video", "Colouring a film", "av", "cv2")


@cache
def pyav() -> Any:
    """Return the PyAV module.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    require_video()
    import av
    import av.logging

    av.logging.set_level(None)  # errors are raised; the decoder's chatter is not for people
    os.environ.setdefault("SVT_LOG", "1")  # likewise the chatter of the AV1 encoder
    return av


def open_container(path: Path) -> Any:
    """Open a film's file for reading.

    Raises
    ------
    UnreadablePhotoError
        If it is missing, empty, or of no known kind.
    """
    av = pyav()
    if path.is_dir():
        raise UnreadablePhotoError(f"{path}: is a folder; a film is needed.")
    if not path.is_file():
        raise UnreadablePhotoError(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise UnreadablePhotoError(f"{path}: the file is empty. Copy it again.")
    try:
        options = {"protocol_whitelist": "file", "format_whitelist": READERS}
        return av.open(str(path), metadata_errors="replace", options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnreadablePhotoError(
            f"{path}: not a film that can be read, or its index is missing ({_reason(error)}). "
            "If it plays elsewhere, copy it again or remux it: ffmpeg -i IN -c copy OUT.mkv"
        ) from error


def describe(path: str | Path) -> VideoFacts:
    """Read what a film's file says about its pictures.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    VideoFacts

    Raises
    ------
    UnreadablePhotoError
        If it cannot be read, or holds no moving pictures.
    UnsupportedFormatError
        If it is HDR, or its frames are too large or of a format that cannot be converted.
    """
    path = Path(path)
    with open_container(path) as container:
        stream = _film_stream(container, path)
        frame = _first_frame(container, stream, path)
        return _facts(path, container, stream, frame)


def _film_stream(container: Any, path: Path) -> Any:
    """Return the first stream of moving pictures: not a cover, which is a picture attached."""
    av = pyav()
    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover and stream.codec_context is not None:
            return stream
    what = "only sound" if container.streams.audio else "no moving pictures"
    raise UnreadablePhotoError(f"{path}: the file holds {what}; there is nothing to colour.")


def _first_frame(container: Any, stream: Any, path: Path) -> Any:
    av = pyav()
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue  # a damaged start: later packets may be whole
            for frame in frames:
                return frame
    except av.error.FFmpegError as error:
        raise UnreadablePhotoError(
            f"{path}: no frame can be decoded ({_reason(error)})."
        ) from error
    raise UnreadablePhotoError(
        f"{path}: no frame can be decoded. The file is cut short or damaged."
    )


def _facts(path: Path, container: Any, stream: Any, frame: Any) -> VideoFacts:
    context = stream.codec_context
    transfer = int(frame.color_trc)
    if transfer in HDR_TRANSFERS:
        raise UnsupportedFormatError(
            f"{path}: high dynamic range film ({HDR_TRANSFERS[transfer]}) is not coloured. Convert "
            "it to standard range first, for instance with FFmpeg's zscale and tonemap filters."
        )
    if max(frame.width, frame.height) > MOST_SIDE:
        raise UnsupportedFormatError(
            f"{path}: frames of {frame.width} x {frame.height} are too large; a side may have "
            f"{MOST_SIDE:,} pixels."
        )
    plane, notes = _plane_of(frame.format, path), []
    full = int(frame.color_range) == FULL or frame.format.name.startswith("yuvj")
    if int(frame.color_range) not in (LIMITED, FULL) and not _holds_colours(frame.format):
        full = True  # as FFmpeg reads gray that is not tagged
    matrix = int(frame.colorspace)
    if matrix not in KNOWN_MATRICES:
        matrix = BT709 if frame.height >= HD_LINES else BT601
    if plane.format != frame.format.name and _holds_colours(frame.format):
        full = full or frame.format.is_rgb
        notes.append(f"frames of {frame.format.name} are reduced to their own luma")
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    seconds = float((stream.duration or 0) * stream.time_base) if stream.duration else 0.0
    if not seconds and container.duration:
        seconds = container.duration / pyav().time_base
    return VideoFacts(
        path=path,
        width=frame.width,
        height=frame.height,
        plane=plane,
        source_format=frame.format.name,
        full_range=full,
        matrix=matrix,
        has_colours=_holds_colours(frame.format),
        transfer=transfer,
        primaries=int(frame.color_primaries),
        time_base=stream.time_base,
        rate=Fraction(rate),
        rotation=round(frame.rotation / 90) * 90 % 360,
        pixel_aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        interlaced=bool(frame.interlaced_frame),
        field_order=int(context.field_order),
        seconds=seconds,
        frames=stream.frames or round(seconds * float(rate)),
        stream=stream.index,
        origin=_origin(container, stream),
        is_timed=frame.pts is not None,
        notes=tuple(notes),
    )


def _origin(container: Any, stream: Any) -> int:
    """Return the timestamp from which players count: where a file begins, if after 0."""
    start = max(0, container.start_time or 0)
    unit: Fraction = stream.time_base
    return round(Fraction(start, pyav().time_base) / unit)


def _holds_colours(format: Any) -> bool:
    return len(format.components) >= 3 or format.has_palette


def _plane_of(format: Any, path: Path) -> Plane:
    """Return the planar YUV format that keeps a format's luma and the size of its chroma."""
    bits = max(component.bits for component in format.components)
    bits = SHALLOW if bits <= SHALLOW else 10 if bits <= 10 else 12 if bits <= 12 else 16
    across, down = 1, 1
    if not format.is_rgb and len(format.components) >= 3:
        across = -(-1024 // format.chroma_width(1024))
        down = -(-1024 // format.chroma_height(1024))
    elif len(format.components) < 3 and not format.has_palette:  # gray: the size players expect
        across, down = 2, 2
    layout = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (4, 1): "411", (1, 2): "440"}
    if (across, down) not in layout:
        raise UnsupportedFormatError(f"{path}: frames of {format.name} are not read.")
    if layout[across, down] in ("411", "440") and bits > SHALLOW:
        across, down = 1, 1
    ending = "" if bits == SHALLOW else f"p{bits}le"
    name = f"yuv{layout[across, down]}p" + ending.removeprefix("p")
    return Plane(name, bits, across, down)


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
    misplaced : int
        Frames whose time is not after that of the frame before them; they are left out.
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
        self.damaged = self.misplaced = self.untimed = self.resized = 0
        self.has_shown_colours = False

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        seeks = self._can_seek()
        with open_container(self.facts.path) as container:
            stream = container.streams[self.facts.stream]
            stream.thread_type = "AUTO"
            if seeks:
                container.seek(self.start, stream=stream)
            last: int | None = None
            for frame in self._decoded(container, stream):
                pts = self._timestamp(frame, last)
                if self.stop is not None and pts >= self.stop:
                    return
                if last is not None and pts <= last:
                    self.misplaced += 1
                    continue
                last = pts
                if self.start is None or pts >= self.start:
                    yield self._frame(frame, pts)

    def _can_seek(self) -> bool:
        """Return whether seeking leads to a whole frame at the start, or before it."""
        if self.start is None or not self.facts.is_timed:
            return False
        av = pyav()
        with open_container(self.facts.path) as container:
            stream = container.streams[self.facts.stream]
            try:
                container.seek(self.start, stream=stream)
                frame = next(container.decode(stream), None)
            except av.error.FFmpegError:  # no index, or damage: read from the beginning
                return False
        if frame is None or frame.pts is None:
            return False
        return bool(frame.key_frame and frame.pts <= self.start)

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        av = pyav()
        for packet in read_packets(container, [stream], self._failed):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self._failed()
                continue
            yield from frames

    def _failed(self) -> None:
        self.damaged += 1

    def _timestamp(self, frame: Any, last: int | None) -> int:
        if frame.pts is not None:
            return int(frame.pts)
        self.untimed += 1
        step = max(1, round(1 / (self.facts.rate * self.facts.time_base)))
        return 0 if last is None else last + step

    def _frame(self, frame: Any, pts: int) -> Frame:
        facts = self.facts
        self.damaged += bool(frame.is_corrupt)
        self.resized += (frame.width, frame.height) != (facts.width, facts.height)
        frame = self._converted(frame)
        self.has_shown_colours = self.has_shown_colours or self._shows_colours(frame)
        dtype = np.uint8 if facts.plane.bits == SHALLOW else np.uint16
        plane = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: facts.height]
        luma = rows[:, : facts.width * np.dtype(dtype).itemsize].copy().view(dtype)
        duration = int(frame.duration or 0)
        return Frame(luma, pts, duration, bool(frame.is_corrupt), bool(frame.interlaced_frame))

    def _converted(self, frame: Any) -> Any:
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

    def _shows_colours(self, frame: Any) -> bool:
        """Return whether a converted frame's chroma is more than noise."""
        bits = self.facts.plane.bits
        dtype = np.uint8 if bits == SHALLOW else np.uint16
        for plane in frame.planes[1:3]:
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size).view(dtype)
            samples = rows[: plane.height : 3, : plane.width : 3].astype(np.int32)
            away = np.abs(samples - 2 ** (bits - 1)) > COLOURED << (bits - SHALLOW)
            if away.mean() > COLOURED_SHARE:
                return True
        return False


def read_packets(
    container: Any, streams: list[Any], failed: Callable[[], None] = lambda: None
) -> Iterator[Any]:
    """Yield the packets of streams; places that cannot be read are passed over.

    Parameters
    ----------
    container : av.container.InputContainer
    streams : list of av.stream.Stream
    failed : callable
        Called for each such place.
    """
    left = MOST_FAILURES
    while left:
        try:
            for packet in container.demux(streams):
                left = MOST_FAILURES
                yield packet
        except pyav().error.FFmpegError:
            failed()
            left -= 1
        else:
            return


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
