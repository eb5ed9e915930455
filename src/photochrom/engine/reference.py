"""Colour references: a colour photograph to take colours from, or a folder of them.

Welsh et al. (2002) note that choosing a reference by hand is laborious. Here the photochrom
network chooses the most similar photograph of a folder: it sees each candidate in gray, as it sees
the photograph, and the colour distributions that it predicts in a few parts of the picture are
compared. So grass matches grass and skin matches skin, whatever their true colours are.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from photochrom.color.bins import histogram
from photochrom.color.lab import rgb_to_lab
from photochrom.colorization.method import Method, Request
from photochrom.engine.picture_kinds import open_picture
from photochrom.engine.picture_types import PictureOrPhoto
from photochrom.errors import InvalidValueError, PhotoError, UnreadablePhotoError
from photochrom.photo.addresses import cleaned, is_address, name_of
from photochrom.photo.resize import resize
from photochrom.photo.temporary_folders import remove_with, scratch

SMALL_PX = 192  # short side at which a reference is kept
HISTOGRAM_STEP = 4  # the network was trained on histograms of colours averaged over 4 x 4 pixels
COMPARED_PX = 128  # sides at which pictures are compared
CELLS = 2  # parts per side whose predicted colours are compared, besides the whole


@dataclass(frozen=True)
class Reference:
    """A reference, reduced to a small copy.

    Attributes
    ----------
    lab : float32 array, (h, w, 3)
        L*a*b*.
    name, sha256 : str
        Name and hash of its file; '' for an array.
    """

    lab: np.ndarray = field(repr=False, compare=False)
    name: str = ""
    sha256: str = ""

    @classmethod
    def of(cls, picture: PictureOrPhoto) -> Self:
        """Read a reference.

        Parameters
        ----------
        picture : str, Path, bytes, binary file, PIL image, tensor, or uint8 array (H, W, 3)
            A str may be an address.

        Raises
        ------
        PhotoError
            If the file cannot be read.
        InvalidValueError
            If it is not in colour.
        """
        if isinstance(picture, str) and is_address(picture):
            return cls._far(picture)
        photo = open_picture(picture)
        width, height = photo.upright_size
        scale = min(1.0, SMALL_PX / min(width, height))
        rgb = photo.small_rgb(max(1, round(width * scale)), max(1, round(height * scale)))
        lab = np.asarray(rgb_to_lab(rgb / np.float32(255)), np.float32)
        if not photo.is_colour:
            raise InvalidValueError(
                f"{photo.name}: a reference must be in colour; this picture is not."
            )
        content = b"" if photo.path is None else photo.path.read_bytes()
        digest = hashlib.sha256(content).hexdigest() if content else ""
        return cls(lab, str(picture) if isinstance(picture, (str, Path)) else "", digest)

    @classmethod
    def _far(cls, address: str) -> Self:
        from photochrom.photo.storage import local_copy

        name = cleaned(address)
        with local_copy(address) as path:
            try:
                return replace(cls.of(path), name=name)
            except (PhotoError, InvalidValueError) as error:
                raise type(error)(str(error).replace(str(path), name)) from error

    def to_table(self) -> dict[str, str]:
        """Return its entry in a sidecar."""
        return {"file": self.name, "sha256": self.sha256}

    def histogram(self, centres: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the share of each bin, and the mean chroma in ab units.

        Parameters
        ----------
        centres : float array, (Q, 2)

        Returns
        -------
        histogram : float32 array, (Q,)
        chroma : float
        """
        ab = self.lab[..., 1:]
        high, wide = (max(1, side // HISTOGRAM_STEP) for side in ab.shape[:2])
        small = resize(ab, high, wide).reshape(-1, 2)
        shares = np.asarray(histogram(small, centres), np.float32)
        return shares, float(np.hypot(small[:, 0], small[:, 1]).mean())


class References:
    """A folder of references, of which the most similar one is used.

    Parameters
    ----------
    folder : Path
    photos : sequence of Path
        The photographs in it.
    names : mapping of Path to str, optional
        What the folder and photographs are called, if they are copies.

    Raises
    ------
    InvalidValueError
        If none of the photographs can be used.
    """

    def __init__(
        self, folder: Path, photos: Sequence[Path], names: Mapping[Path, str] | None = None
    ) -> None:
        self.folder, self.photos, self.names = folder, photos, names or {}
        self._described: list[tuple[Path, np.ndarray]] | None = None

    def to_table(self) -> dict[str, str]:
        """Return its entry in a marker."""
        return {"folder": self._name(self.folder)}

    def _name(self, path: Path) -> str:
        return self.names.get(path, str(path))

    @classmethod
    def far(cls, address: str) -> Self:
        """Copy a folder of references at an address to a temporary folder, and return them.

        The copies are removed with the object.

        Raises
        ------
        PhotoError
            If it cannot be read, or has no photographs.
        """
        from photochrom.photo.storage import fetch, find

        folder = Path(tempfile.mkdtemp(dir=scratch()))
        names = {folder: cleaned(address)}
        references = cls(folder, [], names)
        remove_with(references, folder)
        for number, found in enumerate(find(address, recursive=True)):
            path = folder / f"{number}{Path(name_of(found.address)).suffix}"
            fetch(found.address, path, known=found)
            names[path] = cleaned(found.address)
        if len(names) == 1:
            raise UnreadablePhotoError(f"{cleaned(address)}: no pictures in this folder.")
        references.photos = sorted(names.keys() - {folder})
        return references

    def choose(self, lightness: np.ndarray, method: Method) -> Reference:
        """Return the photograph that is most similar to a picture.

        Parameters
        ----------
        lightness : float array, (h, w)
            L* of the picture, small.
        method : Method
            A method that predicts a distribution, such as photochrom.

        Returns
        -------
        Reference
        """
        if self._described is None:
            self._described = list(_describe_all(self.photos, method))
        if not self._described:
            raise InvalidValueError(f"{self._name(self.folder)}: contains no colour photograph.")
        wanted = describe(lightness, method)
        best = max(self._described, key=lambda pair: float(wanted @ pair[1]))[0]
        return replace(Reference.of(best), name=self._name(best))


def _describe_all(photos: Sequence[Path], method: Method) -> Iterator[tuple[Path, np.ndarray]]:
    """Describe the usable photographs; files that cannot be read or have no colour are skipped."""
    for path in photos:
        try:
            yield path, describe(Reference.of(path).lab[..., 0], method)
        except (PhotoError, InvalidValueError):
            continue


def describe(lightness: np.ndarray, method: Method) -> np.ndarray:
    """Return the colours that a method predicts for a picture, as a unit vector.

    Parameters
    ----------
    lightness : float array, (h, w)
        L* in [0, 100].
    method : Method
        A method that predicts a distribution.

    Returns
    -------
    float array, (n,)
        Square roots of shares, for the whole and for parts; the product of two is their
        Bhattacharyya coefficient.
    """
    side = COMPARED_PX - COMPARED_PX % method.info.stride
    square = resize(lightness[..., None].astype(np.float32), side, side)[..., 0]
    logits = method.predict(Request(square, distribution=True)).distribution
    if logits is None:
        raise InvalidValueError(f"The method '{method.info.name}' cannot compare photographs.")
    shares = np.exp(logits - logits.max(axis=0))
    shares = np.moveaxis(shares / shares.sum(axis=0), 0, -1)
    parts = [resize(shares, n, n).reshape(-1) / (n * n) for n in (1, CELLS)]
    tones = np.histogram(square, bins=10, range=(0, 100))[0] / square.size
    described = np.sqrt(np.concatenate([*parts, tones]))
    return np.asarray(described / np.linalg.norm(described))
