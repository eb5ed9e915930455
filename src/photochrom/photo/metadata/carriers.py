"""The readers of each format's metadata."""

from collections.abc import Callable
from pathlib import Path

from photochrom.photo.decoder_excerpt import Excerpt
from photochrom.photo.metadata.carried import MOST_PROFILE, Carried, whole
from photochrom.photo.metadata.gif import read_gif
from photochrom.photo.metadata.heif import read_boxes
from photochrom.photo.metadata.jpeg import read_jpeg, trailer_notes
from photochrom.photo.metadata.png import read_png
from photochrom.photo.metadata.webp import read_webp
from photochrom.photo.page_files import find_pages, read_page, show_page

READERS: dict[str, Callable[[Path], Carried]] = {
    "jpeg": read_jpeg,
    "png": read_png,
    "webp": read_webp,
    "avif": read_boxes,
    "heic": read_boxes,
    "gif": read_gif,
}


class Carriers:
    """The metadata of each page of a file, read on demand.

    Parameters
    ----------
    path : Path
    kind : str
        As `photochrom.photo.sniff.sniff` returns it.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._path, self._kind = path, kind
        self._pages: tuple[int, ...] | None = None
        self._last: tuple[int, Carried] | None = None
        self._profiles: dict[bytes, bytes] = {}

    @property
    def pages(self) -> tuple[int, ...]:
        """The offsets of a TIFF's directories; empty for other formats."""
        if self._pages is None:
            self._pages = find_pages(self._path) if self._kind == "tiff" else ()
        return self._pages

    def of(self, page: int) -> Carried:
        """Return the metadata of a page; that of the last one is cached."""
        if self._last is None or self._last[0] != page:
            if self._kind == "tiff":
                found = read_page(self._path, self.pages, page)
            elif self._kind in READERS:
                found = READERS[self._kind](self._path)
            else:
                found = Carried(whole(self._path.stat().st_size), known=False)
            self._last = (page, found)
        return self._last[1]

    def shown(self, page: int) -> Excerpt:
        """Return the excerpt of a page for a decoder."""
        if self._kind == "tiff":
            return show_page(self._path, self.pages, page)
        return self.of(page).shown

    def late_notes(self) -> tuple[str, ...]:
        """Return notes that need the whole file to be read: on data after the end of a JPEG."""
        return trailer_notes(self._path) if self._kind == "jpeg" else ()

    def one_profile(self, profile: bytes | None) -> bytes | None:
        """Return a shared copy of a profile; None if all profiles together are too large."""
        if profile is None:
            return None
        if profile not in self._profiles:
            if sum(map(len, self._profiles)) + len(profile) > 2 * MOST_PROFILE:
                return None
            self._profiles[profile] = profile
        return self._profiles[profile]
