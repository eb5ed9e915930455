"""How the service is shared out: who a client is, places, requests in a while, the log."""

import io
import logging

import pytest

from photochrom.errors import InvalidValueError
from photochrom.service import http_connections
from photochrom.service.clients import Clients, client_of_address, matching_key
from photochrom.service.http_connections import connection_count
from photochrom.service.limits import Limits
from photochrom.service.log_limits import WRITTEN_EACH, Aggregated, aggregated_log
from photochrom.service.rate_limit import MOST_CLIENTS, Rate
from photochrom.service.shared_slots import SharedSlots


def scope(address, **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": (address, 5000), "headers": named}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:9", True),  # one customer's network
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("testclient", "testclient", True),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(one, other, same):
    assert (client_of_address(one) == client_of_address(other)) == same


@pytest.mark.parametrize(
    ("address", "said", "client"),
    [
        ("10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the first can be invented
        ("10.0.0.2", "198.51.100.7, 10.0.0.3", "198.51.100.7"),  # two proxies of ours
        ("10.0.0.2", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.2", '"[2001:db8::1]:4711"', "2001:db8::/64"),
        ("10.0.0.2", "unknown", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # no proxy of ours: anybody can write that
    ],
)
def test_only_a_proxy_that_is_trusted_names_the_client(address, said, client):
    clients = Clients(["10.0.0.0/24"])
    assert clients.name(scope(address, x_forwarded_for=said)) == client
    assert Clients().name(scope(address, x_forwarded_for=said)) == address


def test_the_proxys_header_is_the_one_that_was_named():
    clients = Clients(["10.0.0.2"], "X-Real-IP")
    headers = {"x_forwarded_for": "203.0.113.9", "x_real_ip": "198.51.100.7"}
    assert clients.name(scope("10.0.0.2", **headers)) == "198.51.100.7"


def test_a_proxy_that_is_no_address_is_refused():
    with pytest.raises(InvalidValueError, match="--proxy needs an address.*'photos.example'"):
        Clients(["photos.example"])


def test_a_key_is_found_among_several():
    assert [matching_key(("one", "two"), sent) for sent in (b"two", b"tw", b"")] == [1, None, None]


def test_alone_a_client_has_every_place_and_yet_keeps_out_nobody():
    places, given_up = SharedSlots(4), []
    held = [places.take("many", lambda n=n: given_up.append(n)) for n in range(4)]
    assert all(held) and places.take("many") is None
    assert places.take("other") and given_up == [3]  # the newest
    assert places.take("other") and given_up == [3, 2]
    assert places.take("other") is None  # both have half
    assert places.take("third") and given_up in ([3, 2], [3, 2, 1])
    assert len(places) == 4


def test_a_place_that_is_left_is_free_once():
    places = SharedSlots(1)
    place = places.take("a")
    place.leave(), place.leave()
    assert places.take("b") and len(places) == 1 and places.take("a") is None


def test_a_share_of_its_own_bounds_what_is_given_up_to_nobody():
    places = SharedSlots(4, each=2)
    taken = [places.take(who) is not None for who in ("a", "a", "a", "b", "b", "c")]
    assert taken == [True, True, False, True, True, False]


def test_a_rate_lets_through_a_burst_and_then_so_many_in_a_while():
    now = [0.0]
    rate = Rate(2, 0.5, lambda: now[0])
    assert [rate.take("a"), rate.take("a"), rate.take("a"), rate.take("b")] == [0, 0, 2.0, 0]
    now[0] = 2.0
    assert [rate.take("a"), rate.take("a")] == [0, 2.0]
    for number in range(MOST_CLIENTS + 10):
        rate.take(f"{number}")
    assert len(rate._left) == MOST_CLIENTS


def test_a_log_writes_a_few_of_what_repeats_and_counts_the_rest():
    now, log = [0.0], logging.Logger("flood")
    written, aggregated = io.StringIO(), Aggregated(lambda: now[0])
    handler = logging.StreamHandler(written)
    handler.addFilter(aggregated)
    log.addHandler(handler)

    def flood():
        for number in range(100):
            log.warning("From %d.", number)

    flood()
    log.warning("Another.")
    assert len(written.getvalue().splitlines()) == WRITTEN_EACH + 1
    assert aggregated.rest() == [f"({100 - WRITTEN_EACH} more like 'From 0.')"]
    now[0] = 61.0
    flood()
    lines = written.getvalue().splitlines()
    assert lines[WRITTEN_EACH + 1] == f"({100 - WRITTEN_EACH} more like the next) From 0."
    assert len(lines) == 2 * WRITTEN_EACH + 1


def test_the_log_ends_by_telling_what_it_left_out():
    written = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers.clear()
    try:
        with aggregated_log(written):
            for _ in range(20):
                logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    finally:
        root.handlers[:] = before
    assert len(written.getvalue().splitlines()) == WRITTEN_EACH + 1
    assert "(15 more like 'Invalid" in written.getvalue()


@pytest.mark.parametrize(("files", "count"), [(1024, 512), (256, 64), (64, 16), (10**6, 512)])
def test_fewer_connections_are_held_than_files_may_be_open(monkeypatch, files, count):
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    assert connection_count(Limits().connections) == count
    assert http_connections.BACKLOG <= http_connections.FILES_IN_USE / 2
