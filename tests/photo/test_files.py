"""How files reach libvips, and what their names and errors may be."""

import os
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from photochrom.errors import (
    MissingExtraError,
    UnreadablePhotoError,
    UnsupportedFormatError,
    UnwritablePhotoError,
)
from photochrom.photo.atomic import atomic_target
from photochrom.photo.byte_stream import check_libvips
from photochrom.photo.find import search
from photochrom.photo.photo import Photo
from photochrom.photo.write import write_photo

GRAY = np.random.default_rng(0).integers(0, 255, (200, 300), np.uint8)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no list of mapped files here")
@pytest.mark.parametrize("kind", ["jpg", "webp", "gif", "png", "tif"])
def test_no_picture_is_mapped_while_it_is_read(tmp_path, kind):
    path = tmp_path / f"mapped.{kind}"
    Image.fromarray(GRAY).save(path)
    image = Photo.open(path).stored()
    assert b"mapped." not in Path("/proc/self/maps").read_bytes()
    assert image.avg() > 0


def test_an_old_libvips_is_refused_with_what_to_do():
    check_libvips((8, 18, 3))
    check_libvips((9, 0, 0))
    check_libvips()
    for old in ((8, 14, 1), (8, 18, 2), (7, 99, 99)):
        with pytest.raises(MissingExtraError, match=r"needs libvips 8.18.3 .*pip install"):
            check_libvips(old)


def leave_trouble():
    """Leave an error about another file in libvips' list, as a warning is left."""
    pyvips.vips_lib.vips_foreign_find_load(b"/another/trouble.jpg")
    assert b"trouble" in pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer())


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp", "gif"])
def test_another_files_error_is_never_told_of_this_one(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(GRAY).save(path)
    content = path.read_bytes()
    for cut in (60, len(content) // 2):
        path.write_bytes(content[:cut])
        leave_trouble()
        with pytest.raises(UnreadablePhotoError) as refused:
            Photo.open(path).small_lightness(300, 200)
        assert "trouble" not in str(refused.value)


@pytest.mark.skipif(os.name == "nt", reason="names of POSIX")
@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_names_of_any_bytes_are_read_and_written(tmp_path, kind):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    folder.mkdir()
    source = folder / os.fsdecode(b"gro\xdf\n." + kind.encode())
    Image.fromarray(GRAY).save(source)
    photo = Photo.open(source)
    target = folder / os.fsdecode(b"out\xff." + kind.encode())
    assert write_photo(photo, [None], target, marker=None).path == target
    assert Photo.open(target).upright_size == (300, 200)
    with pytest.raises(UnwritablePhotoError):
        write_photo(photo, [None], folder / "none" / "a.png", format="png", marker=None)


@pytest.mark.parametrize("size", [100, 200, 251, 255])
def test_a_result_may_have_the_longest_name_there_is(tmp_path, size):
    for letter in "xж":
        name = letter * ((size - 4) // len(letter.encode())) + ".png"
        with atomic_target(tmp_path / name) as part:
            assert len(os.fsencode(part.name)) <= 255
            part.write_text("whole")
        assert (tmp_path / name).read_text() == "whole"


def test_a_longer_name_is_one_line(tmp_path):
    with (
        pytest.raises(UnwritablePhotoError, match="too long"),
        atomic_target(tmp_path / ("x" * 256)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_loop_is_one_line(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with (
        pytest.raises(UnwritablePhotoError, match="points to itself"),
        atomic_target(tmp_path / "a"),
    ):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_all_that_a_folder_holds_is_read_counted_or_named(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("a.JPG", "b.psd", "c.PSD", "below/d.svg", "e.txt", ".f.png", "g", "h.mp4"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "i.png")
    (tmp_path / "j.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "below")
    found = search(tmp_path, recursive=True)
    assert [path.name for path in found.photos] == ["a.JPG", "j.png"]
    assert found.passed_over == (
        "passed over: pictures in unsupported formats (2 .psd, 1 .svg); "
        "films, which are coloured when they are named (1 .mp4); "
        "devices or pipes (i.png); links to folders (elsewhere)"
    )
    alone = search(tmp_path)
    assert alone.others == {".psd": 2}
    assert alone.films == {".mp4": 1}
    assert alone.links == ()


def test_a_format_that_is_not_read_is_refused_by_name(tmp_path):
    (tmp_path / "a.psd").write_bytes(b"8BPS" + bytes(100))
    with pytest.raises(UnsupportedFormatError, match=r"a.psd: Photoshop is not supported"):
        Photo.open(tmp_path / "a.psd")
