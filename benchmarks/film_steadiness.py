#!/usr/bin/env python3
"""How steady the colours of a film are, beside those of each frame alone; see docs/benchmarks.md.

    python benchmarks/film_steadiness.py CLIP...      # colour clips, which are made gray

Each clip is made gray with 16 bits, so that the rounding of 8-bit chroma, 0.3 ab units, is not
taken for flicker, and coloured twice, losslessly: steadily, and frame by frame. Measured on the
written films, 256 lines high: the warping error in ab units, how far a place's colour is from that
of the same place a frame before, where the flow between the true frames is sure (forward-backward
check); CIEDE2000 to the true colours; and the mean chroma.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from photochrom.color.difference import ciede2000
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.page_colouring import PageColorizer
from photochrom.engine.video import VideoOptions, colorize_video
from photochrom.photo.video import pyav

LINES = 256
SURE_PX, SURE_SHARE = 0.5, 0.05  # of the way back; of the motion


def frames(path: Path) -> Iterator[np.ndarray]:
    """Yield a film's frames as L*a*b*, `LINES` high."""
    with pyav().open(str(path)) as container:
        for frame in container.decode(video=0):
            rgb = frame.to_ndarray(format="rgb48le").astype(np.float32) / 65535
            width = round(rgb.shape[1] * LINES / rgb.shape[0])
            yield rgb_to_lab(cv2.resize(rgb, (width, LINES), interpolation=cv2.INTER_AREA))


def gray_clip(clip: Path, target: Path) -> Path:
    """Write a clip's luma with 16 bits, losslessly."""
    with pyav().open(str(clip)) as source, pyav().open(str(target), "w") as out:
        film = source.streams.video[0]
        stream = out.add_stream("ffv1", rate=film.average_rate)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv444p16le"
        for number, frame in enumerate(source.decode(film)):
            gray = frame.reformat(format="gray").reformat(format="yuv444p16le")
            gray.pts, gray.time_base = number, 1 / Fraction(film.average_rate)
            out.mux(stream.encode(gray))
        out.mux(stream.encode(None))
    return target


def measure(truth: Path, films: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Return each film's warping error and error to the truth, and the truth's warping error."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    sums = {name: {"warping": [], "ciede2000": [], "chroma": []} for name in films}
    sums["truth"] = {"warping": [], "ciede2000": [], "chroma": []}
    before: dict[str, np.ndarray] = {}
    for labs in zip(frames(truth), *map(frames, films.values()), strict=True):
        now = dict(zip(["truth", *films], labs, strict=True))
        if before:
            places, sure = paths(flow, now["truth"][..., 0], before["truth"][..., 0])
            if sure.mean() > 0.1:  # less is a cut
                for name, lab in now.items():
                    last = cv2.remap(before[name][..., 1:], *places, cv2.INTER_LINEAR)
                    change = np.linalg.norm(lab[..., 1:] - last, axis=-1)
                    sums[name]["warping"].append(float(change[sure].mean()))
        for name, lab in now.items():
            sums[name]["ciede2000"].append(float(ciede2000(lab, now["truth"]).mean()))
            sums[name]["chroma"].append(float(np.linalg.norm(lab[..., 1:], axis=-1).mean()))
        before = now
    return {
        name: {key: round(float(np.mean(value)), 4) for key, value in values.items()}
        for name, values in sums.items()
    }


def paths(flow: cv2.DISOpticalFlow, now: np.ndarray, before: np.ndarray) -> tuple:
    """Return where each place was a frame before, x and y, and where that is sure."""
    one, other = (np.clip(light * 2.55, 0, 255).astype(np.uint8) for light in (now, before))
    back, ahead = flow.calc(one, other, None), flow.calc(other, one, None)
    rows, columns = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
    x, y = columns + back[..., 0], rows + back[..., 1]
    home = back + cv2.remap(ahead, x, y, cv2.INTER_LINEAR, borderValue=(1e3, 1e3))
    allowed = SURE_PX + SURE_SHARE * np.linalg.norm(back, axis=-1)
    return (x, y), np.linalg.norm(home, axis=-1) < allowed


def main() -> None:
    """Colour the clips and print a table."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    colorizer = PageColorizer()
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for clip in given.clips:
            films: dict[str, Path] = {}
            gray = gray_clip(clip, Path(folder) / f"{clip.stem}-gray.mkv")
            for name, steady in (("steady", True), ("frame by frame", False)):
                films[name] = Path(folder) / f"{clip.stem}-{steady}.mkv"
                options = VideoOptions(codec="ffv1", steady=steady)
                colorize_video(gray, films[name], colorizer=colorizer, options=options)
            rows[clip.name] = measure(clip, films)
            for name, values in rows[clip.name].items():
                print(clip.name, name, *(f"{key} {value:.2f}" for key, value in values.items()))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
