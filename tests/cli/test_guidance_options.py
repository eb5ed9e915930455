import io
import json

import numpy as np
import pytest
from PIL import Image
from tests.cli.test_command import photochrom
from tests.conftest import drawn_picture

from photochrom.cli.guidance_options import read_hint
from photochrom.color.lab import rgb_to_lab
from photochrom.errors import InvalidValueError


@pytest.fixture
def command():
    """Run the command in another process; give what it said."""

    def run(*words, check=0):
        said = photochrom(*words)
        assert said.returncode == check, said.stderr.decode()
        return (said.stdout + said.stderr).decode()

    return run


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "old.png"
    Image.fromarray(drawn_picture(5, 150, 200)).convert("L").save(path)
    return path


def test_a_hint_is_written_as_numbers_and_a_colour():
    assert read_hint("10,20.5,#c08040,3") == {
        "shape": "point",
        "points": [[10.0, 20.5]],
        "colour": "#c08040",
        "radius": 3.0,
    }
    assert read_hint("10,20,gray")["colour"] is None


@pytest.mark.parametrize("text", ["", "1,2", "x,2,#112233", "1,2,#112233,4,5"])
def test_what_is_no_hint_is_refused(text):
    with pytest.raises(InvalidValueError, match="X,Y,#rrggbb"):
        read_hint(text)


@pytest.mark.slow
def test_hints_from_options_and_files_are_shown(command, photo, tmp_path):
    strokes = [{"shape": "stroke", "points": [[20, 120], [60, 120]], "radius": 5}]
    (tmp_path / "hints.json").write_text(json.dumps(strokes))
    command(photo, "--hint", "150,40,#be3228,9", "--hints", tmp_path / "hints.json")
    shown = np.array(Image.open(tmp_path / "old-color.png"))
    assert rgb_to_lab(shown[40, 150] / 255)[1] > 8
    assert np.ptp(shown[118:122, 25:55].astype(int), axis=-1).max() <= 2


@pytest.mark.slow
def test_a_reach_is_a_name_or_a_distance(command, photo, tmp_path):
    def changed(*words):
        command(photo, "-m", "gray", "--hint", "100,75,#be3228,5", "-o", tmp_path / "r.png", *words)
        shown = np.array(Image.open(tmp_path / "r.png")).astype(int)
        return float((np.ptp(shown, axis=-1) > 8).mean())

    assert changed("--reach", "0.05") < changed("--reach", "near") <= changed("--reach", "thing")
    spot = ("--hint", "100,75,#be3228")
    assert "from 0.02 to 2" in command(photo, *spot, "--reach", "3", check=1)
    assert "--reach" in command(photo, *spot, "--reach", "far", check=2)


@pytest.mark.slow
def test_candidates_are_numbered_and_differ(command, photo, tmp_path):
    command(photo, "--candidates", 3)
    pictures = [Image.open(tmp_path / f"old-color-{n}.png") for n in (1, 2, 3)]
    assert len({p.tobytes() for p in pictures}) == 3


@pytest.mark.slow
def test_a_sidecar_repeats_a_result(command, photo, tmp_path):
    command(photo, "--hint", "150,40,#be3228,9", "--saturation", 1.4, "--sidecar")
    command(photo, "-o", tmp_path / "again.png", "--recipe", tmp_path / "old-color.json")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "old-color.png").read_bytes()


