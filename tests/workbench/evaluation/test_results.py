import numpy as np
import pytest

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.evaluation.benchmark import Benchmark
from photochrom.workbench.evaluation.results import METRICS, Evaluation


def test_the_reference_rows_are_always_there(evaluation, parquet):
    assert [row.name for row in evaluation.rows] == ["gray", "mean-colour", "oracle-mean", "tint"]
    alone = Benchmark(parquet, [], resamples=10).run()
    assert [row.name for row in alone.rows] == ["gray", "mean-colour", "oracle-mean"]
    measured = {m.key for m in METRICS} - {"lpips", "fid"}  # those are asked for
    assert all(row.estimates.keys() == measured for row in evaluation.rows)


def test_gray_is_the_measure_of_the_ratio_and_has_no_colour(evaluation):
    gray = evaluation.rows[0].estimates
    assert gray["ratio"] == (1, 1, 1)
    assert gray["colourfulness"] == (0, 0, 0)
    assert gray["ciede2000"].low < gray["ciede2000"].value < gray["ciede2000"].high


def test_ratio_share_and_rmse_are_of_means_over_pictures(evaluation):
    tint = evaluation.rows[3].estimates
    own, gray = (evaluation.column(name, "ciede2000") for name in ("tint", "gray"))
    assert tint["ratio"].value == pytest.approx(own.mean() / gray.mean())
    assert tint["ratio_each"].value == pytest.approx((own / gray).mean())
    colour, truth = (evaluation.column(name, "colourfulness") for name in ("tint", "truth"))
    assert tint["colourfulness"].value == pytest.approx(colour.mean() / truth.mean())
    squares = evaluation.column("tint", "ab_mse")
    assert tint["ab_rmse"].value == pytest.approx(np.sqrt(squares.mean()))


def test_what_stands_beside_error_is_of_the_photographs_that_have_it(evaluation):
    records = [dict(record) for record in evaluation.records]
    for record in records:
        if record["picture"] == 0 and record["name"] in ("tint", "truth"):
            record |= {"left_gray": 0.0, "left_gray_counts": 0.0}
            record |= {"concentration": 0.0, "concentration_counts": 0.0}
    rows = {row.name: row.estimates for row in Evaluation(records, resamples=20).rows}
    for column in ("left_gray", "concentration"):
        kept = evaluation.column("tint", column)[1:]
        assert rows["tint"][column].value == pytest.approx(kept.mean())
    truth = evaluation.column("truth", "concentration")[1:].mean()
    shown = [row["concentration_truth"].value for row in rows.values()]
    assert shown == pytest.approx([truth] * 4)
    assert rows["gray"]["left_gray"].value == 1
    assert np.isnan(rows["gray"]["concentration"].value)


def test_colourfulness_is_told_photograph_by_photograph_too(evaluation):
    own, truth = (evaluation.column(name, "colourfulness") for name in ("tint", "truth"))
    tint = evaluation.rows[3].estimates
    for quantile in (10, 50, 90):
        expected = np.quantile(own / truth, quantile / 100)
        assert tint[f"colourfulness_p{quantile}"].value == pytest.approx(expected)


def test_a_photograph_without_colour_has_no_share_of_its_colourfulness(evaluation):
    records = [dict(record) for record in evaluation.records]
    for record in records:
        if record["picture"] == 1 and record["name"] == "truth":
            record["colourfulness"] = 0.0
    tint = Evaluation(records, resamples=20).rows[3].estimates
    own, truth = (evaluation.column(name, "colourfulness")[[0, 2]] for name in ("tint", "truth"))
    assert tint["colourfulness_p50"].value == pytest.approx(np.median(own / truth))


def test_a_point_of_a_curve_has_them_beside_its_error(evaluation):
    calm, _, bold = evaluation.curve("vividness", "tint")
    assert calm.beside.keys() == {"left_gray", "concentration", "concentration_truth", "neon"}
    assert calm.beside["left_gray"].value == 1
    assert (
        bold.beside["left_gray"].value
        == evaluation.column("tint", "left_gray", "vividness", 1).mean()
    )
    shown = evaluation.ratio_at(bold.share.value, "vividness", "tint", "left_gray")
    assert shown.value == pytest.approx(bold.beside["left_gray"].value)


def test_a_curve_runs_by_its_setting(evaluation):
    points = evaluation.curve("vividness", "tint")
    assert [point.setting for point in points] == [0, 0.5, 1]
    shares = [point.share.value for point in points]
    assert shares == sorted(shares)
    assert points[0].ratio == (1, 1, 1)


