"""Settings that all processes of a training must share, so that all take the same steps."""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch

from photochrom.workbench.datasets.batches import Batches
from photochrom.workbench.training.checkpoint import table_of
from photochrom.workbench.training.precision import Precision
from photochrom.workbench.training.recipe import Recipe


class Asked(NamedTuple):
    """The options of a run besides its recipe; see `loop.train`."""

    data: Path | str
    stream: bool
    epochs: int | None
    init: Path | None
    cache: Path | None
    precision: str
    computing: Precision
    validation_keys: frozenset[str]


def facts_of_run(recipe: Recipe, asked: Asked, resume: bool) -> dict[str, object]:
    """Return the settings that all processes must share, by the names that users know."""
    table = table_of(recipe)
    if encoder := table["config"].get("encoder_weights"):  # it may lie elsewhere on each machine
        table["config"] = {**table["config"], "encoder_weights": Path(str(encoder)).name}
    keys = hashlib.sha256("\n".join(sorted(asked.validation_keys)).encode()).hexdigest()[:8]
    return {
        "photochrom": version("photochrom"),
        "torch": torch.__version__.partition("+")[0],
        "precision": asked.computing.name,
        "resume": resume,
        "epochs": asked.epochs,
        "stream": asked.stream,
        "init": asked.init and asked.init.name,
        "validation keys": f"{len(asked.validation_keys)} keys of hash {keys}",
        **_flat(table),
    }


def facts_of_pictures(batches: Batches) -> dict[str, object]:
    """Return the facts about the pictures that must be equal on all machines."""
    cache, kept = batches.cache, batches.indices
    contents = hashlib.sha256(batches.cumulative.tobytes())
    for column in (cache.keys, cache.labels):
        contents.update("\n".join(column[kept].tolist()).encode())
    contents.update(cache.sizes[kept].tobytes())
    return {"count": len(kept), "hash of names and sizes": contents.hexdigest()[:8]}


def _flat(table: object, name: str = "") -> dict[str, object]:
    """Return the values of nested tables by the names of `--set`."""
    if isinstance(table, list | tuple) and any(isinstance(part, dict) for part in table):
        table = dict(enumerate(table))
    if not isinstance(table, dict):
        return {name: table}
    flat: dict[str, object] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{name}.{key}" if name else str(key))
    return flat
