"""The processes of a training on one or more machines: connection, agreement, waiting, failure.

Gradients go over torch's process group, which Lightning Fabric opens. Beside it every process has a
line to the store of the first one, where torch's own rendezvous takes place. Over that they compare
what they are going to do, and wait for one that works alone for long, such as on decoding: no
collective operation could, since all of those end after the same time, in which a lost machine has
to be noticed.
"""

import json
import os
import platform
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from photochrom.errors import InvalidValueError, LostProcessError, PhotochromError
from photochrom.workbench.datasets.file_states import Report

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

LOST_AFTER_S = 300.0  # without a sign of life
PROBE_S, POLL_S, BEAT_S, TO_READ_S, LAST_WORDS_S = 1.0, 0.1, 1.0, 1.0, 5.0
MOST_NAMED = 3  # differences in one message
HOW = (
    "Start the same command on every machine, with the same MASTER_ADDR (the first machine's "
    "address) and MASTER_PORT (a free port of it), and with NODE_RANK 0, 1, ..."
)
distributed: Any = torch.distributed  # which names not all that it exports
_TRAININGS = count()  # of this process; all processes count alike

T = TypeVar("T")


def is_first() -> bool:
    """Return whether this process is the one that reports and writes."""
    begun = distributed.is_available() and distributed.is_initialized()
    return not begun or bool(distributed.get_rank() == 0)


def _number(variable: str, otherwise: int) -> int:
    text = os.environ.get(variable, "")
    return int(text) if text.isascii() and text.isdecimal() else otherwise


def started_by_torchrun() -> tuple[int, int] | None:
    """Return the machines and the processes per machine that torchrun started, or None."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    return _number("GROUP_WORLD_SIZE", 1), _number("LOCAL_WORLD_SIZE", 1)


def check_place(nodes: int) -> None:
    """Raise InvalidValueError if the first machine's address or this one's number is not set."""
    if nodes < 1:
        raise InvalidValueError(f"--nodes needs 1 or more; got {nodes}.")
    missing = [n for n in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if not os.environ.get(n)]
    if missing:
        raise InvalidValueError(
            f"--nodes {nodes}: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not "
            f"set. {HOW}"
        )
    port, rank = _number("MASTER_PORT", 0), _number("NODE_RANK", -1)
    if not 0 < port < 65536:
        raise InvalidValueError(
            f"MASTER_PORT needs a number from 1 to 65535; got '{os.environ['MASTER_PORT']}'."
        )
    if not 0 <= rank < nodes:
        raise InvalidValueError(
            f"NODE_RANK needs a number from 0 to {nodes - 1}; got '{os.environ['NODE_RANK']}'."
        )


def reach_first(address: str, port: int, seconds: float) -> None:
    """Wait until the first machine answers; it may be started later than this one.

    Raise LostProcessError if it does not answer in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=max(PROBE_S, seconds / 10)).close()
            break
        except OSError as error:  # a name that nobody knows, too: it may become known
            reason = error.strerror or str(error)
        if time.monotonic() + PROBE_S > deadline:
            raise LostProcessError(
                f"The first machine does not answer at {_at(address, port)} ({reason}); waited "
                f"{seconds:.0f} s. {HOW}"
            )
        time.sleep(PROBE_S)
    _check_store(address, port, max(PROBE_S, deadline - time.monotonic()))


def _check_store(address: str, port: int, seconds: float) -> None:
    """Raise LostProcessError if another program listens there: torch would wait forever.

    Another thread waits for the answer, and is abandoned if none comes.
    """
    answers: list[Exception | None] = []

    def ask() -> None:
        try:
            _store(address, port, seconds)
            answers.append(None)
        except (RuntimeError, ValueError) as error:
            answers.append(error)

    asking = threading.Thread(target=ask, name="photochrom-first-machine", daemon=True)
    asking.start()
    asking.join(seconds)
    if answers[:1] != [None]:
        why = f"it answers: {_first_line(answers[0])}" if answers and answers[0] else "no answer"
        raise LostProcessError(
            f"The program at {_at(address, port)} is not a photochrom training ({why}); "
            f"waited {seconds:.0f} s. {HOW}"
        )


def _store(address: str, port: int, seconds: float) -> Any:
    """Connect to the store of the first process."""
    timeout = timedelta(seconds=seconds)
    return distributed.TCPStore(
        address, port, is_master=False, wait_for_workers=False, timeout=timeout
    )


