import asyncio
import errno
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from photochrom.errors import PhotoTooLargeError
from photochrom.photo.part_locks import is_alive
from photochrom.service.clients import CLIENT
from photochrom.service.limits import Limits
from photochrom.service.problem_details import Problem
from photochrom.service.turns import FairQueue
from photochrom.service.worker_pool import Worker


def refuse():
    raise PhotoTooLargeError("much too large")


@pytest.fixture(scope="module")
def all_restarts():
    return []


@pytest.fixture(scope="module")
def worker(all_restarts):
    worker = Worker(Limits(jobs=1, queue=1, job_seconds=120), lambda: all_restarts.append(1))
    yield worker
    worker.stop()


@pytest.fixture
def restarts(all_restarts):
    all_restarts.clear()
    return all_restarts


def wait_until(condition):
    end = time.monotonic() + 120
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
def test_a_job_runs_in_another_process_that_lives_on(worker):
    async def twice():
        return [await worker.run(os.getpid) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first == second != os.getpid()


def test_an_error_of_the_engine_comes_through(worker):
    with pytest.raises(PhotoTooLargeError, match="much too large"):
        asyncio.run(worker.run(refuse))


def hoard():
    """Ask for more memory than there may be."""
    return len(bytearray(10**10))


def stumble():
    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def fill_disk():
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_a_job_that_wants_too_much_memory_is_refused_and_the_next_one_runs(worker, restarts):
    async def scene():
        with pytest.raises(Problem) as caught:
            await worker.run(hoard)
        return caught.value, await worker.run(os.getpid)

    problem, pid = asyncio.run(scene())
    assert problem.status_code == 422 and "more memory" in problem.detail
    assert pid and len(restarts) == 1


@pytest.mark.parametrize("job, status", [(stumble, 422), (fill_disk, 503)])
def test_whatever_a_file_provokes_is_a_problem_and_no_failure_of_the_service(worker, job, status):
    with pytest.raises(Problem) as caught:
        asyncio.run(worker.run(job))
    assert caught.value.status_code == status and "Errno" not in caught.value.detail


@pytest.mark.slow
def test_a_worker_killed_at_work_costs_that_request_alone(worker, restarts):
    async def scene():
        pid = await worker.run(os.getpid)
        hostile = asyncio.create_task(worker.run(time.sleep, 3))
        innocent = asyncio.create_task(worker.run(os.getpid))
        await asyncio.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Problem) as caught:
            await hostile
        return pid, await innocent, caught.value.status_code

    pid, next_pid, status = asyncio.run(scene())
    assert status == 422 and pid != next_pid and len(restarts) == 1


@pytest.mark.slow
def test_a_worker_killed_while_idle_costs_nothing(worker):
    async def scene():
        pid = await worker.run(os.getpid)
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        return pid, await worker.run(os.getpid)

    pid, next_pid = asyncio.run(scene())
    assert pid != next_pid


@pytest.mark.slow
def test_a_job_that_takes_too_long_is_ended(worker, restarts, monkeypatch):
    async def scene():
        pid = await worker.run(os.getpid)  # to begin may take longer, on a busy machine
        monkeypatch.setattr(worker, "_seconds", 4)
        with pytest.raises(Problem) as caught:
            await worker.run(time.sleep, 60)
        return pid, caught.value

    pid, problem = asyncio.run(scene())
    assert problem.status_code == 422 and "longer than 4 seconds" in problem.detail
    assert wait_until(lambda: not is_alive(pid))
    assert len(restarts) == 1


