"""What is looked at closely, kept and made smaller: the routes that the page works with."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image
from skimage import data
from tests.service.conftest import decoded, encoded

from photochrom.colorization.method import Hints, MethodInfo, Prediction, Request
from photochrom.photo.photo import Photo
from photochrom.service.loaded_colorizers import CachingMethod
from photochrom.service.preview_cache import ByteCache

TURNED = 6  # EXIF: the camera was held upright
BLUE = {"shape": "point", "points": [[700, 500]], "colour": "#2040c0", "radius": 60}


def opened(client, content):
    answer = client.post("/v1/photos", files={"file": ("old.jpg", content)})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture(scope="module", params=[1, TURNED], ids=["upright", "turned"])
def large(client, request):
    """A photograph of 1440 x 1200, stored upright or turned."""
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((1440, 1200)))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = request.param
    stored = np.rot90(gray) if request.param == TURNED else gray
    return opened(client, encoded(stored, quality=95, exif=exif))


def ask_part(client, photo, **body):
    window = {"left": 600, "top": 400, "width": 300, "height": 200}
    return client.post(f"/v1/photos/{photo['id']}/crop", json={**window, **body})


@pytest.mark.slow
def test_a_part_has_the_pixels_that_the_full_size_file_has_there(client, large):
    guidance = {"hints": [BLUE]}
    part = decoded(ask_part(client, large, guidance=guidance).content).astype(float)
    answer = client.post(f"/v1/photos/{large['id']}/result", json={"wishes": guidance})
    whole = Image.open(io.BytesIO(answer.content))
    assert whole.getexif()[ExifTags.Base.Orientation] in (1, TURNED)
    turn = whole.getexif()[ExifTags.Base.Orientation] == TURNED
    upright = whole.transpose(Image.Transpose.ROTATE_270) if turn else whole
    there = np.asarray(upright, float)[400:600, 600:900]
    assert part.shape == there.shape
    assert np.abs(part - there).mean() < 3
    assert (part[40:160, 40:160, 2] - part[40:160, 40:160, 0]).max() > 30  # the hint is blue


def test_a_part_as_it_came_is_the_photographs_own(client, large):
    part = decoded(ask_part(client, large).content).astype(float)
    gray = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize((1440, 1200)), float)
    assert np.ptp(part, axis=-1).max() == 0
    assert np.abs(part[..., 0] - gray[400:600, 600:900]).mean() < 2


@pytest.mark.slow
def test_a_part_is_reduced_to_the_size_that_is_wanted_and_refused_outside(client, large):
    body = {"left": 0, "top": 0, "width": 1200, "height": 600, "wishes": {}}
    part = ask_part(client, large, **body, long_side_px=600)
    assert decoded(part.content).shape == (300, 600, 3)
    outside = ask_part(client, large, left=1400)
    assert outside.status_code == 422
    assert "inside the picture of 1440 x 1200" in outside.json()["detail"]


def test_the_original_of_a_colour_photograph_is_in_colour(client):
    photo = opened(client, encoded(data.coffee(), quality=95))
    assert photo["tint"] == "colour"
    shown = decoded(client.get(f"/v1/photos/{photo['id']}/original").content).astype(float)
    assert np.abs(shown - data.coffee()).mean() < 4


@pytest.mark.slow
def test_the_same_wishes_have_the_same_preview_at_once_and_sizes_are_kept_apart(client):
    photo = opened(client, encoded(data.astronaut().mean(axis=-1).astype(np.uint8)))

    def preview(guidance, **size):
        path = f"/v1/photos/{photo['id']}/preview"
        answer = client.post(path, json=guidance, params=size)
        return answer.content, int(answer.headers["Photochrom-Milliseconds"])

    first, _ = preview({"saturation": 0.7})
    other, _ = preview({"saturation": 1.3})
    again, milliseconds = preview({"saturation": 0.7})
    assert again == first != other
    assert milliseconds < 40
    small, _ = preview({"saturation": 0.7}, long_side_px=128)
    assert decoded(small).shape[:2] == (128, 128)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp"])
def test_a_result_is_made_smaller_with_its_metadata(client, format):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "A. Nonymous"
    gray = data.astronaut().mean(axis=-1).astype(np.uint8)
    photo = opened(client, encoded(gray[:384], exif=exif))
    body = {"format": format, "quality": 80, "long_side_px": 256}
    answer = client.post(f"/v1/photos/{photo['id']}/result", json=body)
    assert answer.status_code == 200, answer.text
    result = Image.open(io.BytesIO(answer.content))
    assert (result.format.lower(), result.size) == (format, (256, 192))
    assert result.getexif()[ExifTags.Base.Artist] == "A. Nonymous"
    assert Photo.open(answer.content).marker is not None


@pytest.mark.slow
def test_a_smaller_result_keeps_alpha_turn_and_hints_where_they_were(client):
    rgba = np.dstack([data.astronaut().mean(axis=-1)] * 4).astype(np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = TURNED
    stored = np.rot90(rgba[:, :400])
    photo = opened(client, encoded(stored, "PNG", exif=exif))
    hint = {"shape": "point", "points": [[180, 330]], "colour": "#2040c0", "radius": 20}
    body = {"wishes": {"hints": [hint]}, "long_side_px": 256}
    answer = client.post(f"/v1/photos/{photo['id']}/result", json=body)
    result = Image.open(io.BytesIO(answer.content))
    assert (result.mode, result.size) == ("RGBA", (256, 200))
    upright = np.asarray(result.transpose(Image.Transpose.ROTATE_270)).astype(float)
    small = Image.fromarray(rgba[:, :400, 3]).resize((200, 256), Image.Resampling.BOX)
    assert np.abs(upright[..., 3] - np.asarray(small, float)).mean() < 3
    assert (upright[155:175, 80:100, 2] - upright[155:175, 80:100, 0]).mean() > 20


class Counting:
    """A method that counts how often it is asked."""

    info = MethodInfo("counting", "none", "none")

    def __init__(self):
        self.asked = 0

    def predict(self, request):
        self.asked += 1
        return Prediction(np.zeros((1, *request.lightness.shape, 2), np.float32))


def test_a_method_is_asked_once_for_the_same_request_and_again_for_any_other():
    counting = Counting()
    method = CachingMethod(counting)
    lightness = np.full((8, 8), 50, np.float32)
    mask = np.zeros((8, 8), np.float32)
    mask[2, 2] = 1
    hints = Hints(np.ones((8, 8, 2), np.float32), mask)
    others = [
        Request(lightness),
        Request(lightness + 1),
        Request(lightness.reshape(4, 16)),
        Request(lightness, hints=hints),
        Request(lightness, hints=Hints(hints.ab * 2, mask)),
        Request(lightness, vividness=0.5),
        Request(lightness, distribution=True),
    ]
    for request in others + others:
        assert method.predict(request).ab.shape[1:3] == request.lightness.shape
    assert counting.asked == len(others)


def test_what_is_remembered_has_a_bound():
    counting = Counting()
    method = CachingMethod(counting, most_bytes=1200)  # two predictions of 512 bytes
    requests = [Request(np.full((8, 8), level, np.float32)) for level in range(3)]
    for request in [*requests, requests[2], requests[0]]:
        method.predict(request)
    assert counting.asked == 4


def test_kept_pictures_have_a_bound_and_the_least_recently_used_goes_first():
    drawn = ByteCache(10, len)
    drawn.keep("one", b"1234")
    drawn.keep("two", b"1234")
    assert drawn.get("one") == b"1234"
    drawn.keep("three", b"1234")
    assert [drawn.get(key) is not None for key in ("one", "two", "three")] == [True, False, True]
