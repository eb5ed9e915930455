import io
import os
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pyvips
from PIL import EpsImagePlugin, Image, ImageOps

from photochrom.errors import DataError
from photochrom.workbench.datasets.picture_files import data_files, decode, fingerprint
from photochrom.workbench.datasets.sources import read_pictures


def encoded(picture, kind="PNG"):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, kind)
    return content.getvalue()


RED = np.full((40, 60, 3), (200, 30, 30), np.uint8)


def test_a_folder_of_pictures_is_read_in_order_with_its_folders_as_sources(picture_folder):
    pictures = list(read_pictures(picture_folder))
    assert [p.label for p in pictures] == ["discs"] * 6 + ["dots"] * 4
    assert [p.key for p in pictures][5:7] == ["discs/5.png", "dots/6.png"]
    assert {p.source for p in pictures} == {picture_folder.name}
    assert decode(pictures[0].image).shape == (72, 96, 3)


def test_parquet_is_read_with_and_without_its_optional_columns(tmp_path):
    full = {"image": [encoded(RED)], "source": ["a"], "label": ["red"], "key": ["k"]}
    pq.write_table(pa.table(full), tmp_path / "1.parquet")
    pq.write_table(pa.table({"image": [encoded(RED)]}), tmp_path / "2.parquet")
    first, second = read_pictures(tmp_path)
    assert (first.source, first.label, first.key) == ("a", "red", "k")
    assert (second.source, second.label, second.key) == (tmp_path.name, "", "2.parquet:0")


def test_a_damaged_parquet_file_is_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match=r"bad\.parquet"):
        list(read_pictures(tmp_path))


def test_a_parquet_file_without_pictures_says_which_columns_it_has(tmp_path):
    pq.write_table(pa.table({"photo": [b""]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="photo"):
        list(read_pictures(tmp_path))


@pytest.mark.parametrize("missing", ["nowhere", "empty"])
def test_nothing_to_read_is_an_error(tmp_path, missing):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=missing):
        data_files(tmp_path / missing)


def test_large_pictures_are_reduced_and_small_ones_left_alone():
    assert decode(encoded(RED), 20).shape == (20, 30, 3)
    assert decode(encoded(RED), 200).shape == (40, 60, 3)
    assert (decode(encoded(RED), 20) == (200, 30, 30)).all()


@pytest.mark.parametrize("broken", [b"", b"text", encoded(RED)[:100]])
def test_what_cannot_be_decoded_is_none(broken):
    assert decode(broken) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["AVIF", "JPEG", "WEBP", "TIFF", "PNG"])
def test_no_damage_raises(kind):
    whole = bytearray(
        encoded(np.random.default_rng(3).integers(0, 256, (24, 24, 3), np.uint8), kind)
    )
    random = np.random.default_rng(4)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=3):
            damaged[place] = random.integers(256)
        result = decode(bytes(damaged))
        assert result is None or result.ndim == 3


@pytest.mark.filterwarnings("ignore")
def test_damaged_exif_costs_only_the_orientation():
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010E] = 6, "hello world" * 3
    Image.fromarray(RED).save(content, "JPEG", exif=exif)
    damaged = bytearray(content.getvalue())
    damaged[41], damaged[63] = 80, 151  # the length of the entries and the type of one
    with Image.open(io.BytesIO(damaged)) as opened, pytest.raises(struct.error):
        ImageOps.exif_transpose(opened)
    assert decode(bytes(damaged)).shape == RED.shape


def test_linked_folders_are_entered_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(encoded(RED))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "real")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    assert data_files(tmp_path / "data") == [tmp_path / "data" / "cat" / "a.png"]


def test_the_fingerprint_follows_files_and_options(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(RED))

    def now(folder, *options):
        return fingerprint(folder, data_files(folder), *options)

    pets = tmp_path / "pets"
    (pets / "cat").mkdir(parents=True)
    (pets / "cat" / "a.png").write_bytes(encoded(RED))
    first = now(pets, 192)
    assert first == now(pets, 192) != now(pets, 64)
    assert first == now(pets.rename(tmp_path / "moved"), 192)
    pets = tmp_path / "moved"
    os.utime(pets / "cat" / "a.png", ns=(1, 1))
    assert first == now(pets, 192)
    (pets / "cat").rename(pets / "dog")
    assert first != now(pets, 192)
    (pets / "dog").rename(pets / "cat")
    (pets / "b.png").write_bytes(encoded(RED))
    assert first != now(pets, 192)


def test_a_pictures_own_profile_is_honoured():
    wide = pyvips.Image.new_from_array(RED).copy(interpretation="srgb")
    content = wide.icc_transform("p3", input_profile="srgb").pngsave_buffer()
    assert abs(np.asarray(Image.open(io.BytesIO(content))).astype(int) - RED).max() > 5
    assert abs(decode(content).astype(int) - RED).max() <= 2


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_profile_that_does_not_fit_is_passed_over(mode):
    content = io.BytesIO()
    Image.fromarray(RED).convert(mode).save(content, "PNG", icc_profile=b"not a profile")
    expected = np.asarray(Image.fromarray(RED).convert(mode).convert("RGB"))
    np.testing.assert_array_equal(decode(content.getvalue()), expected)


@pytest.mark.skipif(os.name == "nt", reason="the program is a script here")
def test_a_strangers_postscript_starts_no_ghostscript(tmp_path, monkeypatch):
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    monkeypatch.setattr(EpsImagePlugin, "gs_windows_binary", None)
    content = encoded(RED, "EPS")
    assert decode(content) is None
    assert not (tmp_path / "started").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_among_pictures_is_counted_as_unreadable_and_not_waited_for(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(RED))
    os.mkfifo(tmp_path / "b.png")
    os.mkfifo(tmp_path / "c.parquet")
    assert [bool(one.image) for one in read_pictures(tmp_path)] == [True, False]
