"""What runs on the nodes of a cluster: an actor that colours photographs in a process beside it.

An actor only copies files. Pictures are decoded in its `Worker` process, so that a decoder that
crashes, or needs too much memory, is the failure of one photograph and not of the actor.
"""

import io
import os
import pickle
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from photochrom._version import __version__
from photochrom.engine.batch import WriteOptions
from photochrom.engine.colorize import Colorizer
from photochrom.engine.guidance import Guidance
from photochrom.engine.sidecar import Sidecar
from photochrom.engine.stored import (
    DONE_BEFORE,
    StoredOutcome,
    StoredTask,
    colorize_stored,
    recipe_of,
)
from photochrom.engine.workers import WorkerProcesses
from photochrom.errors import ClusterError, WorkerDiedError
from photochrom.photo import storage
from photochrom.photo.atomic import remove_orphans

if TYPE_CHECKING:
    import pyarrow as pa

COPIES = 2  # photographs at the same time: one is copied while the other is coloured
BASE_BYTES = 600_000_000  # of a colouring process and its actor, beyond what a decoder holds
LEAST_DECODER_BYTES = 40_000_000
Shared = Guidance | Sidecar  # may be large, and are the same for many tasks


@dataclass(frozen=True)
class Work:
    """What is the same for all photographs of a run.

    Attributes
    ----------
    make : callable
        Creates the colorizer, in a process of a node.
    expected : str
        `recipe_of` with no guidance, as the command's machine has it.
    options, sidecar, resume :
        See `photochrom.engine.stored.colorize_stored`.
    device : str
        As `Colorizer` takes it.
    seconds : float, optional
        Time limit for a photograph.
    """

    make: Callable[[], Colorizer]
    expected: str
    options: WriteOptions
    sidecar: bool = False
    resume: bool = False
    device: str = "cpu"
    seconds: float | None = None


class Pass(NamedTuple):
    """Some tasks of a run that are coloured alike.

    Attributes
    ----------
    work : Work
    tasks : list of StoredTask
    memory : int
        Bytes that each worker reserves.
    jobs : int, optional
        Maximum number of workers.
    chunk : int
        Maximum number of tasks that are given to a worker at once.
    """

    work: Work
    tasks: list[StoredTask]
    memory: int
    jobs: int | None
    chunk: int


@dataclass(frozen=True)
class Done:
    """The outcome of a task by its number in the pass; its node is 'HOST/ID', with Ray's id."""

    number: int
    outcome: StoredOutcome


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: dict[int, int]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._shared = shared

    def persistent_id(self, obj: object) -> int | None:
        return self._shared.get(id(obj)) if isinstance(obj, Shared) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: list[Shared]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, pid: int) -> Shared:
        return self._shared[pid]


def shared_by(tasks: list[StoredTask]) -> list[Shared]:
    """Return the guidances and sidecars of tasks, each once."""
    found = {id(each): each for task in tasks for each in (task.guidance, task.fit)}
    return [each for each in found.values() if each is not None]


def packed(tasks: list[tuple[int, StoredTask]], shared: list[Shared]) -> bytes:
    """Pickle numbered tasks without what they share."""
    file = io.BytesIO()
    _Pickler(file, {id(each): n for n, each in enumerate(shared)}).dump(tasks)
    return file.getvalue()


def unpacked(content: bytes, shared: list[Shared]) -> list[tuple[int, StoredTask]]:
    """Return the tasks that were packed."""
    tasks: list[tuple[int, StoredTask]] = _Unpickler(io.BytesIO(content), shared).load()
    return tasks


class Colourer:
    """Colours photographs; an actor of Ray Data, which calls it with tables of packed tasks.

    Parameters
    ----------
    work : bytes
        A pickled (Work, shared objects, bytes of memory).
    """

    def __init__(self, work: bytes) -> None:
        import ray

        self._work, self._shared, memory = pickle.loads(work)
        context = ray.get_runtime_context()
        self._node = f"{socket.gethostname()}/{context.get_node_id()}"
        # What this actor finished before it died is not coloured twice.
        self._is_again = context.was_current_actor_reconstructed
        for threads in ("OPENBLAS_NUM_THREADS", "VIPS_CONCURRENCY"):
            os.environ.setdefault(threads, "1")  # a worker has one core
        # No more for a decoder than this actor has reserved.
        most = max(LEAST_DECODER_BYTES, memory - BASE_BYTES) / 1e6
        asked: WriteOptions = self._work.options
        given = asked.get("max_megabytes")
        most = most if given is None else min(given, most)
        self._options: WriteOptions = {**asked, "max_megabytes": most}
        most_bytes = memory if self._work.device == "cpu" else None
        self._processes = WorkerProcesses(
            self._work.make, 1, seconds=self._work.seconds, most_bytes=most_bytes
        )
        self._processes.start()
        self._cleared: set[Path] = set()
        self._check()

    def _check(self) -> None:
        """Raise if this node would make other results than the command's machine."""
        try:
            recipe = self._processes.call(
                recipe_of, Guidance(), self._work.options, self._work.sidecar
            )
        except WorkerDiedError:
            raise  # killed for memory, perhaps: Ray starts another
        except Exception as error:
            raise ClusterError(f"the method cannot be used there ({error}).") from None
        if recipe.key != self._work.expected:
            raise ClusterError(
                f"its photochrom {__version__} or its network differs from this machine's: "
                "results would differ. Install the same on all nodes."
            )

    def __call__(self, table: "pa.Table") -> "pa.Table":
        """Colour the tasks of a table with the column `tasks`; return one with `done`."""
        import pyarrow as pa

        done = []
        for content in table.column("tasks").to_pylist():
            tasks = unpacked(content, self._shared)
            with ThreadPoolExecutor(min(COPIES, len(tasks))) as pool:
                done.append(pickle.dumps(list(pool.map(self._colour, tasks))))
        return pa.table({"done": pa.array(done, pa.large_binary())})

    def _colour(self, numbered: tuple[int, StoredTask]) -> Done:
        number, task = numbered
        self._clear(task.target)
        outcome = colorize_stored(
            self._processes,
            task,
            resume=self._work.resume or self._is_again,
            sidecar=self._work.sidecar,
            options=self._options,
        )
        if not self._work.resume and outcome.notes == (DONE_BEFORE,):  # by this run
            outcome = replace(outcome, status="coloured", notes=())
        return Done(number, replace(outcome, node=self._node))

    def _clear(self, target: str) -> None:
        """Remove what killed workers of this node left in a folder, once."""
        folder = Path(target).parent
        if not storage.is_address(target) and folder not in self._cleared:
            self._cleared.add(folder)
            remove_orphans(folder)
