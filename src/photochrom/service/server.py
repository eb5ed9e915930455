"""Bind a port, serve the application on it, open the browser."""

import errno
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import uvicorn

from photochrom.engine.memory import share_arenas
from photochrom.errors import InvalidValueError
from photochrom.service.application import create_app
from photochrom.service.clients import FORWARDED, Clients, parsed
from photochrom.service.http_connections import server_config
from photochrom.service.limits import Limits
from photochrom.service.log_limits import aggregated_log
from photochrom.service.middleware import LOOPBACK_NAMES

PORTS_TRIED = 20


def serve(
    host: str,
    port: int,
    limits: Limits,
    *,
    api_key: str | Sequence[str] | None = None,
    allow_hosts: Sequence[str] = (),
    proxies: Sequence[str] = (),
    client_header: str = FORWARDED,
    browser: bool = True,
) -> None:
    """Serve until stopped.

    Parameters
    ----------
    host : str
        Address to bind; any address other than loopback needs an API key.
    port : int
        If it is busy, the next free one is used; 0 means any.
    limits : Limits
    api_key : str or sequence of str, optional
        Each of several keys is a client with its own share.
    allow_hosts : sequence of str
        Further host names to answer to, behind a proxy.
    proxies : sequence of str
        Addresses or networks of trusted proxies.
    client_header : str
        Header in which proxies give the client's address.
    browser : bool
        Open the page in the browser.

    Raises
    ------
    InvalidValueError
        If the key is missing, or the address cannot be bound.
    """
    if not api_key and not is_loopback(host):
        raise InvalidValueError(
            f"{host} can be reached from other machines, which needs an API key. Set --api-key, or "
            "PHOTOCHROM_API_KEY in the environment."
        )
    share_arenas()
    if is_loopback(host) and not proxies:  # one machine is one client: no jobs are reserved
        limits = replace(limits, spare_jobs=0)
    clients = Clients(proxies, client_header)
    listener = listen(host, port)
    address = url_of(host, listener.getsockname()[1])
    app = create_app(
        limits,
        api_key=api_key or None,
        hosts={*LOOPBACK_NAMES, host, socket.gethostname(), *allow_hosts},
        any_address=not is_loopback(host),
        clients=clients,
    )
    said = f"photochrom: {address} - press Ctrl-C to stop."
    server = Server(server_config(app, limits, clients), said, address if browser else None)
    with aggregated_log():
        server.run([listener])


class Server(uvicorn.Server):
    """A server that prints its address once it listens, and stops cleanly with its terminal.

    Parameters
    ----------
    config : uvicorn.Config
    said : str
        Message for standard error.
    opened : str, optional
        Address to open in the browser.
    """

    def __init__(self, config: uvicorn.Config, said: str, opened: str | None) -> None:
        super().__init__(config)
        self._said, self._opened = said, opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, print the message, and open the browser."""
        await super().startup(sockets)
        if self.should_exit:
            return
        print(self._said, file=sys.stderr, flush=True)
        if self._opened:
            webbrowser.open(self._opened)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Treat a closed terminal like Ctrl-C, unless the signal is ignored (nohup)."""
        hangup = getattr(signal, "SIGHUP", None)
        is_main = threading.current_thread() is threading.main_thread()
        if hangup is None or not is_main or signal.getsignal(hangup) is signal.SIG_IGN:
            with super().capture_signals():
                yield
            return
        before = signal.signal(hangup, self.handle_exit)
        try:
            with super().capture_signals():
                yield
        finally:
            signal.signal(hangup, before)


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port, or on the next free one with a message.

    Raises
    ------
    InvalidValueError
        If the address cannot be bound, or no port is free.
    """
    last = port if port == 0 else min(port + PORTS_TRIED, 65536) - 1
    for candidate in range(port, last + 1):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if os.name != "nt":  # on Windows it would share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                continue
            raise InvalidValueError(
                f"Cannot bind {host}:{candidate} ({error.strerror or error}). "
                "Use another --host or --port."
            ) from error
        if candidate != port:
            print(f"photochrom: port {port} is busy; using {candidate}.", file=sys.stderr)
        return listener
    raise InvalidValueError(f"Ports {port} to {last} are all busy. Use another --port.")


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    found = parsed(host)
    return host in LOOPBACK_NAMES or (found is not None and found.is_loopback)


def url_of(host: str, port: int) -> str:
    """Return the URL for a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
