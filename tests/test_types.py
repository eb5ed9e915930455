"""What an editor and a type checker know of the public face."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = """
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import numpy as np
from PIL import Image

import photochrom
from photochrom import Colorizer, Comparison, Hint, Look, Palette, Reading, Result, Suggestion

hint = Hint.point(410, 220, "#7a4b3a", radius=12, reach="thing")
assert_type(photochrom.colorize("old.jpg"), Path)
assert_type(photochrom.colorize(Path("old.jpg"), vividness=0.5, hints=[hint]), Path)
assert_type(photochrom.colorize(b"", palette="autumn", reference="colour.jpg"), bytes)
assert_type(photochrom.colorize(Image.new("L", (3, 3)), palette=Palette.of("dusk")), Image.Image)
assert_type(photochrom.colorize(["a.jpg", "b.jpg"]), list[Path])
assert_type(photochrom.colorize(iter([Path("a.jpg")])), Iterator[Path])
gray = np.zeros((3, 3), np.uint8)
coloured: np.ndarray = photochrom.colorize(gray, "levin", hints=[hint])
colorizer = Colorizer("photochrom", vividness=0.7, restore=True, device="cpu")
result = colorizer.run("old.jpg", reading=Reading(negative=True))
assert_type(result, Result[Path])
assert_type(result.notes, tuple[str, ...])
assert_type(colorizer.look, Look)
assert_type(colorizer.suggest("old.jpg", 3, 4), list[Suggestion])
assert_type(colorizer.show("old.jpg", seed=2), Comparison)
assert_type(sorted(photochrom.methods()), list[str])
options = photochrom.VideoOptions(codec="h265", cues=tuple(photochrom.read_cues("film.json")))
film = photochrom.colorize_video("film.mp4", colorizer=colorizer, options=options)
assert_type(film, photochrom.ColouredVideo)
"""
WRONG = """
import photochrom

photochrom.colorize("old.jpg", pallete="autumn")
photochrom.Colorizer(vividnes=0.5)
photochrom.colorize(3)
photochrom.Hint.point(1, 2, reach=None)
"""


def checked(text, folder):
    script = folder / "script.py"
    script.write_text(text)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--follow-imports=silent",
    ]
    command += [str(script)]
    environment = {"MYPYPATH": str(ROOT / "src"), "PATH": "", "MYPY_CACHE_DIR": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    return re.findall(r"script\.py:(\d+): error: (.*)", done.stdout), done.stdout + done.stderr


@pytest.mark.slow
def test_a_users_script_is_fully_typed_and_wrong_words_are_found(tmp_path):
    found, said = checked(SCRIPT, tmp_path)
    assert found == [] and "Success" in said, said
    found, said = checked(WRONG, tmp_path)
    assert {int(line) for line, _ in found} == {4, 5, 6, 7}, said
    assert "did you mean" in said.lower()
