"""Hashes of 64 bits, by which millions of names are known in little memory.

Among ten million names, two are expected to collide in one of 400,000 such sets.

States and recipes have the same hash everywhere. Names are compared within one process only, so
that Python's own hash of texts serves them: it has 64 bits too, and takes a tenth of the time.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np


def hashed(*parts: object) -> int:
    """Return a hash of texts or numbers."""
    text = "\n".join(map(str, parts)).encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def hashes_of(texts: Sequence[str]) -> np.ndarray:
    """Return `hashed` of each text, as a uint64 array."""
    digests = (
        blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest() for text in texts
    )
    return np.frombuffer(b"".join(digests), "<u8")


def name_hashes(names: Sequence[str]) -> np.ndarray:
    """Return a hash of each name, as a uint64 array; other processes have other hashes."""
    return _hashes_here(names, len(names))


def pair_hashes(sources: Sequence[str], results: Sequence[str]) -> np.ndarray:
    """Return a hash of each source with its result, as `name_hashes` does of names."""
    return _hashes_here(zip(sources, results, strict=True), len(sources))


def _hashes_here(things: Iterable[object], count: int) -> np.ndarray:
    return np.fromiter(map(hash, things), np.int64, count).view(np.uint64)


def state_hash(size: int | None, version: str) -> int:
    """Return the hash of a file's state; its lowest bit is free."""
    return hashed(size, version) & ~1


def state_hashes(sizes: Sequence[int | None], versions: Sequence[str]) -> np.ndarray:
    """Return `state_hash` of several files."""
    pairs = zip(sizes, versions, strict=True)
    return hashes_of([f"{size}\n{version}" for size, version in pairs]) & ~np.uint64(1)


def recipe_hash(recipe: str) -> int:
    """Return the hash of a recipe; its lowest bit is free."""
    return hashed(recipe) & ~1


class Hashes:
    """Hashes and a value of each: a dictionary of 16 bytes an entry. The last of equal ones counts.

    Parameters
    ----------
    keys, values : uint64 arrays
    """

    def __init__(self, keys: np.ndarray, values: np.ndarray) -> None:
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        del order
        if (keys[1:] == keys[:-1]).any():
            last = np.ones(len(keys), bool)
            last[:-1] = keys[1:] != keys[:-1]
            keys, values = keys[last], values[last]
        self._keys, self._values = keys, values

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which keys are there, and the value of each that is.

        Parameters
        ----------
        keys : uint64 array, (n,)

        Returns
        -------
        found : bool array, (n,)
        values : uint64 array, (n,)
            0 where there is none.
        """
        if not len(self._keys):
            return np.zeros(len(keys), bool), np.zeros(len(keys), np.uint64)
        places = np.searchsorted(self._keys, keys).clip(max=len(self._keys) - 1)
        found = self._keys[places] == keys
        return found, np.where(found, self._values[places], np.uint64(0))


def empty() -> Hashes:
    """Return a dictionary without entries."""
    return Hashes(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
