"""The page in a real Chromium, against a real service."""

import io
import json
import time
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Page, Route, expect
from skimage import data
from tests.conftest import encoded
from tests.service.browsing import (
    DESKTOP,
    PHONE,
    check_with_axe,
    colour_at,
    forget,
    give,
    gray_photo,
    hint_at,
    kept_hints,
    open_tab,
    place,
    ready,
    repainted,
)

from photochrom.color.lab import lab_to_linear, rgb_to_lab

pytestmark = pytest.mark.slow
TURNED = 6  # EXIF: the camera was held upright


def camera_files() -> list[Any]:
    gray = np.asarray(Image.fromarray(data.astronaut()[:, :400]).convert("L"))
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "A. Nonymous"
    exif[ExifTags.Base.Orientation] = TURNED
    deep = (gray.astype(np.uint16) * 257).clip(0, 65535)
    plain = Image.Exif()
    plain[ExifTags.Base.Artist] = "A. Nonymous"
    return [
        pytest.param("turned.jpg", encoded(gray, exif=exif, quality=92), 8, id="jpeg-turned"),
        pytest.param(
            *("deep.png", encoded(deep, "PNG", exif=plain), 16),
            id="png-16-bit",
            marks=pytest.mark.long,
        ),
    ]


@pytest.mark.parametrize(("name", "content", "depth"), camera_files())
def test_a_photo_is_coloured_hinted_undone_and_downloaded_as_the_file_it_was(
    open_page, name, content, depth
):
    page = open_page({"name": name, "mimeType": "", "buffer": content})
    near, far = colour_at(page, 0.3, 0.3), colour_at(page, 0.85, 0.9)

    hint_at(page, 0.3, 0.3)
    assert np.hypot(*(colour_at(page, 0.3, 0.3) - near)[1:]) > 15
    assert np.hypot(*(colour_at(page, 0.85, 0.9) - far)[1:]) < 4

    page.keyboard.press("Escape")
    repainted(page, lambda: page.click("#undo"))
    assert np.abs(colour_at(page, 0.3, 0.3) - near).max() < 1

    repainted(page, lambda: page.click("#redo"))
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == name.replace(".", "-color.")
    written = Path(download.value.path()).read_bytes()
    result, original = Image.open(io.BytesIO(written)), Image.open(io.BytesIO(content))
    assert (result.format, result.size) == (original.format, original.size)
    assert result.getexif()[ExifTags.Base.Artist] == "A. Nonymous"
    turned = [image.getexif().get(ExifTags.Base.Orientation, 1) for image in (result, original)]
    assert turned[0] == turned[1]
    assert depth == (written[24] if name.endswith("png") else 8)  # IHDR: bits of a sample

    page.click(".kind summary")
    with page.expect_download() as download:
        page.click("#save-settings")
    settings = json.loads(Path(download.value.path()).read_text())
    assert [hint["colour"] for hint in settings["wishes"]["hints"]] == ["#2c5fa8"]


