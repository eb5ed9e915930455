"""The page without a service in Firefox, where Firefox and marionette_driver are installed."""

import io
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.service.vectors import scene

from photochrom.color.lab import rgb_to_lab

pytestmark = [
    *(pytest.mark.browser, pytest.mark.slow, pytest.mark.long),
    # marionette_driver leaves sockets open while it waits for Firefox.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PATIENCE = 180  # seconds, on a machine that has other work
COLOURED = "document.title.includes('old.jpg') && !document.getElementById('split').hidden"
READY = "document.documentElement.hasAttribute('data-ready')"
# A file of the page's own engine, as a list of its bytes.
SAVED = """
    const done = arguments[arguments.length - 1];
    (async () => {
        const api = await import(new URL('page/api.js', document.baseURI));
        const [{ id }] = JSON.parse(sessionStorage['photochrom/tab']);
        const { wishes } = JSON.parse(localStorage[`photochrom/${id}`]);
        const { blob } = await api.result(id, wishes, { format: 'png', quality: null });
        return [...new Uint8Array(await blob.arrayBuffer())];
    })().then(done, (error) => done(String(error)));"""


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[Any]:
    """Start Firefox without a window; yield a client of its own protocol."""
    path = next((found for name in ("firefox-esr", "firefox") if (found := shutil.which(name))), "")
    if not path:
        pytest.skip("Firefox is not installed. On Debian: apt-get install -y firefox-esr")
    reason = "marionette_driver is not installed. Run: pip install marionette_driver"
    marionette = pytest.importorskip("marionette_driver.marionette", reason=reason)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    profile = tmp_path / "profile"
    profile.mkdir()
    (profile / "user.js").write_text(f'user_pref("marionette.port", {port});')
    command = [path, "--headless", "--no-remote", "--profile", str(profile), "--marionette"]
    options = {"env": {**os.environ, "HOME": str(tmp_path)}, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "about:blank"], **options) as process:
        try:
            client = marionette.Marionette(host="127.0.0.1", port=port)
            client.start_session(timeout=PATIENCE)
            client.timeout.script = client.timeout.page_load = PATIENCE
            yield client
        finally:
            process.terminate()


def wait(firefox: Any, condition: str) -> None:
    """Wait until an expression of JavaScript is true in the page."""
    end = time.monotonic() + PATIENCE
    while not firefox.execute_script(f"return {condition}", sandbox=None):
        assert time.monotonic() < end, f"Never true: {condition}"
        time.sleep(0.2)


def test_firefox_colours_and_saves_and_works_offline(
    firefox: Any, host: Callable[..., Any], page_folder: Path, tmp_path: Path
) -> None:
    address, stop = host(page_folder)
    gray = scene(120, 160)
    photo = tmp_path / "old.jpg"
    Image.fromarray(gray).save(photo, quality=95)
    firefox.navigate(address)
    wait(firefox, READY)
    firefox.find_element("id", "file-input").send_keys(str(photo))
    wait(firefox, COLOURED)
    own = np.asarray(Image.open(photo).convert("RGB")) / 255
    saved = firefox.execute_async_script(SAVED, sandbox=None)
    result = np.asarray(Image.open(io.BytesIO(bytes(saved)))) / 255
    assert np.abs(rgb_to_lab(result)[..., 0] - rgb_to_lab(own)[..., 0]).mean() < 0.3
    assert np.abs(rgb_to_lab(result)[..., 1:]).mean() > 2
    wait(firefox, "Boolean(navigator.serviceWorker.controller)")
    stop()
    firefox.execute_script("setTimeout(() => location.reload(), 0)", sandbox=None)
    time.sleep(1)
    wait(firefox, f"{READY} && {COLOURED} && crossOriginIsolated")
