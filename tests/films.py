"""Films drawn in code, for the tests of several rooms."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import av
import av.filter
import numpy as np

from photochrom.engine.page_colouring import PageColorizer
from photochrom.engine.video import ColouredVideo, VideoOptions, colorize_video

HEIGHT, WIDTH = 72, 96
BLACK, WHITE = 16, 235
COVER = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x08\x00\x00\x00\x08\x08\x00\x00\x00\x00"
    b"\xe1d\xe1W\x00\x00\x00\x10IDATx\x9cc\x8cb\x80\x00&\x06\x8a\x18\x00\x1b~\x00j\x10\xc7\xebT"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)


def ground(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draw a texture, (height, width) float in [0, 1], with detail of several sizes."""
    random = np.random.default_rng(seed)
    whole = np.zeros((height, width))
    for cells, share in ((3, 0.5), (8, 0.3), (20, 0.2)):
        coarse = random.uniform(0, 1, (cells, cells))
        rows = np.linspace(0, cells - 1.001, height)
        columns = np.linspace(0, cells - 1.001, width)
        top, left = rows.astype(int)[:, None], columns.astype(int)[None]
        down, right = rows[:, None] - top, columns[None] - left
        whole += share * (
            coarse[top, left] * (1 - down) * (1 - right)
            + coarse[top + 1, left] * down * (1 - right)
            + coarse[top, left + 1] * (1 - down) * right
            + coarse[top + 1, left + 1] * down * right
        )
    return whole


def scene(
    count: int,
    seed: int = 0,
    *,
    height: int = HEIGHT,
    width: int = WIDTH,
    speed: float = 1.0,
    pan: float = 0.0,
) -> list[np.ndarray]:
    """Draw a disc that moves to the right on a texture: frames, (height, width) in [0, 1].

    `speed` is the disc's and `pan` the ground's, in pixels a frame.
    """
    wide = ground(seed, height, width + int(abs(pan) * count) + 1)
    disc = ground(seed + 100, height, width)
    rows, columns = np.mgrid[:height, :width]
    frames = []
    for number in range(count):
        offset = int(abs(pan) * number)
        picture = wide[:, offset : offset + width].copy()
        x, y = disc_centre(number, height, width, speed)
        inside = (rows - y) ** 2 + (columns - x) ** 2 < (height / 5) ** 2
        shift = round(number * speed)
        picture[inside] = 0.3 + 0.7 * np.roll(disc, shift, axis=1)[inside]
        frames.append(picture)
    return frames


def disc_centre(
    number: int, height: int = HEIGHT, width: int = WIDTH, speed: float = 1.0
) -> tuple[float, float]:
    """Return (x, y) of the disc in a frame of `scene`."""
    return width / 3 + speed * number, height / 2


def codes(picture: np.ndarray, bits: int = 8, full: bool = False) -> np.ndarray:
    """Return the luma codes of a picture in [0, 1]."""
    top = 2**bits - 1
    black, white = (0, top) if full else (BLACK << (bits - 8), WHITE << (bits - 8))
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.asarray(np.round(black + np.clip(picture, 0, 1) * (white - black)), dtype)


class Look(NamedTuple):
    """How a drawn film is stored; None leaves a tag out."""

    codec: str = "ffv1"
    format: str = "yuv420p"
    rate: Fraction = Fraction(24)
    time_base: Fraction | None = None
    full: bool = False
    range: int | None = None
    matrix: int | None = None
    primaries: int | None = None
    transfer: int | None = None
    aspect: Fraction | None = None
    rotation: int = 0
    field: str = ""
    options: Mapping[str, str] = MappingProxyType({})


LOOK = Look()


