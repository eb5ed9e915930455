"""Pictures, profiles and metadata made in code."""

import io
import struct

import numpy as np
import pytest
import pyvips
from PIL import Image
from skimage import data

from photochrom.color.lab import linear_to_srgb

D50 = (0.9642, 1.0, 0.8249)
ADOBE_RGB = {  # D50-adapted primaries of Adobe RGB (1998), annex of its specification
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
}
IIM = b"".join(
    b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text
    for number, text in (
        (120, "Am Strand, 1906: Müller".encode("latin-1")),
        (80, b"Anna Atkins"),
        (25, b"beach"),
        (25, b"family"),
        (55, b"19060418"),
        (116, b"(c) Archive & Sons"),
        (12, b"no place in XMP"),
    )
)
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<!-- kept -->'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:shelf="https://example.org/shelf/" shelf:box="17"/></rdf:RDF></x:xmpmeta>\n'
    b'<?xpacket end="w"?>'
)


def _s15(value):
    return struct.pack(">i", round(value * 65536))


def _profile(space, gamma=2.2, primaries=None):
    """Build a small ICC version 2 display profile with gamma curves."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    xyz = {b"wtpt": D50, **(primaries or {})}
    tags = {name: b"XYZ " + bytes(4) + b"".join(map(_s15, value)) for name, value in xyz.items()}
    curves = (b"kTRC",) if space == b"GRAY" else (b"rTRC", b"gTRC", b"bTRC")
    tags |= dict.fromkeys(curves, curve)
    tags[b"cprt"] = b"text" + bytes(4) + b"none\0" + bytes(3)
    name = b"test\0"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(79)
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content
    head = struct.pack(">I", start + len(body)) + b"test" + bytes.fromhex("02400000")
    head += b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28) + b"".join(map(_s15, D50))
    return head.ljust(128, b"\0") + table + body


@pytest.fixture(scope="session")
def gray_gamma_profile():
    return _profile(b"GRAY", 2.2)


@pytest.fixture(scope="session")
def adobe_rgb_profile():
    return _profile(b"RGB ", 563 / 256, ADOBE_RGB)


@pytest.fixture(scope="session")
def rgb():
    return np.ascontiguousarray(data.astronaut()[40:136, 150:294])  # 96 x 144: face and background


@pytest.fixture(scope="session")
def gray(rgb):
    return np.asarray(Image.fromarray(rgb).convert("L"))


@pytest.fixture(scope="session")
def exif():
    """Camera, copyright, date and place; no orientation, which the pictures bear themselves."""
    block = Image.Exif()
    block[0x010F] = "Kodak"
    block[0x8298] = "Archive & Sons"
    block.get_ifd(0x8769)[0x9003] = "1906:04:18 05:12:00"
    block.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 41.5)})
    return block


@pytest.fixture(scope="session")
def iim():
    return IIM


@pytest.fixture(scope="session")
def xmp():
    return XMP


@pytest.fixture(scope="session")
def app13(iim):
    size = struct.pack(">I", len(iim))
    return b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + size + iim + bytes(len(iim) % 2)


@pytest.fixture
def save(tmp_path):
    """Save an array or a PIL picture; give its path."""

    def save_as(picture, name, **options):
        path = tmp_path / name
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(path, **options)
        return path

    return save_as


@pytest.fixture
def jpeg_with_everything(tmp_path, gray, exif, xmp, app13, gray_gamma_profile):
    """A gray JPEG, orientation 6, 300 DPI, with EXIF, XMP, IPTC and a profile."""
    block = Image.Exif()
    block.load(exif.tobytes())
    block[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(gray).save(
        buffer,
        "jpeg",
        exif=block,
        xmp=xmp,
        dpi=(300, 300),
        quality=95,
        icc_profile=gray_gamma_profile,
    )
    whole = buffer.getvalue()
    segment = b"\xff\xed" + struct.pack(">H", len(app13) + 2) + app13
    path = tmp_path / "everything.jpg"
    path.write_bytes(whole[:2] + segment + whole[2:])
    return path


@pytest.fixture(scope="session")
def neutral():
    """Return a page's own gray as sRGB: what colouring with no colour makes."""

    def neutral_page(photo, page=0, sixteen_bit=False):
        tone = photo.tone(page)
        top, kind = (65535, np.uint16) if sixteen_bit else (255, np.uint8)
        table = np.round(linear_to_srgb(tone.luminance) * top).astype(kind)
        band = tone.codes.maplut(pyvips.Image.new_from_array(table[None, :, None]))
        joined = band.bandjoin([band, band])
        return joined.copy(interpretation="rgb16" if sixteen_bit else "srgb")

    return neutral_page


@pytest.fixture(scope="session")
def lightness():
    """Return a photo's full-size L*, float64, in stored orientation."""

    def full_lightness(photo, page=0):
        from photochrom.color.lab import luminance_to_lightness

        tone = photo.tone(page)
        codes = tone.codes.numpy().reshape(tone.codes.height, tone.codes.width)
        return luminance_to_lightness(tone.luminance)[codes]

    return full_lightness
