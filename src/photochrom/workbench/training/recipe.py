"""A recipe: all settings of a training run; `recipe_files` reads it."""

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

    pictures : how many are seen
    size_px : side of the crops, a multiple of the network's stride
    batch : pictures a step, over all devices
    learns : 'network'; 'critic' alone, as a classifier of real and painted; or 'both', against each
        other. The latter two need a critic.
    rate : share of the optimizer's rates, and of the critic's
    critic_rate : share of the critic's rate, if it is another; 0 takes `rate`
    frozen_encoder : whether the pretrained encoder stays as it is
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

    kind : 'adamw', 'adam', 'adadelta', 'rmsprop', or 'muon', with AdamW for what is no matrix
    rate, encoder_rate : learning rates of the new layers and of the encoder
    betas : of adamw, adam and muon
    warmup : pictures over which the rates rise
    decay_share : the last share of the pictures, over which they fall; 0 keeps them
    clip : largest norm of the gradient; 0 does not clip
    ema_half_life : pictures after which a weight's share in the moving average is half; 0 keeps
        none
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

    kind : 'distribution': cross-entropy of a network that takes guidance; 'classification': the
        same of one that takes lightness alone; 'regression': distance of painted and true
        colours; 'fusion': that and the picture's class; 'features': distance of ImageNet features
    weight : of the distance, beside a critic's judgement
    sigma, neighbours : width of the soft encoding in ab units, and bins that a colour is spread
        over; 1 is hard
    rebalance : of the classification: 1 - the share of the uniform distribution that is mixed into
        the prior whose inverse weighs colours (Zhang et al. 2016: 0.5); 0 does not weigh.
    least_ab : of the classification: a picture without |a| or |b| above this weighs nothing; 0
        weighs all
    huber : weight of the Huber loss (delta 10 ab units) on the expected ab
    row_step : the loss is taken on every n-th row of the output, the first drawn anew each step:
        neighbours teach the same
    distance : of the regression: 'mse' or 'l1', in the network's own scale
    balance : of the regression: nearly colourless places and the others weigh the same
    class_weight : of the fusion: alpha
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
    """The critic, and how it is trained.

    config : its own configuration
    weight : of its judgement in the painter's loss
    rate : its learning rate
    real : its target for real pictures; below 1 is one-sided label smoothing
    stay_below : while its loss is above this, it learns alone; infinity lets both take every step
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
    """All settings of a training run.

    name, network : the run's name; the network's
    phases : one after the other
    config : the network's own configuration
    data, optimizer, loss, critic : see there
    palette : colours of a k-means palette that take the place of Zhang's bins; 0 keeps the bins
    pretrained : whether the encoder starts from ImageNet weights
    precision : as Lightning Fabric names it; bfloat16 only where the device has it, else float32
    validate_every, checkpoint_minutes : pictures between validations; minutes between checkpoints
    patience : validations without a better score after which the run ends; 0 never ends it
    profile : which profile of its file this is
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
        """The number of pictures seen in all phases."""
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
    """Build a network or a critic from a recipe, with ImageNet weights if `pretrained`.

    Raise RecipeError, which names `where`, if a key is unknown or of the wrong type, or torch
    cannot build such a network.
    """
    kind = network(name)
    config = checked(kind.config, table, where)
    try:
        return kind.build(config, pretrained)
    except PhotochromError:
        raise
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise RecipeError(
            f"{where}: '{name}' cannot be built with this configuration ({error})."
        ) from error
