#!/usr/bin/env python3
"""How fast films are coloured, and how true each codec keeps their luma; see docs/benchmarks.md.

    python benchmarks/film_speed.py CLIP             # at 720 and 1080 lines, and the codecs

The clip is made gray and scaled, coloured with the default codec, and beside that only decoded and
encoded. The codecs' rate factors are judged by the SSIM of luma (Wang et al. 2004), per frame.
"""

import argparse
import os
import resource
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from skimage.metrics import structural_similarity

from photochrom.engine.page_colouring import PageColorizer
from photochrom.engine.video import VideoOptions, colorize_video
from photochrom.photo.video import describe, pyav
from photochrom.photo.video_codecs import CODECS, choose_encoding
from photochrom.photo.video_decoding import Decoder
from photochrom.photo.video_segments import SegmentWriter, widened

MOST_FRAMES = 240
JUDGED_EVERY = 12


def gray_clip(clip: Path, target: Path, lines: int, most: int = MOST_FRAMES) -> Path:
    """Write a clip in gray at a number of lines: H.264, like most films that people have."""
    with pyav().open(str(clip)) as source, pyav().open(str(target), "w") as out:
        stream = None
        for number, frame in enumerate(source.decode(video=0)):
            if number == most:
                break
            width = round(frame.width * lines / frame.height / 2) * 2
            gray = frame.reformat(width, lines, "gray").reformat(format="yuv420p")
            if stream is None:
                stream = out.add_stream("libx264", rate=source.streams.video[0].average_rate)
                stream.width, stream.height, stream.pix_fmt = width, lines, "yuv420p"
                stream.options = {"crf": "20", "preset": "veryfast"}
            gray.pts, gray.time_base = number, 1 / Fraction(stream.average_rate)
            out.mux(stream.encode(gray))
        out.mux(stream.encode(None))
    return target


def copy(clip: Path, folder: Path, codec: str) -> tuple[int, float]:
    """Decode and encode a clip without colours; return its frames and the seconds."""
    began = time.monotonic()
    facts = describe(clip)
    encoding, _ = choose_encoding(codec, facts, None)
    writer = SegmentWriter(folder / f"{clip.stem}-{codec}-copy.mkv", encoding, facts)
    plane, frames = encoding.plane, 0
    size = (-(-facts.height // plane.down), -(-facts.width // plane.across))
    middle = np.full(size, 2 ** (plane.bits - 1), np.uint8 if plane.bits == 8 else np.uint16)
    for frame in Decoder(facts):
        writer.add(frame, (middle, middle))
        frames += 1
    writer.finish({})
    return frames, time.monotonic() - began


def similarity(clip: Path, other: Path, codec: str) -> tuple[float, float]:
    """Return the mean and the least SSIM of luma between two films."""
    facts, theirs = describe(clip), describe(other)
    encoding, _ = choose_encoding(codec, facts, None)
    found = []
    for number, (one, two) in enumerate(zip(Decoder(facts), Decoder(theirs), strict=True)):
        if number % JUDGED_EVERY == 0:
            luma = widened(one.luma, facts, replace_bits(encoding, theirs))
            top = 2.0**theirs.plane.bits - 1
            found.append(structural_similarity(luma, two.luma, data_range=top))
    return float(np.mean(found)), float(np.min(found))


def replace_bits(encoding, facts):
    """Return an encoding in the format that a film really has."""
    return encoding._replace(plane=replace(facts).plane)


def main() -> None:
    """Print a table of speeds and one of codecs."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--codecs", action="store_true", help="judge the codecs as well")
    given = parser.parse_args()
    colorizer = PageColorizer()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for lines in (720, 1080):
            clip = gray_clip(given.clip, folder / f"{lines}.mp4", lines)
            began = time.monotonic()
            done = colorize_video(clip, folder / f"{lines}-color.mp4", colorizer=colorizer)
            seconds = time.monotonic() - began
            frames, alone = copy(clip, folder, "h264")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{lines} lines: {done.frames / seconds:.1f} frames a second ({done.keys} keys in "
                f"{done.frames} frames); decode and encode alone {frames / alone:.1f}; "
                f"peak {peak:.0f} MB",
                flush=True,
            )
        if not given.codecs:
            return
        clip = gray_clip(given.clip, folder / "short.mp4", 720, 48)
        for codec in CODECS:
            options = VideoOptions(codec=codec, steady=True)
            target = folder / f"short-{codec}.mkv"
            colorize_video(clip, target, colorizer=colorizer, options=options)
            mean, least = similarity(clip, target, codec)
            size = target.stat().st_size / 1e6
            print(f"{codec}: SSIM of luma {mean:.4f}, least {least:.4f}; {size:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
