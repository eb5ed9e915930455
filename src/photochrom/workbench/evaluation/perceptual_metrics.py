"""Metrics that use a trained network: LPIPS and FID, by torchmetrics.

Sources: Zhang, Isola, Efros, Shechtman, Wang, "The Unreasonable Effectiveness of Deep Features as
a Perceptual Metric", CVPR 2018 (LPIPS 0.1, AlexNet); Heusel, Ramsauer, Unterthiner, Nessler,
Hochreiter, "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017 (FID, 2,048 features).

No other module of this package imports torch. Nothing is downloaded: the weights lie where torch
keeps such files, or an error names the file and where it is from.
"""

from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
import torch

from photochrom.color.arrays import Bytes
from photochrom.errors import DataError, MissingExtraError
from photochrom.workbench.evaluation.evaluation_pictures import Sample
from photochrom.workbench.evaluation.scoring import TRUTH, Observer, Record

BACKBONES = {  # of LPIPS, as torchvision names the files
    "alex": "alexnet-owt-7be5be79.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
    "vgg": "vgg16-397923af.pth",
}
BACKBONE_FROM = "https://download.pytorch.org/models/"
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_FROM = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"


class Lpips:
    """An observer that adds `lpips` to each record: 0 is equal.

    The backbone is 'alex', which papers quote, 'squeeze' or 'vgg'. Raise MissingExtraError if
    torchmetrics or torchvision is not installed, and DataError if its weights are not at hand.
    """

    def __init__(self, backbone: str = "alex") -> None:
        image = _torchmetrics("torchmetrics.image.lpip", "LPIPS", ("torchmetrics", "torchvision"))
        _weights(BACKBONES[backbone], BACKBONE_FROM, "LPIPS")
        self._metric = image.LearnedPerceptualImagePatchSimilarity(backbone, normalize=True)
        self._lock = Lock()

    def __call__(self, sample: Sample, name: str, rgb: Bytes) -> Record:
        """Measure a finished picture."""
        if name == TRUTH:
            return {}
        pair = (_tensor(picture).float() / 255 for picture in (rgb, sample.rgb))
        with self._lock, torch.inference_mode():
            return {"lpips": float(self._metric(*pair))}


class Fid:
    """An observer that accumulates features, for one distance per row over all photographs.

    `features` turns uint8 (N, 3, H, W) into (N, F): the Inception network of the paper without it.
    Raise MissingExtraError if torchmetrics or torch-fidelity is not installed, and DataError if
    Inception's weights are not at hand.
    """

    def __init__(self, features: torch.nn.Module | None = None) -> None:
        needed = ("torchmetrics",) if features else ("torchmetrics", "torch_fidelity")
        self._kind = _torchmetrics("torchmetrics.image.fid", "FID", needed).FrechetInceptionDistance
        self._options: dict[str, object] = {"feature": features}
        if features is None:
            path = _weights(INCEPTION, INCEPTION_FROM, "FID")
            self._options = {"feature": 2048, "feature_extractor_weights_path": str(path)}
        self._sums: dict[str, Any] = {}
        self._lock = Lock()

    def __call__(self, sample: Sample, name: str, rgb: Bytes) -> Record:
        """Add a finished picture; it adds nothing to the record."""
        with self._lock, torch.inference_mode():
            if name not in self._sums:
                self._sums[name] = self._kind(**self._options)
                self._options = {"feature": self._sums[name].inception}  # one network for all rows
            self._sums[name].update(_tensor(rgb), real=name == TRUTH)
        return {}

    def whole(self) -> dict[str, dict[str, float]]:
        """Return the distance of each row from the truth, as `Evaluation.whole` takes it.

        Of a single photograph there is none: {}.
        """
        truth = self._sums[TRUTH]
        if truth.real_features_num_samples < 2:
            return {}
        found = {}
        for name, sums in self._sums.items():
            if name == TRUTH:
                continue
            # The truth's features are the same for all rows and were added up once.
            for part in ("sum", "cov_sum", "num_samples"):
                setattr(sums, f"real_features_{part}", getattr(truth, f"real_features_{part}"))
            found[name] = {"fid": max(0.0, float(sums.compute()))}  # rounding may fall below
        return found


def open_perceptual() -> tuple[list[Observer], list[str]]:
    """Open those of `Lpips` and `Fid` whose packages and weights are installed.

    For each of the others there is a note with the missing file or the line to run.
    """
    kinds: tuple[Callable[[], Observer], ...] = (Lpips, Fid)
    found: list[Observer] = []
    notes: list[str] = []
    for kind in kinds:
        try:
            found.append(kind())
        except (MissingExtraError, DataError) as error:
            notes.append(str(error))
    return found, notes


def _torchmetrics(module: str, metric: str, needed: tuple[str, ...]) -> ModuleType:
    missing = [name.replace("_", "-") for name in needed if util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{metric} is not measured: it needs {' and '.join(missing)}, which is not installed. "
            f"Run: pip install {' '.join(missing)}"
        )
    try:
        return import_module(module)
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    from photochrom.workbench.networks.encoder import import_timm

    import_timm()  # repairs a torchvision that was built for another torch
    return import_module(module)


def _weights(name: str, source: str, metric: str) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        raise DataError(
            f"{metric} is not measured: its weights are missing ({path}). "
            f"Download them from {source}{name}"
        )
    return path


def _tensor(rgb: Bytes) -> torch.Tensor:
    """Turn (h, w, 3) into (1, 3, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(rgb, -1, 0)))[None]
