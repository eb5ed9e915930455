"""The page as a folder of files, in which the browser itself colours: no service behind it.

The page's own files and the weights come from the package, ONNX Runtime Web and GeoTIFF from
`photochrom.service.browser_runtime`. What differs from the service's page: `engine.js` names the
local engine, `index.html` has the content security policy, and a service worker keeps the files.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from photochrom._version import __version__
from photochrom.colorization.catalogue import WEIGHTS, load_method
from photochrom.colorization.method import Request
from photochrom.errors import InvalidValueError, UnwritableFileError
from photochrom.options.palette import MOODS
from photochrom.service.browser_runtime import runtime_files

PAGE = Path(__file__).parent / "page"
FACTS = "page/local/facts.json"
WEIGHTS_PATH = "weights/photochrom.onnx"
WORKER = "service-worker.js"
ELSEWHERE = {"engine.js", "remote.js", "local/service-worker.js", "index.html"}
UNLISTED = {
    "_headers",
    *(f"runtime/{name}" for name in ("LICENSE", "ThirdPartyNotices.txt", "geotiff-notices.txt")),
}
# The network's runtime for WebGPU, and for any processor: a browser loads one of them.
EITHER = (
    "runtime/ort-wasm-simd-threaded.jspi.wasm",
    "runtime/ort-wasm-simd-threaded.wasm",
)
LARGE_BYTES = 1_000_000  # kept by the browser when they are first fetched, not before
ENGINE = '/** The engine of this page: this browser. */\n\nexport * from "./local/local.js";\n'
PROBE_PX = (96, 64)
PROBE_WITHIN = 0.1  # ab units
POLICY = (
    "default-src 'none'; img-src 'self' blob: data:; style-src 'self'; "
    "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
# For hosts that read this file, such as Netlify and Cloudflare Pages: threads, and no frames.
HEADERS = f"""/*
  Content-Security-Policy: {POLICY}; frame-ancestors 'none'
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  Cross-Origin-Resource-Policy: same-origin
  Referrer-Policy: no-referrer
  X-Content-Type-Options: nosniff
"""
MANIFEST = {
    "name": "photochrom",
    "short_name": "photochrom",
    "description": "Colours black-and-white photographs in this browser.",
    "start_url": "./",
    "scope": "./",
    "display": "standalone",
    "background_color": "#1b1b1b",
    "theme_color": "#1b1b1b",
    "icons": [{"src": "page/icon.svg", "sizes": "any", "type": "image/svg+xml"}],
}


def write_page(out: Path, runtime: Path | None = None) -> int:
    """Write the page into a folder, which any static host can serve.

    Parameters
    ----------
    out : Path
        A new or empty folder, or one that an earlier call wrote: those files are replaced.
    runtime : Path, optional
        The packages from npm; see `photochrom.service.browser_runtime.runtime_files`.

    Returns
    -------
    int
        The most bytes that a browser fetches at the first visit.

    Raises
    ------
    InvalidValueError
        If the folder has other files, or `runtime` is not the pinned versions.
    MissingExtraError
        If a package cannot be fetched.
    UnwritableFileError
        If the folder cannot be written.
    """
    _check(out)
    files = {f"runtime/{name}": content for name, content in runtime_files(runtime).items()}
    files |= dict(_own_files())
    sizes = {path: len(content) for path, content in files.items() if path not in UNLISTED}
    fetched = sum(sizes.values()) - min(sizes[path] for path in EITHER)
    files[FACTS] = _facts(fetched, files[WEIGHTS_PATH])
    files[WORKER] = _worker(files)
    try:
        _replace(out, files)
    except OSError as error:
        raise UnwritableFileError(
            f"{out}: cannot be written ({error.strerror or error})."
        ) from error
    return fetched


def _check(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InvalidValueError(f"{out}: the page needs a folder; this is a file.")
    if out.is_dir() and any(out.iterdir()) and not (out / FACTS).is_file():
        raise InvalidValueError(
            f"{out}: the page needs a new or empty folder, or one that 'photochrom page' wrote; "
            "this one has other files."
        )


def _own_files() -> Iterator[tuple[str, bytes]]:
    for path in sorted(PAGE.rglob("*")):
        name = path.relative_to(PAGE).as_posix()
        if path.is_file() and name not in ELSEWHERE:
            yield f"page/{name}", path.read_bytes()
    yield "page/engine.js", ENGINE.encode()
    yield "index.html", _index().encode()
    yield "manifest.webmanifest", json.dumps(MANIFEST, indent=2).encode()
    yield "_headers", HEADERS.encode()
    yield WEIGHTS_PATH, (WEIGHTS / "photochrom.onnx").read_bytes()


def _index() -> str:
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    head, soon = '  <meta charset="utf-8">\n', "It takes about a second."
    assert head in page and soon in page
    more = (
        f'  <meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '  <meta name="referrer" content="no-referrer">\n'
        '  <link rel="manifest" href="manifest.webmanifest">\n'
    )
    return page.replace(head, head + more, 1).replace(soon, "It takes a few seconds.", 1)


def _facts(fetched: int, weights: bytes) -> bytes:
    table = {
        "version": __version__,
        "bytes": fetched,
        "weights": {
            "path": WEIGHTS_PATH,
            "bytes": len(weights),
            "sha256": hashlib.sha256(weights).hexdigest(),
        },
        "method": load_method("photochrom").info.to_table(),
        "probe": _probe(),
        "moods": MOODS,
    }
    return json.dumps(table).encode()


def _probe() -> dict[str, object]:
    """Return what the network gives for a drawn picture: a graphics processor must give it too.

    The picture is drawn by `opening.js` in the same way.
    """
    width, height = PROBE_PX
    rows, places = np.arange(height)[:, None], np.arange(height * width).reshape(height, width)
    lightness = (10 + (places * 7 + rows * 3) % 80).astype(np.float32)
    ab = load_method("photochrom").predict(Request(lightness=lightness)).ab[0]
    bands = [[round(float(value), 3) for value in ab[..., band].ravel()] for band in (0, 1)]
    return {"width": width, "height": height, "ab": bands, "within": PROBE_WITHIN}


def _worker(files: dict[str, bytes]) -> bytes:
    """Return the service worker with the list of files and their hashes."""
    listed = {path: content for path, content in files.items() if path not in UNLISTED}
    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in listed.items()}
    large = [path for path, content in listed.items() if len(content) > LARGE_BYTES]
    text = (PAGE / "local" / WORKER).read_text(encoding="utf-8")
    for empty, table in (("/* FILES */ {}", hashes), ("/* LARGE */ []", large)):
        assert empty in text
        text = text.replace(empty, json.dumps(table, indent=2), 1)
    return text.encode()


def _replace(out: Path, files: dict[str, bytes]) -> None:
    """Write all files beside the folder, then put them in its place.

    What the owner has added at its top, such as .git or CNAME, stays.
    """
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as working:
        made, old = Path(working) / "made", Path(working) / "old"
        for path, content in files.items():
            place = made / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        if not out.exists():
            made.rename(out)
            return
        out.rename(old)
        try:
            made.rename(out)
        except OSError:
            old.rename(out)
            raise
        own = {Path(path).parts[0] for path in files}
        for entry in old.iterdir():
            if entry.name not in own:
                entry.rename(out / entry.name)
