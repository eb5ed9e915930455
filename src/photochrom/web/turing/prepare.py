"""Make a study: choose photographs, colour them through the engine, give them neutral names."""

import hashlib
import heapq
import io
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photochrom.color.difference import chroma
from photochrom.color.gamut import lab_to_rgb
from photochrom.color.gray import lightness
from photochrom.color.lab import rgb_to_lab
from photochrom.data.pictures import decode
from photochrom.data.sources import read_pictures
from photochrom.errors import (
    DataError,
    InvalidValueError,
    MissingExtraError,
    UnwritablePhotoError,
)
from photochrom.evaluation.outputs import match_outputs
from photochrom.extras import how_to_install
from photochrom.web.turing.study import DESCRIPTION, RAINBOW, Scene, Study

Bytes = NDArray[np.uint8]
Colour = Callable[[str, Bytes], Bytes]  # key, true picture -> coloured picture

LEAST_CHROMA = 5.0  # mean, ab units: what has less is gray, and there is nothing to tell apart
CHECK_CHROMA = 60.0  # nobody who looks can miss it
SPARE = 3  # so many candidates are kept for each photograph that is needed
MOST_SQUEEZE = 0.02  # of a rival's sides: rounding, not another picture


class _Drawn(NamedTuple):
    key: str
    image: bytes

    def rgb(self) -> Bytes:
        """Decode it at its stored size, as often as it is asked for: many would fill memory."""
        rgb = decode(self.image)
        assert rgb is not None  # or it had not been drawn
        return rgb


