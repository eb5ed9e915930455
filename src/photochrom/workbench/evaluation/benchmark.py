"""Evaluate methods on photographs: photos -> gray -> engine -> metrics -> records.

Methods run through the engine, so that the scored picture is the one that a user gets.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from photochrom.color.arrays import Floats
from photochrom.colorization.method import Hints, MethodInfo
from photochrom.errors import InvalidValueError
from photochrom.workbench.evaluation.bootstrap import RESAMPLES
from photochrom.workbench.evaluation.class_prior import ClassPrior, measure_class_prior
from photochrom.workbench.evaluation.compared_rows import (
    MEAN_AB,
    REFERENCES,
    Predict,
    PredictHinted,
    Source,
    hint_curve,
    method,
    references,
    spread_curve,
    vividness_curve,
)
from photochrom.workbench.evaluation.evaluation_pictures import Sample, read_samples
from photochrom.workbench.evaluation.external_outputs import Outputs
from photochrom.workbench.evaluation.metrics import SSIM_WINDOW_PX
from photochrom.workbench.evaluation.results import Evaluation
from photochrom.workbench.evaluation.scoring import (
    MOST_WORKERS,
    SCORED_PX,
    TRUTH,
    Observer,
    score_samples,
)

if TYPE_CHECKING:
    from photochrom.engine.guidance import Guidance
    from photochrom.engine.prediction import Colouring
    from photochrom.photo.photo import Photo


class Engine(Protocol):
    """The interface of an opened method; `photochrom.engine.colorize.Colorizer` has it."""

    @property
    def info(self) -> MethodInfo:
        """The method's own description: `name`, and what it `accepts` and `requires`."""

    def predict_ab(
        self,
        lightness: Floats,
        *,
        hints: Hints | None = None,
        histogram: Floats | None = None,
        chroma: float | None = None,
        vividness: float | None = None,
    ) -> Floats:
        """Colour a lightness (h, w) in [0, 100]: ab (h, w, 2)."""

    def colouring(self, photo: "Photo", page: int, guidance: "Guidance") -> "Colouring":
        """Predict the colours of a page of a photo, from 0, under guidance."""


Open = Callable[..., Engine]

RENAMED = {"rbf": "rbf (method)"}  # beside the baseline, which does without the engine


def open_method(name: str | Path, short_side_px: int | None = None) -> Engine:
    """Open a method of the catalogue, or an exported network, in the engine."""
    # Here, so that reading a stored evaluation loads neither libvips nor ONNX Runtime.
    from photochrom.engine.colorize import Colorizer

    return Colorizer(name, short_side_px=short_side_px)


