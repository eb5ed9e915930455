"""Colour black-and-white photographs: offline, at full size, with exact lightness.

>>> import photochrom
>>> photochrom.colorize("grandmother.jpg")
PosixPath('grandmother-color.jpg')
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from photochrom import errors
from photochrom.errors import PhotochromError

if TYPE_CHECKING:
    from photochrom import methods as methods
    from photochrom.engine.colorize import Colorizer as Colorizer
    from photochrom.options.hint import Hint as Hint
    from photochrom.photo.reading import Reading as Reading

# Nothing that photochrom loads may report to its makers, whatever the environment says: set here,
# before any of it is imported, and inherited by every process that is started from this one.
os.environ.update({"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"})

__version__ = "0.1.0"
__all__ = ["Colorizer", "Hint", "PhotochromError", "Reading", "colorize", "errors", "methods"]


def colorize(picture: Any, method: str = "photochrom", **options: Any) -> Any:
    """Colour a photograph and give back the same kind.

    Parameters
    ----------
    picture : str, Path, bytes, binary file, PIL image, array or tensor, or several of them
        A path: a file beside it, `name-color.ext`, is written. Arrays: (H, W) or (H, W, 3), also
        with alpha as (H, W, 2) or (H, W, 4); uint8, uint16, bool, or float in [0, 1].
    method : str
        A name of `methods()`, or a path to an exported network (.onnx).
    **options
        As `Colorizer` takes them: vividness, saturation, short_side_px, device, threads; and as
        `Colorizer.colorize` does: hints, reference, palette, candidate, seed,
        reading.

    Returns
    -------
    Path, bytes, BytesIO, PIL image, array, tensor; a list or a generator of them
        The written file; an encoded picture of the same format; an RGB image; an array (H, W, 3),
        or (H, W, 4) with alpha, of the same dtype; a tensor. `Colorizer.run` gives notes and
        confidence with it.

    Raises
    ------
    PhotochromError
        See `photochrom.errors` for its kinds.
    """
    from photochrom.engine.colorize import Colorizer

    guidance = {k: options.pop(k) for k in _GUIDANCE if k in options}
    return Colorizer(method, **options).colorize(picture, **guidance)


def __getattr__(name: str) -> Any:
    """Import the heavier names when they are first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'photochrom' has no attribute '{name}'")
    module = import_module(_LATER[name])
    return module if name == "methods" else getattr(module, name)


_GUIDANCE = ("hints", "reference", "palette", "candidate", "seed", "reading")
_LATER = {
    "Colorizer": "photochrom.engine.colorize",
    "Hint": "photochrom.options.hint",
    "Reading": "photochrom.photo.reading",
    "methods": "photochrom.methods",
}
