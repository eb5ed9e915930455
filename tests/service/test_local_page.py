"""The page without a service: a real Chromium colours, from files of a static host."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import ExifTags, Image, ImageDraw
from playwright.sync_api import expect
from tests.service.browsing import (
    colour_at,
    give,
    gray_photo,
    hint_at,
    photo_bytes,
    ready,
)
from tests.service.local_pages import PLAIN, ask, pixels

from photochrom.color.difference import ciede2000
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.engine.sidecar import read_sidecar
from photochrom.options.hint import Hint
from photochrom.photo.metadata.xmp import marker_of
from photochrom.service.page_folder import WEIGHTS_PATH

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST_DIFFERENCE = 0.3  # mean CIEDE2000 at proof size
MOST_LEVELS = 1.0  # mean difference of a channel at full size
PNG = {"format": "png", "quality": None, "long_side_px": None}
HINTS = [
    Hint.point(150, 190, "#2c5fa8", 8),
    Hint.stroke([(40, 60), (80, 90)], "#a04030", 12, reach="thing"),
    Hint.region([(20, 180), (90, 170), (100, 230), (25, 235)], "#5a9040"),
    Hint.stroke([(200, 20), (300, 30)], None, 16, keep=True),
    Hint.point(260, 150, "#806020", 6, reach=0.3),
]


def drawn(height: int, width: int) -> np.ndarray:
    """Return a gray picture of a sky, a sun, a house and a field with furrows."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    gray = 200 - 80 * y + 10 * np.sin(40 * x) * np.sin(31 * y)
    gray[(x - 0.3) ** 2 + (y - 0.3) ** 2 < 0.02] = 90
    gray[(abs(x - 0.7) < 0.12) & (abs(y - 0.4) < 0.2)] = 150
    gray[y > 0.6] = 70 + 60 * ((x * 9) % 1)[y > 0.6]
    noise = np.random.default_rng(0).normal(0, 3, gray.shape)
    return (gray + noise).clip(0, 255).astype(np.uint8)


def as_file(array: np.ndarray, name: str = "drawn.png") -> Any:
    return {"name": name, "mimeType": "image/png", "buffer": photo_bytes(array, "PNG")}


def difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    return float(ciede2000(rgb_to_lab(one / 255), rgb_to_lab(other / 255)).mean())


def inside(outline: Any) -> np.ndarray:
    """Return the pixels of `drawn(240, 320)` inside an outline."""
    mask = Image.new("1", (320, 240))
    ImageDraw.Draw(mask).polygon([tuple(place) for place in outline], fill=1)
    return np.asarray(mask)


def tables(*hints: Hint) -> list[dict[str, object]]:
    return [hint.to_table() for hint in hints]


def test_it_colours_as_the_engine_does_with_and_without_hints(visit, host, page_folder):
    picture = drawn(240, 320)
    page = visit(host(page_folder)[0])
    give(page, as_file(picture))
    colorizer = Colorizer()

    plain = ask(page, "result", PLAIN, PNG)
    assert plain["name"] == "drawn-color.png"
    assert difference(pixels(plain), colorizer.colorize(picture)) < MOST_DIFFERENCE
    hinted = pixels(ask(page, "result", {**PLAIN, "hints": tables(*HINTS)}, PNG))
    assert difference(hinted, colorizer.colorize(picture, hints=HINTS)) < MOST_DIFFERENCE
    other = pixels(ask(page, "result", {**PLAIN, "candidate": 1}, PNG))
    assert difference(other, colorizer.colorize(picture, candidate=1)) < MOST_DIFFERENCE

    found = ask(page, "suggestions", {"x": 150, "y": 190, "radius": 8}, PLAIN)["suggestions"]
    wanted = colorizer.suggest(picture, 150, 190, 8)
    colours = ["#{:02x}{:02x}{:02x}".format(*s.rgb) for s in wanted]
    assert [s["colour"] for s in found][:3] == colours[:3]
    outline = ask(page, "outline", {"x": 220, "y": 120})["points"]
    one, other = inside(outline), inside(colorizer.outline(picture, 220, 120))
    assert (one & other).sum() > 0.9 * (one | other).sum()


def test_a_large_photo_is_coloured_at_full_size_in_its_own_lightness(visit, host, page_folder):
    picture = np.asarray(Image.fromarray(drawn(480, 640)).resize((1700, 1275)))
    page = visit(host(page_folder)[0])
    give(page, as_file(picture))
    hints = [hint.scaled(5) for hint in HINTS]
    result = pixels(ask(page, "result", {**PLAIN, "hints": tables(*hints)}, PNG))
    expected = Colorizer().colorize(picture, hints=hints)
    assert np.abs(result.astype(int) - expected).mean() < MOST_LEVELS
    lightness = rgb_to_lab(result / 255)[..., 0]
    own = rgb_to_lab(np.repeat(picture[..., None], 3, -1) / 255)[..., 0]
    assert np.abs(lightness - own).mean() < 0.3


