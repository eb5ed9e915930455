"""A gallery: the same validation pictures at several steps of a run, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from photochrom.color.gamut import lab_to_bytes
from photochrom.workbench.training.network_inputs import neutral_inputs
from photochrom.workbench.training.validation import Validation, averaged

if TYPE_CHECKING:
    from photochrom.workbench.training.run_state import Run

PICTURES = 8
MOMENTS = 8  # columns at most, evenly chosen


@torch.no_grad()
def draw_gallery(run: "Run", validation: Validation, seen: int) -> None:
    """Colour the gallery's pictures with the run's moving average, and draw them.

    Writes `gallery/SEEN.png`, one picture above the other, and `gallery.png` with a column for
    each of several moments, between the gray pictures and the true ones.
    """
    from PIL import Image

    chosen = np.linspace(0, len(validation) - 1, min(PICTURES, len(validation))).astype(int)
    lightness = validation.lightness[chosen]
    given = torch.from_numpy(lightness)[:, None].to(run.fabric.device)
    with averaged(run), run.fabric.autocast():
        ab = run.network(*neutral_inputs(run.network, given)).ab.float()
    ab = F.interpolate(ab, size=lightness.shape[1:], mode="bilinear", align_corners=False)
    folder = run.folder / "gallery"
    folder.mkdir(exist_ok=True)
    # (N, 2, S, S) -> (N, S, S, 2)
    column = _column(lightness, ab.permute(0, 2, 3, 1).cpu().numpy())
    Image.fromarray(column).save(folder / f"{seen:09d}.png")
    moments = _moments(folder, column.shape)
    gray = _column(lightness, np.zeros((*lightness.shape, 2), np.float32))
    truth = _column(lightness, validation.ab[chosen])
    whole = np.concatenate([gray, *moments, truth], axis=1)
    Image.fromarray(whole).save(run.folder / "gallery.png")


def _column(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    lab = np.concatenate([lightness[..., None], ab], axis=-1)
    return np.concatenate(list(lab_to_bytes(lab)))


def _moments(folder: Path, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Read columns of this shape; a resumed run may have begun at another size."""
    from PIL import Image

    columns = [np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))]
    columns = [column for column in columns if column.shape == shape]
    kept = np.unique(np.linspace(0, len(columns) - 1, min(MOMENTS, len(columns))).astype(int))
    return [columns[i] for i in kept]
