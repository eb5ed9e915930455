"""An evaluation as one self-contained HTML file: tables, histograms, pictures."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from photochrom.color.arrays import Bytes, Floats
from photochrom.color.gamut import lab_to_bytes
from photochrom.workbench.evaluation.report import tables
from photochrom.workbench.evaluation.results import Evaluation
from photochrom.workbench.evaluation.sample_gallery import (
    CHROMA_BINS,
    CHROMA_STEP,
    HUE_BINS,
    SHOWN,
    Gallery,
)
from photochrom.workbench.evaluation.scoring import TRUTH, Record
from photochrom.workbench.html_pages import jpeg_url, render

PAGE = Path(__file__).parent / "templates" / "report.html"
SMALL_PX = 96  # pictures below are enlarged without smoothing
WIDTH, HEIGHT = 240, 100  # of a histogram, in its own units


def to_html(evaluation: Evaluation, gallery: Gallery | None = None, by_source: bool = False) -> str:
    """Return a page with every metric and, with a gallery, pictures side by side and histograms.

    Style, script and pictures are embedded. Pictures can be sorted by the CIEDE2000 of each method.
    `by_source` adds the scores of each source of photographs.
    """
    judged = [row.name for row in evaluation.rows][3:]
    looked_at: dict[str, object] = {"charts": []}
    if gallery is not None and gallery.names:
        looked_at = {
            "charts": list(_charts(gallery)),
            "articles": list(_articles(evaluation, gallery)),
            "names": gallery.names,
        }
    return render(
        PAGE,
        title=f"{evaluation.data}: {', '.join(judged) or 'references'}",
        notes=evaluation.notes,
        tables=tables(evaluation, by_source, all_metrics=True),
        pictures=evaluation.pictures,
        width=WIDTH,
        height=HEIGHT,
        hues=_hues(),
        **looked_at,
    )


def _charts(gallery: Gallery) -> Iterator[dict[str, object]]:
    """Yield two histograms a method, each over the truth's; the highest bar reaches the top."""
    hues, chromas = gallery.hues, gallery.chromas
    for name in gallery.names:
        for is_hue, shares, label, ends in (
            (True, hues, "hue, each pixel by its chroma", f"0° to {HUE_BINS * 10}°"),
            (False, chromas, "chroma", f"0 to {CHROMA_BINS * CHROMA_STEP:g} ab units"),
        ):
            top = max(shares[name].max(), shares[TRUTH].max(), 1e-9)
            yield {
                "name": name,
                "label": label,
                "ends": ends,
                "is_hue": is_hue,
                "shares": _steps(shares[name] / top),
                "truth": _steps(shares[TRUTH] / top),
            }


def _hues() -> str:
    """Return the colours of the hues, at one lightness and chroma, as stops of a gradient."""
    angles = np.radians(np.arange(0, 361, 30))
    lab = np.stack([np.full(angles.size, 65.0), 40 * np.cos(angles), 40 * np.sin(angles)], -1)
    return ",".join(f"rgb({r} {g} {b})" for r, g, b in lab_to_bytes(lab))


def _steps(heights: Floats) -> str:
    wide = WIDTH / len(heights)
    return " ".join(
        f"{wide * (number + side):.1f},{HEIGHT * (1 - height):.1f}"
        for number, height in enumerate(heights)
        for side in (0, 1)
    )


def _articles(evaluation: Evaluation, gallery: Gallery) -> Iterator[dict[str, object]]:
    """Yield each picture of the gallery: its errors, and its figures with their captions."""
    found = {
        (record["key"], record["name"]): record
        for record in evaluation.records
        if record["part"] == "rows"
    }
    for key, shown in gallery.pictures.items():
        records = [found[key, name] for name in gallery.names]
        captions = {record["name"]: _caption(record) for record in records}
        yield {
            "key": key,
            "errors": " ".join(f"{record['ciede2000']:.3f}" for record in records),
            "figures": [
                _figure(shown[name], captions.get(name, name))
                for name in (SHOWN, *gallery.names, TRUTH)
            ],
        }


def _caption(record: Record) -> str:
    gray = f"{record['left_gray']:.0%} gray" if record["left_gray_counts"] else "no colour to miss"
    return f"{record['name']} {record['ciede2000']:.1f}, {gray}, {record['neon']:.0%} neon"


def _figure(rgb: Bytes, caption: str) -> dict[str, object]:
    height, width = rgb.shape[:2]
    found = {"caption": caption, "url": jpeg_url(rgb), "width": width, "height": height}
    return found | {"is_small": max(height, width) < SMALL_PX}
