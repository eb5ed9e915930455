import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.workbench.networks.flagship_inputs import BINS, filled, inputs, plain, stir

from photochrom.colorization.method import Hints, Request
from photochrom.colorization.network import NetworkMethod
from photochrom.workbench.networks.photochrom2 import Config, ConvexUp, Photochrom2
from photochrom.workbench.training.export import export_network
from photochrom.workbench.training.network_inputs import neutral_inputs
from photochrom.workbench.training.recipe_files import find_recipe, read_recipe

SMALL = Config("tf_efficientnet_lite0", BINS, channels=(32, 32, 16), mixers=(1, 1, 1))


@pytest.fixture(scope="module")
def fresh():
    torch.manual_seed(0)
    return filled(Photochrom2(SMALL))


@pytest.fixture(scope="module")
def stirred(fresh):
    return stir(fresh)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 96), (160, 32)])
@torch.no_grad()
def test_every_size_gives_a_quarter_of_it(stirred, height, width):
    logits = stirred.distribution(*inputs(height, width))
    assert logits.shape == (2, BINS, height // 4, width // 4)
    assert torch.isfinite(logits).all()


@torch.no_grad()
def test_at_the_start_hints_and_wishes_change_nothing(fresh):
    assert torch.equal(fresh.distribution(*inputs(64, 96)), fresh.distribution(*plain(64, 96)))


@torch.no_grad()
def test_what_is_learnt_of_hints_and_wishes_changes_the_distribution(stirred):
    assert (
        stirred.distribution(*inputs(64, 96)) - stirred.distribution(*plain(64, 96))
    ).abs().max() > 0.02


def test_every_parameter_that_learns_gets_a_gradient(stirred):
    made = copy.deepcopy(stirred).train()
    made.distribution(*inputs(64, 96)).square().mean().backward()
    without = [
        name for name, p in made.named_parameters() if p.requires_grad and not p.grad.abs().any()
    ]
    assert not without


@torch.no_grad()
def test_the_convex_upsampling_takes_means_of_the_nine_places_around():
    torch.manual_seed(3)
    up = ConvexUp(5, 7, hidden=8)
    planes, fine = torch.randn(2, 5, 4, 6), torch.randn(2, 7, 8, 12)
    raised = up(planes, fine, torch.zeros(2, 3, 8, 12))
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    low, high = -F.max_pool2d(-padded, 3, 1), F.max_pool2d(padded, 3, 1)
    low, high = (p.repeat_interleave(2, 2).repeat_interleave(2, 3) for p in (low, high))
    assert raised.shape == (2, 5, 8, 12)
    assert ((raised >= low - 1e-5) & (raised <= high + 1e-5)).all()
    flat = up(torch.full_like(planes, 3.0), fine, torch.zeros(2, 3, 8, 12))
    torch.testing.assert_close(flat, torch.full_like(flat, 3.0))


@torch.no_grad()
def test_a_place_of_the_upsampling_is_the_one_it_came_from():
    up = ConvexUp(1, 2, hidden=4)
    for part in (up.coarse, up.fine):
        part.weight.zero_()
        part.bias.zero_()
    up.weights.weight.zero_()
    up.weights.bias.copy_(torch.tensor([0, 0, 0, 0, 50.0, 0, 0, 0, 0]).repeat(4))
    planes = torch.arange(12.0).reshape(1, 1, 3, 4)
    raised = up(planes, torch.zeros(1, 2, 6, 8), torch.zeros(1, 3, 6, 8))
    torch.testing.assert_close(raised, planes.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.slow
def test_it_learns_one_picture_by_heart(fresh):
    made = copy.deepcopy(fresh).train()
    given = plain(64, 64, 1)
    torch.manual_seed(4)
    truth = torch.randint(0, BINS, (1, 4, 4)).repeat_interleave(4, 1).repeat_interleave(4, 2)
    optimizer = torch.optim.AdamW([p for p in made.parameters() if p.requires_grad], 3e-3)
    for _ in range(80):
        loss = F.cross_entropy(made.distribution(*given), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5


@pytest.fixture(scope="module")
def exported(stirred, tmp_path_factory):
    path = tmp_path_factory.mktemp("two") / "two.onnx"
    recipe = replace(read_recipe(find_recipe(Path("photochrom2"))), config={})
    export_network(stirred, recipe, path, {"licence": "none"})
    return NetworkMethod(path)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 32)])
def test_the_exported_file_gives_what_torch_gives(stirred, exported, height, width):
    lightness = np.random.default_rng(6).uniform(0, 100, (height, width)).astype(np.float32)
    mask = np.zeros((height, width), np.float32)
    mask[8:20, 8:20] = 1
    hints = Hints(np.full((height, width, 2), 40, np.float32), mask)
    for given in (None, hints):
        request = Request(lightness, hints=given, distribution=True)
        found = exported.predict(request).distribution
        asked = list(neutral_inputs(stirred, torch.from_numpy(lightness)[None, None])[:5])
        if given is not None:
            asked[1] = torch.full((1, 2, height, width), 40.0) * torch.from_numpy(mask)
            asked[2] = torch.from_numpy(mask)[None, None]
        with torch.no_grad():
            expected = stirred.distribution(*asked)[0].numpy()
        assert np.abs(found - expected).max() < 0.05
