"""Choose how a coloured film is encoded: codec, pixel format, container."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from photochrom.errors import InvalidValueError, UnsupportedFormatError
from photochrom.photo.video import FULL, LIMITED, Plane, VideoFacts, pyav

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

DEFAULT_CODEC = "h264"


class Codec(NamedTuple):
    """An encoder and its settings.

    Attributes
    ----------
    encoder : str
        FFmpeg's name.
    formats : tuple of str
        Pixel formats that it stores, as FFmpeg names them.
    quality : tuple of int
        Best, default and worst rate factor; empty for a codec without one.
    options : dict
        Others.
    suffixes : tuple of str
        Of the containers that hold it.
    is_even : bool
        Whether it stores whole chroma samples only.
    least_side : int
        Of a frame, pixels.
    """

    encoder: str
    formats: tuple[str, ...]
    quality: tuple[int, ...]
    options: dict[str, str]
    suffixes: tuple[str, ...]
    is_even: bool = False
    least_side: int = 1


_EIGHT = ("yuv420p", "yuv422p", "yuv444p")
_TEN = tuple(f"{name}10le" for name in _EIGHT)
_TWELVE = tuple(f"{name}12le" for name in _EIGHT)
_SIXTEEN = tuple(f"{name}16le" for name in _EIGHT)
_MP4 = (".mp4", ".m4v", ".mov", ".mkv")
# The default rate factors keep the luma's SSIM at 0.99 or more; see docs/benchmarks.md.
CODECS = {
    "h264": Codec("libx264", (*_EIGHT, *_TEN), (0, 16, 51),
                  {"preset": "medium", "rc-lookahead": "10"},  # less memory than the preset's 40
                  (*_MP4, ".ts", ".m2ts", ".mts", ".flv", ".3gp"), is_even=True),
    "h265": Codec("libx265", (*_EIGHT, *_TEN, *_TWELVE), (0, 17, 51),
                  {"preset": "fast", "x265-params": "log-level=none"}, (*_MP4, ".ts"),
                  is_even=True, least_side=16),
    "av1": Codec("libsvtav1", ("yuv420p", "yuv420p10le"), (1, 10, 63), {"preset": "8"},
                 (".mp4", ".mkv", ".webm"), least_side=64),  # 640 x 24 never ends
    "vp9": Codec("libvpx-vp9", (*_EIGHT, *_TEN, *_TWELVE), (0, 18, 63),
                 {"deadline": "good", "cpu-used": "4", "row-mt": "1", "b": "0"},
                 (".webm", ".mkv", ".mp4")),
    "ffv1": Codec("ffv1", (*_EIGHT, "yuv411p", "yuv440p", *_TEN, *_TWELVE, *_SIXTEEN), (),
                  {"level": "3", "g": "1", "slicecrc": "1"},
                  (".mkv", ".avi")),
    "prores": Codec("prores_ks", ("yuv422p10le", "yuv444p10le"), (), {"profile": "3"},
                    (".mov", ".mkv")),
}  # fmt: skip
# What a container cannot take is stored in this one.
OTHERWISE = ".mkv"
USUAL = (66, 4096)  # sides that every codec stores
TASKS = Path("/proc/self/task")  # the threads of this process, on Linux


class Encoding(NamedTuple):
    """How a film is encoded.

    Attributes
    ----------
    name : str
        A key of `CODECS`.
    plane : Plane
        Format of the encoded frames.
    crf : int or None
        Rate factor: smaller is better and larger.
    """

    name: str
    plane: Plane
    crf: int | None

    @property
    def codec(self) -> Codec:
        """The encoder and its settings."""
        return CODECS[self.name]


def choose_codec(name: str | None, target: Path | None) -> str:
    """Return the codec for a name, or for a target's container.

    Raises
    ------
    InvalidValueError
        If there is no such codec, or the container cannot hold it.
    """
    suffix = target.suffix.lower() if target is not None else ""
    if name is not None and name not in CODECS:
        raise InvalidValueError(f"--codec must be one of {', '.join(CODECS)}; got '{name}'.")
    if name is None:
        name = "vp9" if suffix == ".webm" else DEFAULT_CODEC
    if suffix and suffix not in CODECS[name].suffixes:
        others = [other for other, codec in CODECS.items() if suffix in codec.suffixes]
        instead = f", or --codec {' or '.join(others)}" if others else ""
        raise InvalidValueError(
            f"A file {suffix} cannot hold {name}. Use {', '.join(CODECS[name].suffixes)}{instead}."
        )
    return name


def target_suffix(codec: str, source: Path) -> str:
    """Return the suffix of a result: the source's, if that container holds the codec."""
    suffix = source.suffix.lower()
    return source.suffix if suffix in CODECS[codec].suffixes else OTHERWISE


