"""Which failures of a storage may pass, and are worth another try."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from photochrom.errors import PhotoError
from photochrom.photo import storage
from photochrom.photo.connections import is_denied, may_pass

pytest.importorskip("aiohttp")


class Refusing(BaseHTTPRequestHandler):
    """Answers with the status that the path names, such as /503.jpg."""

    def do_GET(self):
        self.send_response(int(self.path[1:4]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def failure(address, folder):
    with pytest.raises(PhotoError) as caught:
        storage.fetch(address, folder / "a.jpg")
    return caught.value


@pytest.mark.parametrize(
    ("status", "passes"), [(404, False), (403, False), (429, True), (503, True), (507, False)]
)
def test_what_a_server_answers_tells_whether_it_may_pass(server, tmp_path, status, passes):
    assert may_pass(failure(f"{server}/{status}.jpg", tmp_path)) is passes


def test_a_server_that_does_not_answer_may_come_back(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert may_pass(failure(f"http://127.0.0.1:{port}/a.jpg", tmp_path))


@pytest.mark.parametrize("name", ["status", "status_code", "code"])
@pytest.mark.parametrize(("status", "passes", "denied"), [(503, True, False), (401, False, True)])
def test_each_library_tells_the_status_by_another_name(name, status, passes, denied):
    error = RuntimeError("no")
    setattr(error, name, status)
    assert (may_pass(error), is_denied(error)) == (passes, denied)


def test_denied_is_denied_in_words_too():
    assert is_denied(OSError("Forbidden: https://storage.example/b/o\nno"))  # gcsfs's
    assert is_denied(PermissionError()) and not is_denied(OSError("gone")) and not is_denied(None)


def test_a_bad_photograph_stays_bad(tmp_path):
    assert not may_pass(ValueError("not a picture"))
    error = PhotoError("a.jpg: cannot be read")
    error.__cause__ = PermissionError("denied")
    assert not may_pass(error)
