"""Camera raw at full size, developed by LibRaw; and what is said where it is not."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.photo import made

from photochrom.color.lab import linear_to_srgb, rgb_to_lab
from photochrom.errors import PhotoTooLargeError, UnsupportedFormatError
from photochrom.photo import develop_raw
from photochrom.photo.photo import Photo
from photochrom.photo.reading import Reading
from photochrom.photo.write import write_photo

RAMP = np.repeat(np.linspace(0, 1, 640)[None, :, None], 400, 0).repeat(3, 2)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><!-- edited --></x:xmpmeta>"


def with_preview(raw, width=400, height=320):
    buffer = io.BytesIO()
    Image.new("L", (width, height), 90).save(buffer, "JPEG")
    return raw + buffer.getvalue()


@pytest.fixture
def rawpy():
    return pytest.importorskip("rawpy", reason="the extra `raw` is not installed")


@pytest.fixture
def without_rawpy(monkeypatch):
    for module in ("develop_raw", "camera_raw"):
        monkeypatch.setattr(f"photochrom.photo.{module}.has_rawpy", lambda: False)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("preview", [True, False])
def test_a_raw_file_is_developed_at_full_size_and_depth(rawpy, order, preview):
    raw = made.dng(RAMP, order=order, t274=(3, [8]), t271=(1, list(b"Maker\0")))
    photo = Photo.open(with_preview(raw) if preview else raw)
    assert (photo.format, photo.width, photo.height) == ("raw", 640, 400)
    assert (photo.orientation, photo.bit_depth) == (8, 16)
    assert any("full size of 640 x 400" in note for note in photo.notes)
    assert b"Maker" in photo.metadata.exif
    expected = rgb_to_lab(linear_to_srgb(RAMP))[..., 0]
    got = photo.lightness_codes() / 655.35
    assert np.abs(got - expected)[:, 8:].max() < 0.1  # demosaicing bends the first columns


def test_the_xmp_of_a_raw_file_is_kept(rawpy):
    photo = Photo.open(made.dng(RAMP, t700=(1, list(XMP))))
    assert b"edited" in photo.metadata.xmp


def test_the_xmp_of_a_raw_file_is_kept_with_its_preview(without_rawpy):
    photo = Photo.open(with_preview(made.dng(RAMP, t700=(1, list(XMP)))))
    assert b"edited" in photo.metadata.xmp


def test_a_developed_file_is_written_upright_in_srgb(rawpy, tmp_path, neutral):
    photo = Photo.open(made.dng(RAMP, t274=(3, [6])))
    target = tmp_path / "a.tif"
    write_photo(photo, [neutral(photo, sixteen_bit=True)], target, marker=None)
    written = Photo.open(target)
    assert (written.orientation, written.bit_depth) == (6, 16)
    assert written.metadata.profile is not None
    error = np.abs(written.lightness_codes() - photo.lightness_codes().astype(float)) / 655.35
    assert error.mean() < 0.05 * 100 / 255


def test_without_rawpy_the_note_names_the_extra(without_rawpy):
    photo = Photo.open(with_preview(made.dng(RAMP)))
    assert (photo.width, photo.height) == (400, 320)
    assert any("install rawpy" in note and "'.[raw]'" in note for note in photo.notes)
    with pytest.raises(UnsupportedFormatError, match=r"install rawpy.*'\.\[raw\]'"):
        Photo.open(made.dng(RAMP))


def test_its_declared_size_is_checked_before_it_is_read(rawpy, monkeypatch):
    monkeypatch.setattr(develop_raw, "_unpacked_bands", lambda path: pytest.fail("was read"))
    raw = made.dng(RAMP)
    with pytest.raises(PhotoTooLargeError, match="at most 0.1 megapixels"):
        Photo.open(raw, max_megapixels=0.1)
    huge = made.dng(RAMP, t256=(4, [30_000]), t257=(4, [30_000]))
    photo = Photo.open(with_preview(huge))
    assert any("too short for its pixels" in note for note in photo.notes)


def test_its_decoders_memory_is_checked(rawpy):
    with pytest.raises(PhotoTooLargeError, match="a decoder may use at most 1 MB"):
        Photo.open(made.dng(RAMP), max_megabytes=1)


@pytest.mark.parametrize(
    "raw",
    [made.dng(RAMP, t257=(4, [500])), made.dng(RAMP, t259=(3, [52546]))],
    ids=["cut", "JPEG XL"],
)
def test_what_cannot_be_developed_is_coloured_by_its_preview(rawpy, raw):
    photo = Photo.open(with_preview(raw))
    assert (photo.width, photo.height) == (400, 320)
    assert any("could not be developed" in note for note in photo.notes)


def test_salvage_takes_the_preview(rawpy):
    photo = Photo.open(with_preview(made.dng(RAMP)), reading=Reading(salvage=True))
    assert (photo.width, photo.height) == (400, 320)
