"""An evaluation as one HTML file that needs nothing beside it: tables, histograms, pictures."""

import base64
import io
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from photochrom.color.gamut import lab_to_rgb
from photochrom.workbench.evaluation.report import Table, tables
from photochrom.workbench.evaluation.results import Evaluation
from photochrom.workbench.evaluation.sample_gallery import (
    CHROMA_BINS,
    CHROMA_STEP,
    HUE_BINS,
    SHOWN,
    Gallery,
)
from photochrom.workbench.evaluation.scoring import TRUTH, Record

PAGE = Path(__file__).with_name("page.html")
SMALL_PX = 96  # pictures below are enlarged without smoothing
WIDTH, HEIGHT = 240, 100  # of a histogram, in its own units


def to_html(evaluation: Evaluation, gallery: Gallery | None = None, by_source: bool = False) -> str:
    """Return a page with every metric and, with a gallery, pictures side by side and histograms.

    Parameters
    ----------
    evaluation : Evaluation
        What was measured.
    gallery : Gallery, optional
        What was looked at in the same run.
    by_source : bool
        Whether to add the scores of each source of photographs.

    Returns
    -------
    str
        HTML with its style, script and pictures inside. Pictures can be sorted by the CIEDE2000
        of each method.
    """
    found = tables(evaluation, by_source, all_metrics=True)
    parts = [f'<p class="note">{escape(note)}</p>' for note in evaluation.notes]
    parts += [_table(each) for each in found]
    if gallery is not None and gallery.names:
        parts += [_histograms(gallery), _pictures(evaluation, gallery)]
    title = escape(f"{evaluation.data}: {', '.join(_judged(evaluation)) or 'references'}")
    return Template(PAGE.read_text()).substitute(title=title, body="\n".join(parts))


def _judged(evaluation: Evaluation) -> list[str]:
    return [row.name for row in evaluation.rows][3:]


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in table.header)
    lines = [
        f'<tr><th scope="row">{escape(name)}</th>{"".join(map(_cell, cells))}</tr>'
        for name, *cells in table.rows
    ]
    return (
        f'<div class="table" tabindex="0"><table><caption>{escape(table.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    value, bracket, interval = text.partition(" [")
    below = f"<small>[{escape(interval)}</small>" if bracket else ""
    return f"<td>{escape(value)}{below}</td>"


def _histograms(gallery: Gallery) -> str:
    charts = []
    gallery_hues = gallery.hues
    for name in gallery.names:
        for label, shares, ends in (
            ("hue, each pixel by its chroma", gallery_hues, ("0°", f"{HUE_BINS * 10}°")),
            ("chroma", gallery.chromas, ("0", f"{CHROMA_BINS * CHROMA_STEP:g} ab units")),
        ):
            chart = _chart(shares[name], shares[TRUTH], f"{label}: {name} against the truth")
            strip = HUES if shares is gallery_hues else ""
            charts.append(
                f"<figure>{chart}{strip}<figcaption>{escape(name)}: {label}, {ends[0]} to {ends[1]}"
                "</figcaption></figure>"
            )
    return (
        "<h2>Which colours</h2><p>Filled: the truth. Line: the method.</p>"
        f'<div class="charts">{"".join(charts)}</div>'
    )


def _hue_strip() -> str:
    """Return a strip with the colours of the hues, at one lightness and chroma."""
    angles = np.radians(np.arange(0, 361, 30))
    lab = np.stack([np.full(angles.size, 65.0), 40 * np.cos(angles), 40 * np.sin(angles)], -1)
    stops = [f"rgb({r} {g} {b})" for r, g, b in np.rint(lab_to_rgb(lab).rgb * 255).astype(int)]
    return f'<div class="hues" style="background:linear-gradient(90deg,{",".join(stops)})"></div>'


HUES = _hue_strip()


def _chart(shares: NDArray[np.floating], truth: NDArray[np.floating], label: str) -> str:
    """Draw two histograms over each other; the highest bar of either reaches the top."""
    top = max(shares.max(), truth.max(), 1e-9)
    filled = f"0,{HEIGHT} {_steps(truth / top)} {WIDTH},{HEIGHT}"
    return (
        f'<svg viewBox="0 -2 {WIDTH} {HEIGHT + 4}" role="img" aria-label="{escape(label)}">'
        f'<polygon class="truth" points="{filled}"/>'
        f'<polyline class="method" points="{_steps(shares / top)}"/></svg>'
    )


def _steps(heights: NDArray[np.floating]) -> str:
    wide = WIDTH / len(heights)
    return " ".join(
        f"{wide * (number + side):.1f},{HEIGHT * (1 - height):.1f}"
        for number, height in enumerate(heights)
        for side in (0, 1)
    )


def _pictures(evaluation: Evaluation, gallery: Gallery) -> str:
    names = gallery.names
    found: dict[str, dict[str, Record]] = {
        record["key"]: {} for record in evaluation.records if record["key"] in gallery.pictures
    }
    for record in evaluation.records:
        if record["part"] == "rows" and record["key"] in found and record["name"] in names:
            found[record["key"]][record["name"]] = record
    options = ['<option value="data">order of the data</option>']
    for number, name in enumerate(names):
        for sign, said in ((-1, "largest first"), (1, "smallest first")):
            options.append(
                f'<option value="{number} {sign}">CIEDE2000 of {escape(name)}, {said}</option>'
            )
    articles = [
        _article(key, shown, [found[key][name] for name in names])
        for key, shown in gallery.pictures.items()
    ]
    return (
        f"<h2>Pictures</h2><p>{len(articles)} of {evaluation.pictures} photographs, drawn at "
        "random. The first number is the mean CIEDE2000 of the picture; then what of its truly "
        "coloured pixels is left gray, what of all is neon.</p>"
        f'<p><label>Sort by <select id="order">{"".join(options)}</select></label></p>'
        f'<div id="pictures">{"".join(articles)}</div>'
    )


def _article(key: str, shown: dict[str, NDArray[np.uint8]], records: list[Record]) -> str:
    captions = {
        SHOWN: SHOWN,
        **{record["name"]: _caption(record) for record in records},
        TRUTH: TRUTH,
    }
    figures = [_figure(shown[name], caption) for name, caption in captions.items()]
    values = " ".join(f"{record['ciede2000']:.3f}" for record in records)
    return (
        f'<article data-errors="{values}"><h3>{escape(key)}</h3>'
        f'<div class="row">{"".join(figures)}</div></article>'
    )


def _caption(record: Record) -> str:
    gray = f"{record['left_gray']:.0%} gray" if record["left_gray_counts"] else "no colour to miss"
    return f"{record['name']} {record['ciede2000']:.1f}, {gray}, {record['neon']:.0%} neon"


def _figure(rgb: NDArray[np.uint8], caption: str) -> str:
    height, width = rgb.shape[:2]
    small = ' class="small"' if max(height, width) < SMALL_PX else ""
    return (
        f'<figure><img{small} decoding="async" width="{width}" height="{height}" '
        f'alt="{escape(caption)}" src="data:image/jpeg;base64,{_jpeg(rgb)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _jpeg(rgb: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=88, subsampling=0)
    return base64.b64encode(file.getvalue()).decode()
