"""Folders of caches: written completely or not at all; superseded ones are removed."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from photochrom.errors import DataError
from photochrom.photo.atomic import LOST
from photochrom.photo.temporary_folders import private_folder, remove, remove_left_behind
from photochrom.workbench.datasets.file_states import Report

ABOUT, INDEX = "about.json", "index.npz"
BUILDING = ".photochrom-decoding-"
MOST_DOUBT = 1.25  # needed by the pictures seen so far / free, beyond which a disk is too small
_NAME = re.compile(r"[0-9a-f]{16}-([0-9]+)")


@dataclass(frozen=True)
class About:
    """What a cache was made from; caches of photochrom 0.2 do not record it."""

    data: str
    short_side_px: int
    pictures: int


class Folder(NamedTuple):
    """A cache of a folder of caches."""

    path: Path
    short_side_px: int
    about: About | None
    is_whole: bool


def list_caches(root: Path) -> list[Folder]:
    """List the caches in a folder, by name."""
    found = []
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        named = _NAME.fullmatch(path.name)
        if named and path.is_dir() and not path.is_symlink():
            found.append(Folder(path, int(named[1]), read_about(path), (path / INDEX).exists()))
    return found


def read_about(folder: Path) -> About | None:
    """Read what a cache was made from; None if it is not recorded."""
    try:
        table = json.loads((folder / ABOUT).read_text("utf-8"))
        return About(str(table["data"]), int(table["short_side_px"]), int(table["pictures"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_about(folder: Path, about: About) -> None:
    """Write what a cache was made from."""
    (folder / ABOUT).write_text(json.dumps(asdict(about)), "utf-8")


def size_of(folder: Path) -> int:
    """Return how many bytes a cache takes."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def gigabytes(size: float) -> str:
    """Format a size: '15.2 GB', '3 MB'."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


@contextmanager
def built(cache: Path, report: Report) -> Iterator[Path]:
    """Yield a folder to fill, which becomes the cache when the block ends, or is removed.

    Yields
    ------
    Path
        Gone after any error, KeyboardInterrupt included; after a kill, at the next build.

    Raises
    ------
    DataError
        If the folder cannot be written, or its disk is full.
    """
    root = cache.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left in remove_left_behind(root, BUILDING):
            report(f"Removed {left}, which was never finished.")
        private = private_folder(BUILDING, root)
    except OSError as error:
        raise DataError(
            f"{root}: decoded pictures cannot be kept there ({error.strerror}). Name another "
            "folder with --cache."
        ) from error
    try:
        made = private / "made"  # with the usual rights: others may share the caches
        made.mkdir()
        yield made
        if cache.exists():
            shutil.rmtree(cache)
        made.rename(cache)
    except OSError as error:
        if error.errno not in LOST:
            raise
        raise DataError(
            f"{root}: decoded pictures cannot be kept there ({error.strerror}). What was decoded "
            "is removed. Free some space, name another folder with --cache, or train with --stream."
        ) from error
    finally:
        remove(private)


def check_room(folder: Path, written: int, seen: int, total: int | None) -> None:
    """Raise DataError as soon as the disk is known to be too small for the rest."""
    if not total or not seen:
        return
    to_come = written / seen * max(0, total - seen)
    free = shutil.disk_usage(folder).free
    if to_come > MOST_DOUBT * free:
        raise DataError(
            f"{folder.parent.parent}: needs about {gigabytes(written + to_come)} for {total:,} "
            f"decoded pictures, and has {gigabytes(written + free)}. Free some space, "
            "name another folder with --cache, or train with --stream."
        )


def remove_superseded(cache: Path, about: About, report: Report) -> None:
    """Remove the caches of earlier states of the same data, and name those of unknown data.

    A process that reads one keeps it until it ends; on Windows the folder then stays.
    """
    others = [folder for folder in list_caches(cache.parent) if folder.path != cache]
    for folder in others:
        is_same = folder.about is not None and folder.about.data == about.data
        if is_same and folder.short_side_px == about.short_side_px:
            size = size_of(folder.path)
            with suppress(OSError):
                shutil.rmtree(folder.path)
                report(f"Removed {folder.path} ({gigabytes(size)}), an earlier state of this data.")
    unknown = [folder.path for folder in others if folder.about is None]
    if unknown:
        size = sum(map(size_of, unknown))
        names = " ".join(shlex.quote(str(path)) for path in unknown)
        kept = "caches" if len(unknown) > 1 else "cache"
        report(
            f"{len(unknown)} older {kept} of unknown data: {gigabytes(size)}. If you no longer "
            f"need {'them' if len(unknown) > 1 else 'it'}: rm -r {names}"
        )


def default_root() -> Path:
    """Return the default folder of caches: the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "photochrom"