def test_saturation_scales_the_same_prediction(evaluation):
    # Half of vividness 1 is what the method does by itself; so is a saturation of 1.
    by_vividness, by_saturation = (
        evaluation.curve(knob, "tint")[1] for knob in ("vividness", "saturation")
    )
    assert by_vividness.ratio == pytest.approx(by_saturation.ratio)
    assert evaluation.curve("saturation", "mean-colour")[1].ratio == pytest.approx(
        evaluation.rows[1].estimates["ratio"]
    )


def test_a_curve_is_read_between_its_points_and_not_beyond(evaluation):
    low, high = evaluation.curve("saturation", "tint")[1:]
    middle = (low.share.value + high.share.value) / 2
    read = evaluation.ratio_at(middle, "saturation", "tint")
    assert read.value == pytest.approx((low.ratio.value + high.ratio.value) / 2)
    assert evaluation.ratio_at(low.share.value, "saturation", "tint").value == pytest.approx(
        low.ratio.value
    )
    assert np.isnan(evaluation.ratio_at(50.0, "saturation", "tint").value)


def test_curves_are_compared_at_equal_colourfulness(evaluation):
    share = evaluation.curve("saturation", "mean-colour")[1].share.value
    one, two = ("saturation", "mean-colour"), ("saturation", "tint")
    expected = evaluation.ratio_at(share, *one).value - evaluation.ratio_at(share, *two).value
    assert evaluation.difference_at(share, one, two).value == pytest.approx(expected)
    assert evaluation.difference_at(share, one, one).value == 0


def test_before_the_gamut_is_another_curve(evaluation):
    after, before = (
        evaluation.curve("saturation", "tint", metric)[2].ratio.value
        for metric in ("ratio", "ratio_unbounded")
    )
    assert before != after


def test_revealed_patches_help_and_the_baseline_starts_at_gray(evaluation):
    tint, rbf = evaluation.hint_curve("tint"), evaluation.hint_curve("rbf")
    assert [point.patches for point in tint] == [point.patches for point in rbf] == [0, 5, 40]
    assert rbf[0].psnr == pytest.approx(evaluation.rows[0].estimates["psnr"])
    assert rbf[0].psnr.value < rbf[1].psnr.value < rbf[2].psnr.value
    assert tint[0].psnr.value < tint[1].psnr.value < tint[2].psnr.value
    assert evaluation.hint_curve("gray") == []


def test_sources_are_split(evaluation):
    parts = evaluation.by_source()
    assert {name: part.pictures for name, part in parts.items()} == {"animals": 1, "others": 2}
    errors = [part.column("tint", "ciede2000") for part in parts.values()]
    assert sorted(np.concatenate(errors)) == sorted(evaluation.column("tint", "ciede2000"))


def test_the_same_seed_gives_the_same_numbers(evaluation):
    again = Evaluation(evaluation.records, resamples=200)
    one, two = ({row.name: row.estimates for row in e.rows} for e in (again, evaluation))
    np.testing.assert_equal(one, two)
    other = Evaluation(evaluation.records, resamples=200, seed=1)
    assert other.rows[3].estimates["ratio"].value == evaluation.rows[3].estimates["ratio"].value
    assert other.rows[3].estimates["ratio"].low != evaluation.rows[3].estimates["ratio"].low


@pytest.mark.parametrize(
    "ask",
    [
        lambda e: e.column("deoldify", "psnr"),
        lambda e: e.curve("vividness", "mean-colour"),
        lambda e: e.ratio_at(0.6, "hue", "tint"),
    ],
)
def test_what_was_not_measured_is_said(evaluation, ask):
    with pytest.raises(InvalidValueError):
        ask(evaluation)


def test_no_photograph_is_an_error():
    with pytest.raises(DataError, match="at least one photograph"):
        Evaluation([])


def test_a_photograph_that_is_gray_has_no_ratio_of_its_own(evaluation):
    records = [dict(record) for record in evaluation.records]
    for record in records:
        if record["picture"] == 0 and record["name"] == "gray":
            record["ciede2000"] = 0.0
    rows = {row.name: row.estimates for row in Evaluation(records, resamples=20).rows}
    own, gray = (evaluation.column(name, "ciede2000")[1:] for name in ("tint", "gray"))
    assert rows["tint"]["ratio_each"].value == pytest.approx((own / gray).mean())
