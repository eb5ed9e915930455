"""The page without a service: a real Chromium colours, from files of a static host."""

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from axe_playwright_python.sync_playwright import Axe
from PIL import ExifTags, Image, ImageDraw, ImageOps, TiffImagePlugin
from PIL.IptcImagePlugin import getiptcinfo
from playwright.sync_api import Route, expect
from tests.conftest import encoded
from tests.service.browsing import (
    DESKTOP,
    PATIENCE,
    colour_at,
    give,
    gray_photo,
    hint_at,
    ready,
)
from tests.service.local_pages import ask, lend, pixels
from tests.service.vectors import (
    CASES,
    OUTLINED,
    PLAIN,
    SUGGESTED,
    decoded,
    difference,
    file_of,
    scene,
    stored_answers,
    toned,
)

from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.sidecar import read_sidecar
from photochrom.options.hint import Hint
from photochrom.photo.headers import array_of, resize_image
from photochrom.photo.metadata.xmp import NAMESPACES, RDF, marker_of
from photochrom.photo.photo import Photo
from photochrom.photo.tiff import IPTC, XMP
from photochrom.service.page_folder import PROBE_WITHIN, WEIGHTS_PATH

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST_DIFFERENCE = 0.05  # mean CIEDE2000; one level of the input changed costs 0.3
MOST_JPEG_DIFFERENCE = 0.2  # the browser rounds pixels that libjpeg takes means of
MOST_LEVELS = 0.1  # mean difference of a channel at full size
MOST_DEEP_LEVELS = 10  # of 65535
DEFAULT = {"format": None, "quality": None, "long_side_px": None}
PNG = {"format": "png", "quality": None, "long_side_px": None}
HINTS = [
    Hint.point(150, 190, "#2c5fa8", 8),
    Hint.stroke([(40, 60), (80, 90)], "#a04030", 12, reach="thing"),
    Hint.region([(20, 180), (90, 170), (100, 230), (25, 235)], "#5a9040"),
    Hint.stroke([(200, 20), (300, 30)], None, 16, keep=True),
    Hint.point(260, 150, "#806020", 6, reach=0.3),
]
SIZES = [(97, 130), (61, 130), (97, 30), (416, 320), (31, 17), (5, 3), (60, 44)]
RESAMPLE = """async ([data, width, height, isShort, sizes]) => {
    const { resample } = await import(new URL('page/local/resample.js', document.baseURI));
    const codes = isShort ? Uint16Array.from(data) : Uint8Array.from(data);
    const source = { width, height, data: codes };
    return sizes.map(([wide, high]) => [...resample(source, wide, high).data]);
}"""


def drawn(height: int, width: int) -> np.ndarray:
    """Return a gray picture of a sky, a sun, a house and a field with furrows, with grain."""
    noise = np.random.default_rng(0).normal(0, 3, (height, width))
    return (scene(height, width) + noise).clip(0, 255).astype(np.uint8)


def as_file(array: np.ndarray, name: str = "drawn.png") -> Any:
    return {"name": name, "mimeType": "image/png", "buffer": encoded(array, "PNG")}


def inside(outline: Any) -> np.ndarray:
    """Return the pixels of the small picture inside an outline."""
    mask = Image.new("1", (120, 90))
    ImageDraw.Draw(mask).polygon([tuple(place) for place in outline], fill=1)
    return np.asarray(mask)


def tables(*hints: Hint) -> list[dict[str, object]]:
    return [hint.to_table() for hint in hints]


@pytest.mark.long
def test_it_gives_what_the_engine_gave_for_each_stored_vector(visit, host, page_folder):
    page = visit(host(page_folder)[0])
    found = {}
    for picture, cases in itertools.groupby(CASES, key=lambda case: case.picture):
        give(page, {"name": picture, "mimeType": "image/png", "buffer": file_of(picture)})
        page.wait_for_function("name => document.title.includes(name)", arg=picture)
        for case in cases:
            if case.wishes.get("reference"):
                lend(page, file_of("reference.png"))
            kind = {**PNG, "long_side_px": case.long_side_px}
            result = pixels(ask(page, "result", {**PLAIN, **case.wishes}, kind))
            found[case.name] = difference(result, decoded(case.result.read_bytes()))
        if picture == "small.png":
            stored = stored_answers()
            given = ask(page, "suggestions", SUGGESTED, PLAIN)["suggestions"]
            assert [s["colour"] for s in given] == [s["colour"] for s in stored["suggestions"]]
            one, other = (
                inside(p) for p in (ask(page, "outline", OUTLINED)["points"], stored["outline"])
            )
            assert (one & other).sum() > 0.95 * (one | other).sum()
    assert len(found) == len(CASES)
    assert {name: value for name, value in found.items() if value >= MOST_DIFFERENCE} == {}


