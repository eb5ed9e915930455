#!/usr/bin/env python3
"""Break a run on a cluster in every way, and count what became of each photograph.

    python benchmarks/chaos.py [--photographs 2000] [--nodes 3] [--method gray] [--pace 0.02]

A Ray cluster of several nodes and an S3 server (moto) run on this machine; the server is reached
through a proxy that can be taken away, or be full. While `photochrom s3://scans/ -o s3://coloured/
--cluster` colours, workers and colouring processes are killed at random, a node is killed and
another comes, the storage is gone for ten seconds and full for five, and sources change. Then the
head is killed; the command must say so. A new cluster is started, and the run is resumed twice:
once with more of the same, once in peace.

At the end a checker that knows nothing of photochrom reads both buckets: every source has exactly
one whole result of its newest content, or one named failure, and nothing else lies there.
"""

import argparse
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SOURCES, RESULTS = "scans", "coloured"
COMMAND = [sys.executable, "-c", "from photochrom.cli import main; main()"]
OBJECT_STORE_BYTES = 100_000_000
BAD_SHARE = 0.02
STORAGE_GONE_SECONDS, STORAGE_FULL_SECONDS = 10.0, 5.0
PACE_SECONDS = 20.0  # from one harm to the next, if no results come
DIFFERENCE = 4.0  # mean, of 255, between a source and its result without colour, or another source
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # whatever token an earlier cluster of this user has left
    "RAY_worker_niceness": "0",  # by default workers give way to whatever else runs
    "RAY_raylet_start_wait_time_s": "120",  # this machine may be busy
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "us-east-1",
}
# How long a lost head is waited for.
os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--method", default="gray")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pace", type=float, default=0.02, help="share of results between harms")
    given = parser.parse_args()
    begun = time.monotonic()
    with closing(Storage()) as storage:
        scans = Scans(storage, given.photographs, given.seed)
        phases = run_all(storage, scans, given)
        found = check(storage, scans)
    found |= {"phases": phases, "seconds": round(time.monotonic() - begun)}
    print(json.dumps(found, indent=2))
    sys.exit(1 if found["wrong"] or phases[-1]["missing"] else 0)


