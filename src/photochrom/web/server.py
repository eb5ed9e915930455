"""Bind a port, serve the application on it, open the browser."""

import errno
import ipaddress
import logging
import os
import socket
import sys
import webbrowser
from collections.abc import Sequence

import uvicorn

from photochrom.errors import InvalidValueError
from photochrom.web.app import create_app
from photochrom.web.guard import LOOPBACK_NAMES
from photochrom.web.limits import Limits
from photochrom.web.memory import share_arenas

PORTS_TRIED = 20
KEEP_ALIVE_SECONDS = 10
GOODBYE_SECONDS = 5


def serve(
    host: str,
    port: int,
    limits: Limits,
    *,
    api_key: str | None = None,
    allow_hosts: Sequence[str] = (),
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
    api_key : str, optional
    allow_hosts : sequence of str
        Further names by which it may be asked for, behind a proxy.
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
    listener = listen(host, port)
    address = url_of(host, listener.getsockname()[1])
    app = create_app(
        limits,
        api_key=api_key or None,
        hosts={*LOOPBACK_NAMES, host, socket.gethostname(), *allow_hosts},
        any_address=not is_loopback(host),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    _Server(config, address, browser).run([listener])


class _Server(uvicorn.Server):
    """Says where it is once it is there."""

    def __init__(self, config: uvicorn.Config, address: str, browser: bool) -> None:
        super().__init__(config)
        self._address, self._browser = address, browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; then say so, and open the browser."""
        await super().startup(sockets)
        if self.should_exit:
            return
        print(f"photochrom: {self._address} - Ctrl-C stops it.", file=sys.stderr, flush=True)
        if self._browser:
            webbrowser.open(self._address)


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
    """Tell whether only this machine reaches an address."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """Give the address for a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
