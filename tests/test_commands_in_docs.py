"""Every command of the documents is one that the command understands; the workbench's are run."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError
from PIL import Image
from tests.conftest import drawn_picture

from photochrom.cli import _run_words, build_app
from photochrom.cli.standard_streams import PIPE
from photochrom.workbench.training import recipe_files

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(document: Path) -> list[str]:
    """Return the commands of a document's blocks of code, as they stand there."""
    found, fenced = [], False
    for line in document.read_text().splitlines():
        fenced ^= line.startswith("```")
        if not (fenced or line.startswith("    ")):
            continue
        bare = re.split(r"\s#\s", f"{line} ")[0]
        for part in re.split(r"&&|\||;", bare):
            if part.strip().startswith("photochrom "):
                found.append(part.split(" > ")[0].strip())
    return found


ALL = [(document.name, line) for document in DOCUMENTS for line in commands(document)]


@pytest.mark.parametrize(("document", "line"), ALL)
def test_a_command_of_the_documents_is_understood(document, line):
    words = [str(PIPE) if word == "-" else word for word in shlex.split(line)[1:]]
    try:
        build_app().parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        pytest.fail(f"{document}: {line}\n{error}")


SMALL = """
name = "{name}"
network = "{network}"
pretrained = false
config = {{ {size} }}
[loss]
kind = "regression"
[data]
leave_out = ["cifar10-test"]
hold_out = 0.2
by_hue = true
[profiles.here]
phases = [{{ pictures = 24, size_px = 32, batch = 8 }}]
[profiles.cifar]
base = "here"
name = "{name}-cifar"
[profiles.paper]
phases = [{{ pictures = 24, size_px = 32, batch = 8 }}]
"""
SIZES = {"unet": "channels = [8, 8, 8]", "dcgan": "channels = [8, 8, 8]"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with what the commands name: CIFAR-10, a photograph, small recipes."""
    cifar, recipes = tmp_path / "CIFAR-10", tmp_path / "recipes"
    cifar.mkdir()
    recipes.mkdir()
    for name, count in (("data_batch_1", 30), ("test_batch", 4)):
        pictures = np.stack([drawn_picture(seed, 32, 32) for seed in range(count)])
        planes = pictures.transpose(0, 3, 1, 2).reshape(count, -1)
        labels = np.arange(count, dtype=np.uint8)[:, None] % 10
        (cifar / f"{name}.bin").write_bytes(np.hstack([labels, planes]).tobytes())
    for name, network in (("unet", "unet"), ("dcgan", "dcgan"), ("nogan", "unet")):
        text = SMALL.format(name=name, network=network, size=SIZES[network])
        (recipes / f"{name}.toml").write_text(text)
    Image.fromarray(drawn_picture(7)).convert("L").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(recipe_files, "CHECKOUT", recipes)
    monkeypatch.setattr(recipe_files, "SHIPPED", recipes)
    return tmp_path


@pytest.mark.slow
@pytest.mark.long
def test_the_workbench_s_commands_run_as_they_are_written_from_top_to_bottom(place):
    lines = commands(ROOT / "docs" / "workbench.md")
    assert len(lines) > 15
    for line in lines:
        if "--devices 2" not in line:  # begins this very test in a second process
            words = shlex.split(line)[1:]
            assert _run_words(words) == 0, line
    assert (place / "photo-color.jpg").exists()
    with Image.open(place / "cifar.png") as figure:
        assert figure.width > 5 * 256  # gray, three networks, truth
    assert json.loads((place / "runs/folds/folds.json").read_text())["name"] == "rmse"
