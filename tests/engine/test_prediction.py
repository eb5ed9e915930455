from dataclasses import replace

import numpy as np
import pytest

from photochrom.colorization.gray import Gray
from photochrom.colorization.method import Hints, MethodInfo, Prediction, Request
from photochrom.engine.guided import apply_field
from photochrom.engine.prediction import predict_colours
from photochrom.engine.tiling import WorkingSize, working_size
from photochrom.errors import MethodOutputError

COLOUR = np.array([20.0, -15.0], np.float32)


class Even:
    """Colours everything alike, at a quarter of the size, and remembers what it was shown."""

    info = MethodInfo(name="even", paper="none", licence="none", stride=4, accepts=("hints",))

    def __init__(self, confidence=0.75, broken=None):
        self.confidence, self.broken, self.shown = confidence, broken, []

    def predict(self, request):
        self.shown.append(request)
        height, width = (side // 4 for side in request.lightness.shape)
        ab = np.broadcast_to(COLOUR, (1, height, width, 2)).copy()
        if self.broken is not None:
            ab[0, 0, 0, 0] = self.broken
        if self.confidence is None:
            return Prediction(ab)
        return Prediction(ab, np.full((height, width), self.confidence, np.float32))


class Numbered(Even):
    """Colours its first tile 0, its second 10, and so on."""

    def predict(self, request):
        prediction = super().predict(request)
        return replace(prediction, ab=np.full_like(prediction.ab, 10 * len(self.shown) - 10))


def request_of(size, **guidance):
    random = np.random.default_rng(1)
    return Request(random.uniform(5, 95, (size.height, size.width)).astype(np.float32), **guidance)


SIZES = [
    working_size(300, 400, 64, 4),
    working_size(2000, 100, 32, 4),
    working_size(100, 2000, 32, 4),
]


@pytest.mark.parametrize("size", SIZES, ids=["whole", "tall", "wide"])
def test_an_even_method_colours_evenly_whatever_the_tiles(size):
    method = Even()
    colouring = predict_colours(method, request_of(size), size)
    assert colouring.ab.shape == (size.height, size.width, 2)
    assert colouring.confidence.shape == (size.height, size.width)
    assert colouring.ab.dtype == colouring.confidence.dtype == np.float32
    np.testing.assert_allclose(colouring.ab, np.broadcast_to(COLOUR, colouring.ab.shape), atol=1e-4)
    np.testing.assert_allclose(colouring.confidence, 0.75, atol=1e-6)
    large = np.full((2 * size.height, 2 * size.width), 40.0, np.float32)
    ab = apply_field(colouring.field, large)
    np.testing.assert_allclose(ab, np.broadcast_to(COLOUR, ab.shape), atol=1e-3)


@pytest.mark.parametrize("size", SIZES[1:], ids=["tall", "wide"])
def test_tiles_fade_into_each_other(size):
    colouring = predict_colours(Numbered(), request_of(size), size)
    along = colouring.ab[:, 0, 0] if not size.is_wide else colouring.ab[0, :, 0]
    assert len(size.tiles) > 2
    assert (along[0], along[-1]) == (0, 10 * (len(size.tiles) - 1))
    assert (np.diff(along) >= -1e-5).all()
    assert np.diff(along).max() < 2


@pytest.mark.parametrize("size", SIZES[1:], ids=["tall", "wide"])
def test_each_tile_is_shown_its_own_part_of_the_picture_and_of_the_hints(size):
    mask = np.zeros((size.height, size.width), np.float32)
    mask[-1, -1] = 1
    request = request_of(size, hints=Hints(np.tile(COLOUR, (*mask.shape, 1)), mask), seed=3)
    method = Even()
    predict_colours(method, request, size)
    assert len(method.shown) == 2 * len(size.tiles)  # with the hints, and without
    method.shown = method.shown[: len(size.tiles)]
    for shown, (start, stop) in zip(method.shown, size.tiles, strict=True):
        part = np.s_[:, start:stop] if size.is_wide else np.s_[start:stop]
        np.testing.assert_array_equal(shown.lightness, request.lightness[part])
        np.testing.assert_array_equal(shown.hints.mask, mask[part])
        assert shown.seed == 3
    assert [shown.hints.mask.any() for shown in method.shown][-1]
    assert not method.shown[0].hints.mask.any()


def test_hints_are_obeyed_whatever_the_method_says():
    size = SIZES[0]
    mask = np.zeros((size.height, size.width), np.float32)
    mask[20:24, 30:34] = 1
    hints = Hints(np.tile(np.float32([-40, 30]), (*mask.shape, 1)), mask)
    colouring = predict_colours(Even(), request_of(size, hints=hints), size)
    np.testing.assert_allclose(colouring.ab[21:23, 31:33], hints.ab[21:23, 31:33], atol=1e-3)
    np.testing.assert_allclose(colouring.ab[0, 80], COLOUR, atol=1)


@pytest.mark.parametrize("saturation", [0.0, 0.5, 1.3])
def test_saturation_is_a_factor_on_the_colours(saturation):
    size = SIZES[0]
    colouring = predict_colours(Even(), request_of(size), size, saturation)
    expected = np.broadcast_to(saturation * COLOUR, colouring.ab.shape)
    np.testing.assert_allclose(colouring.ab, expected, atol=1e-4)


def test_colours_outside_the_gamut_are_counted_as_a_share():
    size = SIZES[0]
    request = request_of(size)
    assert predict_colours(Gray(), request, size).moved == 0
    assert predict_colours(Even(), request, size, saturation=20.0).moved == 1
    half = request.lightness.copy()
    half[: size.height // 2] = 100.0  # white has no colour at all
    half[size.height // 2 :] = 50.0
    assert predict_colours(Even(), replace(request, lightness=half), size).moved == 0.5


def test_without_confidence_there_is_none():
    size = SIZES[1]
    assert predict_colours(Even(confidence=None), request_of(size), size).confidence is None


@pytest.mark.parametrize("size", SIZES[:2], ids=["whole", "tall"])
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_method_that_returns_what_it_must_not_is_named(size, broken):
    with pytest.raises(MethodOutputError, match="'even' returned 1 numbers"):
        predict_colours(Even(broken=broken), request_of(size), size)


def test_gray_stays_gray_at_the_smallest_size():
    size = WorkingSize(1, 1, ((0, 1),))
    colouring = predict_colours(Gray(), request_of(size), size)
    assert not colouring.ab.any()
    assert not colouring.field.planes.any()


def test_an_exported_network_is_a_method_like_any_other(exported_network):
    from photochrom.colorization.network import NetworkMethod

    method = NetworkMethod(exported_network.path, threads=1)
    size = working_size(700, 100, 64, method.info.stride)
    colouring = predict_colours(method, request_of(size), size)
    assert colouring.ab.shape == (size.height, size.width, 2)
    assert np.ptp(colouring.ab) > 1
    assert 0 <= colouring.confidence.min() <= colouring.confidence.max() <= 1