def test_the_keyboard_alone_opens_hints_moves_recolours_deletes_and_undoes(open_page):
    page = open_page()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("o")
    chooser.value.set_files([gray_photo()])
    page.wait_for_selector("#split", state="visible")
    press = page.keyboard.press

    for key in ("p", "ArrowRight", "ArrowRight", "ArrowUp", "Enter"):
        press(key)
    page.wait_for_selector("#suggestions button:focus")
    press("ArrowRight")
    repainted(page, lambda: press("Enter"))
    press("Escape")
    press("Tab")
    marker = page.locator(".marker")
    expect(marker).to_be_focused()
    [before] = kept_hints(page)
    repainted(page, lambda: press("Shift+ArrowLeft"))
    [moved] = kept_hints(page)
    assert moved["points"][0][0] < before["points"][0][0]
    assert moved["colour"] == before["colour"]

    press("Enter")
    page.wait_for_selector("#suggestions button:focus")
    page.focus("#plane")
    repainted(page, lambda: press("Shift+ArrowUp"))
    assert kept_hints(page)[0]["colour"] != before["colour"]
    repainted(page, lambda: press("Delete"))
    expect(marker).to_have_count(0)
    repainted(page, lambda: press("Control+z"))
    expect(marker).to_have_count(1)
    expect(page.locator("#status")).to_contain_text("Undone: deleted a hint")

    press("2")
    for key in ("p", "ArrowDown", "Enter", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        press(key)
    page.wait_for_selector("#suggestions button:focus")
    repainted(page, lambda: press("Enter"))
    assert kept_hints(page)[-1]["shape"] == "stroke"
    page.focus("#split")
    press("End")
    expect(page.locator("#show-before")).to_have_attribute("aria-pressed", "true")


@pytest.mark.long
def test_brushes_draw_strokes_and_keep_places_gray(open_page):
    page = open_page(gray_photo())

    def drag() -> None:
        page.mouse.move(*place(page, 0.4, 0.6))
        page.mouse.down()
        page.mouse.move(*place(page, 0.6, 0.65), steps=6)
        page.mouse.up()

    page.click("[data-tool=stroke]")
    drag()
    page.fill("#hex", "#b02030")
    repainted(page, lambda: page.press("#hex", "Enter"))
    assert np.hypot(*colour_at(page, 0.5, 0.625)[1:]) > 25
    page.keyboard.press("Escape")

    page.click("[data-tool=gray]")
    repainted(page, drag)
    assert np.hypot(*colour_at(page, 0.5, 0.625)[1:]) < 5
    assert [hint["colour"] for hint in kept_hints(page)] == ["#b02030", None]

    repainted(page, lambda: page.click("#hint-list li:last-child button:last-child"))
    assert len(kept_hints(page)) == 1


def test_a_marker_is_dragged_in_one_step_of_history(open_page):
    page = open_page(gray_photo())
    hint_at(page, 0.3, 0.3)
    page.keyboard.press("Escape")
    page.mouse.move(*place(page, 0.3, 0.3))
    page.mouse.down()
    repainted(page, lambda: page.mouse.move(*place(page, 0.6, 0.5), steps=5))
    page.mouse.up()
    assert kept_hints(page)[0]["points"][0] == pytest.approx([0.6 * 512, 0.5 * 512], abs=3)
    repainted(page, lambda: page.click("#undo"))
    assert kept_hints(page)[0]["points"][0] == pytest.approx([0.3 * 512, 0.3 * 512], abs=3)


def test_every_setting_repaints_the_picture_and_undo_takes_all_back(open_page):
    page = open_page(gray_photo())
    page.wait_for_selector("button.candidate:nth-child(2)")
    tab = page.locator("#source-tabs").get_by_text
    reference = {**gray_photo("rose.jpg"), "buffer": encoded(data.coffee())}

    def set_reference() -> None:
        with page.expect_file_chooser() as chooser:
            page.click(".reference-drop")
        chooser.value.set_files([reference])

    repainted(page, lambda: page.click(".candidate:nth-child(2)"))
    repainted(page, lambda: page.locator("#vividness").fill("90"))
    repainted(page, lambda: page.locator("#saturation").fill("60"))
    tab("Mood").click()
    repainted(page, lambda: page.click("[data-mood=forest]"))
    tab("Palette").click()
    repainted(page, lambda: page.click("text=Add a colour"))
    tab("A photo").click()
    repainted(page, set_reference)
    expect(page.locator("#source-reference")).to_contain_text("rose.jpg")
    page.click("#advanced summary")
    repainted(page, lambda: page.select_option("#method", "transfer"))
    repainted(page, lambda: page.select_option("#method", "photochrom"))
    for _ in range(8):
        page.click("#undo")
    expect(page.locator("#undo")).to_be_disabled()
    expect(page.locator("#vividness-value")).to_have_text("automatic")
    assert page.get_attribute(".candidate:nth-child(1)", "aria-checked") == "true"


@pytest.mark.long
def test_guesses_are_striped_and_two_methods_stand_side_by_side(open_page):
    page = open_page(gray_photo())
    page.keyboard.press("c")
    page.wait_for_selector(".guesses", state="visible")
    drawn = """() => document.querySelector('.guesses').getContext('2d')
        .getImageData(0, 0, 400, 400).data.filter((v, i) => i % 4 === 3 && v > 60).length"""
    page.wait_for_function(drawn)
    page.keyboard.press("c")
    page.wait_for_selector(".guesses", state="hidden")

    page.click("#advanced summary")
    page.select_option("#compare", "levin")
    expect(page.locator("#error-other")).to_contain_text("Click a place")
    hint_at(page, 0.35, 0.65)
    page.wait_for_selector("#pane-other .after[data-version]")
    expect(page.locator("#error-other")).to_be_hidden()
    one, other = (
        page.locator(f"#pane-{name} .picture").bounding_box() for name in ("main", "other")
    )
    assert (one["y"], one["width"]) == (other["y"], other["width"])


def test_the_newest_hint_cancels_older_work(open_page):
    page = open_page(gray_photo())
    hint_at(page, 0.3, 0.3, "#c02020")
    aborted, held = [], []
    page.on("requestfailed", lambda request: aborted.append(request.url))

    def hold(route) -> None:  # the first is never answered
        held.append(route)
        if len(held) > 1:
            route.continue_()

    page.route("**/preview", hold)
    page.fill("#hex", "#20c020")
    page.press("#hex", "Enter")
    page.wait_for_timeout(100)
    page.fill("#hex", "#2040c0")
    repainted(page, lambda: page.press("#hex", "Enter"))
    assert len(held) == 2
    assert [url for url in aborted if url.endswith("/preview")] == [held[0].request.url]
    assert colour_at(page, 0.3, 0.3)[2] < -15  # blue, the newest


def test_hints_survive_a_reload_and_a_service_that_has_forgotten_the_photo(open_page):
    page = open_page(gray_photo())
    hint_at(page, 0.3, 0.3)
    blue = colour_at(page, 0.3, 0.3)
    page.reload()
    ready(page)
    page.wait_for_selector("#split", state="visible")
    expect(page.locator(".marker")).to_have_count(1)
    assert np.abs(colour_at(page, 0.3, 0.3) - blue).max() < 1

    forget(page)
    page.reload()
    ready(page)
    expect(page.locator("#gone-title")).to_contain_text("Open old.jpg again")
    expect(page.locator("#gone-text")).to_contain_text(
        "The photograph was removed to save space. Open the file again."
    )
    with page.expect_file_chooser() as chooser:
        page.click("#reopen")
    chooser.value.set_files([gray_photo()])
    page.wait_for_selector("#split", state="visible")
    assert np.abs(colour_at(page, 0.3, 0.3) - blue).max() < 1

    forget(page)  # while the page is open it brings the file again by itself
    repainted(page, lambda: page.locator("#saturation").fill("130"))
    expect(page.locator("#error-picture")).to_be_hidden()


def test_many_files_are_a_queue_with_one_zip_and_a_bad_one_says_why(open_page):
    page = open_page()
    bad = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture"}
    give(page, gray_photo("one.jpg"), gray_photo("two.jpg", "chelsea"), bad)
    expect(page.locator("#strip-count")).to_have_text("2 coloured, 1 failed:")
    page.click("#strip-show")
    expect(page.locator("#gone-title")).to_have_text("notes.jpg could not be opened")
    assert page.inner_text("#gone-text")[0].isupper()  # a sentence; the title has the name
    page.keyboard.press("PageUp")
    expect(page.locator("#file-name")).to_have_text("two.jpg")
    page.set_viewport_size({"width": 844, "height": 390})  # a phone on its side
    expect(page.locator("[aria-current=true]")).to_be_in_viewport(ratio=1)
    page.click(".kind summary")
    page.locator("#open-settings").scroll_into_view_if_needed()
    expect(page.locator("#open-settings")).to_be_in_viewport(ratio=1)
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sorted(archive.namelist()) == ["one-color.jpg", "two-color.jpg"]
        assert Image.open(archive.open("two-color.jpg")).size == (451, 300)


@pytest.mark.long
def test_files_are_dropped_and_pasted_and_a_dropped_one_can_lend_its_colours(open_page):
    page = open_page()
    gray, colour = data.coffee()[::2, ::2, 1], data.coffee()[::2, ::2]
    gray, colour = list(encoded(gray)), list(encoded(colour))
    send = """([content, kind, target]) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(content)], kind + '.jpg', {type: 'image/jpeg'}));
        const at = document.querySelector(target);
        const options = {bubbles: true, cancelable: true};
        if (kind === 'paste') {
            at.dispatchEvent(new ClipboardEvent('paste', {...options, clipboardData: files}));
            return;
        }
        at.dispatchEvent(new DragEvent('dragenter', {...options, dataTransfer: files}));
        at.dispatchEvent(new DragEvent('drop', {...options, dataTransfer: files}));
    }"""
    page.evaluate(send, [gray, "drop", "#welcome"])
    page.wait_for_selector("#split", state="visible")
    expect(page.locator("#file-name")).to_have_text("drop.jpg")
    repainted(page, lambda: page.evaluate(send, [colour, "lender", "[data-drop=reference]"]))
    expect(page.locator("#source-reference")).to_contain_text("lender.jpg")
    page.evaluate(send, [gray, "paste", "body"])
    expect(page.locator("#file-name")).to_have_text("paste.jpg")


@pytest.mark.long
def test_wheel_and_drag_move_the_view_and_the_place_under_the_pointer_stays(open_page):
    page = open_page(gray_photo())
    before = page.locator("#pane-main .picture").bounding_box()
    x, y = place(page, 0.3, 0.6)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -500)
    page.wait_for_function(
        "w => document.querySelector('#pane-main .picture').offsetWidth > 1.5 * w",
        arg=before["width"],
    )
    assert place(page, 0.3, 0.6) == pytest.approx((x, y), abs=1.5)
    page.mouse.down()
    page.mouse.move(x + 40, y - 30, steps=4)
    page.mouse.up()
    assert place(page, 0.3, 0.6) == pytest.approx((x + 40, y - 30), abs=1.5)
    assert kept_hints(page) == []  # a drag is no click
    page.keyboard.press("0")
    assert page.locator("#pane-main .picture").bounding_box() == before


