"""Films in the page, in a real Chromium."""

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect
from tests.conftest import encoded
from tests.service.browsing import (
    DESKTOP,
    PHONE,
    check_with_axe,
    gray_photo,
    hint_at,
    ready,
    repainted,
)
from tests.service.films import drawn_film, frames_of

pytestmark = pytest.mark.slow
FILM: FilePayload = {"name": "old.mp4", "mimeType": "video/mp4", "buffer": drawn_film()}
SHOTS = "#reel-list button"


def open_film(page: Page) -> None:
    """Open the film, and wait until its first frame has colours."""
    page.set_input_files("#file-input", [FILM])
    expect(page.locator(SHOTS)).to_have_count(2)
    page.wait_for_selector("#split", state="visible")


def play_preview(page: Page) -> float:
    """Preview the shot, and return how many seconds the player shows."""
    page.click("#reel-preview")
    expect(page.locator("#player")).to_be_visible()
    page.wait_for_function("() => document.getElementById('player-video').readyState >= 1")
    seconds: float = page.evaluate("document.getElementById('player-video').duration")
    check_with_axe(page, "preview")
    page.locator("#player button").click()
    return seconds


def lend_red(page: Page) -> None:
    """Give the frame that is shown a red photograph as its colour reference."""
    rows = np.linspace((90, 0, 0), (255, 120, 120), 96).astype(np.uint8)
    red = np.repeat(rows[:, None], 96, axis=1)
    page.locator("#source-tabs").get_by_text("A photo").click()
    with page.expect_file_chooser() as chooser:
        page.click(".reference-drop")
    chooser.value.set_files([{**gray_photo("red.jpg"), "buffer": encoded(red)}])
    expect(page.locator("#source-reference")).to_contain_text("red.jpg")


def coloured(page: Page) -> list[np.ndarray]:
    """Colour the film, save it, and return its frames."""
    page.click("#reel-colour")
    expect(page.locator("#reel-download")).to_be_visible()
    check_with_axe(page, "coloured")
    with page.expect_download() as download:
        page.click("#reel-download")
    assert download.value.suggested_filename == "old-color.mp4"
    return frames_of(download.value.path().read_bytes())


@pytest.mark.parametrize(
    "device",
    [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone", marks=pytest.mark.long)],
)
def test_a_film_is_opened_hinted_previewed_coloured_and_saved(
    open_page: Callable[..., Page], device: dict[str, object]
) -> None:
    page = open_page(**device)
    open_film(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_with_axe(page, "shots")
    hint_at(page, 0.34, 0.5, "#c02020")
    page.keyboard.press("Escape")
    words = "Shot 1, from 0:00.00, 1 hint"
    expect(page.locator(SHOTS).first).to_have_attribute("aria-label", words)
    assert play_preview(page) < 1.7
    lends = device is DESKTOP  # on a phone the sources are behind a button, as tested elsewhere
    if lends:
        repainted(page, lambda: page.locator(SHOTS).nth(1).click())
        repainted(page, lambda: lend_red(page))
    frames = coloured(page)
    assert len(frames) == 30
    red, green, blue = frames[7][55:65, 49:59].mean(axis=(0, 1))
    assert red > max(green, blue) + 30
    red, _, blue = frames[22].mean(axis=(0, 1))
    assert not lends or red > blue + 15
    page.click("#reel-edit")
    expect(page.locator("#reel-colour")).to_be_visible()
    page.click("#reel-close")
    expect(page.locator("#reel")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()


def test_any_frame_of_a_shot_can_be_shown_and_a_reload_keeps_the_film(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    open_film(page)
    repainted(page, lambda: page.locator(SHOTS).nth(1).click())
    expect(page.locator("#reel-time-value")).to_have_text("0:02.20")
    page.focus("#reel-time")
    page.keyboard.press("Home")
    expect(page.locator("#file-name")).to_have_text("old-0m01.50s.png")
    page.wait_for_selector("#split", state="visible")
    hint_at(page, 0.2, 0.2)
    page.keyboard.press("Escape")
    page.reload()
    ready(page)
    expect(page.locator(SHOTS).nth(1)).to_have_attribute(
        "aria-label", "Shot 2, from 0:01.50, 1 hint"
    )
    expect(page.locator("#strip")).to_be_hidden()
    page.set_input_files("#file-input", [gray_photo("one.jpg"), gray_photo("two.jpg", "chelsea")])
    expect(page.locator("#strip-list > li")).to_have_count(2)


def test_a_running_film_is_cancelled_and_what_is_no_film_is_refused(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.set_input_files("#file-input", [{**FILM, "buffer": b"nothing"}])
    expect(page.locator("#error-reel")).to_contain_text("not a film")
    page.click("#reel-close")
    long = drawn_film(frames=300, cut=290)
    page.set_input_files("#file-input", [{**FILM, "buffer": long}])
    page.click("#reel-colour")
    expect(page.locator("#reel-text")).to_contain_text("frames")
    expect(page.locator("#reel-progress")).to_be_visible()
    page.click("#reel-cancel")
    expect(page.locator("#reel-colour")).to_be_visible()
    expect(page.locator("#error-reel")).to_be_hidden()