def run_all(storage: "Storage", scans: "Scans", given: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the command three times; return what happened in each."""
    random.seed(given.seed)
    phases = []
    with closing(Nodes(given.nodes)) as nodes:
        run = Run(nodes.address, given.method)
        harm = Harm(storage, scans, nodes, run, given.pace)
        harm.until(lambda: scans.results() >= given.photographs * 0.5)
        nodes.kill_head()
        phases.append({"name": "the head is killed", **run.end(), "harm": dict(harm.done)})
    with closing(Nodes(given.nodes)) as nodes:
        run = Run(nodes.address, given.method, "--resume")
        harm = Harm(storage, scans, nodes, run, given.pace)
        harm.until(lambda: False)
        phases.append({"name": "resumed", **run.end(), "harm": dict(harm.done)})
        run = Run(nodes.address, given.method, "--resume")
        phases.append({"name": "resumed in peace", **run.end(), "harm": {}})
    phases[0]["missing"] = "was lost" not in phases[0]["said"]
    for phase in phases[1:]:
        phase["missing"] = re.search(r"\d+ coloured", phase["said"]) is None
    for phase in phases:
        phase["said"] = phase["said"].splitlines()[-4:]
    return phases


class Run:
    """The command, in a process of its own."""

    def __init__(self, address: str, method: str, *words: str) -> None:
        words = (f"s3://{SOURCES}/", "-r", "-o", f"s3://{RESULTS}/all", "-m", method, *words)
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - until the end
        self._begun = time.monotonic()
        self.process = subprocess.Popen(
            [*COMMAND, *words, "--cluster", address], stderr=self._said, stdout=subprocess.DEVNULL
        )

    def end(self) -> dict[str, Any]:
        """Wait until it ends."""
        code = self.process.wait(1800)
        self._said.seek(0)
        seconds = round(time.monotonic() - self._begun, 1)
        return {"code": code, "seconds": seconds, "said": self._said.read()}


# --- the cluster ----------------------------------------------------------------------------


class Nodes:
    """Several nodes of Ray on this machine, each with one core."""

    def __init__(self, count: int) -> None:
        from ray.cluster_utils import Cluster

        self._node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES}
        self._cluster = Cluster(True, head_node_args={**self._node, "include_dashboard": False})
        self.address = self._cluster.address
        self._others = [self._cluster.add_node(**self._node) for _ in range(count - 1)]

    def kill_one(self) -> None:
        """Kill a node that is not the head; another takes its place."""
        self._cluster.remove_node(self._others.pop(0), allow_graceful=False)
        self._others.append(self._cluster.add_node(**self._node))

    def kill_head(self) -> None:
        """Kill the head, its raylet and with it its workers."""
        self._cluster.head_node.kill_gcs_server(check_alive=False)
        self._cluster.head_node.kill_raylet(check_alive=False)

    def workers(self, of: str) -> list[int]:
        """Return the processes below the raylets: 'actors', or the 'colouring' ones below them."""
        import psutil

        found = []
        for node in self._cluster.list_all_nodes():
            for raylet in node.all_processes.get("raylet", []):
                with suppress(psutil.Error):
                    below = psutil.Process(raylet.process.pid).children(recursive=True)
                    found += [p.pid for p in below if _kind(p) == of]
        return found

    def close(self) -> None:
        """End all nodes."""
        with suppress(Exception):
            self._cluster.shutdown()


def _kind(process: Any) -> str:
    words = " ".join(process.cmdline())
    if "engine.workers" in words:
        return "colouring"
    return "actors" if "MapWorker" in words else ""


class Harm:
    """Does harm at random while a run goes on."""

    def __init__(
        self, storage: "Storage", scans: "Scans", nodes: Nodes, run: Run, pace: float
    ) -> None:
        self._pace = pace
        self.done: Counter[str] = Counter()
        self._storage, self._scans, self._nodes, self._run = storage, scans, nodes, run

    def until(self, is_over: Callable[[], bool]) -> None:
        """Do it until something is so, or the run ends."""
        rare = [self.kill_node, self.take_storage, self.fill_storage]
        while self._run.process.poll() is None and not is_over():
            if not self._nodes.workers("colouring"):
                time.sleep(0.2)
                continue
            self.change_a_source()
            self.kill("colouring" if random.random() < 0.5 else "actors")
            if rare:
                rare.pop(0)()
            self._wait(is_over)

    def _wait(self, is_over: Callable[[], bool]) -> None:
        """Wait until the run has come on: a worker needs seconds to start."""
        wanted = self._scans.results() + self._pace * len(self._scans.good)
        until = time.monotonic() + PACE_SECONDS
        while time.monotonic() < until and self._scans.results() < wanted:
            if self._run.process.poll() is not None or is_over():
                return
            time.sleep(0.5)

    def kill(self, kind: str) -> None:
        """Kill a process of a kind."""
        pids = self._nodes.workers(kind)
        if pids:
            with suppress(ProcessLookupError):
                os.kill(random.choice(pids), signal.SIGKILL)
                self.done[f"{kind} killed"] += 1

    def kill_node(self) -> None:
        """Kill a node while it works."""
        self._nodes.kill_one()
        self.done["nodes killed"] += 1

    def take_storage(self) -> None:
        """Refuse all connections for ten seconds."""
        self._storage.during("gone", STORAGE_GONE_SECONDS)
        self.done["storage gone"] += 1

    def fill_storage(self) -> None:
        """Refuse all that is written, for five seconds."""
        self._storage.during("full", STORAGE_FULL_SECONDS)
        self.done["storage full"] += 1

    def change_a_source(self) -> None:
        """Replace the content of a source."""
        self._scans.change(random.choice(self._scans.good))
        self.done["sources changed"] += 1


# --- the storage ----------------------------------------------------------------------------


class Storage:
    """An S3 server, and a proxy before it through which the run must go."""

    def __init__(self) -> None:
        import boto3

        self._port = free_port()
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main()", "-p", str(self._port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._port)
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self._port}")
        for bucket in (SOURCES, RESULTS):
            self.client.create_bucket(Bucket=bucket)
        self._proxy = Proxy(self._port)
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{self._proxy.port}"

    def during(self, state: str, seconds: float) -> None:
        """Be 'gone' or 'full' for a while."""
        self._proxy.state = state
        time.sleep(seconds)
        self._proxy.state = "ready"

    def keys(self, bucket: str) -> list[str]:
        """Return the names of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [row["Key"] for page in pages for row in page.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's content."""
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def unfinished(self) -> int:
        """Return the number of uploads that were begun and not ended."""
        found = self.client.list_multipart_uploads(Bucket=RESULTS)
        return len(found.get("Uploads", []))

    def close(self) -> None:
        """End the server."""
        self._proxy.close()
        self._server.kill()
        self._server.wait()


class Proxy:
    """Passes connections on while `state` is 'ready'; 'gone' refuses all, 'full' what is PUT."""

    def __init__(self, port: int) -> None:
        self.state, self._to = "ready", port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self._to)) as far:
            threading.Thread(target=self._pass, args=(far, near), daemon=True).start()
            while (block := near.recv(1 << 16)) and self.state != "gone":
                if self.state == "full" and block.startswith((b"PUT ", b"POST ")):
                    near.sendall(b"HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\n\r\n")
                    return
                far.sendall(block)

    def _pass(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while (block := far.recv(1 << 16)) and self.state != "gone":
                near.sendall(block)
            near.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    for _ in range(600):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.1)
    raise SystemExit("The S3 server does not start.")