def new_stream(container: Any, look: Look, height: int, width: int) -> Any:
    """Add an encoder for a drawn film."""
    stream = container.add_stream(look.codec, rate=look.rate)
    stream.width, stream.height, stream.pix_fmt = width, height, look.format
    context = stream.codec_context
    context.time_base = look.time_base or 1 / look.rate
    stream.time_base = context.time_base
    if look.range:
        context.color_range = look.range
    for name, value in (
        ("colorspace", look.matrix),
        ("color_primaries", look.primaries),
        ("color_trc", look.transfer),
    ):
        if value is not None:
            setattr(context, name, value)
    if look.aspect:
        context.sample_aspect_ratio = look.aspect
    if look.field:
        context.flags |= av.codec.context.Flags.interlaced_dct
        context.field_order = {"tff": 2, "bff": 3}[look.field]
    stream.options = dict(look.options)
    return stream


def video_frame(picture: np.ndarray, look: Look) -> Any:
    """Return a frame of a picture in [0, 1]; its chroma, if it has any, is a sloping green."""
    height, width = picture.shape
    if look.format in ("rgb24", "bgr0", "gbrp", "pal8"):
        rgb = np.repeat(codes(picture, full=True)[..., None], 3, axis=-1)
        return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=look.format)
    frame = av.VideoFrame(width, height, look.format)
    bits = frame.format.components[0].bits
    for number, plane in enumerate(frame.planes):
        samples = codes(picture, bits, look.full)
        if number:
            samples = np.full((plane.height, plane.width), 108 << (bits - 8), samples.dtype)
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size).view(samples.dtype)
        rows[: len(samples), : samples.shape[1]] = samples
        rows[: len(samples), samples.shape[1] :] = samples[:, -1:]
    if look.range:
        frame.color_range = look.range
    return frame


class Fields:
    """Mark frames as interlaced, which PyAV's frames cannot be told directly."""

    def __init__(self, look: Look, height: int, width: int) -> None:
        self.graph = av.filter.Graph()
        source = self.graph.add_buffer(
            width=width, height=height, format=look.format, time_base=1 / look.rate
        )
        marked = self.graph.add("setfield", look.field)
        sink = self.graph.add("buffersink")
        source.link_to(marked)
        marked.link_to(sink)
        self.graph.configure()

    def __call__(self, frame: Any) -> Any:
        self.graph.push(frame)
        return self.graph.pull()


