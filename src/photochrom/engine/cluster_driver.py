"""The connection to a Ray cluster, in a process of its own.

Ray ends the process that is connected to a cluster when that is lost, and prints what its users
need not know. Therefore the command talks to it through a `Worker`, whose death it survives. With
`ray://` the same object runs as an actor on the cluster's head, since Ray Data does not work
through Ray's client.

Ray Data runs the actors, restarts them, repeats what was lost with them and holds back work that
would not find memory. Nothing of that is done here.
"""

import logging
import math
import os
import pickle
import queue
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

from photochrom._version import __version__
from photochrom.engine import cluster_gate
from photochrom.engine.cluster_gate import Gate, Notes, refusal
from photochrom.engine.cluster_worker import Done, Pass, packed, shared_by
from photochrom.errors import ClusterError, PhotochromError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.actor import ActorHandle

CONNECT_SECONDS, LEAST_SECONDS = 8.0, 3.0
# How long this process waits for a head that does not answer; then Ray ends it. The nodes have
# Ray's own 60 s, so that a fault of the network that ends in time ends no worker either.
LOST, LOST_SECONDS = "RAY_gcs_rpc_server_reconnect_timeout_s", "15"
BEGIN_SECONDS = 60.0  # until a cluster has let this process in; a busy head starts one for it
NODE_SECONDS = 120.0  # until a busy node has started a process
WAIT_SECONDS = 0.5
MOST_REPETITIONS = 20  # of the same photographs, whose worker dies
MOST_DEATHS = 250  # of workers that have not begun yet, in a row; a large node may refuse them all
NOTES_SECONDS = 1.0  # between questions which nodes have refused
NOTES_WAIT_SECONDS = 5.0
ALONE_SECONDS = 60.0  # without a node that can take part, if others refused
CHUNK = 16  # photographs that are given to a worker at once
CHUNKS_PER_CORE = 4
HEAD = "node:__internal_head__"
NODE_ID = "ray.io/node-id"  # a label of every node


@dataclass(frozen=True)
class Node:
    """A node of a cluster.

    Attributes
    ----------
    id : str
        Ray's.
    label : str
        The host's name; with the beginning of the id if the host has several nodes.
    cpus, gpus, memory : float
        What Ray may use there; memory in bytes.
    refusal : str
        Why it cannot take part, or ''.
    """

    id: str
    label: str
    cpus: float
    gpus: float
    memory: float
    refusal: str = ""


@dataclass(frozen=True)
class Refusal:
    """A node, by Ray's id, that cannot take part, and why."""

    node: str
    said: str


class Connection(Protocol):
    """What the command's process needs of a cluster."""

    def nodes(self, places: tuple[str, ...]) -> list[Node]:
        """Return the nodes, and which of them cannot take part."""

    def begin(self, given: Pass) -> None:
        """Start to colour tasks."""

    def next(self) -> list[Done | Refusal] | None:
        """Return what was done since the last call, after a short wait; None at the end."""

    def stop(self) -> None:
        """Disconnect."""


def connect(address: str, until: float = math.inf) -> Connection:
    """Connect to a cluster; what a `Worker` makes.

    Parameters
    ----------
    address : str
        'auto', 'HOST:PORT' or 'ray://HOST:PORT'.
    until : float
        Time, in seconds since 1970, after which a cluster that does not answer is given up.

    Raises
    ------
    ClusterError
        If there is none, or Ray or Python have other versions there.
    """
    _silence()
    os.environ.setdefault(LOST, LOST_SECONDS)
    if address != "auto" and "RAY_USE_TLS" not in os.environ:
        _check_port(address, until)
    ray = _ray()
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    _call_in_time(lambda: ray.init(address=address, **quiet), address)
    return _OnHead() if address.startswith("ray://") else Driver()


def _silence() -> None:
    """Discard what Ray prints; its logs on the nodes have it too."""
    null = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(null, number)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


def _ray() -> ModuleType:
    """Return Ray, which has types for a part of it."""
    return import_module("ray")


def _check_port(address: str, until: float) -> None:
    """Raise if no gRPC server answers, as all of Ray's are: Ray would wait for minutes."""
    import grpc

    options = (("grpc.enable_http_proxy", 0),)
    with grpc.insecure_channel(address.removeprefix("ray://"), options) as channel:
        try:
            seconds = max(LEAST_SECONDS, min(CONNECT_SECONDS, until - time.time()))
            grpc.channel_ready_future(channel).result(seconds)
        except grpc.FutureTimeoutError:
            raise _silent(address) from None


def _silent(address: str) -> ClusterError:
    return ClusterError(f"No Ray cluster answers at {address}. Check the address.")


