"""Addresses of files: `s3://bucket/a.jpg`, `https://...`, `zip://a/b.jpg::s3://bucket/x.zip`.

Only texts are handled here; `photochrom.photo.storage` reads and writes what they name. Plain paths
are no addresses; `file://` is turned into a path. A member of an archive is named before it, with
`::` between them, as fsspec writes it.
"""

import os
import re
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from photochrom.errors import InvalidValueError

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # a drive of Windows has one letter
ARCHIVE_BEGINS = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]+://)")
ARCHIVES = {".tar": "tar", ".tar.gz": "tar", ".tgz": "tar", ".zip": "zip"}
SCHEMES_OF_ARCHIVES = frozenset(ARCHIVES.values())
WEB = frozenset(("http", "https"))
GOOGLE = frozenset(("gs", "gcs"))
AZURE = frozenset(("abfs", "abfss", "az"))
ALIASES = {"gcs": "gs", "abfss": "abfs", "az": "abfs", "s3a": "s3", "ssh": "sftp"}
SECRET = re.compile(
    r"signature|token|credential|passw|secret|access_?key|api_?key|auth|^x-(amz|goog|ms)-"
    r"|^(key|sig|expires|policy|key-pair-id|googleaccessid)$"
    r"|^(se|sp|sv|sr|st|ss|srt|spr|sip|skoid|sktid|skt|ske|sks|skv|sdd)$",
    re.IGNORECASE,
)
USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/]*)@")
CONTAINER = re.compile(r"[a-z0-9$-]+")  # as in abfs://container@account.dfs.core.windows.net
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
MOST_NAMES = 1_000_000  # that braces stand for
MOST_NAME_BYTES = 255  # of file systems


def is_address(text: object) -> bool:
    """Return whether a text is an address and not a path."""
    return isinstance(text, str) and "://" in text and ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    """Return the scheme of an address, such as 's3'."""
    return address.partition("://")[0].lower()


def path_or_address(text: str) -> Path | str:
    """Return an address as text, anything else and `file://` addresses as a path."""
    if not is_address(text):
        return Path(text)
    if text[:4].lower() == "file" and scheme_of(text) == "file" and "::" not in text:
        from urllib.request import url2pathname  # imports what only web addresses need

        return Path(url2pathname(urlsplit(text).path))
    return text


def cleaned(address: str) -> str:
    """Return an address without password and signature, for messages, tables and markers.

    The same file has the same cleaned address whoever reads it and whenever a signature was made.
    """
    if "@" not in address and "?" not in address:  # one of millions
        return address
    head, chained, rest = link(address)
    if chained:
        return f"{head}::{cleaned(rest)}"
    if not is_address(address):
        return address
    address = USER.sub(_without_password, address, count=1)
    if scheme_of(address) not in WEB or "?" not in address:
        return address
    place, _, query = address.partition("?")
    kept = [part for part in query.partition("#")[0].split("&") if not _is_secret(part)]
    return f"{place}?{'&'.join(map(_shortened, kept))}" if kept else place


def all_cleaned(addresses: list[str]) -> list[str]:
    """Return `cleaned` of each address; of millions, nearly all are so already."""
    return [a if "@" not in a and "?" not in a else cleaned(a) for a in addresses]


def _without_password(found: re.Match[str]) -> str:
    """Return the begin of an address without user and password; Azure names a container there."""
    scheme, user = found["scheme"], found["user"]
    is_container = scheme.lower() in AZURE and CONTAINER.fullmatch(user)
    return f"{scheme}://{user}@" if is_container else f"{scheme}://"


def _is_secret(part: str) -> bool:
    return SECRET.search(unquote(part.partition("=")[0])) is not None


def _shortened(part: str) -> str:
    """Return a part of a query with a long value, which may be a secret, as its hash."""
    name, _, value = part.partition("=")
    return part if len(value) <= 40 else f"{name}={sha256(value.encode()).hexdigest()[:12]}"


def without_secrets(text: str) -> str:
    """Return a text in which each address is cleaned, also one that became a path: `s3:/u:p@h`."""
    text = re.sub(r"\b([A-Za-z][A-Za-z0-9+.-]+:/)(?!/)[^/\s]*@", r"\1", text)
    return re.sub(r"""[A-Za-z][A-Za-z0-9+.-]+://[^\s'"<>()]+""", lambda m: cleaned(m[0]), text)


def name_of(address: str) -> str:
    """Return the last part of an address: the file's own name."""
    head = link(address)[0]
    if scheme_of(head) in WEB:
        head = unquote(urlsplit(head).path)
    return head.rstrip("/").rpartition("/")[2]


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


