"""CIFAR-10 as its author publishes it: binary batches, or Python pickles.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A pickle may run code
when it is opened; here only what an array needs is allowed, everything else is refused.
"""

import io
import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from photochrom.errors import DataError
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.picture_files import Encoded
from photochrom.workbench.datasets.shards import Unit
from photochrom.workbench.datasets.standardize import encode

SIDE_PX = 32
PIXELS = 3 * SIDE_PX * SIDE_PX  # red, then green, then blue, row by row
RECORD = 1 + PIXELS
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR = "cifar10"
PARTS = ("train", "test")
BATCHES = (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")
# What NumPy's arrays are made of, under the names that its versions have given it.
ALLOWED = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("_codecs", "encode"),
    }
)


def cifar_batches(data: Path) -> list[Path]:
    """Find the batches of CIFAR-10 in a folder, or one folder deeper; [] if there are none."""
    if data.is_file():
        return [data] if data.stem in BATCHES and data.suffix in ("", ".bin") else []
    for folder in (data, *(sorted(d for d in data.iterdir() if d.is_dir()))):
        for suffix in (".bin", ""):
            found = [folder / f"{name}{suffix}" for name in BATCHES]
            if present := [file for file in found if file.is_file()]:
                return present
    return []


def is_cifar_folder(pictures: list[Path]) -> bool:
    """Return whether a folder's paths are CIFAR-10's: train and test with its ten classes."""
    shape = {path.parts[:-1] for path in pictures}
    return all(len(parts) == 2 and parts[0] in PARTS for parts in shape) and (
        {parts[1] for parts in shape} == set(NAMES)
    )


def cifar_units(files: list[Path], report: Report = lambda line: None) -> list[Unit]:
    """Return the batches of CIFAR-10 that `cifar_batches` finds as parts of a data set.

    Sources are `cifar10-train` and `cifar10-test`, labels the class names; the pictures are PNG,
    exactly the published pixels. `report` is told which batches are missing beside them.

    Raise DataError if a binary batch is not a whole number of records.
    """
    missing = [name for name in BATCHES if name not in {file.stem for file in files}]
    if missing and len(files) > 1:
        report(f"{files[0].parent}: a part of CIFAR-10, without {', '.join(missing)}.")
    return [
        _binary_unit(f) if f.suffix == ".bin" else Unit(str(f), None, partial(_read_pickle, f))
        for f in files
    ]


def _binary_unit(file: Path) -> Unit:
    size = file.stat().st_size
    if size == 0 or size % RECORD:
        raise DataError(
            f"{file}: a batch of CIFAR-10 is a multiple of {RECORD} bytes; this one has {size}. "
            "Fetch it again."
        )
    return Unit(str(file), size // RECORD, partial(_read_binary, file))


def _read_binary(file: Path) -> Iterator[Encoded]:
    records = np.fromfile(file, np.uint8).reshape(-1, RECORD)
    return _encoded(file, records[:, 1:], records[:, 0])


def _read_pickle(file: Path) -> Iterator[Encoded]:
    try:
        batch = _Restricted(io.BytesIO(file.read_bytes()), encoding="bytes").load()
    except Exception as error:  # whatever a forged stream of opcodes provokes
        raise DataError(f"{file}: a pickle that is damaged or not trusted ({error}).") from error
    try:
        pixels = np.asarray(batch[b"data"]).reshape(-1, PIXELS)
        labels = np.asarray(batch[b"labels"], np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: not a batch of CIFAR-10 ({error!r}).") from error
    if pixels.dtype != np.uint8 or len(pixels) != len(labels):
        raise DataError(f"{file}: not a batch of CIFAR-10 (one uint8 row for each label).")
    return _encoded(file, pixels, labels)


def _encoded(file: Path, pixels: np.ndarray, labels: np.ndarray) -> Iterator[Encoded]:
    source = f"{CIFAR}-{'test' if file.stem == 'test_batch' else 'train'}"
    for number, (row, label) in enumerate(zip(pixels, labels, strict=True)):
        rgb = row.reshape(3, SIDE_PX, SIDE_PX).transpose(1, 2, 0)
        name = NAMES[label] if 0 <= label < len(NAMES) else str(label)
        image = encode(np.ascontiguousarray(rgb), "png")
        yield Encoded(image, source, name, f"{file.stem}:{number}")


class _Restricted(pickle.Unpickler):
    """Opens arrays, lists, dictionaries, text and numbers, and runs no code."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return super().find_class(module, name)
