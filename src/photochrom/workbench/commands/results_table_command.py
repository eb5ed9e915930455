"""`photochrom report`."""

import math
import sys
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from photochrom.errors import DataError
from photochrom.extras import require
from photochrom.workbench.evaluation.text_files import write_text

if TYPE_CHECKING:
    from photochrom.workbench.evaluation.records import Entry

# Tensors of a checkpoint that follow the pictures: statistics of BatchNorm, bins of classifiers.
NOT_LEARNED = {"running_mean", "running_var", "num_batches_tracked", "centres", "prior"}
RECORDS, DOCUMENT = Path("docs/results"), Path("docs/results.md")


def collect(
    *runs: Path, to: Path = RECORDS, system: str = "", data: str = "", note: str = ""
) -> None:
    """Create the records of the published table from the folders of runs.

    Parameters
    ----------
    runs : Path
        Folders with recipe.json, log.csv, best.pt or a network, and results.json as `photochrom
        evaluate -o` writes it (results-cifar.json and so on for further sets).
    to : Path
        Folder of the records, one NAME.json per row.
    system : str
        Description of the system; by default the one recorded before.
    data : str
        What it was trained on; by default as recorded before.
    note : str
        A note for readers; by default the one recorded before.
    """
    require("evaluate", "A table of results", "pydantic")
    from photochrom.workbench.evaluation.records import (
        read_entries,
        read_evaluations,
        read_run,
        save_entry,
        with_scores,
    )

    if not runs:
        raise DataError("Name the folder of at least one run, such as runs/unet.")
    before = {entry.name: entry for entry in read_entries(to)} if any(to.glob("*.json")) else {}
    for run in runs:
        evaluations = read_evaluations(run)
        read = _described(run, read_run(run))
        said = before.get(read.name, read)
        entry = replace(
            read,
            system=system or said.system,
            data=data or said.data,
            note=note or said.note,
        )
        written = [
            save_entry(each, to)
            for evaluation in evaluations
            for each in with_scores(entry, evaluation)
        ]
        names = ", ".join(dict.fromkeys(path.name for path in written))
        print(f"{run}: recorded {names} in {to}.", file=sys.stderr)


def build(
    *,
    records: Path = RECORDS,
    document: Path = DOCUMENT,
    check: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write the tables of docs/results.md from the records; the text around them is kept.

    Parameters
    ----------
    records : Path
        The folder of records.
    document : Path
        The Markdown file; it is created if necessary.
    check : bool
        Only compare: exit with 1 and name row and cell if the document differs.
    """
    require("evaluate", "A table of results", "pydantic")
    from photochrom.workbench.evaluation import published_tables
    from photochrom.workbench.evaluation.records import read_entries

    entries = read_entries(records)
    try:
        text = document.read_text() if check or document.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{document}: cannot be read ({error}).") from error
    try:
        if check:
            return published_tables.check(text, entries)
        built = published_tables.build(text, entries)
    except DataError as error:
        raise DataError(f"{document}: {error}") from error
    write_text(document, built)
    print(f"{document}: {len(entries)} records.", file=sys.stderr)


def _described(run: Path, entry: "Entry") -> "Entry":
    """Count the parameters of a run's network, where it has one."""
    checkpoint, networks = run / "best.pt", sorted(run.glob("*.onnx"))
    if checkpoint.is_file() and util.find_spec("torch") is not None:
        return replace(entry, parameters=_count_in_checkpoint(checkpoint))
    if networks:
        return replace(entry, parameters=_count_in_onnx(networks[0]))
    if checkpoint.is_file():
        require("train", f"{checkpoint}: counting its parameters", "torch")
    return entry


def _count_in_checkpoint(checkpoint: Path) -> int:
    """Count the numbers that were learned, without building the network: old recipes serve too."""
    from photochrom.workbench.training.checkpoint import read_checkpoint

    weights = read_checkpoint(checkpoint)["average"]
    return sum(w.numel() for name, w in weights.items() if name.split(".")[-1] not in NOT_LEARNED)


def _count_in_onnx(network: Path) -> int:
    """Count the floating-point numbers that a network's graph starts from."""
    require("train", f"{network}: counting its parameters", "onnx")
    import onnx

    floating = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}
    weights = onnx.load(network, load_external_data=False).graph.initializer
    return sum(math.prod(w.dims) for w in weights if w.data_type in floating)
