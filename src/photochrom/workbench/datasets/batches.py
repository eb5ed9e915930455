"""Turn cached pictures into training batches.

A run's pictures are numbered from 0. Which picture has a number, and how it is cut, is a pure
function of the seed and of that number: a run that was stopped continues exactly, any worker can
make any batch, and many machines share a batch without communicating.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Interval

from photochrom.color.lab import linear_to_lab
from photochrom.errors import DataError
from photochrom.workbench.datasets.decoded_cache import PixelCache
from photochrom.workbench.datasets.degradation import old_lightness
from photochrom.workbench.datasets.picture_files import LINEAR
from photochrom.workbench.datasets.simulated_hints import simulate_hints

Share = Annotated[float, Interval(ge=0, le=1)]
ORDER, ROW = 0, 1  # what random numbers are drawn for


@dataclass(frozen=True)
class DataRecipe:
    """Which pictures a network sees, and how they are changed.

    validation_keys : a file beside the recipe with one key a line: pictures never trained on
    hold_out : share of the pictures that is never trained on, drawn by the seed, where no keys are
        given
    by_hue : sort the pictures by their mean hue, hold out every n-th instead of drawing, and leave
        gray pictures out altogether
    leave_out : sources that are not used
    source_power : a source is drawn in proportion to its size to this power: 1 as it is, 0.5
        balanced. As it is, each picture comes once in an epoch
    source_weights : sources drawn more or less often than that
    short_side_px : larger pictures are reduced to this short side when they are decoded
    smallest_crop : smallest share of the picture's area that a crop keeps
    aspect_jitter : largest change of a crop's aspect, as a natural logarithm
    old_share : share of the inputs that are made to look like old photographs
    hue_turn_share : share of pictures with hints whose hues are turned, hints and truth together,
        so that the network obeys colours that it finds unlikely
    histogram_share, chroma_share : how often the picture's own ab histogram, and its mean chroma,
        are given
    hint_share : how often hints are simulated
    """

    validation_keys: str = ""
    hold_out: Share = 0.0
    by_hue: bool = False
    leave_out: tuple[str, ...] = ()
    source_power: Annotated[float, Ge(0)] = 1.0
    source_weights: dict[str, float] | None = None
    short_side_px: int = 192
    smallest_crop: Annotated[float, Interval(ge=0.01, le=1)] = 0.6
    aspect_jitter: Annotated[float, Ge(0)] = 0.25
    old_share: Share = 0.0
    hue_turn_share: Share = 0.0
    histogram_share: Share = 0.0
    chroma_share: Share = 0.0
    hint_share: Share = 0.0


@dataclass(frozen=True)
class Batch:
    """What a training step sees.

    lightness : float32 array, (N, S, S); L* in [0, 100], perhaps as an old photograph shows it
    ab : float32 array, (N, S, S, 2); true colours
    hint_ab : float32 array, (N, S, S, 2)
    hint_mask : float32 array, (N, S, S)
    global_mask : float32 array, (N, 2); 1 where the histogram, the chroma, are to be given
    label : int64 array, (N,); number of the picture's class among `Batches.classes`; -1 where it
        has none
    """

    lightness: np.ndarray
    ab: np.ndarray
    hint_ab: np.ndarray
    hint_mask: np.ndarray
    global_mask: np.ndarray
    label: np.ndarray


class Batches:
    """Training batches by the numbers of their pictures.

    `classes` are the sorted names of the pictures' classes.
    """

    def __init__(
        self, cache: PixelCache, recipe: DataRecipe, seed: int, validation_keys: frozenset[str]
    ) -> None:
        self.cache, self.recipe, self.seed = cache, recipe, seed
        self.indices, self.cumulative = _draw_table(cache, recipe, validation_keys)
        names = cache.labels[self.indices]
        self.classes = np.unique(names[names != ""])
        self._orders: dict[int, np.ndarray] = {}  # of the last two epochs asked for

    def batch(self, first: int, size_px: int, pictures: int) -> Batch:
        """Make a batch of the pictures from number `first` on; the same for the same seed."""
        numbers = range(first, first + pictures)
        rows = [
            self.row(
                self.cache[int(index)],
                str(self.cache.labels[index]),
                size_px,
                np.random.default_rng((self.seed, number, ROW)),
            )
            for number, index in zip(numbers, self.numbered(first, pictures), strict=True)
        ]
        return stacked(rows)

    def numbered(self, first: int, pictures: int) -> np.ndarray:
        """Return which pictures have the numbers from `first` on: indices into the cache.

        An epoch has as many numbers as there are pictures. No picture comes twice in it, unless its
        source is drawn more often than others; then it comes as often as that asks, rounded up or
        down.
        """
        epochs, places = np.divmod(np.arange(first, first + pictures), len(self.indices))
        return np.array(
            [self._order(int(e))[p] for e, p in zip(epochs, places, strict=True)], np.int64
        )

    def _order(self, epoch: int) -> np.ndarray:
        """Return the order of an epoch.

        Points at equal distances on the cumulative probabilities, in a random order: where all are
        equal each picture has one.
        """
        if epoch not in self._orders:
            random = np.random.default_rng((self.seed, epoch, ORDER))
            places = random.permutation(len(self.indices))
            begins = np.diff(self.cumulative, prepend=0.0)
            is_even = np.allclose(begins, begins[0], rtol=1e-6, atol=0)
            offset = 0.5 if is_even else random.random()
            drawn = np.searchsorted(self.cumulative, (places + offset) / len(places), side="right")
            last = list(self._orders.items())[-1:]
            self._orders = {**dict(last), epoch: self.indices[drawn]}
        return self._orders[epoch]

    def draw(self, pictures: int) -> np.ndarray:
        """Draw a sample, with repetition, as often as training does: indices into the cache."""
        random = np.random.default_rng(self.seed)
        drawn = np.searchsorted(self.cumulative, random.random(pictures), side="right")
        return self.indices[drawn]

    def row(
        self, pixels: np.ndarray, label: str, size_px: int, random: np.random.Generator
    ) -> tuple[Any, ...]:
        """Make one picture's row of a batch, as the recipe says; `stacked` joins them."""
        recipe = self.recipe
        rgb = random_crop(pixels, size_px, recipe.smallest_crop, random, recipe.aspect_jitter)
        linear = LINEAR[rgb]
        lab = linear_to_lab(linear)
        lightness, ab = lab[..., 0], lab[..., 1:]
        if random.random() < recipe.old_share:
            lightness = old_lightness(linear, lightness, random)
        hint_ab, mask = np.zeros_like(ab), np.zeros_like(lightness)
        if random.random() < recipe.hint_share:
            hint_ab, mask = simulate_hints(ab, random)
            if random.random() < recipe.hue_turn_share:
                ab, hint_ab = _turn_hue(ab, hint_ab, random)
        guidance = random.random(2) < (recipe.histogram_share, recipe.chroma_share)
        is_known = label and label in self.classes
        number = int(np.searchsorted(self.classes, label)) if is_known else -1
        return lightness, ab, hint_ab, mask, guidance.astype(np.float32), number


