"""Annotation lists: which pictures show something, in the format of MIR-FLICKR-25k.

Huiskes and Lew, "The MIR Flickr Retrieval Evaluation", 2008: for each concept one text file, such
as `bird.txt`, with one picture a line: its number (17 is im17.jpg) or its file name.
"""

import re
from pathlib import Path

from photochrom.errors import DataError

_NUMBER = re.compile(r"(\d+)$")


def read_annotations(folder: Path, labels: tuple[str, ...]) -> dict[str, str]:
    """Read which pictures carry labels: number or file name -> label.

    The folder holds a file LABEL.txt for each label; of a picture in several lists the first
    counts. Raise DataError if a list is missing or empty.
    """
    found: dict[str, str] = {}
    for label in labels:
        file = folder / f"{label}.txt"
        try:
            lines = file.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            known = ", ".join(sorted(f.stem for f in folder.glob("*.txt"))) or "none"
            raise DataError(f"{file}: no readable list of that label. Lists: {known}.") from error
        names = [_plain(line.strip()) for line in lines if line.strip()]
        if not names:
            raise DataError(f"{file}: the list of pictures is empty.")
        found |= {name: label for name in names if name not in found}
    return found


def annotated_label(path: Path, annotations: dict[str, str]) -> str | None:
    """Return a picture's label by its file name, its name without suffix, or the number it ends in.

    None if no list has the picture.
    """
    number = _NUMBER.search(path.stem)
    names = (path.name, path.stem, *([_plain(number[1])] if number else []))
    return next((annotations[name] for name in names if name in annotations), None)


def _plain(name: str) -> str:
    """Return a number without leading zeros, a name unchanged."""
    return str(int(name)) if name.isdecimal() else name
