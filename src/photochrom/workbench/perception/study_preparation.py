"""Prepare a study: select photographs, colour them with the engine, give them neutral names."""

import hashlib
import heapq
import io
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photochrom.color.arrays import Bytes
from photochrom.color.difference import chroma
from photochrom.color.gamut import lab_to_bytes
from photochrom.color.gray_conversions import lightness
from photochrom.color.lab import bytes_to_lab
from photochrom.errors import (
    DataError,
    InvalidValueError,
    UnwritableFileError,
)
from photochrom.extras import require
from photochrom.photo.resize import reduced_size
from photochrom.workbench.datasets.picture_files import READ_FORMATS, decode, resized
from photochrom.workbench.datasets.sources import read_pictures
from photochrom.workbench.evaluation.external_outputs import match_outputs
from photochrom.workbench.perception.study_files import (
    DESCRIPTION,
    PREFER,
    RAINBOW,
    REAL,
    TRUTH,
    Scene,
    Study,
    Task,
)

if TYPE_CHECKING:
    from photochrom.engine.colorize import Colorizer

Colour = Callable[[str, Bytes], Bytes]  # key, true picture -> coloured picture
Cut = Callable[[Bytes], Bytes]  # a picture at its stored size -> what is shown

LEAST_CHROMA = 5.0  # mean, ab units: what has less is gray, and there is nothing to tell apart
CHECK_CHROMA = 60.0  # nobody who looks can miss it
SPARE = 3  # so many candidates are kept for each photograph that is needed
SIZE_PX = {REAL: 256, PREFER: 1024}
LEAST_PX = 64  # short side of what a preference is asked for
MOST_SQUEEZE = 0.02  # of a rival's sides: rounding, not another picture


class _Drawn(NamedTuple):
    key: str
    image: bytes

    def rgb(self) -> Bytes:
        """Decode it at its stored size at each call, since many pictures would fill the memory."""
        rgb = decode(self.image)
        assert rgb is not None  # or it had not been drawn
        return rgb


