"""A data report as one self-contained HTML page: figures, pictures, numbers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from photochrom.color.arrays import Bytes
from photochrom.workbench.datasets.ab_palette import recolour
from photochrom.workbench.datasets.data_report import SHORT_SIDE_PX, Grouping, PaletteTrial, Study
from photochrom.workbench.datasets.data_report_figures import (
    INKS,
    Draw,
    draw_errors,
    draw_planes,
    draw_reduction,
    draw_seconds,
    plot,
    swatch_colours,
)
from photochrom.workbench.datasets.pca import reduce_rgb
from photochrom.workbench.datasets.picture_files import resized
from photochrom.workbench.html_pages import data_url, jpeg_url, render

Shown = dict[str, object]  # what the page's template shows as a picture or a figure

PAGE = Path(__file__).parent / "templates" / "data_report.html"
SHOWN_VARIANCES = (0.90, 0.95, 0.98, 0.99)
EXAMPLES = 3  # pictures shown reduced and recoloured
STRIP = 8  # pictures shown of a group
PICTURE_PX, SMALL_PX = 168, 104  # shown heights


def to_html(study: Study) -> str:
    """Return a data report as a page; figures and pictures are embedded.

    Raise MissingExtraError if matplotlib is not installed.
    """
    sample = study.sample
    broken = f" {sample.unreadable} more could not be decoded." if sample.unreadable else ""
    return render(
        PAGE,
        title=f"A study of {study.data}",
        facts=(
            f"{len(sample.pictures)} of {sample.seen} pictures, drawn with seed {study.seed}; "
            f"short side at most {SHORT_SIDE_PX} px.{broken}"
        ),
        pixels=study.pixels,
        groupings=[
            _grouping(study, study.first_scores, "The first score of each channel"),
            _grouping(study, study.all_scores, "All scores"),
        ],
        **_reduction(study),
        **_palettes(study),
    )


def _reduction(study: Study) -> dict[str, object]:
    bands = "Mean, and the band from the 10th to the 90th percentile."
    return {
        "at98": next(r for r in study.reductions if r.variance == 0.98),
        "reductions": [
            [
                f"{r.variance:.1%}",
                f"{r.components.mean():.1f}",
                f"{r.stored_share.mean():.1%}",
                f"{r.psnr.mean():.1f} ± {r.psnr.std():.1f}",
            ]
            for r in study.reductions
        ],
        "reduction_plots": [
            _figure(partial(draw_reduction, study.reductions, name, label), bands)
            for name, label in (("stored_share", "stored size, %"), ("psnr", "PSNR, dB"))
        ],
        "reduced": [
            [
                _picture(picture, PICTURE_PX, "the picture"),
                *(_reduced(picture, variance) for variance in SHOWN_VARIANCES),
            ]
            for picture in study.sample.pictures[:EXAMPLES]
        ],
    }


def _reduced(picture: Bytes, variance: float) -> Shown:
    restored, components, stored = reduce_rgb(picture, variance)
    return _picture(restored, PICTURE_PX, f"{variance:.0%}: k = {components}, {stored:.0%} stored")


def _palettes(study: Study) -> dict[str, object]:
    rows = [
        [
            trial.name,
            f"{trial.error.ab:.2f}",
            f"{trial.error.ciede2000:.2f}",
            "" if trial.seconds is None else f"{trial.seconds:.1f}",
            "" if trial.seconds is None else f"{100 * trial.palette.shares[0]:.1f} %",
        ]
        for trial in study.palettes
    ]
    fitted = [trial for trial in study.palettes if trial.seconds is not None]
    if not fitted:
        return {"palettes": rows, "swatches": []}
    return {
        "palettes": rows,
        "swatches": [(trial.name, _swatches(trial)) for trial in fitted],
        "palette_plots": [
            _figure(partial(draw_errors, fitted), "What a palette loses."),
            _figure(partial(draw_seconds, fitted), "How long it takes to fit."),
        ],
        "planes": _figure(
            partial(draw_planes, fitted),
            "Where the colours lie: a to the right, b upwards; the area is the share.",
            (9, 4.6),
        ),
        "recoloured": [_in_few_colours(p, fitted) for p in study.sample.pictures[:EXAMPLES]],
    }


def _in_few_colours(picture: Bytes, trials: Sequence[PaletteTrial]) -> list[Shown]:
    return [
        _picture(picture, PICTURE_PX, "the picture"),
        *(
            _picture(recolour(picture, t.palette.centres), PICTURE_PX, f"{t.name} colours")
            for t in trials
        ),
    ]


def _swatches(trial: PaletteTrial) -> list[tuple[str, str]]:
    return [
        (f"#{r:02x}{g:02x}{b:02x}", f"a {a:.0f}, b {y:.0f}: {100 * share:.1f} %")
        for (r, g, b), (a, y), share in zip(
            swatch_colours(trial).tolist(), *map(np.ndarray.tolist, trial.palette), strict=True
        )
    ]


def _grouping(study: Study, grouping: Grouping, title: str) -> dict[str, object]:
    shares = ", ".join(f"{share:.0%}" for share in grouping.model.explained())
    kept = grouping.model.kept_scores
    pictures, keys = study.sample.pictures, study.sample.keys
    return {
        "title": title,
        "explained": (
            f"The first score holds {shares} of the variance of red, green, blue; k-means sees "
            f"{'1 score' if kept == 1 else f'{kept} scores'} a channel."
        ),
        "groups": [
            {
                "said": f"{len(members)} pictures ({len(members) / len(pictures):.0%})",
                "pictures": [_picture(pictures[i], SMALL_PX, "", keys[i]) for i in members[:STRIP]],
            }
            for members in grouping.members
        ],
    }


def _picture(rgb: Bytes, height_px: int, caption: str, alternative: str = "") -> Shown:
    scale = min(1.0, height_px / len(rgb))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(len(rgb) * scale)))
    return {
        "url": jpeg_url(resized(rgb, size)),
        "width": size[0],
        "height": size[1],
        "caption": caption,
        "alternative": alternative or caption,
    }


def _figure(draw: Draw, caption: str, inches: tuple[float, float] = (4.6, 3.3)) -> Shown:
    """Draw a figure twice, with ink for a light and for a dark page; the browser chooses."""
    drawn = {tone: data_url("image/png", plot(draw, ink, inches)) for tone, ink in INKS.items()}
    return {"caption": caption, **drawn}
