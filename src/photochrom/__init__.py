"""Colour black-and-white photographs: offline, at full size, with exact lightness.

>>> import photochrom
>>> photochrom.colorize("grandmother.jpg")
PosixPath('grandmother-color.jpg')
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, overload

from photochrom import errors
from photochrom._version import __version__ as __version__
from photochrom.errors import PhotochromError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BytesIO
    from pathlib import Path
    from typing import BinaryIO, Unpack

    from photochrom.colorization.method import MethodInfo
    from photochrom.engine.colorize import Colorizer as Colorizer
    from photochrom.engine.picture_types import (
        AllOptions,
        Colours,
        HintTable,
        InMemory,
        Lender,
        Pictures,
    )
    from photochrom.engine.reference import Reference as Reference
    from photochrom.engine.result import Comparison as Comparison
    from photochrom.engine.result import Result as Result
    from photochrom.engine.suggestions import Suggestion as Suggestion
    from photochrom.engine.video import ColouredVideo as ColouredVideo
    from photochrom.engine.video import VideoOptions as VideoOptions
    from photochrom.engine.video import colorize_video as colorize_video
    from photochrom.engine.video_guidance import read_cues as read_cues
    from photochrom.options.hint import Hint as Hint
    from photochrom.options.look import Look as Look
    from photochrom.options.palette import Palette as Palette
    from photochrom.photo.reading import Reading as Reading

# Disable telemetry in every dependency, whatever the environment says. Set before any of them is
# imported; child processes inherit it.
os.environ.update(
    {
        "ORT_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)

_LATER = {  # imported when they are first used
    "ColouredVideo": "photochrom.engine.video",
    "Colorizer": "photochrom.engine.colorize",
    "Comparison": "photochrom.engine.result",
    "Hint": "photochrom.options.hint",
    "Look": "photochrom.options.look",
    "Palette": "photochrom.options.palette",
    "Reading": "photochrom.photo.reading",
    "Reference": "photochrom.engine.reference",
    "Result": "photochrom.engine.result",
    "Suggestion": "photochrom.engine.suggestions",
    "VideoOptions": "photochrom.engine.video",
    "colorize_video": "photochrom.engine.video",
    "read_cues": "photochrom.engine.video_guidance",
}
__all__ = [
    "Colorizer",
    "ColouredVideo",
    "Comparison",
    "Hint",
    "Look",
    "Palette",
    "PhotochromError",
    "Reading",
    "Reference",
    "Result",
    "Suggestion",
    "VideoOptions",
    "colorize",
    "colorize_video",
    "errors",
    "methods",
    "read_cues",
]


@overload
def colorize(
    picture: "str | Path", method: "str | Path" = ..., **options: "Unpack[AllOptions]"
) -> "Path": ...
@overload
def colorize(
    picture: "bytearray | memoryview", method: "str | Path" = ..., **options: "Unpack[AllOptions]"
) -> "bytes": ...
@overload
def colorize(
    picture: "BinaryIO", method: "str | Path" = ..., **options: "Unpack[AllOptions]"
) -> "BytesIO": ...
@overload
def colorize(
    picture: "InMemory", method: "str | Path" = ..., **options: "Unpack[AllOptions]"
) -> "InMemory": ...
@overload
def colorize(
    picture: "list[str] | list[Path] | tuple[str | Path, ...]",
    method: "str | Path" = ...,
    **options: "Unpack[AllOptions]",
) -> "list[Path]": ...
@overload
def colorize(
    picture: "list[BinaryIO] | tuple[BinaryIO, ...]",
    method: "str | Path" = ...,
    **options: "Unpack[AllOptions]",
) -> "list[BytesIO]": ...
@overload
def colorize(
    picture: "list[InMemory] | tuple[InMemory, ...]",
    method: "str | Path" = ...,
    **options: "Unpack[AllOptions]",
) -> "list[InMemory]": ...
@overload
def colorize(
    picture: "Iterator[str] | Iterator[Path]",
    method: "str | Path" = ...,
    **options: "Unpack[AllOptions]",
) -> "Iterator[Path]": ...
@overload
def colorize(
    picture: "Iterator[BinaryIO]", method: "str | Path" = ..., **options: "Unpack[AllOptions]"
) -> "Iterator[BytesIO]": ...
@overload
def colorize(
    picture: "Iterator[InMemory]", method: "str | Path" = ..., **options: "Unpack[AllOptions]"
) -> "Iterator[InMemory]": ...
def colorize(
    picture: "Pictures",
    method: "str | Path" = "photochrom",
    *,
    hints: "Iterable[Hint | HintTable]" = (),
    reference: "Lender | None" = None,
    palette: "Colours | None" = None,
    candidate: int = 0,
    seed: int = 0,
    reading: "Reading | None" = None,
    vividness: float | None = None,
    saturation: float = 1.0,
    short_side_px: int | None = None,
    restore: bool = False,
    white_lightness: float | None = None,
    device: str = "cpu",
    threads: int = 0,
) -> object:
    """Colour a photograph and return the same kind of object.

    Parameters
    ----------
    picture : str, Path, bytes, binary file, PIL image, array or tensor, or several of them
        A path: a file beside it, `name-color.ext`, is written. Arrays: (H, W) or (H, W, 3), also
        with alpha as (H, W, 2) or (H, W, 4); uint8, uint16, bool, or float in [0, 1].
    method : str or Path
        A name of `methods()`, or a path to an exported network (.onnx).
    hints, reference, palette, candidate, seed, reading :
        Guidance for this photograph; see `Colorizer.colorize`.
    vividness, saturation, short_side_px, restore, white_lightness, device, threads :
        How results look and which device computes them; see `Colorizer`.

    Returns
    -------
    Path, bytes, BytesIO, PIL image, array or tensor; or a list or an iterator of them
        The written file; an encoded picture of the same format; an RGB image; an array (H, W, 3),
        or (H, W, 4) with alpha, of the same dtype; a tensor. `Colorizer.run` also returns notes
        and confidence.

    Raises
    ------
    PhotochromError
        See `photochrom.errors` for its subclasses.
    """
    from photochrom.engine.colorize import Colorizer
    from photochrom.photo.reading import PLAIN

    colorizer = Colorizer(
        method,
        vividness=vividness,
        saturation=saturation,
        short_side_px=short_side_px,
        restore=restore,
        white_lightness=white_lightness,
        device=device,
        threads=threads,
    )
    return colorizer.colorize(
        cast(Any, picture),
        hints=hints,
        reference=reference,
        palette=palette,
        candidate=candidate,
        seed=seed,
        reading=PLAIN if reading is None else reading,
    )


def methods() -> "dict[str, MethodInfo]":
    """Return the description of each method, by name."""
    from photochrom.colorization.catalogue import CATALOGUE, load_method

    return {name: load_method(name).info for name in CATALOGUE}


def __getattr__(name: str) -> object:
    """Import the heavier names when they are first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'photochrom' has no attribute '{name}'")
    return getattr(import_module(_LATER[name]), name)
