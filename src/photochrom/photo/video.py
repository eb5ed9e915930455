"""Open a film, describe it, and decode its frames, with PyAV.

A film's lightness is its luma plane. Frames of planar YUV keep that plane as it was decoded; other
formats (gray, RGB, packed YUV) are converted once to planar YUV of the same depth.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from photochrom.errors import UnreadablePhotoError, UnsupportedFormatError
from photochrom.extras import require
from photochrom.photo.sniff import still_kind
from photochrom.photo.video_joins import CLOCK, JOINABLE, Clock, Recording, find_recordings

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.format import VideoFormat
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

HDR_TRANSFERS = {16: "PQ (HDR10, Dolby Vision)", 18: "HLG"}  # of ITU-T H.273
LIMITED, FULL = 1, 2  # FFmpeg's color_range
BT709, UNSPECIFIED, BT601 = 1, 2, 6  # of ITU-T H.273, matrix coefficients
KNOWN_MATRICES = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114)}
KNOWN_MATRICES |= {7: (0.212, 0.087), 9: (0.2627, 0.0593)}
HD_LINES = 720  # from this height on, untagged films are BT.709, else BT.601
MOST_SIDE, MOST_PIXELS = 16384, 2**26  # twice 8K; a frame more takes gigabytes to encode
MOST_FAILURES = 100  # reads in a row that fail, before a film counts as ended
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
    recordings : tuple of Recording
        If several were put together; else empty.
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
    recordings: tuple[Recording, ...] = ()

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


def require_video() -> None:
    """Raise MissingExtraError unless films can be coloured."""
    require("video", "Colouring a film", "av", "cv2")


@cache
def pyav() -> ModuleType:
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


def open_container(path: Path) -> "InputContainer":
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
        opened: InputContainer = av.open(str(path), metadata_errors="replace", options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnreadablePhotoError(
            f"{path}: not a film that can be read, or its index is missing ({_reason(error)}). "
            "If it plays elsewhere, copy it again or remux it: ffmpeg -i IN -c copy OUT.mkv"
        ) from error
    return opened


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
    if (still := still_kind(path)) is not None:
        kind, suffix = still
        named = path.with_suffix(suffix).name
        to_do = f" Rename it to {named}; then it is coloured as a photograph." if suffix else ""
        raise UnreadablePhotoError(f"{path}: not a film but a file of kind {kind}.{to_do}")
    with open_container(path) as container:
        stream = _film_stream(container, path)
        _check_size(path, stream.width, stream.height)  # before one is decoded
        frame = _first_frame(container, stream, path)
        return _joined(_facts(path, container, stream, frame))


@lru_cache(maxsize=16)
def _recordings(path: Path, size: int, mtime_ns: int) -> tuple[tuple[Recording, ...], int]:
    """Return `find_recordings` of a file; its size and time tell whether it is still the same."""
    with open_container(path) as container:
        if container.format.name not in JOINABLE:
            return (), 0
        timed = [*container.streams.video, *container.streams.audio]
        return find_recordings(read_packets(container, timed))


def _joined(facts: VideoFacts) -> VideoFacts:
    """Return a film's facts with its recordings, if it consists of several."""
    state = facts.path.stat()
    found, end = _recordings(facts.path, state.st_size, state.st_mtime_ns)
    if not found:
        return facts
    begins = Fraction(found[0].begins, CLOCK)
    seconds = float(Fraction(end, CLOCK) - begins)
    return replace(
        facts,
        recordings=found,
        origin=round(begins / facts.time_base),
        seconds=seconds,
        frames=round(seconds * float(facts.rate)),
        notes=(*facts.notes, f"{len(found)} recordings in one file; their times go on"),
    )


def _film_stream(container: "InputContainer", path: Path) -> "VideoStream":
    """Return the first stream of moving pictures: not a cover, which is a picture attached."""
    av = pyav()
    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover and stream.codec_context is not None:
            return stream
    what = "only sound" if container.streams.audio else "no moving pictures"
    raise UnreadablePhotoError(f"{path}: the file holds {what}; there is nothing to colour.")


def _first_frame(container: "InputContainer", stream: "VideoStream", path: Path) -> "VideoFrame":
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


