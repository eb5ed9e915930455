"""Files of one user alone, before a library makes them readable for all."""

import os
from contextlib import suppress
from pathlib import Path


def make_private(path: Path) -> None:
    """Make an empty file that its user alone may read and write, where there is none.

    One that cannot be made is left to the database's library to complain of.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
