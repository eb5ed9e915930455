"""Create files that only their owner can read, before a library creates them for all."""

import os
from contextlib import suppress
from pathlib import Path


def make_private(path: Path) -> None:
    """Create an empty file that only its owner can read and write, if there is none.

    If that fails, the database's library reports the error.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
