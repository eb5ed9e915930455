"""Uploaded files: each has a private folder until it is closed, expires or is evicted."""

import asyncio
import secrets
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from photochrom.engine.reference import Reference
from photochrom.photo.temporary_folders import private_folder, remove
from photochrom.service.clients import CLIENT
from photochrom.service.jobs import Facts
from photochrom.service.limits import Limits
from photochrom.service.preview_cache import MOST_BYTES, ByteCache
from photochrom.service.problem_details import Problem, no_room

ID_BYTES = 16  # 128 bits
IDLE_SECONDS = 300.0
PREFIX = "photochrom-serve-"


@dataclass(eq=False)
class Kept:
    """One uploaded file.

    Attributes
    ----------
    folder : Path
        Its private folder.
    source : Path
        The uploaded file.
    name : str
        The client's name for it.
    id : str
        32 hexadecimal digits that cannot be guessed.
    client : str
        Client that uploaded it.
    used_at : float
        When it was used last, in seconds.
    users : int
        Requests and jobs that use it now.
    is_closed : bool
        Whether it is removed once nothing uses it.
    """

    folder: Path
    source: Path
    name: str
    id: str = field(default_factory=lambda: secrets.token_hex(ID_BYTES), kw_only=True)
    client: str = field(default_factory=CLIENT.get, kw_only=True)
    used_at: float = field(default=0.0, kw_only=True)
    users: int = field(default=0, kw_only=True)
    is_closed: bool = field(default=False, kw_only=True)


K = TypeVar("K", bound=Kept)


@dataclass(eq=False)
class Session(Kept):
    """One photograph.

    Attributes
    ----------
    facts : Facts
    preview : uint8 array, (h, w)
        Its proof.
    restored : uint8 array, (h, w), optional
        The restored proof, once it has been requested.
    reference : Reference, optional
    restoring : Lock
        Held while the restored proof is computed.
    turns : dict
        Number of the newest request, by kind.
    drawn : ByteCache
        Its latest pictures.
    """

    facts: Facts
    preview: np.ndarray
    restored: np.ndarray | None = None
    reference: Reference | None = None
    restoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: dict[str, int] = field(default_factory=dict)
    drawn: ByteCache[bytes] = field(default_factory=lambda: ByteCache(MOST_BYTES, len))

    def take_turn(self, kind: str) -> Callable[[], bool]:
        """Become the newest request of a kind; return a function that tells whether it still is."""
        mine = self.turns[kind] = self.turns.get(kind, 0) + 1
        return lambda: self.turns[kind] == mine


class Shelf(Generic[K]):
    """All uploaded files of one kind. Used only from the event loop.

    Parameters
    ----------
    root : Path
        A private folder for this object's files.
    most : int
        Files kept at once.
    seconds : float
        Time for which an unused file is kept.
    clock : callable
        Monotonic clock, in seconds.
    """

    what = "photograph"  # in messages

    def __init__(
        self, root: Path, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root, self._most, self._seconds, self._clock = root, most, seconds, clock
        self._open: OrderedDict[str, K] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._open)

    def new_folder(self) -> Path:
        """Create a private folder in the root.

        Raises
        ------
        Problem
            503 if there is no space.
        """
        try:
            return Path(tempfile.mkdtemp(dir=self._root))
        except OSError as error:
            raise no_room(error) from error

    def put(self, kept: K) -> K:
        """Store a file, and remove old ones.

        Beyond the limit, the least recently used one of the client with the most is removed.

        Raises
        ------
        Problem
            503, if no client has two and all are in use.
        """
        self.sweep()
        while len(self._open) >= self._most:
            self._close(self._dispensable(kept.client))
        kept.used_at = self._clock()
        self._open[kept.id] = kept
        return kept

    def leave(self, kept: K) -> None:
        """End what works on a file that is closed."""

    def may_go(self, kept: K) -> bool:
        """Return whether a file may be removed for a new one."""
        return True

    def _dispensable(self, client: str) -> K:
        """Return the file to remove for a new one of a client."""
        held = Counter(kept.client for kept in self._open.values())
        held[client] += 1  # the new one
        most = max(held.values())
        if most == 1:  # each client has only one: remove one that is not in use
            first = next(iter(self._open.values()))
            if self._clock() - first.used_at < IDLE_SECONDS or not self.may_go(first):
                raise self._full()
            return first
        hoarders = {who for who, count in held.items() if count == most}
        hoarder = client if client in hoarders else min(hoarders)
        theirs = [s for s in self._open.values() if s.client == hoarder]
        found = next((s for s in theirs if not s.users), theirs[0])
        if not self.may_go(found):
            raise self._full()
        return found

    def _full(self) -> Problem:
        return Problem(503, f"The service has no space for another {self.what}. Try again later.")

    @contextmanager
    def hold(self, id: str) -> Iterator[K]:
        """Use a file; its folder is kept at least until the context ends.

        Raises
        ------
        Problem
            404, if it does not exist.
        """
        self.sweep()
        session = self._open.get(id)
        if session is None:
            raise Problem(
                404, f"There is no such {self.what}, or it was removed. Upload the file again."
            )
        session.used_at = self._clock()
        self._open.move_to_end(id)
        session.users += 1
        try:
            yield session
        finally:
            session.users -= 1
            session.used_at = self._clock()
            if session.is_closed:
                self._remove_unused(session)

    def close(self, id: str) -> None:
        """Remove a file.

        Raises
        ------
        Problem
            404, if it does not exist.
        """
        with self.hold(id) as session:
            self._close(session)

    def sweep(self) -> None:
        """Remove files that were not used for a while."""
        oldest = self._clock() - self._seconds
        for session in [s for s in self._open.values() if not s.users and s.used_at <= oldest]:
            self._close(session)

    def _close(self, session: K) -> None:
        self._open.pop(session.id, None)
        session.is_closed = True
        self.leave(session)
        self._remove_unused(session)

    def _remove_unused(self, session: K) -> None:
        if session.users == 0:
            remove(session.folder)


class Sessions(Shelf[Session]):
    """All uploaded photographs. Used only from the event loop.

    Parameters
    ----------
    root : Path
        A private folder for this object's files.
    limits : Limits
    clock : callable
        Monotonic clock, in seconds.
    """

    def __init__(
        self, root: Path, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(root, limits.sessions, limits.session_seconds, clock)


def make_root(parent: Path | None = None) -> Path:
    """Create the service's folder for temporary files, readable only by its user."""
    return private_folder(PREFIX, parent)
