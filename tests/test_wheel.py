"""The wheel carries all that colouring needs, and works where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(words, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("photochrom-*.whl")
    return path


def test_the_wheel_holds_weights_recipes_page_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"photochrom/weights/photochrom.onnx", "photochrom/py.typed"} <= names
    assert any(name.endswith("recipes/photochrom.toml") for name in names)
    assert "photochrom/web/page/index.html" in names
    assert not any(name.startswith(("tests/", "docs/", "runs/")) for name in names)
    assert wheel.stat().st_size < 20_000_000


def test_a_photograph_is_coloured_from_the_wheel_alone(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "unpacked")
    photo = tmp_path / "portrait.jpg"
    photo.write_bytes((ROOT / "examples" / "portrait.jpg").read_bytes())
    # Nothing of the checkout is on the path: an editable install would put it there.
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1));"
        "import photochrom; assert 'unpacked' in photochrom.__file__, photochrom.__file__;"
        "from photochrom.cli import main; main()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "unpacked"), str(photo)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "portrait-color.jpg").stat().st_size > 10_000
