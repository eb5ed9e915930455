"""`photochrom evaluate`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from photochrom.errors import InvalidValueError, MissingExtraError, UnwritableFileError
from photochrom.extras import how_to_install
from photochrom.workbench.commands.named_folders import named_folders
from photochrom.workbench.commands.progress_line import ProgressLine
from photochrom.workbench.evaluation.text_files import write_text
from photochrom.workbench.training.stored_files import read_keys

if TYPE_CHECKING:
    from photochrom.workbench.evaluation.benchmark import Benchmark
    from photochrom.workbench.evaluation.class_prior import ClassPrior
    from photochrom.workbench.evaluation.results import Evaluation
    from photochrom.workbench.evaluation.sample_gallery import Gallery
    from photochrom.workbench.evaluation.scoring import Observer

VIVIDNESSES = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)
SATURATIONS = (0.5, 1.0, 2.0, 4.0, 6.0)
REPORTS = (".md", ".csv", ".json", ".html")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What to measure, and what to show.

    Attributes
    ----------
    data : Path
        A Parquet file with a column `image`, or a folder of pictures.
    method : tuple of str
        A method, or an exported network (.onnx); can be repeated. `none` measures only --outputs.
    outputs : tuple of str
        NAME=FOLDER: add a row for pictures that another program coloured, matched by key or file
        stem; can be repeated.
    true_lightness : bool
        Replace the lightness of --outputs by the photographs' own, so that only colours are judged.
    references : Path
        A folder of other colour photographs, for methods that need a reference, such as welsh.
    own_histogram : bool
        Add a row for each method that takes a histogram, given the photograph's own histogram: the
        score with a perfect reference.
    gray : str
        How the photographs are converted to gray.
    curves : bool
        Add the curves of error against colourfulness, over vividness and over saturation.
    hints : bool
        Add the hint curve: PSNR with 0 to 100 revealed patches, for every method that accepts hints
        and for the baseline rbf. Methods that require hints are measured only here.
    by_source : bool
        Add a table for each source.
    all_metrics : bool
        Add a second table: RGB error, pixels within 2 % and 5 %, AuC, Kolmogorov-Smirnov, LPIPS,
        FID. CSV, JSON and HTML always contain it.
    perceptual : bool
        Measure LPIPS and FID too, if torchmetrics and its weights are installed.
    mean_ab : tuple of float
        a and b of the row mean-colour, for example the mean of the training pictures; by default
        the mean of many photographs.
    vividness : float
        Vividness of the methods, 0 to 1; by default their own.
    working_px : int
        Short side of the copy that the methods see, in pixels; by default their own.
    keys : Path
        Only the pictures whose keys are in this file, one per line.
    limit : int
        Measure at most this many pictures.
    scored_px : int
        Short side, in pixels, to which larger pictures are reduced before scoring; they are
        coloured at their own size. 256 by default.
    report : tuple of Path
        Also write the result to a .md, .csv, .json or .html file; can be repeated.
    figure : Path
        Also draw a .png figure with one row per picture: gray, each method, truth.
    pictures : int
        Number of randomly drawn pictures in the HTML report (60 by default) and in the figure (8).
    sheet : Path
        Instead of measuring, draw each photograph beside its colouring by the method, in one
        picture. The photographs may be black and white. Excludes the options for measuring.
    seed : int
        Seed of the revealed patches, the intervals and the pictures shown.
    """

    data: Path
    method: Annotated[tuple[str, ...], Parameter(name=["--method", "-m"], negative=())] = (
        "photochrom",
    )
    outputs: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    true_lightness: Annotated[bool, Parameter(negative=())] = False
    references: Path | None = None
    own_histogram: Annotated[bool, Parameter(negative=())] = False
    gray: Literal["lightness", "bt601", "bt709", "orthochromatic", "panchromatic"] = "lightness"
    curves: Annotated[bool, Parameter(negative=())] = False
    hints: Annotated[bool, Parameter(negative=())] = False
    by_source: Annotated[bool, Parameter(negative=())] = False
    all_metrics: Annotated[bool, Parameter(negative=())] = False
    perceptual: Annotated[bool, Parameter(negative=())] = False
    mean_ab: tuple[float, float] | None = None
    vividness: float | None = None
    working_px: int | None = None
    keys: Path | None = None
    limit: int | None = None
    scored_px: int | None = None
    report: Annotated[tuple[Path, ...], Parameter(name=["--report", "-o"], negative=())] = ()
    figure: Path | None = None
    pictures: int | None = None
    sheet: Path | None = None
    seed: int = 0

    def check_sheet(self) -> None:
        """Refuse options that drawing a sheet would ignore."""
        measuring = {
            "--report (-o)": self.report,
            "--figure": self.figure,
            "--pictures": self.pictures,
            "--outputs": self.outputs,
            "--true-lightness": self.true_lightness,
            "--references": self.references,
            "--own-histogram": self.own_histogram,
            "--curves": self.curves,
            "--hints": self.hints,
            "--by-source": self.by_source,
            "--all-metrics": self.all_metrics,
            "--perceptual": self.perceptual,
            "--mean-ab": self.mean_ab,
            "--keys": self.keys,
            "--gray": self.gray != "lightness",
        }
        given = [name for name, value in measuring.items() if value not in (None, False, ())]
        if len(self.method) > 1:
            given.append("all but one --method")
        if given or self.method[0] == "none":
            raise InvalidValueError(
                "--sheet draws the colourings of one method and measures nothing. Leave out "
                f"{', '.join(given) or '--method none'}, or --sheet."
            )

    def check_targets(self) -> None:
        """Refuse a target that cannot be written, before measuring, which takes minutes."""
        for target in self.report:
            if target.suffix not in REPORTS:
                raise InvalidValueError(f"{target}: a report is a .md, .csv, .json or .html file.")
        if self.figure is not None:
            from photochrom.workbench.evaluation.comparison_figure import check_figure

            check_figure(self.figure)
        for target in (*self.report, *([self.figure] if self.figure else [])):
            if not target.parent.is_dir():
                raise UnwritableFileError(f"{target}: the folder {target.parent} does not exist.")
        if self.pictures is not None and self.pictures < 1:
            raise InvalidValueError(f"pictures must be at least 1; got {self.pictures}.")

    def benchmark(
        self,
        progress: "Callable[[int], None]",
        observe: "Callable[[ClassPrior], Sequence[Observer]]",
    ) -> "Benchmark":
        """Return the measurement that they ask for."""
        from photochrom.workbench.evaluation.benchmark import Benchmark
        from photochrom.workbench.evaluation.compared_rows import MEAN_AB
        from photochrom.workbench.evaluation.revealed_hints import COUNTS
        from photochrom.workbench.evaluation.scoring import SCORED_PX

        return Benchmark(
            self.data,
            [] if self.method == ("none",) else self.method,
            gray=self.gray,
            short_side_px=self.working_px,
            vividness=self.vividness,
            vividnesses=VIVIDNESSES if self.curves else (),
            saturations=SATURATIONS if self.curves else (),
            hint_counts=COUNTS if self.hints else (),
            outputs=named_folders(self.outputs),
            true_lightness=self.true_lightness,
            reference_folder=self.references,
            own_histogram=self.own_histogram,
            mean_ab=self.mean_ab or MEAN_AB,
            limit=self.limit,
            keys=frozenset(read_keys(self.keys)) if self.keys else None,
            scored_px=SCORED_PX if self.scored_px is None else self.scored_px,
            seed=self.seed,
            progress=progress,
            observe=observe,
        )


