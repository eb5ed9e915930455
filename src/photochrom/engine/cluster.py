"""Colour the tasks of a run on a Ray cluster.

Ray Data gives tasks to actors, one for each core or GPU of the cluster, and repeats what is lost
with a worker or a node. Here is only what it does not know: what a photograph is, which failures
are worth another try, and how much memory that needs.

A run is done in rounds, each of what was listed meanwhile. At the end of a round come, once more
and each by itself, the photographs that need more memory than a worker has reserved, those whose
failure may be the machine's, and those that were lost with their worker again and again.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import methodcaller
from typing import Self, TypeVar
from urllib.parse import urlsplit

from photochrom.engine.batch import FailureStreak
from photochrom.engine.cluster_driver import CHUNK, Connection, Node, Refusal, connect
from photochrom.engine.cluster_worker import BASE_BYTES, LEAST_DECODER_BYTES, Done, Pass, Work
from photochrom.engine.stored import Item, StoredOutcome, StoredTask, blames_machine
from photochrom.engine.workers import Worker
from photochrom.errors import ClusterError, InvalidValueError, WorkerDiedError
from photochrom.extras import require
from photochrom.photo import storage

ORDINARY_BYTES = 1_000_000_000  # that a worker reserves
LEAST_BYTES = BASE_BYTES + LEAST_DECODER_BYTES
MOST_TASKS = 100_000  # in a round
GATHER_SECONDS = 3.0  # that the first round waits for more tasks
CONNECT_SECONDS, PORT_SECONDS = 9.0, 4.0
TICK_SECONDS = 0.5
LISTED = 1000  # items that are passed on at once; fewer if listing takes longer than a tick
T = TypeVar("T")


def checked_address(address: str) -> str:
    """Return the address of a cluster, once something listens there.

    'auto' is what the environment variable RAY_ADDRESS says, if it is set, as in a Ray job.

    Parameters
    ----------
    address : str
        'auto', 'HOST:PORT' or 'ray://HOST:PORT'.

    Raises
    ------
    InvalidValueError
        If it is no such address.
    ClusterError
        If nothing listens there.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    if address == "auto":
        return address
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if (
        not host
        or not port
        or parts.scheme not in ("", "ray")
        or parts.path not in ("", "/")
        or "@" in address
    ):
        raise InvalidValueError(
            f"--cluster (or RAY_ADDRESS) needs 'auto', HOST:PORT or ray://HOST:PORT; got "
            f"{address.rpartition('@')[2]!r}."
        )
    try:
        socket.create_connection((host, port), PORT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ClusterError(
            f"No Ray cluster answers at {address} ({reason}). Check the address, or start one: "
            "ray start --head."
        ) from error
    return address


class Cluster:
    """A Ray cluster; use it as a context manager.

    Parameters
    ----------
    address : str
        See `checked_address`.
    jobs : int, optional
        Maximum number of workers; by default, one for each core, or GPU.
    report : callable
        Is told, once, of each node that cannot take part.

    Attributes
    ----------
    nodes : list of Node
        That could take part as the run began.

    Raises
    ------
    ClusterError
        On entering, if there is no cluster, or no node can take part.
    MissingExtraError
        If Ray is not installed.
    """

    def __init__(
        self,
        address: str,
        jobs: int | None = None,
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        require("cluster", "Running on a cluster", "ray", "grpc", "pyarrow")
        self.address, self._jobs, self._report = address, jobs, report
        self.nodes: list[Node] = []
        self._labels: dict[str, str] = {}
        self._refused: set[str] = set()
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        until = time.time() + CONNECT_SECONDS
        self.address = checked_address(self.address)
        self._worker = Worker(partial(connect, self.address, until))
        try:
            self.check()
        except BaseException:
            self._worker.close()
            raise
        return self

    def check(self, places: tuple[str, ...] = ()) -> None:
        """Find the nodes that can take part, and raise if there is none.

        Parameters
        ----------
        places : tuple of str
            Local folders that every node must see.

        Raises
        ------
        ClusterError
        """
        nodes: list[Node] = self._call(methodcaller("nodes", places))
        self._labels = {node.id: node.label for node in nodes}
        self.nodes = [node for node in nodes if not node.refusal]
        refused = [node for node in nodes if node.refusal]
        if refused and not any(node.cpus for node in self.nodes):
            raise ClusterError(f"node {refused[0].label}: {refused[0].refusal}")
        for node in refused:
            self._leave_out(Refusal(node.id, node.refusal))

    def _leave_out(self, refusal: Refusal) -> None:
        """Say, once, that a node does not take part."""
        if refusal.node not in self._refused:
            self._refused.add(refusal.node)
            label = self._labels.get(refusal.node, refusal.node[:6])
            self._report(f"node {label}: {refusal.said} The run goes on without this node.")

    def _call(self, job: Callable[[Connection], T]) -> T:
        """Run a job in the process that is connected to the cluster."""
        assert self._worker is not None
        try:
            return self._worker.call(job)
        except WorkerDiedError as error:
            raise ClusterError(
                f"The Ray cluster at {self.address} was lost. What was coloured is complete: run "
                "the same command again with --resume."
            ) from error

    def __exit__(self, kind: object, *error: object) -> None:
        assert self._worker is not None
        if kind is None:
            with suppress(Exception):  # all work is done: whatever fails now does not matter
                self._worker.call(methodcaller("stop"))
        self._worker.close()

    def workers(self, device: str = "cpu") -> int:
        """Return how many workers there is room for.

        Raises
        ------
        ClusterError
            If there is none.
        """
        counts = [int(node.cpus if device == "cpu" else node.gpus) for node in self.nodes]
        if not sum(counts):
            raise ClusterError(
                f"The Ray cluster at {self.address} has no "
                f"{'CPU' if device == 'cpu' else 'GPU'} to work with."
            )
        return min(sum(counts), self._jobs or sum(counts))

    def colorize(
        self, items: Iterable[Item], work: Work, tick: Callable[[], object] = lambda: None
    ) -> Generator[StoredOutcome]:
        """Colour the tasks of a run.

        Parameters
        ----------
        items : iterable of StoredTask and StoredOutcome
            See `StoredRun.items`; listed by a thread, while the cluster works.
        work : Work
        tick : callable
            Is called about once a second.

        Yields
        ------
        StoredOutcome
            One for each item, in order of completion; `node` is the node's name.

        Raises
        ------
        ClusterError
            If the cluster is lost.
        """
        self.workers(work.device)
        with _Feed(items) as feed:
            streak = FailureStreak()
            while True:
                tasks, is_over = [], False
                for some in feed.take(MOST_TASKS, tick):
                    for item in some:
                        if isinstance(item, StoredTask):
                            tasks.append(item)
                        else:
                            yield item
                            is_over = is_over or item.ends_run
                if not tasks or is_over:
                    return
                for outcome in self._round(tasks, work, tick, streak):
                    yield outcome
                    if outcome.ends_run:
                        return
                if streak.count >= streak.most:
                    return

    def _round(
        self,
        tasks: list[StoredTask],
        work: Work,
        tick: Callable[[], object],
        streak: FailureStreak,
    ) -> Iterator[StoredOutcome]:
        """Colour some tasks: all at first, then those that are worth another try."""
        again: dict[int, list[StoredTask]] = {}
        failed: list[StoredOutcome] = []
        # What a worker reserves: less where else cores would be idle, but enough.
        share = min(node.memory / node.cpus for node in self.nodes if node.cpus)
        ordinary = int(min(ORDINARY_BYTES, max(LEAST_BYTES, share), self._largest()))
        left = set(range(len(tasks)))
        for done in self._pass(tasks, work, ordinary, CHUNK, tick):
            left.discard(done.number)
            outcome = done.outcome
            memory = self._memory_of(outcome, work, ordinary)
            if outcome.needs_megabytes is None:
                streak.add(outcome)
            if memory is None:
                yield self._named(outcome, work)
            else:
                again.setdefault(memory, []).append(tasks[done.number])
                failed.append(outcome)
            if streak.count >= streak.most:  # another try of all of them would not help
                yield from (self._named(each, work) for each in failed)
                return
        again.setdefault(ordinary, []).extend(tasks[number] for number in sorted(left))
        for memory, some in sorted(again.items()):
            if some:
                yield from self._once_more(some, work, memory, tick)

    def _once_more(
        self, tasks: list[StoredTask], work: Work, memory: int, tick: Callable[[], object]
    ) -> Iterator[StoredOutcome]:
        left = set(range(len(tasks)))
        for done in self._pass(tasks, work, memory, 1, tick):
            left.discard(done.number)
            yield self._named(done.outcome, work)
        for number in sorted(left):
            task = tasks[number]
            source, target = storage.cleaned(task.source), storage.cleaned(task.target)
            said = f"{source}: its worker died again and again. The others are not affected."
            yield StoredOutcome(source, target, "failed", (said,), 0.0)

    def _pass(
        self,
        tasks: list[StoredTask],
        work: Work,
        memory: int,
        chunk: int,
        tick: Callable[[], object],
    ) -> Iterator[Done]:
        """Colour tasks with Ray Data, and yield each as it is done, unless its worker dies."""
        given = Pass(work, tasks, memory, self._jobs, chunk)
        self._call(methodcaller("begin", given))
        ask: Callable[[Connection], list[Done | Refusal] | None] = methodcaller("next")
        while (some := self._call(ask)) is not None:
            for done in some:
                if isinstance(done, Refusal):
                    self._leave_out(done)
                    continue
                host, _, id = done.outcome.node.partition("/")
                node = self._labels.get(id, f"{host}/{id[:6]}")  # it may have come since
                yield replace(done, outcome=replace(done.outcome, node=node))
            tick()

    def _largest(self) -> float:
        """Return the memory of the largest node."""
        return max(node.memory for node in self.nodes)

    def _memory_of(self, outcome: StoredOutcome, work: Work, ordinary: int) -> int | None:
        """Return the bytes to reserve for another try; None if that makes no sense."""
        needed = outcome.needs_megabytes
        if needed is None:
            if blames_machine(outcome) or outcome.ends_run:
                return int(min(2 * ordinary, self._largest()))
            return None
        allowed = work.options.get("max_megabytes")
        memory = BASE_BYTES + needed * 1e6
        if (allowed is not None and needed > allowed) or memory > self._largest():
            return None
        reserved = 2 * ordinary
        while reserved < memory:  # a few sizes, so that one pass serves many
            reserved *= 2
        return int(min(reserved, self._largest()))

    def _named(self, outcome: StoredOutcome, work: Work) -> StoredOutcome:
        """Return an outcome; if the nodes are too small, it says so, and not how much was spare."""
        needed, allowed = outcome.needs_megabytes, work.options.get("max_megabytes")
        if needed is None or (allowed is not None and needed > allowed):
            return outcome
        said = (
            f"{outcome.source}: needs about {needed + BASE_BYTES / 1e6:,.0f} MB of memory; the "
            f"largest node of the cluster has {self._largest() / 1e6:,.0f} MB for its workers. Add "
            "a larger node, or save the photograph as a baseline JPEG or a TIFF with small strips."
        )
        return replace(outcome, notes=(said,))


class _Feed:
    """Lists items in a thread, a bounded number ahead."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items
        self._ready: queue.Queue[list[Item] | BaseException | None] = queue.Queue(
            MOST_TASKS // LISTED
        )
        self._is_stopped, self._is_ended, self._is_first = False, False, True
        self._thread = threading.Thread(target=self._list, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_stopped = True
        while self._thread.is_alive():  # it may wait for room
            with suppress(queue.Empty):
                self._ready.get_nowait()
            self._thread.join(0.05)

    def _list(self) -> None:
        some: list[Item] = []
        begun = time.monotonic()
        try:
            for item in self._items:
                some.append(item)
                if len(some) == LISTED or time.monotonic() - begun > TICK_SECONDS:
                    self._ready.put(some)
                    some, begun = [], time.monotonic()
                if self._is_stopped:
                    return
            self._ready.put(some)
            self._ready.put(None)
        except BaseException as error:
            self._ready.put(some)
            self._ready.put(error)

    def take(self, most: int, tick: Callable[[], object]) -> Iterator[list[Item]]:
        """Yield what was listed, up to about as many tasks; wait for at least one."""
        count = waited = 0.0
        while count < most and not self._is_ended:
            try:
                some = self._ready.get(timeout=TICK_SECONDS)
            except queue.Empty:
                waited += TICK_SECONDS
                tick()
                if count and (waited >= GATHER_SECONDS or not self._is_first):
                    break
                continue
            if some is None:
                self._is_ended = True
            elif isinstance(some, BaseException):
                self._is_ended = True
                raise some
            else:
                count += sum(isinstance(item, StoredTask) for item in some)
                yield some
        self._is_first = False
