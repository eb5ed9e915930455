"""Which module reads what a file of each kind carries."""

from collections.abc import Callable
from pathlib import Path

from photochrom.photo.decoder_excerpt import Excerpt
from photochrom.photo.metadata.carried import MOST_PROFILE, Carried, whole
from photochrom.photo.metadata.gif import read_gif
from photochrom.photo.metadata.heif import read_boxes
from photochrom.photo.metadata.jpeg import read_jpeg, say_trailer
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
    """What each page of a file carries, read when it is asked for.

    Parameters
    ----------
    path : Path
    kind : str
        As `photochrom.photo.sniff.sniff` tells it.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._path, self._kind = path, kind
        self._pages: tuple[int, ...] | None = None
        self._last: tuple[int, Carried] | None = None
        self._profiles: dict[bytes, bytes] = {}

    @property
    def pages(self) -> tuple[int, ...]:
        """Where the directories of a TIFF stand; empty for other kinds.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        if self._pages is None:
            self._pages = find_pages(self._path) if self._kind == "tiff" else ()
        return self._pages

    def of(self, page: int) -> Carried:
        """Return what a page carries; that of the page asked for last is kept.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        if self._last is None or self._last[0] != page:
            self._last = (page, self._read(page))
        return self._last[1]

    def shown(self, page: int) -> Excerpt:
        """Return what a decoder is shown of a page.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        if self._kind == "tiff":
            return show_page(self._path, self.pages, page)
        return self.of(page).shown

    def late_notes(self) -> tuple[str, ...]:
        """Say what only a reading of the whole file tells: what stands behind a JPEG's end.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        return say_trailer(self._path) if self._kind == "jpeg" else ()

    def one_profile(self, profile: bytes | None) -> bytes | None:
        """Return a profile that pages share as one object; None if all together are too large."""
        if profile is None:
            return None
        if profile not in self._profiles:
            if sum(map(len, self._profiles)) + len(profile) > 2 * MOST_PROFILE:
                return None
            self._profiles[profile] = profile
        return self._profiles[profile]

    def _read(self, page: int) -> Carried:
        if self._kind == "tiff":
            return read_page(self._path, self.pages, page)
        if self._kind in READERS:
            return READERS[self._kind](self._path)
        return Carried(whole(self._path.stat().st_size), known=False)
