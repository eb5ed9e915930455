"""Choose the validation pictures of a run, and those that it leaves out."""

import numpy as np

from photochrom.workbench.datasets.decoded_cache import PixelCache
from photochrom.workbench.datasets.file_states import Report
from photochrom.workbench.datasets.splits import (
    Described,
    colourless,
    describe,
    read_hold_out,
    split_by_ratios,
)
from photochrom.workbench.training.recipe import Recipe

OTHERWISE_HELD_OUT = 0.1  # of data that has none of the recipe's validation pictures


def judged_on(
    cache: PixelCache, recipe: Recipe, named: frozenset[str], report: Report
) -> frozenset[str]:
    """Return the keys of the validation pictures, which are never trained on.

    Those that are named; if none of them is in the data, or none is named, as many as the recipe
    holds out (of other data than the recipe's a tenth), the same for the same seed, and with them
    whatever is nearly the same.
    """
    if not named.isdisjoint(cache.keys.tolist()):
        return named
    share = recipe.data.hold_out or (OTHERWISE_HELD_OUT if named else 0.0)
    if not share:
        report("No pictures are held out, so there is no validation and no best.pt.")
        return named
    pictures, by_hue = described(cache, recipe, report), recipe.data.by_hue
    split = split_by_ratios(pictures, read_hold_out(share), recipe.seed, by_hue)
    drawn = frozenset(split.parts["validation"])
    if named:
        report(
            f"None of the {len(named):,} listed validation pictures is in the data; "
            f"{len(drawn):,} others are used for validation instead."
        )
    return named | drawn


def described(cache: PixelCache, recipe: Recipe, report: Report) -> Described:
    """Describe the pictures whose sources the recipe does not leave out, to split them."""
    indices = _of_sources(cache, recipe)
    order = "in the order of their hues" if recipe.data.by_hue else "at random"
    report(f"Splitting {len(indices):,} pictures {order}; near-duplicates stay together.")
    return describe(cache, indices, recipe.data.by_hue)


def colourless_keys(cache: PixelCache, recipe: Recipe, report: Report) -> frozenset[str]:
    """Return the keys of the gray pictures, of a recipe whose pictures are split by hue."""
    if not recipe.data.by_hue:
        return frozenset()
    indices = _of_sources(cache, recipe)
    keys = frozenset(cache.keys[indices[colourless(cache, indices)]].tolist())
    report(f"Left out {len(keys):,} gray pictures of {len(indices):,}: their hue is meaningless.")
    return keys


def _of_sources(cache: PixelCache, recipe: Recipe) -> np.ndarray:
    return np.flatnonzero(~np.isin(cache.sources, recipe.data.leave_out))
