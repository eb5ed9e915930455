"""Files at addresses: S3 and other object stores, SFTP, web servers, members of archives.

An address is `scheme://...`, or a member of an archive, `zip://a/b.jpg::s3://bucket/x.zip`. fsspec
opens it with the library that each kind of storage needs, which finds the credentials by itself.
Files are copied block by block to a temporary file and back: nothing is decoded from afar. No
message contains a password or a signature of an address.
"""

import itertools
import os
import re
import shutil
import tempfile
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from photochrom.errors import (
    InvalidValueError,
    MissingExtraError,
    PhotoError,
    PhotoTooLargeError,
    UnreadablePhotoError,
    UnwritablePhotoError,
)
from photochrom.extras import how_to_install, require
from photochrom.photo.atomic import unwritable
from photochrom.photo.find import Found, kind_of
from photochrom.photo.part_locks import HOST
from photochrom.photo.temporary_folders import scratch

BLOCK = 1 << 23  # bytes that are held in memory while a file is copied
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # a drive of Windows has one letter
ARCHIVE_BEGINS = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]+://)")
ARCHIVES = {".tar": "tar", ".tgz": "tar", ".zip": "zip"}
SCHEMES_OF_ARCHIVES = frozenset(ARCHIVES.values())
WEB = frozenset(("http", "https"))
# Stores where an object appears only when it is complete.
WHOLE = frozenset(
    "s3 s3a gs gcs abfs abfss az adl oss r2 b2 oci memory".split()  # noqa: SIM905
)
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
}
VERSIONS = ("ETag", "etag", "generation", "CRC", "md5Hash", "content_md5", "checksum")
TIMES = ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified")
SECRET = re.compile(
    r"signature|token|credential|passw|secret|access_?key|api_?key|auth|^x-(amz|goog|ms)-"
    r"|^(key|sig|expires|policy|key-pair-id|googleaccessid)$"
    r"|^(se|sp|sv|sr|st|ss|srt|spr|sip|skoid|sktid|skt|ske|sks|skv|sdd)$",
    re.IGNORECASE,
)
# Characters of a name that fsspec takes for parts of an address.
HIDDEN = {"?": "\ue03f", "#": "\ue023", "::": "\ue03a"}
MOST_ARCHIVES = 8
MOST_NAME_BYTES = 255  # of file systems
_COUNTER = itertools.count()


@dataclass(frozen=True, slots=True)
class Stored:
    """A file, as a storage lists it.

    Attributes
    ----------
    address : str
    size : int, optional
        Bytes; some web servers do not tell.
    version : str
        What changes when the content changes: an ETag, a checksum or the time; '' if unknown.
    modified_ns : int, optional
        Time of the last change, nanoseconds since 1970.
    companions : tuple of str, optional
        Names of the XMP sidecars beside a picture; None if it is not known whether there are any.
    """

    address: str
    size: int | None
    version: str
    modified_ns: int | None = None
    companions: tuple[str, ...] | None = None


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


def is_address(text: object) -> bool:
    """Return whether a text is an address and not a path."""
    return isinstance(text, str) and ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    """Return the scheme of an address, such as 's3'."""
    return address.partition("://")[0].lower()


def path_or_address(text: str) -> Path | str:
    """Return an address as text, anything else and `file://` addresses as a path."""
    if not is_address(text):
        return Path(text)
    if scheme_of(text) in ("file", "local") and "::" not in text:
        from urllib.request import url2pathname  # imports what only web addresses need

        return Path(url2pathname(urlsplit(text).path))
    return text


def cleaned(address: str) -> str:
    """Return an address without password and signature, for messages, tables and markers.

    The same file has the same cleaned address whoever reads it and whenever a signature was made.
    """
    head, chained, rest = _link(address)
    if chained:
        return f"{head}::{cleaned(rest)}"
    if not is_address(address):
        return address
    address = re.sub(r"://[^/]*@", "://", address, count=1)
    if scheme_of(address) not in WEB or "?" not in address:
        return address
    place, _, query = address.partition("?")
    kept = [part for part in query.partition("#")[0].split("&") if not _is_secret(part)]
    return f"{place}?{'&'.join(map(_shortened, kept))}" if kept else place