@pytest.mark.slow
def test_a_recipe_decides_alone(command, photo, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    failed = command(photo, "--recipe", tmp_path / "x.json", "--palette", "warm", check=1)
    assert "--recipe cannot be combined" in failed
    assert "not a sidecar" in command(photo, "--recipe", tmp_path / "x.json", check=1)


@pytest.mark.slow
def test_a_reference_folder_says_which_it_took(command, photo, tmp_path):
    (tmp_path / "lenders").mkdir()
    Image.fromarray(drawn_picture(7)).save(tmp_path / "lenders" / "only.png")
    assert "reference: " in command(photo, "--reference", tmp_path / "lenders")


@pytest.mark.slow
def test_suggest_lists_colours_and_confidence_writes_a_map(command, photo, tmp_path):
    rows = json.loads(command("suggest", photo, 150, 40, "--json"))
    assert rows[0]["colour"].startswith("#")
    command("confidence", photo)
    with Image.open(tmp_path / "old-confidence.png") as written:
        assert written.size == (200, 150)


@pytest.mark.slow
def test_a_recipe_of_other_weights_says_so(command, photo, tmp_path):
    command(photo, "--sidecar")
    recipe = tmp_path / "old-color.json"
    told = json.loads(recipe.read_text())
    said = command(photo, "-o", tmp_path / "same.png", "--recipe", recipe)
    assert "other weights" not in said
    recipe.write_text(json.dumps({**told, "weights_sha256": "0" * 64}))
    said = command(photo, "-o", tmp_path / "again.png", "--recipe", recipe)
    assert "The recipe was made with other weights of 'photochrom' (0000000000000000..." in said


@pytest.mark.slow
def test_a_recipe_knows_the_range_of_a_float(command, tmp_path):
    lightness = np.asarray(Image.fromarray(drawn_picture(5, 60, 80)).convert("L"), np.float32)
    Image.fromarray(lightness).save(tmp_path / "old.tif")
    command(tmp_path / "old.tif", "--float-range", 0, 255, "--sidecar")
    again = tmp_path / "again.tif"
    command(tmp_path / "old.tif", "-o", again, "--recipe", tmp_path / "old-color.json")
    assert again.read_bytes() == (tmp_path / "old-color.tif").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--saturation", 0.5], ["-m", "gray"], ["--restore"]])
def test_what_a_recipe_decides_is_not_taken_beside_it(command, photo, tmp_path, words):
    command(photo, "--sidecar")
    said = command(photo, "--recipe", tmp_path / "old-color.json", *words, check=1)
    assert "--recipe cannot be combined with --method" in said


@pytest.mark.slow
def test_a_recipe_goes_past_a_photograph_of_another_shape(command, photo, tmp_path):
    command(photo, "--hint", "150,40,#be3228,9", "--sidecar")
    Image.fromarray(drawn_picture(5, 150, 150)).convert("L").save(tmp_path / "square.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = [tmp_path / name for name in ("square.png", "broken.png", "old.png")]
    recipe = tmp_path / "old-color.json"
    said = command(*names, "-o", tmp_path / "out", "--recipe", recipe, check=1)
    assert "square.png: The hints were made on 200 x 150 pixels" in said
    assert said.count("broken.png") == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["old-color.png"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--candidates", 2], ["--sidecar"], ["--json"], ["--resume"]])
def test_what_a_pipe_cannot_do_is_said(command, photo, words):
    assert "take a single picture" in command(photo, "-o", "-", *words, check=1)


@pytest.mark.slow
def test_the_map_of_confidence_does_not_replace_the_photograph(command, photo):
    before = photo.read_bytes()
    assert "would replace the original" in command("confidence", photo, "-o", photo, check=1)
    assert photo.read_bytes() == before


@pytest.mark.slow
def test_a_recipe_is_fitted_to_what_goes_through_a_pipe(command, photo, tmp_path):
    command(photo, "--hint", "150,40,#be3228,9", "--sidecar")
    half, recipe = tmp_path / "half.png", tmp_path / "old-color.json"
    Image.open(photo).resize((100, 75)).save(half)
    command(half, "-o", tmp_path / "file.png", "--recipe", recipe)
    piped = photochrom("-", "-o", "-", "--recipe", recipe, input=half.read_bytes())
    assert piped.returncode == 0, piped.stderr.decode()
    through = np.asarray(Image.open(io.BytesIO(piped.stdout)))
    np.testing.assert_array_equal(through, np.asarray(Image.open(tmp_path / "file.png")))
    square = io.BytesIO()
    Image.open(photo).resize((90, 90)).save(square, "PNG")
    refused = photochrom("-", "-o", "-", "--recipe", recipe, input=square.getvalue())
    assert refused.returncode == 1
    assert "another aspect ratio" in refused.stderr.decode()


@pytest.mark.slow
def test_a_recipe_of_no_size_is_refused(command, photo, tmp_path):
    command(photo, "--hint", "150,40,#be3228,9", "--sidecar")
    recipe = tmp_path / "old-color.json"
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | {"size": [0, 0]}))
    assert "at least 1 x 1" in command(photo, "--recipe", recipe, check=1)


@pytest.mark.parametrize("hint", ["١,٢,#aabbcc", "1,2,#aabbcc,٣", "1_0,2,#aabbcc", "１,2,#aabbcc"])
def test_a_hints_numbers_are_written_in_the_digits_0_to_9(hint):
    with pytest.raises(InvalidValueError, match="A hint needs X,Y"):
        read_hint(hint)
