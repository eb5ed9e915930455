"""Bind a port and serve a study on it."""

import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from photochrom.errors import InvalidValueError
from photochrom.service.clients import FORWARDED, Clients
from photochrom.service.http_connections import server_config
from photochrom.service.log_limits import aggregated_log
from photochrom.service.middleware import LOOPBACK_NAMES
from photochrom.service.server import Server, is_loopback, listen, url_of
from photochrom.workbench.perception.study_app import LIMITS, MOST_INVITATION, create_app
from photochrom.workbench.perception.study_files import read_study
from photochrom.workbench.perception.study_state import Showing
from photochrom.workbench.perception.votes import default_url


def serve(
    folder: Path,
    votes_url: str | None,
    showing: Showing,
    host: str,
    port: int,
    *,
    invitation: str | None = None,
    is_open: bool = False,
    allow_hosts: Sequence[str] = (),
    proxies: Sequence[str] = (),
    client_header: str = FORWARDED,
    browser: bool = True,
) -> None:
    """Serve until stopped; the options are those of `photochrom study serve`.

    Raise DataError, InvalidValueError, MissingExtraError if the study or the votes cannot be used,
    or the address cannot be bound.
    """
    if not invitation and not is_open and not is_loopback(host):
        raise InvalidValueError(
            f"{host} can be reached from other machines. Allow participants with --invitation WORD "
            "(part of the address that you send out), or anybody with --open."
        )
    if invitation and len(invitation) > MOST_INVITATION:
        raise InvalidValueError(
            f"--invitation needs at most {MOST_INVITATION} characters; it has {len(invitation)}."
        )
    clients = Clients(proxies, client_header)
    app = create_app(
        read_study(folder),
        votes_url or default_url(folder),
        showing,
        hosts={*LOOPBACK_NAMES, host, socket.gethostname(), *allow_hosts},
        any_address=not is_loopback(host),
        invitation=invitation or None,
        clients=clients,
    )
    listener = listen(host, port)
    address = url_of(host, listener.getsockname()[1])
    if invitation:
        address += f"#invitation={quote(invitation, safe='')}"  # after #: no log of a proxy has it
    said = f"photochrom: the study is at {address} - Ctrl-C stops it."
    # No access log: it would keep addresses.
    server = Server(server_config(app, LIMITS, clients), said, address if browser else None)
    with aggregated_log():
        server.run([listener])
