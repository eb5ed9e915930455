"""Files at addresses: S3 and other object stores, SFTP, web servers, members of archives.

Files are copied block by block to a temporary file and back: nothing is decoded from afar. Results
appear when they are complete. No message contains a password or a signature of an address.
"""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from photochrom.errors import PhotoTooLargeError, UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo.addresses import (
    AZURE,
    GOOGLE,
    MOST_NAME_BYTES,
    SCHEMES_OF_ARCHIVES,
    WEB,
    all_cleaned,
    archive_stem,
    around,
    below,
    beside,
    checked_below,
    child,
    cleaned,
    companions_of,
    expanded,
    folder_of,
    inside,
    is_address,
    is_archive,
    is_below,
    is_writable,
    join,
    local_name,
    name_of,
    parent_of,
    path_of,
    path_or_address,
    scheme_of,
    without_secrets,
)
from photochrom.photo.connections import (
    WHOLE,
    Place,
    Stored,
    connect,
    opened_member,
    said_plainly,
)
from photochrom.photo.part_locks import HOST
from photochrom.photo.storage_search import (
    Listing,
    Search,
    find,
    is_folder,
    list_folder,
    list_states,
    look,
    names_in,
    stat,
)
from photochrom.photo.temporary_folders import scratch

__all__ = [
    "MOST_NAME_BYTES",
    "WEB",
    "Listing",
    "Search",
    "Stored",
    "all_cleaned",
    "archive_stem",
    "around",
    "below",
    "beside",
    "checked_below",
    "child",
    "cleaned",
    "companions_of",
    "expanded",
    "fetch",
    "find",
    "folder_of",
    "inside",
    "is_address",
    "is_archive",
    "is_below",
    "is_folder",
    "is_writable",
    "join",
    "list_folder",
    "list_states",
    "local_copy",
    "local_name",
    "look",
    "name_of",
    "names_in",
    "parent_of",
    "path_of",
    "path_or_address",
    "private_copies",
    "remove",
    "scheme_of",
    "stat",
    "store",
    "without_secrets",
]

BLOCK = 1 << 23  # bytes that are held in memory while a file is copied
PART_BYTES = 1 << 23  # of an upload in parts, of which two are held in memory
_COUNTER = itertools.count()


