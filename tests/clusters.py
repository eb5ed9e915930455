"""A Ray cluster of several nodes on this machine, for the tests of runs on clusters."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent
NODES = """
import json, sys
from ray.cluster_utils import Cluster

cluster, nodes = None, []
for line in sys.stdin:
    what, given = json.loads(line)
    if what == "add" and cluster is None:
        cluster = Cluster(True, head_node_args={"include_dashboard": False, **given})
        nodes.append(cluster.head_node)
    elif what == "add":
        nodes.append(cluster.add_node(**given))
    elif what == "remove":
        cluster.remove_node(nodes.pop(), allow_graceful=False)
    print(cluster.address, flush=True)
cluster.shutdown()
"""


class Nodes:
    """A cluster, in a process of its own; use it as a context manager.

    Attributes
    ----------
    address : str
        'HOST:PORT'.
    """

    def __init__(self) -> None:
        # This folder, for colorizers that tests define; and no report about the use of Ray.
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
        environment["PYTHONPATH"] = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        environment["RAY_worker_niceness"] = "0"  # tests run beside others
        environment["RAY_gcs_rpc_server_reconnect_timeout_s"] = "5"
        self._process = subprocess.Popen(
            [sys.executable, "-c", NODES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.address = ""

    def add(self, memory: float, **given: object) -> None:
        """Add a node with one core; the first one is the head."""
        node = {"num_cpus": 1, "object_store_memory": 100_000_000, "memory": memory, **given}
        self._tell("add", node)

    def remove(self) -> None:
        """Kill the node that was added last."""
        self._tell("remove", {})

    def _tell(self, what: str, given: dict[str, object]) -> None:
        import json

        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([what, given]), file=self._process.stdin, flush=True)
        self.address = self._process.stdout.readline().strip()
        assert self.address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