@pytest.mark.slow
def test_who_comes_when_the_queue_is_full_is_told_to_come_again(worker):
    async def scene():
        await worker.run(os.getpid)
        busy = [asyncio.create_task(worker.run(time.sleep, 0.5)) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(Problem) as caught:
            await worker.run(os.getpid)
        patient = await worker.run_later(os.getpid)
        await asyncio.gather(*busy)
        return caught.value, patient

    problem, patient = asyncio.run(scene())
    assert problem.status_code == 503 and problem.headers["Retry-After"] == "1"
    assert patient


def test_a_job_that_nobody_waits_for_any_more_is_ended(worker):
    async def scene():
        pid = await worker.run(os.getpid)
        task = asyncio.create_task(worker.run(time.sleep, 3))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    pid = asyncio.run(scene())
    assert wait_until(lambda: not is_alive(pid))


@pytest.mark.slow
def test_the_worker_ends_with_a_service_that_is_killed():
    code = (
        "import asyncio, os, sys\n"
        "from photochrom.service.limits import Limits\n"
        "from photochrom.service.worker_pool import Worker\n"
        "if __name__ == '__main__':\n"
        "    worker = Worker(Limits(jobs=1))\n"
        "    print(asyncio.run(worker.run(os.getpid)), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    pid = int(done.stdout)
    assert wait_until(lambda: not is_alive(pid))


def test_clients_take_turns_and_zips_give_way():
    async def scene():
        gate, order = FairQueue(1, 20), []

        async def work(client, patient=False):
            CLIENT.set(client)
            async with gate.turn(patient=patient):
                order.append(client)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(work("first"))]
        tasks += [asyncio.create_task(work("zip", patient=True)) for _ in range(2)]
        tasks += [asyncio.create_task(work("many")) for _ in range(5)]
        tasks += [asyncio.create_task(work("other")) for _ in range(2)]
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(scene()) == [
        *("first", "many", "other"),
        "zip",  # after three that were not patient
        *("many", "other", "many", "zip", "many", "many"),
    ]


def test_who_fills_the_queue_gives_a_place_to_another_client():
    async def scene():
        gate, statuses = FairQueue(1, 4), []

        async def work(client):
            CLIENT.set(client)
            try:
                async with gate.turn():
                    await asyncio.sleep(0.01)
                statuses.append((client, 200))
            except Problem as problem:
                statuses.append((client, problem.status_code))

        tasks = [asyncio.create_task(work("hostile")) for _ in range(8)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(work("innocent"))]
        await asyncio.gather(*tasks)
        return statuses

    statuses = asyncio.run(scene())
    assert statuses.count(("innocent", 200)) == 1
    assert statuses.count(("hostile", 200)) == 4 and statuses.count(("hostile", 503)) == 4


async def settled():
    """Let all that can run do so."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_client_leaves_a_turn_free_for_others():
    async def scene():
        gate, most = FairQueue(3, 20, spare=1), []
        running, release = 0, asyncio.Event()

        async def work(client):
            nonlocal running
            CLIENT.set(client)
            async with gate.turn():
                running += 1
                most.append((client, running))
                await release.wait()
                running -= 1

        tasks = [asyncio.create_task(work("many")) for _ in range(6)]
        await settled()
        tasks.append(asyncio.create_task(work("other")))
        await settled()
        release.set()
        await asyncio.gather(*tasks)
        return most

    most = asyncio.run(scene())
    assert max(count for client, count in most if client == "many") <= 3
    assert most.index(("other", 3)) == 2


def test_a_turn_that_nobody_waits_for_any_more_goes_to_the_next():
    async def scene():
        gate, release = FairQueue(1, 20), asyncio.Event()

        async def work():
            async with gate.turn():
                await release.wait()
                return "done"

        tasks = [asyncio.create_task(work()) for _ in range(4)]
        await settled()
        tasks[0].cancel(), tasks[2].cancel()
        release.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(scene())
    assert [str(each) for each in found] == ["", "done", "", "done"]


def spill():
    """Leave a large temporary file, and take too long."""
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(bytes(1000))
    time.sleep(60)


@pytest.mark.slow
def test_a_killed_worker_leaves_no_temporary_file(worker, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    worker.stop()
    worker.start()
    asyncio.run(worker.run(os.getpid))
    monkeypatch.setattr(worker, "_seconds", 4)
    with pytest.raises(Problem, match="took longer"):
        asyncio.run(worker.run(spill))
    assert [f for folder in tmp_path.iterdir() for f in folder.iterdir()] == []
    worker.stop()
    assert list(tmp_path.iterdir()) == []