class Scans:
    """Drawn photographs in the bucket of sources; some of them are no pictures."""

    def __init__(self, storage: Storage, count: int, seed: int) -> None:
        self._storage, self._random = storage, np.random.default_rng(seed)
        self.good: list[str] = []
        self.bad: list[str] = []
        self.shades: dict[str, int] = {}
        for number in range(count):
            name = f"{number % 7}/é {number:05}.jpg" if number % 5 == 0 else f"{number:05}.jpg"
            if number % round(1 / BAD_SHARE) == 7:
                self.bad.append(name)
                content = self._random.bytes(3000)
                storage.client.put_object(Bucket=SOURCES, Key=name, Body=content)
            else:
                self.good.append(name)
                self.change(name)

    def change(self, name: str) -> None:
        """Draw a photograph of another shade."""
        self.shades[name] = shade = int(self._random.integers(4, 24)) * 10
        drawn = Image.new("L", (160, 120), shade)
        disc = ImageDraw.Draw(drawn)
        x, y = self._random.integers(20, 100, 2).tolist()
        disc.ellipse((x, y, x + 30, y + 30), fill=(shade + 90) % 256)
        file = io.BytesIO()
        drawn.save(file, "JPEG", quality=90)
        self._storage.client.put_object(Bucket=SOURCES, Key=name, Body=file.getvalue())

    def results(self) -> int:
        """Return how many objects lie among the results."""
        return len(self._storage.keys(RESULTS))


# --- the checker ----------------------------------------------------------------------------


def check(storage: Storage, scans: Scans) -> dict[str, Any]:
    """Count what became of each source, from the two buckets alone."""
    keys = set(storage.keys(RESULTS))
    rows = table_of(storage, [key for key in keys if key.startswith("all/run.parquet/")])
    newest = {row["source"]: row for row in sorted(rows, key=lambda row: row["time"])}
    counts: Counter[str] = Counter()
    wrong = []
    expected = set()
    for name in storage.keys(SOURCES):
        result = f"all/{name.removesuffix('.jpg')}-color.jpg"
        row = newest.get(f"s3://{SOURCES}/{name}")
        has_failed = row is not None and row["status"] == "failed" and name in row["notes"][0]
        state = "none"
        if result in keys:
            expected.add(result)
            state = compared(storage.read(SOURCES, name), storage.read(RESULTS, result))
        if state == "whole" and not has_failed:
            counts["whole results"] += 1
        elif state == "none" and has_failed:
            counts["named failures"] += 1
        else:
            wrong.append(f"{name}: result {state}, table {row and (row['status'], row['notes'])}")
    others = [key for key in keys - expected if not key.startswith("all/run.parquet/")]
    wrong += [f"{key}: is neither a result nor a part of the table" for key in others]
    wrong += [f"{storage.unfinished()} uploads were not ended"] * bool(storage.unfinished())
    if set(scans.bad) != {n for n in scans.bad if newest.get(f"s3://{SOURCES}/{n}")}:
        wrong.append("a bad photograph is not in the table")
    coloured = Counter(
        (row["source"], row["version"]) for row in rows if row["status"] == "coloured"
    )
    counts["coloured twice"] = sum(count - 1 for count in coloured.values())
    return {"sources": len(scans.good) + len(scans.bad), **counts, "wrong": wrong}


def compared(source: bytes, result: bytes) -> str:
    """Return whether a result is 'whole', 'broken', or of an 'old' content of its source."""
    try:
        with Image.open(io.BytesIO(result)) as picture:
            shown = np.asarray(picture.convert("L"), float)
    except (OSError, SyntaxError, ValueError):
        return "broken"
    with Image.open(io.BytesIO(source)) as picture:
        wanted = np.asarray(picture.convert("L"), float)
    if shown.shape != wanted.shape:
        return "broken"
    return "whole" if abs(shown - wanted).mean() < DIFFERENCE else "old"


def table_of(storage: Storage, parts: list[str]) -> list[dict[str, Any]]:
    """Return the rows of all parts of the run's table."""
    import pyarrow.parquet as pq

    tables = [pq.read_table(io.BytesIO(storage.read(RESULTS, part))) for part in parts]
    return [row for table in tables for row in table.to_pylist()]


if __name__ == "__main__":
    main()
