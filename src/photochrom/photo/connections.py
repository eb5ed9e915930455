"""Connections to storages, by fsspec and the library that each kind of storage needs.

The libraries find credentials by themselves. Their errors become sentences that name the address,
without password and signature.
"""

import logging
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO
from weakref import WeakKeyDictionary

from photochrom.errors import (
    InvalidValueError,
    MissingExtraError,
    PhotoError,
    UnreadablePhotoError,
    UnwritablePhotoError,
)
from photochrom.extras import how_to_install, require
from photochrom.photo.addresses import (
    AZURE,
    GOOGLE,
    SCHEMES_OF_ARCHIVES,
    WEB,
    cleaned,
    is_address,
    link,
    scheme_of,
    without_secrets,
)

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Lock = AbstractContextManager[object]
Info = dict[str, Any]  # what a storage's library tells about a file; each in its own words

# What each kind of address needs: the package, and the extra that installs it.
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), ("s3fs", "storage")),
    **dict.fromkeys(GOOGLE, ("gcsfs", "gcs")),
    **dict.fromkeys(AZURE, ("adlfs", "azure")),
    **dict.fromkeys(("sftp", "ssh"), ("paramiko", "sftp")),
    **dict.fromkeys(("http", "https"), ("aiohttp", "storage")),
}
# Loggers of these packages, which write errors that are raised too, with a traceback.
LOGGERS = ("adlfs", "azure", "gcsfs", "google", "paramiko", "s3fs")
# Characters of a name that fsspec takes for parts of an address, or leaves out.
HIDDEN = {
    **{"?": "\ue03f", "#": "\ue023", "::": "\ue03a"},
    **{"\t": "\ue009", "\n": "\ue00a", "\r": "\ue00d"},
}
VERSIONS = ("ETag", "etag", "generation", "CRC", "md5Hash", "content_md5", "checksum")
TIMES = ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified")
# Whether gcsfs may ask Google for the kind of each bucket, by another protocol and with other
# credentials, before each request if there is no answer. Only zonal buckets need it.
ASKS_KIND = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"
SSH = frozenset(("sftp", "ssh"))
# Stores where an object appears only when it is complete.
WHOLE = frozenset(
    "s3 s3a gs gcs abfs abfss az oss r2 b2 oci memory".split()  # noqa: SIM905
)
MOST_ARCHIVES = 8
BLOCK_OF_TAR = 512
CONNECT_SECONDS, SILENCE_SECONDS = 30.0, 60.0
_LOCKS: "WeakKeyDictionary[object, Lock]" = WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


class _Archive:
    """An open archive; its index is read once. tarfile must not be read by two threads."""

    def __init__(self, kind: str, file: BinaryIO, version: str, lock: Lock | None = None) -> None:
        weakref.finalize(self, file.close)  # once no thread reads it
        options = {"compression": "gzip"} if kind == "tar" and _is_gzip(file) else {}
        self.files = fsspec().filesystem(kind, fo=file, **options)
        if kind == "tar":
            tar = self.files.tar
            tar.fileobj.seek(tar.offset)
            if any(tar.fileobj.read(BLOCK_OF_TAR)):  # tarfile does not check that zeros follow
                raise OSError("its end is missing, or it is damaged")
        self.files.of = None  # else it would close the file again, perhaps while Python ends
        # Whoever reads a member reads the archive, which its storage may have a lock for.
        self.version = version
        self.lock = threading.RLock() if lock is None or isinstance(lock, nullcontext) else lock


def _is_gzip(file: BinaryIO) -> bool:
    """Return whether a file is compressed, whatever its name."""
    begins = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return begins


_ARCHIVES: OrderedDict[str, _Archive] = OrderedDict()
_ARCHIVES_LOCK = threading.Lock()


@dataclass(frozen=True)
class Place:
    """An address, resolved: the storage, the path in it, and a lock if only one may read."""

    files: "AbstractFileSystem"
    path: str
    lock: Lock = field(default_factory=nullcontext)
    archive: _Archive | None = None


def opened_member(address: str, place: Place) -> BinaryIO:
    """Open a member of an archive.

    Raises
    ------
    UnreadablePhotoError
        If it is no file; fsspec says so in several ways.
    """
    try:
        file: BinaryIO = place.files.open(place.path, "rb")
        return file
    except (KeyError, AttributeError, RecursionError) as error:
        raise UnreadablePhotoError(
            f"{cleaned(address)}: is no file that can be read from its archive: a link to nothing, "
            "a special file, or a name that is absolute. Unpack the archive first."
        ) from error


def fsspec() -> ModuleType:
    """Return fsspec, or raise MissingExtraError."""
    require("storage", "Using addresses", "fsspec")
    return import_module("fsspec")


