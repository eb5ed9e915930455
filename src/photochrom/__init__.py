"""Colour black-and-white photographs: offline, at full size, with exact lightness.

>>> import photochrom
>>> photochrom.colorize("grandmother.jpg")
PosixPath('grandmother-color.jpg')
"""

from typing import TYPE_CHECKING, Any

from photochrom import errors
from photochrom.errors import PhotochromError

if TYPE_CHECKING:
    from photochrom.engine.colorize import Colorizer as Colorizer
    from photochrom.methods.method import Hints as Hints
    from photochrom.methods.method import MethodInfo

__version__ = "0.1.0"
__all__ = ["Colorizer", "Hints", "PhotochromError", "colorize", "errors", "methods"]


def colorize(picture: Any, method: str = "photochrom", **options: Any) -> Any:
    """Colour a photograph and give back the same kind.

    Parameters
    ----------
    picture : str, Path, bytes, PIL image, or array
        A path: a file beside it, `name-color.ext`, is written. Arrays: (H, W) or (H, W, 3), also
        with alpha as (H, W, 2) or (H, W, 4); uint8, uint16, bool, or float in [0, 1].
    method : str
        A name of `methods()`, or a path to an exported network (.onnx).
    **options
        As `Colorizer` takes them: vividness, saturation, short_side_px, device, threads.

    Returns
    -------
    Path, bytes, PIL image, or array
        The written file; an encoded picture of the same format; an RGB image; an array (H, W, 3),
        or (H, W, 4) with alpha, of the same dtype.

    Raises
    ------
    PhotochromError
        See `photochrom.errors` for its kinds.
    """
    from photochrom.engine.colorize import Colorizer

    return Colorizer(method, **options).colorize(picture)


def methods() -> "dict[str, MethodInfo]":
    """Give the description of every method by its name."""
    from photochrom.methods.catalogue import CATALOGUE, load_method

    return {name: load_method(name).info for name in CATALOGUE}


def __getattr__(name: str) -> Any:
    """Import the heavier names when they are first used."""
    if name == "Colorizer":
        from photochrom.engine.colorize import Colorizer

        return Colorizer
    if name == "Hints":
        from photochrom.methods.method import Hints

        return Hints
    raise AttributeError(f"module 'photochrom' has no attribute '{name}'")
