"""Uploads: their storage, and the names that clients gave them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import anyio
import anyio.to_thread
from fastapi import UploadFile

from photochrom.errors import PhotochromError
from photochrom.photo.formats import FORMATS
from photochrom.service.problem_details import no_room

MOST_NAME = 120


async def save(file: UploadFile, target: Path) -> None:
    """Write an upload to a new file.

    Raises
    ------
    Problem
        503 if there is no space.
    """

    def copy() -> None:
        with target.open("xb") as opened:
            shutil.copyfileobj(file.file, opened)

    try:
        await anyio.to_thread.run_sync(copy)
    except OSError as error:
        raise no_room(error) from error


@contextmanager
def named(name: str, *paths: Path) -> Iterator[None]:
    """Replace the service's path in errors by the client's name for the photograph."""
    try:
        yield
    except PhotochromError as error:
        text = str(error)
        for path in paths:
            text = text.replace(str(path), name)
        error.args = (text,)
        raise


def clean_name(filename: str | None) -> str:
    """Return the last part of a file name, without characters unsafe in a terminal or header."""
    last = PurePosixPath((filename or "").replace("\\", "/")).name
    kept = "".join(c for c in last if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF)
    return kept.strip(" .")[-MOST_NAME:] or "photo"


def coloured_name(name: str, format: str) -> str:
    """Return the name of a coloured file: `photo.jpg` -> `photo-color.jpg`."""
    stem, _, suffix = name.rpartition(".")
    suffixes = FORMATS[format].suffixes
    kept = f".{suffix}" if f".{suffix.lower()}" in suffixes and stem else suffixes[0]
    return f"{_stem(name)}-color{kept}"


def coloured_film_name(name: str, target: Path) -> str:
    """Return the name of a coloured film: `film.avi` -> `film-color.mkv`."""
    return f"{_stem(name)}-color{target.suffix}"


def sidecar_name(name: str) -> str:
    """Return the name of a sidecar: `photo.jpg` -> `photo-color.json`."""
    return f"{_stem(name)}-color.json"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem or "photo"