def _keep_quiet() -> None:
    """Let no library write to the terminal; whoever configures logging still gets all."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def connect(address: str) -> Place:
    """Connect to the storage of an address."""
    head, chained, rest = link(address)
    if scheme_of(address) in SCHEMES_OF_ARCHIVES:
        archive = _archive(scheme_of(address), rest) if chained else None
        if archive is None:
            raise InvalidValueError(
                f"{cleaned(address)}: names no archive. A member is written "
                "zip://FOLDER/NAME.jpg::ARCHIVE.zip."
            )
        member = head.partition("://")[2]
        return Place(archive.files, member, archive.lock, archive)
    _keep_quiet()
    scheme = scheme_of(address)
    hidden = f"{scheme}://{address.partition('://')[2]}"
    if scheme not in WEB:
        for character, instead in HIDDEN.items():
            hidden = hidden.replace(character, instead)
    if scheme in SSH:
        files, path = _connected(hidden)
    else:
        files, path = _files_and_path(hidden, scheme)
    with suppress(AttributeError):  # what was listed may have changed since
        files.dircache.use_listings_cache = False
    for character, instead in HIDDEN.items():
        path = path.replace(instead, character)
    return Place(files, path, _lock_of(scheme, files))


def _files_and_path(address: str, scheme: str) -> tuple["AbstractFileSystem", str]:
    """Return the files of a storage and the path in it; fsspec's configuration applies."""
    core, kind = fsspec().core, _own_kind(scheme)
    if kind is not None:
        return kind(**kind._get_kwargs_from_urls(address)), kind._strip_protocol(address)
    files, path = core.url_to_fs(address, **_options(scheme))
    return files, path


def _own_kind(scheme: str) -> "type[AbstractFileSystem] | None":
    """Return the class for a storage's files if it is not the one that fsspec would choose."""
    if scheme in AZURE:
        from photochrom.photo.azure import Containers

        return Containers
    if scheme in GOOGLE and os.environ.get(ASKS_KIND, "").lower() not in ("1", "true"):
        from gcsfs.core import GCSFileSystem

        plain: type[AbstractFileSystem] = GCSFileSystem
        return plain
    return None


def _connected(address: str) -> tuple["AbstractFileSystem", str]:
    """Connect to a server of SFTP, and again if the connection was lost; nothing waits for ever."""
    options = _options(scheme_of(address))
    with _LOCKS_LOCK:  # one connection for all threads
        files, path = fsspec().core.url_to_fs(address, **options)
        transport = files.client.get_transport()
        if transport is None or not transport.is_active():
            type(files).clear_instance_cache()
            files, path = fsspec().core.url_to_fs(address, **options)
        files.ftp.get_channel().settimeout(SILENCE_SECONDS)
    return files, path


def _lock_of(scheme: str, files: "AbstractFileSystem") -> Lock:
    """Return the lock of a storage whose library must not be called by two threads at once."""
    # All threads share what is in memory, and the position in each file.
    if scheme in WHOLE | WEB and scheme != "memory":  # asynchronous
        return nullcontext()
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(type(files) if scheme == "memory" else files, threading.RLock())


def _options(scheme: str) -> dict[str, object]:
    """Return what a storage's library needs besides what it finds by itself."""
    if scheme in WEB:
        require("storage", "Reading from a web server", "aiohttp")
        import aiohttp

        # A large file may take long, but silence may not.
        seconds = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        return {"client_kwargs": {"timeout": seconds}}
    return {"timeout": CONNECT_SECONDS} if scheme in SSH else {}


def _archive(kind: str, address: str) -> _Archive:
    """Open an archive; the last few stay open."""
    there = connect(address) if is_address(address) else None
    if there is None:
        state = Path(address).stat()
        version = f"{state.st_size}-{state.st_mtime_ns}"
    else:
        with there.lock:
            version = stored(address, there.files.info(there.path), there).version
    with _ARCHIVES_LOCK:
        found = _ARCHIVES.get(address)
        if found is None or found.version != version:
            if there is None:
                found = _Archive(kind, Path(address).open("rb"), version)  # noqa: SIM115
            else:
                with there.lock:
                    file = there.files.open(there.path)
                    found = _Archive(kind, file, version, there.lock)
            _ARCHIVES[address] = found
        _ARCHIVES.move_to_end(address)
        while len(_ARCHIVES) > MOST_ARCHIVES:
            _ARCHIVES.popitem(last=False)
    return found


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


def stored(address: str, info: Info, there: Place) -> Stored:
    """Return what a storage's library tells about a file."""
    modified_ns = nanoseconds(_first_of(info, TIMES))
    return Stored(address, size_of(info), version_of(info, there), modified_ns)


def size_of(info: Info) -> int | None:
    """Return the number of bytes of a file, if its storage tells."""
    size = info.get("size")
    return None if size is None else int(size)


