"""`photochrom colorize`, and bare `photochrom FILE`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.guidance_options import GuidanceOptions
from photochrom.cli.reading_options import ReadOptions
from photochrom.cli.run import run
from photochrom.options.ranges import QUALITY, SATURATION, VIVIDNESS, WHITE_LIGHTNESS, WORKING_PX

Format = Literal["jpeg", "png", "tiff", "webp", "avif", "jpg", "tif"]


def colorize(
    sources: Annotated[list[Path], Parameter(name="SOURCE", negative=())],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"], negative=())] = False,
    resume: Annotated[bool, Parameter(negative=())] = False,
    watch: Annotated[bool, Parameter(negative=())] = False,
    method: Annotated[str, Parameter(name=["--method", "-m"])] = "photochrom",
    vividness: Annotated[float | None, Parameter(validator=Number(**VIVIDNESS.words))] = None,
    saturation: Annotated[float, Parameter(validator=Number(**SATURATION.words))] = 1.0,
    working_px: Annotated[int | None, Parameter(validator=Number(**WORKING_PX.words))] = None,
    restore: Annotated[bool, Parameter(negative=())] = False,
    white_lightness: Annotated[
        float | None, Parameter(validator=Number(**WHITE_LIGHTNESS.words))
    ] = None,
    format: Format | None = None,
    quality: Annotated[int | None, Parameter(validator=Number(**QUALITY.words))] = None,
    jobs: Annotated[int | None, Parameter(name=["--jobs", "-j"], validator=Number(gte=1))] = None,
    device: Literal["cpu", "cuda", "coreml", "directml"] = "cpu",
    timeout: Annotated[float, Parameter(validator=Number(gte=0))] = 1800.0,
    max_megapixels: Annotated[float, Parameter(validator=Number(gt=0))] = 1000.0,
    max_pages: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    max_megabytes: Annotated[float, Parameter(validator=Number(gt=0))] = 4000.0,
    float_range: tuple[float, float] | None = None,
    json_lines: Annotated[bool, Parameter(name="--json", negative=())] = False,
    read: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    guidance_options: GuidanceOptions = GuidanceOptions(),  # noqa: B008 - frozen
) -> int:
    """Colour photographs: `photochrom FILE` writes FILE-color beside it.

    Parameters
    ----------
    sources : list of Path
        Photographs, folders of them, or - for standard input.
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
        Mend an old print first: faded tones, stain, dust, scratches, strong grain.
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
    read : ReadOptions
        How scans are read, and what goes with the results.
    wished : WishOptions
        What is decided about the photographs.
    """
    return run(
        sources,
        output=output,
        recursive=recursive,
        resume=resume,
        watch=watch,
        method=method,
        vividness=vividness,
        saturation=saturation,
        working_px=working_px,
        restore=restore,
        white_lightness=white_lightness,
        format=format,
        quality=quality,
        jobs=jobs,
        device=device,
        timeout=timeout,
        max_megapixels=max_megapixels,
        max_pages=max_pages,
        max_megabytes=max_megabytes,
        float_range=float_range,
        json_lines=json_lines,
        read=read,
        guidance_options=guidance_options,
    )
