"""The options of `photochrom FILE`, declared once.

The command-line parser is not imported here, so that a single photograph does not wait for it;
`photochrom.cli.colorize_command` adds the option names to these fields.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from photochrom.engine.picture_types import FileOptions, LookOptions

METHOD = "photochrom"


MOST_JOBS = 1024  # more than the cores of any machine


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What to do with photographs, and how results look.

    Attributes
    ----------
    output : Path or str
        A file, for one photograph; a folder (a name without suffix) or its address, for any number;
        or `-` for standard output.
    recursive : bool
        Include subfolders, and keep their structure in the output folder.
    resume : bool
        Skip photographs that are already coloured with the same method and settings.
    watch : bool
        Keep running, and colour new files as they appear in the folder.
    method : str
        A name from `photochrom methods`, or the path of an exported network (.onnx).
    vividness : float
        From 0 (calm) to 1 (bold).
    saturation : float
        Chroma factor: 0 is gray, 1 is what the method predicts.
    working_px : int
        Short side of the copy that the network sees, in pixels.
    restore : bool
        Repair an old print first: faded tones, stain, dust, scratches, strong grain.
    white_lightness : float
        Lower pure white to this L*, 85 to 99, so that it can show colour. Changes the lightness.
    format : str
        Format of the results; the source's by default. jpg means jpeg, tif means tiff.
    quality : int
        1 to 100, for JPEG, WebP and AVIF; by default at least 90 and not below the source's.
    jobs : int
        Photographs coloured at the same time, each in its own process; one per core by default.
    cluster : str
        Colour on the machines of a Ray cluster: auto (the one that runs on this machine),
        HOST:PORT or ray://HOST:PORT. Sources and results are addresses, or folders that all
        machines reach under the same path.
    device : str
        Device that runs the network.
    timeout : float
        Seconds after which one of several photographs is abandoned and the rest continue; 0 means
        never.
    max_megapixels : float
        Reject larger photographs before they are decoded.
    max_pages : int
        Reject files with more pages; 300 by default, more for files with 3,000 bytes per page.
    max_megabytes : float
        Reject photographs whose decoder needs more memory, such as large interlaced PNG files.
    float_range : (low, high)
        The values of black and white in floating-point pictures; 0 1 by default.
    json_lines : bool
        Print one JSON object per photograph on standard output.
    """

    output: Path | str | None = None
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
    cluster: str | None = None
    device: Literal["cpu", "cuda", "coreml", "directml"] = "cpu"
    timeout: float = 1800.0
    max_megapixels: float = 1000.0
    max_pages: int | None = None
    max_megabytes: float = 4000.0
    float_range: tuple[float, float] | None = None
    json_lines: bool = False

    @property
    def local_output(self) -> Path | None:
        """The output, in a run without addresses."""
        return None if self.output is None else Path(self.output)

    @property
    def target_format(self) -> str | None:
        """The format of the results, by its canonical name."""
        return {"jpg": "jpeg", "tif": "tiff"}.get(self.format or "", self.format)

    @property
    def look(self) -> "LookOptions":
        """The look, as keyword arguments of `Colorizer`."""
        return {
            "vividness": self.vividness,
            "saturation": self.saturation,
            "short_side_px": self.working_px,
            "restore": self.restore,
            "white_lightness": self.white_lightness,
        }

    @property
    def limits(self) -> "FileOptions":
        """The limits on reading, as keyword arguments of `Colorizer.colorize_file`."""
        return {
            "max_megapixels": self.max_megapixels,
            "max_pages": self.max_pages,
            "max_megabytes": self.max_megabytes,
            "float_range": self.float_range,
        }
