"""Files and times that accompany a photograph: XMP sidecars, file times."""

import os
from pathlib import Path

from photochrom.errors import UnwritablePhotoError
from photochrom.photo.atomic import atomic_target

MOST_SIDECAR_BYTES = 1 << 24


def carry_along(source: Path, target: Path, *, keep_time: bool = False) -> list[str]:
    """Copy a photograph's XMP sidecars and, if requested, its file times to the result.

    Sidecars are named `photo.xmp` or `photo.jpg.xmp`; the copies follow the same pattern.

    Parameters
    ----------
    source, target : Path
        The photograph and the written result.
    keep_time : bool
        Copy the photograph's access and modification times to the result.

    Returns
    -------
    list of str
        Notes on what was copied, or why not.

    Raises
    ------
    UnwritablePhotoError
        If the folder of the result cannot be written.
    """
    notes = []
    pairs = (
        (source.with_suffix(".xmp"), target.with_suffix(".xmp")),
        (source.with_name(source.name + ".xmp"), target.with_name(target.name + ".xmp")),
    )
    for old, new in dict(pairs).items():
        if old != source and old != new and old.is_file():
            notes.append(_carry(old, new))
    if keep_time:
        try:
            state = source.stat()
            os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
        except OSError as error:
            notes.append(f"the times of the file could not be kept ({error.strerror})")
    return notes


def _carry(old: Path, new: Path) -> str:
    try:
        if old.stat().st_size > MOST_SIDECAR_BYTES:
            return f"{old.name} has more than {MOST_SIDECAR_BYTES >> 20} MB: not copied"
        content = old.read_bytes()
        if new.exists() and new.read_bytes() != content:
            return f"{new.name} already exists and differs from {old.name}: left unchanged"
    except OSError as error:
        return f"{old.name} cannot be read ({error.strerror}): not copied"
    with atomic_target(new) as part:
        try:
            part.write_bytes(content)
        except OSError as error:
            raise UnwritablePhotoError(f"{new}: cannot be written ({error.strerror}).") from error
    return f"{old.name} was copied to {new.name}"