@pytest.mark.long
def test_it_resizes_to_the_bit_as_libvips_does(visit, host, page_folder):
    page = visit(host(page_folder)[0])
    for kind in (np.uint8, np.uint16):
        codes = (drawn(90, 120) * np.float64(np.iinfo(kind).max / 255)).astype(kind)
        given = [codes.ravel().tolist(), 120, 90, kind is np.uint16, SIZES]
        image = pyvips.Image.new_from_array(codes[..., None])
        for size, values in zip(SIZES, page.evaluate(RESAMPLE, given), strict=True):
            expected = array_of(resize_image(image, *size))
            np.testing.assert_array_equal(np.reshape(values, expected.shape), expected, str(size))


def vips(array: np.ndarray) -> pyvips.Image:
    """Return a picture of 8 or 16 bits, gray or in colours, with or without alpha."""
    pixels = array.astype(np.uint8) * 255 if array.dtype == bool else array
    image = pyvips.Image.new_from_array(pixels if pixels.ndim == 3 else pixels[..., None])
    kinds = {("uchar", 1): "b-w", ("ushort", 1): "grey16", ("uchar", 3): "srgb"}
    kinds |= {("ushort", 2): "grey16", ("ushort", 3): "rgb16", ("ushort", 4): "rgb16"}
    return image.copy(interpretation=kinds[image.format, image.bands])


SEEN = """async ([bytes, width, height]) => {
    const { decode } = await import(new URL('page/local/decode.js', document.baseURI));
    const file = new File([Uint8Array.from(bytes)], 'turned.jpg');
    return [...(await decode(file, file.name, () => ({ width, height }))).seen.data];
}"""


@pytest.mark.long
def test_the_network_sees_a_large_jpeg_as_the_engine_shows_it(visit, host, page_folder):
    page = visit(host(page_folder)[0])
    noise = np.random.default_rng(0).normal(0, 6, (821, 1099))
    gray = (scene(821, 1099) + noise).clip(0, 255).astype(np.uint8)
    for turn in (1, 3, 6, 8):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = turn
        content = encoded(gray, quality=92, exif=exif)
        width, height = (128, 160) if turn > 4 else (160, 128)  # libjpeg reduces by 2
        seen = np.reshape(page.evaluate(SEEN, [list(content), width, height]), (height, width))
        expected = Photo.open(content).small_lightness(width, height)
        assert np.abs(seen - expected).mean() < 0.1, turn  # 0.2 if all is reduced at once


def tiff(array: np.ndarray, **options: Any) -> bytes:
    """Encode a picture as a TIFF."""
    return vips(array).tiffsave_buffer(**options)


def in_a_circle(content: bytes) -> bytes:
    """Return a TIFF whose only directory names itself as the next."""
    first = int.from_bytes(content[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
    return content[:end] + content[4:8] + content[end + 4 :]


@pytest.mark.long
def test_tiffs_are_read_as_the_engine_reads_them(visit, host, page_folder):
    gray = scene(120, 160)
    turned = io.BytesIO()
    Image.fromarray(np.rot90(gray)).save(turned, "TIFF", tiffinfo={274: 6}, dpi=(300, 300))
    bilevel = io.BytesIO()  # without BitsPerSample, whose default is 1
    Image.fromarray(gray > 110).save(bilevel, "TIFF")
    files = {
        "gray.tif": (tiff(gray, compression="lzw", predictor="horizontal"), 0.05),
        "circle.tif": (in_a_circle(tiff(gray)), 0.05),
        "bilevel.tif": (bilevel.getvalue(), 0.05),
        "toned.tif": (tiff(toned(gray), compression="jpeg", Q=95, tile=True), 0.6),  # two decoders
        "turned.tif": (turned.getvalue(), 0.15),
    }
    page = visit(host(page_folder)[0])
    for name, (content, most) in files.items():
        give(page, {"name": name, "mimeType": "image/tiff", "buffer": content})
        page.wait_for_function("name => document.title.includes(name)", arg=name)
        answer = ask(page, "result", PLAIN, PNG)
        assert "TIFF cannot be written in the browser: the result is a PNG." in answer["notes"]
        expected = Colorizer().colorize_file(content, format="png").content
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(expected))).convert("RGB")
        assert difference(pixels(answer), np.asarray(upright)) < most
    assert Image.open(io.BytesIO(bytes(answer["bytes"]))).info["dpi"] == pytest.approx(
        (300, 300), abs=0.01
    )


