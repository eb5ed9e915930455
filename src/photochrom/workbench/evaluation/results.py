"""From records to tables and curves, with intervals.

Everything here is computed from the records alone, so that a stored run can be read again, split
by source, or compared in other ways later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from photochrom.color.arrays import Floats
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.evaluation.bootstrap import (
    RESAMPLES,
    Estimate,
    Quantity,
    estimate,
    interval,
    resample_weights,
)
from photochrom.workbench.evaluation.scoring import TRUTH, Record


class Metric(NamedTuple):
    """A column of the table.

    key, label : for files, for people
    column : of the records
    relative_to : name of the row whose mean divides this mean, or None
    weighed_by : column of the same row whose mean divides this mean, or None
    each : whether each photograph is divided by its own instead, and the mean taken of that
    root : whether the root of the mean is shown
    percent : whether it is shown in percent
    whole : whether it is one number for all photographs, which has no records and no interval
    row : name of the row whose own number it is, whichever row asks
    quantile : in [0, 1]: that over the photographs, not their mean
    """

    key: str
    label: str
    column: str
    relative_to: str | None = None
    each: bool = False
    root: bool = False
    percent: bool = False
    weighed_by: str | None = None
    whole: bool = False
    row: str | None = None
    quantile: float | None = None


# Of a photograph's divisor: a CIEDE2000 below it is not noticed; a colourfulness, no colour at all.
JUST_NOTICEABLE = 1.0


def _colourfulness_at(quantile: float) -> Metric:
    percentile = f"p{round(100 * quantile)}"
    return Metric(
        f"colourfulness_{percentile}",
        f"colourful {percentile}",
        "colourfulness",
        relative_to=TRUTH,
        each=True,
        percent=True,
        quantile=quantile,
    )


# What a person minds and a mean error hides: shown wherever error is.
BESIDE_ERROR = (
    Metric("left_gray", "left gray", "left_gray", weighed_by="left_gray_counts"),
    Metric("concentration", "concentration", "concentration", weighed_by="concentration_counts"),
    Metric(
        "concentration_truth",
        "truth's concentration",
        "concentration",
        weighed_by="concentration_counts",
        row=TRUTH,
    ),
    Metric("neon", "neon", "neon"),
)
STANDARD = (
    Metric("ciede2000", "CIEDE2000", "ciede2000"),
    Metric("ratio", "of gray's", "ciede2000", relative_to="gray"),
    *BESIDE_ERROR,
    *map(_colourfulness_at, (0.1, 0.5, 0.9)),
    Metric("ratio_unbounded", "before the gamut", "ciede2000_unbounded", relative_to="gray"),
    Metric("ratio_each", "mean of ratios", "ciede2000", relative_to="gray", each=True),
    Metric("psnr", "PSNR dB", "psnr"),
    Metric("ab_mae", "ab MAE", "ab_mae"),
    Metric("ab_rmse", "ab RMSE", "ab_mse", root=True),
    Metric("ssim", "SSIM", "ssim"),
    Metric("colourfulness", "colourful", "colourfulness", relative_to=TRUTH, percent=True),
    Metric(
        "colourfulness_ddcolor",
        "colourful (DDColor)",
        "colourfulness_ddcolor",
        relative_to=TRUTH,
        percent=True,
    ),
)
FURTHER = (
    Metric("ab_mse", "ab MSE", "ab_mse"),
    Metric("rgb_mae", "RGB MAE", "rgb_mae", percent=True),
    Metric("within_2", "within 2 %", "within_2", percent=True),
    Metric("within_5", "within 5 %", "within_5", percent=True),
    Metric("auc", "AuC", "auc", percent=True),
    Metric(
        "auc_rebalanced", "AuC rebalanced", "auc_weighted", percent=True, weighed_by="auc_weight"
    ),
    Metric("ks", "KS", "ks"),
    Metric("ks_red", "KS red", "ks_red"),
    Metric("ks_green", "KS green", "ks_green"),
    Metric("ks_blue", "KS blue", "ks_blue"),
    Metric("lpips", "LPIPS", "lpips"),
    Metric("fid", "FID", "fid", whole=True),
)
METRICS = STANDARD + FURTHER
BY_KEY = {metric.key: metric for metric in METRICS}
KNOBS = ("vividness", "saturation")


@dataclass(frozen=True)
class Row:
    """A method or reference over all photographs: metric key -> estimate."""

    name: str
    estimates: dict[str, Estimate]


class Point(NamedTuple):
    """A setting of a curve: what share of the truth's colourfulness costs what error.

    setting : the knob
    share : of the truth's colourfulness (Hasler, Süsstrunk)
    ratio : of gray's mean CIEDE2000, or the other metric that was asked for
    beside : those of BESIDE_ERROR that were measured, by key
    """

    setting: float
    share: Estimate
    ratio: Estimate
    beside: dict[str, Estimate]


class HintPoint(NamedTuple):
    """Mean PSNR in decibels with so many revealed patches."""

    patches: int
    psnr: Estimate


@dataclass(frozen=True)
class Evaluation:
    """The measurements of a run.

    records : one flat dict a colouring (see `photochrom.workbench.evaluation.scoring`)
    data : the data set's name
    gray : how the photographs became gray
    resamples, seed : of the intervals
    notes : sentences on what was not measured, and why
    whole : name of a row -> key of a metric -> its number for all photographs at once
    """

    records: Sequence[Record]
    data: str = ""
    gray: str = "lightness"
    resamples: int = RESAMPLES
    seed: int = 0
    notes: Sequence[str] = ()
    whole: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    _groups: dict[tuple[str, str, float | None], dict[int, Record]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for record in self.records:
            group = (record["part"], record["name"], record["setting"])
            self._groups.setdefault(group, {})[record["picture"]] = record
        if not self.records:
            raise DataError("an evaluation needs at least one photograph; got none.")

    @property
    def pictures(self) -> int:
        """The number of photographs."""
        return len(self._groups["rows", TRUTH, None])

    @cached_property
    def _weights(self) -> Floats:
        return resample_weights(self.pictures, self.resamples, self.seed)

    def names(self, part: str) -> list[str]:
        """Return the names in a part ('rows', 'vividness', 'saturation', 'hints')."""
        return list(dict.fromkeys(name for p, name, _ in self._groups if p == part))

    def column(
        self, name: str, column: str, part: str = "rows", setting: float | None = None
    ) -> Floats:
        """Return one number a photograph, in the order of the data.

        Raise InvalidValueError if it was not measured.
        """
        records = self._groups.get((part, name, setting))
        if records is None or column not in next(iter(records.values())):
            known = ", ".join(n for n in self.names(part))
            raise InvalidValueError(
                f"{column!r} of {name!r} was not measured in {part!r}. Measured: {known}."
            )
        return np.array([records[picture][column] for picture in sorted(records)])

    def quantity(
        self, name: str, metric: Metric, part: str = "rows", setting: float | None = None
    ) -> Quantity:
        """Return a metric of a row, or of a point of a curve, ready to be estimated."""
        if metric.row is not None:
            name, part, setting = metric.row, "rows", None
        values = self.column(name, metric.column, part, setting)
        if metric.weighed_by is not None:
            return Quantity(values, self.column(name, metric.weighed_by, part, setting))
        if metric.relative_to is None:
            return Quantity(values, root=metric.root)
        divisors = self.column(metric.relative_to, metric.column)
        if metric.each:  # over the photographs that have colour to miss
            coloured = divisors > JUST_NOTICEABLE
            each = np.divide(values, divisors, out=np.zeros_like(values), where=coloured)
            return Quantity(each, coloured.astype(values.dtype), quantile=metric.quantile)
        return Quantity(values, divisors, metric.root)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of METRICS that were measured; an older run, or one without weights, has fewer."""
        first = next(iter(self._groups["rows", "gray", None].values()))
        return tuple(
            m
            for m in METRICS
            if (any(m.key in w for w in self.whole.values()) if m.whole else m.column in first)
        )

    @cached_property
    def beside_error(self) -> tuple[Metric, ...]:
        """Those of BESIDE_ERROR that were measured."""
        return tuple(metric for metric in BESIDE_ERROR if metric in self.metrics)

    @cached_property
    def rows(self) -> list[Row]:
        """The table: `gray`, `mean-colour`, `oracle-mean`, then the methods."""
        return [
            Row(name, {metric.key: self.estimate(name, metric) for metric in self.metrics})
            for name in self.names("rows")
            if name != TRUTH
        ]

    def estimate(self, name: str, metric: Metric) -> Estimate:
        """Return a metric of a row with its interval; one of all photographs at once has none."""
        if metric.whole:
            value = self.whole.get(name, {}).get(metric.key, float("nan"))
            return Estimate(value, float("nan"), float("nan"))
        return estimate(self.quantity(name, metric), self._weights)

    def _curve(
        self, knob: str, name: str, metric: str = "ratio"
    ) -> tuple[list[float], Floats, Floats]:
        """Return settings (s,), and shares and ratios over resamples, (s, 1 + resamples)."""
        settings = sorted(s for p, n, s in self._groups if (p, n) == (knob, name) and s is not None)
        if not settings:
            known = ", ".join(self.names(knob)) or "nothing"
            raise InvalidValueError(f"no curve of {name!r} over {knob!r}. Measured: {known}.")

        def over(metric: Metric) -> Floats:
            points = [self.quantity(name, metric, knob, setting) for setting in settings]
            return np.stack([point.over(self._weights) for point in points])

        return settings, over(BY_KEY["colourfulness"]), over(self._metric(metric))

    def _metric(self, key: str) -> Metric:
        if key not in BY_KEY:
            raise InvalidValueError(f"metric must be one of {', '.join(BY_KEY)}; got {key!r}.")
        return BY_KEY[key]

    def curve(self, knob: str, name: str, metric: str = "ratio") -> list[Point]:
        """Return error against colourfulness over 'vividness' or 'saturation', by setting.

        'mean-colour' has a curve over saturation alone. The metric is one that curves have:
        'ratio', 'ratio_unbounded' or 'ratio_each'. Raise InvalidValueError if there is no such
        curve.
        """
        settings, shares, ratios = self._curve(knob, name, metric)
        return [
            Point(setting, interval(share), interval(ratio), self._beside(knob, name, setting))
            for setting, share, ratio in zip(settings, shares, ratios, strict=True)
        ]

    def _beside(self, knob: str, name: str, setting: float) -> dict[str, Estimate]:
        return {
            m.key: estimate(self.quantity(name, m, knob, setting), self._weights)
            for m in self.beside_error
        }

    def ratio_at(self, share: float, knob: str, name: str, metric: str = "ratio") -> Estimate:
        """Return a curve's error at a share of the truth's colourfulness, such as 0.6; see `curve`.

        It is read between the curve's points; NaN where the curve does not reach the share.
        """
        return interval(_read_at(share, *self._curve(knob, name, metric)[1:]))

    def difference_at(self, share: float, one: tuple[str, str], two: tuple[str, str]) -> Estimate:
        """Return how much more error one curve has than another at equal colourfulness, paired.

        Each curve is named by its knob and its row. Below 0 the first is better. Raise
        InvalidValueError if there is no such curve.
        """
        read = [_read_at(share, *self._curve(*curve)[1:]) for curve in (one, two)]
        return interval(read[0] - read[1])

    def hint_curve(self, name: str) -> list[HintPoint]:
        """Return mean PSNR over revealed patches, for a method or 'rbf'; [] if not measured."""
        counts = [s for p, n, s in self._groups if (p, n) == ("hints", name) and s is not None]
        return [
            HintPoint(
                int(count),
                estimate(Quantity(self.column(name, "psnr", "hints", count)), self._weights),
            )
            for count in sorted(counts)
        ]

    def by_source(self) -> dict[str, "Evaluation"]:
        """Split by the source of the photographs, sorted by name."""
        sources = sorted({record["source"] for record in self.records})
        return {
            source: Evaluation(
                [record for record in self.records if record["source"] == source],
                self.data,
                self.gray,
                self.resamples,
                self.seed,
            )
            for source in sources
        }


def _read_at(share: float, shares: Floats, ratios: Floats) -> Floats:
    """Interpolate ratios (s, r) at a share of shares (s, r), column by column: (r,)."""
    order = np.argsort(shares, axis=0)
    shares, ratios = np.take_along_axis(shares, order, 0), np.take_along_axis(ratios, order, 0)
    outside = float("nan")
    columns = zip(shares.T, ratios.T, strict=True)
    return np.array([np.interp(share, s, r, outside, outside) for s, r in columns])