def _is_secret(part: str) -> bool:
    return SECRET.search(unquote(part.partition("=")[0])) is not None


def _shortened(part: str) -> str:
    """Return a part of a query with a long value, which may be a secret, as its hash."""
    name, _, value = part.partition("=")
    return part if len(value) <= 40 else f"{name}={sha256(value.encode()).hexdigest()[:12]}"


def name_of(address: str) -> str:
    """Return the last part of an address: the file's own name."""
    head = _link(address)[0]
    if scheme_of(head) in WEB:
        head = unquote(urlsplit(head).path)
    return head.rstrip("/").rpartition("/")[2]


def parent_of(address: str) -> str:
    """Return the folder of a file."""
    head, chained, rest = _link(address)
    folder = head.rstrip("/").rpartition("/")[0]
    return f"{folder}/{chained}{rest}" if chained else folder


def beside(address: str, name: str) -> str:
    """Return the address of another file in the same folder."""
    head, chained, rest = _link(address)
    return f"{head.rpartition('/')[0]}/{name}{chained}{rest}"


def folder_of(source: str) -> str:
    """Return the folder of a file, local or not."""
    return parent_of(source) if is_address(source) else str(Path(source).parent)


def below(folder: str, relative: str) -> str:
    """Return the name of something in a folder, local or not; see `join`."""
    if is_address(folder):
        return join(folder, relative)
    return os.path.join(folder, checked_below(relative))  # noqa: PTH118 - it may be one of millions


def join(folder: str, *names: str) -> str:
    """Return the address of something below a folder.

    Raises
    ------
    InvalidValueError
        If a name would lead out of the folder.
    """
    relative = checked_below("/".join(names))
    return child(folder, relative)


def checked_below(relative: str) -> str:
    """Return a relative name that stays below its folder.

    Raises
    ------
    InvalidValueError
        If it has a part such as '..', or is absolute.
    """
    parts = relative.replace("\\", "/").split("/") if os.name == "nt" else relative.split("/")
    if {"", ".", ".."} & set(parts) or "\0" in relative:
        raise InvalidValueError(
            f"'{relative}' is no name below a folder: it is absolute, or has an empty part, '.' "
            "or '..'. Rename it, or name the result in a manifest."
        )
    return relative


def is_below(address: str, folder: str) -> bool:
    """Return whether an address lies inside a folder, or is that folder."""
    return f"{cleaned(address).rstrip('/')}/".startswith(f"{cleaned(folder).rstrip('/')}/")


def is_archive(text: str) -> bool:
    """Return whether a name ends like an archive's whose members can be read."""
    return PurePosixPath(name_of(text)).suffix.lower() in ARCHIVES


def inside(archive: str) -> str:
    """Return the address of an archive's contents: `zip://::s3://bucket/x.zip`."""
    return f"{ARCHIVES[PurePosixPath(name_of(archive)).suffix.lower()]}://::{archive}"


def is_writable(address: str) -> bool:
    """Return whether results can be written to this kind of storage at all."""
    return scheme_of(address) not in WEB | SCHEMES_OF_ARCHIVES


def _link(address: str) -> tuple[str, str, str]:
    """Split a member of an archive from the archive: (member, '::', archive), or (address, '', '').

    Names may have '::' too: the archive begins at the first scheme after one, or at the last one.
    """
    if scheme_of(address) not in SCHEMES_OF_ARCHIVES or not is_address(address):
        return address, "", ""
    found = ARCHIVE_BEGINS.search(address)
    if found:
        return address[: found.start()], "::", address[found.end() :]
    member, chained, archive = address.rpartition("::")
    return (member, chained, archive) if chained else (address, "", "")


