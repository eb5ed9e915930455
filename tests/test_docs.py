import re
from pathlib import Path

import pytest

from photochrom import __version__
from photochrom.colorization.catalogue import CATALOGUE
from photochrom.photo.video_codecs import CODECS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_method_is_documented(name):
    assert f"| `{name}` |" in (ROOT / "docs" / "methods.md").read_text()


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda r: r.stem)
def test_every_recipe_is_documented(recipe):
    assert f"`{recipe.stem}`" in (ROOT / "docs" / "workbench.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_link_to_a_file_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_option_that_is_named_exists(document):
    folders = ("cli", "workbench/commands")
    files = [f for where in folders for f in (ROOT / "src" / "photochrom" / where).glob("*.py")]
    source = "\n".join(f.read_text() for f in files)
    for line in document.read_text().splitlines():
        for command in re.findall(r"photochrom [^`#|]*", line):
            for option in re.findall(r"(?<=\s)--([a-z][a-z-]+)", command):
                name = option.removeprefix("no-").replace("-", "_")
                assert name in source or option in source or option == "help", option


def test_the_version_is_the_same_wherever_it_stands():
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    newest = re.search(r"^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] == __version__


def test_films_md_names_each_codec_with_containers_that_hold_it():
    document = (ROOT / "docs" / "films.md").read_text()
    rows = re.findall(r"^\| `(\w+)`.*?\|.*?\|([^|]*)\|", document, re.MULTILINE)
    assert [name for name, _ in rows] == list(CODECS)
    for name, containers in rows:
        for container in containers.split(","):
            assert f".{container.strip().lower()}" in CODECS[name].suffixes, (name, container)
