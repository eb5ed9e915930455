import threading

import numpy as np
import pytest
from skimage import data
from skimage.color import deltaE_ciede2000

from photochrom.color.lab import rgb_to_lab
from photochrom.errors import MethodOutputError
from photochrom.workbench.evaluation.compared_rows import Candidate, method, references
from photochrom.workbench.evaluation.evaluation_pictures import make_sample, reduced
from photochrom.workbench.evaluation.metrics import psnr
from photochrom.workbench.evaluation.scoring import finish, score, score_samples


def test_the_truths_own_colours_give_the_truth_back(samples):
    for sample in samples:
        truth = sample.lab[..., 1:]
        np.testing.assert_array_equal(finish(sample, truth), sample.rgb)
        record = score(sample, Candidate("rows", "itself", None, truth))
        assert record["ciede2000"] == pytest.approx(0, abs=1e-3)
        assert record["ab_mae"] == record["ab_mse"] == 0
        assert record["ssim"] == 1


def test_the_finished_picture_keeps_the_lightness_to_half_a_level(samples):
    wild = np.random.default_rng(0).normal(0, 60, samples[0].lab[..., 1:].shape)
    lightness = rgb_to_lab(finish(samples[0], wild) / 255)[..., 0]
    assert np.abs(lightness - samples[0].lightness).mean() < 0.3


def test_impossible_colours_are_judged_as_a_person_gets_them(samples):
    wild = np.full((*samples[0].lightness.shape, 2), 90.0, np.float32)
    record = score(samples[0], Candidate("rows", "wild", None, wild))
    assert record["ciede2000"] < record["ciede2000_unbounded"]


def test_each_part_measures_what_it_needs(samples):
    ab = np.zeros((*samples[0].lightness.shape, 2), np.float32)
    hinted = score(samples[0], Candidate("hints", "gray", 3, ab))
    curve = score(samples[0], Candidate("saturation", "gray", 0.0, ab))
    row = score(samples[0], Candidate("rows", "gray", None, ab))
    assert hinted.keys() < curve.keys() < row.keys()
    assert hinted["psnr"] == psnr(finish(samples[0], ab), samples[0].rgb)


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 2)), np.full((32, 40, 2), np.nan)])
def test_what_no_method_may_return_is_refused_by_name(samples, bad):
    with pytest.raises(MethodOutputError, match="welsh on astronaut"):
        score(samples[0], Candidate("rows", "welsh", None, bad))


def test_oracle_mean_beats_gray_and_mean_colour_is_flat(samples):
    records = score_samples(samples, [references((2.0, 7.0), (0.0,))])
    errors = {r["name"]: r["ab_mse"] for r in records if "ab_mse" in r and r["picture"] == 0}
    assert list(errors) == ["gray", "mean-colour", "oracle-mean"]
    assert errors["oracle-mean"] <= min(errors.values())
    still = [r for r in records if r["part"] == "saturation"]
    gray = [r for r in records if r["name"] == "gray"]
    assert [r["ciede2000"] for r in still] == [r["ciede2000"] for r in gray]


def test_a_larger_photograph_is_coloured_at_its_size_and_scored_reduced():
    large = make_sample(np.ascontiguousarray(data.coffee()[:300, :360]), key="coffee")
    seen = []

    def half(sample):
        seen.append(sample.lightness.shape)
        return sample.lab[..., 1:] * 0.5

    def observe(sample, name, rgb):
        assert sample.rgb.shape == rgb.shape == (50, 60, 3)
        assert sample.lightness.shape == (50, 60)
        return {"observed": True}

    (truth, *_, row) = score_samples(
        [large], [references((0.0, 0.0)), method("half", half)], 1, observers=[observe],
        scored_px=50,
    )  # fmt: skip
    assert seen == [(300, 360)]
    assert truth["observed"]
    # Six pixels of each axis make one: their mean, by hand.
    finished, true = (
        picture.reshape(50, 6, 60, 6, 3).mean((1, 3)) / 255
        for picture in (finish(large, large.lab[..., 1:] * 0.5), large.rgb)
    )
    expected = deltaE_ciede2000(*map(rgb_to_lab, (finished, true))).mean()
    assert row["ciede2000"] == pytest.approx(expected, abs=0.02)  # 8 bits are rounded
    ab = large.lab[..., 1:].reshape(50, 6, 60, 6, 2).mean((1, 3))
    assert row["ab_mae"] == pytest.approx(np.abs(ab * 0.5).mean(), rel=0.05)


def test_a_photograph_that_is_not_larger_is_scored_as_it_is(samples):
    assert reduced(samples[0], 256) is samples[0]
    tall = make_sample(np.zeros((300, 40, 3), np.uint8))
    assert reduced(tall, 20).rgb.shape == (150, 20, 3)


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_threads_change_nothing_but_who_works(samples, workers):
    threads, done = set(), []

    def predict(sample):
        threads.add(threading.get_ident())
        return sample.lab[..., 1:] * 0.5

    records = score_samples(samples * 4, [method("half", predict)], workers, done.append)
    assert records == score_samples(samples * 4, [method("half", predict)], 1)
    assert [r["picture"] for r in records] == [i // 2 for i in range(24)]
    assert done == list(range(1, 13))
    assert len(threads) <= workers + 1


def test_pictures_are_read_only_a_few_ahead(samples):
    read = 0

    def stream():
        nonlocal read
        for sample in samples * 10:
            read += 1
            yield sample

    ahead = []
    score_samples(stream(), [], 2, lambda done: ahead.append(read - done))
    assert len(ahead) == 30
    assert max(ahead) <= 5
