"""Pictures that were made of a photograph lately, by what was asked: undo waits for none."""

from collections import OrderedDict
from collections.abc import Hashable

MOST_BYTES = 4_000_000  # a dozen previews or more


class PreviewCache:
    """Encoded pictures, the least recently used of which goes first.

    Parameters
    ----------
    most_bytes : int
        Of all together.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return what was kept, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, content: bytes) -> bytes:
        """Keep a picture, and give it back."""
        self._bytes += len(content) - len(self._kept.pop(key, b""))
        self._kept[key] = content
        while self._bytes > self._most:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return content
