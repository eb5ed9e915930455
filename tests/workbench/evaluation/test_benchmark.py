import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.evaluation.benchmark import Benchmark


def test_two_methods_of_one_name_are_told_apart(parquet, open_as):
    found = Benchmark(
        parquet, ["one.onnx", "two.onnx"], limit=1, resamples=5, open_as=open_as
    ).run()
    assert [row.name for row in found.rows][3:] == ["tint", "tint (2)"]


def test_vividness_reaches_the_method(parquet, open_as):
    calm, bold = (
        Benchmark(parquet, ["tint"], vividness=v, resamples=5, open_as=open_as).run().rows[3]
        for v in (0.2, 0.9)
    )
    assert calm.estimates["colourfulness"].value < bold.estimates["colourfulness"].value


def test_the_method_sees_the_gray_that_was_asked_for(parquet, open_as):
    plain, ortho = (
        Benchmark(parquet, ["tint"], gray=gray, resamples=5, open_as=open_as).run()
        for gray in ("lightness", "orthochromatic")
    )
    assert ortho.gray == "orthochromatic"
    plain, ortho = ({row.name: row.estimates for row in found.rows} for found in (plain, ortho))
    tints = plain.pop("tint"), ortho.pop("tint")
    np.testing.assert_equal(ortho, plain)  # what never looks is judged alike
    assert tints[0] != tints[1]


def test_only_methods_that_accept_hints_and_vividness_have_those_curves(parquet, open_as):
    found = Benchmark(
        parquet,
        ["tint"],
        vividnesses=(0, 1),
        hint_counts=(0, 3),
        resamples=5,
        limit=1,
        open_as=lambda name, short_side_px: type(open_as(name))(accepts=()),
    ).run()
    assert found.names("hints") == ["rbf"]
    assert found.names("vividness") == []


def test_the_method_is_opened_by_its_name_and_working_size(parquet, open_as):
    opened = []

    def remember(name, short_side_px):
        opened.append((name, short_side_px))
        return open_as(name, short_side_px)

    Benchmark(parquet, ["a", "b"], short_side_px=160, limit=1, resamples=5, open_as=remember).run()
    assert opened == [("a", 160), ("b", 160)]


def test_limit_keys_and_progress(parquet):
    done = []
    found = Benchmark(parquet, [], limit=2, resamples=5, progress=done.append).run()
    assert found.pictures == 2
    assert done == [1, 2]
    assert found.data == "three.parquet"
    chosen = Benchmark(parquet, [], keys=["coffee"], resamples=5).run()
    np.testing.assert_array_equal(
        [r["key"] for r in chosen.records], ["coffee"] * len(chosen.records)
    )


@pytest.mark.slow
def test_larger_photographs_are_scored_reduced_and_that_is_said(tmp_path, open_as):
    for name, rgb in (("coffee", data.coffee()), ("chelsea", data.chelsea()[:200])):
        Image.fromarray(rgb).save(tmp_path / f"{name}.png")
    found = Benchmark(tmp_path, ["tint"], resamples=5, open_as=open_as).run()
    (note,) = found.notes
    assert note.startswith("Of 2 photographs 1 have a short side of more than 256 pixels")
    whole = Benchmark(tmp_path, ["tint"], scored_px=400, resamples=5, open_as=open_as).run()
    assert whole.notes == ()
    (chelsea, coffee), (same, larger) = (
        [e.column("tint", "ciede2000")[i] for i in (0, 1)] for e in (found, whole)
    )
    assert chelsea == same
    assert coffee == pytest.approx(larger, rel=0.2)
    assert coffee != larger


def test_a_size_too_small_to_be_scored_is_refused(parquet):
    with pytest.raises(InvalidValueError, match="scored_px must be at least 11; got 10"):
        Benchmark(parquet, [], scored_px=10).run()


