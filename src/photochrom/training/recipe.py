"""A recipe says everything that decides a training run; it is read from TOML."""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from photochrom.data.batches import DataRecipe
from photochrom.errors import RecipeError


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one size.

    Attributes
    ----------
    pictures : int
        How many are seen.
    size_px : int
        Side of the crops, a multiple of the network's stride.
    batch : int
        Pictures a step, over all devices.
    """

    pictures: int
    size_px: int = 128
    batch: int = 32


@dataclass(frozen=True)
class Optimizer:
    """AdamW with warm-up, plateau and a cosine decay to zero.

    Attributes
    ----------
    rate, encoder_rate : float
        Learning rates of the new layers and of the encoder.
    warmup : int
        Pictures over which the rates rise.
    decay_share : float
        The last share of the pictures, over which they fall.
    weight_decay : float
    clip : float
        Largest norm of the gradient.
    ema_half_life : int
        Pictures after which a weight's share in the moving average is half.
    """

    rate: float = 1e-3
    encoder_rate: float = 3e-4
    warmup: int = 10_000
    decay_share: float = 0.5
    weight_decay: float = 0.01
    clip: float = 1.0
    ema_half_life: int = 8_000


@dataclass(frozen=True)
class Loss:
    """Weights and widths of the loss.

    Attributes
    ----------
    sigma : float
        Width of the soft encoding, ab units.
    huber : float
        Weight of the Huber loss (delta 10 ab units) on the expected ab.
    row_step : int
        The loss is taken on every so-manieth row of the output, from a row drawn anew each step:
        neighbours teach the same.
    """

    sigma: float = 5.0
    huber: float = 0.02
    row_step: int = 2


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run.

    Attributes
    ----------
    name, network : str
        The run's name; the network's.
    phases : tuple of Phase
        One after the other.
    config : dict
        The network's own configuration.
    data, optimizer, loss :
        See there.
    pretrained : bool
        Whether the encoder starts from ImageNet weights.
    seed : int
    precision : str
        As Lightning Fabric names it.
    validate_every, checkpoint_minutes :
        Pictures between validations; minutes between checkpoints.
    """

    name: str
    network: str
    phases: tuple[Phase, ...]
    config: dict[str, Any] = field(default_factory=dict)
    data: DataRecipe = field(default_factory=DataRecipe)
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    pretrained: bool = True
    seed: int = 1
    precision: str = "bf16-mixed"
    validate_every: int = 20_000
    checkpoint_minutes: float = 4.0

    @property
    def pictures(self) -> int:
        """Pictures seen in all phases."""
        return sum(phase.pictures for phase in self.phases)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : Path
        A TOML file.

    Returns
    -------
    Recipe

    Raises
    ------
    RecipeError
        If the file cannot be read, or a key is unknown, missing or of the wrong type.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: is not TOML ({error}).") from error
    return recipe_from_table(table, str(path))


def recipe_from_table(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from a table such as TOML or `dataclasses.asdict` gives; see `read_recipe`."""
    recipe: Recipe = _build(Recipe, table, where)
    if not recipe.phases or any(min(p.pictures, p.size_px, p.batch) <= 0 for p in recipe.phases):
        raise RecipeError(
            f"{where}: needs at least one phase, each with pictures, size_px and batch above 0."
        )
    return recipe


def _build(kind: type[Any], table: dict[str, Any], where: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in table:
        if key not in fields:
            close = get_close_matches(key, fields, 1)
            meant = f" Did you mean '{close[0]}'?" if close else ""
            raise RecipeError(f"{where}: unknown key '{key}'.{meant} Known: {', '.join(fields)}.")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise RecipeError(f"{where}: needs the key '{name}'.")
    hints = typing.get_type_hints(kind)
    return kind(**{k: _value(hints[k], v, f"{where}, {k}") for k, v in table.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(typing.cast(type[Any], hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_value(arguments[0], v, f"{where} {i}") for i, v in enumerate(value))
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, where)
    if origin is dict and isinstance(value, dict):
        kind = typing.get_args(hint)[1]
        return {k: _value(kind, v, f"{where} {k}") for k, v in value.items()}
    if hint is Any:
        return value
    wanted = origin or hint
    if wanted is float and type(value) is int:
        return float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise RecipeError(f"{where}: needs {wanted.__name__}; it is {value!r}.")
    return value


def network_config(kind: type[Any], recipe: Recipe) -> Any:
    """Build the network's own configuration of a recipe; see `read_recipe` for errors."""
    return _build(kind, recipe.config, f"recipe {recipe.name}, config")