def evaluate(*, options: EvaluateOptions) -> None:
    """Measure methods on colour photographs, next to gray, mean-colour and oracle-mean."""
    if options.sheet is not None:
        options.check_sheet()
        return _draw_sheet(options, options.sheet)
    options.check_targets()
    looks = _Looks(options)
    with ProgressLine() as line:
        evaluation = options.benchmark(line.count, looks.observe).run()
    evaluation = looks.finish(evaluation)
    _show(evaluation, options)
    for target in options.report:
        _write(evaluation, target, options, looks.gallery)
    if options.figure is not None and looks.gallery is not None:
        from photochrom.workbench.evaluation import comparison_figure as drawing

        drawing.draw_figure(looks.gallery, options.figure, options.pictures or drawing.PICTURES)


class _Looks:
    """What looks at the finished pictures: the gallery, and metrics that need a network."""

    def __init__(self, options: EvaluateOptions) -> None:
        page = any(target.suffix == ".html" for target in options.report)
        self._wanted = page or options.figure is not None
        self._most, self._seed = options.pictures or (60 if page else 8), options.seed
        self.gallery: Gallery | None = None
        self._observers: Sequence[Observer] = ()
        self._notes: Sequence[str] = ()
        if options.perceptual:
            self._observers, self._notes = _open_perceptual()

    def observe(self, class_prior: "ClassPrior") -> "Sequence[Observer]":
        if not self._wanted:
            return self._observers
        from photochrom.workbench.evaluation.sample_gallery import Gallery

        self.gallery = Gallery(class_prior, self._most, self._seed)
        return [*self._observers, self.gallery]

    def finish(self, evaluation: "Evaluation") -> "Evaluation":
        whole = evaluation.whole
        for observer in self._observers:
            if hasattr(observer, "whole"):
                whole = observer.whole()
        return replace(evaluation, notes=(*evaluation.notes, *self._notes), whole=whole)


def _open_perceptual() -> "tuple[Sequence[Observer], Sequence[str]]":
    from importlib import util

    if util.find_spec("torch") is None:
        raise MissingExtraError(
            "LPIPS and FID need torch and torchmetrics, which are not installed. "
            f"{how_to_install('train')}, and: pip install torchmetrics torch-fidelity"
        )
    from photochrom.workbench.evaluation.perceptual_metrics import open_perceptual

    return open_perceptual()


def _show(evaluation: "Evaluation", options: EvaluateOptions) -> None:
    from rich.console import Console

    from photochrom.workbench.evaluation import report as render

    wide = None if sys.stdout.isatty() else 200
    table = render.to_terminal(evaluation, options.by_source, options.all_metrics)
    Console(width=wide).print(table)


def _write(
    evaluation: "Evaluation", target: Path, options: EvaluateOptions, gallery: "Gallery | None"
) -> None:
    from photochrom.workbench.evaluation import html_report as html
    from photochrom.workbench.evaluation import report as render

    writers: dict[str, Callable[[], str]] = {
        ".md": lambda: render.to_markdown(evaluation, options.by_source, options.all_metrics),
        ".csv": lambda: render.to_csv(evaluation),
        ".json": lambda: render.to_json(evaluation),
        ".html": lambda: html.to_html(evaluation, gallery, options.by_source),
    }
    write_text(target, writers[target.suffix]())


def _draw_sheet(options: EvaluateOptions, sheet: Path) -> None:
    from photochrom.engine.colorize import Colorizer
    from photochrom.workbench.evaluation.contact_sheet import contact_sheet

    colorizer = Colorizer(
        options.method[0], short_side_px=options.working_px, vividness=options.vividness
    )
    count = contact_sheet(options.data, colorizer.predict_ab, sheet, limit=options.limit)
    print(f"Drew {count} photographs on {sheet}.", file=sys.stderr)
