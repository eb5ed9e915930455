"""The worker processes: one can be killed, and comes back, at the cost of the request it had."""

import asyncio
import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from photochrom.engine.memory import limit_memory, share_arenas
from photochrom.engine.workers import leave
from photochrom.errors import PhotochromError
from photochrom.photo.temporary_folders import remove
from photochrom.service.jobs import warm
from photochrom.service.limits import Limits
from photochrom.service.problem_details import Problem, no_room
from photochrom.service.sessions import make_root
from photochrom.service.turns import FairQueue

LOG = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
START_SECONDS = 60.0
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows no other


def check_wanted(is_wanted: Callable[[], bool]) -> None:
    """Refuse what newer work has taken the place of.

    Raises
    ------
    Problem
        409.
    """
    if not is_wanted():
        raise Problem(409, "Superseded: the same was asked of this photograph again.")


def _always() -> bool:
    return True


class Worker:
    """Runs jobs in processes of their own, one process for each that may run at once.

    A pool of the standard library breaks as a whole when one of its processes dies, so that each
    process is a pool of its own here.

    Parameters
    ----------
    limits : Limits
    on_restart : callable
        Told whenever a process had to be replaced.
    """

    def __init__(self, limits: Limits, on_restart: Callable[[], None] = lambda: None) -> None:
        self.gate = FairQueue(limits.jobs, limits.queue, limits.spare_jobs)
        self._seconds = limits.job_seconds
        self._on_restart = on_restart
        self._idle = [_Process(limits.job_bytes) for _ in range(limits.jobs)]
        self._all = tuple(self._idle)

    def start(self) -> None:
        """Start the processes and load what they need, without waiting for them."""
        for process in self._all:
            process.start()

    def stop(self) -> None:
        """Kill the processes."""
        for process in self._all:
            process.kill()

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [process.pid for process in self._all if process.pid]

    async def run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job in a worker process, in its turn.

        Parameters
        ----------
        job : callable
            A function of a module.

        Raises
        ------
        Problem
            503 if too much work waits; 422 if the process died of the job or took too long.
        PhotochromError
            As the job raises it.
        """
        return await self._run(_always, False, job, *args, **kwargs)

    async def run_later(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job as `run` does, however much work waits, and behind it."""
        return await self._run(_always, True, job, *args, **kwargs)

    async def run_if(
        self, is_wanted: Callable[[], bool], job: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job as `run` does, unless it is wanted no longer when its turn has come: 409."""
        return await self._run(is_wanted, False, job, *args, **kwargs)

    async def _run(
        self,
        is_wanted: Callable[[], bool],
        patient: bool,
        job: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async with self.gate.turn(patient=patient):
            check_wanted(is_wanted)
            process = self._idle.pop()
            try:
                future = await process.submit(job, *args, **kwargs)
                return await asyncio.wait_for(asyncio.wrap_future(future), self._seconds)
            except TimeoutError:
                self._replace(process)
                raise Problem(
                    422,
                    f"The photograph took longer than {self._seconds:g} seconds and was given up. "
                    "Send a smaller one.",
                ) from None
            except BrokenProcessPool:
                self._replace(process)
                raise Problem(
                    422,
                    "The process that worked on this photograph died. The file may be damaged: "
                    "save it anew with another program, or send a smaller one.",
                ) from None
            except MemoryError:
                self._replace(process)  # what it holds by now would be missed by the next one
                raise Problem(
                    422,
                    "The photograph needs more memory than one may take here. Send a smaller one, "
                    "or save it anew with another program.",
                ) from None
            except asyncio.CancelledError:
                self._replace(process)
                raise
            except (PhotochromError, Problem):
                raise
            except OSError as error:
                LOG.exception("A job met an error of the system's.")
                raise no_room(error) from error
            except Exception as error:  # a stranger's file provokes nearly any
                LOG.exception("A job failed.")
                raise Problem(
                    422,
                    "The photograph cannot be worked on: something in it is damaged, or not as "
                    "its format has it. Save it anew with another program.",
                ) from error
            finally:
                self._idle.append(process)

    def _replace(self, process: "_Process") -> None:
        self._on_restart()
        process.kill()
        process.start()


class _Process:
    """One process that can be killed and started anew."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._folder: Path | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._pid: Future[int] | None = None
        self._warmed: Future[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its number, once it runs."""
        if self._pid is None or not self._pid.done() or self._pid.exception() is not None:
            return None
        return self._pid.result()

    def start(self) -> None:
        """Start it, and let it load what it needs."""
        context = multiprocessing.get_context("spawn")
        self._folder = self._folder or make_root()
        self._pool = ProcessPoolExecutor(
            1, context, initializer=_settle, initargs=(str(self._folder), self._most_bytes)
        )
        self._pid = self._pool.submit(os.getpid)
        self._warmed = self._pool.submit(warm)

    async def ready(self) -> None:
        """Wait until it has loaded what it needs: that is no part of a job's time."""
        if self._warmed is not None:
            warmed = asyncio.wrap_future(self._warmed)
            await asyncio.wait([warmed], timeout=START_SECONDS)
            if warmed.done() and not warmed.cancelled():
                warmed.exception()  # if it died of it, the job will tell

    async def submit(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return it a job once it is ready; if it died while it was idle, its successor gets it."""
        if self._pool is not None:
            await self.ready()
            with suppress(BrokenProcessPool):
                return self._pool.submit(job, *args, **kwargs)
        self.start()
        await self.ready()
        assert self._pool is not None
        return self._pool.submit(job, *args, **kwargs)

    def kill(self) -> None:
        """End it at once."""
        if self._pool is None:
            return
        # The pool's own way, which waits for the job, is for Python 3.14 to change.
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, KILL)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._pid = self._warmed = None
        if self._folder is not None:
            remove(self._folder)
            self._folder = None


def _settle(folder: str, most_bytes: int) -> None:
    """Keep temporary files in a folder, end with the service; Ctrl-C is the service's business."""
    tempfile.tempdir = folder
    share_arenas()
    limit_memory(most_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a terminal that closes: the same
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        leave()

    threading.Thread(target=follow, daemon=True).start()