def test_a_photo_is_hinted_and_downloaded_with_what_its_file_carries(
    visit, host, page_folder, tmp_path
):
    gray = drawn(200, 300)
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "A. Nonymous"
    exif[ExifTags.Base.Orientation] = 6
    content = photo_bytes(gray, exif=exif, quality=95, dpi=(300, 300), comment=b"Kept.")
    page = visit(host(page_folder)[0])
    expect(page.locator("#restore")).to_be_hidden()
    expect(page.locator("#stays")).to_be_visible()
    assert page.locator("#save-format option").evaluate_all("all => all.map((o) => o.value)") == [
        *("", "jpeg", "png")
    ]
    give(page, {"name": "turned.jpg", "mimeType": "image/jpeg", "buffer": content})
    near, far = colour_at(page, 0.3, 0.3), colour_at(page, 0.9, 0.9)
    hint_at(page, 0.3, 0.3)
    assert np.hypot(*(colour_at(page, 0.3, 0.3) - near)[1:]) > 15
    assert np.hypot(*(colour_at(page, 0.9, 0.9) - far)[1:]) < 4

    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "turned-color.jpg"
    content_written = Path(download.value.path()).read_bytes()
    result = Image.open(io.BytesIO(content_written))
    assert (result.format, result.size) == ("JPEG", (200, 300))
    assert result.getexif()[ExifTags.Base.Artist] == "A. Nonymous"
    assert result.getexif()[ExifTags.Base.Orientation] == 1
    assert result.info["dpi"] == (300, 300)
    assert result.info["comment"] == b"Kept."
    assert result.layer[0][1:3] == result.layer[1][1:3]  # colours at full resolution
    marker = marker_of(result.info["xmp"])
    assert marker is not None and marker.method == "photochrom" and len(marker.weights) == 64
    upright = np.rot90(np.asarray(Image.open(io.BytesIO(content))), -1)
    lightness = rgb_to_lab(np.asarray(result) / 255)[..., 0]
    own = rgb_to_lab(np.repeat(upright[..., None], 3, -1) / 255)[..., 0]
    assert np.abs(lightness - own).mean() < 1

    page.click(".kind summary")
    with page.expect_download() as download:
        page.click("#save-settings")
    settings = tmp_path / download.value.suggested_filename
    download.value.save_as(settings)
    sidecar = read_sidecar(settings)
    assert len(sidecar.guidance.hints) == 1 and sidecar.size == (200, 300)

    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert results.response["violations"] == []


def test_it_works_offline_after_the_first_visit_and_finds_its_photo_again(visit, host, page_folder):
    address, stop = host(page_folder)
    page = visit(address)
    give(page, gray_photo())
    expect(page.locator("#pane-main .picture")).to_be_visible()
    stop()
    page.reload()
    ready(page)
    page.wait_for_selector("#split", state="visible")
    assert page.evaluate("crossOriginIsolated")  # the service worker adds the headers


def test_what_cannot_be_done_is_said_in_a_sentence(visit, host, page_folder, tmp_path):
    damaged = tmp_path / "damaged"
    for path in (p for p in page_folder.rglob("*") if p.is_file()):
        place = damaged / path.relative_to(page_folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    weights = bytearray((damaged / WEIGHTS_PATH).read_bytes())
    weights[5_000_000] ^= 1
    (damaged / WEIGHTS_PATH).write_bytes(weights)
    page = visit(host(damaged)[0])

    huge = io.BytesIO()
    Image.new("1", (40_000, 30_000)).save(huge, "PNG")
    told = {
        "notes.txt": (b"no picture", "not a picture"),
        "scan.tif": (photo_bytes(drawn(60, 80), "TIFF"), "cannot read TIFF"),
        "cut.jpg": (photo_bytes(drawn(240, 320))[:3000], "damaged or incomplete"),
        "huge.png": (huge.getvalue(), "1200 megapixels; this device"),
    }
    for name, (content, said) in told.items():
        page.set_input_files("#file-input", {"name": name, "mimeType": "", "buffer": content})
        expect(page.locator("#gone-text")).to_contain_text(said)
    # Storage is full: the photograph opens nevertheless.
    page.evaluate("() => { IDBFactory.prototype.open = () => { throw new Error('full'); }; }")
    page.set_input_files("#file-input", as_file(drawn(60, 80)))
    expect(page.locator("#error-picture")).to_contain_text("damaged")
    expect(page.locator("#notes")).to_contain_text("storage is full or forbidden")

    without = page.evaluate(
        """async () => {
            delete globalThis.WebAssembly;
            const base = document.baseURI;
            const { openNetwork } = await import(new URL('page/local/opening.js', base));
            return openNetwork({}, base).catch((problem) => problem.message);
        }"""
    )
    assert "WebAssembly switched off" in without