def _call_in_time(job: Callable[[], object], address: str) -> None:
    """Run what may wait for a silent cluster for minutes."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            job()
        except BaseException as error:  # also SystemExit
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(BEGIN_SECONDS)
    if thread.is_alive():
        raise _silent(address)
    if failed:
        raise ClusterError(_why_not(failed[0], address)) from failed[0]


def _why_not(error: BaseException, address: str) -> str:
    said = " ".join(str(error).split())
    if "ersion mismatch" in said or "different version" in said.lower():
        ray = _ray()
        return (
            f"The Ray cluster at {address} has another version of Ray or Python than this machine "
            f"(Ray {ray.__version__}, Python {sys.version.split()[0]}): {said[:300]}"
        )
    if address == "auto":
        return (
            "No Ray cluster runs on this machine. Start one (ray start --head), or name its "
            "address: --cluster HOST:6379 or --cluster ray://HOST:10001."
        )
    return f"No Ray cluster answers at {address} ({said[:200] or type(error).__name__})."


class Driver:
    """Runs tasks on the cluster that this process is connected to, with Ray Data."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[list[Done] | BaseException | None] = queue.SimpleQueue()
        self._refused: dict[str, str] = {}  # why, by Ray's id of a node
        self._told: set[str] = set()  # which of them the command knows
        self._late: list[Refusal] = []  # those that were noticed during the run
        self._places: tuple[str, ...] = ()
        self._notes: ActorHandle[Notes] | None = None
        self._asked = 0.0
        self._with_cores = math.inf  # when a node that can take part was last seen

    def nodes(self, places: tuple[str, ...]) -> list[Node]:
        """Return the nodes, and which of them have another photochrom or do not see the folders."""
        ray = _ray()
        alive = [node for node in ray.nodes() if node["Alive"]]
        hosts = Counter(node["NodeManagerHostname"] for node in alive)
        found = []
        for node in alive:
            host, has = node["NodeManagerHostname"], node["Resources"]
            label = host if hosts[host] == 1 else f"{host}/{node['NodeID'][:6]}"
            cpus, gpus, memory = (float(has.get(name, 0)) for name in ("CPU", "GPU", "memory"))
            found.append(Node(node["NodeID"], label, cpus, gpus, memory))
        self._places = places
        for id, said in self._refusals(found, places).items():
            self._refused.pop(id, None)
            if said:
                self._refused[id] = said
        self._told = set(self._refused)  # one that could not before may refuse anew
        return [replace(node, refusal=self._refused.get(node.id, "")) for node in found]

    def _refusals(self, nodes: list[Node], places: tuple[str, ...]) -> dict[str, str]:
        """Ask each node that can work; return why it cannot take part, or '', by id."""
        ray = _ray()
        from ray.exceptions import GetTimeoutError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        _send_gate()
        asked = {
            node: ray.remote(refusal)
            .options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote(__version__, places)
            for node in nodes
            if node.cpus
        }
        found = {}
        until = time.monotonic() + NODE_SECONDS
        for node, answer in asked.items():
            try:
                found[node.id] = ray.get(answer, timeout=max(1.0, until - time.monotonic()))
            except GetTimeoutError:
                found[node.id] = "does not answer."
            except Exception:
                continue  # it has gone since; others take its place
        return found

    def begin(self, given: Pass) -> None:
        """Start to colour tasks."""
        threading.Thread(target=self._iterate, args=(given,), daemon=True).start()

    def _iterate(self, given: Pass) -> None:
        try:
            for table in self._tables(given):
                for done in table.column("done").to_pylist():
                    self._inbox.put(pickle.loads(done))
            self._inbox.put(None)
        except BaseException as error:
            self._inbox.put(error)

    def next(self) -> list[Done | Refusal] | None:
        """Return what was done since the last call, after a short wait; None at the end.

        Raises
        ------
        ClusterError
            If the run cannot go on.
        """
        found: list[Done | Refusal] = [*self._new_refusals()]
        try:
            first = self._inbox.get(timeout=WAIT_SECONDS)
            while True:
                if isinstance(first, BaseException):
                    raise _told(first) from None
                if first is None:
                    if not found:
                        return None
                    self._inbox.put(None)  # for the next call
                    return found
                found += first
                first = self._inbox.get_nowait()
        except queue.Empty:
            return found

    def _new_refusals(self) -> list[Refusal]:
        """Return the nodes that have refused since the last call; ClusterError if none is left."""
        if self._notes is None or time.monotonic() - self._asked < NOTES_SECONDS:
            return []
        self._asked = time.monotonic()
        self._ask()
        refused = self._refused.copy()  # Ray Data asks too, in a thread of its own
        new = [Refusal(*each) for each in refused.items() if each[0] not in self._told]
        self._told |= refused.keys()
        self._late += new
        if self._late and not self._cores("CPU"):
            # A lost node may come back; one that refuses will not change.
            if new or time.monotonic() - self._with_cores > ALONE_SECONDS:
                raise ClusterError(f"node {self._late[0].node[:6]}: {self._late[0].said}")
        else:
            self._with_cores = time.monotonic()
        return new

    def _ask(self) -> None:
        """Ask which nodes have refused; if nobody answers, this process's node is lost."""
        assert self._notes is not None
        with suppress(Exception):
            self._refused |= _ray().get(self._notes.all.remote(), timeout=NOTES_WAIT_SECONDS)

    def _cores(self, resource: str) -> float:
        """Return the cores, or GPUs, of the nodes that can take part."""
        ray = _ray()
        usable = (n for n in ray.nodes() if n["Alive"] and n["NodeID"] not in self._refused)
        return float(sum(node["Resources"].get(resource, 0) for node in usable))

    def _options(self) -> dict[str, object]:
        """Return options of the next actor: how often Ray repeats what it did, and where it is."""
        self._ask()
        options: dict[str, object] = {"max_task_retries": MOST_REPETITIONS}
        if self._refused:
            options["label_selector"] = {NODE_ID: f"!in({','.join(sorted(self._refused))})"}
        return options

    def _tables(self, given: Pass) -> "Iterable[pa.Table]":
        """Return tables of what was done; they are computed as they are read."""
        ray = _ray()
        from ray.data import ActorPoolStrategy, DataContext

        _send_gate()
        if self._notes is None:
            self._notes = ray.remote(Notes).options(num_cpus=0, **_on_this_node()).remote()

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.max_consecutive_actor_init_deaths = MOST_DEATHS
        # The tasks of a worker that dies again and again are missing.
        context.max_errored_blocks = -1
        work, tasks, memory, jobs, chunk = given
        is_cpu = work.device == "cpu"
        resource = "CPU" if is_cpu else "GPU"
        most = int(max(1.0, self._cores(resource)))
        shared, numbered = shared_by(tasks), list(enumerate(tasks))
        chunk = max(1, min(chunk, len(tasks) // (CHUNKS_PER_CORE * most)))
        rows = [
            {"tasks": packed(numbered[begin : begin + chunk], shared)}
            for begin in range(0, len(numbered), chunk)
        ]
        first = max(1, min(len(rows), most, jobs or most))
        # A row is what is repeated if a worker dies, so each is a block of its own.
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Gate,
            fn_constructor_args=(
                __version__,
                self._places,
                pickle.dumps((work, shared, memory)),
                self._notes,
            ),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            num_gpus=None if is_cpu else 1,
            memory=memory,
            compute=ActorPoolStrategy(
                min_size=1,
                initial_size=first,
                max_size=jobs,
                max_tasks_in_flight_per_actor=2,
            ),
            ray_remote_args_fn=self._options,
        )
        found: Iterable[pa.Table] = dataset.iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        )
        return found

    def stop(self) -> None:
        """Disconnect."""
        _ray().shutdown()


