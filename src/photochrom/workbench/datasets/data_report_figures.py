"""The figures of a data report, drawn by matplotlib without a display."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from photochrom.color.arrays import Bytes
from photochrom.color.gamut import lab_to_bytes
from photochrom.extras import require
from photochrom.workbench.datasets.data_report import PaletteTrial, Reduction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[["Figure", str], None]  # draws on a matplotlib Figure, with an ink

INKS = {"light": "#3a3a3a", "dark": "#c8c8c8"}
BLUE, ORANGE, GREEN = "#4f7cac", "#b5622f", "#6b8f5e"  # read on light and on dark
SWATCH_LIGHTNESS = 65.0


def plot(draw: Draw, ink: str, inches: tuple[float, float]) -> bytes:
    """Return a figure as a PNG with a transparent background, at 150 pixels per inch.

    Raise MissingExtraError if matplotlib is not installed.
    """
    require("train", "A page with plots", "matplotlib")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: Any = dict.fromkeys(inked, ink)
    style |= {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, ink)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=150, transparent=True)
    return content.getvalue()


def draw_reduction(
    reductions: Sequence[Reduction], name: str, label: str, figure: "Figure", ink: str
) -> None:
    """Plot a number of each reduction, such as psnr, against the variance kept."""
    axes = figure.subplots()
    scale = 100 if name == "stored_share" else 1
    values = [scale * getattr(r, name) for r in reductions]
    variances = [100 * r.variance for r in reductions]
    axes.plot(variances, [v.mean() for v in values], "o-", color=BLUE)
    low, high = ([np.percentile(v, p) for v in values] for p in (10, 90))
    axes.fill_between(variances, low, high, color=BLUE, alpha=0.25, linewidth=0)
    axes.set(xlabel="variance kept, %", ylabel=label)


def draw_errors(trials: Sequence[PaletteTrial], figure: "Figure", ink: str) -> None:
    """Plot the error of palettes against their number of colours."""
    axes = figure.subplots()
    for name, label, color in (
        ("ab", "distance in ab", BLUE),
        ("ciede2000", "CIEDE2000", ORANGE),
    ):
        errors = [getattr(trial.error, name) for trial in trials]
        axes.plot(_counts(trials), errors, "o-", color=color, label=label)
    axes.legend(frameon=False, labelcolor="linecolor")
    _over_colours(axes, trials, "mean error")


def draw_seconds(trials: Sequence[PaletteTrial], figure: "Figure", ink: str) -> None:
    """Plot the time to fit palettes against their number of colours."""
    axes = figure.subplots()
    seconds = [np.nan if trial.seconds is None else trial.seconds for trial in trials]
    axes.plot(_counts(trials), seconds, "o-", color=GREEN)
    _over_colours(axes, trials, "seconds")


def _counts(trials: Sequence[PaletteTrial]) -> list[int]:
    return [len(trial.palette.centres) for trial in trials]


def _over_colours(axes: "Axes", trials: Sequence[PaletteTrial], label: str) -> None:
    axes.set(xlabel="colours", ylabel=label, xscale="log", ylim=(0, None))
    axes.set_xticks(_counts(trials), [str(count) for count in _counts(trials)])
    axes.minorticks_off()


def draw_planes(trials: Sequence[PaletteTrial], figure: "Figure", ink: str) -> None:
    """Plot each palette's colours in the ab plane."""
    columns = 4
    planes = figure.subplots(-(-len(trials) // columns), columns, squeeze=False).ravel()
    for axes in planes[len(trials) :]:
        axes.remove()
    for axes, trial in zip(planes, trials, strict=False):
        centres, shares = trial.palette
        colours = swatch_colours(trial)
        axes.axhline(0, color=ink, linewidth=0.4)
        axes.axvline(0, color=ink, linewidth=0.4)
        axes.scatter(*centres.T, s=4 + 500 * shares, c=colours / 255, linewidths=0)
        axes.set(xlim=(-100, 110), ylim=(-115, 105), aspect="equal", title=trial.name)


def swatch_colours(trial: PaletteTrial) -> Bytes:
    """Return a palette's colours at one lightness, (K, 3) uint8, as vivid as sRGB allows there."""
    centres = trial.palette.centres
    lab = np.insert(centres.astype(np.float64), 0, SWATCH_LIGHTNESS, axis=1)
    return lab_to_bytes(lab)