def _facts(
    path: Path, container: "InputContainer", stream: "VideoStream", frame: "VideoFrame"
) -> VideoFacts:
    av = pyav()
    time_base = stream.time_base or Fraction(1, av.time_base)
    transfer = int(frame.color_trc)
    if transfer in HDR_TRANSFERS:
        raise UnsupportedFormatError(
            f"{path}: high dynamic range film ({HDR_TRANSFERS[transfer]}) is not coloured. Convert "
            "it to standard range first, for instance with FFmpeg's zscale and tonemap filters."
        )
    _check_size(path, frame.width, frame.height)
    plane, notes = _plane_of(frame.format, path), []
    full = int(frame.color_range) == FULL or frame.format.name.startswith("yuvj")
    if int(frame.color_range) not in (LIMITED, FULL) and not _holds_colours(frame.format):
        full = True  # as FFmpeg reads gray that is not tagged
    matrix = int(frame.colorspace)
    if matrix not in KNOWN_MATRICES:
        matrix = BT709 if frame.height >= HD_LINES else BT601
    same_luma = {frame.format.name, frame.format.name.replace("yuvj", "yuv").replace("yuva", "yuv")}
    if plane.format not in same_luma and _holds_colours(frame.format):
        full = full or frame.format.is_rgb
        notes.append(f"frames of {frame.format.name} are reduced to their own luma")
    has_alpha = any(component.is_alpha for component in frame.format.components)
    if has_alpha or stream.metadata.get("alpha_mode") == "1":
        notes.append("left out: transparency")
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    seconds = float((stream.duration or 0) * time_base)
    if not seconds and container.duration:
        seconds = container.duration / av.time_base
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
        time_base=time_base,
        rate=Fraction(rate),
        rotation=round(frame.rotation / 90) * 90 % 360,
        pixel_aspect=Fraction(stream.sample_aspect_ratio or 1) or Fraction(1),
        interlaced=bool(frame.interlaced_frame),
        field_order=int(stream.codec_context.field_order),
        seconds=seconds,
        frames=stream.frames or round(seconds * float(rate)),
        stream=stream.index,
        # Players count from where a file begins, if that is after 0.
        origin=round(Fraction(max(0, container.start_time or 0), av.time_base) / time_base),
        is_timed=frame.pts is not None,
        notes=tuple(notes),
    )


def _check_size(path: Path, width: int, height: int) -> None:
    if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
        raise UnsupportedFormatError(
            f"{path}: frames of {width} x {height} are too large; a side may have {MOST_SIDE:,} "
            f"pixels, a frame {MOST_PIXELS / 1e6:.0f} million. Scale it first."
        )


def _holds_colours(format: "VideoFormat") -> bool:
    return len(format.components) >= 3 or format.has_palette


def _plane_of(format: "VideoFormat", path: Path) -> Plane:
    """Return the planar YUV format that keeps a format's luma and the size of its chroma."""
    bits = max(component.bits for component in format.components)
    bits = SHALLOW if bits <= SHALLOW else 10 if bits <= 10 else 12 if bits <= 12 else 16
    across, down = 1, 1
    if not format.is_rgb and len(format.components) >= 3:
        across = -(-1024 // format.chroma_width(1024))
        down = -(-1024 // format.chroma_height(1024))
    elif len(format.components) < 3 and not format.has_palette:  # gray: the size players expect
        across, down = 2, 2
    if (across, down) == (4, 4):  # of old codecs; its chroma is replaced
        across, down = 2, 2
    layout = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (4, 1): "411", (1, 2): "440"}
    if (across, down) not in layout:
        raise UnsupportedFormatError(f"{path}: frames of {format.name} are not read.")
    if layout[across, down] in ("411", "440") and bits > SHALLOW:
        across, down = 1, 1
    ending = "" if bits == SHALLOW else f"p{bits}le"
    name = f"yuv{layout[across, down]}p" + ending.removeprefix("p")
    return Plane(name, bits, across, down)


def read_packets(
    container: "InputContainer",
    streams: Sequence["Stream"],
    failed: Callable[[], None] = lambda: None,
    recordings: Sequence[Recording] = (),
) -> Iterator["Packet[Stream]"]:
    """Yield the packets of streams; places that cannot be read are passed over.

    Parameters
    ----------
    container : av.container.InputContainer
    streams : list of av.stream.Stream
    failed : callable
        Called for each such place.
    recordings : sequence of Recording
        Of the file; packets get times that go on.
    """
    clock = Clock(recordings)
    left = MOST_FAILURES
    while left:
        try:
            for packet in container.demux(streams):
                left = MOST_FAILURES
                clock.set(packet)
                yield packet
        except pyav().error.FFmpegError:
            failed()
            left -= 1
        else:
            return


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
