"""The page does not fight the person in front of it: each test was a fault that somebody met."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Response, Route, expect
from skimage import data
from tests.conftest import encoded
from tests.service.browsing import (
    PHONE,
    colour_at,
    give,
    gray_photo,
    hint_at,
    kept_hints,
    painted,
    place,
    ready,
    repainted,
)

from photochrom.color.lab import rgb_to_lab
from photochrom.engine.hint_propagation import REACHES
from photochrom.options.ranges import REACH

pytestmark = pytest.mark.slow
SUIT, COLLAR = (0.35, 0.65), (0.44, 0.46)  # of the astronaut: orange, black


def colour_photo(name: str = "colour.jpg") -> dict[str, Any]:
    content = encoded(data.coffee(), quality=92)
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def large_photo() -> dict[str, Any]:
    """A photograph with more pixels than its preview, sharp to the last of them."""
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((2048, 2048)))
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    fine = gray.copy()
    fine[992:1056, 992:1056] = checks
    return {"name": "large.png", "mimeType": "image/png", "buffer": encoded(fine, "PNG")}


def layer_at(page: Page, layer: str, across: float, down: float) -> np.ndarray:
    """Read a pixel of a layer at shares of its sides: RGB."""
    pixel = page.evaluate(
        """([layer, across, down]) => {
            const canvas = document.querySelector(`#pane-main .${layer}`);
            const context = canvas.getContext('2d', { willReadFrequently: true });
            const at = [across * canvas.width, down * canvas.height].map(Math.floor);
            return [...context.getImageData(...at, 1, 1).data];
        }""",
        [layer, across, down],
    )
    return np.array(pixel[:3], float)


def previews(page: Page) -> list[str]:
    """Hear which previews are asked for from now on."""
    asked: list[str] = []
    page.on(
        "request",
        lambda request: asked.append(request.url) if "/preview" in request.url else None,
    )
    return asked


def at_rest(page: Page) -> None:
    """Wait until the colourings are there, and with them everything that comes by itself."""
    page.wait_for_function(
        "() => !document.querySelector('.candidate.is-waiting, .candidates.is-stale')"
        " && document.getElementById('busy').hidden"
    )
    page.wait_for_load_state("networkidle")


def test_the_original_is_the_true_file_and_colours_are_not_replaced_unasked(open_page):
    page = open_page()
    page.set_input_files("#file-input", [colour_photo()])
    expect(page.locator("#asks-title")).to_have_text("This photograph is already in colour.")
    page.wait_for_function("() => document.querySelector('#pane-main .before').width > 1")
    expect(page.locator("#asks")).to_be_visible()
    note = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Dear Ada"}
    page.set_input_files("#file-input", [note])
    expect(page.locator("#toast")).to_have_text("note.txt is not a photograph.")
    toast, asks = (page.locator(part).bounding_box() for part in ("#toast", "#asks"))
    assert toast["y"] + toast["height"] <= asks["y"]  # it does not cover the question
    truth = data.coffee()[200, 150].astype(float)
    assert np.abs(layer_at(page, "before", 0.25, 0.5) - truth).max() < 40
    assert painted(page) == ""  # nothing was coloured
    page.click("#asks-colour")
    page.wait_for_selector("#split", state="visible")
    page.keyboard.press("b")
    expect(page.locator("#split")).to_have_attribute("aria-valuenow", "100")
    assert np.ptp(layer_at(page, "before", 0.25, 0.5)) > 60  # in its colours still

    page.set_input_files("#file-input", [colour_photo("other.jpg"), gray_photo()])
    expect(page.locator("#strip-count")).to_have_text("2 coloured, 1 already in colour")


def drop(page: Page, path: Path, target: str = "#stage") -> None:
    """Drop a file or a folder, as the system does."""
    session = page.context.new_cdp_session(page)
    files = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        box = page.locator(target if page.locator(target).is_visible() else "#stage").bounding_box()
        assert box
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        if kind == "drop":
            expect(page.locator("[data-drop=open]")).to_be_visible()
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": files})


@pytest.mark.long
def test_a_folder_is_walked_when_it_is_dropped_or_chosen(open_page, tmp_path):
    folder = tmp_path / "shoebox"
    (folder / "more").mkdir(parents=True)
    (folder / "1.jpg").write_bytes(gray_photo()["buffer"])
    (folder / "more" / "2.jpg").write_bytes(gray_photo(picture="chelsea")["buffer"])
    (folder / "letter.txt").write_text("Dear Ada")
    (folder / ".hidden.jpg").write_bytes(b"nothing")
    page = open_page()
    drop(page, folder)
    expect(page.locator("#toast")).to_have_text("2 photographs opened. 1 other file skipped.")
    expect(page.locator("#strip-count")).to_have_text("2 coloured")

    drop(page, folder, "[data-drop=reference]")
    expect(page.locator("#toast")).to_contain_text("Drop a file, not a folder")

    chosen = open_page()
    with chosen.expect_file_chooser() as chooser:
        chosen.click("#choose-folder")
    chooser.value.set_files(folder)
    expect(chosen.locator("#strip-count")).to_have_text("2 coloured")


def test_one_photograph_can_be_closed_and_everything_be_started_over(open_page):
    page = open_page(gray_photo())
    expect(page.locator("#start-over")).to_be_disabled()
    page.mouse.click(*place(page, *SUIT))
    page.fill("#hex", "stripes")
    page.press("#hex", "Enter")
    expect(page.locator("#error-picker")).to_contain_text("“stripes” is not a colour")
    page.fill("#hex", "dark green")
    repainted(page, lambda: page.press("#hex", "Enter"))
    assert [hint["colour"] for hint in kept_hints(page)] == ["#006400"]
    page.keyboard.press("Escape")
    expect(page.locator(".marker")).to_be_visible()
    page.keyboard.press("b")
    expect(page.locator(".marker")).to_be_hidden()  # nothing lies on the original
    page.keyboard.press("b")
    repainted(page, lambda: page.locator("#saturation").fill("60"))
    repainted(page, lambda: page.click("#start-over"))
    assert kept_hints(page) == []
    expect(page.locator("#saturation-value")).to_have_text("100 %")
    repainted(page, lambda: page.click("#toast-act"))
    assert len(kept_hints(page)) == 1

    page.click("#close-photo")
    expect(page.locator("#welcome")).to_be_visible()
    page.click("#toast-act")
    page.wait_for_selector("#split", state="visible")
    assert len(kept_hints(page)) == 1
    expect(page.locator("#undo")).to_be_enabled()
    page.click("#close-photo")
    page.reload()
    ready(page)
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#earlier")).to_be_hidden()


def test_a_photograph_is_seen_while_it_is_opened_and_coloured(open_page):
    page = open_page()
    held: list[Route] = []
    for pattern in ("**/v1/photos", "**/preview"):
        page.route(pattern, lambda route: held.append(route))
    expect(page.locator("#zoom-value")).to_have_text("")
    page.set_input_files("#file-input", [gray_photo()])
    page.wait_for_selector("#pane-main .picture", state="visible")
    assert layer_at(page, "before", *SUIT).max() > 0
    expect(page.locator("#waiting")).to_have_text("Opening…")
    box = page.locator("#pane-main .picture").bounding_box()
    held.pop().continue_()
    expect(page.locator("#waiting")).to_have_text("Colouring…")
    assert page.locator("#pane-main .picture").bounding_box() == box  # it has not moved
    held.pop().continue_()
    page.wait_for_selector("#split", state="visible")
    expect(page.locator("#waiting")).to_be_hidden()


def test_the_file_has_the_format_quality_and_size_that_are_chosen_and_notes_are_seen(open_page):
    page = open_page()
    deep = (np.asarray(Image.fromarray(data.astronaut()).convert("L")).astype(np.uint16)) * 257
    content = encoded(deep, "PNG")
    give(page, {"name": "deep.png", "mimeType": "image/png", "buffer": content})
    page.click(".kind summary")
    page.select_option("#save-format", "jpeg")
    page.fill("#save-quality", "70")
    page.evaluate(
        """() => document.getElementById('save-size').append(new Option('256 px', '256'))"""
    )
    page.select_option("#save-size", "256")
    expect(page.locator("#save-kind")).to_have_text("JPEG, quality 70, up to 256 px")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "deep-color.jpg"
    result = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert (result.format, result.size) == ("JPEG", (256, 256))
    expect(page.locator("#saved")).to_contain_text("deep-color.jpg was saved.")
    expect(page.locator("#saved")).to_contain_text("16 bits became 8 bits")
    expect(page.locator("#saved")).to_be_in_viewport()
    page.select_option("#save-format", "png")
    expect(page.locator("#save-quality-row")).to_be_hidden()


def test_settings_that_were_saved_are_opened_again_and_fit_a_copy_of_another_size(open_page):
    page = open_page(gray_photo())
    hint_at(page, *SUIT)
    page.keyboard.press("Escape")
    repainted(page, lambda: page.locator("#vividness").fill("80"))
    page.click(".kind summary")
    with page.expect_download() as download:
        page.click("#save-settings")
    settings = download.value.path().read_bytes()
    blue = colour_at(page, *SUIT)

    other = open_page()
    half = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((256, 256)))
    give(other, {**gray_photo("half.jpg"), "buffer": encoded(half, quality=95)})
    saved = {"name": "old-color.json", "mimeType": "application/json", "buffer": settings}
    other.click(".kind summary")
    with other.expect_file_chooser() as chooser:
        other.click("#open-settings")
    repainted(other, lambda: chooser.value.set_files([saved]))
    [hint] = kept_hints(other)
    assert hint["points"][0] == pytest.approx([SUIT[0] * 256, SUIT[1] * 256], abs=2)
    expect(other.locator("#vividness-value")).to_have_text("80")
    assert np.hypot(*(colour_at(other, *SUIT) - blue)[1:]) < 12
    other.set_input_files("#file-input", [{**saved, "buffer": b"{}"}])
    expect(other.locator("#error-save")).to_contain_text("not a settings file")


def test_zooming_in_brings_the_part_at_full_size(open_page):
    page = open_page(large_photo())
    expect(page.locator("#pane-main .after-close")).to_be_hidden()
    x, y = place(page, 0.5, 0.5)
    page.mouse.move(x, y)
    for _ in range(4):
        page.mouse.wheel(0, -400)
    page.wait_for_selector("#pane-main .after-close", state="visible")
    # The finest checks are gray in the preview, and black and white in the part.
    contrast = """layer => {
        const canvas = document.querySelector(`#pane-main .${layer}`);
        const context = canvas.getContext('2d', { willReadFrequently: true });
        const [x, y] = [canvas.width / 2 - 8, canvas.height / 2 - 8].map(Math.round);
        const { data } = context.getImageData(x, y, 16, 16);
        const green = data.filter((_, i) => i % 4 === 1);
        return Math.max(...green) - Math.min(...green);
    }"""
    assert page.evaluate(contrast, "after-close") > 200
    assert page.evaluate(contrast, "after") < 150
    page.keyboard.press("b")
    page.wait_for_selector(".before-close", state="visible")
    assert page.evaluate(contrast, "before-close") > 200
    page.keyboard.press("b")
    page.mouse.click(*place(page, 0.47, 0.53))
    page.wait_for_selector("#suggestions button")
    usual = layer_at(page, "after-close", 0.4, 0.6)
    box = page.locator("#plane").bounding_box()
    repainted(page, lambda: page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 90))
    repainted(page, lambda: page.mouse.move(*place(page, 0.47, 0.48)))  # only looked at
    page.wait_for_selector("#pane-main .after-close", state="visible")
    assert np.abs(layer_at(page, "after-close", 0.4, 0.6) - usual).max() < 12
    page.fill("#hex", "#2c5fa8")
    repainted(page, lambda: page.press("#hex", "Enter"))
    page.wait_for_selector("#pane-main .after-close", state="visible")
    page.keyboard.press("Escape")
    page.click("#advanced summary")
    page.select_option("#compare", "gray")
    page.wait_for_selector("#pane-other .after-close", state="visible")


def test_at_200_percent_the_picture_stays_usable_beside_the_palette(open_page):
    height = 340  # a window of 680 pixels
    page = open_page(gray_photo(), viewport={"width": 640, "height": height})
    page.mouse.click(*place(page, *SUIT))
    page.wait_for_selector("#suggestions button")
    picture = page.locator("#pane-main .picture").bounding_box()
    palette = page.locator("#picker").bounding_box()
    assert min(picture["width"], picture["height"]) > 230
    assert picture["x"] + picture["width"] <= palette["x"] + 1
    assert palette["y"] + palette["height"] <= height + 1
    assert page.evaluate("document.documentElement.scrollWidth") == 640


def test_colourings_come_one_by_one_and_each_differs_where_it_says(open_page):
    page = open_page()
    held: list[Route] = []

    def hold_second(route: Route) -> None:
        small = "long_side_px=256" in route.request.url
        if small and not held and json.loads(route.request.post_data)["candidate"] == 1:
            held.append(route)
        else:
            route.fallback()

    page.route("**/preview?*", hold_second)
    give(page, gray_photo())
    page.wait_for_selector("button.candidate")  # the first, while the second is thought of
    while not held:
        page.wait_for_timeout(50)
    expect(page.locator(".candidate.is-waiting")).to_have_count(2)
    held[0].continue_()
    at_rest(page)
    says = page.locator(".candidate .says").all_inner_texts()
    assert len(says) >= 2
    assert says[0].lower() == "most likely"
    assert all(": " in text for text in says[1:])
    differences = page.evaluate(
        """async () => {
            const { rgbToLab } = await import('/page/colour.js');
            const labs = [...document.querySelectorAll('.candidate canvas')].map((canvas) => {
                const { width, height } = canvas;
                const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
                return Array.from({ length: width * height }, (_, i) =>
                    rgbToLab([...data.slice(4 * i, 4 * i + 3)]));
            });
            return labs.slice(1).map((other) => other.filter(([, a, b], i) =>
                Math.hypot(a - labs[0][i][1], b - labs[0][i][2]) > 9).length / other.length);
        }"""
    )
    assert min(differences) > 0.015
    assert max(differences) < 0.4  # one thing, not a tint


def test_undo_is_remembered_and_takes_no_new_thinking(open_page):
    page = open_page(gray_photo())
    hint_at(page, *SUIT)
    page.keyboard.press("Escape")
    at_rest(page)
    for button in ("#undo", "#redo"):
        with page.expect_response(re.compile(r"/preview$")) as answer:
            page.click(button)
        assert int(answer.value.headers["photochrom-milliseconds"]) < 100


@pytest.mark.long
def test_saturation_is_seen_at_once_and_asked_for_when_it_is_let_go(open_page):
    page = open_page(gray_photo())
    at_rest(page)
    asked = previews(page)
    slider = page.locator("#saturation").bounding_box()
    middle = slider["y"] + slider["height"] / 2
    page.mouse.move(slider["x"] + slider["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] * 0.2, middle, steps=8)
    filtered = page.locator("#pane-main .after").evaluate("node => node.style.filter")
    assert re.match(r"saturate\(0\.\d+\)", filtered)
    assert asked == []
    repainted(page, page.mouse.up)
    assert page.locator("#pane-main .after").evaluate("node => node.style.filter") == ""
    assert [url for url in asked if url.endswith("/preview")] != []


@pytest.mark.long
def test_a_drag_is_painted_small_and_its_end_in_full(open_page):
    page = open_page(large_photo())
    hint_at(page, *SUIT)
    page.keyboard.press("Escape")
    asked = previews(page)
    page.mouse.move(*place(page, *SUIT))
    page.mouse.down()
    repainted(page, lambda: page.mouse.move(*place(page, 0.4, 0.7), steps=5))
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('#pane-main .after').width === 1280")
    assert "long_side_px=640" in asked[0]
    assert any(url.endswith("/preview") for url in asked)


@pytest.mark.long
def test_old_pictures_hold_no_memory(open_page):
    page = open_page()
    page.add_init_script(
        """window.living = new Set();
        const { createObjectURL, revokeObjectURL } = URL;
        URL.createObjectURL = (blob) => {
            const url = createObjectURL(blob);
            living.add(url);
            return url;
        };
        URL.revokeObjectURL = (url) => { living.delete(url); revokeObjectURL(url); };
        window.bitmaps = 0;
        const create = window.createImageBitmap;
        window.createImageBitmap = async (...values) => { bitmaps += 1; return create(...values); };
        const { close } = ImageBitmap.prototype;
        ImageBitmap.prototype.close = function () { bitmaps -= 1; close.call(this); };"""
    )
    page.reload()
    ready(page)
    give(page, gray_photo())
    at_rest(page)
    before = page.evaluate("[living.size, bitmaps, document.querySelectorAll('canvas').length]")
    for value in range(40, 46):
        repainted(page, lambda value=value: page.locator("#vividness").fill(str(value)))
    at_rest(page)
    after = page.evaluate("[living.size, bitmaps, document.querySelectorAll('canvas').length]")
    assert after[0] <= max(before[0], 1)  # the thumbnail of the strip
    assert after[1:] == [0, before[2]]


def test_a_phone_has_one_heading_one_banner_and_no_method_names_before_advanced(open_page):
    page = open_page(gray_photo(), **PHONE)
    page.touchscreen.tap(*place(page, *SUIT))
    page.wait_for_selector("#suggestions button")
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["photochrom"]
    expect(page.get_by_role("banner")).to_have_count(1)
    page.tap("#picker-close")
    page.tap("#adjust")
    words = page.inner_text("#panel").lower()
    names = ("levin", "welsh", "rbf", "transfer", "photochrom", "as trained", "recipe")
    assert [name for name in names if name in words] == []
    page.tap("#advanced summary")
    expect(page.locator("#compare")).to_have_value("")
    assert page.locator("#compare option").first.inner_text() == "none"


def test_the_empty_page_shows_what_happens_and_its_sample_can_be_tried(open_page):
    page = open_page()
    accepted = page.get_attribute("#file-input", "accept").split(",")
    assert {"image/*", ".heic", ".heif", ".avif", ".tif"} <= set(accepted)  # what phones make
    shown = page.locator("#sample img")
    assert shown.evaluate_all("images => images.every((image) => image.naturalWidth > 400)")
    half = page.locator(".sample-before").evaluate("node => getComputedStyle(node).clipPath")
    assert "50%" in half
    page.fill("#sample-line", "80")
    assert half != page.locator(".sample-before").evaluate(
        "node => getComputedStyle(node).clipPath"
    )
    assert "Nothing leaves this computer." in page.inner_text("#welcome")
    page.press("#try-sample", "Enter")
    expect(page.locator("#pane-main")).to_be_focused()
    page.wait_for_selector("#split", state="visible")
    expect(page.locator("#file-name")).to_have_text("portrait.jpg")


@pytest.mark.long
def test_a_colour_under_the_pointer_is_seen_on_the_picture_and_goes_with_it(open_page):
    page = open_page(gray_photo())
    page.mouse.click(*place(page, *SUIT))
    page.wait_for_selector("#suggestions button")
    usual = colour_at(page, *SUIT)
    box = page.locator("#plane").bounding_box()
    blue = box["x"] + 0.75 * box["width"], box["y"] + 0.6 * box["height"]
    repainted(page, lambda: page.mouse.move(*blue))
    assert np.hypot(*(colour_at(page, *SUIT) - usual)[1:]) > 20
    assert kept_hints(page) == []
    repainted(page, lambda: page.mouse.move(*place(page, 0.9, 0.05)))
    assert np.abs(colour_at(page, *SUIT) - usual).max() < 1
    expect(page.locator("#undo")).to_be_disabled()


@pytest.mark.long
def test_a_key_that_is_held_compares_and_one_that_is_tapped_switches(open_page):
    page = open_page(gray_photo())
    line = page.locator("#split")
    page.keyboard.down("b")
    expect(line).to_have_attribute("aria-valuenow", "100")
    page.wait_for_timeout(400)
    page.keyboard.up("b")
    expect(line).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press("b")
    expect(line).to_have_attribute("aria-valuenow", "100")
    page.click("#show-before")
    expect(line).to_have_attribute("aria-valuenow", "0")
    page.click("#show-before", delay=400)
    expect(line).to_have_attribute("aria-valuenow", "0")
    page.focus("#show-before")
    page.keyboard.press("Enter")
    expect(line).to_have_attribute("aria-valuenow", "100")


@pytest.mark.long
def test_full_screen_leaves_nothing_but_the_picture_and_the_palette(open_page):
    page = open_page(gray_photo())
    page.keyboard.press("f")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(".bar")).to_be_hidden()
    page.mouse.click(*place(page, *SUIT))
    expect(page.locator("#picker")).to_be_in_viewport()
    page.keyboard.press("Escape")
    page.click("#leave-full")
    expect(page.locator("#panel")).to_be_visible()


def test_a_place_that_is_pure_black_or_white_is_told_at_once_and_offers_nothing(open_page):
    page = open_page()
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L")).copy()
    gray[:100, 412:] = 255
    gray[:100, :100] = 0
    give(page, {**gray_photo(), "buffer": encoded(gray, quality=95)})
    for across, word in ((0.9, "white"), (0.08, "black")):
        page.mouse.click(*place(page, across, 0.08))
        expect(page.locator("#picker-says")).to_have_text(
            f"This place is pure {word} and cannot show colour."
        )
        for part in ("#suggestions", "#plane", "#hex", "#pick-gray", "#hint-size"):
            expect(page.locator(part)).to_be_hidden()
        expect(page.locator("#tone-white")).to_be_visible(visible=word == "white")
        page.click("#picker-close")
    page.mouse.click(*place(page, *SUIT))
    for part in ("#picker-says", "#tone-white"):
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("#plane")).to_be_visible()


def test_white_is_toned_down_where_that_is_chosen_and_shows_a_colour_then(open_page):
    page = open_page()
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L")).copy()
    gray[:100, 412:] = 255
    give(page, {**gray_photo(), "buffer": encoded(gray, quality=95)})
    white = (0.9, 0.08)
    page.mouse.click(*place(page, *white))
    repainted(page, lambda: page.click("#tone-white"))
    expect(page.locator("#toast")).to_contain_text("its lightness has changed")
    expect(page.locator("#white-lightness")).to_be_checked()
    expect(page.locator("#picker-says")).to_be_hidden()
    assert colour_at(page, *white)[0] == pytest.approx(92, abs=1)
    dark = colour_at(page, *COLLAR)
    page.wait_for_selector("#suggestions button")
    page.fill("#hex", "#2c5fa8")
    repainted(page, lambda: page.press("#hex", "Enter"))
    assert np.hypot(*colour_at(page, *white)[1:]) > 8
    with page.expect_download() as download:
        page.click("#save")
    saved = np.asarray(Image.open(download.value.path()))[30:50, 450:470].reshape(-1, 3)
    assert np.hypot(*rgb_to_lab(saved.mean(axis=0) / 255)[1:]) > 8
    page.click("details.kind summary")
    with page.expect_download() as settings:
        page.click("#save-settings")
    assert json.loads(settings.value.path().read_text())["look"]["white_lightness"] == 92

    repainted(page, lambda: page.click("#undo"))
    repainted(page, lambda: page.click("#undo"))
    expect(page.locator("#white-lightness")).not_to_be_checked()
    assert colour_at(page, *white)[0] > 99
    assert np.abs(colour_at(page, *COLLAR) - dark).max() < 1.5  # dark tones stayed
    repainted(page, lambda: page.click("#redo"))
    expect(page.locator("#white-lightness")).to_be_checked()


def test_a_lasso_draws_an_outline_whose_inside_gets_the_colour(open_page):
    page = open_page(gray_photo())
    page.keyboard.press("3")
    corners = [(0.25, 0.55), (0.45, 0.55), (0.45, 0.72), (0.25, 0.72), (0.25, 0.56)]
    page.mouse.move(*place(page, *corners[0]))
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*place(page, *corner), steps=6)
    page.mouse.up()
    expect(page.locator("#picker-title")).to_have_text("Colour inside this outline")
    page.fill("#hex", "#2c5fa8")
    repainted(page, lambda: page.press("#hex", "Enter"))
    [hint] = kept_hints(page)
    assert hint["shape"] == "region"
    assert colour_at(page, 0.33, 0.66)[2] < -5
    expect(page.locator("#hint-list .name")).to_contain_text("Outline")


def wait_for_outline(page: Page) -> None:
    page.wait_for_selector(".strokes polygon.line", state="attached")
    expect(page.locator("#picker-title")).to_have_text("Colour of this object")


def test_a_click_selects_a_thing_whose_colour_is_one_hint(open_page):
    page = open_page(gray_photo())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("4")
    page.mouse.dblclick(*place(page, *SUIT))  # a hand that clicks twice
    wait_for_outline(page)
    expect(page.locator("#reach-row")).to_be_hidden()  # a region colours what it bounds
    corners = page.get_attribute(".strokes polygon.line", "points")
    page.mouse.click(*place(page, SUIT[0] + 0.03, SUIT[1]))  # on the thing that is selected
    expect(page.locator("#picker")).to_be_visible()
    assert page.get_attribute(".strokes polygon.line", "points") == corners
    assert len([url for url in asked if url.endswith("/outline")]) == 1
    assert kept_hints(page) == []

    background = colour_at(page, 0.9, 0.3)
    page.fill("#hex", "#2c5fa8")
    repainted(page, lambda: page.press("#hex", "Enter"))
    [hint] = kept_hints(page)
    assert hint["shape"] == "region" and len(hint["points"]) > 4
    assert hint["anchor"] == pytest.approx([512 * at for at in SUIT], abs=2)
    page.mouse.click(*place(page, SUIT[0] + 0.03, SUIT[1]))
    assert len(kept_hints(page)) == 1
    assert colour_at(page, 0.3, 0.62)[2] < -10  # away from the click
    assert np.abs(colour_at(page, 0.9, 0.3) - background).max() < 2
    expect(page.locator("#hint-list .name")).to_contain_text("Object")
    repainted(page, lambda: page.click("#undo"))
    assert kept_hints(page) == []


@pytest.mark.long
def test_escape_cancels_a_selection_before_and_after_its_outline_has_come(open_page):
    page = open_page(gray_photo())
    held: list[Route] = []
    page.route("**/outline", lambda route: held.append(route))
    page.keyboard.press("4")
    page.mouse.click(*place(page, *SUIT))
    expect(page.locator("#busy")).to_be_visible()
    while not held:
        page.wait_for_timeout(20)
    page.keyboard.press("Escape")
    expect(page.locator("#busy")).to_be_hidden()
    held[0].continue_()
    page.unroute("**/outline")
    page.wait_for_timeout(400)
    expect(page.locator("#picker")).to_be_hidden()

    page.mouse.click(*place(page, *SUIT))
    wait_for_outline(page)
    page.keyboard.press("Escape")
    expect(page.locator("#picker")).to_be_hidden()
    expect(page.locator(".strokes polygon")).to_have_count(0)
    assert kept_hints(page) == []


@pytest.mark.long
def test_a_thing_is_selected_by_the_keyboard_and_by_a_finger(open_page):
    page = open_page(gray_photo())
    page.keyboard.press("4")
    page.keyboard.press("p")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait_for_outline(page)
    page.wait_for_selector("#suggestions button:focus")
    repainted(page, lambda: page.keyboard.press("Enter"))
    assert [hint["shape"] for hint in kept_hints(page)] == ["region"]

    phone = open_page(gray_photo(), **PHONE)
    phone.tap("#tool-select")
    phone.touchscreen.tap(*place(phone, *SUIT))
    wait_for_outline(phone)
    phone.wait_for_selector("#suggestions button")
    repainted(phone, lambda: phone.tap("#suggestions button:nth-child(2)"))
    assert [hint["shape"] for hint in kept_hints(phone)] == ["region"]


@pytest.mark.long
def test_the_marker_of_an_outline_lies_inside_it_even_where_its_mean_does_not(open_page):
    bow = [[0, 0], [100, 0], [100, 10], [10, 10], [10, 90], [100, 90], [100, 100], [0, 100]]
    held = open_page().evaluate(
        """async (bow) => {
            const { holds, middleOf } = await import('/page/shapes.js');
            const mean = [0, 1].map((axis) => bow.reduce((all, p) => all + p[axis], 0) / 8);
            return [holds(bow, mean), holds(bow, middleOf(bow))];
        }""",
        bow,
    )
    assert held == [False, True]


def sent_hints(page: Page) -> list[dict[str, Any]]:
    """Hear which hints the latest preview was asked for with, and was answered."""
    sent: list[dict[str, Any]] = []

    def hear(response: Response) -> None:
        if re.search(r"/preview$", response.url) and response.ok:
            sent[:] = json.loads(response.request.post_data)["hints"]

    page.on("response", hear)
    return sent


def test_a_hint_reaches_as_far_as_is_chosen_and_keeps_a_place(open_page):
    page = open_page()
    sent = sent_hints(page)
    give(page, gray_photo())
    plain, far = colour_at(page, 0.25, 0.6), (0.25, 0.6)
    hint_at(page, 0.37, 0.84, "#2c5fa8")
    assert "reach" not in sent[0]
    palette = page.locator("#picker").bounding_box()
    assert palette["y"] + palette["height"] <= 800
    near = colour_at(page, *far)
    repainted(page, lambda: page.click("[data-reach=thing]"))
    assert sent[0]["reach"] == "thing"
    assert colour_at(page, *far)[2] < near[2] - 5  # bluer: it has come so far
    expect(page.locator("#hint-list .name")).to_contain_text("this thing")
    repainted(page, lambda: page.click("#pick-keep"))
    assert sent[0] == {**sent[0], "keep": True}
    assert "colour" not in sent[0]
    assert np.abs(colour_at(page, *far) - plain).max() < 1
    expect(page.locator("#hint-list .name")).to_contain_text("kept as it is")


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for what the page does by itself."""
    for _ in range(600):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("It has not come about.")