# --- the libraries --------------------------------------------------------------------------


class _Archive:
    """An open archive; its index is read once. tarfile must not be read by two threads."""

    def __init__(self, files: Any, version: str) -> None:
        self.files, self.version, self.lock = files, version, threading.Lock()


_ARCHIVES: OrderedDict[str, _Archive] = OrderedDict()
_ARCHIVES_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Place:
    """An address, resolved: the storage, the path in it, and a lock if only one may read."""

    files: Any
    path: str
    lock: Any = field(default_factory=nullcontext)
    version: str = ""  # of the archive


def _fsspec() -> Any:
    require("storage", "Using addresses", "fsspec")
    import fsspec

    return fsspec


def _place(address: str) -> _Place:
    """Connect to the storage of an address."""
    head, chained, rest = _link(address)
    if scheme_of(address) in SCHEMES_OF_ARCHIVES:
        archive = _archive(scheme_of(address), rest) if chained else None
        if archive is None:
            raise InvalidValueError(
                f"{cleaned(address)}: names no archive. A member is written "
                "zip://FOLDER/NAME.jpg::ARCHIVE.zip."
            )
        member = head.partition("://")[2]
        return _Place(archive.files, member, archive.lock, archive.version)
    scheme = scheme_of(address)
    hidden = address
    if scheme not in WEB:
        for character, instead in HIDDEN.items():
            hidden = hidden.replace(character, instead)
    files, path = _fsspec().core.url_to_fs(hidden, **_options(scheme))
    with suppress(AttributeError):  # what was listed may have changed since
        files.dircache.use_listings_cache = False
    for character, instead in HIDDEN.items():
        path = path.replace(instead, character)
    return _Place(files, path)


def _options(scheme: str) -> dict[str, Any]:
    """Return what a storage's library needs besides what it finds by itself."""
    if scheme in WEB:
        require("storage", "Reading from a web server", "aiohttp")
        import aiohttp

        # A large file may take long, but silence may not.
        seconds = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
        return {"client_kwargs": {"timeout": seconds}}
    return {}


def _archive(kind: str, address: str) -> _Archive:
    """Open an archive; the last few stay open."""
    version = stat(address).version if is_address(address) else _state_of_path(address)
    with _ARCHIVES_LOCK:
        found = _ARCHIVES.get(address)
        if found is None or found.version != version:
            opened = is_address(address) and _place(address)
            file = opened.files.open(opened.path) if opened else Path(address).open("rb")  # noqa: SIM115
            found = _Archive(_fsspec().filesystem(kind, fo=file), version)
            _ARCHIVES[address] = found
        _ARCHIVES.move_to_end(address)
        while len(_ARCHIVES) > MOST_ARCHIVES:
            _ARCHIVES.popitem(last=False)
    return found


def _state_of_path(path: str) -> str:
    found = Path(path).stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


# --- errors ---------------------------------------------------------------------------------


@contextmanager
def _said(address: str, kind: type[PhotoError] = UnreadablePhotoError) -> Iterator[None]:
    """Turn any error of a storage's library into a sentence with the address."""
    try:
        yield
    except (PhotoError, InvalidValueError, MissingExtraError):
        raise
    except ImportError as error:
        raise MissingExtraError(_missing(address)) from error
    except Exception as error:  # each library has its own
        raise kind(f"{cleaned(address)}: {_reason(error, kind)}.") from error


def _missing(address: str) -> str:
    scheme = scheme_of(_link(address)[2] or address)
    package = PACKAGES.get(scheme, "a package of fsspec's list")
    ours = how_to_install("storage") if package in ("s3fs", "aiohttp") else None
    return (
        f"{cleaned(address)}: addresses with {scheme}:// need {package}, which is not installed. "
        f"{ours or f'Run: pip install {package}'}"
    )