def write_film(
    path: Path,
    pictures: Sequence[np.ndarray],
    look: Look = LOOK,
    *,
    pts: Iterable[int] | None = None,
    extras: bool = False,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a film of pictures in [0, 1]; `extras` adds two sounds, subtitles and what belongs."""
    height, width = pictures[0].shape
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = new_stream(container, look, height, width)
        if look.rotation:
            stream.set_display_rotation(look.rotation)
        others = list(_add_others(container, path.suffix)) if extras else []
        marked = Fields(look, height, width) if look.field else lambda frame: frame
        times = list(pts) if pts is not None else list(range(len(pictures)))
        for time, picture in zip(times, pictures, strict=True):
            frame = video_frame(picture, look)
            frame.pts, frame.time_base = time, look.time_base or 1 / look.rate
            container.mux(stream.encode(marked(frame)))
        container.mux(stream.encode(None))
        for write in others:
            write()
    return path


def _add_others(container: Any, suffix: str) -> Iterator[Any]:
    """Add two sounds, subtitles, chapters, a cover and an attachment; yield what writes them."""
    second = Fraction(1, 1000)
    for hertz, language in ((440, "eng"), (660, "deu")):
        sound = container.add_stream("aac", rate=16000, layout="mono")
        sound.metadata["language"] = language
        yield lambda sound=sound, hertz=hertz: container.mux(
            packet for frame in _sound(hertz) for packet in sound.encode(frame)
        )
    kind = "mov_text" if suffix in (".mp4", ".mov") else "subrip"
    text = container.add_mux_stream(kind)
    text.time_base = second
    text.metadata["language"] = "fra"

    def subtitles() -> None:
        for at, line in ((0, b"One"), (400, b"Two")):
            packet = av.Packet(len(line).to_bytes(2, "big") + line if kind == "mov_text" else line)
            packet.stream, packet.time_base = text, second
            packet.pts = packet.dts = at
            packet.duration = 300
            container.mux(packet)

    yield subtitles
    container.set_chapters(
        [
            {"id": 1, "start": 0, "end": 500, "time_base": second, "metadata": {"title": "First"}},
            {"id": 2, "start": 500, "end": 900, "time_base": second, "metadata": {"title": "Next"}},
        ]
    )
    if suffix == ".mkv":
        container.add_attachment("cover.png", "image/png", COVER)
        container.add_attachment("notes.txt", "text/plain", b"Filmed in 1931.")
        return
    with av.open(io.BytesIO(COVER)) as picture:
        cover = container.add_stream_from_template(picture.streams.video[0], opaque=True)
        cover.disposition = av.stream.Disposition.attached_pic

    def picture_packet() -> None:
        packet = av.Packet(COVER)
        packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, second
        packet.is_keyframe = True
        container.mux(packet)

    yield picture_packet


def _sound(hertz: float, seconds: float = 1.0) -> Iterator[Any]:
    wave = np.sin(np.arange(int(16000 * seconds)) * 2 * np.pi * hertz / 16000)
    for first in range(0, len(wave), 1024):
        part = np.asarray(wave[first : first + 1024] * 8000, np.int16)[None]
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, first, Fraction(1, 16000)
        yield frame
    yield None


def read_planes(path: Path) -> list[tuple[np.ndarray, ...]]:
    """Decode a film's frames as their planes, cut to the frame's size."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            bits = frame.format.components[0].bits
            dtype = np.uint8 if bits == 8 else np.uint16
            planes = []
            for number, plane in enumerate(frame.planes):
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                width = frame.format.chroma_width(frame.width) if number else frame.width
                height = frame.format.chroma_height(frame.height) if number else frame.height
                planes.append(rows[:height].copy().view(dtype)[:, :width])
            found.append(tuple(planes))
    return found


def lumas(path: Path) -> list[np.ndarray]:
    """Decode a film's luma planes."""
    return [planes[0] for planes in read_planes(path)]


class Times(NamedTuple):
    """Of a frame, in seconds."""

    pts: Fraction
    duration: Fraction


def times(path: Path) -> list[Times]:
    """Return the exact times of a film's frames."""
    with av.open(str(path)) as container:
        return sorted(
            Times(packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
            for packet in container.demux(video=0)
            if packet.size
        )


def packets(path: Path) -> dict[int, list[tuple[Fraction | None, bytes]]]:
    """Return the packets of all streams but the first film: time in seconds, and bytes."""
    found: dict[int, list[tuple[Fraction | None, bytes]]] = {}
    with av.open(str(path)) as container:
        film = container.streams.video[0].index
        streams = [s for s in container.streams if s.index != film and s.type != "attachment"]
        for packet in container.demux(streams):
            if packet.size and packet.stream.index != film:
                at = None if packet.pts is None else packet.pts * packet.time_base
                found.setdefault(packet.stream.index, []).append((at, bytes(packet)))
    return found


def bare(path: Path, target: Path, format: str) -> Path:
    """Copy a film's first stream alone, such as to a raw stream without timestamps."""
    with av.open(str(path)) as source, av.open(str(target), "w", format=format) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return target


def broken(path: Path, target: Path, seed: int = 0) -> Path:
    """Copy a file with bytes changed in its middle."""
    content = bytearray(path.read_bytes())
    random = np.random.default_rng(seed)
    for at in random.integers(len(content) // 4, len(content) * 3 // 4, 12):
        content[at : at + 16] = random.bytes(16)
    target.write_bytes(content)
    return target


def coloured(film: Path, target: Path, **options: Any) -> ColouredVideo:
    """Colour a film by the method gray."""
    options.setdefault("codec", "ffv1")
    return colorize_video(
        film, target, colorizer=PageColorizer("gray"), options=VideoOptions(**options)
    )
