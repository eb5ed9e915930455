"""`photochrom train` and `photochrom export`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from cyclopts import Parameter

from photochrom.errors import RecipeError
from photochrom.extras import require
from photochrom.workbench.commands.progress_line import say

if TYPE_CHECKING:
    from photochrom.workbench.training.loop import TrainOptions
    from photochrom.workbench.training.recipe import Recipe

BUILTIN_EPOCHS = 20  # a first result in a minute
RUN_RECIPE = "recipe.json"  # in a run's folder


@contextmanager
def _loading() -> Iterator[None]:
    """Say at once what takes long; the line is ended by the first that training says.

    PyTorch's own lines about lost connections, with stacks of C++, are left out: an error says it.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    print("Loading PyTorch ... ", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        say("")
        raise


def train(
    recipe: Path,
    /,
    *,
    data: str = "",
    profile: str = "",
    run: Annotated[Path | None, Parameter(name=["--run", "-o"])] = None,
    epochs: int | None = None,
    stream: bool = False,
    resume: bool = False,
    init: Path | None = None,
    keys: Path | None = None,
    folds: int | None = None,
    cache: Path | None = None,
    accelerator: str = "auto",
    devices: str = "auto",
    nodes: int = 1,
    lost_after: float = 300.0,
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto",
    set: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
) -> None:
    """Train a network from a recipe.

    Parameters
    ----------
    recipe : Path
        A name such as unet (photochrom recipes lists them), a TOML file, or the folder of a run to
        repeat or, with --resume, to continue.
    data : str
        Training pictures: Parquet files, a folder of pictures, or builtin:tiny.
    profile : str
        Profile of the recipe: here (the default), paper, or another variant that it defines.
    run : Path
        Folder for the log and the checkpoints; runs/NAME by default, runs/NAME-tiny with
        builtin:tiny.
    epochs : int
        Number of epochs, instead of the recipe's schedule, with a validation after each; with
        --resume, the number of further epochs. 20 by default with a built-in data set.
    stream : bool
        Read pictures as they are needed instead of decoding all of them first. The data may then
        also be addresses of Parquet files (https://..., a list of them, hub:OWNER/NAME).
    resume : bool
        Continue the run in that folder, exactly where it stopped.
    init : Path
        Start from these weights: a checkpoint, a safetensors file or an exported network. A network
        built on a ResNet also takes the ResNet's own file (.safetensors, .pth).
    keys : Path
        A file with the keys of the validation pictures, one per line, instead of the recipe's.
    folds : int
        Cross-validate: train this many times, each time validated on another part of the pictures.
        The mean score and its spread are written to folds.json.
    cache : Path
        Folder for decoded pictures; ~/.cache/photochrom by default.
    accelerator : str
        Hardware, as Lightning Fabric names it: auto, cpu, cuda or mps.
    devices : str
        Number of devices on each machine, or auto.
    nodes : int
        Number of machines. Run the same command on each, with MASTER_ADDR (the first machine),
        MASTER_PORT and NODE_RANK (0, 1, ...) set; or use torchrun without this option.
    lost_after : float
        Seconds to wait for a process that does not start, or no longer answers.
    precision : str
        auto uses bfloat16 if the recipe requests it and the device supports it, else float32. The
        other choices are used as given.
    set : str
        Replace a value of the recipe, such as --set loss.huber=0.1 or --set phases.0.size_px=64;
        can be repeated.
    """
    require("train", "Training", "torch", "lightning_fabric")
    from photochrom.workbench.datasets.builtin_sets import PREFIX

    if epochs is None and data.startswith(PREFIX) and not resume:
        epochs = BUILTIN_EPOCHS
    given = _read_run(recipe, profile, data, keys, stream, set)
    read, where, used_keys, stream = given.recipe, given.data, given.keys, given.stream
    if stream and epochs is not None:
        raise RecipeError("Epochs cannot be counted in a stream: leave out --epochs.")
    folder = run or Path("runs") / run_name(read.name, read.profile, data)
    if run is None and resume and (recipe / RUN_RECIPE).exists():
        folder = recipe
    options: TrainOptions = {
        "epochs": epochs,
        "resume": resume,
        "init": init or (None if resume else given.init),
        "cache": cache,
        "accelerator": accelerator,
        "devices": int(devices) if devices.isascii() and devices.isdecimal() else devices,
        "nodes": nodes,
        "lost_after": lost_after,
        "precision": given.precision if precision == "auto" and not resume else precision,
        "report": say,
    }
    with _loading():
        from photochrom.workbench.training.cross_validation import train_folds
        from photochrom.workbench.training.loop import train as run_training
        from photochrom.workbench.training.machines import is_first
    if folds is not None:
        if stream:
            raise RecipeError("Folds are parts of decoded pictures: leave out --stream.")
        if nodes > 1 or "TORCHELASTIC_RUN_ID" in os.environ:
            raise RecipeError("Folds are trained on one machine: leave out --nodes and torchrun.")
        scores = train_folds(read, Path(where), folder, folds, **options)
        return say(f"{scores.name} {scores.mean:.4f} +- {scores.spread:.4f} over {folds} folds.")
    last = run_training(read, where, folder, stream=stream, validation_keys=used_keys, **options)
    if not is_first():
        return
    best = last.with_name("best.pt")
    # By its error a painter is best before its critic makes it bold.
    shown = best if best.exists() and read.critic is None else last
    say(f"Saved {last}. Export: photochrom export {shown} network.onnx")


