"""Types of pictures and options, for editors and type checkers; nothing is imported at run time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from photochrom.engine.reference import Reference, References
    from photochrom.options.hint import Hint
    from photochrom.options.palette import Palette
    from photochrom.photo.photo import Photo
    from photochrom.photo.reading import Reading


class Tensor(Protocol):
    """A tensor of torch, or of a library whose tensors are like them."""

    @property
    def ndim(self) -> int:
        """The number of axes."""

    def detach(self) -> Self:
        """Return it without its history."""

    def cpu(self) -> Self:
        """Return it in main memory."""


# What comes back as it came. A path comes back as the path of the result, a file as a new one.
InMemory = TypeVar("InMemory", bound="bytes | np.ndarray | Image | Tensor")
Picture: TypeAlias = (
    "str | Path | bytes | bytearray | memoryview | BinaryIO | np.ndarray | Image | Tensor"
)
PictureOrPhoto: TypeAlias = "Picture | Photo"
Pictures: TypeAlias = "Picture | Sequence[Picture] | Iterator[Picture]"
Lender: TypeAlias = "Picture | Reference | References"
Colours: TypeAlias = "str | Sequence[str | Sequence[int]] | Palette"


class GuidanceOptions(TypedDict, total=False):
    """What may be decided for one photograph; see `Colorizer.colorize`."""

    hints: "Iterable[Hint | dict[str, Any]]"
    reference: "Lender | None"
    palette: "Colours | None"
    candidate: int
    seed: int


class ColorizeOptions(GuidanceOptions, total=False):
    """The above, and how a file is read."""

    reading: "Reading"


class AllOptions(ColorizeOptions, total=False):
    """What `photochrom.colorize` takes: the above, and how results look; see `Colorizer`."""

    vividness: float | None
    saturation: float
    short_side_px: int | None
    restore: bool
    white_lightness: float | None
    device: str
    threads: int
