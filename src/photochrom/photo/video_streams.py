"""Copy what a film holds beside its pictures: sound, subtitles, data, covers, attachments, tags."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from photochrom.errors import PhotochromError
from photochrom.photo.video import VideoFacts, open_container, pyav, read_packets

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

MARKER_KEY = "photochrom"  # of the container's metadata
# Tags that describe the file they come from, not the film.
OWN_TAGS = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
OWN_TAGS |= {"bps", "number_of_frames", "number_of_bytes", "alpha_mode"}
OWN_TAGS |= {"timecode"}  # that of a part is later
ALSO_OWN = "_statistics_"  # the beginning of others
TRANSPORT = "mpegts"  # takes any stream, but players know these alone
KNOWN_IN_TRANSPORT = {
    "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vc1", "aac", "aac_latm", "ac3", "eac3",
    "dts", "mp2", "mp3", "opus", "truehd", "dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle",
}  # fmt: skip
HOLDS_ATTACHMENTS, HOLDS_COVERS = "matroska", "mp4"
TIMECODE = "timecode"  # the tag of a film and of its track
ASPECT_ERROR = 1e-3  # relative: containers and FFmpeg round the shape of pixels
# With a cover, MP4 holds no tags of our own, and the marker lies in this one after its own name.
INSTEAD_OF_MARKER = "keywords"


def kept_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return the tags that describe a film or a stream, not the file they come from."""
    return {
        key: value
        for key, value in tags.items()
        if key.lower().partition("-")[0] not in OWN_TAGS and not key.lower().startswith(ALSO_OWN)
    }


def copy_of(
    out: "OutputContainer", source: "InputContainer", stream: "Stream", notes: list[str]
) -> "Stream | None":
    """Add a stream like one of the source, to be copied.

    Parameters
    ----------
    out, source : PyAV containers
    stream : PyAV stream
        Of the source.
    notes : list of str
        What the container cannot hold is added to it.

    Returns
    -------
    PyAV stream or None
        None if the container cannot hold it, or makes it itself.
    """
    if _is_chapter_track(stream, source) or is_timecode(stream):
        return None
    attaches = out.format.name == HOLDS_ATTACHMENTS
    if isinstance(stream, pyav().stream.AttachmentStream) and attaches:
        return out.add_attachment(stream.name or "attachment", stream.mimetype or "", stream.data)
    if is_cover(stream) and attaches:
        tags = stream.metadata
        kind = stream.codec_context.name if stream.codec_context else "png"
        suffix, mimetype = ("jpg", "image/jpeg") if kind == "mjpeg" else (kind, f"image/{kind}")
        name = tags.get("filename", f"cover.{suffix}")
        return out.add_attachment(name, tags.get("mimetype", mimetype), _picture(source, stream))
    holds_kind = stream.type != "attachment" and (
        not is_cover(stream) or out.format.name == HOLDS_COVERS
    )
    if holds_kind and _holds(out.format.name, stream):
        return out.add_stream_from_template(stream, opaque=True)
    notes.append(f"left out: {_described(stream)}, which {out.format.name} cannot hold")
    return None


def is_cover(stream: "Stream") -> bool:
    """Return whether a stream is a picture attached to the film."""
    return bool(stream.disposition & pyav().stream.Disposition.attached_pic)


def _is_chapter_track(stream: "Stream", source: "InputContainer") -> bool:
    """Return whether a stream holds the chapters' names in MP4, which the writer makes itself."""
    in_mp4 = "mp4" in source.format.name
    is_text = stream.type == "data" and stream.name == "bin_data"
    return in_mp4 and is_text and bool(source.chapters())


def is_timecode(stream: "Stream") -> bool:
    """Return whether a stream is a track of timecodes, which writers make from the film's tag."""
    return stream.type == "data" and timecode_of(stream) is not None


def timecode_of(stream: "Stream | InputContainer") -> str | None:
    """Return the timecode in a stream's or file's tags, whatever the case of its name."""
    found = (value for key, value in stream.metadata.items() if key.lower() == TIMECODE)
    return next(found, None)


def _holds(format: str, stream: "Stream") -> bool:
    """Return whether a container can hold a stream, by writing an empty file with it."""
    av = pyav()
    context = stream.codec_context
    if format == TRANSPORT:
        return context is not None and context.codec.canonical_name in KNOWN_IN_TRANSPORT
    try:
        with av.open(io.BytesIO(), "w", format=format) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
    except (ValueError, OSError, NotImplementedError, av.error.FFmpegError):
        return False
    return True


def _described(stream: "Stream") -> str:
    what = f"{stream.type or 'unknown'} stream {stream.index}"
    if stream.codec_context is not None:
        return f"{what} ({stream.codec_context.name})"
    return f"{what} ({stream.name})" if stream.name else what


def _picture(source: "InputContainer", stream: "Stream") -> bytes:
    """Return the bytes of a cover."""
    with open_container(Path(source.name)) as container:
        for packet in read_packets(container, [container.streams[stream.index]]):
            if packet.size and packet.stream.index == stream.index:
                return bytes(packet)
    return b""


def has_cover_in(source: "InputContainer", format: str) -> bool:
    """Return whether a source has a cover that a container holds beside, not among, its tags."""
    return format == HOLDS_COVERS and any(is_cover(stream) for stream in source.streams.video)


def marker_of(path: Path) -> dict[str, str] | None:
    """Return the marker that a film carries, if photochrom wrote it; None if not, or unreadable."""
    try:
        with open_container(path) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
        kept = tags.get(INSTEAD_OF_MARKER, "").removeprefix(f"{MARKER_KEY} ")
        found = json.loads(tags.get(MARKER_KEY) or kept)
    except (PhotochromError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def add_marker(out: "OutputContainer", marker: dict[str, str], has_cover: bool) -> None:
    """Add the marker to a container's tags."""
    said = json.dumps(marker)
    if has_cover:
        out.metadata.setdefault(INSTEAD_OF_MARKER, f"{MARKER_KEY} {said}")
    else:
        out.metadata[MARKER_KEY] = said


def not_held(
    written: Path, source: "InputContainer", facts: VideoFacts, format: str
) -> Iterator[str]:
    """Yield notes on what a written film does not hold of a source, beside its streams."""
    with open_container(written) as container:
        film = container.streams.video[0]
        aspect = film.sample_aspect_ratio or 1
        has_timecode = any(timecode_of(tagged) for tagged in (film, container))
        held = {key.lower() for key in container.metadata}
        if source.chapters() and not container.chapters():
            yield f"left out: chapters, which {format} cannot hold"
    if not has_timecode and any(map(timecode_of, (source, *source.streams))):
        yield f"left out: the timecode, which {format} cannot hold"
    if abs(aspect / facts.pixel_aspect - 1) > ASPECT_ERROR:
        shape = f"{facts.pixel_aspect.numerator}:{facts.pixel_aspect.denominator}"
        yield f"left out: the shape of pixels, {shape}, which cannot be written to {format}"
    lost = [key for key in kept_tags(source.metadata) if key.lower() not in held]
    if lost:
        yield f"left out: metadata ({', '.join(sorted(lost))}), which {format} cannot hold"
    if marker_of(written) is None:
        yield f"left out: photochrom's marker, which {format} cannot hold"
