"""`photochrom train` and `photochrom export`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from photochrom.errors import MissingExtraError, RecipeError


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _need_torch() -> None:
    from importlib import util

    if util.find_spec("torch") is None:
        raise MissingExtraError(
            "Training needs torch, which is not installed. Run: pip install 'photochrom[train]'"
        )


def train(
    recipe: Path,
    /,
    *,
    data: Path,
    run: Annotated[Path | None, Parameter(name=["--run", "-o"])] = None,
    resume: bool = False,
    init: Path | None = None,
    cache: Path | None = None,
    accelerator: str = "auto",
    devices: str = "auto",
    nodes: int = 1,
) -> None:
    """Train a network as a recipe says.

    Parameters
    ----------
    recipe : Path
        A TOML file, such as recipes/photochrom.toml.
    data : Path
        Training pictures: Parquet files, or a folder of pictures.
    run : Path
        Folder for the log and the checkpoints; runs/NAME by default.
    resume : bool
        Continue the run in that folder, exactly where it stopped.
    init : Path
        Start from these weights: a checkpoint, a safetensors file or an exported network.
    cache : Path
        Where pictures are kept decoded; ~/.cache/photochrom by default.
    accelerator, devices, nodes :
        As Lightning Fabric takes them: cpu, cuda, mps; how many; on how many machines.
    """
    _need_torch()
    from photochrom.training.loop import train as run_training
    from photochrom.training.recipe import read_recipe

    read = read_recipe(recipe)
    keys = read_keys(recipe.parent / read.data.validation_keys) if read.data.validation_keys else ()
    last = run_training(
        read,
        data,
        run or Path("runs") / read.name,
        validation_keys=frozenset(keys),
        resume=resume,
        init=init,
        cache=cache,
        accelerator=accelerator,
        devices=int(devices) if devices.isdecimal() else devices,
        nodes=nodes,
        report=_line,
    )
    _line(f"Saved {last}. Export it: photochrom export {last} network.onnx")


def read_keys(path: Path) -> list[str]:
    """Read a list of picture keys, one a line.

    Raises
    ------
    RecipeError
        If the file cannot be read.
    """
    try:
        return path.read_text().split()
    except OSError as error:
        raise RecipeError(f"{path}: the list of validation keys cannot be read.") from error


def export(checkpoint: Path, target: Path, /, *, info: Path | None = None) -> None:
    """Export a trained network to one ONNX file, which is a method: `--method FILE.onnx`.

    Parameters
    ----------
    checkpoint : Path
        best.pt or last.pt of a run.
    target : Path
        The .onnx file.
    info : Path
        A TOML file with fields of the method's description, such as name, licence, vividness_path.
    """
    _need_torch()
    import tomllib

    from photochrom.training.export import export as export_checkpoint

    try:
        table = tomllib.loads(info.read_text()) if info else None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{info}: is not a readable TOML file ({error}).") from error
    described = export_checkpoint(checkpoint, target, table)
    _line(f"Wrote {target}: {described.name}, stride {described.stride}.")
