"""A recipe says everything that decides a training run; `recipe_files` reads it."""

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, MinLen

from photochrom.errors import PhotochromError, RecipeError
from photochrom.workbench.checked_tables import checked
from photochrom.workbench.datasets.batches import DataRecipe
from photochrom.workbench.networks import network

Positive = Annotated[int, Gt(0)]
Count = Annotated[int, Ge(0)]
Factor = Annotated[float, Ge(0)]


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

    pictures: Positive
    size_px: Positive = 128
    batch: Positive = 32
    learns: Literal["network", "critic", "both"] = "network"
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

    kind: Literal["adamw", "adam", "adadelta", "rmsprop", "muon"] = "adamw"
    rate: Factor = 1e-3
    encoder_rate: Factor = 3e-4
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: Count = 10_000
    decay_share: Annotated[float, Interval(ge=0, le=1)] = 0.5
    weight_decay: Factor = 0.01
    clip: Factor = 1.0
    ema_half_life: Count = 8_000


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

    kind: Literal["distribution", "classification", "regression", "fusion", "features"] = (
        "distribution"
    )
    weight: float = 1.0
    sigma: float = 5.0
    neighbours: int = 5
    rebalance: float = 0.0
    least_ab: float = 0.0
    huber: float = 0.02
    row_step: int = 2
    distance: Literal["mse", "l1"] = "mse"
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
    phases: Annotated[tuple[Phase, ...], MinLen(1)]
    config: dict[str, Any] = field(default_factory=dict)
    data: DataRecipe = field(default_factory=DataRecipe)
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    critic: Critic | None = None
    palette: Count = 0
    pretrained: bool = True
    seed: Count = 1
    precision: str = "bf16-mixed"
    validate_every: Positive = 20_000
    checkpoint_minutes: Factor = 4.0
    patience: Count = 0
    profile: str = ""

    @property
    def pictures(self) -> int:
        """Pictures seen in all phases."""
        return sum(phase.pictures for phase in self.phases)


def recipe_from_table(table: dict[str, Any], where: str) -> Recipe:
    """Build a recipe from a table such as TOML or `dataclasses.asdict` gives; see `read_recipe`."""
    recipe = checked(Recipe, table, where)
    # The configurations as they came: what is checked has passed through JSON, which has no tuples.
    recipe = replace(recipe, config=table.get("config", {}))
    if recipe.critic is not None:
        critic = replace(recipe.critic, config=table["critic"].get("config", {}))
        recipe = replace(recipe, critic=critic)
    if recipe.critic is None and any(phase.learns != "network" for phase in recipe.phases):
        raise RecipeError(f"{where}: a phase in which a critic learns needs the table [critic].")
    return recipe


def build_network(name: str, table: dict[str, Any], pretrained: bool, where: str) -> Any:
    """Build a network or a critic as a recipe describes it.

    Raise RecipeError if a key is unknown or of the wrong type, or torch can build nothing of such
    numbers.

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
    """
    kind = network(name)
    config = checked(kind.config, table, where)
    try:
        return kind.build(config, pretrained)
    except PhotochromError:
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise RecipeError(f"{where}: '{name}' cannot be built like this ({error}).") from error
