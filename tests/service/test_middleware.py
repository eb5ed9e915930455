import asyncio
import json

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from photochrom.cli.serve import _read_keys
from photochrom.errors import InvalidValueError
from photochrom.service import middleware
from photochrom.service.clients import CLIENT
from photochrom.service.limits import Limits
from photochrom.service.middleware import LOOPBACK_NAMES, AccessMiddleware, BodyLimits
from photochrom.service.problem_details import Problem, problem_response

KEY = "a key of many letters"


async def echo(scope, receive, send):
    try:
        body = await Request(scope, receive).body()
        response = PlainTextResponse(str(len(body)))
    except Problem as problem:
        response = problem_response(problem)
    await response(scope, receive, send)


def guarded(hosts=LOOPBACK_NAMES, any_address=False, api_key=None):
    return TestClient(
        AccessMiddleware(echo, hosts, any_address, api_key), base_url="http://127.0.0.1:8000"
    )


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
def test_the_own_names_are_answered_to(host):
    assert guarded().get("/v1/methods", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[::1", "", "10.0.0.1"],
)
def test_other_names_are_refused_as_a_rebound_one_would_be(host):
    answer = guarded().get("/v1/methods", headers={"Host": host})
    assert answer.status_code == 403
    assert "--allow-host" in answer.json()["detail"]


def test_a_service_of_the_network_answers_to_addresses_and_names_it_was_told():
    client = guarded({"photos.example"}, any_address=True)
    hosts = ["10.0.0.1:8000", "[fe80::1]", "photos.example", "evil.example"]
    statuses = [client.get("/", headers={"Host": host}).status_code for host in hosts]
    assert statuses == [200, 200, 200, 403]


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:9000", "null", "http://[", "http://localhost:8000"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(method, origin):
    answer = guarded().request(method, "/v1/photos", headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in answer.headers


def test_the_own_origin_is_let_in_also_where_a_proxy_renamed_the_host():
    client = guarded()
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/v1/photos", headers=own).status_code == 200
    renamed = {"Origin": "https://photos.example", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/v1/photos", headers=renamed).status_code == 200


@pytest.mark.parametrize(
    "method, site, status",
    [
        ("POST", "cross-site", 403),
        ("POST", "same-site", 403),
        ("PUT", "cross-site", 403),
        ("DELETE", "cross-site", 403),
        ("GET", "cross-site", 200),  # a link that leads here
        ("POST", "same-origin", 200),
        ("POST", "none", 200),
        ("POST", None, 200),
    ],
)
def test_a_foreign_page_may_not_change_anything(method, site, status):
    headers = {} if site is None else {"Sec-Fetch-Site": site}
    assert guarded().request(method, "/v1/photos", headers=headers).status_code == status


@pytest.mark.parametrize(
    "sent, status",
    [
        (f"Bearer {KEY}", 200),
        (f"Bearer {KEY}x", 401),
        (f"Bearer {KEY[:-1]}", 401),
        (KEY, 401),
        (f"bearer {KEY}".encode(), 200),
        ("Bearer schlüssel".encode(), 401),
        (None, 401),
    ],
)
def test_the_api_key_is_needed_where_there_is_one(sent, status):
    headers = {} if sent is None else {"Authorization": sent}
    answer = guarded(api_key=KEY).get("/v1/methods", headers=headers)
    assert answer.status_code == status
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)


async def say_client(scope, receive, send):
    await PlainTextResponse(CLIENT.get())(scope, receive, send)


@pytest.mark.parametrize(
    ("keys", "clients"), [(("one", "two"), {"key 0", "key 1"}), (("one",), {"192.0.2.1"})]
)
def test_of_several_keys_each_is_a_client_and_a_lone_one_is_everybodys(keys, clients):
    app = AccessMiddleware(say_client, LOOPBACK_NAMES, False, keys)
    client = TestClient(app, base_url="http://127.0.0.1:8000", client=("192.0.2.1", 5000))
    answers = [client.get("/v1/x", headers={"Authorization": f"Bearer {key}"}) for key in keys]
    assert {answer.text for answer in answers} == clients
    assert client.get("/v1/x", headers={"Authorization": "Bearer three"}).status_code == 401


def test_keys_are_read_from_a_file_a_line_each(tmp_path):
    file = tmp_path / "keys"
    file.write_text("one\n\n two \n")
    assert _read_keys(file) == ["one", "two"]
    for content in ("", "one\none\n"):
        file.write_text(content)
        with pytest.raises(InvalidValueError, match="one or more API keys, one per line"):
            _read_keys(file)
    with pytest.raises(InvalidValueError, match="cannot read"):
        _read_keys(tmp_path / "none")


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/healthz"])
def test_the_page_itself_needs_no_key(path):
    assert guarded(api_key=KEY).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/v1/photos", "/page", "/pages/x"])
def test_everything_else_needs_the_key(path):
    assert guarded(api_key=KEY).get(path).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_has_its_safe_headers(host):
    headers = guarded().get("/", headers={"Host": host}).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


def drip(count, pause, size=1):
    """Send a body of many small pieces; give the status and the seconds until it was there."""
    limits = Limits(pause_seconds=0.2, body_seconds=60, start_seconds=0.2, body_rate=1000)
    sent, left = [], [count]

    async def receive():
        await asyncio.sleep(pause)
        left[0] -= 1
        return {"type": "http.request", "body": b"x" * size, "more_body": left[0] > 0}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(BodyLimits(echo, limits)(scope, receive, send))
    return sent[0]["status"]


@pytest.mark.slow
def test_a_body_that_drips_is_cut_off_long_before_its_time_is_over():
    assert drip(1000, 0.02) == 408
    assert drip(30, 0.02, size=100) == 200  # as slow, but it comes on
    assert drip(3, 0.02) == 200  # small, and soon there
    assert drip(1, 0.5) == 408  # no first byte


LIMITS = Limits(upload_bytes=1000, json_bytes=100, uploads=1, pause_seconds=0.1, body_seconds=0.25)
FILES = {"Content-Type": "multipart/form-data; boundary=x"}


def limited():
    return TestClient(BodyLimits(echo, LIMITS))


@pytest.mark.parametrize("headers, most", [({}, 100), (FILES, 1000)])
@pytest.mark.parametrize("is_announced", [True, False])
def test_bytes_are_counted_whether_announced_or_not(headers, most, is_announced):
    def body(count):
        return b"x" * count if is_announced else (b"x" * 10 for _ in range(count // 10))

    assert limited().post("/v1/photos", headers=headers, content=body(most)).text == str(most)
    answer = limited().post("/v1/photos", headers=headers, content=body(most + 10))
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith(f"At most {most / 1e6:g} MB")


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", ""])
def test_a_length_that_is_no_number_is_refused(length):
    answer = limited().post("/", headers={"Content-Length": length}, content=iter([b"x"]))
    assert answer.status_code == 400


def talk(messages, pauses, headers=()):
    """Send a body's pieces with pauses; give the status and the body of the answer."""
    sent, queue = [], list(zip(messages, pauses, strict=True))

    async def receive():
        if not queue:
            await asyncio.sleep(60)
        message, pause = queue.pop(0)
        await asyncio.sleep(pause)
        return message

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": list(headers)}
    asyncio.run(BodyLimits(echo, LIMITS)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def pieces(count):
    return [{"type": "http.request", "body": b"x", "more_body": True} for _ in range(count)]


def test_a_body_that_pauses_is_cut_off():
    status, body = talk(pieces(2), [0, 0.2])
    assert status == 408 and json.loads(body)["title"] == "Request Timeout"


def test_a_body_that_trickles_is_cut_off_as_a_whole():
    assert talk(pieces(50), [0.05] * 50)[0] == 408


def test_more_files_at_once_than_allowed_are_told_to_come_again():
    async def receive_two():
        limits = BodyLimits(echo, LIMITS)
        headers = [(name.lower().encode(), value.encode()) for name, value in FILES.items()]
        scope = {"type": "http", "method": "POST", "path": "/v1/photos", "headers": headers}
        statuses = []

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                retry.append(dict(message["headers"]).get(b"retry-after"))

        async def slow():
            await asyncio.sleep(0.05)
            return {"type": "http.request", "body": b"", "more_body": False}

        retry = []
        await asyncio.gather(limits(scope, slow, send), limits(scope, slow, send))
        await limits(scope, slow, send)
        return sorted(statuses), [r for r in retry if r]

    assert asyncio.run(receive_two()) == ([200, 200, 503], [b"1"])


def test_a_refused_body_is_not_taken_in_for_ever(monkeypatch):
    monkeypatch.setattr(middleware, "DRAIN_SECONDS", 0.1)
    length = (b"content-length", b"1000000")
    assert talk(pieces(50), [0.05] * 50, [length])[0] == 413


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/v1/colorize", "multipart/form-data; boundary=x", 200),
        ("/v1/photos/abc/reference", "multipart/form-data; boundary=x", 200),
        ("/v1/zip", "multipart/form-data; boundary=x", 413),
        ("/v1/photos", "multipart/x", 413),
        ("/v1/photos/abc/preview", "application/json", 413),
    ],
)
def test_only_forms_with_files_may_be_as_long_as_files(path, kind, status):
    limits = Limits(upload_bytes=2000, json_bytes=100)
    client = TestClient(BodyLimits(echo, limits), base_url="http://127.0.0.1")
    answer = client.post(path, content=b"x" * 1000, headers={"Content-Type": kind})
    assert answer.status_code == status
