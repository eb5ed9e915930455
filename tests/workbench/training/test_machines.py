"""Processes that meet, agree and wait over a real store of torch, as threads of this one."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch

from photochrom.errors import DataError, InvalidValueError, LostProcessError, RecipeError
from photochrom.workbench.training import machines
from photochrom.workbench.training.machines import Machines, check_place, reach_first
from photochrom.workbench.training.processes import as_started
from photochrom.workbench.training.recipe import Phase, Recipe
from photochrom.workbench.training.schedule import check_shares


@pytest.fixture
def server():
    return torch.distributed.TCPStore(
        "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=5)
    )


@pytest.fixture
def pair(server, monkeypatch):
    monkeypatch.setattr(machines, "BEAT_S", 0.05)
    return [Machines(r, 2, machines._store("127.0.0.1", server.port, 5), 0.6) for r in range(2)]


def both(pair, act):
    """Let both act at the same time; give what each returned or raised."""

    def noted(one):
        try:
            return act(one)
        except Exception as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(noted, pair))


def test_processes_that_are_given_the_same_go_on(pair):
    assert (
        both(pair, lambda one: one.agree("recipe", {"seed": 1, "loss.huber": 0.02})) == [None] * 2
    )


def test_what_differs_is_named_with_its_values_on_both_machines(pair):
    answers = both(
        pair, lambda one: one.agree("recipe", {"seed": 1, "rate": [1e-3, 2e-3][one.rank]})
    )
    for error in answers:
        assert isinstance(error, InvalidValueError)
        assert "the same recipe: rate is 0.001 in process 0 (" in str(error)
        assert "and 0.002 in process 1 (" in str(error)
        assert "seed" not in str(error)


def test_one_that_ends_tells_those_that_wait_why(pair):
    def act(one):
        with one.together():
            if one.rank:
                raise DataError("/data: no such folder")
            one.wait("decoding")

    waited, failed = both(pair, act)
    assert isinstance(failed, DataError)
    assert isinstance(waited, LostProcessError)
    assert "process 1 (" in str(waited)
    assert "/data: no such folder). Start all of them again" in str(waited)


def test_one_without_a_sign_of_life_is_lost_in_bounded_time(pair):
    begun = time.monotonic()
    with pytest.raises(LostProcessError, match="process 1 has given no sign of life"):
        pair[0].wait("decoding")
    assert time.monotonic() - begun < 5


@pytest.mark.slow
def test_one_that_works_for_long_is_waited_for(pair):
    def act(one):
        if one.rank:
            with one.working():
                time.sleep(3 * one.lost_after)
                one.done("decoding")
        one.wait("decoding", 1)

    assert both(pair, act) == [None, None]


def test_a_store_that_never_answers_is_not_waited_for(pair, monkeypatch):
    monkeypatch.setattr(pair[1], "_has", lambda key: time.sleep(60))
    with pytest.raises(LostProcessError, match="process 0 has not answered"):
        pair[1].wait("decoding", 0)


def test_last_words_are_not_waited_for_long(pair, monkeypatch):
    monkeypatch.setattr(machines, "LAST_WORDS_S", 0.2)
    monkeypatch.setattr(pair[1], "_read", lambda key: time.sleep(60))
    with pytest.raises(LostProcessError, match="Connection reset"), pair[1].together():
        raise RuntimeError("gloo: Connection reset by peer")


def test_a_broken_connection_becomes_a_sentence_and_other_errors_stay(pair):
    closed = (
        "[/a/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:16064. This is "
        "typically caused by a remote worker crashing."
    )
    with (
        pytest.raises(LostProcessError, match=r"ended \(Connection closed by peer \[127.*16064\)"),
        pair[0].together(),
    ):
        raise RuntimeError(closed)
    with pytest.raises(RuntimeError, match="out of memory"), pair[1].together():
        raise RuntimeError("CUDA out of memory")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"MASTER_ADDR": None}, "MASTER_ADDR is not set"),
        ({"MASTER_PORT": None, "NODE_RANK": None}, "MASTER_PORT and NODE_RANK are not set"),
        ({"MASTER_PORT": "http"}, "from 1 to 65535; got 'http'"),
        ({"MASTER_PORT": "70000"}, "got '70000'"),
        ({"NODE_RANK": "2"}, "from 0 to 1; got '2'"),
        ({"NODE_RANK": "-1"}, "got '-1'"),
    ],
)
def test_a_machine_that_does_not_know_its_place_is_told_what_is_missing(changed, said, monkeypatch):
    for name, value in {
        **{"MASTER_ADDR": "head", "MASTER_PORT": "29500", "NODE_RANK": "1"},
        **changed,
    }.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(InvalidValueError, match=said):
        check_place(2)


@pytest.mark.parametrize("address", ["127.0.0.1", "nowhere.invalid"])
def test_a_wrong_address_is_named_in_bounded_time(address):
    begun = time.monotonic()
    with pytest.raises(LostProcessError, match=f"does not answer at {address}:9 "):
        reach_first(address, 9, 1.0)
    assert time.monotonic() - begun < 15


@pytest.mark.slow
def test_what_listens_but_is_no_training_is_named_in_bounded_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun, port = time.monotonic(), silent.getsockname()[1]
        with pytest.raises(
            LostProcessError, match=f"program at 127.0.0.1:{port} is not a photochrom training"
        ):
            reach_first("127.0.0.1", port, 1.5)
    assert time.monotonic() - begun < 10


@pytest.mark.slow
def test_a_first_machine_that_comes_later_is_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    stores = []

    def listen():
        stores.append(
            torch.distributed.TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
        )

    timer = threading.Timer(1.2, listen)
    timer.start()
    reach_first("127.0.0.1", port, 20)
    timer.join()
    assert len(stores) == 1


def test_a_batch_that_cannot_be_shared_equally_is_refused_with_one_that_can():
    recipe = Recipe("r", "unet", (Phase(96, 32, 6), Phase(96, 32, 32)))
    check_shares(recipe, 2)
    with pytest.raises(RecipeError, match=r"Phase 1 .* 32 pictures, .* 3 .*phases\.1\.batch=33"):
        check_shares(recipe, 3)


def test_torchrun_decides_how_many_there_are(monkeypatch):
    assert as_started(2, "auto") == (2, "auto")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("GROUP_WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert as_started(1, "auto") == (3, 2)
    assert as_started(3, 2) == (3, 2)
    with pytest.raises(InvalidValueError, match="torchrun started 2 processes on each of 3"):
        as_started(2, "auto")
