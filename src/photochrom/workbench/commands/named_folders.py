"""Options of the form NAME=FOLDER."""

from collections.abc import Sequence
from pathlib import Path

from photochrom.errors import InvalidValueError


def named_folders(outputs: Sequence[str]) -> dict[str, Path]:
    """Read `--outputs NAME=FOLDER`, given any number of times.

    Raise InvalidValueError if one has another form, or a name comes again.
    """
    found: dict[str, Path] = {}
    for text in outputs:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise InvalidValueError(f"--outputs needs NAME=FOLDER; got {text!r}.")
        if name in found:
            raise InvalidValueError(f"--outputs names {name!r} twice; each row needs its own name.")
        found[name] = Path(folder)
    return found