def _reason(error: BaseException, kind: type[PhotoError]) -> str:
    cannot = "cannot be written" if kind is UnwritablePhotoError else "cannot be read"
    if isinstance(error, FileNotFoundError):
        return "does not exist" if kind is UnreadablePhotoError else f"{cannot} (no such place)"
    if isinstance(error, PermissionError):
        return f"{cannot} (access denied). Check the rights of your credentials"
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        return f"{cannot} (no credentials were found for this storage)"
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        return "is of an unknown kind; s3://, gs://, abfs://, sftp://, https:// are known"
    lines = str(error).strip().splitlines()
    what = without_secrets(lines[0])[:200].rstrip(". ") if lines else ""
    return f"{cannot} ({what or type(error).__name__})"


def without_secrets(text: str) -> str:
    """Return a text in which each address is cleaned."""
    return re.sub(r"""[A-Za-z][A-Za-z0-9+.-]+://[^\s'"<>()]+""", lambda m: cleaned(m[0]), text)


# --- looking --------------------------------------------------------------------------------


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
    with _said(address):
        try:
            place = _place(address)
            with place.lock:
                info = place.files.info(place.path)
        except (FileNotFoundError, NotADirectoryError, KeyError):
            return None
        if info.get("type") == "directory":
            raise UnreadablePhotoError(f"{cleaned(address)}: is a folder; a file is needed.")
        return _stored(address, info, place.version)


def _stored(address: str, info: dict[str, Any], archive: str = "") -> Stored:
    size = info.get("size")
    modified = next((info[name] for name in TIMES if info.get(name)), None)
    modified_ns = _nanoseconds(modified)
    version = next((info[name] for name in VERSIONS if info.get(name)), None)
    if version is None:
        version = archive or modified_ns or _nanoseconds(info.get("created"))
    text = "" if version is None else str(version).strip('"')
    return Stored(address, None if size is None else int(size), text, modified_ns)


def _nanoseconds(time: object) -> int | None:
    """Return a time, as any library gives it, in nanoseconds since 1970."""
    if isinstance(time, str):
        from email.utils import parsedate_to_datetime

        with suppress(ValueError):
            time = parsedate_to_datetime(time) if "," in time else datetime.fromisoformat(time)
    if isinstance(time, datetime):
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return int(time * 1_000_000) * 1000 if isinstance(time, int | float) else None


def is_folder(address: str) -> bool:
    """Return whether an address is a folder; a name like a picture's is not asked about.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be asked.
    """
    if scheme_of(address) in WEB:
        return False
    head = _link(address)[0]
    if head.endswith("/"):
        return True
    if kind_of(name_of(address)) is not None:
        return False
    with _said(address):
        place = _place(address)
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
    if scheme_of(address) in WEB:
        raise UnreadablePhotoError(
            f"{cleaned(address)}: a web server does not list its files. Name each picture, in a "
            "manifest if there are many."
        )
    with _said(address):
        place = _place(address)
        try:
            with place.lock:
                rows = place.files.ls(place.path, detail=True)
        except FileNotFoundError:
            if not missing_ok:
                raise
            rows = []
    files: dict[str, Stored] = {}
    folders = set()
    own = place.path.strip("/")
    for row in rows:
        path = str(row["name"]).rstrip("/")
        name = path.rpartition("/")[2]
        if path.strip("/") == own or not name:  # the marker of an empty folder
            continue
        if row.get("type") == "directory":
            folders.add(name)
        else:
            files[name] = _stored(child(address, name), row, place.version)
    ordered = dict(sorted(files.items()))
    return Listing(ordered, tuple(sorted(folders)))


def child(folder: str, name: str) -> str:
    """Return the address of a name, which was checked, below a folder."""
    head, chained, rest = _link(folder)
    return f"{head}{'' if head.endswith('/') else '/'}{name}{chained}{rest}"


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
        with _said(folder):
            place = _place(folder)
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
                    if name in {".", ".."}:
                        where = cleaned(child(self.address, deeper))
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