def test_the_split_shows_the_original_on_its_left(open_page):
    page = open_page(gray_photo())
    grip = page.locator("#split").bounding_box()
    page.mouse.move(grip["x"] + 16, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(*place(page, 0.5, 0.5), steps=5)
    page.mouse.up()
    assert abs(int(page.get_attribute("#split", "aria-valuenow")) - 50) <= 1
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), float)
    (left, y), (right, _) = place(page, 0.2, 0.3), place(page, 0.8, 0.3)
    chroma = np.ptp(shot, axis=2)
    assert chroma[int(y) - 40 : int(y) + 40, int(left) - 40 : int(left) + 40].max() < 3
    assert chroma[int(y) - 40 : int(y) + 40, int(right) - 40 : int(right) + 40].max() > 12


def pinch(page: Page, middle: tuple[float, float]) -> None:
    """Spread two fingers to twice their distance."""
    session = page.context.new_cdp_session(page)
    (x, y), fingers = middle, range(40, 90, 10)
    steps = [[{"x": x - half, "y": y}, {"x": x + half, "y": y}] for half in fingers]
    for kind, points in [("touchStart", steps[0]), *(("touchMove", step) for step in steps[1:])]:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_phone_shows_everything_without_scrolling_sideways(open_page):
    page = open_page(gray_photo(), **PHONE)
    picture = page.locator("#pane-main .picture").bounding_box()
    assert picture["width"] > 340
    expect(page.locator("#toast")).to_contain_text("Tap a place to change its colour.")
    for bar in ("#rail", ".bar"):  # no tool is out of sight, on the narrowest phones, too
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.locator(bar).evaluate("bar => bar.scrollWidth <= bar.clientWidth")
    page.set_viewport_size(PHONE["viewport"])
    pinch(page, place(page, 0.5, 0.5))
    assert page.locator("#pane-main .picture").bounding_box()["width"] > 1.5 * picture["width"]
    page.keyboard.press("0")
    page.touchscreen.tap(*place(page, 0.35, 0.65))
    page.wait_for_selector("#suggestions button")
    repainted(page, lambda: page.tap("#suggestions button:nth-child(2)"))
    picker = page.locator("#picker").bounding_box()
    assert picker["y"] + picker["height"] <= 845
    assert place(page, 0.35, 0.65)[1] < picker["y"]
    page.tap("#picker-close")
    page.tap("#adjust")
    expect(page.locator("#save")).to_be_in_viewport()
    expect(page.locator("#panel")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, select')]
            .filter((b) => b.checkVisibility() && !b.matches('.marker, .mood, .tabs button'))
            .filter((b) => b.getBoundingClientRect().height < 36).map((b) => b.outerHTML)"""
    )
    assert small == []


@pytest.mark.parametrize(
    ("device", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="desktop-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESKTOP, "dark", id="desktop-dark", marks=pytest.mark.long),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_serious(open_page, scheme, device):
    page = open_page(color_scheme=scheme, **device)
    check = partial(check_with_axe, page)
    check("empty")
    give(page, gray_photo("one.jpg"), gray_photo("two.jpg", "chelsea"))
    hint_at(page, 0.35, 0.65)
    page.wait_for_selector("#suggestions button")
    check("palette")
    page.keyboard.press("Escape")
    if device is PHONE:
        page.tap("#adjust")
    page.locator("#source-tabs").get_by_text("Mood").click()
    check("settings")
    page.locator("#advanced summary").click()
    page.locator(".kind summary").click()
    check("file and method")
    page.set_input_files("#file-input", [{**gray_photo(), "buffer": encoded(data.coffee())}])
    expect(page.locator("#asks")).to_be_visible()
    check("already in colour")


def test_undo_treats_a_gesture_as_one_step_and_redo_ends_with_a_new_change(open_page):
    page = open_page()
    told = page.evaluate(
        """async () => {
            const { begin, reduce } = await import('/page/state.js');
            const set = (value, gesture) => ({ type: 'set', field: 'saturation', value, gesture });
            const actions = [set(0.5, 'a'), set(0.6, 'a'), set(0.7, 'b'), { type: 'undo' },
                { type: 'undo' }, { type: 'undo' }, { type: 'redo' }, set(0.9), { type: 'redo' }];
            const values = [];
            let history = begin();
            for (const action of actions) {
                history = reduce(history, action);
                values.push(history.present.wishes.saturation);
            }
            return values;
        }"""
    )
    assert told == [0.5, 0.6, 0.7, 0.6, 1, 1, 0.6, 0.9, 0.9]


def largest_chroma(lightness: float, hue: float) -> float:
    """Return the largest chroma that sRGB has at a lightness and a hue in degrees."""
    chromas, turned = np.arange(0, 200, 0.05), np.radians(hue)
    a, b = chromas * np.cos(turned), chromas * np.sin(turned)
    linear = lab_to_linear(np.stack([np.full_like(chromas, lightness), a, b], axis=-1))
    outside = ((linear < -1e-6) | (linear > 1 + 1e-6)).any(axis=-1)
    return chromas[outside.argmax() - 1]


def test_the_page_knows_the_gamut_and_lab_as_the_engine_does(open_page):
    page = open_page()
    places = [(lightness, hue) for lightness in (15, 50, 85) for hue in (0, 40, 110, 200, 306)]
    colours = np.random.default_rng(0).integers(0, 256, (20, 3)).tolist()
    chromas, labs = page.evaluate(
        """async ([places, colours]) => {
            const { largestChroma, rgbToLab } = await import('/page/colour.js');
            return [places.map((place) => largestChroma(...place)), colours.map(rgbToLab)];
        }""",
        [places, colours],
    )
    assert chromas == pytest.approx([largest_chroma(*at) for at in places], abs=0.3)
    assert np.array(labs) == pytest.approx(rgb_to_lab(np.array(colours) / 255.0), abs=1e-6)


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.className")


def test_the_focus_stays_at_its_place_when_things_are_deleted(open_page):
    page = open_page(gray_photo())
    for across in (0.2, 0.5, 0.8):
        hint_at(page, across, 0.3)
        page.keyboard.press("Escape")
    page.focus("#hint-list li:nth-child(2) button:last-child")
    repainted(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator("#hint-list li:nth-child(2) button:last-child")).to_be_focused()
    page.focus(".marker")
    repainted(page, lambda: page.keyboard.press("Delete"))
    assert focused(page) == "pane-main"
    page.focus("#hint-list button:last-child")
    repainted(page, lambda: page.keyboard.press("Enter"))
    assert focused(page) == "pane-main"


def test_a_download_that_fails_is_said_on_a_phone_too(open_page):
    page = open_page(gray_photo(), **PHONE)
    problem = {"title": "Unprocessable", "status": 422, "detail": "The file is damaged."}
    kind = "application/problem+json"
    held: list[Route] = []
    page.route("**/result", lambda route: held.append(route))
    page.tap("#save-short")
    expect(page.locator("#toast")).to_have_text("Colouring at full size…")
    while not held:
        page.wait_for_timeout(20)
    held[0].fulfill(status=422, content_type=kind, body=json.dumps(problem))
    expect(page.locator("#error-save")).to_be_in_viewport()
    expect(page.locator("#toast")).to_be_hidden()
    expect(page.locator("#error-save")).to_have_text("The file is damaged.")


@pytest.mark.long
def test_a_zip_says_what_it_lacks_and_comes_in_as_many_parts_as_the_service_keeps(open_page):
    page = open_page(gray_photo("one.jpg"), gray_photo("two.jpg", "chelsea"))
    expect(page.locator("#strip-count")).to_have_text("2 coloured")
    limits = {"photos": 1, "upload_bytes": 1, "megapixels": 1.0, "hints": 1, "points": 1}
    page.route("**/v1/limits", lambda route: route.fulfill(json=limits))
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    page.click("#zip")
    expect(page.locator("#status")).to_have_text("The zip files were saved.")
    while len(downloads) < 2:
        page.wait_for_timeout(50)
    held = [zipfile.ZipFile(download.path()).namelist() for download in downloads]
    assert sorted(held) == [["one-color.jpg"], ["two-color.jpg"]]

    lacking = io.BytesIO()
    with zipfile.ZipFile(lacking, "w") as archive:
        archive.writestr("one-color.jpg", b"x" * 9000)
        archive.writestr("not-coloured.txt", "two.jpg: gone")
    page.unroute("**/v1/limits")
    page.route("**/v1/zip", lambda route: route.fulfill(body=lacking.getvalue()))
    page.click("#zip")
    expect(page.locator("#error-strip")).to_contain_text("not-coloured.txt in the zip names them")


@pytest.mark.long
def test_a_place_waits_for_its_colour_while_the_tool_changes(open_page):
    page = open_page(gray_photo())
    page.mouse.click(*place(page, 0.5, 0.3))
    expect(page.locator("#hex")).to_be_visible()
    page.click(".rail [data-tool=stroke]")
    page.click("#zoom-in")
    page.fill("#hex", "#2c5fa8")
    repainted(page, lambda: page.press("#hex", "Enter"))
    assert [hint["colour"] for hint in kept_hints(page)] == ["#2c5fa8"]


@pytest.mark.long
def test_a_slider_takes_its_own_keys_and_goes_back_to_normal(open_page):
    page = open_page(gray_photo())
    repainted(page, lambda: page.press("#saturation", "PageUp"))
    assert page.input_value("#saturation") != "100"
    repainted(page, lambda: page.press("#saturation", "Delete"))
    assert page.input_value("#saturation") == "100"
    repainted(page, lambda: page.press("#vividness", "PageUp"))
    repainted(page, lambda: page.press("#vividness", "Backspace"))
    expect(page.locator("#vividness-value")).to_have_text("automatic")


def test_a_wish_that_an_older_request_overtook_is_asked_for_again(open_page):
    page = open_page(gray_photo())
    problem = {"title": "Conflict", "status": 409, "detail": "Superseded."}
    kind, asked = "application/problem+json", []

    def overtaken(route):
        asked.append(route.request.url)
        if len(asked) > 1:
            return route.fallback()
        return route.fulfill(status=409, content_type=kind, body=json.dumps(problem))

    page.route("**/preview", overtaken)
    repainted(page, lambda: page.locator("#saturation").fill("60"))
    assert len(asked) > 1


@pytest.mark.long
def test_a_reference_that_is_refused_is_not_chosen_and_said_where_it_is(open_page):
    page = open_page(gray_photo())
    page.get_by_role("radio", name="A photo").click()
    with page.expect_file_chooser() as chosen:
        page.click(".reference-drop")
    chosen.value.set_files(gray_photo("gray.jpg", "chelsea"))
    expect(page.locator("#error-source")).to_contain_text("Choose a photograph in colour")
    expect(page.locator("#source-reference")).not_to_contain_text("gray.jpg")
    repainted(page, lambda: page.press("#saturation", "PageUp"))


@pytest.mark.long
def test_two_tabs_keep_each_others_photographs(open_page):
    page = open_page(gray_photo("one.jpg"))
    other = open_tab(page)
    give(other, gray_photo("two.jpg", "chelsea"))
    give(page, gray_photo("three.jpg", "coffee"))
    names = page.evaluate("JSON.parse(localStorage['photochrom/open']).map(({name}) => name)")
    assert sorted(names) == ["one.jpg", "three.jpg", "two.jpg"]


def test_a_new_tab_asks_before_it_shows_what_was_open_and_forgets_it_when_told(open_page):
    page = open_page(gray_photo("private.jpg"))
    hint_at(page, 0.3, 0.3)
    other = open_tab(page)
    expect(other.locator("#earlier-text")).to_have_text(
        "A photograph from your last visit is still stored here."
    )
    assert "private" not in other.inner_text("body")
    other.click("#earlier-open")
    expect(other.locator("#file-name")).to_have_text("private.jpg")
    expect(other.locator(".marker")).to_have_count(1)

    for tab in (page, other):  # or what one still asks for is stored when it comes
        tab.wait_for_load_state("networkidle")
    third = open_tab(page)
    third.click("#earlier-forget")
    expect(third.locator("#earlier")).to_be_hidden()
    assert third.evaluate("Object.keys(localStorage).length") <= 1  # an empty list
    third.reload()
    ready(third)
    expect(third.locator("#earlier")).to_be_hidden()


def test_two_tabs_with_one_photograph_go_along_with_each_others_hints(open_page):
    page = open_page(gray_photo())
    other = open_tab(page)
    other.click("#earlier-open")
    other.wait_for_selector("#split", state="visible")
    hint_at(page, 0.3, 0.3)
    expect(other.locator(".marker")).to_have_count(1)
    other.bring_to_front()
    hint_at(other, 0.3, 0.7, "#b02030")
    expect(page.locator(".marker")).to_have_count(2)
    assert sorted(hint["colour"] for hint in kept_hints(page)) == ["#2c5fa8", "#b02030"]
    other.keyboard.press("Escape")
    repainted(other, lambda: other.click("#undo"))
    repainted(other, lambda: other.click("#undo"))
    expect(page.locator(".marker")).to_have_count(0)
    hint_at(other, 0.3, 0.3)
    expect(page.locator(".marker")).to_have_count(1)
    page.click("#close-photo")
    expect(page.locator("#welcome")).to_be_visible()
    other.wait_for_load_state("networkidle")
    other.reload()  # closed in one tab, it is open in the other still
    other.wait_for_selector("#split", state="visible")
    expect(other.locator(".marker")).to_have_count(1)
    hint_at(other, 0.3, 0.7)
    expect(other.locator("#gone")).to_be_hidden()


@pytest.mark.long
def test_a_reference_is_brought_again_with_a_photograph_that_the_service_has_forgotten(open_page):
    page = open_page(gray_photo())
    colour_source = {
        "name": "lender.png",
        "mimeType": "image/png",
        "buffer": encoded(data.coffee(), "PNG"),
    }
    page.get_by_role("radio", name="A photo").click()
    with page.expect_file_chooser() as chosen:
        page.click(".reference-drop")
    repainted(page, lambda: chosen.value.set_files(colour_source))
    forget(page)
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.path().stat().st_size > 10_000
    expect(page.locator("#error-save")).to_be_hidden()


def test_a_download_waits_for_a_photograph_that_is_uploaded_again(open_page):
    page = open_page(gray_photo())

    def slowly(route):
        time.sleep(2)
        route.continue_()

    page.route("**/v1/photos", slowly)
    forget(page)
    with page.expect_request("**/v1/photos"):
        page.locator("#vividness").press("ArrowRight")
    with page.expect_download() as download:
        page.evaluate("document.getElementById('save').click()")
    assert download.value.path().stat().st_size > 10_000
