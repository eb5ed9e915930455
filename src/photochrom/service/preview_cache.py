"""A cache of the latest pictures of a photograph, by request, so that undo is immediate."""

from collections import OrderedDict
from collections.abc import Hashable

MOST_BYTES = 4_000_000  # a dozen previews or more


class PreviewCache:
    """A cache of encoded pictures; the least recently used is removed first.

    Parameters
    ----------
    most_bytes : int
        Maximum size of the cache.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return the cached picture, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, content: bytes) -> bytes:
        """Store a picture and return it."""
        self._bytes += len(content) - len(self._kept.pop(key, b""))
        self._kept[key] = content
        while self._bytes > self._most:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return content
