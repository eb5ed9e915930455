"""Find out whether the files of a data set have changed.

Times alone prove nothing: whoever restores a backup, or copies a folder, has the same pictures with
other times. So a data set is named by its files' names, sizes and a sample of their contents; and a
file whose time has changed is compared by its content.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self
from zipfile import BadZipFile

import numpy as np

WHOLE_BYTES = 8_000_000  # larger files, such as Parquet, are compared by blocks
BLOCKS, BLOCK_BYTES = 64, 65_536
DIGEST_BYTES = 16
READERS = 8  # threads; reading and hashing need no Python
SAMPLED_FILES, SAMPLED_BYTES = 32, 16_384  # of the contents that name a data set

Report = Callable[[str], None]


def digest_of(file: Path) -> bytes:
    """Return a hash of a file's content: all of it, or 64 evenly spread blocks of a large one.

    What cannot be read has the hash 0: whoever decodes it will say so.
    """
    if not file.is_file():  # a pipe would keep us waiting for ever
        return bytes(DIGEST_BYTES)
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size <= WHOLE_BYTES:
                found.update(opened.read())
            else:
                for start in np.linspace(0, size - BLOCK_BYTES, BLOCKS).astype(int).tolist():
                    opened.seek(start)
                    found.update(opened.read(BLOCK_BYTES))
    except OSError:
        return bytes(DIGEST_BYTES)
    return found.digest()


def sample_of(files: Sequence[Path]) -> str:
    """Return a hash of the beginnings and ends of some files, 1 MB at most."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    spread = np.linspace(0, max(0, len(files) - 1), SAMPLED_FILES).astype(int)
    for number in sorted(set(spread.tolist())) if files else ():
        if not files[number].is_file():
            continue
        try:
            with files[number].open("rb") as opened:
                found.update(opened.read(SAMPLED_BYTES))
                opened.seek(max(0, os.fstat(opened.fileno()).st_size - SAMPLED_BYTES))
                found.update(opened.read(SAMPLED_BYTES))
        except OSError:
            found.update(b"unreadable")
    return found.hexdigest()


class Change(NamedTuple):
    """How files differ from their recorded state: how many in time, and in content."""

    times: int
    contents: int


@dataclass(frozen=True)
class FileStates:
    """The recorded state of each file of a data set, in the data set's order.

    sizes, times : int64 arrays, (N,); bytes, and nanoseconds since 1970
    digests : uint8 array, (N, 16)
    """

    sizes: np.ndarray
    times: np.ndarray
    digests: np.ndarray

    @classmethod
    def of(cls, files: Sequence[Path]) -> Self:
        """Read all files."""
        sizes, times = _stats(files)
        return cls(sizes, times, _digests(files))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read the recorded state; None if there is none, or it is damaged."""
        try:
            with path.open("rb") as file, np.load(file) as noted:
                return cls(noted["sizes"], noted["times"], noted["digests"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def save(self, path: Path) -> None:
        """Write it completely or not at all."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part.npz")
        try:
            np.savez(part, sizes=self.sizes, times=self.times, digests=self.digests)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def compare(self, files: Sequence[Path], report: Report) -> tuple[Change, Self]:
        """Compare files with their recorded state: by content if their times changed.

        Returns
        -------
        Change
        FileStates
            With the current times.
        """
        sizes, times = _stats(files)
        if len(sizes) != len(self.sizes) or (sizes != self.sizes).any():
            return Change(len(files), len(files)), self
        changed = np.flatnonzero(times != self.times)
        if not len(changed):
            return Change(0, 0), self
        report(f"{len(changed):,} of {len(files):,} files have other times: comparing contents ...")
        digests = _digests([files[int(i)] for i in changed])
        others = int((digests != self.digests[changed]).any(1).sum())
        return Change(len(changed), others), type(self)(sizes, times, self.digests)


def _stats(files: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    found = [(s.st_size, s.st_mtime_ns) for s in (file.stat() for file in files)]
    columns = np.array(found, np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _digests(files: Sequence[Path]) -> np.ndarray:
    with ThreadPoolExecutor(READERS) as pool:
        found = b"".join(pool.map(digest_of, files))
    return np.frombuffer(found, np.uint8).reshape(-1, DIGEST_BYTES)