def prepare(
    data: Path,
    target: Path,
    *,
    task: Task = "real",
    methods: Sequence[str] = ("photochrom", "gray"),
    outputs: Mapping[str, Path] | None = None,
    truth: bool = False,
    pictures: int = 40,
    practice: int = 4,
    checks: int = 4,
    size_px: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Study:
    """Create the folder of a study; the parameters are those of `photochrom study prepare`.

    Raises
    ------
    InvalidValueError
        If the folder exists, a number is out of its range, a preference has fewer than two
        colourings, or a method needs guidance.
    DataError
        If the data hold too few (coloured) photographs of the size, or another program's picture is
        missing, too small or of another shape.
    UnknownMethodError, WeightsError, MissingExtraError, UnwritableFileError
        If a method is unknown or not usable, Pillow is not installed, the folder not writable.
    """
    size_px = SIZE_PX[task] if size_px is None else size_px
    _check_begin(target, pictures, practice, checks, size_px)
    colours = _colours(methods)
    if truth:
        if task != PREFER:
            raise InvalidValueError("--truth is for a study of preferences: --task prefer.")
        colours[TRUTH] = lambda key, rgb: rgb
    for name in outputs or ():
        _check_name(name, colours)
    _check_alternatives(task, [*colours, *(outputs or ())])
    judged, shown, checked = _choose(data, task, pictures, practice, checks, size_px, seed)
    needed = [*judged, *shown, *(checked if task == PREFER else ())]
    for name, folder in (outputs or {}).items():
        files = match_outputs(name, folder, [one.key for one in needed])
        colours[name] = _by_files(name, files, task, size_px)
    names = _Names(seed)
    scenes = list(_scenes(judged, shown, colours, names, task, size_px, progress))
    beside = [*colours.items()]
    study = Study(
        seed,
        size_px,
        tuple(colours),
        practice=tuple(scenes[pictures:]),
        scenes=tuple(scenes[:pictures]),
        checks=tuple(
            _check(one, names, size_px, None if task == REAL else beside[number % len(beside)])
            for number, one in enumerate(checked)
        ),
        task=task,
    )
    _write(target, {**names.contents, DESCRIPTION: study.to_json().encode()})
    return study


def _scenes(
    judged: Sequence[_Drawn],
    shown: Sequence[_Drawn],
    colours: Mapping[str, Colour],
    names: "_Names",
    task: Task,
    size_px: int,
    progress: Callable[[int], None] | None,
) -> Iterator[Scene]:
    """Colour the judged photographs with all methods, and those for practice with one pair."""
    methods = list(colours)
    at_once = 1 if task == REAL else 2
    asked = [(one, methods) for one in judged]
    for number, one in enumerate(shown):  # the methods in turn
        asked.append((one, [methods[(number + n) % len(methods)] for n in range(at_once)]))
    for done, (one, used) in enumerate(asked, start=1):
        rgb = one.rgb()
        cut = _cut_of(task, rgb, size_px)
        coloured = {name: cut(colours[name](one.key, rgb)) for name in used}
        yield names.scene(one.key, cut(rgb) if task == REAL else None, coloured)
        if progress is not None:
            progress(done)


def _check(one: _Drawn, names: "_Names", size_px: int, beside: tuple[str, Colour] | None) -> Scene:
    """Return an attention check: a rainbow beside the truth, or beside a colouring."""
    rgb = one.rgb()
    cut = _cut_of(REAL if beside is None else PREFER, rgb, size_px)
    truth = cut(rgb)
    if beside is None:
        return names.scene(one.key, truth, {RAINBOW: rainbow(truth)})
    name, colour = beside
    return names.scene(one.key, None, {name: cut(colour(one.key, rgb)), RAINBOW: rainbow(truth)})


def rainbow(rgb: Bytes) -> Bytes:
    """Colour sRGB (h, w, 3) with every hue from left to right, as in no photograph.

    The same lightness, a chroma of 60 where the gamut has it. Hues turned by half will not do: a
    violet pond turns olive, and ponds are olive.
    """
    lab = bytes_to_lab(rgb)
    hue = np.linspace(0, 2 * np.pi, rgb.shape[1], endpoint=False, dtype=np.float32)
    lab[..., 1:] = CHECK_CHROMA * np.stack([np.cos(hue), np.sin(hue)], axis=-1)
    return lab_to_bytes(lab)


def _check_begin(target: Path, pictures: int, practice: int, checks: int, size_px: int) -> None:
    if pictures < 1 or practice < 0 or checks < 0 or not 16 <= size_px <= 2048:
        raise InvalidValueError(
            "a study needs 1 picture or more, practice and checks of 0 or more, and a size of 16 "
            f"to 2048; got {pictures}, {practice}, {checks} and {size_px}."
        )
    if target.exists():
        raise InvalidValueError(
            f"{target}: exists already, and votes may refer to it. Name another folder."
        )


def _check_alternatives(task: Task, names: Sequence[str]) -> None:
    if not names:
        raise InvalidValueError(
            "a study needs a method, or a folder of another program's pictures."
        )
    if task == PREFER and len(names) < 2:
        raise InvalidValueError(
            f"a preference needs two or more colourings; got only {names[0]!r}. Give another "
            "--method, --outputs or --truth."
        )


def _colours(methods: Sequence[str]) -> dict[str, Colour]:
    """Open all methods before any work."""
    from photochrom.engine.colorize import Colorizer

    colours: dict[str, Colour] = {}
    for method in methods:
        colorizer = Colorizer(method)
        if colorizer.info.requires:
            raise InvalidValueError(
                f"'{method}' needs {' and '.join(colorizer.info.requires)} for each photograph; "
                "a study can use only methods that need no guidance."
            )
        name = colorizer.info.name
        name = Path(method).stem if name in colours else name
        _check_name(name, colours)
        colours[name] = _by_engine(colorizer)
    return colours


def _check_name(name: str, colours: Mapping[str, Colour]) -> None:
    if not name or name in colours or name in (RAINBOW, TRUTH):
        raise InvalidValueError(f"every method needs a name of its own; {name!r} is used twice.")


def _by_engine(colorizer: "Colorizer") -> Colour:
    """Return a function that colours by the engine: 8-bit gray to 8-bit colours, at full size."""

    def colour(key: str, rgb: Bytes) -> Bytes:
        gray = np.rint(lightness(rgb.astype(np.float32) / 255) * 255).astype(np.uint8)
        coloured = np.asarray(colorizer.colorize(gray))
        # A gray result has one plane; every picture of a study has three.
        three: Bytes = np.broadcast_to(np.atleast_3d(coloured), rgb.shape)
        return three

    return colour


def _by_files(name: str, files: Mapping[str, Path], task: Task, size_px: int) -> Colour:
    def colour(key: str, rgb: Bytes) -> Bytes:
        coloured = decode(files[key].read_bytes())
        if coloured is None:
            raise DataError(f"{files[key]}: '{name}' has no picture there that can be decoded.")
        least_px = (
            size_px if task == REAL else min(reduced_size(rgb.shape[1], rgb.shape[0], size_px))
        )
        _check_shape(coloured, rgb, least_px, str(files[key]))
        return coloured

    return colour


def _check_shape(coloured: Bytes, rgb: Bytes, least_px: int, file: str) -> None:
    height, width = coloured.shape[:2]
    squeeze = (width / height) / (rgb.shape[1] / rgb.shape[0])
    if min(height, width) < least_px or abs(squeeze - 1) > MOST_SQUEEZE:
        raise DataError(
            f"{file}: needs the shape of the photograph ({rgb.shape[1]} x {rgb.shape[0]}) and a "
            f"short side of {least_px} or more, or its size would give it away; it has "
            f"{width} x {height}."
        )


def _choose(
    data: Path, task: Task, pictures: int, practice: int, checks: int, size_px: int, seed: int
) -> tuple[list[_Drawn], list[_Drawn], list[_Drawn]]:
    """Draw photographs to judge, for practice and for checks; for `real`, only coloured ones."""
    needed = pictures + practice + checks
    least_px = size_px if task == REAL else min(size_px, LEAST_PX)
    drawn: list[_Drawn] = []
    for key, image in _candidates(data, SPARE * needed, least_px, seed):
        rgb = decode(image, least_px)
        if rgb is None:
            continue
        if task == PREFER or chroma(bytes_to_lab(rgb)[..., 1:]).mean() >= LEAST_CHROMA:
            drawn.append(_Drawn(key, image))
        if len(drawn) == needed:
            break
    if len(drawn) < needed:
        raise DataError(
            f"{data}: {needed} {'coloured ' if task == REAL else ''}photographs with sides of "
            f"{least_px} pixels or more are needed (judged, practice and checks); {len(drawn)} "
            "were found. Give more data, or lower --pictures or --size."
        )
    judged, others = drawn[:pictures], drawn[pictures:]
    return judged, others[:practice], others[practice:]


def _candidates(data: Path, count: int, size_px: int, seed: int) -> list[tuple[str, bytes]]:
    """Draw pictures, key and file, in one pass over the data, by a hash of each."""

    def hashed() -> Iterator[tuple[str, int, str, bytes]]:
        for number, one in enumerate(read_pictures(data)):
            if _short_side_px(one.image) >= size_px:
                drawn = hashlib.sha256(f"{seed} {hashlib.sha256(one.image).hexdigest()}".encode())
                yield drawn.hexdigest(), number, one.key, one.image

    return [(key, image) for _, _, key, image in heapq.nsmallest(count, hashed())]


def _short_side_px(image: bytes) -> int:
    """Return the short side from the header; 0 if it is not a picture."""
    require("evaluate", "Preparing a study", "PIL")
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(image), formats=READ_FORMATS) as opened:
            return min(opened.size)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0


