"""Bind a port, serve the application on it, open the browser."""

import errno
import ipaddress
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
from photochrom.service.clients import FORWARDED, Clients
from photochrom.service.connections import server_config
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
    """Serve until somebody stops it.

    Parameters
    ----------
    host : str
        Address to bind; anything but this machine's own needs an API key.
    port : int
        The next free one is taken if it is busy; 0 takes any.
    limits : Limits
    api_key : str or sequence of str, optional
        Of several, each is a client with a share of its own.
    allow_hosts : sequence of str
        Further names by which it may be asked for, behind a proxy.
    proxies : sequence of str
        Addresses or networks of proxies that are believed when they name a client.
    client_header : str
        Where they name it.
    browser : bool
        Open the page.

    Raises
    ------
    InvalidValueError
        If the key is missing, or the address cannot be bound.
    """
    if not api_key and not is_loopback(host):
        raise InvalidValueError(
            f"{host} can be reached from other machines, which needs an API key: set --api-key, or "
            "PHOTOCHROM_API_KEY in the environment."
        )
    share_arenas()
    if is_loopback(host) and not proxies:  # one machine is one client: nothing is to be kept free
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
    said = f"photochrom: {address} - Ctrl-C stops it."
    server = Server(server_config(app, limits, clients), said, address if browser else None)
    with aggregated_log():
        server.run([listener])


class Server(uvicorn.Server):
    """Says where it is once it is there, and ends in order when its terminal closes.

    Parameters
    ----------
    config : uvicorn.Config
    said : str
        Written to standard error.
    opened : str, optional
        Address that the browser is sent to.
    """

    def __init__(self, config: uvicorn.Config, said: str, opened: str | None) -> None:
        super().__init__(config)
        self._said, self._opened = said, opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; then say so, and open the browser."""
        await super().startup(sockets)
        if self.should_exit:
            return
        print(self._said, file=sys.stderr, flush=True)
        if self._opened:
            webbrowser.open(self._opened)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take a closed terminal for what Ctrl-C is, unless it is to be ignored (nohup)."""
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
    """Listen on a port, or on the next free one, and say so.

    Raises
    ------
    InvalidValueError
        If the address is not this machine's, or no port is free.
    """
    last = port if port == 0 else min(port + PORTS_TRIED, 65536) - 1
    for candidate in range(port, last + 1):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if os.name != "nt":  # there it would share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                continue
            raise InvalidValueError(
                f"{host}:{candidate} cannot be bound ({error.strerror or error}). "
                "Name another --host or --port."
            ) from error
        if candidate != port:
            print(f"photochrom: port {port} is busy; took {candidate}.", file=sys.stderr)
        return listener
    raise InvalidValueError(f"The ports {port} to {last} are all busy. Name another --port.")


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """Return the address for a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
