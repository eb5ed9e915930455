"""A study as one HTML page that needs nothing beside it: figures, pictures, numbers."""

import base64
import html
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from string import Template

import numpy as np
from numpy.typing import NDArray

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
from photochrom.workbench.datasets.similarity_groups import Preselection

Bytes = NDArray[np.uint8]

SHOWN_VARIANCES = (0.90, 0.95, 0.98, 0.99)
EXAMPLES = 3  # pictures shown reduced and recoloured
STRIP = 8  # pictures shown of a group
PICTURE_PX, SMALL_PX = 168, 104  # shown heights

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --paper: #fbfbfa; --ink: #1d1d1c; --soft: #5c5c5a;
  --line: #d9d9d6; font: 16px/1.55 Charter, "Bitstream Charter", Georgia, serif; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #191918; --ink: #e9e9e6; --soft: #a6a6a2; --line: #3a3a38; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.1rem 4rem; max-width: 60rem; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 600; }
h2 { font-size: 1.25rem; margin: 3rem 0 .4rem; padding-top: 1rem; border-top: 1px solid var(--line);
  font-weight: 600; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; font-weight: 600; }
p { max-width: 42rem; margin: .5rem 0; }
.soft, figcaption, caption { color: var(--soft); font-size: .87rem; }
figure { margin: 1.2rem 0; }
img { max-width: 100%; height: auto; display: block; }
.strip { display: flex; flex-wrap: wrap; gap: 8px; margin: .6rem 0 1.4rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr));
  gap: 0 1.5rem; }
