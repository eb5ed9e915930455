"""The options of `photochrom FILE`, declared once.

Nothing of the command's library is imported here, so that one photograph need not wait for it; the
words of the command are laid over these fields in `photochrom.cli.colorize`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

METHOD = "photochrom"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is to be done with photographs, and how results look.

    Attributes
    ----------
    output : Path
        A file for one photograph; a folder (a name without suffix) for any number; `-` for
        standard output.
    recursive : bool
        Look below folders too, and keep their tree in the output folder.
    resume : bool
        Skip photographs that were already coloured by the same method and settings.
    watch : bool
        Keep running, and colour what appears in the folders.
    method : str
        See `photochrom methods`; or a path to an exported network (.onnx).
    vividness : float
        From 0, calm, to 1, bold.
    saturation : float
        Factor on the chroma: 0 is gray, 1 as the method gives it.
    working_px : int
        Short side at which the network sees the photograph.
    restore : bool
        Repair an old print first: faded tones, stain, dust, scratches, strong grain.
    white_lightness : float
        Lower pure white to this L*, 85 to 99, so that it can show colour; changes the lightness.
    format : str
        Of the results; the source's own by default. jpg is jpeg, tif is tiff.
    quality : int
        1 to 100, of JPEG, WebP and AVIF; at least 90 and no less than the source's by default.
    jobs : int
        Photographs in work at once, each in a process of its own; one a core by default.
    device : str
        What runs the network.
    timeout : float
        Seconds after which one of several photographs is given up and the rest go on; 0 is never.
    max_megapixels : float
        Refuse larger photographs before they are decoded.
    max_pages : int
        Refuse files with more pages; 300 by default, and more in files with 3,000 bytes a page.
    max_megabytes : float
        Refuse photographs whose decoder must hold more at once, such as interlaced PNG files.
    float_range : (low, high)
        The values of black and white in float pictures; 0 1 by default.
    json_lines : bool
        Print one JSON object a photograph on standard output.
    """

    output: Path | None = None
    recursive: bool = False
    resume: bool = False
    watch: bool = False
    method: str = METHOD
    vividness: float | None = None
    saturation: float = 1.0
    working_px: int | None = None
    restore: bool = False
    white_lightness: float | None = None
    format: Literal["jpeg", "png", "tiff", "webp", "avif", "jpg", "tif"] | None = None
    quality: int | None = None
    jobs: int | None = None
    device: Literal["cpu", "cuda", "coreml", "directml"] = "cpu"
    timeout: float = 1800.0
    max_megapixels: float = 1000.0
    max_pages: int | None = None
    max_megabytes: float = 4000.0
    float_range: tuple[float, float] | None = None
    json_lines: bool = False

    @property
    def target_format(self) -> str | None:
        """The format of the results, by its one name."""
        return {"jpg": "jpeg", "tif": "tiff"}.get(self.format or "", self.format)

    @property
    def look(self) -> dict[str, float | int | bool | None]:
        """How results look, as `Colorizer` takes it."""
        return {
            "vividness": self.vividness,
            "saturation": self.saturation,
            "short_side_px": self.working_px,
            "restore": self.restore,
            "white_lightness": self.white_lightness,
        }

    @property
    def limits(self) -> dict[str, float | int | tuple[float, float] | None]:
        """How files are read, as `Colorizer.colorize_file` takes it."""
        return {
            "max_megapixels": self.max_megapixels,
            "max_pages": self.max_pages,
            "max_megabytes": self.max_megabytes,
            "float_range": self.float_range,
        }
