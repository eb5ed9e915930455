"""The wheel carries all that colouring needs, and works where there is no checkout."""

import email
import os
import re
import subprocess
import sys
import tarfile
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
    assert any(name.endswith("recipes/photochrom2.toml") for name in names)
    assert "photochrom/service/page/index.html" in names
    assert not any(name.startswith(("tests/", "docs/", "runs/")) for name in names)
    assert wheel.stat().st_size < 20_000_000


def test_what_an_index_shows_leads_somewhere(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    told = email.message_from_bytes(archive.read(metadata))
    labels = {address.partition(",")[0] for address in told.get_all("Project-URL")}
    assert {"Documentation", "Source", "Issues", "Changelog"} <= labels
    classifiers = told.get_all("Classifier")
    versions = {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13, 14)}
    assert versions <= set(classifiers)
    systems = {line.split(" :: ")[1] for line in classifiers if line.startswith("Operating System")}
    assert systems == {"MacOS", "Microsoft", "POSIX"}
    assert told["Description-Content-Type"] == "text/markdown"
    readme = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", told.get_payload())
    assert len(links) == len(re.findall(r"\]\(([^)]+)\)", readme)) > 10
    for link in links:
        assert link.startswith("https://"), link
        _, _, path = link.partition("/main/")
        assert (ROOT / path.partition("#")[0]).exists(), link
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", told.get_payload())
    assert pictures and all("raw.githubusercontent.com" in picture for picture in pictures)


@pytest.mark.slow
def test_the_source_archive_holds_what_its_readme_names(tmp_path):
    words = [sys.executable, "-m", "build", "--sdist", "--outdir", str(tmp_path), str(ROOT)]
    built = subprocess.run(words, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    with tarfile.open(next(tmp_path.glob("photochrom-*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"examples/portrait.jpg", "recipes/unet.toml", "docs/workbench.md", "CHANGELOG.md"}
    assert {*wanted, "scripts/test", "tests/test_wheel.py", "LICENSE"} <= names


@pytest.mark.slow
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
