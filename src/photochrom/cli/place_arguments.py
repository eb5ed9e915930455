"""Arguments that are paths or addresses: `old.jpg`, `s3://archive/old.jpg`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import Token


def place(type_: object, tokens: "Sequence[Token]") -> Path | str:
    """Convert a token to a path, or leave it as text if it is an address."""
    from photochrom.photo.addresses import path_or_address

    return path_or_address(tokens[0].value)


def places(type_: object, tokens: "Sequence[Token]") -> list[Path | str]:
    """Convert tokens to paths and addresses."""
    return [place(type_, [token]) for token in tokens]


def local(path: Path | str | None) -> Path | None:
    """Return a path that is no address, since those were taken out before."""
    return None if path is None else Path(path)
