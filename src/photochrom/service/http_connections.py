"""Limits on connections: their number, and timeouts.

uvicorn limits neither the time for a request's head nor that for a response nobody reads, and
accepts connections until the system runs out of file descriptors.
"""

import asyncio
import sys

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from photochrom.service.clients import Clients, client_of_address
from photochrom.service.limits import Limits
from photochrom.service.shared_slots import SharedSlot, SharedSlots

KEEP_ALIVE_SECONDS = 10
GOODBYE_SECONDS = 5
BACKLOG = 64  # connections that asyncio accepts at once, before any is counted
FILES_IN_USE = 64 + 2 * BACKLOG  # used by uploads, workers and libraries
FEWEST = 16


def server_config(app: ASGIApp, limits: Limits, clients: Clients) -> uvicorn.Config:
    """Return a uvicorn configuration with limits on connections.

    Parameters
    ----------
    app : ASGIApp
    limits : Limits
    clients : Clients
        Knows the proxies, whose connections carry many clients.
    """
    return uvicorn.Config(
        app,
        http=_bounded_protocol(limits, clients),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )


def connection_count(wanted: int) -> int:
    """Return the maximum number of connections; less if the limit on open files is low."""
    if sys.platform == "win32":
        return wanted
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return wanted
    return max(FEWEST, min(wanted, files - FILES_IN_USE))


def _bounded_protocol(limits: Limits, clients: Clients) -> type[asyncio.Protocol]:
    """Return the protocol of connections; those of proxies are never closed for other clients."""
    places = SharedSlots(connection_count(limits.connections))
    bounds = {"places": places, "limits": limits, "clients": clients}
    return type("Bounded", (_Connection,), bounds)


class _Connection(H11Protocol):
    """One connection, with timeouts for request heads and for reading responses."""

    places: SharedSlots
    limits: Limits
    clients: Clients

    _place: SharedSlot | None = None
    _timers: dict[str, asyncio.TimerHandle]  # of the head, and of reading the response

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._timers = {}
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self.clients.is_proxy(address):
            self._place = self.places.take(address)
        else:
            self._place = self.places.take(client_of_address(address), transport.abort)
        if self._place is None:
            transport.abort()
            return
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop("head")
        self._stop("reading")
        if self._place is not None:
            self._place.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._time_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop("head")  # uvicorn's own timer runs until the next head begins

    def pause_writing(self) -> None:
        super().pause_writing()
        self._begin("reading", self.limits.send_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop("reading")

    def _time_head(self) -> None:
        """Run a timer from the first byte of a head to its last."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop("head")
        elif not self.transport.is_closing():
            self._begin("head", self.limits.start_seconds)

    def _begin(self, what: str, seconds: float) -> None:
        if what not in self._timers:
            self._timers[what] = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self, what: str) -> None:
        if timer := self._timers.pop(what, None):
            timer.cancel()