def choose_encoding(name: str, facts: VideoFacts, crf: int | None) -> tuple[Encoding, list[str]]:
    """Choose the pixel format and the rate factor.

    Returns
    -------
    encoding : Encoding
    notes : list of str
        What the codec cannot hold.

    Raises
    ------
    InvalidValueError
        If the rate factor is out of its range.
    UnsupportedFormatError
        If the codec stores fewer bits than the film has.
    """
    codec, wanted = CODECS[name], facts.plane
    if crf is not None and not codec.quality:
        raise InvalidValueError(f"{name} has no rate factor; leave --crf out.")
    if crf is not None and not codec.quality[0] <= crf <= codec.quality[2]:
        best, _, worst = codec.quality
        raise InvalidValueError(f"--crf must be from {best} to {worst} for {name}; got {crf}.")
    notes = []
    if wanted.format in codec.formats and _holds_size(codec, wanted, facts):
        plane = wanted
    else:
        plane = _nearest(codec, facts, name)
        size = "" if _holds_size(codec, wanted, facts) else " of an odd size"
        notes.append(f"stored as {plane.format}: {name} does not hold {wanted.format}{size}")
    chosen = crf if crf is not None else codec.quality[1] if codec.quality else None
    encoding = Encoding(name, plane, chosen)
    _check_size(encoding, facts)
    return encoding, notes


def _check_size(encoding: Encoding, facts: VideoFacts) -> None:
    """Raise UnsupportedFormatError if a codec does not store frames of a film's size."""
    if _stores_size(encoding, facts):
        return
    others = [
        name
        for name, codec in CODECS.items()
        if codec.encoder != encoding.codec.encoder
        and encoding.plane.format in codec.formats
        and _stores_size(encoding._replace(name=name, crf=None), facts)
    ]
    instead = f" Use --codec {' or '.join(others)}." if others else " Scale it first."
    raise UnsupportedFormatError(
        f"{facts.path}: {encoding.name} does not store frames of {facts.width} x {facts.height}."
        + instead
    )


def _stores_size(encoding: Encoding, facts: VideoFacts) -> bool:
    """Return whether a codec stores a film's size; sizes that are not usual are tried."""
    sides = facts.width, facts.height
    if min(sides) < encoding.codec.least_side:
        return False
    if min(sides) >= USUAL[0] and max(sides) <= USUAL[1]:
        return True
    av = pyav()
    with av.open(io.BytesIO(), "w", format="matroska") as trial:
        try:
            new_encoder(trial, encoding, facts)
        except (av.error.FFmpegError, ValueError):
            return False
    return True


def _holds_size(codec: Codec, plane: Plane, facts: VideoFacts) -> bool:
    """Return whether a codec stores a film's size: some need whole chroma samples."""
    whole = facts.width % plane.across == 0 and facts.height % plane.down == 0
    return whole or not codec.is_even


def _nearest(codec: Codec, facts: VideoFacts, name: str) -> Plane:
    """Return the smallest format of a codec that holds a film's luma unchanged, or more bits."""
    wanted = facts.plane
    for bits in (8, 10, 12, 16):
        if bits < wanted.bits:
            continue
        for across, down, layout in ((2, 2, "420"), (2, 1, "422"), (1, 1, "444")):
            format = f"yuv{layout}p" + ("" if bits == 8 else f"{bits}le")
            plane = Plane(format, bits, across, down)
            if format not in codec.formats or not _holds_size(codec, plane, facts):
                continue
            if (across, down) <= (wanted.across, wanted.down):
                return plane
    kept = [n for n, other in CODECS.items() if wanted.format in other.formats]
    raise UnsupportedFormatError(
        f"{name} does not store {wanted.bits} bits ({wanted.format}). Use {' or '.join(kept)}."
    )


def new_encoder(
    container: "OutputContainer", encoding: Encoding, facts: VideoFacts
) -> "VideoStream":
    """Add an open encoded stream to a container, with the film's size, colours and time base."""
    av = pyav()
    codec = encoding.codec
    rate = facts.rate.limit_denominator(100_000) if facts.rate > 0 else Fraction(25)
    stream = cast("VideoStream", container.add_stream(codec.encoder, rate=rate))
    context = stream.codec_context
    stream.width, stream.height = facts.width, facts.height
    stream.pix_fmt = encoding.plane.format
    context.time_base = facts.time_base
    stream.time_base = facts.time_base
    context.sample_aspect_ratio = facts.pixel_aspect
    context.color_range = FULL if facts.full_range else LIMITED
    context.colorspace = facts.matrix
    context.color_primaries, context.color_trc = facts.primaries, facts.transfer
    context.flags |= av.codec.context.Flags.global_header
    context.field_order = facts.field_order
    context.thread_count = 0
    options: dict[str, object] = dict(codec.options)
    if encoding.crf is not None:
        options["crf"] = str(encoding.crf)
    if facts.interlaced:
        context.flags |= av.codec.context.Flags.interlaced_dct
        if codec.encoder == "libx264":
            options["x264-params"] = "tff=1" if facts.field_order in (0, 1, 2, 4) else "bff=1"
    stream.options = options
    with _normal_scheduling():
        context.open()
    return stream


@contextmanager
def _normal_scheduling() -> Iterator[None]:
    """Undo the real-time scheduling that an encoder sets for its threads and the calling one.

    SVT-AV1 does so when root runs it (as in many containers); threads and processes that are
    started later inherit it and starve all other programs.
    """
    if not hasattr(os, "sched_getscheduler") or not TASKS.is_dir():
        yield
        return
    policy, given = os.sched_getscheduler(0), os.sched_getparam(0)
    known = {task.name for task in TASKS.iterdir()}
    try:
        yield
    finally:
        begun = {task.name for task in TASKS.iterdir()} - known
        for thread in (0, *map(int, begun)):
            with suppress(OSError):  # it has ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, given)
