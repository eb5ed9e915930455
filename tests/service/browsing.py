"""Actions in the page, in a real Chromium, and what they show."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright
from skimage import data
from tests.conftest import encoded

from photochrom.color.lab import rgb_to_lab

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
SECONDS = 1000
PATIENCE = 90 * SECONDS  # of a machine that has other work

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    command = [sys.executable, "-m", "photochrom", "serve", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        found = None
        for line in process.stderr:
            if found := re.search(r"http://[\w.:]+/", line):
                break
        assert found, "The service ended before it said where it is."
        yield found[0]
        process.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    named = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    path = next((found for name in named if name and (found := shutil.which(name))), None)
    assert path, (
        "The page is tested in Chromium. Run: apt-get install -y chromium (or set CHROMIUM)"
    )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path,
            args=["--headless", "--no-sandbox", "--disable-background-networking"],
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, service: str) -> Iterator[Callable[..., Page]]:
    """Open the page, with photographs if given; check foreign requests and script errors."""
    contexts, foreign, failures = [], [], []

    def opened(*photos: FilePayload, **options: Any) -> Page:
        context = browser.new_context(**{**DESKTOP, "reduced_motion": "reduce", **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on(
            "console",
            lambda message: (
                failures.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )
        # Without this, a key would open a real one before anyone waits.
        page.on("filechooser", lambda chooser: None)
        page.on("request", lambda request: foreign.append(request.url))
        page.goto(service)
        ready(page)
        if photos:
            give(page, *photos)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in foreign if not url.startswith((service, "blob:", "data:"))] == []
    assert failures == []


def ready(page: Page) -> None:
    page.wait_for_selector("html[data-ready]", state="attached")


def gray_photo(name: str = "old.jpg", picture: str = "astronaut") -> FilePayload:
    array = np.asarray(Image.fromarray(getattr(data, picture)()).convert("L"))
    return {"name": name, "mimeType": "image/jpeg", "buffer": encoded(array, quality=92)}


def give(page: Page, *files: FilePayload) -> None:
    """Choose files, and wait until the one that is looked at has colours."""
    page.set_input_files("#file-input", list(files))
    page.wait_for_selector("#split", state="visible")


def painted(page: Page) -> str:
    """Tell which of the pictures that were painted is seen."""
    return page.get_attribute("#pane-main .after", "data-version") or ""


def repainted(page: Page, act: Callable[[], Any]) -> None:
    """Do something, and wait until the picture is another."""
    old = painted(page)
    act()
    page.wait_for_function(
        "old => (document.querySelector('#pane-main .after').dataset.version ?? '') !== old"
        " && document.getElementById('busy').hidden",
        arg=old,
    )


def colour_at(page: Page, across: float, down: float) -> np.ndarray:
    """Read the coloured preview at shares of its sides, mean of 5 x 5, in Lab."""
    pixels = page.evaluate(
        """([across, down]) => {
            const canvas = document.querySelector('#pane-main .after');
            const context = canvas.getContext('2d', { willReadFrequently: true });
            const [x, y] = [across * canvas.width - 2, down * canvas.height - 2].map(Math.round);
            return [...context.getImageData(x, y, 5, 5).data];
        }""",
        [across, down],
    )
    rgb = np.array(pixels).reshape(-1, 4)[:, :3].mean(axis=0)
    return np.asarray(rgb_to_lab(rgb / 255))


def place(page: Page, across: float, down: float) -> tuple[float, float]:
    """Where a share of the picture lies in the window."""
    box = page.locator("#pane-main .picture").bounding_box()
    assert box
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def hint_at(page: Page, across: float, down: float, colour: str = "#2c5fa8") -> None:
    page.mouse.click(*place(page, across, down))
    page.fill("#hex", colour)
    repainted(page, lambda: page.press("#hex", "Enter"))


def kept_hints(page: Page) -> list[dict[str, Any]]:
    """Read what would survive a reload."""
    kept = page.evaluate(
        "localStorage[`photochrom/${JSON.parse(localStorage['photochrom/open'])[0].id}`]"
    )
    hints: list[dict[str, Any]] = json.loads(kept)["wishes"]["hints"]
    return hints


def forget(page: Page) -> None:
    """Let the service forget the open photograph."""
    page.evaluate(
        """async () => {
            const [{ id }] = JSON.parse(localStorage['photochrom/open']);
            await fetch(`/v1/photos/${id}`, { method: 'DELETE' });
        }"""
    )


def check_with_axe(page: Page, state: str) -> None:
    """Let axe look at the page; nothing that it finds may be serious."""
    found = Axe().run(page).response["violations"]
    serious = [f for f in found if f["impact"] in ("serious", "critical")]
    assert [(state, f["id"], f["nodes"][0]["html"]) for f in serious] == []


def open_tab(page: Page) -> Page:
    """Open the page once more in the same browser."""
    other = page.context.new_page()
    other.goto(page.url)
    ready(other)
    return other
