from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import CheckpointError, InvalidValueError
from photochrom.workbench.networks.encoder import import_timm, load_pypi_weights
from photochrom.workbench.networks.mobilenet_fusion import Config, MobilenetFusion
from photochrom.workbench.training.checkpoint import with_encoder
from photochrom.workbench.training.recipe import Phase, Recipe

SMALL = {"bins": 12, "decoder": (16, 16, 16, 16)}
CATS, CUPS = {281, 282, 285}, {504, 967, 968}  # ImageNet's numbers of cats, of coffee and cups


@pytest.fixture(scope="module")
def mobilenet():
    """Give timm's MobileNet as TensorFlow has it, with statistics that are not the defaults."""
    torch.manual_seed(0)
    made = import_timm().create_model("mobilenetv1_100", bn_eps=1e-3, pad_type="same")
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.01, 0.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return made.eval()


@pytest.fixture(scope="module")
def weights(mobilenet, tmp_path_factory):
    """Give its weights as a file without the last block and the classifier."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.safetensors"
    left_out = ("blocks.4.1", "classifier", "conv_head")
    state = {k: v for k, v in mobilenet.state_dict().items() if not k.startswith(left_out)}
    save_file({k: v for k, v in state.items() if "num_batches" not in k}, path)
    return path


@pytest.fixture(scope="module")
def loaded(weights):
    return built_on(weights).eval()


def built_on(weights):
    return MobilenetFusion(Config(encoder_weights=str(weights), **SMALL), pretrained=True)


def lightness_of(rgb, side):
    lightness = torch.from_numpy(rgb_to_lab(rgb / 255.0)[..., 0]).float()[None, None]
    return torch.nn.functional.interpolate(lightness, side, mode="area")


@torch.no_grad()
def fifth_depthwise(mobilenet, gray):
    """Give what the fifth depthwise convolution hands its activation."""
    seen = []
    activation = mobilenet.blocks[2][1].bn1.act
    handle = activation.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    mobilenet(gray)
    handle.remove()
    return seen[0]


@pytest.mark.slow
def test_init_takes_a_file_of_mobilenet_for_the_encoder(weights, loaded, tmp_path, monkeypatch):
    recipe = Recipe("m", "mobilenet-fusion", (Phase(1, 32),), config=dict(SMALL))
    given, init = with_encoder(recipe, weights)
    assert init is None
    found = {"encoder": "mobilenetv1_100", "encoder_weights": str(weights.resolve())}
    assert given.config == {**SMALL, **found}
    monkeypatch.chdir(weights.parent)  # a run is repeated from anywhere
    named = replace(recipe, config={**SMALL, **found, "encoder_weights": weights.name})
    assert with_encoder(named, None) == (given, None)
    packaged = replace(recipe, config={**SMALL, "encoder": "tf_efficientnet_lite0"})
    assert with_encoder(packaged, weights) == (given, None)
    made = MobilenetFusion(Config(**given.config), pretrained=True)
    ours, theirs = made.encoder.state_dict(), loaded.encoder.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    with pytest.raises(CheckpointError, match=r"--init FILE"):
        built_on("nowhere.safetensors")


def test_init_leaves_other_networks_and_other_files_alone(tmp_path):
    plain = Recipe("u", "unet", (Phase(1, 32),))
    assert with_encoder(plain, tmp_path / "a.safetensors") == (plain, tmp_path / "a.safetensors")
    save_file({"bias": torch.zeros(1)}, tmp_path / "whole.safetensors")
    ours = Recipe("m", "mobilenet-fusion", (Phase(1, 32),))
    assert with_encoder(ours, tmp_path / "whole.safetensors")[1] == tmp_path / "whole.safetensors"


@pytest.mark.parametrize("size", [(96, 96), (64, 104)])
@torch.no_grad()
def test_the_encoder_is_mobilenet_up_to_its_fifth_depthwise_convolution(mobilenet, loaded, size):
    gray = lightness_of(data.chelsea(), size) / 50 - 1
    expected = fifth_depthwise(mobilenet, gray.repeat(1, 3, 1, 1))
    ours = loaded.encoder(gray)
    assert ours.shape == (1, 256, size[0] // 8, size[1] // 8)
    assert ours.min() < 0  # before the activation
    assert (ours - expected).abs().max() < 1e-4 * expected.abs().max()


@torch.no_grad()
def test_without_a_file_the_encoder_is_timms_own_with_its_even_padding():
    torch.manual_seed(0)
    timms = import_timm().create_model("mobilenetv1_100", in_chans=1).eval()
    torch.manual_seed(0)
    ours = MobilenetFusion(Config(**SMALL)).eval()
    gray = lightness_of(data.chelsea(), (64, 96)) / 50 - 1
    expected = fifth_depthwise(timms, gray)
    assert (ours.encoder(gray) - expected).abs().max() < 1e-4 * expected.abs().max()


@torch.no_grad()
def test_without_a_file_a_packages_encoder_serves_up_to_its_widest_layer_at_stride_8():
    body = import_timm().create_model("tf_efficientnet_lite0", in_chans=1).eval()
    load_pypi_weights(body, "tf_efficientnet_lite0")
    seen = []
    body.blocks[3][0].bn1.register_forward_hook(lambda _, __, out: seen.append(out.clone()))
    gray = lightness_of(data.chelsea(), (64, 96))
    body((gray * 2.55 - 127) / 128)
    ours = MobilenetFusion(Config("tf_efficientnet_lite0", **SMALL), pretrained=True).eval()
    features = ours.encoder((gray * 2.55 - 127) / 128)
    assert features.shape == (1, 240, 8, 12)
    assert features.min() < 0  # before the activation
    assert (features.clamp(0, 6) - seen[0]).abs().max() < 1e-3
    assert ours.distribution(gray).shape == (1, 12, 16, 24)


def test_an_unknown_encoder_is_refused():
    with pytest.raises(InvalidValueError, match="encoder must be one of mobilenetv1_100, tf_eff"):
        Config("resnet34")


@torch.no_grad()
def test_loaded_weights_give_other_features_than_random_ones(weights, loaded):
    gray = lightness_of(data.chelsea(), (64, 64)) / 50 - 1
    random = MobilenetFusion(Config(encoder_weights=str(weights), **SMALL)).eval()
    assert (loaded.encoder(gray) - random.encoder(gray)).abs().mean() > 0.1


@pytest.mark.parametrize(("picture", "classes"), [("chelsea", CATS), ("coffee", CUPS)])
@torch.no_grad()
def test_the_class_probabilities_recognise_known_pictures(loaded, picture, classes):
    shares = loaded.probabilities(lightness_of(getattr(data, picture)(), (224, 256)))
    assert float(shares.sum()) == pytest.approx(1, abs=1e-4)
    assert classes & set(shares[0].topk(5).indices.tolist())


@torch.no_grad()
def test_what_the_picture_shows_changes_the_colours_everywhere(loaded):
    lightness = torch.full((1, 1, 64, 64), 50.0)
    lightness[..., :16, :16] = lightness_of(data.chelsea(), (16, 16))
    plain = torch.full((1, 1, 64, 64), 50.0)
    far = (loaded.distribution(lightness) - loaded.distribution(plain))[..., -2:, -2:]
    assert far.abs().max() > 1e-6


def test_without_weights_the_probabilities_say_nothing():
    made = MobilenetFusion(Config(probabilities_px=64, **SMALL))
    shares = made.probabilities(torch.rand(2, 1, 64, 64) * 100)
    torch.testing.assert_close(shares, torch.full((2, 1000), 1e-3))


def test_the_classifier_never_learns(loaded):
    loaded.train()
    given = torch.rand(2, 1, 64, 64) * 100
    training = loaded.probabilities(given)
    loaded.eval()
    assert torch.equal(training, loaded.probabilities(given))
    assert not any(p.requires_grad for p in loaded.classes.parameters())
    assert not {id(p) for p in loaded.classes.parameters()} & {
        id(p) for p in loaded.encoder_parameters()
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("blocks.1.0.bn1.bias"),
            r"1 are missing \(blocks\.1\.0\.bn1\.bias",
        ),
        (
            lambda state: state.update({"bn1.weight": torch.ones(8)}),
            r"bn1\.weight needs shape \(32,\); the file has \(8,\)",
        ),
    ],
)
def test_weights_of_something_else_are_refused(mobilenet, tmp_path, change, message):
    state = dict(mobilenet.state_dict())
    change(state)
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=rf"other\.safetensors: .*{message}"):
        built_on(tmp_path / "other.safetensors")


@pytest.mark.slow
def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match=r"bad\.safetensors: is not a readable"):
        built_on(tmp_path / "bad.safetensors")