def stacked(rows: list[tuple[Any, ...]]) -> Batch:
    """Join rows of `Batches.row` into a batch."""
    return Batch(*(np.stack(column) for column in zip(*rows, strict=True)))


def _draw_table(
    cache: PixelCache, recipe: DataRecipe, validation_keys: frozenset[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures to train on and their cumulative probabilities."""
    kept = ~np.isin(cache.keys, list(validation_keys)) & ~np.isin(cache.sources, recipe.leave_out)
    indices = np.flatnonzero(kept)
    if not len(indices):
        raise DataError(
            f"None of the {len(cache)} pictures is left to train on: all are validation pictures"
            f"{', gray' if recipe.by_hue else ''} or of the sources left out "
            f"({', '.join(recipe.leave_out) or 'none'})."
        )
    names, source, counts = np.unique(
        cache.sources[indices], return_inverse=True, return_counts=True
    )
    weights = recipe.source_weights or {}
    share = counts**recipe.source_power * np.array([weights.get(str(n), 1.0) for n in names])
    probability = (share / counts)[source]
    cumulative = np.cumsum(probability / probability.sum())
    cumulative[-1] = 1.0
    return indices, cumulative


def random_crop(
    rgb: np.ndarray,
    size_px: int,
    smallest: float,
    random: np.random.Generator,
    aspect_jitter: float = 0.25,
) -> np.ndarray:
    """Cut a part that keeps the picture's context, resize it to a square, perhaps mirror it.

    Of uint8 (H, W, 3) at least the share `smallest` of the area is kept, in (0, 1]; the aspect
    changes by `aspect_jitter` at most, as a natural logarithm.
    """
    from PIL import Image

    height, width = rgb.shape[:2]
    area = random.uniform(smallest, 1) * height * width
    aspect = np.clip(
        width / height * np.exp(random.uniform(-aspect_jitter, aspect_jitter)), 3 / 4, 4 / 3
    )
    crop_width = min(width, np.sqrt(area * aspect))
    crop_height = min(height, np.sqrt(area / aspect))
    left = random.uniform(0, width - crop_width)
    top = random.uniform(0, height - crop_height)
    box = (left, top, left + crop_width, top + crop_height)
    square = Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.BILINEAR, box)
    pixels = np.asarray(square)
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def _turn_hue(
    ab: np.ndarray, hint_ab: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=ab.dtype
    )
    return ab @ turn, hint_ab @ turn


def validation_picture(rgb: np.ndarray, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return L (S, S) and ab (S, S, 2) of a validation picture (H, W, 3), stretched to a square."""
    from PIL import Image

    square = Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.BILINEAR)
    lab = linear_to_lab(LINEAR[np.asarray(square)])
    return lab[..., 0], lab[..., 1:]