.strip figure { margin: 0; }
.strip img { border-radius: 2px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums;
  margin: 1rem 0; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { padding: .28rem .9rem .28rem 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; }
.swatches { display: flex; height: 34px; width: 100%; margin: .3rem 0 .9rem; }
.swatches i { flex: 1 1 0; min-width: 0; }
@media (max-width: 34rem) { .strip figure { max-width: calc(50% - 4px); } }
</style>
</head>
<body>
<h1>$title</h1>
<p class="soft">$facts</p>
$body
</body>
</html>
""")


def to_html(study: Study) -> str:
    """Draw a study.

    Raise MissingExtraError if matplotlib is not installed.

    Parameters
    ----------
    study : Study
        From `photochrom.workbench.datasets.data_report.study`.

    Returns
    -------
    str
        A whole page; figures and pictures are embedded.
    """
    sample = study.sample
    broken = f" {sample.unreadable} more could not be decoded." if sample.unreadable else ""
    facts = (
        f"{len(sample.pictures)} of {sample.seen} pictures, drawn with seed {study.seed}; short"
        f" side at most {SHORT_SIDE_PX} px.{broken}"
    )
    sections = [*_reduction(study), *_palettes(study), *_preselection(study)]
    title = f"A study of {html.escape(study.data)}"
    return PAGE.substitute(title=title, facts=facts, body="\n".join(sections))


def _reduction(study: Study) -> Iterator[str]:
    measured = study.reductions
    at98 = next(r for r in measured if r.variance == 0.98)
    count = len(at98.components)
    yield "<h2>How much of a picture is enough</h2>"
    yield _text(
        "A picture's rows are reduced by principal components, in Lab. For each of k components a"
        " number a row and a number a column and channel are stored; the size is their share of"
        f" the numbers in the picture itself. Means over {count} pictures. Keeping 98 % of the"
        f" variance stores {at98.stored_share.mean():.0%} of the numbers, with"
        f" {at98.components.mean():.0f} components, at {at98.psnr.mean():.1f} dB."
    )
    rows = [
        [
            f"{r.variance:.1%}",
            f"{r.components.mean():.1f}",
            f"{r.stored_share.mean():.1%}",
            f"{r.psnr.mean():.1f} ± {r.psnr.std():.1f}",
        ]
        for r in measured
    ]
    header = ["variance kept", "components", "stored size", "PSNR, dB"]
    yield _table(header, rows)
    bands = "Mean, and the band from the 10th to the 90th percentile."
    yield _plots(
        _figure(partial(draw_reduction, study.reductions, name, label), bands)
        for name, label in (("stored_share", "stored size, %"), ("psnr", "PSNR, dB"))
    )
    for picture in study.sample.pictures[:EXAMPLES]:
        shown = [_picture(picture, PICTURE_PX, "the picture")]
        for variance in SHOWN_VARIANCES:
            restored, components, stored = reduce_rgb(picture, variance)
            caption = f"{variance:.0%}: k = {components}, {stored:.0%} stored"
            shown.append(_picture(restored, PICTURE_PX, caption))
        yield _strip(shown)


def _palettes(study: Study) -> Iterator[str]:
    yield "<h2>How many colours are enough</h2>"
    yield _text(
        f"k-means over the ab of {study.pixels:,} pixels drawn from all pictures (mini-batches,"
        " seeded). The error is what a picture loses when each pixel takes the nearest colour of"
        " the palette at its own lightness; about 1 in CIEDE2000 is just noticeable. The last row"
        " is the fixed grid of Zhang et al. 2016, for comparison."
    )
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
    yield _table(
        ["colours", "distance in ab", "CIEDE2000", "seconds", "share of the most used"], rows
    )
    fitted = [trial for trial in study.palettes if trial.seconds is not None]
    if not fitted:
        return
    yield _plots(
        [
            _figure(partial(draw_errors, fitted), "What a palette loses."),
            _figure(partial(draw_seconds, fitted), "How long it takes to fit."),
        ]
    )
    yield "<h3>The palettes</h3>"
    yield _text("The most used colour first, each at lightness 65 or as vivid as that allows.")
    for trial in fitted:
        yield f'<p class="soft">{trial.name} colours</p>' + _swatches(trial)
    yield _figure(
        partial(draw_planes, fitted),
        "Where the colours lie: a to the right, b upwards; the area is the share.",
        (9, 4.6),
    )
    yield "<h3>Pictures in few colours</h3>"
    for picture in study.sample.pictures[:EXAMPLES]:
        shown = [_picture(picture, PICTURE_PX, "the picture")]
        for trial in fitted:
            coloured = recolour(picture, trial.palette.centres)
            shown.append(_picture(coloured, PICTURE_PX, f"{trial.name} colours"))
        yield _strip(shown)


def _swatches(trial: PaletteTrial) -> str:
    tiles = (
        f'<i style="background:#{r:02x}{g:02x}{b:02x}"'
        f' title="a {a:.0f}, b {y:.0f}: {100 * share:.1f} %"></i>'
        for (r, g, b), (a, y), share in zip(
            swatch_colours(trial).tolist(), *map(np.ndarray.tolist, trial.palette), strict=True
        )
    )
    label = f"The palette of {trial.name} colours"
    return f'<div class="swatches" role="img" aria-label="{label}">{"".join(tiles)}</div>'


def _preselection(study: Study) -> Iterator[str]:
    yield "<h2>Which pictures are alike</h2>"
    yield _text(
        "Every picture is stretched to a small square; for red, green and blue each, a PCA over"
        " the pictures gives scores, and k-means on them puts the pictures in groups. First with"
        " the first score of each channel alone (little more than how bright and how tinted a"
        " picture is), then with all scores. Of each group those nearest to its centre are shown."
    )
    yield from _grouping(study, study.first_scores, "The first score of each channel")
    yield from _grouping(study, study.all_scores, "All scores")


def _grouping(study: Study, grouping: Grouping, title: str) -> Iterator[str]:
    yield f"<h3>{title}</h3>"
    yield _text(_explained(grouping.preselection), "soft")
    for number, members in enumerate(grouping.members, 1):
        share = len(members) / len(study.sample.pictures)
        yield f"<p>Group {number}: {len(members)} pictures ({share:.0%})</p>"
        yield _strip(
            _picture(study.sample.pictures[i], SMALL_PX, "", study.sample.keys[i])
            for i in members[:STRIP]
        )


def _explained(preselection: Preselection) -> str:
    shares = ", ".join(f"{share:.0%}" for share in preselection.explained())
    kept = preselection.kept_scores
    seen = "1 score" if kept == 1 else f"{kept} scores"
    return (
        f"The first score holds {shares} of the variance of red, green, blue; k-means sees"
        f" {seen} a channel."
    )


def _text(text: str, kind: str = "") -> str:
    return f"<p{f' class={kind}' if kind else ''}>{html.escape(text)}</p>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="table">{table}</div>'


def _strip(pictures: Iterable[str]) -> str:
    return f'<div class="strip">{"".join(pictures)}</div>'


def _picture(rgb: Bytes, height_px: int, caption: str, alternative: str = "") -> str:
    from PIL import Image

    scale = min(1.0, height_px / len(rgb))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(len(rgb) * scale)))
    content = io.BytesIO()
    Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS).save(content, "JPEG", quality=88)
    described = html.escape(alternative or caption, quote=True)
    image = (
        f'<img src="{_data("image/jpeg", content.getvalue())}" width="{size[0]}"'
        f' height="{size[1]}" alt="{described}">'
    )
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{image}{below}</figure>"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _plots(figures: Iterable[str]) -> str:
    return f'<div class="plots">{"".join(figures)}</div>'


def _figure(draw: Draw, caption: str, inches: tuple[float, float] = (4.6, 3.3)) -> str:
    """Draw a figure twice, with ink for a light and for a dark page; the browser chooses."""
    light, dark = (_data("image/png", plot(draw, INKS[tone], inches)) for tone in ("light", "dark"))
    described = html.escape(caption, quote=True)
    return (
        f'<figure><picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">'
        f'<img src="{light}" alt="{described}"></picture>'
        f"<figcaption>{described}</figcaption></figure>"
    )
