from importlib import util

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from photochrom.errors import DataError, MissingExtraError
from photochrom.workbench.evaluation import perceptual_metrics
from photochrom.workbench.evaluation.compared_rows import method, references
from photochrom.workbench.evaluation.evaluation_pictures import make_sample
from photochrom.workbench.evaluation.scoring import score_samples

has_torchmetrics = pytest.mark.skipif(
    util.find_spec("torchmetrics") is None, reason="pip install torchmetrics"
)


class Means(torch.nn.Module):
    """The mean of each channel: features that can be followed by hand."""

    num_features = 3

    def forward(self, pictures):
        return pictures.double().mean((2, 3)) / 255


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def samples():
    random = np.random.default_rng(0)
    tints = random.uniform(0.3, 1, (6, 3))
    grains = random.integers(60, 256, (6, 33, 37, 3))
    return [
        make_sample((grain * tint).astype(np.uint8), key=str(number))
        for number, (grain, tint) in enumerate(zip(grains, tints, strict=True))
    ]


@pytest.mark.parametrize("kind", [perceptual_metrics.Lpips, perceptual_metrics.Fid])
def test_a_missing_library_is_one_line_with_what_to_run(monkeypatch, kind):
    monkeypatch.setattr(perceptual_metrics.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"is not measured: .* Run: pip install torchmet"):
        kind()


@has_torchmetrics
def test_missing_weights_are_named_with_their_source(checkpoints):
    with pytest.raises(DataError, match=r"LPIPS is not measured: .* are missing .*alexnet-owt"):
        perceptual_metrics.Lpips()


@has_torchmetrics
def test_what_cannot_be_measured_becomes_a_note(checkpoints):
    observers, notes = perceptual_metrics.open_perceptual()
    assert observers == []
    assert [note.split(" is")[0] for note in notes] == ["LPIPS", "FID"]


@has_torchmetrics
def test_lpips_of_equal_pictures_is_0_and_grows_with_the_change(checkpoints, samples):
    perceptual_metrics._torchmetrics("torchmetrics.image.lpip", "LPIPS", ())  # mends torchvision
    from torchvision.models import squeezenet1_1

    torch.manual_seed(0)
    backbone = squeezenet1_1(weights=None).state_dict()
    torch.save(backbone, checkpoints / perceptual_metrics.BACKBONES["squeeze"])
    lpips = perceptual_metrics.Lpips("squeeze")
    truth = samples[0].rgb
    assert lpips(samples[0], "truth", truth) == {}
    near = np.clip(truth.astype(int) + 20, 0, 255).astype(np.uint8)
    distances = [lpips(samples[0], "row", rgb)["lpips"] for rgb in (truth, near, 255 - truth)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] > 0


@has_torchmetrics
def test_fid_is_frechets_distance_of_the_features(samples):
    fid = perceptual_metrics.Fid(Means())
    half = method("half", lambda sample: 0.5 * sample.lab[..., 1:])
    again = method("again", lambda sample: sample.lab[..., 1:])
    pictures = {}
    score_samples(
        samples,
        [references((2.0, 7.0)), half, again],
        observers=[fid, lambda s, name, rgb: pictures.setdefault(name, []).append(rgb) or {}],
    )
    found = fid.whole()
    assert found.keys() == {"gray", "mean-colour", "oracle-mean", "half", "again"}
    assert found["again"]["fid"] == pytest.approx(0, abs=1e-9)
    truth, row = (
        np.array([rgb.mean((0, 1)) / 255 for rgb in pictures[name]]) for name in ("truth", "half")
    )
    one, two = np.cov(truth.T), np.cov(row.T)
    expected = ((truth.mean(0) - row.mean(0)) ** 2).sum()
    expected += np.trace(one + two - 2 * np.real(sqrtm(one @ two)))
    assert found["half"]["fid"] == pytest.approx(expected, rel=1e-3, abs=1e-7)


@has_torchmetrics
def test_one_photograph_has_no_distance(samples):
    fid = perceptual_metrics.Fid(Means())
    for name in ("truth", "row"):
        fid(samples[0], name, samples[0].rgb)
    assert fid.whole() == {}
