"""The table of docs/formats.md, checked against what really happens."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from photochrom.photo.metadata.conversion import prepare
from photochrom.photo.metadata.embedding import embed, embed_tiff
from photochrom.photo.metadata.iptc import to_iim
from photochrom.photo.photo import Photo
from photochrom.photo.tiff_writing import append_page
from photochrom.photo.write import needs_sixteen_bit, write_photo

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
TARGETS = ("jpeg", "png", "tiff", "webp", "avif")


def read_table():
    """Return {(source, target): losses} as the document says."""
    lines = DOCUMENT.read_text().split("## Matrix")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    head, _, *body = rows
    return {
        (row[0], target): "" if cell == "all" else cell
        for row in body
        for target, cell in zip(head[1:], row[1:], strict=True)
    }


TABLE = read_table()


@pytest.fixture(scope="module")
def sources(tmp_path_factory, gray, exif, xmp, iim, adobe_rgb_profile, rgb):
    """One picture of each kind, bearing all that its format can hold."""
    folder = tmp_path_factory.mktemp("sources")
    block = Image.Exif()
    block.load(exif.tobytes())
    block[0x0112] = 6
    common = {"exif": block, "xmp": xmp, "icc_profile": adobe_rgb_profile}
    picture, alpha = Image.fromarray(rgb), Image.fromarray(np.dstack((rgb, gray)))
    picture.save(folder / "jpeg.jpg", dpi=(300, 300), quality=98, **common)
    whole = (folder / "jpeg.jpg").read_bytes()
    app13 = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iim)) + iim
    app13 += bytes(len(iim) % 2)
    segment = b"\xff\xed" + struct.pack(">H", len(app13) + 2) + app13
    (folder / "jpeg.jpg").write_bytes(whole[:2] + segment + whole[2:])
    block[282] = block[283] = 300.0
    block[296] = 2
    alpha.save(folder / "webp.webp", lossless=True, **common)
    alpha.save(folder / "avif.avif", quality=95, **common)
    jpeg = Photo.open(folder / "jpeg.jpg")
    for name, kind in (("png", "png"), ("tiff", "tiff")):
        wide = np.dstack((rgb, gray)).astype(np.uint16) * 257
        for bits, pixels in (("", np.dstack((rgb, gray))), ("16", wide)):
            image = pyvips.Image.new_from_array(pixels)
            image = image.copy(interpretation="rgb16" if bits else "srgb")
            _save_with(
                jpeg, image, folder / f"{name}{bits}.{kind}", 2 if name + bits == "tiff16" else 1
            )
    picture.quantize(64).save(folder / "gif.gif")
    return {path.stem: path for path in folder.iterdir()}


def _save_with(jpeg, image, path, pages):
    """Save through the writer's own last step, so that TIFF and PNG bear all that they can."""
    kind = "png" if path.suffix == ".png" else "tiff"
    prepared = prepare(image, jpeg.metadata, kind, orientation=6, profile=jpeg.profile, marker=None)
    prepared.image.write_to_file(str(path))
    embed(path, kind, prepared)
    for _ in range(1, pages):
        single = path.with_name("single.tif")
        prepared.image.write_to_file(str(single))
        append_page(path, single)
        single.unlink()
    if kind == "tiff":
        embed_tiff(path, prepared)


def holdings(photo):
    """Return all that a file holds, each as something that can be compared."""
    metadata = photo.metadata
    camera = {}
    if metadata.exif:
        block = Image.Exif()
        block.load(metadata.exif)
        camera = {"make": block.get(0x010F), "date": block.get_ifd(0x8769).get(0x9003)}
        camera["place"] = block.get_ifd(0x8825).get(1)
    return {
        "size": photo.upright_size,
        "alpha": photo.has_alpha,
        "depth": _depth(photo),
        "exif": camera.get("make") and tuple(camera.values()),
        "xmp": b"shelf:box" in (metadata.xmp or b""),
        "iptc": bool(metadata.iptc and to_iim(metadata.iptc)),
        "dpi": round(metadata.resolution.get("xres", 1) * 25.4),
        "profile": metadata.profile,
        "orientation": photo.orientation,
        "pages": photo.pages,
    }


def _depth(photo):
    stored = photo.headers[0].bit_depth
    return stored if stored in (10, 12) else photo.bit_depth


def losses(before, after):
    """Name what a file held and its coloured copy does not."""
    lost = [key for key, value in before.items() if value and after[key] != value]
    if "depth" in lost:
        lost[lost.index("depth")] = f"depth {after['depth']}"
    return lost


def test_the_document_names_every_pair(sources):
    assert set(TABLE) == {(source, target) for source in sources for target in TARGETS}


@pytest.mark.parametrize(("source", "target"), TABLE)
def test_what_survives_is_what_the_document_says(sources, source, target, neutral):
    photo = Photo.open(sources[source])
    wide = needs_sixteen_bit(photo, target)
    pages = [neutral(photo, page, wide) for page in range(photo.pages)]
    written = write_photo(photo, pages, None, marker=None, format=target)
    back = Photo.open(written.data)
    lost = losses(holdings(photo), holdings(back))
    named = [
        _as_named(what, written.notes) for what in lost if what != "orientation" or target != "avif"
    ]
    assert ", ".join(named) == TABLE[source, target]
    said = " ".join(written.notes).lower()
    for what, word in {"alpha": "opaque", "depth": "bits", "iptc": "iptc", "pages": "page"}.items():
        assert (what in " ".join(lost)) == (word in said), (what, said)
    with Image.open(io.BytesIO(written.data)) as other:  # another reader agrees about the size
        stored = photo.upright_size if target == "avif" else (photo.width, photo.height)
        assert other.size in (stored, stored[::-1])


def _as_named(what, notes):
    return "iptc to xmp" if what == "iptc" and any("moved to XMP" in n for n in notes) else what
