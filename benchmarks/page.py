#!/usr/bin/env python3
"""How long a person waits in the page; see docs/page.md.

    python benchmarks/page.py [--photo PHOTO] [--times 20]

In Chromium, against a service of its own: from the choice of a 12-megapixel gray JPEG to its
colours, and from the key that moves a hint to the repainted preview. Needs Playwright and a
Chromium (or CHROMIUM, its path).
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from skimage import data

SIZE = (4000, 3000)

# Presses a key on the focused hint and waits for the picture that follows.
REPAINT = """async key => {
    const image = document.querySelector('#pane-main img.after');
    const old = image.src, start = performance.now();
    const press = new KeyboardEvent('keydown', {key, shiftKey: true, bubbles: true});
    document.activeElement.dispatchEvent(press);
    while (image.src === old || !image.src) {
        await new Promise(resolve => requestAnimationFrame(resolve));
    }
    await image.decode();
    return performance.now() - start;
}"""
FIRST = """() => {
    document.getElementById('file-input').addEventListener('change', () => {
        const chosen = performance.now();
        const look = () => {
            const image = document.querySelector('#pane-main img.after');
            if (image && image.src && image.complete && image.naturalWidth) {
                window.firstColours = performance.now() - chosen;
            } else requestAnimationFrame(look);
        };
        look();
    }, {once: true});
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--times", type=int, default=20)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.jpg"
        picture = Image.open(words.photo) if words.photo else Image.fromarray(data.astronaut())
        picture.convert("L").resize(SIZE).save(photo, quality=92)
        command = [sys.executable, "-m", "photochrom", "serve", "--no-browser", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            lines = (re.search(r"http://[\w.:]+/", line) for line in process.stderr)
            address = next(found[0] for found in lines if found)
            try:
                measure(address, photo, words.times)
            finally:
                process.terminate()


def measure(address: str, photo: Path, times: int) -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--headless", "--no-sandbox", "--disable-background-networking"],
        )
        first = []
        for _ in range(4):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector("html[data-ready]", state="attached")
            page.evaluate(FIRST)
            page.set_input_files("#file-input", photo)
            page.wait_for_function("() => window.firstColours > 0")
            first.append(page.evaluate("window.firstColours") / 1000)
        print(
            f"12 megapixels, from the choice to colours: {first[0]:.2f} s the first time, "
            f"{statistics.median(first[1:]):.2f} s after it"
        )
        waits = [move(page, key) for key in hint_keys(page, times)]
        print(
            f"a moved hint: {statistics.median(waits):.0f} ms median, {max(waits):.0f} ms at "
            f"most, of {times}"
        )
        browser.close()


def hint_keys(page: Page, times: int) -> list[str]:
    """Set a hint in the middle, focus it, and give keys that move it to and fro."""
    for key in ("p", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#suggestions button:focus")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.focus(".marker")
    return ["ArrowLeft", "ArrowRight"] * (times // 2)


def move(page: Page, key: str) -> float:
    page.wait_for_timeout(2500)  # until the candidates are drawn, too
    return float(page.evaluate(REPAINT, key))


if __name__ == "__main__":
    main()
