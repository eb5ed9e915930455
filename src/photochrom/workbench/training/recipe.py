"""A recipe says everything that decides a training run; `recipe_files` reads it."""

import dataclasses
import math
import types
import typing
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from photochrom.errors import PhotochromError, RecipeError
from photochrom.workbench.datasets.batches import DataRecipe
from photochrom.workbench.networks import network

KINDS = ("distribution", "classification", "regression", "fusion", "features")
DISTANCES = ("mse", "l1")
OPTIMIZERS = ("adamw", "adam", "adadelta", "rmsprop", "muon")
LEARNERS = ("network", "critic", "both")


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
    learns : str
        'network'; 'critic' alone, as a classifier of real and painted; or 'both', against each
        other. The latter two need a critic.
    rate : float
        Share of the optimizer's rates, and of the critic's.
    critic_rate : float
        Share of the critic's rate, if it is another; 0 takes `rate`.
    frozen_encoder : bool
        Whether the pretrained encoder stays as it is.
    """

    pictures: int
    size_px: int = 128
    batch: int = 32
    learns: str = "network"
    rate: float = 1.0
    critic_rate: float = 0.0
    frozen_encoder: bool = False


@dataclass(frozen=True)
class Optimizer:
    """An optimizer with warm-up, plateau and a cosine decay to zero.

    Attributes
    ----------
    kind : str
        'adamw', 'adam', 'adadelta', 'rmsprop', or 'muon', with AdamW for what is no matrix.
    rate, encoder_rate : float
        Learning rates of the new layers and of the encoder.
    betas : tuple of two float
        Of adamw, adam and muon.
    warmup : int
        Pictures over which the rates rise.
    decay_share : float
        The last share of the pictures, over which they fall; 0 keeps them.
    clip : float
        Largest norm of the gradient; 0 does not clip.
    ema_half_life : int
        Pictures after which a weight's share in the moving average is half; 0 keeps none.
    """

    kind: str = "adamw"
    rate: float = 1e-3
    encoder_rate: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 10_000
    decay_share: float = 0.5
    weight_decay: float = 0.01
    clip: float = 1.0
    ema_half_life: int = 8_000


@dataclass(frozen=True)
class Loss:
    """Which loss, and its weights and widths.

    Attributes
    ----------
    kind : str
        'distribution': cross-entropy of a network that takes hints and wishes; 'classification':
        the same of one that takes lightness alone; 'regression': distance of painted and true
        colours; 'fusion': that and the picture's class; 'features': distance of ImageNet features.
    weight : float
        Of the distance, beside a critic's judgement.
    sigma, neighbours :
        Width of the soft encoding in ab units, and bins that a colour is spread over; 1 is hard.
    rebalance : float
        Of the classification: 1 - the share of the uniform distribution that is mixed into the
        prior whose inverse weighs colours (Zhang et al. 2016: 0.5); 0 does not weigh.
    least_ab : float
        Of the classification: a picture without |a| or |b| above this weighs nothing; 0 weighs all.
    huber : float
        Weight of the Huber loss (delta 10 ab units) on the expected ab.
    row_step : int
        The loss is taken on every so-manieth row of the output, from a row drawn anew each step:
        neighbours teach the same.
    distance : str
        Of the regression: 'mse' or 'l1', in the network's own scale.
    balance : bool
        Of the regression: nearly colourless places and the others weigh the same.
    class_weight : float
        Of the fusion: alpha.
    """

    kind: str = "distribution"
    weight: float = 1.0
    sigma: float = 5.0
    neighbours: int = 5
    rebalance: float = 0.0
    least_ab: float = 0.0
    huber: float = 0.02
    row_step: int = 2
    distance: str = "mse"
    balance: bool = False
    class_weight: float = 0.0


@dataclass(frozen=True)
class Critic:
    """The network that tells real from painted, and how it learns.

    Attributes
    ----------
    config : dict
        Its own configuration.
    weight : float
        Of its judgement in the painter's loss.
    rate : float
        Its learning rate.
    real : float
        What it shall say of real pictures; below 1 is one-sided label smoothing.
    stay_below : float
        While its loss is above this, it learns alone; infinity lets both take every step.
    """

    network: str
    config: dict[str, Any] = field(default_factory=dict)
    weight: float = 1.0
    rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    real: float = 1.0
    stay_below: float = math.inf


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
    data, optimizer, loss, critic :
        See there.
    palette : int
        Colours of a k-means palette that take the place of Zhang's bins; 0 keeps the bins.
    pretrained : bool
        Whether the encoder starts from ImageNet weights.
    precision : str
        As Lightning Fabric names it; bfloat16 only where the device has it, else float32.
    validate_every, checkpoint_minutes :
        Pictures between validations; minutes between checkpoints.
    patience : int
        Validations without a better score after which the run ends; 0 never ends it.
    profile : str
        Which profile of its file this is.
    """

    name: str
    network: str
    phases: tuple[Phase, ...]
    config: dict[str, Any] = field(default_factory=dict)
    data: DataRecipe = field(default_factory=DataRecipe)
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    critic: Critic | None = None
    palette: int = 0
    pretrained: bool = True
    seed: int = 1
    precision: str = "bf16-mixed"
    validate_every: int = 20_000
    checkpoint_minutes: float = 4.0
    patience: int = 0
    profile: str = ""

    @property
    def pictures(self) -> int:
        """Pictures seen in all phases."""
        return sum(phase.pictures for phase in self.phases)


