"""Bind a port and serve a study on it."""

import logging
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from photochrom.web.guard import LOOPBACK_NAMES
from photochrom.web.server import (
    GOODBYE_SECONDS,
    KEEP_ALIVE_SECONDS,
    is_loopback,
    listen,
    url_of,
)
from photochrom.web.turing.app import Showing, create_app
from photochrom.web.turing.study import read_study
from photochrom.web.turing.votes import default_url


def serve(
    folder: Path,
    votes_url: str | None,
    showing: Showing,
    host: str,
    port: int,
    *,
    allow_hosts: Sequence[str] = (),
    browser: bool = True,
) -> None:
    """Serve until somebody stops it.

    Parameters
    ----------
    folder : Path
        Of the study.
    votes_url : str, optional
        As for `Votes`; votes.db in the folder without it.
    showing : Showing
    host : str
        Address to bind. Whoever reaches it may take part; there is nothing else to be had.
    port : int
        The next free one is taken if it is busy; 0 takes any.
    allow_hosts : sequence of str
        Further names by which it may be asked for, behind a proxy.
    browser : bool
        Open the page.

    Raises
    ------
    DataError, InvalidValueError, MissingExtraError
        If the study or the votes cannot be used, or the address cannot be bound.
    """
    app = create_app(
        read_study(folder),
        votes_url or default_url(folder),
        showing,
        hosts={*LOOPBACK_NAMES, host, socket.gethostname(), *allow_hosts},
        any_address=not is_loopback(host),
    )
    listener = listen(host, port)
    address = url_of(host, listener.getsockname()[1])
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,  # it would keep addresses
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    # The port listens already: who comes before the application is ready waits for it.
    print(f"photochrom: the study is at {address} - Ctrl-C stops it.", file=sys.stderr, flush=True)
    if browser:
        webbrowser.open(address)
    uvicorn.Server(config).run([listener])
