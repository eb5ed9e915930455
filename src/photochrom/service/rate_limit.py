"""Rate limits: one token bucket per client, dropped when it is full."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000


class Rate:
    """Limit how often a client may do something.

    Parameters
    ----------
    burst : float
        Number allowed at once.
    per_second : float
        Number added per second.
    clock : callable
        Monotonic clock, in seconds.
    """

    def __init__(
        self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, and when

    def take(self, client: str) -> float:
        """Take one token; return the seconds to wait if there is none, else 0."""
        with self._lock:
            now = self._clock()
            tokens, then = self._left.pop(client, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._per_second)
            wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
            self._left[client] = (tokens if wait else tokens - 1, now)
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
            return wait