class Machines:
    """The processes of a training; a single process needs no communication.

    Parameters
    ----------
    rank, of : int
        This process of how many.
    store : torch.distributed.Store, optional
        The shared store; None for a single process.
    lost_after : float
        Seconds without a heartbeat after which a process counts as lost.
    """

    def __init__(self, rank: int, of: int, store: "Store | None", lost_after: float) -> None:
        self.rank, self.of, self.lost_after = rank, of, lost_after
        self.store = store
        self._beats = 0
        self._lock = threading.Lock()

    @classmethod
    def join(cls, fabric: Fabric, nodes: int, lost_after: float, report: Report) -> Self:
        """Connect to the other processes.

        Raise LostProcessError if not all connect in time, or InvalidValueError if this machine has
        no address to connect to.
        """
        environment: Any = getattr(fabric.strategy, "cluster_environment", None)
        is_ours = isinstance(environment, LightningEnvironment)
        if nodes > 1 and is_ours:
            check_place(nodes)
            where = environment.main_address, environment.main_port
            report(
                f"Machine {environment.node_rank() + 1} of {nodes}; connecting at {_at(*where)}."
            )
            if environment.node_rank() or environment.local_rank():
                reach_first(*where, lost_after)
        try:
            fabric.launch()
        except (RuntimeError, ValueError, OSError) as error:
            raise _not_met(error, fabric, lost_after) from error
        if fabric.world_size == 1:
            return cls(0, 1, None, lost_after)
        if fabric.global_rank and not fabric.local_rank:
            report("All processes are connected; the first machine reports from now on.")
        where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # torchrun's store outlives the processes that it starts again.
        name = f"{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}/{next(_TRAININGS)}"
        store = distributed.PrefixStore(name, _store(*where, lost_after))
        return cls(fabric.global_rank, fabric.world_size, store, lost_after)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Tell the others why this process ended, and report a lost process in one sentence.

        Raise LostProcessError instead of the error of a broken connection.
        """
        try:
            yield
        except PhotochromError as error:
            self._tell(str(error))
            raise
        except (RuntimeError, OSError) as error:
            if self.of == 1 or not _is_of_a_connection(error):
                self._tell(f"{type(error).__name__}: {error}")
                raise
            ends = _in_time(self._ends, list[str]())
            raise _ended("; ".join(ends) or _first_line(error)) from error
        except BaseException as error:
            self._tell(f"{type(error).__name__} {error}".strip())
            raise

    @contextmanager
    def working(self) -> Iterator[None]:
        """Send heartbeats from another thread, so that the others keep waiting."""
        if self.store is None:
            yield
            return
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT_S):
                with suppress(RuntimeError):  # the main thread will find out
                    self._beat()

        thread = threading.Thread(target=beat, name="photochrom-sign-of-life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def done(self, what: str) -> None:
        """Record that this process has finished something."""
        if self.store is not None:
            self.store.set(f"done/{what}/{self.rank}", "")

    def wait(self, what: str, *ranks: int) -> None:
        """Wait until others have finished something: the given ranks, or all.

        Raise LostProcessError if one of them has ended, or sends no heartbeats.
        """
        if self.store is None:
            return
        waiting = [rank for rank in (ranks or range(self.of)) if rank != self.rank]
        answered, problems = [time.monotonic()], list[BaseException]()

        def poll() -> None:
            try:
                self._poll(what, waiting, answered)
            except (RuntimeError, OSError) as error:
                problems.append(error)

        # In another thread, since a store on a machine without power never answers.
        polling = threading.Thread(target=poll, name="photochrom-waiting", daemon=True)
        polling.start()
        while polling.is_alive():
            polling.join(POLL_S)
            if time.monotonic() - answered[0] > self.lost_after:
                raise _ended(f"process 0 has not answered for {self.lost_after:.0f} s")
        if problems:
            raise problems[0]

    def _poll(self, what: str, waiting: list[int], answered: list[float]) -> None:
        heard = {rank: (b"", time.monotonic()) for rank in waiting}
        while waiting := [r for r in waiting if not self._has(f"done/{what}/{r}")]:
            self._beat()
            for rank in waiting:
                beats = self._read(f"alive/{rank}")
                if beats != heard[rank][0]:
                    heard[rank] = beats, time.monotonic()
                elif time.monotonic() - heard[rank][1] > self.lost_after:
                    raise _ended(
                        f"process {rank} has given no sign of life for {self.lost_after:.0f} s"
                    )
            if ends := self._ends():
                raise _ended("; ".join(ends))
            answered[0] = time.monotonic()
            time.sleep(POLL_S)

    def agree(self, what: str, facts: Mapping[str, object]) -> None:
        """Compare facts with those of the other processes.

        Raise InvalidValueError, which names what differs and on which machine.
        """
        if self.store is None:
            return
        told = {"machine": platform.node() or "?", "facts": {k: str(v) for k, v in facts.items()}}
        self.store.set(f"facts/{what}/{self.rank}", json.dumps(told))
        self.done(f"facts/{what}")
        self.wait(f"facts/{what}")
        first, *others = (
            json.loads(self.store.get(f"facts/{what}/{rank}")) for rank in range(self.of)
        )
        for rank, other in enumerate(others, 1):
            names = {**first["facts"], **other["facts"]}
            differing = [n for n in names if first["facts"].get(n) != other["facts"].get(n)]
            if differing:
                told_of = "; ".join(
                    f"{name} is {first['facts'].get(name, 'not there')} in process 0 "
                    f"({first['machine']}) and {other['facts'].get(name, 'not there')} in process "
                    f"{rank} ({other['machine']})"
                    for name in differing[:MOST_NAMED]
                )
                more = len(differing) - MOST_NAMED
                raise InvalidValueError(
                    f"All processes of a training need the same {what}: {told_of}"
                    f"{f'; and {more} more' if more > 0 else ''}."
                )

    def _beat(self) -> None:
        with self._lock:
            self._beats += 1
            if self.store is not None:
                self.store.set(f"alive/{self.rank}", str(self._beats))

    def _has(self, key: str) -> bool:
        return self.store is not None and bool(self.store.check([key]))

    def _read(self, key: str) -> bytes:
        return bytes(self.store.get(key)) if self.store and self._has(key) else b""

    def _tell(self, sentence: str) -> None:
        """Tell the others why this process ends, if the first one still runs."""
        store = self.store
        if store is None:
            return
        told = json.dumps({"machine": platform.node() or "?", "why": sentence})
        _in_time(lambda: store.set(f"end/{self.rank}", told), None)
        if not self.rank:
            time.sleep(TO_READ_S)  # the store ends with the first process

    def _ends(self) -> list[str]:
        """Return the reasons of the processes that have ended."""
        found = ((r, self._read(f"end/{r}")) for r in range(self.of) if r != self.rank)
        told = [(rank, json.loads(text)) for rank, text in found if text]
        return [f"process {rank} ({end['machine']}): {end['why']}" for rank, end in told]


def _in_time(act: Callable[[], T], otherwise: T) -> T:
    """Return the result of a request to the store, or `otherwise` if it fails or takes long.

    Another thread sends the request, since a store on a machine without power never answers.
    """
    answers: list[T] = []

    def ask() -> None:
        with suppress(RuntimeError, OSError):
            answers.append(act())

    asking = threading.Thread(target=ask, name="photochrom-last-words", daemon=True)
    asking.start()
    asking.join(LAST_WORDS_S)
    return answers[0] if answers else otherwise


def _ended(why: str) -> LostProcessError:
    return LostProcessError(
        f"Another process of this training has ended ({why.rstrip('.')}). Start all of them again, "
        "with --resume if there is a checkpoint: they go on from the last one."
    )


def _is_of_a_connection(error: BaseException) -> bool:
    """Return whether an error means a broken connection to another process."""
    if isinstance(error, distributed.DistError | ConnectionError):
        return True
    words = ("gloo", "Connection closed", "Connection reset", "Broken pipe", "NCCL", "TCPStore")
    return any(word in str(error) for word in words)


def _not_met(error: Exception, fabric: Fabric, seconds: float) -> PhotochromError:
    environment: Any = getattr(fabric.strategy, "cluster_environment", None)
    if environment is None:
        return InvalidValueError(f"The training cannot start: {_first_line(error)}")
    where = _at(environment.main_address, environment.main_port)
    if "EADDRINUSE" in str(error) or "in use" in str(error):
        return LostProcessError(
            f"The port of {where} is in use on the first machine. Choose another MASTER_PORT."
        )
    if isinstance(error, ValueError) and not isinstance(error, distributed.DistError):
        return InvalidValueError(f"The training cannot start: {_first_line(error)}")
    return LostProcessError(
        f"Not all processes connected to {where} within {seconds:.0f} s "
        f"({_first_line(error)}). {HOW}"
    )


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _first_line(error: BaseException) -> str:
    """Return the first line of an error, without gloo's source location and advice."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"^\[\S+:\d+\] ", "", line).partition(". This is typically")[0].rstrip(".")
