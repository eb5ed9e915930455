"""A fair queue: clients take turns, and single pictures have priority over zips."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from photochrom.service.clients import CLIENT
from photochrom.service.problem_details import Problem
from photochrom.service.shared_slots import SharedSlots

PASSED_BY = 3  # other turns before one turn of patient work


def _too_much() -> Problem:
    return Problem(503, "The service is busy. Try again in a second.")


class _Line:
    """The waiting requests, by client; clients take turns."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def push(self, client: str, turn: asyncio.Future[None]) -> None:
        self._waiting.setdefault(client, deque()).append(turn)

    def discard(self, client: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(client, deque())
        with suppress(ValueError):
            waiting.remove(turn)
        if not waiting:
            self._waiting.pop(client, None)

    def next(self, may: Callable[[str], bool]) -> tuple[str, asyncio.Future[None]] | None:
        """Remove and return the first request still waiting, of the first client allowed."""
        for client in list(self._waiting):
            if not may(client):
                continue
            waiting = self._waiting[client]
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    self._waiting.move_to_end(client)
                    return client, turn
            del self._waiting[client]
        return None


class FairQueue:
    """A limited number of concurrent and of waiting requests; further ones are rejected.

    Parameters
    ----------
    at_once, queue : int
        Concurrent turns; maximum number waiting, not counting patient work.
    spare : int
        Turns reserved for others when one client could use all.
    """

    def __init__(self, at_once: int, queue: int, spare: int = 0) -> None:
        self._free = at_once
        self._each = max(1, at_once - spare)
        self._most_patient = max(1, at_once - 1)
        self._places = SharedSlots(queue)
        self._running: Counter[str] = Counter()
        self._patient_running = self._passed_by = 0
        self._line, self._patient = _Line(), _Line()

    @asynccontextmanager
    async def turn(self, *, patient: bool = False) -> AsyncIterator[None]:
        """Wait for a turn of the current client; it ends with the context.

        Parameters
        ----------
        patient : bool
            Whether it waits no matter how much work there is, with lower priority.

        Raises
        ------
        Problem
            503 if too much work is waiting.
        """
        client = CLIENT.get()
        await self._wait(client, patient)
        try:
            yield
        finally:
            self._end(client, patient)

    async def _wait(self, client: str, patient: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._patient if patient else self._line
        line.push(client, turn)
        self._grant()
        if turn.done():
            return
        place = None
        try:
            if not patient:
                place = self._places.take(client, lambda: _refuse(turn))
                if place is None:
                    raise _too_much()
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._end(client, patient)  # it was granted in the meantime
            raise
        finally:
            line.discard(client, turn)
            if place is not None:
                place.leave()

    def _grant(self) -> None:
        while self._free > 0:
            found = self._next()
            if found is None:
                return
            patient, client, turn = found
            self._free -= 1
            self._running[client] += 1
            self._patient_running += patient
            self._passed_by = 0 if patient else self._passed_by + 1
            turn.set_result(None)

    def _next(self) -> tuple[bool, str, asyncio.Future[None]] | None:
        for patient in (True, False) if self._passed_by >= PASSED_BY else (False, True):
            if patient and self._patient_running >= self._most_patient:
                continue
            line = self._patient if patient else self._line
            if found := line.next(lambda client: self._running[client] < self._each):
                return patient, *found
        return None

    def _end(self, client: str, patient: bool) -> None:
        self._free += 1
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        self._patient_running -= patient
        self._grant()


def _refuse(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(_too_much())