def companions_of(name: str) -> tuple[str, ...]:
    """Return the names that XMP sidecars of a picture may have."""
    names = (str(PurePosixPath(name).with_suffix(".xmp")), f"{name}.xmp")
    return tuple(dict.fromkeys(other for other in names if other != name))


def find(address: str, recursive: bool = False) -> Iterator[Stored]:
    """Yield the photographs in a folder at an address, sorted within each folder.

    Raises
    ------
    UnreadablePhotoError
        If it cannot be listed.
    """
    yield from Search(address, recursive)


# --- copying --------------------------------------------------------------------------------


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
        path = folder / local_name(source)
        fetch(source, path, most_bytes)
        yield path


@contextmanager
def private_copies() -> Iterator[Path]:
    """Yield a new private folder, which is removed afterwards, even if the run is killed."""
    folder = Path(tempfile.mkdtemp(dir=scratch()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def local_name(address: str) -> str:
    """Return a file's own name, which a local file must be able to have.

    Raises
    ------
    InvalidValueError
        If it is too long, or no name.
    """
    name = checked_below(name_of(address))
    size = len(os.fsencode(name))
    if size > MOST_NAME_BYTES:
        raise InvalidValueError(
            f"the name '{name[:40]}...' is too long ({size} bytes; at most {MOST_NAME_BYTES} are "
            "allowed). Rename the photograph, or name its result in a manifest."
        )
    return name


def make_folder(folder: Path) -> None:
    """Create a local folder for results.

    Raises
    ------
    UnwritablePhotoError
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def _too_large(address: str, most_bytes: int) -> PhotoTooLargeError:
    return PhotoTooLargeError(
        f"{cleaned(address)}: has more than {most_bytes:,} bytes, the most that are read."
    )


def _copy(address: str, path: Path, most_bytes: int | None) -> int:
    """Copy the bytes; return how many."""
    size = 0
    with _said(address):
        place = _place(address)
        with place.lock, _opened(address, place) as file, _local(path) as write:
            while block := file.read(BLOCK):
                write(block)
                size += len(block)
                if most_bytes is not None and size > most_bytes:
                    raise _too_large(address, most_bytes)
    return size


def _opened(address: str, place: _Place) -> Any:
    scheme = scheme_of(address)
    if scheme in WEB:  # one request for the whole, in pieces, and not compressed on the way
        headers = {"Accept-Encoding": "identity"}
        return place.files.open(place.path, "rb", block_size=0, headers=headers)
    if scheme in SCHEMES_OF_ARCHIVES:
        return place.files.open(place.path, "rb")
    file = place.files.open(place.path, "rb", block_size=BLOCK, cache_type="none")
    if hasattr(file, "prefetch"):  # paramiko would wait for each 32 kB
        file.prefetch()
    return file


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
    with _said(address, UnwritablePhotoError):
        place = _place(address)
        if scheme_of(address) in WHOLE:
            options = {"chunksize": BLOCK, "max_concurrency": 2} if _is_s3(address) else {}
            place.files.put_file(str(path), place.path, **options)
        else:
            _put_and_rename(path, place)


def _is_s3(address: str) -> bool:
    return scheme_of(address) in ("s3", "s3a")


def _put_and_rename(path: Path, place: _Place) -> None:
    folder, _, name = place.path.rpartition("/")
    part = f"{folder}/.{name[:80]}.photochrom-{HOST}-{os.getpid()}-{next(_COUNTER)}.part"
    with suppress(FileExistsError):
        place.files.makedirs(folder, exist_ok=True)
    try:
        place.files.put_file(str(path), part)
        place.files.mv(part, place.path)
    except BaseException:
        with suppress(Exception):
            place.files.rm_file(part)
        raise


def remove(address: str) -> None:
    """Remove a file, if it exists."""
    with _said(address, UnwritablePhotoError), suppress(FileNotFoundError):
        place = _place(address)
        place.files.rm_file(place.path)