def deep_files() -> dict[str, bytes]:
    """Return pictures of 16 bits whose low 8 are used, and one of 8 bits with a profile."""
    fine = np.arange(160, dtype=np.uint16)[None]
    gray = scene(120, 160).astype(np.uint16) * 257 + fine
    colours = toned(scene(120, 160)).astype(np.uint16) * 257 + fine[..., None]
    alpha = np.where(np.arange(120)[:, None] < 30, 30_001, 65_535) + np.zeros_like(gray)
    clear = np.dstack([colours, alpha.astype(np.uint16)])
    wide = vips(colours).icc_export(output_profile="p3", depth=16)
    narrow = vips(toned(scene(120, 160))).icc_export(output_profile="p3", depth=8)
    return {
        "gray.png": vips(gray).pngsave_buffer(interlace=True),
        "clear.png": vips(clear).pngsave_buffer(),
        "wide.png": wide.pngsave_buffer(),
        "gray.tif": tiff(gray, compression="deflate", predictor="horizontal", bigtiff=True),
        "clear.tif": tiff(clear, compression="lzw", tile=True, tile_width=64, tile_height=64),
        "wide.tif": wide.tiffsave_buffer(),
        "narrow.tif": narrow.tiffsave_buffer(),
    }


@pytest.mark.long
def test_sixteen_bits_and_profiles_are_kept_as_the_engine_keeps_them(visit, host, page_folder):
    page = visit(host(page_folder)[0])
    hint = Hint.point(100, 40, "#2c5fa8", 8)
    for name, content in deep_files().items():
        give(page, {"name": name, "mimeType": "", "buffer": content})
        page.wait_for_function("name => document.title.includes(name)", arg=name)
        answer = ask(page, "result", {**PLAIN, "hints": tables(hint)}, DEFAULT)
        guided = Guidance(hints=(hint,))
        expected = Colorizer().colorize_file(content, format="png", guidance=guided).content
        mine, its = (
            pyvips.Image.new_from_buffer(c, "") for c in (bytes(answer["bytes"]), expected)
        )
        assert (mine.format, mine.bands) == (its.format, its.bands), name
        assert mine.format == ("uchar" if name == "narrow.tif" else "ushort")
        profiles = [i.get_fields().count("icc-profile-data") for i in (mine, its)]
        assert profiles[0] == profiles[1] == (name.startswith(("wide", "narrow")))
        levels = np.abs(mine.numpy().astype(int) - its.numpy())
        assert levels.max() <= (1 if mine.format == "uchar" else MOST_DEEP_LEVELS), name
        assert levels.mean() < 1, name
        if name == "gray.png":  # the law: each pixel keeps its lightness
            own = pyvips.Image.new_from_buffer(content, "").numpy() / 65535
            lightness = rgb_to_lab(mine.numpy() / 65535)[..., 0]
            kept = rgb_to_lab(np.repeat(own.reshape(120, 160, 1), 3, -1))[..., 0]
            assert np.abs(lightness - kept).max() < 0.005  # with 8 bits: 0.2


