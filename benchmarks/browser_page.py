#!/usr/bin/env python3
"""How the page of `photochrom page` agrees with the engine, and its speed; see docs/browser.md.

    python benchmarks/browser_page.py --runtime FOLDER PICTURE...   # agreement at proof size
    python benchmarks/browser_page.py --runtime FOLDER --speed      # 12 megapixels

Needs Chromium and Playwright, and ONNX Runtime Web (see `photochrom page --help`).
"""

import argparse
import base64
import functools
import http.server
import io
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from photochrom.color.difference import ciede2000
from photochrom.color.lab import rgb_to_lab
from photochrom.engine.colorize import Colorizer
from photochrom.options.hint import Hint
from photochrom.service.page_folder import write_page

PROOF_PX = 1280
SIDES = 4000, 3000
PLAIN: dict[str, Any] = {
    **{"method": "photochrom", "vividness": None, "saturation": 1, "white_lightness": None},
    **{"hints": [], "palette": None, "mood": None, "reference": False, "candidate": 0, "seed": 0},
}
# Each call opens the picture if it is new, and returns the answer's bytes and milliseconds.
ASK = """async ([root, name, content, call, given]) => {
    const { Engine } = await import(root + 'page/local/engine.js');
    const facts = await (await fetch(root + 'page/local/facts.json')).json();
    globalThis.engine ??= new Engine(facts, root);
    await engine.ready();
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const started = performance.now();
    if (!engine.photos.has(name)) await engine.open({ id: name, file: new Blob([bytes]), name });
    const answer = await engine[call]({ id: name, ...given }, async () => {});
    const milliseconds = performance.now() - started;
    const content_ = [...new Uint8Array(await (answer.blob ?? answer).arrayBuffer())];
    return [content_, milliseconds];
}"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass

    def end_headers(self) -> None:
        """Add the headers that threads need."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@contextmanager
def opened(runtime: Path) -> Iterator[tuple[Page, str]]:
    """Yield a page of Chromium on the folder's host, and the folder's address."""
    path = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_page(Path(folder) / "out", runtime)
        handler = functools.partial(_Handler, directory=f"{folder}/out")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(
            executable_path=path, args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        page.goto(f"{address}page/problem.js")
        yield page, address
        browser.close()
        server.shutdown()


def encoded(array: np.ndarray, kind: str = "PNG", **options: Any) -> str:
    """Return a picture file in base64."""
    content = io.BytesIO()
    Image.fromarray(array).save(content, kind, **options)
    return base64.b64encode(content.getvalue()).decode()


def hints_for(height: int, width: int) -> list[Hint]:
    """Return one hint of each kind, at shares of a picture's sides."""

    def at(*places: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * width, y * height) for x, y in places]

    side = min(height, width)
    return [
        Hint.point(*at((0.6, 0.75))[0], "#2c5fa8", 0.03 * side),
        Hint.stroke(at((0.2, 0.2), (0.3, 0.3)), "#a04030", 0.04 * side, reach="thing"),
        Hint.region(at((0.1, 0.6), (0.4, 0.55), (0.45, 0.9), (0.12, 0.95)), "#5a9040"),
        Hint.stroke(at((0.5, 0.1), (0.9, 0.12)), None, 0.06 * side, keep=True),
        Hint.point(*at((0.3, 0.7))[0], "#806020", 0.02 * side, reach=0.3),
    ]


def agreement(page: Page, address: str, path: Path) -> None:
    """Print how much the two engines differ on a picture, without and with hints."""
    picture = Image.open(path).convert("L")
    picture.thumbnail((PROOF_PX, PROOF_PX), Image.Resampling.LANCZOS)
    gray = np.asarray(picture)
    for said, hints in (("plain", []), ("hints", hints_for(*gray.shape))):
        wishes = {**PLAIN, "hints": [hint.to_table() for hint in hints]}
        kind = {"format": "png", "quality": None, "long_side_px": None}
        given = {"wishes": wishes, "kind": kind}
        content, _ = page.evaluate(ASK, [address, path.name, encoded(gray), "result", given])
        ours = np.asarray(Image.open(io.BytesIO(bytes(content))))
        theirs = Colorizer().colorize(gray, hints=hints)
        apart = ciede2000(rgb_to_lab(ours / 255), rgb_to_lab(theirs / 255))
        levels = np.abs(ours.astype(int) - theirs).mean()
        print(
            f"{path.name:32} {said}  mean {apart.mean():.3f}  p99 {np.percentile(apart, 99):.2f}  "
            f"levels {levels:.3f}"
        )


def speed(page: Page, address: str) -> None:
    """Print the seconds of each task, and the memory of the largest process of the browser."""
    ramp = np.tile(np.linspace(20, 235, SIDES[0]), (SIDES[1], 1))
    noise = np.random.default_rng(0).normal(0, 6, ramp.shape)
    content = encoded((ramp + noise).clip(0, 255).astype(np.uint8), "JPEG", quality=92)
    hint, moved = (Hint.point(left, 1200, "#2c5fa8", 60) for left in (1500, 1600))
    tasks: dict[str, tuple[str, dict[str, Any]]] = {
        "first colours": ("preview", {"wishes": PLAIN}),
        "a hint": ("preview", {"wishes": {**PLAIN, "hints": [hint.to_table()]}}),
        "the hint, moved": ("preview", {"wishes": {**PLAIN, "hints": [moved.to_table()]}}),
        "vividness": ("preview", {"wishes": {**PLAIN, "vividness": 0.8}}),
        "a JPEG": ("result", {"wishes": PLAIN, "kind": {"format": "jpeg"}}),
        "a PNG": ("result", {"wishes": PLAIN, "kind": {"format": "png"}}),
    }
    for said, (call, given) in tasks.items():
        _, milliseconds = page.evaluate(ASK, [address, "ramp.jpg", content, call, given])
        print(f"{said:16} {milliseconds / 1000:5.2f} s   {largest_renderer():4.0f} MB")
        time.sleep(1)


def largest_renderer() -> float:
    """Return the resident megabytes of the largest renderer process."""
    lines = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True).stdout
    sizes = [int(line.split()[0]) for line in lines.splitlines() if "--type=renderer" in line]
    return max(sizes, default=0) / 1e3


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="*")
    parser.add_argument("--runtime", type=Path)
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    with opened(given.runtime) as (page, address):
        for path in given.pictures:
            agreement(page, address, path)
        if given.speed:
            speed(page, address)


if __name__ == "__main__":
    main()
