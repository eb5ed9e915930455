"""`photochrom colorize`, and its short form `photochrom FILE`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.film import FilmOptions
from photochrom.cli.guidance_options import GuidanceOptions
from photochrom.cli.place_arguments import place, places
from photochrom.cli.reading_options import ReadOptions
from photochrom.cli.run import run
from photochrom.cli.run_options import MOST_JOBS, RunOptions
from photochrom.cli.words import with_words
from photochrom.options.ranges import (
    QUALITY,
    SATURATION,
    VIVIDNESS,
    WHITE_LIGHTNESS,
    WORKING_PX,
)

FLAG = Parameter(negative=())
ABOVE_0 = Parameter(validator=Number(gt=0))

if TYPE_CHECKING:
    ColorizeOptions = RunOptions
else:
    ColorizeOptions = with_words(
        RunOptions,
        {
            "output": Parameter(name=["--output", "-o"], converter=place),
            "recursive": Parameter(name=["--recursive", "-r"], negative=()),
            "resume": FLAG,
            "watch": FLAG,
            "method": Parameter(name=["--method", "-m"]),
            "vividness": Parameter(validator=Number(**VIVIDNESS.words)),
            "saturation": Parameter(validator=Number(**SATURATION.words)),
            "working_px": Parameter(validator=Number(**WORKING_PX.words)),
            "restore": FLAG,
            "white_lightness": Parameter(validator=Number(**WHITE_LIGHTNESS.words)),
            "quality": Parameter(validator=Number(**QUALITY.words)),
            "jobs": Parameter(name=["--jobs", "-j"], validator=Number(gte=1, lte=MOST_JOBS)),
            "timeout": Parameter(validator=Number(gte=0)),
            "max_megapixels": ABOVE_0,
            "max_pages": Parameter(validator=Number(gte=1)),
            "max_megabytes": ABOVE_0,
            "json_lines": Parameter(name="--json", negative=()),
        },
    )


def colorize(
    sources: Annotated[list[Path | str], Parameter(name="SOURCE", negative=(), converter=places)],
    /,
    *,
    options: ColorizeOptions = ColorizeOptions(),  # noqa: B008 - frozen
    reading: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    guidance: GuidanceOptions = GuidanceOptions(),  # noqa: B008 - frozen
    film: FilmOptions = FilmOptions(),  # noqa: B008 - frozen
) -> int:
    """Colour photographs and films: `photochrom FILE` writes FILE-color beside it.

    Parameters
    ----------
    sources : list of Path or str
        Photographs, films, folders, archives (.zip, .tar) or manifests (.parquet, .csv) of
        photographs, addresses of them such as s3://archive/scans/, or - for standard input.
    options : RunOptions
        What to do, and how results look.
    reading : ReadOptions
        How scans are read, and what is copied to the results.
    guidance : GuidanceOptions
        Guidance for the photographs.
    film : FilmOptions
        How films are coloured.
    """
    return run(sources, options, reading, guidance, film)