def _send_gate() -> None:
    """Make Ray send the gate's code, since nodes may have another photochrom, or none."""
    _ray().cloudpickle.register_pickle_by_value(cluster_gate)


def _on_this_node() -> dict[str, object]:
    """Return the options of an actor that ends with this process's node at the latest."""
    ray = _ray()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def _told(error: BaseException) -> PhotochromError:
    """Return an error of Ray as one of ours: its cause, if that is one, or its first line."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ClusterError):
            return ClusterError(str(seen))
        seen = getattr(seen, "cause", None) or seen.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line for line in lines if "ClusterError:" in line]
    if ours:
        return ClusterError(ours[-1].partition("ClusterError:")[2].strip())
    what = lines[0][:300] if lines else ""
    return ClusterError(f"The cluster stopped the run ({type(error).__name__}: {what}).")


class _OnHead:
    """A `Driver` on the head of the cluster, reached by Ray's client."""

    def __init__(self) -> None:
        ray = _ray()
        options = {"num_cpus": 0, "resources": {HEAD: 0.001}, "max_concurrency": 2}
        self._actor: ActorHandle[Driver] = ray.remote(Driver).options(**options).remote()

    def _call(self, name: str, *given: object) -> object:
        ray = _ray()
        try:
            return ray.get(getattr(self._actor, name).remote(*given))
        except Exception as error:
            raise _told(error) from None

    def nodes(self, places: tuple[str, ...]) -> list[Node]:
        """See `Driver.nodes`."""
        return cast(list[Node], self._call("nodes", places))

    def begin(self, given: Pass) -> None:
        """See `Driver.begin`."""
        self._call("begin", given)

    def next(self) -> list[Done | Refusal] | None:
        """See `Driver.next`."""
        return cast(list[Done | Refusal] | None, self._call("next"))

    def stop(self) -> None:
        """Disconnect."""
        _ray().shutdown()
