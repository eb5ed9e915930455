"""A running service, and pictures to send to it."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import numpy as np
import pytest
import uvicorn
from PIL import Image
from skimage import data
from starlette.testclient import TestClient
from tests.conftest import encoded
from tests.service.browsing import browser, open_page, service  # noqa: F401
from tests.service.local_pages import host, page_folder, visit  # noqa: F401

from photochrom.service.application import create_app
from photochrom.service.clients import Clients
from photochrom.service.http_connections import server_config
from photochrom.service.limits import Limits
from photochrom.service.server import listen, url_of

GRAY = data.astronaut().mean(axis=-1).astype(np.uint8)  # 512 x 512


def decoded(content: bytes) -> np.ndarray:
    """Decode a picture."""
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """Yield a client of a service with one worker."""
    with TestClient(create_app(Limits(jobs=1)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def opened(client: TestClient) -> Any:
    """Return the description of an uploaded photograph."""
    answer = client.post("/v1/photos", files={"file": ("woman.jpg", encoded(GRAY))})
    assert answer.status_code == 201, answer.text
    return answer.json()


@contextmanager
def served(limits: Limits, **options: Any) -> Iterator[tuple[str, Any]]:
    """Run a real server in a thread; yield its address and its Service."""
    app = create_app(limits, **options)
    listener = listen("127.0.0.1", 0)
    config = server_config(app, limits, options.get("clients") or Clients())
    config.log_level = "critical"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    url = url_of("127.0.0.1", listener.getsockname()[1])
    try:
        httpx2.get(f"{url}healthz", timeout=60)
        yield url, app.state.service
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
