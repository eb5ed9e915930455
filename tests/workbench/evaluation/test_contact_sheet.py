import numpy as np
import pytest
from PIL import Image

from photochrom.errors import DataError, InvalidValueError, UnwritableFileError
from photochrom.workbench.evaluation.contact_sheet import contact_sheet


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_sheet_shows_gray_beside_colour(folder, tmp_path, open_as, suffix):
    path = tmp_path / f"sheet{suffix}"
    assert contact_sheet(folder, open_as("tint").predict_ab, path, tile_px=64, columns=2) == 3
    with Image.open(path) as opened:
        sheet = np.asarray(opened).astype(int)
    assert sheet.shape == (2 * (64 + 18 + 8) + 8, 2 * (2 * 64 + 16), 3)
    colour = np.ptp(sheet, axis=-1)
    gray, coloured = colour[10:36, 6:42], colour[10:36, 48:84]
    assert gray.max() <= (0 if suffix == ".png" else 12)
    assert coloured.mean() > 5


def test_large_pictures_are_reduced_and_the_limit_holds(tmp_path, open_as):
    for name in "ab":
        Image.new("RGB", (300, 200), (200, 80, 40)).save(tmp_path / f"{name}.png")
    path = tmp_path / "out" / "sheet.png"
    path.parent.mkdir()
    assert contact_sheet(tmp_path, open_as("tint").predict_ab, path, tile_px=60, limit=1) == 1
    with Image.open(path) as opened:
        assert opened.size == (4 * (2 * 60 + 16), 60 + 18 + 16)


@pytest.mark.parametrize(
    "wrong", [{"output": "sheet.gif"}, {"tile_px": 4}, {"columns": 0}], ids=lambda w: next(iter(w))
)
def test_what_cannot_be_laid_out_is_refused(folder, tmp_path, open_as, wrong):
    options = {"output": "sheet.png"} | wrong
    output = tmp_path / options.pop("output")
    with pytest.raises(InvalidValueError):
        contact_sheet(folder, open_as("tint").predict_ab, output, **options)
    assert not output.exists()


def test_a_folder_without_pictures_is_an_error(tmp_path, open_as):
    with pytest.raises(DataError):
        contact_sheet(tmp_path, open_as("tint").predict_ab, tmp_path / "sheet.png")


def test_a_place_that_does_not_exist_is_an_error(folder, tmp_path, open_as):
    with pytest.raises(UnwritableFileError, match="was not written"):
        contact_sheet(folder, open_as("tint").predict_ab, tmp_path / "none" / "sheet.png")