def fetch(
    address: str, path: Path, most_bytes: int | None = None, known: Stored | None = None
) -> Stored:
    """Copy a file to a path, block by block.

    Parameters
    ----------
    address : str
    path : Path
        A new file; its time becomes that of the stored one.
    most_bytes : int, optional
        Larger files are refused.
    known : Stored, optional
        As it was listed; asked for otherwise.

    Returns
    -------
    Stored
        What was copied: size and version before and after are the same.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be read, ends early, or changes while it is read; no file is left.
    PhotoTooLargeError
        If it has more bytes.
    UnwritablePhotoError
        If there is no room for the copy.
    """
    before = known if known is not None and known.version else stat(address)
    if most_bytes is not None and before.size is not None and before.size > most_bytes:
        raise _too_large(address, most_bytes)
    try:
        size = _copy(address, path, most_bytes)
        after = stat(address)
        if after.version != before.version:
            # It may have changed since it was listed: then it is read once more.
            before, size = after, _copy(address, path, most_bytes)
            after = stat(address)
        if after.version != before.version:
            raise UnreadablePhotoError(
                f"{cleaned(address)}: was changed while it was read. Run again."
            )
        if after.size is not None and size != after.size:
            raise UnreadablePhotoError(
                f"{cleaned(address)}: ended after {size:,} of {after.size:,} bytes."
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if after.modified_ns is not None:
        with suppress(OSError, OverflowError):
            os.utime(path, ns=(after.modified_ns, after.modified_ns))
    return replace(after, size=size, companions=before.companions)


def _copy(address: str, path: Path, most_bytes: int | None) -> int:
    """Copy the bytes; return how many."""
    size = 0
    with said_plainly(address):
        place = connect(address)
        with place.lock, _opened(address, place) as file, _local(path) as write:
            while block := file.read(BLOCK):
                write(block)
                size += len(block)
                if most_bytes is not None and size > most_bytes:
                    raise _too_large(address, most_bytes)
    return size


def _opened(address: str, place: Place) -> BinaryIO:
    scheme = scheme_of(address)
    if scheme in WEB:  # one request for the whole, in pieces, and not compressed on the way
        headers = {"Accept-Encoding": "identity"}
        whole: BinaryIO = place.files.open(place.path, "rb", block_size=0, headers=headers)
        return whole
    if scheme in SCHEMES_OF_ARCHIVES:
        return opened_member(address, place)
    file: BinaryIO = place.files.open(place.path, "rb", block_size=BLOCK, cache_type="none")
    if hasattr(file, "prefetch"):  # paramiko would wait for each 32 kB
        file.prefetch()
    return file


def _too_large(address: str, most_bytes: int) -> PhotoTooLargeError:
    return PhotoTooLargeError(
        f"{cleaned(address)}: has more than {most_bytes:,} bytes, the most that are read."
    )


@contextmanager
def _local(path: Path) -> Iterator[Callable[[bytes], object]]:
    """Yield the function that writes to a temporary file; its errors are not the storage's."""
    try:
        file = path.open("wb")
    except OSError as error:
        raise _no_room(path, error) from error

    def write(block: bytes) -> None:
        try:
            file.write(block)
        except OSError as error:
            raise _no_room(path, error) from error

    try:
        yield write
        try:
            file.flush()
        except OSError as error:
            raise _no_room(path, error) from error
    finally:
        with suppress(OSError):
            file.close()


def _no_room(path: Path, error: OSError) -> UnwritablePhotoError:
    said = UnwritablePhotoError(
        f"{path.parent}: the temporary folder cannot be written ({error.strerror}). The "
        "environment variable TMPDIR names another."
    )
    said.errno = error.errno
    return said


@contextmanager
def local_copy(source: str | Path, most_bytes: int | None = None) -> Iterator[Path]:
    """Yield a path to a file: itself, or a temporary copy of what is at an address.

    Raises
    ------
    PhotoError
        If it cannot be read.
    """
    if isinstance(source, Path) or not is_address(source):
        yield Path(source)
        return
    with private_copies() as folder:
        path = Path(folder, local_name(source))
        fetch(source, path, most_bytes)
        yield path


def private_copies() -> tempfile.TemporaryDirectory[str]:
    """Return a new private folder, which is removed at its end, even if the run is killed."""
    return tempfile.TemporaryDirectory(dir=scratch(), ignore_cleanup_errors=True)


def store(path: Path, address: str) -> None:
    """Copy a file to an address, where it appears when it is complete.

    Object stores do so by themselves; elsewhere it is written to a temporary name beside it and
    renamed.

    Raises
    ------
    UnwritablePhotoError
        If it cannot be written; nothing is left of it, and an earlier file stays as it was.
    """
    if not is_writable(address):
        what = "web servers" if scheme_of(address) in WEB else "archives"
        raise UnwritablePhotoError(
            f"{cleaned(address)}: {what} are only read. Name a folder for the results with -o."
        )
    with said_plainly(address, UnwritablePhotoError):
        place = connect(address)
        if scheme_of(address) in WHOLE:
            _put(path, place, scheme_of(address))
        else:
            with place.lock:
                _put_and_rename(path, place)


def _put(path: Path, place: Place, scheme: str) -> None:
    """Upload a file to an object store; what arrived in another size is removed."""
    try:
        place.files.put_file(str(path), place.path, **_upload(path, scheme))
    except AssertionError as error:  # gcsfs's
        with suppress(Exception):
            place.files.rm_file(place.path)
        raise OSError("it arrived with another size") from error


def _upload(path: Path, scheme: str) -> dict[str, object]:
    """Return options that bound an upload's memory, and tell the kind of file if nobody does."""
    if scheme in ("s3", "s3a"):
        return {"chunksize": PART_BYTES, "max_concurrency": 2}
    if scheme in GOOGLE:
        # gcsfs ends a small upload so that a server may take a last '\r' for a part of the end.
        return {"chunksize": PART_BYTES, "consistency": "size"}
    if scheme in AZURE:
        from photochrom.photo.azure import content_settings

        return {"max_concurrency": 2, "content_settings": content_settings(path.name)}
    return {}


def _put_and_rename(path: Path, place: Place) -> None:
    folder, _, name = place.path.rpartition("/")
    part = f"{folder}/.{name[:80]}.photochrom-{HOST}-{os.getpid()}-{next(_COUNTER)}.part"
    try:
        place.files.makedirs(folder, exist_ok=True)
    except Exception:  # another process may have created it; SFTP does not say so
        if not place.files.isdir(folder):
            raise
    try:
        place.files.put_file(str(path), part)
        place.files.mv(part, place.path)
    except BaseException:
        with suppress(Exception):
            place.files.rm_file(part)
        raise


def remove(address: str) -> None:
    """Remove a file, if it exists."""
    with said_plainly(address, UnwritablePhotoError), suppress(FileNotFoundError):
        place = connect(address)
        place.files.rm_file(place.path)