def _square(rgb: Bytes, size_px: int) -> Bytes:
    """Cut the centre square and reduce it, for truth and colourings in the same way."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return resized(rgb, (size_px, size_px), box=(left, top, left + side, top + side))


def _cut_of(task: Task, rgb: Bytes, size_px: int) -> Cut:
    """Return the function that brings a photograph and its colourings to one size."""
    if task == REAL:
        return partial(_square, size_px=size_px)
    return partial(resized, size=reduced_size(rgb.shape[1], rgb.shape[0], size_px))


class _Names:
    """Gives files random names, and holds their contents until they are written."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"names {seed}")
        self.contents: dict[str, bytes] = {}

    def scene(self, key: str, truth: Bytes | None, coloured: Mapping[str, Bytes]) -> Scene:
        """Add the pictures of a photograph."""
        file = "" if truth is None else self._add(truth)
        return Scene(key, file, {name: self._add(c) for name, c in coloured.items()})

    def _add(self, rgb: Bytes) -> str:
        from PIL import Image

        name = f"{self._chance.getrandbits(64):016x}.png"
        content = io.BytesIO()
        Image.fromarray(rgb).save(content, "PNG")  # of the pixels alone: no metadata to tell by
        self.contents[name] = content.getvalue()
        return name


def _write(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write a folder completely or not at all, sorted by name and with one file time."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise UnwritableFileError(f"{target}: cannot be created ({error.strerror}).") from error
    try:
        for name in sorted(contents):
            (part / name).write_bytes(contents[name])
            os.utime(part / name, (0, 0))
        part.chmod(0o755)
        part.rename(target)
    except OSError as error:
        raise UnwritableFileError(f"{target}: cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
