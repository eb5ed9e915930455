"""A cache of the latest pictures of a photograph, by request, so that undo is immediate."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MOST_BYTES = 4_000_000  # a dozen previews or more
V = TypeVar("V")


class ByteCache(Generic[V]):
    """A cache of a limited size; the least recently used is removed first.

    Parameters
    ----------
    most_bytes : int
        Maximum size of all values together.
    size_of : callable
        Returns the bytes of a value.
    """

    def __init__(self, most_bytes: int, size_of: Callable[[V], int]) -> None:
        self._most, self._size_of, self._bytes = most_bytes, size_of, 0
        self._kept: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Return the cached value, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, value: V) -> V:
        """Store a value and return it."""
        if key in self._kept:
            self._bytes -= self._size_of(self._kept.pop(key))
        self._kept[key] = value
        self._bytes += self._size_of(value)
        while self._bytes > self._most:
            self._bytes -= self._size_of(self._kept.popitem(last=False)[1])
        return value
