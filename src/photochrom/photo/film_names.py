"""Which files are films, by their names."""

from pathlib import Path

# fmt: off
FILM_SUFFIXES = frozenset((
    ".3gp", ".avi", ".dv", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
))
# fmt: on


def is_film(path: Path) -> bool:
    """Return whether a path's name ends like a film's."""
    return path.suffix.lower() in FILM_SUFFIXES
