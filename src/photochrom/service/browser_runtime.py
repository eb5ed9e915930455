"""ONNX Runtime Web, which runs the network in a browser: fetched once, pinned by its hash.

The package comes from npm's registry, as a file; npm itself is not needed. Version and hashes are
in `browser_runtime.lock.json`.
"""

import base64
import hashlib
import io
import json
import os
import tarfile
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

from photochrom.errors import InvalidValueError, MissingExtraError

LOCK = Path(__file__).with_name("browser_runtime.lock.json")
REGISTRY = "https://registry.npmjs.org"
REGISTRY_VARIABLE = "NPM_CONFIG_REGISTRY"  # as npm itself reads it
SECONDS = 60
MOST_BYTES = 100_000_000
# ONNX Runtime's package for Python has the licences of the same source; npm's has none.
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")


@dataclass(frozen=True)
class Lock:
    """The pinned package.

    Attributes
    ----------
    package, version : str
    integrity : str
        'sha512-' and the hash of the package in base64, as npm writes it.
    files : dict of str to str
        Path in the package -> SHA-256.
    """

    package: str
    version: str
    integrity: str
    files: dict[str, str]


@cache
def lock() -> Lock:
    """Return the pinned package."""
    return Lock(**json.loads(LOCK.read_text(encoding="utf-8")))


def runtime_files(folder: Path | None = None) -> dict[str, bytes]:
    """Return the files of the runtime by name, with their licences.

    Parameters
    ----------
    folder : Path, optional
        An unpacked package, or its `dist`; without one the package is taken from the cache of
        photochrom, or fetched.

    Raises
    ------
    InvalidValueError
        If the folder lacks a file, or has one of another version.
    MissingExtraError
        If the package cannot be fetched, or is not the pinned one.
    """
    found = _from_cache() if folder is None else _from_folder(folder)
    return found | _licences()


def _from_folder(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path, digest in lock().files.items():
        name = Path(path).name
        try:
            place = next(p for p in (folder / path, folder / name) if p.is_file())
            content = place.read_bytes()
        except (StopIteration, OSError):
            raise InvalidValueError(
                f"{folder}: needs the file {name} of {_name()}, which it does not have. {_how()}"
            ) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise InvalidValueError(f"{place}: is not the file of {_name()}. {_how()}")
        found[name] = content
    return found


def _from_cache() -> dict[str, bytes]:
    kept = cache_folder() / f"{lock().package}-{lock().version}"
    try:
        return _from_folder(kept)
    except InvalidValueError:
        found = _unpacked(_fetched())
    with suppress(OSError):  # a cache that cannot be written costs only another fetch
        kept.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            (kept / name).write_bytes(content)  # its hash is checked whenever it is read
    return found


def cache_folder() -> Path:
    """Return the folder in which fetched files are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "photochrom"


def _address() -> str:
    registry = os.environ.get(REGISTRY_VARIABLE) or os.environ.get(REGISTRY_VARIABLE.lower())
    package, version = lock().package, lock().version
    return f"{(registry or REGISTRY).rstrip('/')}/{package}/-/{package}-{version}.tgz"


def _fetched() -> bytes:
    address = _address()
    try:
        if not address.startswith(("https://", "http://")):
            raise OSError("not an http address")
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            content: bytes = answer.read(MOST_BYTES)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise MissingExtraError(
            f"The page needs {_name()}, which could not be fetched from {address} ({reason}). "
            f"{_how()}"
        ) from error
    digest = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if digest != lock().integrity:
        raise MissingExtraError(
            f"The page needs {_name()}; {address} has another file (its hash begins with "
            f"{digest[:20]}, not {lock().integrity[:20]}). {_how()}"
        )
    return content


def _unpacked(package: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for path in lock().files:
            member = archive.extractfile(f"package/{path}")
            assert member is not None  # the hash of the package is the pinned one
            found[Path(path).name] = member.read()
    return found


def _licences() -> dict[str, bytes]:
    spec = find_spec("onnxruntime")
    assert spec is not None and spec.origin is not None  # it is a dependency
    places = (Path(spec.origin).parent / name for name in LICENCES)
    return {place.name: place.read_bytes() for place in places if place.is_file()}


def _name() -> str:
    return f"{lock().package} {lock().version}"


def _how() -> str:
    return (
        f"Run 'npm pack {lock().package}@{lock().version}' where there is a network, unpack the "
        "file, and pass its folder: photochrom page OUT --runtime FOLDER"
    )
