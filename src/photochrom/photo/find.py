"""Find the photographs in a folder, and report unsupported files."""

import mimetypes
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from photochrom.errors import UnreadablePhotoError
from photochrom.photo.film_names import is_film
from photochrom.photo.formats import FOREIGN_SUFFIXES, FORMATS
from photochrom.photo.sniff import FOREIGN, LOADERS

READ_SUFFIXES = frozenset(
    suffix for suffix, kind in FOREIGN_SUFFIXES.items() if kind in LOADERS or kind in FOREIGN
).union(*(f.suffixes for f in FORMATS.values()))
# Suffixes of pictures and films, besides those known to the standard library.
# fmt: off
OTHER_SUFFIXES = frozenset((
    ".ai", ".avifs", ".crw", ".dcm", ".djvu", ".eps", ".exr", ".fits", ".fff", ".hdr",
    ".heics", ".jng", ".jpm", ".jxl", ".jxr", ".k25", ".mef", ".mng", ".mos", ".pam", ".pbm",
    ".pcd", ".pcx", ".pdf", ".pgm", ".pict", ".pnm", ".ppm", ".ps", ".psb", ".psd", ".ptx",
    ".qoi", ".r3d", ".raw", ".sgi", ".srf", ".svg", ".tga", ".wdp", ".xcf",
)) - READ_SUFFIXES  # JPEG XL is read where libvips has it
# fmt: on
KINDS = mimetypes.MimeTypes(filenames=())  # the same on every machine
NAMED = 5  # number of names listed per kind; the rest is counted


@dataclass(frozen=True)
class Found:
    """The contents of a folder.

    Attributes
    ----------
    photos : tuple of Path
        Of supported formats, sorted, without photochrom's unfinished files.
    others : dict of str to int
        Number of pictures by unsupported suffix.
    films : dict of str to int
        Number of films by suffix.
    odd : tuple of Path
        Devices and pipes with names of pictures.
    links : tuple of Path
        Links to folders, which are not followed.
    closed : dict of Path to str
        Folders that cannot be opened, and why.
    """

    photos: tuple[Path, ...] = ()
    others: dict[str, int] = field(default_factory=dict)
    odd: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    closed: dict[Path, str] = field(default_factory=dict)
    films: dict[str, int] = field(default_factory=dict)

    @property
    def passed_over(self) -> str | None:
        """A note on unsupported pictures; None if there are none."""
        said = []
        if self.others:
            said.append(f"pictures in unsupported formats ({_kinds(self.others)})")
        if self.films:
            said.append(f"films, which are coloured when they are named ({_kinds(self.films)})")
        if self.odd:
            said.append(f"devices or pipes ({_some([path.name for path in self.odd])})")
        if self.links:
            said.append(f"links to folders ({_some([path.name for path in self.links])})")
        return f"passed over: {'; '.join(said)}" if said else None


def _kinds(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def search(folder: Path, recursive: bool = False) -> Found:
    """List the contents of a folder.

    Parameters
    ----------
    folder : Path
    recursive : bool
        Include subfolders; links to folders are not followed.

    Raises
    ------
    UnreadablePhotoError
        If the folder itself cannot be read.
    """
    photos: list[Path] = []
    odd: list[Path] = []
    links: list[Path] = []
    closed: dict[Path, str] = {}
    others: Counter[str] = Counter()
    films: Counter[str] = Counter()

    def refused(error: OSError) -> None:
        closed[Path(os.fsdecode(error.filename))] = error.strerror or str(error)

    for where, below, names in os.walk(folder, onerror=refused):
        if not recursive:
            below.clear()
        links += (Path(where, name) for name in below if Path(where, name).is_symlink())
        for name in names:
            path = Path(where, name)
            kind = kind_of(name)
            if kind == "photo":
                # Unlike Path's, these say of an inaccessible file that there is none.
                is_odd = os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113
                (odd if is_odd else photos).append(path)
            elif kind == "film":
                films[path.suffix.lower()] += 1
            elif kind == "other":
                others[path.suffix.lower()] += 1
    if folder in closed:
        raise UnreadablePhotoError(f"{folder}: cannot be read ({closed[folder]}).")
    return Found(
        tuple(sorted(photos)),
        dict(others),
        tuple(sorted(odd)),
        tuple(sorted(links)),
        closed,
        dict(films),
    )


def kind_of(name: str) -> str | None:
    """Return what a file's name says that it is: 'photo', 'film', 'other' picture, or None."""
    path = Path(name)
    suffix = path.suffix.lower()
    if name.startswith("."):
        return None
    if suffix in READ_SUFFIXES:
        return "photo"
    if is_film(path):
        return "film"
    is_visual = (KINDS.guess_type(name)[0] or "").startswith(("image/", "video/"))
    return "other" if suffix in OTHER_SUFFIXES or is_visual else None


def find_photos(folder: Path, recursive: bool = False) -> list[Path]:
    """Return the photographs in a folder, by suffix, sorted, without unfinished files.

    Raises
    ------
    UnreadablePhotoError
        If there are none, or the folder cannot be read.
    """
    found = search(folder, recursive)
    if not found.photos:
        raise UnreadablePhotoError(nothing_in(folder, found, recursive))
    return list(found.photos)


def nothing_in(folder: Path | str, found: Found, recursive: bool) -> str:
    """Return the error for a folder without supported pictures."""
    below = " or its subfolders" if recursive else "; --recursive includes subfolders"
    if found.films and not found.others:
        return (
            f"{folder}: no pictures in this folder{below}; its films ({_kinds(found.films)}) are "
            "coloured when they are named."
        )
    if not found.others:
        return f"{folder}: no pictures in this folder{below}."
    kinds = _kinds(found.others)
    return (
        f"{folder}: all pictures in it have unsupported formats ({kinds}). Convert them to "
        f"JPEG, PNG or TIFF first{'' if recursive else below}."
    )