@dataclass(frozen=True)
class Benchmark:
    """A measurement of methods on photographs whose colours are known.

    data : a Parquet file with a column `image` (`key` and `source` where known), or a folder of
        Parquet files or of pictures. Each is coloured at its stored size.
    methods : names of the catalogue, or exported networks. The rows `gray`, `mean-colour` and
        `oracle-mean` are always there.
    gray : how the photographs become gray: 'lightness', 'bt601', 'bt709', 'orthochromatic' or
        'panchromatic'. Any but 'lightness' changes only what the methods are shown: the colours are
        joined with the true lightness, so that the error is that of the colours alone.
    short_side_px : working size of the methods; each method's own default without it
    vividness : of the methods' rows, in [0, 1]; the method's own default without it
    vividnesses : points of the curve of error against colourfulness, for the methods that accept
        vividness
    saturations : points of the curves of `mean-colour` and of each method, its ab times the
        saturation
    hint_counts : points of the hint curve (`revealed_hints.COUNTS`), for the methods that accept
        hints. The baseline `rbf` is always there: a plain spread of the patches at the stored size.
        The method of that name goes through the engine like all others, as `rbf (method)`.
    outputs : name of a row -> folder of another program's coloured pictures, found by key or file
        stem
    true_lightness : whether those get the photographs' true lightness, as the methods' own rows do
    reference_folder : colour photographs for the methods that require a reference; none of those
        that are judged. Without it such methods are not measured.
    own_histogram : whether methods that accept a histogram have a second row, `NAME, own
        histogram`: each photograph's true histogram and mean chroma are given, as by a perfect
        reference
    mean_ab : (float, float); the training set's mean a and b, for `mean-colour`
    limit : at most so many photographs
    keys : only the photographs with these keys
    scored_px : photographs with a longer short side are scored reduced to it, after they were
        coloured
    seed : of the revealed places and of the intervals
    resamples : of the intervals
    workers : threads, 1 or 2
    progress : callable, optional; called with the number of photographs done
    observe : callable, optional; ClassPrior of the photographs -> observers of every finished
        picture of the table, such as a `photochrom.workbench.evaluation.sample_gallery.Gallery`
    open_as : callable; opens a method by name and working size; the engine's own by default
    """

    data: Path
    methods: Sequence[str | Path] = ("photochrom",)
    _: KW_ONLY
    gray: str = "lightness"
    short_side_px: int | None = None
    vividness: float | None = None
    vividnesses: Sequence[float] = ()
    saturations: Sequence[float] = ()
    hint_counts: Sequence[int] = ()
    outputs: Mapping[str, Path] | None = None
    true_lightness: bool = False
    reference_folder: Path | None = None
    own_histogram: bool = False
    mean_ab: tuple[float, float] = MEAN_AB
    limit: int | None = None
    keys: Collection[str] | None = None
    scored_px: int = SCORED_PX
    seed: int = 0
    resamples: int = RESAMPLES
    workers: int = MOST_WORKERS
    progress: Callable[[int], None] | None = None
    observe: Callable[[ClassPrior], Sequence[Observer]] | None = None
    open_as: Open = open_method

    def run(self) -> Evaluation:
        """Measure the methods.

        Returns
        -------
        Evaluation
            Records, rows, curves, and what can be computed from them. A method that requires hints
            has a hint curve alone; one that requires anything else is not measured: notes say so.

        Raises
        ------
        DataError
            If there is no photograph, one cannot be used, or another program's picture of it is
            missing.
        InvalidValueError
            If there is no such gray, a number is out of its range, or the name of a row is taken.
        UnknownMethodError, MissingExtraError
            If there is no such method, or the extra `evaluate` is not installed.
        MethodOutputError
            If a method returns colours of the wrong size, or that are not finite.
        """
        if self.scored_px < SSIM_WINDOW_PX:
            raise InvalidValueError(
                f"scored_px must be at least {SSIM_WINDOW_PX}; got {self.scored_px}. The default "
                f"is {SCORED_PX}."
            )
        sources = [references(self.mean_ab, self.saturations)]
        opened, notes = self._open()
        for name, engine, reference_method in opened:
            if name != "gray":  # it is among the references
                sources += self._rows(name, engine, reference_method)
        if self.hint_counts:
            sources.append(spread_curve(self.hint_counts, self.seed))
        class_prior = measure_class_prior(self._samples())
        rivals = [
            Outputs(name, folder, class_prior.keys, self.true_lightness)
            for name, folder in (self.outputs or {}).items()
        ]
        sources += rivals
        records = score_samples(
            self._samples(),
            sources,
            self.workers,
            self.progress,
            class_prior,
            self.observe(class_prior) if self.observe else (),
            self.scored_px,
        )
        larger = sum(px > self.scored_px for px in class_prior.short_sides_px)
        if larger:
            notes.append(
                f"Of {len(class_prior.keys)} photographs {larger} have a short side of more than "
                f"{self.scored_px} pixels: they were coloured at their size and scored reduced to "
                "it."
            )
        notes += [note for rival in rivals for note in rival.notes()]
        return Evaluation(
            records, self.data.name, self.gray, self.resamples, self.seed, tuple(notes)
        )

    def _samples(self) -> Iterator[Sample]:
        return read_samples(self.data, self.gray, self.limit, self.keys)

    def _open(self) -> tuple[list[tuple[str, Engine, Predict | None]], list[str]]:
        """Open the methods: name, engine, and its reference method, if any; and notes."""
        engines = [self.open_as(name, self.short_side_px) for name in self.methods]
        names = _distinct([RENAMED.get(engine.info.name, engine.info.name) for engine in engines])
        _check_own_names(self.outputs or {}, names)
        opened: list[tuple[str, Engine, Predict | None]] = []
        on_references, notes = [], []
        for name, engine in zip(names, engines, strict=True):
            reference_method = None
            if self.reference_folder is not None and tuple(engine.info.requires) == ("reference",):
                # Here, as in `open_method`: libvips and ONNX Runtime are loaded when needed.
                from photochrom.workbench.evaluation.reference_rows import ReferenceMethod

                reference_method = ReferenceMethod(engine, self.reference_folder)
                on_references.append(reference_method.note(name))
            elif note := _note(name, engine.info):
                notes.append(note)
            opened.append((name, engine, reference_method))
        return opened, on_references + notes

    def _rows(
        self, name: str, engine: Engine, reference_method: Predict | None
    ) -> Iterator[Source]:
        """Yield what is measured of a method: its rows and its curves."""
        requires, accepts = engine.info.requires, engine.info.accepts
        if reference_method is not None:
            yield method(name, reference_method, self.saturations)
        if not requires:
            yield method(name, _predict(engine, self.vividness), self.saturations)
        if self.own_histogram and "histogram" in accepts:
            from photochrom.workbench.evaluation.reference_rows import with_own_histogram

            yield method(f"{name}, own histogram", with_own_histogram(engine, self.vividness))
        if not requires and "vividness" in accepts:
            yield vividness_curve(name, {v: _predict(engine, v) for v in self.vividnesses})
        if self.hint_counts and "hints" in accepts and set(requires) <= {"hints"}:
            predict = _predict_hinted(engine, self.vividness)
            yield hint_curve(name, predict, self.hint_counts, self.seed)