def test_keys_that_are_nowhere_leave_nothing_to_judge(parquet):
    with pytest.raises(DataError, match="at least one photograph"):
        Benchmark(parquet, [], keys=["nobody"]).run()


@pytest.mark.slow
def test_the_shipped_method_is_measured_through_the_engine(parquet):
    found = Benchmark(
        parquet, ["photochrom"], vividnesses=(0, 1), hint_counts=(0, 20), limit=2, resamples=20
    ).run()
    assert [row.name for row in found.rows] == [
        "gray",
        "mean-colour",
        "oracle-mean",
        "photochrom",
    ]
    calm, bold = found.curve("vividness", "photochrom")
    assert calm.share.value < bold.share.value
    bare, hinted = found.hint_curve("photochrom")
    assert bare.psnr.value < hinted.psnr.value


@pytest.mark.slow
def test_methods_that_require_hints_have_a_hint_curve_and_no_row(parquet):
    found = Benchmark(parquet, ["levin", "rbf"], hint_counts=(0, 40), limit=2, resamples=20).run()
    assert found.names("rows")[1:] == ["gray", "mean-colour", "oracle-mean"]
    assert found.names("hints") == ["levin", "rbf (method)", "rbf"]
    for bare, hinted in map(found.hint_curve, found.names("hints")):
        assert bare.psnr == pytest.approx(found.rows[0].estimates["psnr"])
        assert hinted.psnr.value > bare.psnr.value + 1
    assert [note.split(":")[0] for note in found.notes] == [
        "'levin' needs hints",
        "'rbf (method)' needs hints",
    ]


@pytest.mark.slow
def test_measuring_the_method_rbf_does_not_change_the_baseline_of_that_name(parquet):
    named, unnamed = (
        Benchmark(parquet, methods, hint_counts=(0, 5), limit=2, resamples=5)
        .run()
        .hint_curve("rbf")
        for methods in (["rbf"], [])
    )
    assert named == unnamed


def test_methods_that_require_a_reference_are_not_measured_and_that_is_said(parquet):
    found = Benchmark(parquet, ["welsh", "gray"], hint_counts=(0,), limit=1, resamples=5).run()
    assert found.names("rows")[1:] == ["gray", "mean-colour", "oracle-mean"]
    assert found.names("hints") == ["rbf"]
    (note,) = found.notes
    assert note.startswith("'welsh' is not measured: it needs a reference")


def test_a_method_that_borrows_is_measured_with_a_folder_of_other_photographs(parquet, tmp_path):
    for name, part in (("left", np.s_[::3, :300:3]), ("right", np.s_[::3, 300::3])):
        Image.fromarray(data.rocket()[part]).save(tmp_path / f"{name}.png")
    found = Benchmark(parquet, ["welsh"], reference_folder=tmp_path, limit=2, resamples=5).run()
    assert [row.name for row in found.rows] == ["gray", "mean-colour", "oracle-mean", "welsh"]
    assert found.rows[-1].estimates["colourfulness"].value > 0.05
    (note,) = found.notes
    assert note.startswith("'welsh' borrows from the 2 photographs of")


@pytest.mark.slow
def test_the_truths_own_histogram_as_a_wish_leads_the_colours(parquet):
    found = Benchmark(parquet, ["photochrom"], own_histogram=True, resamples=5).run()
    alone, led = found.rows[-2:]
    assert (alone.name, led.name) == ("photochrom", "photochrom, own histogram")
    assert led.estimates["ciede2000"].value < alone.estimates["ciede2000"].value


def test_a_folder_with_nothing_to_borrow_is_refused(parquet, tmp_path):
    with pytest.raises(DataError, match="no colour photographs to use as references"):
        Benchmark(parquet, ["welsh"], reference_folder=tmp_path / "none").run()


@pytest.mark.slow
def test_two_workers_give_what_one_gives(parquet):
    one, two = (
        Benchmark(parquet, ["photochrom"], resamples=5, workers=workers).run().records
        for workers in (1, 2)
    )
    assert one == two
