"""A real HTTP server on this machine, which behaves and misbehaves as it is told."""

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Server(ThreadingHTTPServer):
    """`pages` maps a path to bytes, to (status, headers, bytes), or to what is called with it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {}
        self.asked: Counter[str] = Counter()
        self.times = []
        self.agents = set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        parts = urlsplit(self.path)
        self.server.asked[parts.path] += 1
        self.server.times.append(time.monotonic())
        self.server.agents.add(self.headers["User-Agent"])
        page = self.server.pages.get(parts.path, (404, {}, b"none"))
        if callable(page):
            page = page(self, {key: value[0] for key, value in parse_qs(parts.query).items()})
        if page is not None:
            status, headers, body = page if isinstance(page, tuple) else (200, PNG, page)
            self.answer(status, headers, body)

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


PNG = {"Content-Type": "image/png"}


@contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_turn(*pages):
    """Answer each request with the next page, the last one from then on."""
    waiting = list(pages)
    return lambda handler, query: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def as_json(content):
    return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


def dribble(handler, query):
    """Send a byte now and then, for longer than anybody should wait."""
    handler.send_response(200)
    handler.send_header("Content-Type", "image/png")
    handler.end_headers()
    write_slowly(handler, b"." * 100)


def dribble_headers(handler, query):
    write_slowly(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 100)


def write_slowly(handler, content):
    handler.close_connection = True
    for byte in content:
        try:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.05)


def endless(handler, query):
    """Send more than was allowed, without saying how much."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Type", "image/png")
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(b"x" * 1000)
    except OSError:
        return
