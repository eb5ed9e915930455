"""Write text files, with errors of their own."""

from pathlib import Path

from photochrom.errors import UnwritableFileError


def write_text(path: Path, text: str) -> None:
    """Write a text, or raise UnwritableFileError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnwritableFileError(f"{path}: cannot be written ({error.strerror}).") from error