def path_of(address: str) -> str:
    """Return the path below a bucket, container or host; of a member, below its archive's name."""
    head, chained, rest = link(address)
    if chained:
        return f"{archive_stem(rest)}/{head.partition('://')[2].lstrip('/')}"
    if scheme_of(address) in WEB:
        return unquote(urlsplit(address).path).lstrip("/")
    return address.partition("://")[2].lstrip("/").partition("/")[2]


def parent_of(address: str) -> str:
    """Return the folder of a file."""
    head, chained, rest = link(address)
    folder = head.rstrip("/").rpartition("/")[0]
    return f"{folder}/{chained}{rest}" if chained else folder


def beside(address: str, name: str) -> str:
    """Return the address of another file in the same folder."""
    head, chained, rest = link(address)
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


def child(folder: str, name: str) -> str:
    """Return the address of a name, which was checked, below a folder."""
    head, chained, rest = link(folder)
    return f"{head}{'' if head.endswith('/') else '/'}{name}{chained}{rest}"


def around(folder: str) -> tuple[str, str]:
    """Return what stands before and after a name in a folder, local or not."""
    if is_address(folder):
        before, after = child(folder, "\n").split("\n", 1)
        return before, after
    return ("", "") if folder == "." else (f"{folder.rstrip('/')}/", "")


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


def companions_of(name: str) -> tuple[str, ...]:
    """Return the names that XMP sidecars of a picture may have."""
    names = (str(PurePosixPath(name).with_suffix(".xmp")), f"{name}.xmp")
    return tuple(dict.fromkeys(other for other in names if other != name))


def is_below(address: str, folder: str) -> bool:
    """Return whether an address lies inside a folder, or is that folder."""
    return _in_one_spelling(address).startswith(_in_one_spelling(folder))


def _in_one_spelling(folder: str) -> str:
    """Return the address of a folder with the usual one of several schemes of its storage."""
    folder = cleaned(folder).rstrip("/") + "/"
    scheme, separator, rest = folder.partition("://")
    return f"{ALIASES.get(scheme.lower(), scheme.lower())}://{rest}" if separator else folder


def is_archive(text: str) -> bool:
    """Return whether a name ends like an archive's whose members can be read."""
    return _archive_end(name_of(text)) is not None


def _archive_end(name: str) -> str | None:
    return next((end for end in ARCHIVES if name.lower().endswith(end)), None)


def archive_stem(archive: str) -> str:
    """Return the name of an archive without its end: `x` of `s3://bucket/x.tar.gz`."""
    name = name_of(archive)
    end = _archive_end(name)
    return name[: -len(end)] if end and len(name) > len(end) else PurePosixPath(name).stem


def inside(archive: str) -> str:
    """Return the address of an archive's contents: `zip://::s3://bucket/x.zip`."""
    end = _archive_end(name_of(archive))
    assert end is not None
    return f"{ARCHIVES[end]}://::{archive}"


def is_writable(address: str) -> bool:
    """Return whether results can be written to this kind of storage at all."""
    return scheme_of(address) not in WEB | SCHEMES_OF_ARCHIVES


def link(address: str) -> tuple[str, str, str]:
    """Split a member of an archive from the archive: (member, '::', archive), or (address, '', '').

    Names may have '::' too: the archive begins at the first scheme after one, or at the last one.
    """
    if "::" not in address or scheme_of(address) not in SCHEMES_OF_ARCHIVES:
        return address, "", ""
    found = ARCHIVE_BEGINS.search(address)
    if found:
        return address[: found.start()], "::", address[found.end() :]
    member, chained, archive = address.rpartition("::")
    return (member, chained, archive) if chained else (address, "", "")


def expanded(source: str) -> list[str]:
    """Return the names that braces stand for: `scans-{0000..0009}.tar`, `{a,b}.zip`.

    A local file that has such a name is itself.
    """
    if "{" not in source or (not is_address(source) and Path(source).exists()):
        return [source]
    found = BRACES.search(source)
    if found is None:
        return [source]
    if found[3] is not None:
        middle = found[3].split(",")
    else:
        first, last = int(found[1]), int(found[2])
        if not 0 <= last - first < MOST_NAMES:
            raise InvalidValueError(
                f"{cleaned(source)}: the numbers in braces must rise, by at most {MOST_NAMES:,}."
            )
        middle = [f"{number:0{len(found[1])}}" for number in range(first, last + 1)]
    return [
        name
        for part in middle
        for name in expanded(f"{source[: found.start()]}{part}{source[found.end() :]}")
    ]