def version_of(info: Info, there: Place) -> str:
    """Return what changes when a file's content changes; see `Stored`."""
    version = _first_of(info, VERSIONS)
    if version is None:
        modified_ns = nanoseconds(_first_of(info, TIMES))
        of_archive = there.archive.version if there.archive else None
        version = of_archive or modified_ns or nanoseconds(info.get("created"))
    return "" if version is None else str(version).strip('"')


def _first_of(info: Info, names: tuple[str, ...]) -> object:
    return next(filter(None, map(info.get, names)), None)


def nanoseconds(time: object) -> int | None:
    """Return a time, as any library gives it, in nanoseconds since 1970."""
    if time is None:
        return None
    if isinstance(time, str):
        from email.utils import parsedate_to_datetime

        with suppress(ValueError):
            time = parsedate_to_datetime(time) if "," in time else datetime.fromisoformat(time)
    if isinstance(time, datetime):
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return int(time * 1_000_000) * 1000 if isinstance(time, int | float) else None


@contextmanager
def said_plainly(address: str, kind: type[PhotoError] = UnreadablePhotoError) -> Iterator[None]:
    """Turn any error of a storage's library into a sentence with the address."""
    try:
        yield
    except (PhotoError, InvalidValueError, MissingExtraError):
        raise
    except ImportError as error:
        raise MissingExtraError(_missing(address)) from error
    except Exception as error:  # each library has its own
        cause = cause_of(error)
        raise kind(f"{cleaned(address)}: {_reason(cause, kind)}.") from cause


def cause_of(error: Exception) -> Exception:
    """Return what is behind an error: fsspec calls any answer of a web server 'not found'."""
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or not isinstance(cause, Exception):
        return error
    return error if _http_status(cause) in (404, 410) else cause


def _missing(address: str) -> str:
    scheme = scheme_of(link(address)[2] or address)
    package, extra = PACKAGES.get(scheme, ("a package of fsspec's list", None))
    return (
        f"{cleaned(address)}: addresses with {scheme}:// need {package}, which is not installed. "
        f"{how_to_install(extra) if extra else 'Install it.'}"
    )


def _reason(error: BaseException, kind: type[PhotoError]) -> str:
    cannot = "cannot be written" if kind is UnwritablePhotoError else "cannot be read"
    if isinstance(error, FileNotFoundError):
        return "does not exist" if kind is UnreadablePhotoError else f"{cannot} (no such place)"
    if isinstance(error, KeyError):
        return f"{cannot} (its archive has no such name)"
    if is_denied(error):
        return f"{cannot} (access denied). Check the rights of your credentials"
    if _has_no_credentials(error):
        return f"{cannot} (no credentials were found for this storage)"
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        return "is of an unknown kind; s3://, gs://, abfs://, sftp://, https:// are known"
    lines = str(error).strip().splitlines()
    what = without_secrets(lines[0])[:200].rstrip(". ") if lines else ""
    return f"{cannot} ({what or type(error).__name__})"


def is_denied(error: BaseException | None) -> bool:
    """Return whether an error is that the credentials have no right to something."""
    return isinstance(error, PermissionError) or _http_status(error) in (401, 403)


def _has_no_credentials(error: BaseException) -> bool:
    """Return whether a storage's library found no credentials; adlfs says so in sentences."""
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        return True
    said = ("unable to connect to account for Must provide", "DefaultAzureCredential failed")
    return str(error).startswith(said)


# Ends of the names of errors that a storage's library raises if there is no answer.
PASSING = (
    *("ConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"),
    *("ClientConnectorError", "ServerDisconnectedError", "ServerTimeoutError"),
    *("IncompleteRead", "ClientPayloadError", "ResponseStreamingError"),
    *("ServiceRequestError", "ServiceResponseError", "ServiceRequestTimeoutError"),  # Azure's
    *("ServiceResponseTimeoutError", "IncompleteReadError", "TransportError", "ProxyError"),
)
TOO_MANY, FULL = 429, 507  # of HTTP
STATUSES = ("status", "status_code", "code")  # aiohttp's, Azure's, gcsfs's


def may_pass(error: BaseException) -> bool:
    """Return whether an error is that a storage does not answer, or is not ready now."""
    seen: BaseException | None = error
    while seen is not None:
        status = _http_status(seen)
        if isinstance(seen, ConnectionError | TimeoutError) or type(seen).__name__.endswith(
            PASSING
        ):
            return True
        if status is not None and (status >= 500 or status == TOO_MANY) and status != FULL:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _http_status(error: BaseException | None) -> int | None:
    """Return the status of HTTP in an error of a storage's library; each calls it otherwise."""
    response = getattr(error, "response", None)  # botocore's
    told = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    if isinstance(error, OSError) and str(error).startswith("Forbidden: "):  # gcsfs's
        return 403
    # One after the other: some warn that another is preferred.
    others = (getattr(error, name, None) for name in STATUSES)
    statuses = chain([told.get("HTTPStatusCode")], others)
    return next((status for status in statuses if isinstance(status, int)), None)
