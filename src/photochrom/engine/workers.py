"""Worker processes: if one is killed, only its current call fails.

A worker is a new interpreter (not a fork, which neither libvips nor ONNX Runtime supports) that
receives calls over a pipe, one at a time. It ends when the process that started it ends.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Concatenate, NoReturn, ParamSpec, Protocol, TypeVar

from photochrom.errors import WorkerDiedError

P = ParamSpec("P")
T = TypeVar("T")
Job = Callable[Concatenate[Any, P], T]
GOODBYE_SECONDS = 5.0
TICK_SECONDS = 1.0  # step of waiting, so that suspended time counts as one step, not hours
STDOUT, STDERR = 1, 2
LENGTH_BYTES = 8
# The worker's program. It uses the parent's module path.
PROGRAM = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    "from photochrom.engine.workers import work; work()"
)
DEATHS = {
    "SIGBUS": "its file was truncated, or its disk failed, while it was read",
    "SIGKILL": "perhaps because of too little memory: try --jobs 1",
    "SIGSEGV": "a decoder crashed: the file may be damaged",
    "SIGABRT": "a decoder aborted: the file may be damaged",
}


class Executor(Protocol):
    """Runs jobs, in this process or in others."""

    def call(self, job: Job[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job with the shared object as first argument; return or raise its outcome."""

    def stop(self) -> None:
        """Stop running jobs, if possible."""


