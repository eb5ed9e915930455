"""The worker processes: a killed one is replaced; only its current request fails."""

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
# Errors that end a process, and what the client is told.
FATAL: dict[type[Exception], str] = {
    TimeoutError: "The {what} took longer than {seconds:g} seconds and was abandoned. Send a "
    "smaller one.",
    BrokenProcessPool: "The process that worked on this {what} died. The file may be damaged: "
    "save it again with another program, or send a smaller one.",
    MemoryError: "The {what} needs more memory than is allowed here. Send a smaller one, or "
    "save it again with another program.",
}
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL


def check_wanted(is_wanted: Callable[[], bool]) -> None:
    """Reject a request that a newer one has superseded.

    Raises
    ------
    Problem
        409.
    """
    if not is_wanted():
        raise Problem(409, "Superseded by a newer request for this photograph.")


def _always() -> bool:
    return True


class Worker:
    """Run jobs in worker processes, one process per concurrent job.

    A standard-library pool breaks as a whole when one of its processes dies, so each process is a
    separate pool here.

    Parameters
    ----------
    limits : Limits
    on_restart : callable
        Called whenever a process is replaced.
    what : str
        What the jobs work on, in messages.
    load : callable
        Run first in each process, so that the first job is not slower.
    """

    def __init__(
        self,
        limits: Limits,
        on_restart: Callable[[], None] = lambda: None,
        what: str = "photograph",
        load: Callable[[], None] = warm,
    ) -> None:
        self._what = what
        self.gate = FairQueue(limits.jobs, limits.queue, limits.spare_jobs)
        self._seconds = limits.job_seconds
        self._on_restart = on_restart
        self._idle = [_Process(limits.job_bytes, load) for _ in range(limits.jobs)]
        self._all = tuple(self._idle)

    def start(self) -> None:
        """Start the processes and let them load, without waiting."""
        for process in self._all:
            process.start()

    def wake(self) -> None:
        """Start the processes that do not run yet, without waiting."""
        for process in self._all:
            if not process.is_started:
                process.start()

    def stop(self) -> None:
        """Kill the processes."""
        for process in self._all:
            process.kill()

    @property
    def pids(self) -> list[int]:
        """The running processes."""
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
            503 if too much work is waiting; 422 if the job killed the process or took too long.
        PhotochromError
            If the job raises it.
        """
        return await self._run(_always, False, job, *args, **kwargs)

    async def run_later(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job as `run` does, with lower priority and no limit on waiting."""
        return await self._run(_always, True, job, *args, **kwargs)

    async def run_if(
        self, is_wanted: Callable[[], bool], job: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a job as `run` does, unless it is superseded when its turn comes: 409."""
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
            except tuple(FATAL) as error:
                self._replace(process)  # memory that an error has left in use would be missing
                said = next(text for kind, text in FATAL.items() if isinstance(error, kind))
                raise Problem(422, said.format(what=self._what, seconds=self._seconds)) from None
            except asyncio.CancelledError:
                self._replace(process)
                raise
            except (PhotochromError, Problem):
                raise
            except OSError as error:
                LOG.exception("A job failed with a system error.")
                raise no_room(error) from error
            except Exception as error:  # an uploaded file can cause nearly any error
                LOG.exception("A job failed.")
                raise Problem(
                    422,
                    f"The {self._what} cannot be processed: part of it is damaged or violates its "
                    "format. Save it again with another program.",
                ) from error
            finally:
                self._idle.append(process)

    def _replace(self, process: "_Process") -> None:
        self._on_restart()
        process.kill()
        process.start()


class _Process:
    """One process that can be killed and restarted."""

    def __init__(self, most_bytes: int, load: Callable[[], None]) -> None:
        self._most_bytes, self._load = most_bytes, load
        self._folder: Path | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._pid: Future[int] | None = None
        self._warmed: Future[None] | None = None

    @property
    def is_started(self) -> bool:
        """Whether it runs, or will soon."""
        return self._pool is not None

    @property
    def pid(self) -> int | None:
        """The process id, once it runs."""
        if self._pid is None or not self._pid.done() or self._pid.exception() is not None:
            return None
        return self._pid.result()

    def start(self) -> None:
        """Start the process and let it load what it needs."""
        context = multiprocessing.get_context("spawn")
        self._folder = self._folder or make_root()
        self._pool = ProcessPoolExecutor(
            1, context, initializer=_settle, initargs=(str(self._folder), self._most_bytes)
        )
        self._pid = self._pool.submit(os.getpid)
        self._warmed = self._pool.submit(self._load)

    async def ready(self) -> None:
        """Wait until the process has loaded; this does not count as the job's time."""
        if self._warmed is not None:
            warmed = asyncio.wrap_future(self._warmed)
            await asyncio.wait([warmed], timeout=START_SECONDS)
            if warmed.done() and not warmed.cancelled():
                warmed.exception()  # if loading killed it, the job reports that

    async def submit(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit a job once the process is ready; if it died while idle, use its replacement."""
        if self._pool is not None:
            await self.ready()
            with suppress(BrokenProcessPool):
                return self._pool.submit(job, *args, **kwargs)
        self.start()
        await self.ready()
        assert self._pool is not None
        return self._pool.submit(job, *args, **kwargs)

    def kill(self) -> None:
        """Kill the process."""
        if self._pool is None:
            return
        # The pool's own method waits for the job; Python 3.14 changes that.
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, KILL)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._pid = self._warmed = None
        if self._folder is not None:
            remove(self._folder)
            self._folder = None


def _settle(folder: str, most_bytes: int) -> None:
    """Set the temporary folder and signal handling; the service handles Ctrl-C."""
    tempfile.tempdir = folder
    share_arenas()
    limit_memory(most_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal: the same
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        leave()

    threading.Thread(target=follow, daemon=True).start()
