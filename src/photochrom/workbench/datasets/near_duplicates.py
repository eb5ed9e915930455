"""Find near-duplicates without comparing all pairs.

dHash after N. Krawetz, "Kind of Like That" (2013): of a picture reduced to 9 x 8 grays, whether
each is brighter than its left neighbour. Copies at another size, quality or tone differ in a few of
the 64 bits. Two hashes that differ in N bits agree in at least one of any N + 1 bands, so only
hashes that share a band are compared.
"""

from array import array
from collections import defaultdict

import numpy as np

from photochrom.errors import InvalidValueError

HASH_BITS = 64
WIDEST_BAND = 16  # of more bits a table would have more places than pictures
LARGEST_DISTANCE = 32  # hashes of strangers differ in 32 bits on average
BLOCK = 512  # hashes compared with all others of their bucket at a time


def dhash(rgb: np.ndarray) -> int:
    """Return the difference hash of a uint8 picture (H, W, 3).

    64 bits, row by row, the first the highest; 0 for a flat picture.
    """
    from PIL import Image

    gray = Image.fromarray(rgb).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    levels = np.asarray(gray, np.int16)
    bits = np.packbits(levels[:, 1:] > levels[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def bands(distance: int) -> list[tuple[int, int]]:
    """Return shift and mask of `distance` + 1 separate bands of a hash.

    Raise InvalidValueError if `distance` is not in 0..32.
    """
    if not 0 <= distance <= LARGEST_DISTANCE:
        raise InvalidValueError(
            f"The distance of near-duplicates must be 0 to {LARGEST_DISTANCE} bits; got {distance}."
        )
    edges = np.linspace(0, HASH_BITS, distance + 2).astype(int)
    widths = np.minimum(np.diff(edges), WIDEST_BAND)
    return [(int(s), (1 << int(w)) - 1) for s, w in zip(edges[:-1], widths, strict=True)]


class NearIndex:
    """An index of hashes that finds whether a new one is near any of them.

    Near-duplicates differ in at most `distance` bits, 0..32.
    """

    def __init__(self, distance: int) -> None:
        self.distance = distance
        self._bands = bands(distance)
        self._buckets: list[defaultdict[int, array[int]]] = [
            defaultdict(lambda: array("Q")) for _ in self._bands
        ]

    def add(self, value: int) -> None:
        """Remember a hash."""
        for (shift, mask), buckets in zip(self._bands, self._buckets, strict=True):
            buckets[value >> shift & mask].append(value)

    def holds_near(self, value: int) -> bool:
        """Whether a hash within the distance was added."""
        wanted = np.uint64(value)
        for (shift, mask), buckets in zip(self._bands, self._buckets, strict=True):
            bucket = buckets.get(value >> shift & mask)
            if bucket is None:
                continue
            differing = np.bitwise_count(np.frombuffer(bucket, np.uint64) ^ wanted)
            if int(differing.min()) <= self.distance:
                return True
        return False


class Union:
    """Disjoint sets of numbers; the smallest stands for its set."""

    def __init__(self, count: int) -> None:
        self.parent = list(range(count))

    def find(self, item: int) -> int:
        """Return the number that stands for the set of `item`."""
        parent = self.parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, one: int, two: int) -> None:
        """Make the sets of both one."""
        first, second = sorted((self.find(one), self.find(two)))
        self.parent[second] = first


def near_groups(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Put pictures into groups, so that near-duplicates are never apart, by their hashes (N,).

    Near-duplicates differ in at most `distance` bits, 0..32. Groups are chains, the ends of which
    may differ more; they are numbered by their first picture, 0 onwards.
    """
    unique, inverse = np.unique(hashes.astype(np.uint64), return_inverse=True)
    union = Union(len(unique))
    for shift, mask in bands(distance) if distance else ():
        key = (unique >> np.uint64(shift)) & np.uint64(mask)
        order = np.argsort(key, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
            _join_near(unique, bucket, distance, union)
    root = np.array([union.find(i) for i in range(len(unique))], np.int64)[inverse]
    _, first, group = np.unique(root, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[group], np.int64)


def _join_near(unique: np.ndarray, bucket: np.ndarray, distance: int, union: Union) -> None:
    if len(bucket) < 2:
        return
    for start in range(0, len(bucket), BLOCK):
        rows, rest = bucket[start : start + BLOCK], bucket[start:]
        near = np.bitwise_count(unique[rows][:, None] ^ unique[rest][None]) <= distance
        for one, two in np.argwhere(np.triu(near, 1)):
            union.join(int(rows[one]), int(rest[two]))
