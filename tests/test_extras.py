import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from photochrom.errors import MissingExtraError
from photochrom.extras import INSTALL, how_to_install, require

ROOT = Path(__file__).parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [f for f in (ROOT / "src").rglob("*.py") if f.name != "extras.py"]


def test_what_is_missing_is_named_with_the_line_to_run():
    require("train", "Training", "json", "PIL")
    line = r"Run: pip install '\.\[train\]'"
    with pytest.raises(MissingExtraError, match=f"^Training needs no_such, which is not .*{line}"):
        require("train", "Training", "json", "no_such")
    with pytest.raises(MissingExtraError, match="needs nosuch and neither, which are not"):
        require("train", "Training", "nosuch", "neither")


def test_a_package_is_called_what_it_is_installed_by(monkeypatch):
    monkeypatch.setattr("photochrom.extras.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs Pillow and scikit-image and torch, which"):
        require("train", "It", "PIL", "skimage", "torch")


def test_every_extra_that_is_asked_for_exists():
    asked = r"""(?:how_to_install\(|require\(\s*)["'](\w+)["']"""
    named = {extra for f in SOURCES for extra in re.findall(asked, f.read_text())}
    assert named <= EXTRAS.keys()
    assert {"train", "evaluate", "methods", "restore", "serve"} <= named


@pytest.mark.parametrize("file", [*TEXTS, *SOURCES], ids=lambda f: f.name)
def test_how_to_install_an_extra_is_said_in_one_way(file):
    text = file.read_text()
    assert "photochrom[" not in text
    for extras in re.findall(r"pip install '\.\[([\w,]+)\]'", text):
        assert file.suffix == ".md", "how_to_install says it"
        assert set(extras.split(",")) <= EXTRAS.keys()
    assert INSTALL.format(extra="serve") in how_to_install("serve")


def test_a_check_with_the_newest_installs_what_is_asked_for_and_what_builds_the_package():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listing = re.search(
        r"<<'END'\n(.*?)^END$", (ROOT / "scripts" / "check").read_text(), re.M | re.S
    )
    done = subprocess.run(
        [sys.executable, "-c", listing[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = {re.match(r"[\w.-]+", line)[0] for line in done.stdout.splitlines()}
    asked = [*table["build-system"]["requires"], *table["project"]["dependencies"]]
    asked += [line for extra in EXTRAS.values() for line in extra]
    assert names == {re.match(r"[\w.-]+", line)[0] for line in asked} - {"photochrom"}