def described_tiff() -> bytes:
    """Return a TIFF with EXIF, GPS, IPTC, XMP, a resolution and an orientation."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[ExifTags.Base.Artist] = "A. Nonymous"
    tags[ExifTags.Base.Make] = "ACME"
    tags[ExifTags.Base.Orientation] = 6
    tags[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: "1906:04:18 05:12:00"}
    latitude = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (52.0, 30.0, 0.0)}
    tags[ExifTags.IFD.GPSInfo] = latitude
    caption, city = "Müller's mill & pond".encode(), b"Elsewhere"
    iptc = b"".join(
        bytes((0x1C, record, number)) + len(value).to_bytes(2, "big") + value
        for record, number, value in [(1, 90, b"\x1b%G"), (2, 90, city), (2, 120, caption)]
    )
    packet = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description '
        f'xmlns:ps="{NAMESPACES["photoshop"]}" ps:City="Potsdam"/></rdf:RDF></x:xmpmeta>'
    )
    written = io.BytesIO()
    tags[XMP], tags[IPTC] = packet.encode(), iptc
    Image.fromarray(scene(60, 80)).save(written, "TIFF", tiffinfo=tags, dpi=(300, 250))
    return written.getvalue()


@pytest.mark.long
def test_a_tiff_hands_on_the_metadata_that_the_command_hands_on(visit, host, page_folder):
    content = described_tiff()
    page = visit(host(page_folder)[0])
    give(page, {"name": "mill.tif", "mimeType": "", "buffer": content})
    page.wait_for_function("document.title.includes('mill.tif')")
    for kind in ("png", "jpeg"):
        answer = ask(page, "result", PLAIN, {**PNG, "format": kind})
        mine = Image.open(io.BytesIO(bytes(answer["bytes"])))
        coloured = Colorizer().colorize_file(content, format=kind)
        its = Image.open(io.BytesIO(coloured.content))
        assert mine.size == (60, 80) and its.size == (80, 60)  # the page saves upright
        exifs = [picture.getexif() for picture in (mine, its)]
        assert (exifs[0].pop(ExifTags.Base.Orientation, 1), exifs[1].pop(274)) == (1, 6)
        resolutions = [[exif.pop(tag) for tag in (282, 283)] for exif in exifs]
        assert resolutions[0] == resolutions[1][::-1] == [250, 300]
        assert dict(exifs[0]) == dict(exifs[1]) and exifs[0][ExifTags.Base.Make] == "ACME"
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            assert exifs[0].get_ifd(ifd) == exifs[1].get_ifd(ifd) != {}
        assert mine.info["dpi"] == pytest.approx(its.info["dpi"][::-1], abs=0.5)
        assert getiptcinfo(mine) == getiptcinfo(its)
        packets = [picture.info["xmp"].decode() for picture in (mine, its)]
        assert marker_of(packets[0].encode()) is not None
        assert "Potsdam" in packets[0] and "Elsewhere" not in packets[0]
        assert ("mill &" in packets[0]) == ("mill &" in packets[1]) == (kind == "png")
        moved = "PNG cannot hold IPTC: moved to XMP."
        assert (moved in answer["notes"]) == (moved in coloured.notes) == (kind == "png")


@pytest.mark.long
def test_transparency_and_another_profile_are_kept(visit, host, page_folder):
    gray = scene(120, 160)
    alpha = np.full(gray.shape, 255, np.uint8)
    alpha[:40], alpha[:, :30] = 128, 0
    page = visit(host(page_folder)[0])
    give(page, as_file(np.dstack([gray, alpha]), "clear.png"))
    answer = ask(page, "result", PLAIN, PNG)
    result = np.asarray(Image.open(io.BytesIO(bytes(answer["bytes"]))))
    np.testing.assert_array_equal(result[..., 3], alpha)
    lightness, own = (rgb_to_lab(each / 255)[..., 0] for each in (result[..., :3], levels(gray)))
    assert np.abs(lightness - own)[alpha > 0].mean() < 0.6  # browsers round transparent colours
    jpeg = pixels(ask(page, "result", PLAIN, {**PNG, "format": "jpeg"}))
    assert jpeg[60:, :25].min() > 245

    image = pyvips.Image.new_from_array(toned(gray)).copy(interpretation="srgb")
    wide = image.icc_export(output_profile="p3").pngsave_buffer()
    give(page, {"name": "wide.png", "mimeType": "image/png", "buffer": wide})
    page.wait_for_function("name => document.title.includes(name)", arg="wide.png")
    answer = ask(page, "result", PLAIN, PNG)
    mine = pyvips.Image.new_from_buffer(bytes(answer["bytes"]), "")
    assert mine.get("icc-profile-data") == pyvips.Image.profile_load("p3")
    shown = mine.icc_import(pcs="xyz", intent="relative").colourspace("srgb").numpy()
    lightness, own = (rgb_to_lab(each / 255)[..., 0] for each in (shown, toned(gray)))
    assert np.abs(lightness - own).mean() < 0.4


def levels(gray: np.ndarray) -> np.ndarray:
    return np.repeat(gray[..., None], 3, -1)


# A session that fails stands in for a lost graphics processor; everything else is real.
LOSE = """async () => {
    const local = (path) => import(new URL(`page/local/${path}`, document.baseURI));
    const facts = await (await fetch('page/local/facts.json')).json();
    const [{ openNetwork }, { plane }] = [await local('opening.js'), await local('planes.js')];
    const network = await openNetwork(facts, document.baseURI);
    const { width, height, ab } = facts.probe;
    const draw = (_, i) => 10 + ((i * 7 + Math.floor(i / width) * 3) % 80);
    const lightness = plane(width, height, Float32Array.from({ length: width * height }, draw));
    const session = network.session;
    let runs = 0;
    const failing = (...given) => {
        runs += 1;
        return runs < 3 ? session.run(...given) : new Promise(() => {});
    };
    network.session = { run: failing, release: async () => {} };
    const lost = new Promise((_, reject) => { setTimeout(() => reject(new Error('lost')), 3000); });
    lost.catch(() => {});
    network.guard(lost, async () => ({ ort: network.ort, session }));
    const found = await network.predict({ lightness }, 'picture', async () => {});
    const far = found.ab.flatMap(({ data }, k) => [...data].map((v, i) => Math.abs(v - ab[k][i])));
    return { runs, far: Math.max(...far), isPlain: network.session === session };
}"""


@pytest.mark.long
def test_a_lost_graphics_processor_loses_nothing(visit, host, page_folder):
    found = visit(host(page_folder)[0]).evaluate(LOSE)
    assert found["runs"] >= 1 and found["isPlain"]
    assert found["far"] < PROBE_WITHIN  # what the page was written with, by the engine in Python


@pytest.mark.long
def test_a_large_photo_is_coloured_at_full_size_in_its_own_lightness(visit, host, page_folder):
    picture = np.asarray(Image.fromarray(drawn(480, 640)).resize((1700, 1275)))
    page = visit(host(page_folder)[0])
    content = encoded(picture, quality=92)
    give(page, {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": content})
    page.wait_for_function("document.title.includes('large.jpg')")
    smaller = pixels(ask(page, "result", PLAIN, {**PNG, "long_side_px": 800}))
    expected = Colorizer().colorize_file(content, format="png", long_side_px=800).content
    assert difference(smaller, decoded(expected)) < MOST_JPEG_DIFFERENCE

    give(page, as_file(picture))
    page.wait_for_function("document.title.includes('drawn.png')")
    hints = [hint.scaled(5) for hint in HINTS]
    result = pixels(ask(page, "result", {**PLAIN, "hints": tables(*hints)}, PNG))
    expected = Colorizer().colorize(picture, hints=hints)
    assert np.abs(result.astype(int) - expected).mean() < MOST_LEVELS
    lightness = rgb_to_lab(result / 255)[..., 0]
    own = rgb_to_lab(np.repeat(picture[..., None], 3, -1) / 255)[..., 0]
    assert np.abs(lightness - own).mean() < 0.3


@pytest.mark.long
def test_a_photo_is_hinted_and_downloaded_with_what_its_file_carries(
    visit, host, page_folder, tmp_path
):
    gray = drawn(200, 300)
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "A. Nonymous"
    exif[ExifTags.Base.Orientation] = 6
    content = encoded(gray, exif=exif, quality=95, dpi=(300, 300), comment=b"Kept.")
    page = visit(host(page_folder)[0])
    expect(page.locator("#restore")).to_be_hidden()
    expect(page.locator("#stays")).to_be_visible()
    assert page.locator("#save-format option").evaluate_all("all => all.map((o) => o.value)") == [
        *("", "jpeg", "png")
    ]
    give(page, {"name": "turned.jpg", "mimeType": "image/jpeg", "buffer": content})
    expect(page.locator("#no-restore")).to_be_visible()
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
    expect(page.locator("#clear-storage")).to_be_hidden()  # nothing is stored yet
    give(page, gray_photo())
    expect(page.locator("#pane-main .picture")).to_be_visible()
    stop()
    page.reload()
    ready(page)
    page.wait_for_selector("#split", state="visible")
    assert page.evaluate("crossOriginIsolated")  # the service worker adds the headers


def test_a_photo_is_opened_and_shown_while_the_network_is_loaded(browser, host, page_folder):
    context = browser.new_context(**DESKTOP, service_workers="block")
    context.set_default_timeout(PATIENCE)
    held: list[Route] = []
    context.route(f"**/{WEIGHTS_PATH}", lambda route: held.append(route))
    page = context.new_page()
    page.goto(host(page_folder)[0])
    ready(page)
    page.set_input_files("#file-input", [as_file(drawn(120, 160))])
    expect(page.locator("#waiting")).to_contain_text("Getting ready, the first time only: ")
    expect(page.locator("#about")).to_have_text("PNG · 160 × 120 · 8 bit")  # it is open
    expect(page.locator("#pane-main .picture")).to_be_visible()
    held.pop().continue_()
    page.wait_for_selector("#split", state="visible")
    expect(page.locator("#waiting")).to_be_hidden()
    context.close()


@pytest.mark.long
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
        "notes.jpg": (b"no picture", "not a picture"),
        "scan.tif": (b"II*\0" + bytes(range(200)), "damaged or incomplete"),
        "fax.tif": (tiff(drawn(60, 80) > 99, compression="ccittfax4", bitdepth=1), "cannot read"),
        "cut.jpg": (encoded(drawn(240, 320))[:3000], "damaged or incomplete"),
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
