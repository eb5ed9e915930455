"""`photochrom suggest` and `photochrom confidence`: what a method predicts."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from photochrom.cli.place_arguments import place
from photochrom.options.ranges import RADIUS, SUGGESTIONS

Method = Annotated[str, Parameter(name=["--method", "-m"])]


def suggest(
    source: Annotated[Path | str, Parameter(converter=place)],
    x: float,
    y: float,
    /,
    *,
    radius: Annotated[float, Parameter(validator=Number(**RADIUS.words))] = 8.0,
    count: Annotated[int, Parameter(validator=Number(**SUGGESTIONS.words))] = 6,
    method: Method = "photochrom",
    json_output: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """List the likely colours at a point, most likely first.

    Parameters
    ----------
    source : Path or str
        A photograph, or its address.
    x : float
        Pixels from the left edge of the upright photograph.
    y : float
        Pixels from the top edge.
    radius : float
        Radius of the spot, in pixels.
    count : int
        Maximum number of colours.
    method : str
        A method that predicts a distribution: photochrom, or an exported network.
    json_output : bool
        Print the colours as JSON.
    """
    from photochrom.engine.colorize import Colorizer
    from photochrom.photo.storage import local_copy

    with local_copy(source) as path:
        found = Colorizer(method).suggest(path, x, y, radius, count=count)
    table = [{"colour": "#{:02x}{:02x}{:02x}".format(*s.rgb), "share": s.share} for s in found]
    if json_output:
        print(json.dumps(table))
        return
    for row in table:
        print(f"{row['colour']}  {row['share']:4.0%}")


def confidence(
    source: Annotated[Path | str, Parameter(converter=place)],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    method: Method = "photochrom",
) -> None:
    """Write a map of the method's confidence: white is certain, black is a guess.

    Parameters
    ----------
    source : Path or str
        A photograph, or its address.
    output : Path
        The PNG file to write; SOURCE-confidence.png by default, in this folder if it is an address.
    method : str
        A method that estimates its confidence: photochrom, or an exported network.
    """
    from photochrom.engine.colorize import Colorizer
    from photochrom.engine.confidence_map import write_confidence
    from photochrom.photo.storage import local_copy, name_of

    beside = source if isinstance(source, Path) else Path(name_of(source))
    target = output or beside.with_name(f"{beside.stem}-confidence.png")
    with local_copy(source) as path:
        write_confidence(Colorizer(method), path, target)
    print(target)
