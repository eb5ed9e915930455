"""Types of pictures and options, for editors and type checkers; nothing is imported at run time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from photochrom.engine.reference import Reference, References
    from photochrom.options.hint import Hint
    from photochrom.options.palette import Palette
    from photochrom.photo.photo import Photo
    from photochrom.photo.reading import Reading


class Tensor(Protocol):
    """A torch tensor, or one of a similar library."""

    @property
    def ndim(self) -> int:
        """The number of axes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""

    @property
    def dtype(self) -> object:
        """The type of its numbers."""

    def detach(self) -> Self:
        """Return it without gradient history."""

    def cpu(self) -> Self:
        """Return it in main memory."""

    def numpy(self) -> "np.ndarray":
        """Return it as an array."""

    def float(self) -> Self:
        """Return it with 32-bit floats."""

    def new_tensor(self, data: "np.ndarray") -> Self:
        """Return an array as a tensor of this dtype, on this device."""

    def __iter__(self) -> Iterator[Self]:
        """Yield the parts along the first axis."""


# Kinds that are returned as the same kind. A path returns the result's path, a file a new file.
InMemory = TypeVar("InMemory", bound="bytes | np.ndarray | Image | Tensor")
Picture: TypeAlias = (
    "str | Path | bytes | bytearray | memoryview | BinaryIO | np.ndarray | Image | Tensor"
)
PictureOrPhoto: TypeAlias = "Picture | Photo"
Pictures: TypeAlias = "Picture | Sequence[Picture] | Iterator[Picture]"
Lender: TypeAlias = "Picture | Reference | References"
HintTable: TypeAlias = "Mapping[str, object]"  # as `Hint.to_table` returns it
Colours: TypeAlias = "str | Sequence[str | Sequence[int]] | Palette"


class GuidanceOptions(TypedDict, total=False):
    """Guidance for one photograph; see `Colorizer.colorize`."""

    hints: "Iterable[Hint | HintTable]"
    reference: "Lender | None"
    palette: "Colours | None"
    candidate: int
    seed: int


class FileOptions(TypedDict, total=False):
    """How a file is read, and what is copied to the result; see `Colorizer.colorize_file`."""

    max_megapixels: float
    max_pages: int | None
    max_megabytes: float
    float_range: tuple[float, float] | None
    reading: "Reading"
    keep_time: bool


class ColorizeOptions(GuidanceOptions, total=False):
    """The above, and how a file is read."""

    reading: "Reading"


class LookOptions(TypedDict, total=False):
    """How results look; see `photochrom.options.look.Look`."""

    vividness: float | None
    saturation: float
    short_side_px: int | None
    restore: bool
    white_lightness: float | None


class AllOptions(ColorizeOptions, LookOptions, total=False):
    """Options of `photochrom.colorize`: those above, and where results are computed."""

    device: str
    threads: int
