"""The original file of a photo: its state, and a check that no result replaces it."""

from pathlib import Path

from photochrom.engine.output_names import state_of
from photochrom.errors import UnreadablePhotoError, UnwritablePhotoError
from photochrom.photo.photo import Photo


def photo_state(photo: Photo) -> str:
    """Return the state of a photo's file for the result's marker; empty without a file."""
    try:
        return "" if photo.path is None else state_of(photo.path)
    except OSError as error:
        raise UnreadablePhotoError(f"{photo.name}: cannot be read ({error.strerror}).") from error


def keep_original(photo: Photo, target: Path) -> None:
    """Raise UnwritablePhotoError if a result would replace its original."""
    source = photo.path
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise UnwritablePhotoError(f"{target}: would replace the original. Name another file.")