def run_name(recipe: str, profile: str, data: str = "") -> str:
    """Name a run by its recipe, its profile unless `here` or in the name, and built-in data.

    A first try on built-in data is then not in the way of the run that follows it.
    """
    told = profile in ("", "here") or recipe.endswith(f"-{profile}")
    name = recipe if told else f"{recipe}-{profile}"
    built_in = data.startswith("builtin:")
    return f"{name}-{data.partition(':')[2]}" if built_in else name


def recipes() -> None:
    """List the recipes that can be trained, and what each has: photochrom train NAME."""
    from photochrom.workbench.training.recipe_files import list_recipes

    listed = list_recipes()
    width = max(len(recipe.name) for recipe in listed)
    for recipe in listed:
        print(f"{recipe.name:<{width}}  {recipe.what}")
        if recipe.profiles:
            print(f"{'':<{width}}  --profile {', '.join(recipe.profiles)}")
    say("Train one: photochrom train NAME --data FOLDER (a first try: --data builtin:tiny).")


class _Given(NamedTuple):
    """What a run is made of, by a recipe's file or by the folder of another run."""

    recipe: "Recipe"
    data: "Path | str"
    keys: frozenset[str]
    init: Path | None
    stream: bool
    precision: str


def _read_run(
    recipe: Path, profile: str, data: str, keys: Path | None, stream: bool, changes: tuple[str, ...]
) -> _Given:
    from photochrom.workbench.datasets.builtin_sets import PREFIX, builtin
    from photochrom.workbench.training.recipe import recipe_from_table
    from photochrom.workbench.training.recipe_files import find_recipe, read_recipe, with_changes
    from photochrom.workbench.training.stored_files import read_environment, read_keys, read_table

    stored, precision = recipe / RUN_RECIPE, "auto"
    if stored.exists():
        if profile:
            raise RecipeError(f"{recipe}: a run keeps its profile. Leave out --profile {profile}.")
        table, environment = read_table(stored), read_environment(recipe)
        read = recipe_from_table(with_changes(table, changes), str(stored))
        precision = environment.precision_asked
        data, init = data or environment.data, environment.init
        keys = keys or recipe / "validation-keys.txt"
        stream = stream or environment.stream
    else:
        path, init = find_recipe(recipe), None
        read = read_recipe(path, profile, changes)
        if keys is None and read.data.validation_keys:
            keys = path.parent / read.data.validation_keys
    if not data:
        raise RecipeError(f"Training '{recipe}' needs pictures: --data FOLDER (or builtin:tiny).")
    where = builtin(data) if data.startswith(PREFIX) else data if stream else Path(data)
    used_keys = frozenset(read_keys(keys) if keys else ())
    return _Given(read, where, used_keys, Path(init) if init else None, stream, precision)


def export(
    checkpoint: Path, target: Path, /, *, info: Path | None = None, average: Path | None = None
) -> None:
    """Export a trained network to one ONNX file, which is a method: `--method FILE.onnx`.

    Parameters
    ----------
    checkpoint : Path
        best.pt or last.pt of a run.
    target : Path
        The .onnx file.
    info : Path
        A TOML file with fields of the method's description, such as name, licence, vividness_path.
    average : Path
        Another training of the same network (a checkpoint or an exported network): the mean of the
        two is exported.
    """
    require("train", "Exporting", "torch", "onnx", "onnxscript")
    import tomllib

    from photochrom.photo.given_files import read_given_text
    from photochrom.workbench.training.export import export as export_checkpoint

    try:
        table = tomllib.loads(read_given_text(info)) if info else None
    except (OSError, ValueError, RecursionError) as error:  # a TOMLDecodeError is a ValueError
        raise RecipeError(f"{info}: is not a readable TOML file ({error}).") from error
    described = export_checkpoint(checkpoint, target, table, average)
    say(f"Wrote {target}: {described.name}, stride {described.stride}.")
