"""`photochrom evaluate`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from photochrom.cli.train import read_keys
from photochrom.errors import InvalidValueError, UnwritablePhotoError

if TYPE_CHECKING:
    from photochrom.evaluation.results import Evaluation

VIVIDNESSES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)
SATURATIONS = (0.5, 1.0, 2.0, 4.0, 6.0)


def evaluate(
    *,
    data: Path,
    method: Annotated[tuple[str, ...], Parameter(name=["--method", "-m"], negative=())] = (
        "photochrom",
    ),
    gray: Literal["lightness", "bt601", "bt709", "orthochromatic", "panchromatic"] = "lightness",
    curves: Annotated[bool, Parameter(negative=())] = False,
    hints: Annotated[bool, Parameter(negative=())] = False,
    by_source: Annotated[bool, Parameter(negative=())] = False,
    vividness: float | None = None,
    working_px: int | None = None,
    keys: Path | None = None,
    limit: int | None = None,
    report: Annotated[Path | None, Parameter(name=["--report", "-o"])] = None,
    sheet: Path | None = None,
    seed: int = 0,
) -> None:
    """Measure methods on colour photographs, always beside gray, mean-colour and oracle-mean.

    Parameters
    ----------
    data : Path
        A Parquet file with a column `image`, or a folder of pictures.
    method : tuple of str
        Methods, or exported networks (.onnx); may be given several times.
    gray : str
        How the photographs become gray.
    curves : bool
        Also the curves of error against colourfulness, over vividness and over saturation.
    hints : bool
        Also the hint curve: PSNR with 0 to 100 revealed patches, of every method that accepts hints
        and of the baseline rbf; methods that require hints are measured only here.
    by_source : bool
        Also a table for each source.
    vividness : float
        Of the methods, 0 to 1; their own default without it.
    working_px : int
        Short side at which methods see the pictures; their own default without it.
    keys : Path
        A file of keys: only these pictures.
    limit : int
        At most so many pictures.
    report : Path
        Also write the result: .md, .csv or .json, by the suffix.
    sheet : Path
        Instead of measuring, draw each photograph and what the first method makes of it on one
        picture; nothing true is needed.
    seed : int
        Of the revealed places and of the intervals.
    """
    if sheet is not None:
        return _draw_sheet(data, method[0], sheet, limit, working_px)
    from photochrom.evaluation.benchmark import evaluate as measure
    from photochrom.evaluation.hints import COUNTS

    with _Counter() as count:
        evaluation = measure(
            data,
            method,
            gray=gray,
            short_side_px=working_px,
            vividness=vividness,
            vividnesses=VIVIDNESSES if curves else (),
            saturations=SATURATIONS if curves else (),
            hint_counts=COUNTS if hints else (),
            limit=limit,
            keys=frozenset(read_keys(keys)) if keys else None,
            seed=seed,
            progress=count,
        )
    _show(evaluation, by_source, report)


def _show(evaluation: "Evaluation", by_source: bool, report: Path | None) -> None:
    from rich.console import Console

    from photochrom.evaluation import report as render

    wide = None if sys.stdout.isatty() else 200
    Console(width=wide).print(render.to_terminal(evaluation, by_source))
    if report is None:
        return
    writers: dict[str, Any] = {
        ".md": lambda e: render.to_markdown(e, by_source),
        ".csv": render.to_csv,
        ".json": render.to_json,
    }
    if report.suffix not in writers:
        raise InvalidValueError(f"{report}: a report is .md, .csv or .json.")
    try:
        report.write_text(writers[report.suffix](evaluation))
    except OSError as error:
        raise UnwritablePhotoError(f"{report}: cannot be written ({error.strerror}).") from error


def _draw_sheet(
    data: Path, method: str, sheet: Path, limit: int | None, working_px: int | None
) -> None:
    from photochrom.engine.colorize import Colorizer
    from photochrom.evaluation.sheet import contact_sheet

    colorizer = Colorizer(method, short_side_px=working_px)
    count = contact_sheet(data, colorizer.predict_ab, sheet, limit=limit)
    print(f"Drew {count} photographs on {sheet}.", file=sys.stderr)


class _Counter:
    """Counts photographs on stderr, where it is a terminal."""

    def __enter__(self) -> "_Counter":
        return self

    def __exit__(self, *error: object) -> None:
        if sys.stderr.isatty():
            print(file=sys.stderr)

    def __call__(self, done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} photographs", end="", file=sys.stderr)