def prepare(
    data: Path,
    target: Path,
    *,
    methods: Sequence[str] = ("photochrom", "gray"),
    outputs: Mapping[str, Path] | None = None,
    pictures: int = 40,
    practice: int = 4,
    checks: int = 4,
    size_px: int = 256,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Study:
    """Make the folder of a study.

    Parameters
    ----------
    data : Path
        A Parquet file with a column `image`, or a folder of Parquet files or of pictures.
    target : Path
        A folder that does not exist yet: a study is made once.
    methods : sequence of str
        Names of the catalogue, or exported networks (.onnx).
    outputs : mapping of str to Path, optional
        Name -> folder of another program's coloured pictures, named as the photographs are.
    pictures, practice, checks : int
        Photographs that are judged; pairs with feedback before; attention checks among them.
    size_px : int
        Side of the square that is cut from each picture's middle and reduced.
    seed : int
        Of the choice, and later of each participant's order.
    progress : callable, optional
        Called with the number of photographs done.

    Returns
    -------
    Study

    Raises
    ------
    InvalidValueError
        If the folder exists, a number is out of its range, or a method needs a person's help.
    DataError
        If the data hold too few coloured photographs of the size, or another program's picture is
        missing, too small or of another shape.
    UnknownMethodError, WeightsError, MissingExtraError, UnwritablePhotoError
        If a method is unknown or not usable, Pillow is not installed, the folder not writable.
    """
    _check_numbers(pictures, practice, checks, size_px)
    if target.exists():
        raise InvalidValueError(
            f"{target}: exists. A study is made once, for its votes belong to it; name another."
        )
    colours = _colours(methods)
    if not colours and not outputs:
        raise InvalidValueError(
            "a study needs a method, or a folder of another program's pictures."
        )
    for name in outputs or ():
        _check_name(name, colours)
    judged, shown, checked = _choose(data, pictures, practice, checks, size_px, seed)
    for name, folder in (outputs or {}).items():
        files = match_outputs(name, folder, [one.key for one in (*judged, *shown)])
        colours[name] = _by_files(name, files, size_px)
    # The practice shows one method a pair, in turn.
    named = list(colours)
    asked = [(one, named) for one in judged]
    asked += [(one, [named[number % len(named)]]) for number, one in enumerate(shown)]
    names, scenes = _Names(seed), []
    for done, (one, used) in enumerate(asked, start=1):
        rgb = one.rgb()
        coloured = {name: _square(colours[name](one.key, rgb), size_px) for name in used}
        scenes.append(names.scene(one.key, _square(rgb, size_px), coloured))
        if progress is not None:
            progress(done)
    study = Study(
        seed,
        size_px,
        tuple(colours),
        practice=tuple(scenes[pictures:]),
        scenes=tuple(scenes[:pictures]),
        checks=tuple(_check(one, names, size_px) for one in checked),
    )
    _write(target, {**names.contents, DESCRIPTION: study.to_json().encode()})
    return study


def _check(one: _Drawn, names: "_Names", size_px: int) -> Scene:
    truth = _square(one.rgb(), size_px)
    return names.scene(one.key, truth, {RAINBOW: rainbow(truth)})


def rainbow(rgb: Bytes) -> Bytes:
    """Colour a picture as no photograph is: every hue from left to right, over whatever is there.

    Hues turned by half will not do: a violet pond turns olive, and ponds are olive.

    Parameters
    ----------
    rgb : uint8 array, (h, w, 3)
        sRGB.

    Returns
    -------
    uint8 array, (h, w, 3)
        The same lightness, a chroma of 60 where the gamut has it.
    """
    lab = rgb_to_lab(rgb.astype(np.float32) / 255)
    hue = np.linspace(0, 2 * np.pi, rgb.shape[1], endpoint=False, dtype=np.float32)
    lab[..., 1:] = CHECK_CHROMA * np.stack([np.cos(hue), np.sin(hue)], axis=-1)
    bounded: Bytes = np.rint(lab_to_rgb(lab).rgb * 255).astype(np.uint8)
    return bounded


def _check_numbers(pictures: int, practice: int, checks: int, size_px: int) -> None:
    if pictures < 1 or practice < 0 or checks < 0 or not 16 <= size_px <= 2048:
        raise InvalidValueError(
            "a study needs 1 picture or more, practice and checks of 0 or more, and a size of 16 "
            f"to 2048; they are {pictures}, {practice}, {checks} and {size_px}."
        )


def _colours(methods: Sequence[str]) -> dict[str, Colour]:
    """Open every method before any work."""
    from photochrom.engine.colorize import Colorizer

    colours: dict[str, Colour] = {}
    for method in methods:
        colorizer = Colorizer(method)
        if colorizer.info.requires:
            raise InvalidValueError(
                f"'{method}' needs {' and '.join(colorizer.info.requires)} for each photograph; "
                "a study asks only methods that colour by themselves."
            )
        name = colorizer.info.name
        name = Path(method).stem if name in colours else name
        _check_name(name, colours)
        colours[name] = _by_engine(colorizer)
    return colours


def _check_name(name: str, colours: Mapping[str, Colour]) -> None:
    if not name or name in colours or name == RAINBOW:
        raise InvalidValueError(f"every method needs a name of its own; {name!r} comes again.")


def _by_engine(colorizer: Any) -> Colour:
    """Colour as a person's scan is coloured: 8-bit gray in, 8-bit colours out, at full size."""

    def colour(key: str, rgb: Bytes) -> Bytes:
        gray = np.rint(lightness(rgb.astype(np.float32) / 255) * 255).astype(np.uint8)
        coloured = np.asarray(colorizer.colorize(gray))
        # A gray result has one plane; every picture of a study has three.
        three: Bytes = np.broadcast_to(np.atleast_3d(coloured), rgb.shape)
        return three

    return colour


def _by_files(name: str, files: Mapping[str, Path], size_px: int) -> Colour:
    def colour(key: str, rgb: Bytes) -> Bytes:
        coloured = decode(files[key].read_bytes())
        if coloured is None:
            raise DataError(f"{files[key]}: '{name}' has no picture there that can be decoded.")
        _check_shape(coloured, rgb, size_px, str(files[key]))
        return coloured

    return colour


def _check_shape(coloured: Bytes, rgb: Bytes, size_px: int, file: str) -> None:
    height, width = coloured.shape[:2]
    squeeze = (width / height) / (rgb.shape[1] / rgb.shape[0])
    if min(height, width) < size_px or abs(squeeze - 1) > MOST_SQUEEZE:
        raise DataError(
            f"{file}: needs the shape of the photograph ({rgb.shape[1]} x {rgb.shape[0]}) and a "
            f"short side of {size_px} or more, or its size would give it away; it has "
            f"{width} x {height}."
        )


def _choose(
    data: Path, pictures: int, practice: int, checks: int, size_px: int, seed: int
) -> tuple[list[_Drawn], list[_Drawn], list[_Drawn]]:
    """Draw photographs that have colours: to be judged, to practise, to check."""
    needed = pictures + practice + checks
    drawn: list[_Drawn] = []
    for key, image in _candidates(data, SPARE * needed, size_px, seed):
        rgb = decode(image, size_px)
        if rgb is None:
            continue
        lab = rgb_to_lab(rgb.astype(np.float32) / 255)
        if chroma(lab[..., 1:]).mean() >= LEAST_CHROMA:
            drawn.append(_Drawn(key, image))
        if len(drawn) == needed:
            break
    if len(drawn) < needed:
        raise DataError(
            f"{data}: {needed} coloured photographs with sides of {size_px} pixels or more are "
            f"needed (judged, practice and checks); {len(drawn)} were found. Give more data, or "
            "lower --pictures or --size."
        )
    judged, others = drawn[:pictures], drawn[pictures:]
    return judged, others[:practice], others[practice:]


def _candidates(data: Path, count: int, size_px: int, seed: int) -> list[tuple[str, bytes]]:
    """Draw so many pictures, key and file, in one pass over the data, by a hash of each."""

    def hashed() -> Iterator[tuple[str, int, str, bytes]]:
        for number, one in enumerate(read_pictures(data)):
            if _short_side_px(one.image) >= size_px:
                drawn = hashlib.sha256(f"{seed} {hashlib.sha256(one.image).hexdigest()}".encode())
                yield drawn.hexdigest(), number, one.key, one.image

    return [(key, image) for _, _, key, image in heapq.nsmallest(count, hashed())]


def _short_side_px(image: bytes) -> int:
    """Read the header alone; 0 for what is no picture."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingExtraError(
            f"Preparing a study needs Pillow, which is not installed. {how_to_install('evaluate')}"
        ) from error
    try:
        with Image.open(io.BytesIO(image)) as opened:
            return min(opened.size)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0


def _square(rgb: Bytes, size_px: int) -> Bytes:
    """Cut the square from the middle and reduce it; truth and coloured alike."""
    from PIL import Image

    height, width = rgb.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    picture = Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.LANCZOS, box=box)
    return np.asarray(picture)


class _Names:
    """Gives files names that say nothing, and keeps what will be in them."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"names {seed}")
        self.contents: dict[str, bytes] = {}

    def scene(self, key: str, truth: Bytes, coloured: Mapping[str, Bytes]) -> Scene:
        """Take in the pictures of a photograph."""
        return Scene(key, self._add(truth), {name: self._add(c) for name, c in coloured.items()})

    def _add(self, rgb: Bytes) -> str:
        from PIL import Image

        name = f"{self._chance.getrandbits(64):016x}.png"
        content = io.BytesIO()
        Image.fromarray(rgb).save(content, "PNG")  # of the pixels alone: no metadata to tell by
        self.contents[name] = content.getvalue()
        return name


def _write(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder that is whole or not there; by name and with one time, which tells nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise UnwritablePhotoError(f"{target}: cannot be made ({error.strerror}).") from error
    try:
        for name in sorted(contents):
            (part / name).write_bytes(contents[name])
            os.utime(part / name, (0, 0))
        part.chmod(0o755)
        part.rename(target)
    except OSError as error:
        raise UnwritablePhotoError(f"{target}: cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
