import numpy as np
import pytest

from photochrom.color.gray_conversions import GRAYS, bt601
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.evaluation.evaluation_pictures import (
    decode_rgb,
    make_sample,
    read_samples,
)


def test_a_parquet_file_and_a_folder_give_the_same_photographs(parquet, folder, photographs):
    from_parquet = {sample.key: sample for sample in read_samples(parquet)}
    assert list(from_parquet) == list(photographs)
    for sample in read_samples(folder):
        name = sample.key.rsplit("/")[-1].removesuffix(".png")
        np.testing.assert_array_equal(sample.rgb, photographs[name])
        np.testing.assert_array_equal(sample.rgb, from_parquet[name].rgb)
        assert sample.source == from_parquet[name].source


def test_limit_and_keys_choose(parquet):
    assert [s.key for s in read_samples(parquet, limit=2)] == ["astronaut", "chelsea"]
    assert [s.key for s in read_samples(parquet, keys={"coffee"})] == ["coffee"]


def test_the_input_is_the_lightness_of_the_truth(photographs):
    sample = make_sample(photographs["coffee"])
    np.testing.assert_array_equal(sample.lightness, sample.lab[..., 0])
    expected = rgb_to_lab(photographs["coffee"] / 255)
    np.testing.assert_allclose(sample.lab, expected, atol=1e-3)
    assert sample.lightness.dtype == sample.lab.dtype == np.float32


@pytest.mark.parametrize("gray", [gray for gray in GRAYS if gray != "lightness"])
def test_another_gray_changes_the_input_and_not_the_truth(photographs, gray):
    plain, shown = (make_sample(photographs["astronaut"], g) for g in ("lightness", gray))
    np.testing.assert_array_equal(plain.lab, shown.lab)
    assert np.abs(plain.lightness - shown.lightness).mean() > 0.3
    assert shown.lightness.min() >= 0
    assert shown.lightness.max() <= 100


def test_the_input_of_a_gray_is_the_lightness_of_that_gray(photographs):
    rgb = photographs["coffee"]
    level = bt601(rgb / 255)
    expected = rgb_to_lab(np.stack([level] * 3, -1))[..., 0]
    np.testing.assert_allclose(make_sample(rgb, "bt601").lightness, expected, atol=1e-3)


def test_an_unknown_gray_is_refused(parquet):
    with pytest.raises(InvalidValueError, match=r"one of lightness, bt601.*; got 'sepia'"):
        list(read_samples(parquet, "sepia"))


def test_what_is_no_picture_is_refused_by_name(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"text\.jpg"):
        list(read_samples(tmp_path))


def test_a_picture_too_small_to_judge_is_refused(tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 10)).save(tmp_path / "strip.png")
    with pytest.raises(DataError, match=r"strip: a side needs at least 11 pixels.* 40 x 10"):
        decode_rgb((tmp_path / "strip.png").read_bytes(), "strip")


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(DataError):
        list(read_samples(tmp_path))