def _note(name: str, info: MethodInfo) -> str | None:
    """Return the reason why a method is not measured like the others."""
    beyond = [each for each in info.requires if each != "hints"]
    if beyond:
        return (
            f"'{name}' is not measured: it needs a {beyond[0]}, and the photograph's own would "
            "give its colours away. A reference may come from another folder (--references)."
        )
    if "hints" in info.requires:
        return f"'{name}' needs hints: it has no row; the hint curve (--hints) shows what it does."
    return None


def _check_own_names(outputs: Mapping[str, Path], methods: Sequence[str]) -> None:
    taken = {TRUTH, *REFERENCES, *methods} & outputs.keys()
    if taken:
        raise InvalidValueError(
            f"outputs need a name of their own; '{min(taken)}' is already a row. "
            f"Choose another name: {min(taken)}-outputs={outputs[min(taken)]}"
        )


def _distinct(names: Sequence[str]) -> list[str]:
    """Make names unique, such as those of two networks of one recipe."""
    return [
        name if name not in names[:i] else f"{name} ({names[:i].count(name) + 1})"
        for i, name in enumerate(names)
    ]


def _predict(engine: Engine, vividness: float | None) -> Predict:
    return lambda sample: engine.predict_ab(sample.lightness, vividness=vividness)


def _predict_hinted(engine: Engine, vividness: float | None) -> PredictHinted:
    def predict(sample: Sample, ab: Floats, mask: Floats) -> Floats:
        needed = "hints" in engine.info.requires
        hints = Hints(ab=ab, mask=mask) if needed or mask.any() else None
        return engine.predict_ab(sample.lightness, hints=hints, vividness=vividness)

    return predict
