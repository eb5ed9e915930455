"""Ports of this machine for servers that tests start, and how servers refuse."""

import socket
import time
from contextlib import suppress
from typing import Any


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def await_listener(port: int) -> None:
    """Wait for a server at a port, for a minute at most."""
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.1)


def refused(answer: Any, status: int) -> str:
    """Return what a server says of a request that it refuses with a status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])