def middle_of(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_hints_reach_is_dragged_and_the_picture_follows(open_page):
    page = open_page()
    sent, asked = sent_hints(page), previews(page)
    give(page, large_photo())
    hint, far = (0.37, 0.84), (0.25, 0.6)
    hint_at(page, *hint)
    near = colour_at(page, *far)
    x, y = place(page, *hint)
    long_side = page.locator("#pane-main .picture").bounding_box()["width"]
    own = kept_hints(page)[0]["radius"] / 2048 * long_side  # a reach begins at the spot's rim

    def drag(share: float) -> None:
        old = painted(page)
        page.mouse.move(*middle_of(page, ".reach-handle"))
        page.mouse.down()
        page.mouse.move(x - 20, y - share * long_side / 2, steps=3)
        page.mouse.move(x, y - share * long_side - own, steps=3)
        page.mouse.up()
        until(page, lambda: sent[0].get("reach") == pytest.approx(share, abs=0.01))
        page.wait_for_function(
            "old => document.querySelector('#pane-main .after').width === 1280"
            " && document.querySelector('#pane-main .after').dataset.version !== old"
            " && document.getElementById('busy').hidden",
            arg=old,
        )

    asked.clear()
    drag(0.06)
    assert "long_side_px=640" in asked[0]  # half the size while it is dragged
    ring = page.locator(".reach-ring").bounding_box()
    assert ring["width"] / 2 == pytest.approx(0.06 * long_side + own, abs=4)
    left, top = middle_of(page, ".reach-handle")
    assert np.hypot(left - x, top - y) == pytest.approx(0.06 * long_side + own, abs=4)
    expect(page.locator("#hint-list .name")).to_contain_text("reach 6 %")
    small = colour_at(page, *far)
    drag(0.8)
    assert small[2] > near[2] > colour_at(page, *far)[2] + 1  # the wider, the bluer
    page.keyboard.press("Control+z")
    expect(page.locator("#hint-list .name")).to_contain_text("reach 6 %")  # a drag is one step


@pytest.mark.long
def test_the_reach_of_a_stroke_is_a_rim_around_it_and_keys_change_it(open_page):
    page = open_page()
    sent = sent_hints(page)
    give(page, gray_photo())
    page.click("#tool-stroke")
    page.mouse.move(*place(page, 0.3, 0.75))
    page.mouse.down()
    page.mouse.move(*place(page, 0.4, 0.75), steps=4)
    page.mouse.up()
    expect(page.locator(".reach-handle")).to_be_hidden()  # it has no colour yet
    page.fill("#hex", "#2c5fa8")
    repainted(page, lambda: page.press("#hex", "Enter"))
    expect(page.locator("#hint-reach")).to_have_attribute("aria-valuetext", "Near")
    page.focus("#hint-reach")
    repainted(page, lambda: page.keyboard.press("ArrowLeft"))
    until(page, lambda: 0.3 < sent[0].get("reach", 1) < 1 / 1.8)
    expect(page.locator("[data-reach=near]")).to_have_attribute("aria-checked", "false")
    repainted(page, lambda: page.keyboard.press("Home"))
    until(page, lambda: sent[0]["reach"] == 0.02)
    expect(page.locator("#reach-rim")).to_have_count(1)
    (x, y), (start, level), (end, _) = (
        middle_of(page, ".reach-handle"),
        place(page, 0.3, 0.75),
        place(page, 0.4, 0.75),
    )
    width = page.locator("#pane-main .picture").bounding_box()["width"]
    own = kept_hints(page)[0]["radius"] / 512 * width
    away = np.hypot(x - np.clip(x, start, end), y - level)
    assert away == pytest.approx(0.02 * width + own, abs=4)
    repainted(page, lambda: page.click("[data-reach=whole]"))
    expect(page.locator("#reach-rim, .reach-ring")).to_have_count(0)  # it has no bound to show
    expect(page.locator(".reach-handle")).to_be_visible()
    repainted(page, lambda: page.click("#pick-keep"))
    expect(page.locator(".reach-handle")).to_be_hidden()


def test_the_page_and_the_library_take_the_same_reaches(open_page):
    page = open_page()
    least, most = page.evaluate("import('/page/state.js').then((state) => state.REACH_RANGE)")
    assert (least, most) == (REACH.low, REACH.high)
    numbers = page.evaluate(
        "import('/page/state.js').then((state) =>"
        " ['near', 'thing'].map((reach) => state.reachNumber({ reach })))"
    )
    assert numbers == pytest.approx([1 / REACHES[name].place for name in ("near", "thing")])


def test_a_service_that_knows_neither_reach_nor_keep_is_offered_neither(open_page):
    page = open_page()
    known = {name: {} for name in ("shape", "points", "colour", "radius")}
    older = {"components": {"schemas": {"HintBody": {"properties": known}}}}
    page.route("**/openapi.json", lambda route: route.fulfill(json=older))
    page.reload()
    ready(page)
    give(page, gray_photo())
    page.mouse.click(*place(page, *SUIT))
    page.wait_for_selector("#suggestions button")
    for part in ("#reach-row", "#pick-keep", "#tool-keep"):
        expect(page.locator(part)).to_be_hidden()


def test_a_file_that_is_cut_short_says_so_plainly(open_page):
    page = open_page()
    whole = gray_photo()["buffer"]
    page.set_input_files("#file-input", [{**gray_photo("cut.jpg"), "buffer": whole[:9000]}])
    expect(page.locator("#gone-text")).to_contain_text(re.compile("incomplete|damaged"))
    expect(page.locator("#gone-text")).to_contain_text("opy it again")
    page.click("#gone-remove")
