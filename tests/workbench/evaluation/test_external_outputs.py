import numpy as np
import pytest
from PIL import Image

from photochrom.errors import DataError, InvalidValueError
from photochrom.workbench.evaluation.benchmark import Benchmark


@pytest.fixture
def rival(photographs, tmp_path):
    """Every photograph at half its colour and 0.8 of its light, in a folder below."""
    (tmp_path / "out").mkdir()
    for name, rgb in photographs.items():
        gray = rgb.mean(-1, keepdims=True)
        dull = 0.8 * (gray + 0.5 * (rgb - gray))
        Image.fromarray(dull.round().astype(np.uint8)).save(tmp_path / "out" / f"{name}.png")
    return tmp_path


def judge(data, folder, **options):
    return Benchmark(data, [], outputs={"rival": folder}, resamples=5, **options).run()


def test_the_photographs_themselves_are_perfect_and_their_lightness_is_their_own(
    parquet, photographs, tmp_path
):
    for number, (name, rgb) in enumerate(photographs.items()):
        suffix = ("png", "tif", "BMP")[number]
        Image.fromarray(rgb).save(
            tmp_path / f"{name}.{suffix}", suffix.lower().replace("tif", "tiff")
        )
    found = judge(parquet, tmp_path)
    row = found.rows[-1]
    assert row.name == "rival (own lightness)"
    assert row.estimates["ciede2000"].value == pytest.approx(0, abs=1e-3)
    for key in ("auc", "auc_rebalanced", "within_2", "ssim"):
        assert row.estimates[key].value == pytest.approx(1, abs=1e-6)
    assert row.estimates["ks"].value == row.estimates["rgb_mae"].value == 0
    assert found.notes == (
        "'rival (own lightness)' is scored by its own pixels, lightness included "
        "(--true-lightness judges the colours alone).",
    )


def test_true_lightness_judges_the_colours_alone(parquet, rival):
    own, restored = (judge(parquet, rival, true_lightness=t) for t in (False, True))
    assert restored.rows[-1].name == "rival"
    assert "true lightness restored" in restored.notes[0]
    own, restored = own.rows[-1].estimates, restored.rows[-1].estimates
    assert restored["ab_mae"] == own["ab_mae"]
    assert restored["psnr"].value > own["psnr"].value + 2
    assert restored["ssim"].value > own["ssim"].value


def test_the_keys_of_a_folder_match_by_file_stem(folder, rival):
    assert judge(folder, rival).pictures == 3


def test_a_key_that_is_a_path_finds_its_own_of_two_equal_stems(tmp_path):
    from photochrom.workbench.evaluation.external_outputs import Outputs

    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        Image.new("RGB", (12, 12)).save(tmp_path / place / "1.5.png")
    Outputs("rival", tmp_path, ["a/1.5", "b/1.5"])
    with pytest.raises(DataError, match=r"one picture of 'rival' for c/1\.5; it holds 2: a/1\.5"):
        Outputs("rival", tmp_path, ["c/1.5"])


def test_class_folders_match_by_their_paths_and_one_file_serves_one_photograph(
    photographs, tmp_path
):
    for folder in ("cat", "my dog"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (tmp_path / "out" / folder).mkdir(parents=True)
    for number, rgb in enumerate(list(photographs.values())[:2]):
        folder = ("cat", "my dog")[number]
        Image.fromarray(rgb).save(tmp_path / "data" / folder / "0.png")
        Image.fromarray(rgb).save(tmp_path / "out" / folder / "0-color.png")
    found = judge(tmp_path / "data", tmp_path / "out")
    assert found.rows[-1].estimates["rgb_mae"].value == 0
    with pytest.raises(
        DataError, match=r"0-color\.png: fits two photographs, cat/0\.png and my%20"
    ):
        judge(tmp_path / "data", tmp_path / "out" / "cat")


def test_another_size_is_resized_and_said(parquet, rival):
    with Image.open(rival / "out" / "coffee.png") as opened:
        opened.resize((17, 23)).save(rival / "out" / "coffee.png")
    notes = judge(parquet, rival).notes
    assert "1 of 3 pictures had another size" in notes[1]


def test_missing_pictures_are_named_before_anything_is_measured(parquet, rival):
    (rival / "out" / "coffee.png").unlink()
    (rival / "out" / "chelsea.png").unlink()
    done = []
    with pytest.raises(DataError, match="each of 3 photographs.*2 are missing: chelsea, coffee"):
        judge(parquet, rival, progress=done.append)
    assert not done


def test_what_is_no_picture_is_named(parquet, rival):
    (rival / "out" / "coffee.png").write_text("no picture")
    with pytest.raises(DataError, match=r"coffee\.png: not a picture"):
        judge(parquet, rival)


def test_a_folder_that_is_not_there_is_said(parquet, tmp_path):
    with pytest.raises(DataError, match="no such folder of outputs of 'rival'"):
        judge(parquet, tmp_path / "nowhere")


@pytest.mark.parametrize("taken", ["gray", "truth", "tint"])
def test_a_name_that_is_a_row_already_is_refused(parquet, rival, open_as, taken):
    with pytest.raises(InvalidValueError, match=f"'{taken}' is already a row"):
        Benchmark(parquet, ["tint"], outputs={taken: rival}, open_as=open_as).run()
