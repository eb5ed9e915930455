"""Uploaded photographs: each has a private folder until it is closed, expires or is evicted."""

import asyncio
import secrets
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from photochrom.engine.reference import Reference
from photochrom.photo.temporary_folders import private_folder, remove
from photochrom.service.clients import CLIENT
from photochrom.service.jobs import Facts
from photochrom.service.limits import Limits
from photochrom.service.preview_cache import PreviewCache
from photochrom.service.problem_details import Problem, no_room

ID_BYTES = 16  # 128 bits
IDLE_SECONDS = 300.0
PREFIX = "photochrom-serve-"


@dataclass(eq=False)
class Session:
    """One photograph.

    Attributes
    ----------
    id : str
        32 hexadecimal digits that cannot be guessed.
    folder : Path
        Its private folder.
    source : Path
        The uploaded file.
    name : str
        The client's name for it.
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
    drawn : PreviewCache
        Its latest pictures.
    client : str
        Client that uploaded it.
    """

    id: str
    folder: Path
    source: Path
    name: str
    facts: Facts
    preview: np.ndarray
    restored: np.ndarray | None = None
    reference: Reference | None = None
    restoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: dict[str, int] = field(default_factory=dict)
    drawn: PreviewCache = field(default_factory=PreviewCache)
    used_at: float = 0.0
    users: int = 0
    client: str = ""
    is_closed: bool = False

    def take_turn(self, kind: str) -> Callable[[], bool]:
        """Become the newest request of a kind; return a function that tells whether it still is."""
        mine = self.turns[kind] = self.turns.get(kind, 0) + 1
        return lambda: self.turns[kind] == mine


class Sessions:
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
        self._root, self._limits, self._clock = root, limits, clock
        self._open: OrderedDict[str, Session] = OrderedDict()  # least recently used first

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

    def add(
        self, folder: Path, source: Path, name: str, facts: Facts, preview: np.ndarray
    ) -> Session:
        """Store a photograph of the current client, and remove old ones.

        Beyond the limit, the least recently used one of the client with the most is removed.

        Raises
        ------
        Problem
            503, if no client has two and all are in use.
        """
        client = CLIENT.get()
        self.sweep()
        while len(self._open) >= self._limits.sessions:
            self._close(self._dispensable(client))
        session = Session(secrets.token_hex(ID_BYTES), folder, source, name, facts, preview)
        session.client = client
        session.used_at = self._clock()
        self._open[session.id] = session
        return session

    def _dispensable(self, client: str) -> Session:
        """Return the photograph to remove for a new one of a client."""
        held = Counter(session.client for session in self._open.values())
        held[client] += 1  # the new one
        most = max(held.values())
        if most == 1:  # each client has only one: remove one that is not in use
            first = next(iter(self._open.values()))
            if self._clock() - first.used_at < IDLE_SECONDS:
                raise Problem(
                    503, "The service has no space for another photograph. Try again later."
                )
            return first
        hoarders = {who for who, count in held.items() if count == most}
        hoarder = client if client in hoarders else min(hoarders)
        theirs = [s for s in self._open.values() if s.client == hoarder]
        return next((s for s in theirs if not s.users), theirs[0])

    @contextmanager
    def hold(self, id: str) -> Iterator[Session]:
        """Use a photograph; its folder is kept at least until the context ends.

        Raises
        ------
        Problem
            404, if it does not exist.
        """
        self.sweep()
        session = self._open.get(id)
        if session is None:
            raise Problem(
                404, "There is no such photograph, or it was removed. Upload the file again."
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
        """Remove a photograph.

        Raises
        ------
        Problem
            404, if it does not exist.
        """
        with self.hold(id) as session:
            self._close(session)

    def sweep(self) -> None:
        """Remove photographs that were not used for a while."""
        oldest = self._clock() - self._limits.session_seconds
        for session in [s for s in self._open.values() if not s.users and s.used_at <= oldest]:
            self._close(session)

    def _close(self, session: Session) -> None:
        self._open.pop(session.id, None)
        session.is_closed = True
        self._remove_unused(session)

    def _remove_unused(self, session: Session) -> None:
        if session.users == 0:
            remove(session.folder)


def make_root(parent: Path | None = None) -> Path:
    """Create the service's folder for temporary files, readable only by its user."""
    return private_folder(PREFIX, parent)
