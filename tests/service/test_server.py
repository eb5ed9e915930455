import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from tests.service.conftest import GRAY, encoded, served

from photochrom.errors import InvalidValueError
from photochrom.service.limits import Limits
from photochrom.service.server import is_loopback, listen, serve, url_of

LIMITS = Limits(jobs=1, pause_seconds=0.5, body_seconds=1.5, upload_bytes=1_000_000)


@pytest.fixture(scope="module")
def server():
    with served(LIMITS) as found:
        yield found


def raw(url, *pieces, pause=0.0):
    """Send bytes as they are; give the answer's, until the server closes."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=300) as connection:
        answer = b""
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        while part := connection.recv(65536):
            answer += part
    return answer


def head(url, length):
    return (
        f"POST /v1/photos HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.slow
def test_an_upload_that_stops_is_answered_and_cut_off(server):
    url, _ = server
    answer = raw(url, head(url, 1000), b"--x\r\n")
    assert answer.startswith(b"HTTP/1.1 408") and b"connection: close" in answer.lower()
    assert b"application/problem+json" in answer


def test_a_body_that_is_too_large_is_answered_although_it_is_still_being_sent(server):
    url, _ = server
    answer = raw(url, head(url, 3_000_000), *[bytes(1_000_000)] * 3)
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_request_by_another_name_is_refused(server):
    url, _ = server
    assert httpx2.get(f"{url}healthz", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.slow
def test_many_clients_at_once_get_pictures_or_are_told_to_come_again():
    async def storm(url):
        async with httpx2.AsyncClient(timeout=300) as client:
            files = {"file": ("a.jpg", encoded(GRAY))}
            id = (await client.post(f"{url}v1/photos", files=files)).json()["id"]
            route = f"{url}v1/photos/{id}/confidence"
            return await asyncio.gather(*(client.post(route, json={}) for _ in range(24)))

    with served(Limits(jobs=1, queue=3)) as (url, _):
        answers = asyncio.run(storm(url))
    assert {answer.status_code for answer in answers} == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"


JSON = {"Content-Type": "application/json"}
HOSTILE, INNOCENT = "127.0.0.2", "127.0.0.1"
SHARED = Limits(
    jobs=1,
    uploads=4,
    sessions=4,
    connections=24,
    results=4,
    start_seconds=1.0,
    pause_seconds=3.0,
    send_seconds=1.0,
)
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="one loopback address elsewhere")


@pytest.fixture(scope="module")
def shared():
    with served(SHARED) as found:
        yield found


def connect(url, source=HOSTILE, data=b""):
    address = urlsplit(url)
    place = address.hostname, address.port
    connection = socket.create_connection(place, timeout=10, source_address=(source, 0))
    connection.sendall(data)
    return connection


def seconds_alive(connection):
    """Drip into a connection until the server gives it up."""
    begun = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - begun < 20:
            connection.sendall(b"X")
            time.sleep(0.1)
    connection.close()
    return time.monotonic() - begun


def upload(url):
    files = {"file": ("a.jpg", encoded(GRAY[:64, :64]))}
    return httpx2.post(f"{url}v1/photos", files=files, timeout=30)


@pytest.mark.slow
@only_linux
def test_one_clients_dripping_uploads_do_not_keep_out_another_and_do_not_last(shared):
    url, _ = shared
    drips = [connect(url, data=head(url, 100_000) + b"--x\r\n") for _ in range(12)]
    time.sleep(0.3)
    assert upload(url).status_code == 201
    assert seconds_alive(drips[0]) < 10
    for connection in drips[1:]:
        connection.close()


@pytest.mark.slow
@only_linux
def test_one_clients_photographs_do_not_push_out_anothers(shared):
    url, _ = shared
    mine = upload(url).json()["id"]
    transport = httpx2.HTTPTransport(local_address=HOSTILE)
    with httpx2.Client(transport=transport, timeout=30) as hostile:
        files = {"file": ("a.jpg", encoded(GRAY[:64, :64]))}
        for _ in range(8):
            assert hostile.post(f"{url}v1/photos", files=files).status_code == 201
    assert httpx2.get(f"{url}v1/photos/{mine}").status_code == 200


@pytest.mark.slow
@only_linux
def test_results_that_one_client_does_not_read_do_not_keep_out_another(shared):
    url, _ = shared
    large = encoded(np.kron(GRAY, np.ones((4, 4), np.uint8)), "PNG")
    files = {"file": ("a.png", large)}
    id = httpx2.post(f"{url}v1/photos", files=files, timeout=30).json()["id"]
    host = urlsplit(url).netloc
    wish = b'{"wishes": {"method": "gray"}}'
    asked = (
        f"POST /v1/photos/{id}/result HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(wish)}\r\n\r\n"
    ).encode() + wish
    unread = [connect(url, data=asked) for _ in range(SHARED.results)]
    time.sleep(0.5)
    answer = httpx2.post(f"{url}v1/photos/{id}/result", content=wish, headers=JSON, timeout=30)
    assert answer.status_code == 200
    answers = [connection.recv(12) for connection in unread]
    assert answers.count(b"HTTP/1.1 500") == 0 and answers.count(b"HTTP/1.1 200") > 0
    for connection in unread:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n",
    ],
    ids=["no byte", "a head", "a second head", "a body nobody reads"],
)
def test_what_never_ends_is_given_up(shared, begun):
    url, _ = shared
    connection = connect(url, INNOCENT, begun)
    if not begun:
        begun_at = time.monotonic()
        assert connection.recv(10) == b"" and time.monotonic() - begun_at < 10
        connection.close()
    else:
        assert seconds_alive(connection) < 10


@only_linux
def test_one_clients_connections_do_not_keep_out_another(shared):
    url, _ = shared
    held = [connect(url, data=b"GET / HT") for _ in range(60)]
    assert httpx2.get(f"{url}healthz", timeout=5).status_code == 200
    for connection in held:
        connection.close()


@pytest.mark.slow
def test_an_answer_that_nobody_reads_is_given_up(shared):
    url, _ = shared
    size = len(httpx2.get(f"{url}openapi.json").content)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.settimeout(10)
    connection.connect((urlsplit(url).hostname, urlsplit(url).port))
    with suppress(OSError):  # it may be given up while this is sent
        for _ in range(400):
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            time.sleep(0.01)
    time.sleep(1.5)
    received = 0
    with suppress(ConnectionError):
        while piece := connection.recv(1 << 20):
            received += len(piece)
    connection.close()
    assert received < 300 * size


def test_a_busy_port_gives_way_to_the_next_and_it_is_said(capsys):
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    second = listen("127.0.0.1", port)
    taken = second.getsockname()[1]
    first.close(), second.close()
    assert taken > port
    assert f"port {port} is busy; using {taken}" in capsys.readouterr().err


def test_an_address_that_is_not_ours_is_an_error_that_names_it():
    with pytest.raises(InvalidValueError, match=r"Cannot bind 192\.0\.2\.1:8000"):
        listen("192.0.2.1", 8000)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "photos.example"])
@pytest.mark.parametrize("key", [None, ""])
def test_an_address_that_others_reach_needs_a_key(host, key):
    with pytest.raises(InvalidValueError, match="needs an API key"):
        serve(host, 0, Limits(), api_key=key)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_this_machine_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host, url",
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        ("0.0.0.0", "http://127.0.0.1:80/"),
        ("::", "http://[::1]:80/"),
    ],
)
def test_the_address_is_one_that_a_browser_takes(host, url):
    assert url_of(host, 80) == url


def test_a_missing_extra_is_answered_with_the_line_to_run():
    code = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['photochrom', 'serve'];"
        "from photochrom.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install '.[serve]'" in done.stderr and "Traceback" not in done.stderr


def start(temporary, *options):
    """Run the command; give the process and its address."""
    command = [sys.executable, "-m", "photochrom", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        [*command, *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    return process, re.search(r"http://\S+/", process.stderr.readline())[0]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the temporary folder is named otherwise there")
def test_the_command_serves_and_cleans_up_after_one_that_was_killed(tmp_path):
    process, url = start(tmp_path)
    files = {"file": ("secret name.jpg", encoded(GRAY))}
    assert httpx2.post(f"{url}v1/photos", files=files, timeout=300).status_code == 201
    process.kill()
    said = process.communicate()[1]
    (left,) = tmp_path.glob("photochrom-serve-*")
    assert list(left.iterdir())
    process, url = start(tmp_path, "--jobs", "1")
    assert not left.exists()
    process.send_signal(signal.SIGHUP)  # as a terminal that is closed sends it
    said += process.communicate(timeout=300)[1]
    assert not list(tmp_path.glob("photochrom-serve-*"))
    assert "secret" not in said and "Traceback" not in said