def recipe_from_table(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from a table such as TOML or `dataclasses.asdict` gives; see `read_recipe`."""
    recipe: Recipe = _build(Recipe, table, where)
    if not recipe.phases or any(min(p.pictures, p.size_px, p.batch) <= 0 for p in recipe.phases):
        raise RecipeError(
            f"{where}: needs at least one phase, each with pictures, size_px and batch above 0."
        )
    choices = [
        ("loss, kind", recipe.loss.kind, KINDS),
        ("loss, distance", recipe.loss.distance, DISTANCES),
        ("optimizer, kind", recipe.optimizer.kind, OPTIMIZERS),
        *(("phases, learns", phase.learns, LEARNERS) for phase in recipe.phases),
    ]
    for what, value, known in choices:
        if value not in known:
            raise RecipeError(f"{where}, {what}: needs one of {', '.join(known)}; it is {value!r}.")
    for what, number, least, most in _ranges(recipe):
        if not least <= number <= most:
            upto = "or more" if most == math.inf else f"to {most}"
            raise RecipeError(f"{where}, {what}: needs {least} {upto}; it is {number}.")
    if recipe.critic is None and any(phase.learns != "network" for phase in recipe.phases):
        raise RecipeError(f"{where}: a phase in which a critic learns needs the table [critic].")
    return recipe


def _ranges(recipe: Recipe) -> list[tuple[str, float, float, float]]:
    """List numbers that would fail late: what, value, least, most."""
    data, optimizer = recipe.data, recipe.optimizer
    shares = ("old_share", "hue_turn_share", "histogram_share", "chroma_share", "hint_share")
    numbers = ("rate", "encoder_rate", "warmup", "weight_decay", "clip", "ema_half_life")
    return [
        ("validate_every", recipe.validate_every, 1, math.inf),
        ("checkpoint_minutes", recipe.checkpoint_minutes, 0, math.inf),
        ("seed", recipe.seed, 0, math.inf),
        ("palette", recipe.palette, 0, math.inf),
        ("patience", recipe.patience, 0, math.inf),
        *((f"optimizer, {name}", getattr(optimizer, name), 0, math.inf) for name in numbers),
        ("optimizer, decay_share", optimizer.decay_share, 0, 1),
        *((f"data, {name}", getattr(data, name), 0, 1) for name in (*shares, "hold_out")),
        ("data, smallest_crop", data.smallest_crop, 0.01, 1),
        ("data, aspect_jitter", data.aspect_jitter, 0, math.inf),
        ("data, source_power", data.source_power, 0, math.inf),
    ]


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
        if ... not in arguments and len(value) != len(arguments):
            raise RecipeError(f"{where}: needs {len(arguments)} values; it is {value!r}.")
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


def network_config(kind: type[Any], table: dict[str, Any], where: str) -> Any:
    """Build a network's own configuration; see `read_recipe` for errors."""
    return _build(kind, table, where)


def build_network(name: str, table: dict[str, Any], pretrained: bool, where: str) -> Any:
    """Build a network or a critic as a recipe describes it.

    Parameters
    ----------
    name : str
        As `photochrom.workbench.networks` lists it.
    table : dict
        Its own configuration.
    pretrained : bool
        Whether its encoder starts from ImageNet weights.
    where : str
        What errors call the recipe and the table.

    Raises
    ------
    RecipeError
        If a key is unknown or of the wrong type, or torch can build nothing of such numbers.
    """
    kind = network(name)
    config = network_config(kind.config, table, where)
    try:
        return kind.build(config, pretrained)
    except PhotochromError:
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise RecipeError(f"{where}: '{name}' cannot be built like this ({error}).") from error
