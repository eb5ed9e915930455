import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from photochrom.color.difference import hue
from photochrom.errors import InvalidValueError, UnwritableFileError
from photochrom.workbench.evaluation.benchmark import Benchmark
from photochrom.workbench.evaluation.class_prior import ClassPrior
from photochrom.workbench.evaluation.comparison_figure import draw_figure
from photochrom.workbench.evaluation.evaluation_pictures import make_sample
from photochrom.workbench.evaluation.html_report import to_html
from photochrom.workbench.evaluation.results import METRICS
from photochrom.workbench.evaluation.sample_gallery import Gallery


@pytest.fixture(scope="module")
def seen(parquet, open_as):
    galleries = []

    def observe(class_prior):
        galleries.append(Gallery(class_prior))
        return galleries

    found = Benchmark(parquet, ["tint"], resamples=20, open_as=open_as, observe=observe).run()
    return found, galleries[0]


def pictures_of(page):
    """Give the pictures embedded in a page, in order."""
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))), int)
        for text in re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    ]


def test_a_gallery_keeps_gray_each_method_and_the_truth(seen, photographs):
    _, gallery = seen
    assert list(gallery.pictures) == list(photographs)
    for key, shown in gallery.pictures.items():
        assert set(shown) == {"gray", "tint", "truth"}
        np.testing.assert_array_equal(shown["truth"], photographs[key])
        assert np.ptp(shown["gray"], axis=-1).max() == 0


def test_histograms_are_shares_and_find_the_hue():
    red = make_sample(np.full((40, 40, 3), (200, 40, 40), np.uint8), key="red")
    gallery = Gallery(ClassPrior(("red",), np.zeros(313)))
    assert gallery(red, "truth", red.rgb) == {}
    gallery(red, "faint", np.full_like(red.rgb, 90))
    angle = float(hue(red.lab[0, 0, 1:]))
    assert gallery.hues["truth"][int(angle // 10)] == pytest.approx(1)
    assert gallery.chromas["faint"][0] == 1
    assert gallery.names == ["faint"]


def test_which_pictures_are_kept_is_drawn_by_the_seed():
    class_prior = ClassPrior(tuple(map(str, range(100))), np.zeros(313))
    first, again, other = (list(Gallery(class_prior, 7, seed).pictures) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 7
    assert first == sorted(first, key=int)


def test_large_pictures_are_kept_small():
    large = make_sample(np.zeros((300, 600, 3), np.uint8), key="large")
    gallery = Gallery(ClassPrior(("large",), np.zeros(313)))
    gallery(large, "truth", large.rgb)
    assert gallery.pictures["large"]["truth"].shape == (128, 256, 3)


def test_the_page_holds_all_metrics_and_needs_nothing_beside_it(seen):
    found, gallery = seen
    page = to_html(replace(found, notes=("a <note> & more",)), gallery, by_source=True)
    HTMLParser().feed(page)
    measured = [metric for metric in METRICS if metric in found.metrics]
    assert all(
        f'<th scope="col">{m.label.replace(chr(39), "&#39;")}</th>' in page for m in measured
    )
    assert "a &lt;note&gt; &amp; more" in page
    assert "animals: 1 photographs" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("<svg") == 2
    assert "$" not in page.split("<main>")[1].split("</main>")[0]


def test_the_page_shows_gray_method_truth_and_can_be_sorted_by_error(seen, photographs):
    found, gallery = seen
    page = to_html(found, gallery)
    embedded = pictures_of(page)
    assert len(embedded) == 3 * 3
    assert np.abs(embedded[2] - photographs["astronaut"]).mean() < 6
    errors = [float(e) for e in re.findall(r'data-errors="([\d.]+)"', page)]
    assert errors == pytest.approx(found.column("tint", "ciede2000"), abs=1e-3)
    assert "CIEDE2000 of tint, largest first" in page
    columns = [found.column("tint", c) for c in ("ciede2000", "left_gray", "neon")]
    for error, gray, neon in zip(*columns, strict=True):
        assert f"<figcaption>tint {error:.1f}, {gray:.0%} gray, {neon:.0%} neon</figc" in page


@pytest.mark.slow
def test_a_reader_sorts_the_pictures_in_a_browser_on_a_telephone(seen, tmp_path, browser):
    found, gallery = seen
    (tmp_path / "report.html").write_text(to_html(found, gallery))
    errors = list(found.column("tint", "ciede2000"))
    page = browser.new_page(viewport={"width": 360, "height": 640})
    page.goto((tmp_path / "report.html").as_uri())
    shown = "[...document.querySelectorAll('article')].map(a => Number(a.dataset.errors))"
    for choice, expected in (
        ("0 -1", sorted(errors, reverse=True)),
        ("0 1", sorted(errors)),
        ("data", errors),
    ):
        page.select_option("#order", choice)
        assert page.evaluate(shown) == pytest.approx(expected, abs=1e-3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    page.close()


def test_a_page_of_stored_numbers_has_tables_alone(seen):
    page = to_html(seen[0])
    assert "<table>" in page
    assert not pictures_of(page)


def test_a_figure_has_a_row_a_picture_and_a_column_a_method(seen, tmp_path):
    _, gallery = seen
    path = tmp_path / "figure.png"
    assert draw_figure(gallery, path, most=2, tile_px=80) == 2
    with Image.open(path) as opened:
        figure = np.asarray(opened.convert("RGB"), int)
    assert figure.shape == (26 + 2 * (64 + 6) + 6, 3 * 86 + 6, 3)
    gray, coloured, truth = (figure[26:90, 6 + 86 * i : 86 + 86 * i] for i in range(3))
    assert np.ptp(gray, axis=-1).max() == 0
    assert np.ptp(coloured, axis=-1).mean() > 5
    enlarged = np.repeat(np.repeat(gallery.pictures["astronaut"]["truth"], 2, 0), 2, 1)
    np.testing.assert_array_equal(truth, enlarged)
    assert figure[:26].min() < 128  # captions


def test_what_is_no_figure_is_refused(seen, tmp_path):
    with pytest.raises(InvalidValueError, match=r"\.png file; got 'figure\.jpg'"):
        draw_figure(seen[1], tmp_path / "figure.jpg")
    with pytest.raises(InvalidValueError, match="at least 1 picture"):
        draw_figure(seen[1], tmp_path / "figure.png", most=0)
    with pytest.raises(UnwritableFileError, match="was not written"):
        draw_figure(seen[1], tmp_path / "none" / "figure.png")
