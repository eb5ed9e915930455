"""What is at an address: a file's state, a folder's contents, the photographs below it."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from photochrom.errors import PhotoError, UnreadablePhotoError
from photochrom.photo.addresses import (
    AZURE,
    GOOGLE,
    SCHEMES_OF_ARCHIVES,
    WEB,
    around,
    child,
    cleaned,
    companions_of,
    is_address,
    link,
    name_of,
    scheme_of,
)
from photochrom.photo.connections import (
    Info,
    Place,
    Stored,
    cause_of,
    connect,
    said_plainly,
    size_of,
    stored,
    version_of,
)
from photochrom.photo.find import Found, kind_of

# What lies in a folder without a name, as in `a//b.jpg`, is told as such by these.
TELL_EMPTY = frozenset(("s3", "s3a", "memory")) | AZURE | GOOGLE | SCHEMES_OF_ARCHIVES


@dataclass(frozen=True)
class Listing:
    """The contents of one folder.

    Attributes
    ----------
    files : dict of str to Stored
        By name, sorted.
    folders : tuple of str
        Names, sorted.
    """

    files: dict[str, Stored]
    folders: tuple[str, ...]


def stat(address: str) -> Stored:
    """Return the size and version of a file.

    Raises
    ------
    UnreadablePhotoError
        If there is none, or it cannot be asked.
    MissingExtraError
        If the storage's library is not installed.
    """
    found = look(address)
    if found is None:
        raise UnreadablePhotoError(f"{cleaned(address)}: does not exist.")
    return found


def look(address: str) -> Stored | None:
    """Return the size and version of a file, or None if there is none; see `stat`."""
    with said_plainly(address):
        try:
            place = connect(address)
            with place.lock:
                info = place.files.info(place.path)
        except (FileNotFoundError, NotADirectoryError, KeyError) as error:
            if cause_of(error) is not error and not isinstance(cause_of(error), FileNotFoundError):
                raise
            return None
        if info.get("type") == "directory":
            raise UnreadablePhotoError(f"{cleaned(address)}: is a folder; a file is needed.")
        return stored(address, info, place)


def is_folder(address: str) -> bool:
    """Return whether an address is a folder; a name like a picture's is not asked about.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be asked.
    """
    if scheme_of(address) in WEB:
        return False
    head = link(address)[0]
    if head.endswith("/"):
        return True
    if kind_of(name_of(address)) is not None:
        return False
    with said_plainly(address):
        place = connect(address)
        with place.lock:
            return bool(place.files.isdir(place.path))


def list_folder(address: str, missing_ok: bool = False) -> Listing:
    """Return the files and subfolders of a folder, each sorted.

    Parameters
    ----------
    address : str
    missing_ok : bool
        Return an empty listing if there is no such folder.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be listed.
    """
    place, rows, folders = _listed(address, missing_ok)
    before, after = around(address)
    files = {name: stored(f"{before}{name}{after}", rows[name], place) for name in sorted(rows)}
    return Listing(files, tuple(sorted(folders)))


def list_states(address: str) -> dict[str, tuple[int | None, str]]:
    """Return the size and version of each file in a folder, by name; none if it does not exist.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be listed.
    """
    place, rows, _ = _listed(address, missing_ok=True)
    return {name: (size_of(row), version_of(row, place)) for name, row in rows.items()}


def _listed(address: str, missing_ok: bool) -> tuple[Place, dict[str, Info], set[str]]:
    """Return the storage of a folder, what it tells of each file, and the names of subfolders."""
    if scheme_of(address) in WEB:
        raise UnreadablePhotoError(
            f"{cleaned(address)}: a web server does not list its files. Name each picture, in a "
            "manifest if there are many."
        )
    with said_plainly(address):
        place = connect(address)
        try:
            with place.lock:
                rows = place.files.ls(place.path, detail=True)
        except FileNotFoundError:
            if not missing_ok:
                raise
            rows = []
    files: dict[str, Info] = {}
    folders = set()
    tells_empty = scheme_of(address) in TELL_EMPTY
    own = place.path.strip("/")
    own_name = own.rpartition("/")[2]
    for row in rows:
        told = str(row["name"])
        path = told.rstrip("/")
        name = path.rpartition("/")[2]
        if not name or (name == own_name and path.strip("/") == own):
            is_folder_row = tells_empty and row.get("type") == "directory"
            if is_folder_row and (told[-1:] in ("", "/") or _has_nameless(place, address)):
                folders.add("")
            continue  # else the marker of an empty folder
        if row.get("type") == "directory":
            folders.add(name)
        else:
            files[name] = row
    return place, files, folders


def _has_nameless(place: Place, address: str) -> bool:
    """Return whether a folder of Google's has one without a name in it.

    gcsfs tells such a folder and the marker of an empty folder in the same words.
    """
    if scheme_of(address) not in GOOGLE:
        return False
    own = place.path.strip("/")
    with said_plainly(address), suppress(FileNotFoundError):
        rows = place.files.ls(own, detail=True, prefix="/")
        return any(str(row["name"]).startswith(f"{own}//") for row in rows)
    return False


def names_in(folder: str) -> list[str] | None:
    """Return the names of the files in a folder, local or not; None if they are not told."""
    if not is_address(folder):
        try:
            return os.listdir(folder)  # noqa: PTH208 - names, not paths: there may be millions
        except FileNotFoundError:
            return []
        except OSError:
            return None
    try:
        with said_plainly(folder):
            place = connect(folder)
            with place.lock:
                rows = place.files.ls(place.path, detail=False)
    except PhotoError as error:
        return [] if isinstance(error.__cause__, FileNotFoundError) else None
    return [str(path).rpartition("/")[2] for path in rows]


class Search:
    """The photographs below an address, listed while it is iterated, and what was passed over.

    Parameters
    ----------
    address : str
        A folder.
    recursive : bool
        Include subfolders.

    Attributes
    ----------
    found : Found
        What is no photograph, by the same rules as `photochrom.photo.find.search`; complete once
        all photographs were listed.
    closed : dict of str to str
        Subfolders that cannot be listed, with the sentence that says why.
    count : int
        Photographs so far.
    """

    def __init__(self, address: str, recursive: bool = False) -> None:
        self.address, self.recursive = address, recursive
        self.closed: dict[str, str] = {}
        self.count = 0
        self._others: Counter[str] = Counter()
        self._films: Counter[str] = Counter()

    @property
    def found(self) -> Found:
        """What was passed over so far."""
        return Found(others=dict(self._others), films=dict(self._films))

    def folders(self) -> Iterator[tuple[str, list[Stored]]]:
        """Yield each folder's name below the address ('' for itself) and its photographs, sorted.

        Raises
        ------
        UnreadablePhotoError
            If the address itself cannot be listed.
        """
        waiting = [""]
        while waiting:
            below = waiting.pop()
            try:
                listing = list_folder(child(self.address, below) if below else self.address)
            except UnreadablePhotoError as error:
                if not below:
                    raise
                self.closed[below] = str(error)
                continue
            photos = [self._with_companions(name, listing) for name in self._photos(listing)]
            self.count += len(photos)
            if photos:
                yield below, photos
            if self.recursive:
                for name in reversed(listing.folders):
                    deeper = f"{below}/{name}" if below else name
                    if name in {"", ".", ".."}:
                        where = cleaned(child(self.address, f"{deeper}/" if not name else deeper))
                        self.closed[deeper] = f"{where}: is no folder below this one; left out."
                    else:
                        waiting.append(deeper)

    def _photos(self, listing: Listing) -> Iterator[str]:
        for name in listing.files:
            kind = kind_of(name)
            if kind == "photo":
                yield name
            elif kind is not None:
                count = self._films if kind == "film" else self._others
                count[PurePosixPath(name).suffix.lower()] += 1

    def _with_companions(self, name: str, listing: Listing) -> Stored:
        names = tuple(other for other in companions_of(name) if other in listing.files)
        return replace(listing.files[name], companions=names)

    def __iter__(self) -> Iterator[Stored]:
        for _, photos in self.folders():
            yield from photos


def find(address: str, recursive: bool = False) -> Iterator[Stored]:
    """Yield the photographs in a folder at an address, sorted within each folder.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be listed.
    """
    yield from Search(address, recursive)