class InProcess:
    """Runs jobs in this process.

    Parameters
    ----------
    made : object
        First argument of every job.
    """

    def __init__(self, made: object) -> None:
        self._made = made

    def call(self, job: Job[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job."""
        return job(self._made, *args, **kwargs)

    def stop(self) -> None:
        """Do nothing: jobs in this process end by themselves."""


class Worker:
    """A worker process. Only one thread may call it at a time.

    Parameters
    ----------
    make : callable
        Creates, in the process, the first argument of every job. It is pickled, like jobs and
        their arguments.
    seconds : float, optional
        A job that takes longer ends the process. Start-up time does not count.
    most_bytes : int, optional
        Maximum memory of the process, on Linux.
    """

    def __init__(
        self,
        make: Callable[[], object],
        *,
        seconds: float | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self._make, self._seconds, self._most_bytes = make, seconds, most_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        make = pickle.dumps(self._make)
        most_bytes = pickle.dumps(self._most_bytes)
        command = [sys.executable, "-c", PROGRAM]
        with _without_interrupts():
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1
            )
        self._is_ready = False
        with suppress(OSError):  # if it has died already, the next call reports it
            _send(self._process.stdin, pickle.dumps(sys.path), framed=False)
            _send(self._process.stdin, most_bytes)
            _send(self._process.stdin, make)

    def call(self, job: Job[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job in the process, which is started if necessary.

        Parameters
        ----------
        job : callable
            A function of a module.

        Raises
        ------
        WorkerDiedError
            If the process dies, or the job takes too long.
        Exception
            What the job raised, or what the start-up of the process raised.
        """
        if self._process is None or self._process.poll() is not None:
            self.start()
        assert self._process is not None
        if not self._is_ready:
            is_made, hindrance = self._ask(None)
            if not is_made:  # the next call may succeed
                self.close()
                raise hindrance
            self._is_ready = True
        is_good, answer = self._ask_in_time((job, args, kwargs))
        if not is_good:
            raise answer
        given: T = answer
        return given

    def _ask_in_time(self, call: object) -> tuple[bool, Any]:
        """Ask as `_ask` does; kill the process if there is no answer in time."""
        if self._seconds is None:
            return self._ask(call)
        watch = _Watch(self._seconds, self.kill)
        try:
            answer = self._ask(call)
        except WorkerDiedError as error:
            if not watch.end():
                raise
            raise WorkerDiedError(
                f"it took longer than {self._seconds:g} seconds and was abandoned (--timeout "
                "allows more)"
            ) from error
        if watch.end():  # it was killed after its answer: the next call needs another process
            self.close()
        return answer

    def _ask(self, call: object) -> tuple[bool, Any]:
        """Send a call, if any, and wait for the answer: (True, value) or (False, error)."""
        assert self._process is not None
        packed = None if call is None else pickle.dumps(call)
        try:
            if packed is not None:
                _send(self._process.stdin, packed)
            answer = _receive(self._process.stdout)
        except (EOFError, OSError) as error:
            raise self._died() from error
        is_good, value = pickle.loads(answer)
        return is_good, value

    def _died(self) -> WorkerDiedError:
        """Clean up a process that is ending; return how it ended."""
        process, self._process = self._process, None
        assert process is not None
        code = _end(process)
        _clear()
        return WorkerDiedError(f"the process that worked on it died ({_how(code)})")

    def kill(self) -> None:
        """Kill the process."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Kill the process and wait until it has ended."""
        self.kill()
        process, self._process = self._process, None
        if process is not None:
            _end(process)


class _Watch:
    """Kills a job that takes too long; time in which this process is suspended does not count."""

    def __init__(self, seconds: float, kill: Callable[[], None]) -> None:
        self._left, self._kill = seconds, kill
        self._is_over, self._ended = False, threading.Event()
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while self._left > 0:
            tick = min(self._left, TICK_SECONDS)
            if self._ended.wait(tick):
                return
            self._left -= tick
        self._is_over = True
        self._kill()

    def end(self) -> bool:
        """Stop waiting; return whether the time was over."""
        self._ended.set()
        self._thread.join()
        return self._is_over


class WorkerProcesses:
    """Several processes that share the work.

    Parameters
    ----------
    make, seconds, most_bytes :
        See `Worker`.
    count : int
    """

    def __init__(
        self,
        make: Callable[[], object],
        count: int,
        *,
        seconds: float | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self._all = [Worker(make, seconds=seconds, most_bytes=most_bytes) for _ in range(count)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._is_stopped = False
        for worker in self._all:
            self._idle.put(worker)

    @property
    def pids(self) -> list[int]:
        """The running processes."""
        return [worker.pid for worker in self._all if worker.pid]

    def start(self) -> None:
        """Start all processes, without waiting until they are ready."""
        for worker in self._all:
            worker.start()
        _clear()

    def call(self, job: Job[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job in the next process that is idle; see `Worker.call`."""
        worker = self._idle.get()
        try:
            if self._is_stopped:
                raise WorkerDiedError("the processes were stopped")
            return worker.call(job, *args, **kwargs)
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """Kill all processes and remove their unfinished files."""
        self._is_stopped = True
        for worker in self._all:
            worker.kill()
        for worker in self._all:
            worker.close()
        _clear()

    def __enter__(self) -> "WorkerProcesses":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C in child processes, since the parent handles it; the mask is inherited."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(pipe: IO[bytes] | None, packed: bytes, framed: bool = True) -> None:
    """Write a message with its length as prefix."""
    assert pipe is not None
    if framed:
        pipe.write(len(packed).to_bytes(LENGTH_BYTES, "big"))
    pipe.write(packed)
    pipe.flush()


def _receive(pipe: IO[bytes] | None) -> bytes:
    """Read a message; EOFError if the other side has closed the pipe."""
    assert pipe is not None
    head = pipe.read(LENGTH_BYTES)
    size = int.from_bytes(head, "big")
    packed = pipe.read(size)
    if len(head) < LENGTH_BYTES or len(packed) < size:
        raise EOFError("the other side has closed the pipe")
    return packed


def _clear() -> None:
    """Remove the temporary files of processes that were killed."""
    # Imported late, here and below: it imports pyvips, which overlaps with the processes' start.
    from photochrom.photo.temporary_folders import remove_left_behind

    remove_left_behind()


def _how(code: int) -> str:
    """Describe an exit code; a negative one is a signal, as in `subprocess`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    return f"{name}, {DEATHS[name]}" if name in DEATHS else name


def _end(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that is ending; return its exit code."""
    try:
        code = process.wait(GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    return code


def work() -> None:
    """Run calls until the parent has ended: the worker's main function."""
    calls = sys.stdin.buffer
    answers = os.fdopen(os.dup(STDOUT), "wb")
    _divert_prints()
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(calls, inbox), daemon=True).start()
    is_made, made = _try(_made, inbox)
    _reply(answers, (is_made, None if is_made else made))
    while is_made:
        _reply(answers, _try(_called, inbox.get(), made))


def _made(inbox: "queue.SimpleQueue[bytes]") -> object:
    most_bytes: int | None = pickle.loads(inbox.get())
    if most_bytes is not None:
        from photochrom.engine.memory import limit_memory

        limit_memory(most_bytes)
    return pickle.loads(inbox.get())()


def _called(packed: bytes, made: object) -> object:
    job, args, kwargs = pickle.loads(packed)
    return job(made, *args, **kwargs)


def _divert_prints() -> None:
    """Redirect standard output, so that prints do not mix with the answers."""
    try:
        os.dup2(STDERR, STDOUT)
    except OSError:  # the parent has none
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)


def _listen(calls: IO[bytes], inbox: "queue.SimpleQueue[bytes]") -> None:
    """Receive calls; when the parent has ended, exit at once, even during a job."""
    try:
        while True:
            inbox.put(_receive(calls))
    finally:
        leave()


def leave() -> NoReturn:
    """Exit at once, since the parent has ended; unfinished files are removed."""
    from photochrom.photo.atomic import discard_open
    from photochrom.photo.temporary_folders import remove_own

    discard_open()
    remove_own()
    os._exit(1)


def _try(job: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> tuple[bool, object]:
    try:
        return True, job(*args, **kwargs)
    except Exception as error:  # any error is sent to the caller, and the worker goes on
        return False, error


def _reply(answers: IO[bytes], answer: tuple[bool, object]) -> None:
    is_good, value = answer
    try:
        packed = pickle.dumps(answer)
        if not is_good:
            pickle.loads(packed)  # an exception with several arguments may not unpickle
    except Exception:  # pickling can raise anything
        packed = pickle.dumps((False, RuntimeError(f"{type(value).__name__}: {value}")))
    with suppress(BrokenPipeError):  # the parent is gone: see `_listen`
        _send(answers, packed)
