"""The folder of `photochrom page`, served as any static host would, and opened in Chromium."""

import functools
import http.server
import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from tests.service.browsing import DESKTOP, PATIENCE, ready

from photochrom.errors import MissingExtraError
from photochrom.service.page_folder import write_page

RUNTIME_VARIABLE = "PHOTOCHROM_BROWSER_RUNTIME"
# Ask the page's own engine; a file comes back as a list of its bytes.
ASK = """async ([call, given]) => {
    const api = await import(new URL('page/api.js', document.baseURI));
    const [id] = JSON.parse(sessionStorage['photochrom/tab']).slice(-1).map((photo) => photo.id);
    const answer = await api[call](id, ...given);
    const blob = answer.blob ?? answer;
    if (!(blob instanceof Blob)) return answer;
    const bytes = [...new Uint8Array(await blob.arrayBuffer())];
    return { name: answer.name, notes: answer.notes, bytes };
}"""

LEND = """async (bytes) => {
    const api = await import(new URL('page/api.js', document.baseURI));
    const [id] = JSON.parse(sessionStorage['photochrom/tab']).slice(-1).map((photo) => photo.id);
    await api.putReference(id, new File([Uint8Array.from(bytes)], 'reference.png'));
}"""


def write(out: Path) -> None:
    """Write the page, as the command does; without a network and a cache, skip the test."""
    given = os.environ.get(RUNTIME_VARIABLE)
    try:
        write_page(out, Path(given) if given else None)
    except MissingExtraError as error:
        pytest.skip(f"{error} Tests take the folder from {RUNTIME_VARIABLE}.")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, as `photochrom page` writes it."""
    out = tmp_path_factory.mktemp("page") / "out"
    write(out)
    return out


@pytest.fixture
def host() -> Iterator[Callable[[Path], tuple[str, Callable[[], None]]]]:
    """Serve a folder on this machine; return its address and how to stop it."""
    running: list[http.server.ThreadingHTTPServer] = []

    def start(folder: Path) -> tuple[str, Callable[[], None]]:
        handler = functools.partial(_Quiet, directory=folder.parent)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)

        def stop() -> None:
            if server in running:
                running.remove(server)
                server.shutdown()
                server.server_close()

        # Under a path, as on a shared host.
        return f"http://127.0.0.1:{server.server_address[1]}/{folder.name}/", stop

    yield start
    for server in list(running):
        server.shutdown()
        server.server_close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address; check foreign requests and script errors at the end."""
    contexts, foreign, failures, home = [], [], [], []

    def opened(address: str, **options: Any) -> Page:
        home.append(address)
        context = browser.new_context(**{**DESKTOP, "reduced_motion": "reduce", **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("request", lambda request: foreign.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on(
            "console", lambda said: failures.append(said.text) if said.type == "error" else None
        )
        page.goto(address)
        ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in foreign if not url.startswith((*home, "blob:", "data:"))] == []
    assert [text for text in failures if "Failed to load resource" not in text] == []


def ask(page: Page, call: str, *given: Any) -> Any:
    """Call a function of the page's engine for the newest photograph."""
    return page.evaluate(ASK, [call, list(given)])


def lend(page: Page, content: bytes) -> None:
    """Give the newest photograph a picture to take colours from."""
    page.evaluate(LEND, list(content))


def pixels(answer: Any) -> np.ndarray:
    """Decode a picture that the engine returned."""
    return np.asarray(Image.open(io.BytesIO(bytes(answer["bytes"]))).convert("RGB"))
