import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from photochrom.engine import memory
from photochrom.engine.workers import Worker, WorkerProcesses
from photochrom.errors import UnknownMethodError, UnreadablePhotoError, WorkerDiedError
from photochrom.photo.part_locks import is_alive
from photochrom.photo.temporary_folders import scratch


def make():
    return {"calls": 0}


def count(made):
    made["calls"] += 1
    return made["calls"]


def echo(made, value):
    print("this must not reach the answers")
    return value


def die(made, number):
    os.kill(os.getpid(), number)
    time.sleep(60)


def fail(made, error):
    raise error


class AwkwardError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def spool(made):
    (scratch() / "half").write_text("half")
    return str(scratch())


@pytest.fixture
def worker():
    worker = Worker(make)
    yield worker
    worker.close()


@pytest.mark.slow
def test_a_worker_keeps_what_it_made_and_answers_in_turn(worker):
    assert [worker.call(count) for _ in range(3)] == [1, 2, 3]
    large = np.arange(3_000_000)
    assert np.array_equal(worker.call(echo, large), large)


@pytest.mark.slow
def test_an_error_comes_back_as_itself_and_the_worker_goes_on(worker):
    for error in (UnreadablePhotoError("no"), EOFError("end"), OSError(5, "I/O"), KeyError("k")):
        with pytest.raises(type(error)):
            worker.call(fail, error)
    pid = worker.pid
    with pytest.raises((RuntimeError, TypeError)):
        worker.call(fail, AwkwardError("one", "two"))
    assert (worker.call(count), worker.pid) == (1, pid)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGBUS, "truncated"), (signal.SIGKILL, "memory")]
)
def test_a_worker_that_dies_is_told_and_replaced_and_leaves_nothing(worker, number, said):
    folder = worker.call(spool)
    first = worker.pid
    with pytest.raises(WorkerDiedError, match=said):
        worker.call(die, number)
    assert not Path(folder).exists()
    assert worker.call(count) == 1
    assert worker.pid != first


@pytest.mark.slow
def test_a_job_that_hangs_is_ended_in_time_and_leaves_nothing():
    worker = Worker(make, seconds=1.5)
    folder, first = worker.call(spool), worker.pid
    begun = time.monotonic()
    with pytest.raises(WorkerDiedError, match="longer than 1.5 seconds.*--timeout"):
        worker.call(hang)
    assert 1.4 < time.monotonic() - begun < 30
    assert not is_alive(first)
    assert not Path(folder).exists()
    assert worker.call(count) == 1
    worker.close()


def slow_to_make():
    time.sleep(2)
    return make()


@pytest.mark.slow
def test_getting_ready_is_no_part_of_a_jobs_time():
    worker = Worker(slow_to_make, seconds=1)
    assert worker.call(count) == 1
    worker.close()


@pytest.mark.slow
def test_a_process_that_was_killed_as_it_answered_is_replaced(worker, monkeypatch):
    worker._seconds = 60
    first = worker.call(os_pid)
    monkeypatch.setattr("photochrom.engine.workers._Watch.end", lambda watch: True)
    assert worker.call(os_pid) == first
    monkeypatch.undo()
    assert worker.call(os_pid) != first


def os_pid(made):
    return os.getpid()


def hoard(made, size):
    return len(bytearray(size))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_what_asks_for_more_memory_than_it_may_have_gets_none():
    worker = Worker(make, most_bytes=2 * 10**9)
    with pytest.raises(MemoryError):
        worker.call(hoard, 3 * 10**9)
    assert worker.call(hoard, 10**8) == 10**8
    worker.close()


def test_the_memory_of_a_process_is_most_of_the_machines_or_of_its_containers(
    tmp_path, monkeypatch
):
    machine, container, free = (tmp_path / name for name in ("machine", "container", "free"))
    monkeypatch.setattr(memory, "MACHINE", machine)
    monkeypatch.setattr(memory, "CONTAINERS", (free, container))
    assert memory.most_memory() is None
    machine.write_text("MemTotal:  8000000 kB\nSwapTotal: 2000000 kB\nHugePages_Total: 0\n")
    free.write_text("max\n")
    assert memory.most_memory() == int(0.9 * 10_000_000 * 1024)
    container.write_text("1024000000\n")
    assert memory.most_memory() == int(0.9 * 3_000_000 * 1024)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says it")
def test_this_machine_says_how_much_memory_it_has():
    assert 10**8 < memory.most_memory() < 10**14


def hopeless():
    raise UnknownMethodError("Unknown method 'x'.")


@pytest.mark.slow
def test_what_hinders_a_worker_from_getting_ready_is_raised_each_time():
    workers = WorkerProcesses(hopeless, 1)
    for _ in range(2):
        with pytest.raises(UnknownMethodError):
            workers.call(count)
    workers.stop()


ORPHAN = """
import os, time
from tests.engine.test_workers import hang, make, spool
from photochrom.engine.workers import WorkerProcesses
workers = WorkerProcesses(make, 2)
workers.start()
folder = workers.call(spool)
print(*workers.pids, folder, flush=True)
workers.call(hang)
"""


def hang(made):
    time.sleep(300)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_workers_end_with_the_process_that_started_them_also_in_the_middle_of_a_job():
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    try:
        *pids, folder = parent.stdout.readline().split()
        parent.kill()
        deadline = time.monotonic() + 120
        while any(is_alive(int(pid)) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(is_alive(int(pid)) for pid in pids)
        assert not Path(folder).exists()
    finally:
        parent.kill()
        parent.communicate()
