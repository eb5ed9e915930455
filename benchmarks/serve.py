#!/usr/bin/env python3
"""Many clients at once on a service of its own; see docs/service.md.

    python benchmarks/serve.py [--clients 32] [--seconds 60]

Each client opens a photograph, asks for previews with a moving hint, now and then for suggestions,
confidence, a result at full size, and closes it. Printed: answers by status, latencies by route,
and what memory the service and its worker processes held when 200 and when 1,200 requests had been
answered. Exits with 1 if an answer was a 5xx other than 503.
"""

import argparse
import asyncio
import io
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image
from skimage import data

MARKS = (200, 1200)  # requests
SIZE = (1600, 1200)


@dataclass
class Tally:
    """What was answered."""

    pid: int
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[int, float] = field(default_factory=dict)
    asked: int = 0

    def add(self, route: str, status: int, seconds: float) -> None:
        """Count an answer; look at the memory when it is time."""
        self.statuses[status] += 1
        self.asked += 1
        if status < 400:
            self.seconds[route].append(seconds)
        if self.asked in MARKS:
            self.memory[self.asked] = megabytes(self.pid)


def megabytes(pid: int) -> float:
    """Return the resident memory of a process and its children, private to them or not."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    pages = 0
    for number in [pid, *map(int, children.split())]:
        with Path(f"/proc/{number}/statm").open() as file:
            pages += int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def photograph(seed: int) -> bytes:
    """Return a gray JPEG that no other client has."""
    image = Image.fromarray(np.roll(data.astronaut(), seed * 16, axis=1)).convert("L").resize(SIZE)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90)
    return content.getvalue()


async def work(client: httpx2.AsyncClient, tally: Tally, number: int, end: float) -> None:
    """Be one person at the page, until the time is over."""
    content, random = photograph(number), np.random.default_rng(number)

    async def ask(method: str, path: str, route: str, **body: object) -> httpx2.Response | None:
        begun = time.perf_counter()
        answer = await client.request(method, path, **body)
        tally.add(route, answer.status_code, time.perf_counter() - begun)
        if answer.status_code == 503:
            await asyncio.sleep(float(answer.headers["Retry-After"]) * random.uniform(0.5, 1.5))
        return answer if answer.status_code < 400 else None

    while time.monotonic() < end:
        opened = await ask("POST", "/v1/photos", "open", files={"file": ("a.jpg", content)})
        if opened is None:
            continue
        photo = f"/v1/photos/{opened.json()['id']}"
        for turn in range(8):
            place = [
                float(side * share) for side, share in zip(SIZE, random.random(2), strict=True)
            ]
            hint = {"shape": "point", "points": [place], "colour": "#a03030", "radius": 20}
            await ask("POST", f"{photo}/preview", "preview", json={"hints": [hint]})
            if turn == 2:
                spot = {"x": place[0], "y": place[1]}
                await ask("POST", f"{photo}/suggestions", "suggestions", json=spot)
            if turn == 4:
                await ask("POST", f"{photo}/confidence", "confidence", json={})
        await ask("POST", f"{photo}/result", "result", json={"wishes": {"hints": [hint]}})
        await ask("DELETE", photo, "close")


async def load(url: str, pid: int, clients: int, seconds: float) -> Tally:
    """Let the clients work; give what was answered."""
    tally, end = Tally(pid), time.monotonic() + seconds
    limits = httpx2.Limits(max_connections=clients)
    async with httpx2.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        await asyncio.gather(*(work(client, tally, n, end) for n in range(clients)))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    command = [sys.executable, "-m", "photochrom", "serve", "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", process.stderr.readline())[0]
        tally = asyncio.run(load(url, process.pid, options.clients, options.seconds))
        tally.memory[tally.asked] = megabytes(process.pid)
    finally:
        process.terminate()
        process.wait()
    print("answers:", dict(sorted(tally.statuses.items())))
    print("| request | answers | median | 95 % |\n|---|---|---|---|")
    for route, found in sorted(tally.seconds.items()):
        median, late = statistics.median(found), float(np.quantile(found, 0.95))
        print(f"| {route} | {len(found)} | {1000 * median:.0f} ms | {1000 * late:.0f} ms |")
    print("memory:", ", ".join(f"{mb:.0f} MB at {n}" for n, mb in sorted(tally.memory.items())))
    if all(mark in tally.memory for mark in MARKS):
        growth = tally.memory[MARKS[1]] / tally.memory[MARKS[0]] - 1
        print(f"growth from request {MARKS[0]} to {MARKS[1]}: {growth:.1%}")
    return int(any(status >= 500 and status != 503 for status in tally.statuses))


if __name__ == "__main__":
    sys.exit(main())
