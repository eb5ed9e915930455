"""Measure `photochrom manifest.parquet -o ... --resume` on millions of drawn rows.

    python benchmarks/manifest_resume.py --rows 10000000

The storage is drawn: a folder of a thousand photographs is computed when it is listed, so that no
file is needed. Manifest and table are real files. All rows are finished, so what is measured is the
whole command but for colouring: checking the manifest for duplicates, reading the table, listing
each folder of sources and results once, and comparing. Listings of a real storage come on top: an
object store answers a request for 1,000 names in about 0.1 s, and 16 are made at a time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PER_FOLDER = 1000
ROWS_PER_PART = 2000


def draw_manifest(path: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("path", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for begin in range(0, rows, 100_000):
            names = [source(number) for number in range(begin, min(begin + 100_000, rows))]
            writer.write_table(pa.table({"path": names}, schema=schema))


def source(number: int) -> str:
    return f"drawn://scans/{number // PER_FOLDER:05}/photo-{number:08}.jpg"


def result(number: int) -> str:
    return f"drawn://coloured/{number // PER_FOLDER:05}/photo-{number:08}-color.jpg"


def draw_table(folder: Path, rows: int, recipe: str) -> None:
    """Write the parts of a finished run, as a run would have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from photochrom.engine.run_table import _schema

    folder.mkdir(parents=True)
    for begin in range(0, rows, ROWS_PER_PART):
        some = range(begin, min(begin + ROWS_PER_PART, rows))
        count = len(some)
        columns = {
            "source": [source(n) for n in some],
            "size": [1_000_000 + n for n in some],
            "version": [f"{n:032x}" for n in some],
            "result": [result(n) for n in some],
            "status": ["coloured"] * count,
            "notes": [[]] * count,
            "method": ["gray"] * count,
            "recipe": [recipe] * count,
            "seconds": [0.5] * count,
            "node": ["node"] * count,
            "time": [1_700_000_000_000_000 + n for n in some],
        }
        table = pa.table(columns, schema=_schema())
        pq.write_table(table, folder / f"20260101T000000-{begin:010}.parquet", compression="zstd")


def register(table: Path) -> None:
    """Make `drawn://` known to fsspec; its run.parquet is a folder of this machine."""
    import shutil

    import fsspec

    class Drawn(fsspec.AbstractFileSystem):
        protocol = "drawn"

        def ls(self, path, detail=True, **_):  # type: ignore[no-untyped-def]
            path = self._strip_protocol(path).strip("/")
            if path.endswith("run.parquet"):
                found = [
                    {
                        "name": f"{path}/{p.name}",
                        "size": p.stat().st_size,
                        "type": "file",
                        "ETag": "x",
                    }
                    for p in table.iterdir()
                ]
            else:
                folder, _, number = path.partition("/")
                first = int(number) * PER_FOLDER
                ending = {"scans": "", "coloured": "-color"}[folder]
                found = [
                    {
                        "name": f"{path}/photo-{n:08}{ending}.jpg",
                        "size": 1_000_000 + n,
                        "type": "file",
                        "ETag": f'"{n:032x}"',
                    }
                    for n in range(first, first + PER_FOLDER)
                ]
            return found if detail else [row["name"] for row in found]

        def info(self, path, **_):  # type: ignore[no-untyped-def]
            part = table / Path(path).name
            return {"name": path, "size": part.stat().st_size, "type": "file", "ETag": "x"}

        def _open(self, path, mode="rb", **_):  # type: ignore[no-untyped-def]
            return (table / Path(path).name).open(mode)

        def put_file(self, lpath, rpath, **_):  # type: ignore[no-untyped-def]
            shutil.copy(lpath, table / Path(rpath).name)

        def mv(self, path1, path2, **_):  # type: ignore[no-untyped-def]
            (table / Path(path1).name).replace(table / Path(path2).name)

        def makedirs(self, path, exist_ok=False):  # type: ignore[no-untyped-def]
            pass

    fsspec.register_implementation("drawn", Drawn)


def run(manifest: Path, table: Path) -> None:
    """Run the command in this process, and print what it took as JSON."""
    register(table)
    sys.argv = [
        "photochrom",
        str(manifest),
        "-o",
        "drawn://coloured",
        "--resume",
        "-m",
        "gray",
        "-j",
        "1",
    ]
    from photochrom.cli import main

    began = time.monotonic()
    try:
        main()
    except SystemExit as end:
        code = end.code
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds, used = time.monotonic() - began, time.process_time()
    took = {"seconds": round(seconds), "cpu_seconds": round(used), "peak_gb": round(peak / 1e9, 2)}
    print(json.dumps({**took, "code": code}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(*given.run)
        return
    from photochrom.engine.colorize import Colorizer
    from photochrom.engine.page_colouring import PLAIN
    from photochrom.engine.stored import recipe_of

    with tempfile.TemporaryDirectory() as folder:
        manifest, table = Path(folder, "manifest.parquet"), Path(folder, "run.parquet")
        began = time.monotonic()
        draw_manifest(manifest, given.rows)
        draw_table(table, given.rows, recipe_of(Colorizer("gray"), PLAIN, {}).key)
        size = sum(part.stat().st_size for part in table.iterdir())
        print(f"drawn in {time.monotonic() - began:.0f} s; table {size / 1e6:.0f} MB", flush=True)
        command = [sys.executable, __file__, "--run", str(manifest), str(table)]
        subprocess.run(command, check=True, env=os.environ)


if __name__ == "__main__":
    main()
