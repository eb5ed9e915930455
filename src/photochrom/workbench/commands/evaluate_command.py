"""`photochrom evaluate`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from photochrom.errors import InvalidValueError, MissingExtraError, UnwritableFileError
from photochrom.extras import how_to_install
from photochrom.workbench.commands.named_folders import named_folders
from photochrom.workbench.training.stored_files import read_keys

if TYPE_CHECKING:
    from photochrom.workbench.evaluation.class_prior import ClassPrior
    from photochrom.workbench.evaluation.results import Evaluation
    from photochrom.workbench.evaluation.sample_gallery import Gallery
    from photochrom.workbench.evaluation.scoring import Observer

VIVIDNESSES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)
SATURATIONS = (0.5, 1.0, 2.0, 4.0, 6.0)
REPORTS = (".md", ".csv", ".json", ".html")


def evaluate(
    *,
    data: Path,
    method: Annotated[tuple[str, ...], Parameter(name=["--method", "-m"], negative=())] = (
        "photochrom",
    ),
    outputs: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    true_lightness: Annotated[bool, Parameter(negative=())] = False,
    references: Path | None = None,
    own_histogram: Annotated[bool, Parameter(negative=())] = False,
    gray: Literal["lightness", "bt601", "bt709", "orthochromatic", "panchromatic"] = "lightness",
    curves: Annotated[bool, Parameter(negative=())] = False,
    hints: Annotated[bool, Parameter(negative=())] = False,
    by_source: Annotated[bool, Parameter(negative=())] = False,
    all_metrics: Annotated[bool, Parameter(negative=())] = False,
    perceptual: Annotated[bool, Parameter(negative=())] = False,
    mean_ab: tuple[float, float] | None = None,
    vividness: float | None = None,
    working_px: int | None = None,
    keys: Path | None = None,
    limit: int | None = None,
    scored_px: int | None = None,
    report: Annotated[tuple[Path, ...], Parameter(name=["--report", "-o"], negative=())] = (),
    figure: Path | None = None,
    pictures: int | None = None,
    sheet: Path | None = None,
    seed: int = 0,
) -> None:
    """Measure methods on colour photographs, always beside gray, mean-colour and oracle-mean.

    Parameters
    ----------
    data : Path
        A Parquet file with a column `image`, or a folder of pictures.
    method : tuple of str
        Methods, or exported networks (.onnx); may be given several times. `none` measures no
        method, only the outputs of others.
    outputs : tuple of str
        NAME=FOLDER: another program's coloured pictures as a row, found by key or file stem; may be
        given several times.
    true_lightness : bool
        Judge the colours of those outputs alone, with the photographs' true lightness restored.
    references : Path
        A folder of other colour photographs for methods that borrow their colours, such as welsh.
    own_histogram : bool
        Also a row for each method that takes a reference as a histogram: with the photograph's own
        as the wish, what a perfect reference is worth.
    gray : str
        How the photographs become gray.
    curves : bool
        Also the curves of error against colourfulness, over vividness and over saturation.
    hints : bool
        Also the hint curve: PSNR with 0 to 100 revealed patches, of every method that accepts hints
        and of the baseline rbf; methods that require hints are measured only here.
    by_source : bool
        Also a table for each source.
    all_metrics : bool
        Also a second table: RGB error, pixels within 2 % and 5 %, AuC, Kolmogorov-Smirnov, LPIPS,
        FID. CSV, JSON and HTML always hold them.
    perceptual : bool
        Also LPIPS and FID, where torchmetrics and their weights are at hand.
    mean_ab : tuple of float
        a and b of the row mean-colour: the mean of the pictures that methods were trained on; that
        of photographs without it.
    vividness : float
        Of the methods, 0 to 1; their own default without it.
    working_px : int
        Short side at which methods see the pictures; their own default without it.
    keys : Path
        A file of keys: only these pictures.
    limit : int
        At most so many pictures.
    scored_px : int
        Short side at which larger pictures are scored, after they were coloured at their own size
        (256).
    report : tuple of Path
        Also write the result: .md, .csv, .json or .html, by the suffix; may be given several times.
    figure : Path
        Also draw a .png figure, one row a picture: gray, each method, truth.
    pictures : int
        How many pictures, drawn at random, are in the HTML report (60) and on the figure (8).
    sheet : Path
        Instead of measuring, draw each photograph and what the first method makes of it on one
        picture; nothing true is needed. What only measures is refused beside it.
    seed : int
        Of the revealed places, of the intervals and of the pictures shown.
    """
    if sheet is not None:
        _check_sheet(
            method,
            {
                "--report (-o)": report,
                "--figure": figure,
                "--pictures": pictures,
                "--outputs": outputs,
                "--true-lightness": true_lightness,
                "--references": references,
                "--own-histogram": own_histogram,
                "--curves": curves,
                "--hints": hints,
                "--by-source": by_source,
                "--all-metrics": all_metrics,
                "--perceptual": perceptual,
                "--mean-ab": mean_ab,
                "--keys": keys,
                "--gray": gray != "lightness",
            },
        )
        return _draw_sheet(data, method[0], sheet, limit, working_px, vividness)
    _check_targets(report, figure)
    if pictures is not None and pictures < 1:
        raise InvalidValueError(f"pictures must be at least 1; they are {pictures}.")
    from photochrom.workbench.evaluation.benchmark import evaluate as measure
    from photochrom.workbench.evaluation.compared_rows import MEAN_AB
    from photochrom.workbench.evaluation.revealed_hints import COUNTS
    from photochrom.workbench.evaluation.scoring import SCORED_PX

    look = _Looks(figure is not None, report, pictures, perceptual, seed)
    with _Counter() as count:
        evaluation = measure(
            data,
            [] if method == ("none",) else method,
            gray=gray,
            short_side_px=working_px,
            vividness=vividness,
            vividnesses=VIVIDNESSES if curves else (),
            saturations=SATURATIONS if curves else (),
            hint_counts=COUNTS if hints else (),
            outputs=named_folders(outputs),
            true_lightness=true_lightness,
            lenders=references,
            own_histogram=own_histogram,
            mean_ab=mean_ab or MEAN_AB,
            limit=limit,
            keys=frozenset(read_keys(keys)) if keys else None,
            scored_px=SCORED_PX if scored_px is None else scored_px,
            seed=seed,
            progress=count,
            observe=look.observe,
        )
    evaluation = look.finish(evaluation)
    _show(evaluation, by_source, all_metrics)
    for target in report:
        _write(evaluation, target, by_source, all_metrics, look.gallery)
    if figure is not None and look.gallery is not None:
        from photochrom.workbench.evaluation import comparison_figure as drawing

        drawing.draw_figure(look.gallery, figure, pictures or drawing.PICTURES)


def _check_sheet(methods: Sequence[str], measuring: dict[str, object]) -> None:
    """Refuse what drawing a sheet would leave undone without a word."""
    given = [name for name, value in measuring.items() if value not in (None, False, ())]
    if len(methods) > 1:
        given.append("all but one --method")
    if given or methods[0] == "none":
        raise InvalidValueError(
            "--sheet draws what one method makes of the photographs and measures nothing: leave "
            f"out {', '.join(given) or '--method none'}, or --sheet."
        )


def _check_targets(report: Sequence[Path], figure: Path | None) -> None:
    """Refuse a target that cannot be written before minutes are spent on measuring."""
    for target in report:
        if target.suffix not in REPORTS:
            raise InvalidValueError(f"{target}: a report is .md, .csv, .json or .html.")
    if figure is not None:
        from photochrom.workbench.evaluation.comparison_figure import check_figure

        check_figure(figure)
    for target in (*report, *([figure] if figure else [])):
        if not target.parent.is_dir():
            raise UnwritableFileError(f"{target}: the folder {target.parent} does not exist.")


class _Looks:
    """What looks at the finished pictures: the gallery, and metrics that need a network."""

    def __init__(
        self,
        figure: bool,
        report: Sequence[Path],
        pictures: int | None,
        perceptual: bool,
        seed: int,
    ) -> None:
        page = any(target.suffix == ".html" for target in report)
        self._wanted = (page or figure, pictures or (60 if page else 8), seed)
        self.gallery: Gallery | None = None
        self._observers: Sequence[Observer] = ()
        self._notes: Sequence[str] = ()
        if perceptual:
            self._observers, self._notes = _open_perceptual()

    def observe(self, survey: "ClassPrior") -> "Sequence[Observer]":
        wanted, most, seed = self._wanted
        if not wanted:
            return self._observers
        from photochrom.workbench.evaluation.sample_gallery import Gallery

        self.gallery = Gallery(survey, most, seed)
        return [*self._observers, self.gallery]

    def finish(self, evaluation: "Evaluation") -> "Evaluation":
        found: dict[str, Any] = {"notes": (*evaluation.notes, *self._notes)}
        for observer in self._observers:
            if hasattr(observer, "whole"):
                found["whole"] = observer.whole()
        return replace(evaluation, **found)


def _open_perceptual() -> "tuple[Sequence[Observer], Sequence[str]]":
    from importlib import util

    if util.find_spec("torch") is None:
        raise MissingExtraError(
            "LPIPS and FID need torch and torchmetrics, which are not installed. "
            f"{how_to_install('train')}, and: pip install torchmetrics torch-fidelity"
        )
    from photochrom.workbench.evaluation.perceptual_metrics import open_perceptual

    return open_perceptual()


def _show(evaluation: "Evaluation", by_source: bool, all_metrics: bool) -> None:
    from rich.console import Console

    from photochrom.workbench.evaluation import report as render

    wide = None if sys.stdout.isatty() else 200
    Console(width=wide).print(render.to_terminal(evaluation, by_source, all_metrics))


def _write(
    evaluation: "Evaluation",
    target: Path,
    by_source: bool,
    all_metrics: bool,
    gallery: "Gallery | None",
) -> None:
    from photochrom.workbench.evaluation import html_report as html
    from photochrom.workbench.evaluation import report as render

    writers: dict[str, Callable[[], str]] = {
        ".md": lambda: render.to_markdown(evaluation, by_source, all_metrics),
        ".csv": lambda: render.to_csv(evaluation),
        ".json": lambda: render.to_json(evaluation),
        ".html": lambda: html.to_html(evaluation, gallery, by_source),
    }
    try:
        target.write_text(writers[target.suffix]())
    except OSError as error:
        raise UnwritableFileError(f"{target}: cannot be written ({error.strerror}).") from error


def _draw_sheet(
    data: Path,
    method: str,
    sheet: Path,
    limit: int | None,
    working_px: int | None,
    vividness: float | None,
) -> None:
    from photochrom.engine.colorize import Colorizer
    from photochrom.workbench.evaluation.contact_sheet import contact_sheet

    colorizer = Colorizer(method, short_side_px=working_px, vividness=vividness)
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
