"""Small files, small bills: bytes held and seconds spent are in proportion to what came."""

import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.photo.made import chunk

from photochrom.errors import PhotoTooLargeError, UnreadablePhotoError
from photochrom.photo.metadata.exif import edited
from photochrom.photo.metadata.gif import read_gif
from photochrom.photo.metadata.heif import read_boxes
from photochrom.photo.metadata.iptc import iim_to_xmp, to_app13
from photochrom.photo.metadata.jpeg import read_jpeg, trailer_notes
from photochrom.photo.metadata.png import read_png
from photochrom.photo.metadata.webp import read_webp
from photochrom.photo.metadata.xmp import Marker, merge
from photochrom.photo.page_files import find_pages
from photochrom.photo.photo import Photo
from photochrom.photo.write import write_photo

MARKER = Marker("gray", "1")
RDF = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF></x:xmpmeta>'
)


def zeros(size):
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join(parts) + packer.compress(bytes(size & 0xFFFFF)) + packer.flush()


def png(width, height, *chunks, bits=8, kind=0, interlace=0, pixels=None):
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    size = ((width * channels * bits + 7) // 8 + 1) * height
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlace)
    body = zeros(size) if pixels is None else pixels
    parts = [chunk(b"IHDR", head), *(chunk(*c) for c in chunks), chunk(b"IDAT", body)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def tiff(entries, data=b"", pages=1):
    """Lay out directories of (tag, type, count, value) over shared data at offset 8."""
    whole = bytearray(b"II*\0\0\0\0\0" + data + bytes(len(data) % 2))
    pointer_at = 4
    for _ in range(pages):
        at = len(whole)
        whole[pointer_at : pointer_at + 4] = struct.pack("<I", at)
        whole += struct.pack("<H", len(entries))
        whole += b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
        pointer_at = len(whole)
        whole += bytes(4)
    return bytes(whole)


def gray_page(side=8):
    tags = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side}
    tags[279] = side * side
    return [(tag, 4, 1, value) for tag, value in tags.items()]


def exif(count, size):
    """Make a block whose many tags share one value."""
    data_at = 8 + 2 + 12 * count + 4
    entries = [struct.pack("<HHII", 1000 + i, 7, size, data_at) for i in range(count)]
    table = struct.pack("<H", count) + b"".join(entries) + bytes(4)
    return b"II*\0\x08\0\0\0" + table + bytes(size)


def segment(marker, data):
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments, **options):
    buffer = io.BytesIO()
    Image.new("L", (64, 48), 90).save(buffer, "jpeg", **options)
    whole = buffer.getvalue()
    return whole[:2] + b"".join(segments) + whole[2:]


def webp(*chunks):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (9, 9, 9)).save(buffer, "webp", lossless=True)
    sides = struct.pack("<I", 63)[:3] + struct.pack("<I", 47)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x0c\0\0\0" + sides + buffer.getvalue()[12:]
    body += b"".join(k + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def empty_webp():
    """Make one of 16383 x 12000 pixels: a VP8L stream whose every code has one symbol."""
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 48)).save(buffer, "webp", lossless=True, method=0, quality=0)
    whole = bytearray(buffer.getvalue())
    sides = (16383 - 1) | (12000 - 1) << 14
    head = int.from_bytes(whole[21:25], "little")
    whole[21:25] = (head & ~0xFFFFFFF | sides).to_bytes(4, "little")
    return bytes(whole)


def packed_xmp(packet):
    return b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)


def merged(packet):
    return merge(packet, MARKER)


SEVEN_MB = zlib.compress(b"a" * 7_000_000, 9)
CASES = {
    "forty texts of 7 MB": lambda: png(
        64, 64, *((b"zTXt", b"k%d\0\0" % k + SEVEN_MB) for k in range(40))
    ),
    "XMP of 100 MB": lambda: png(
        64, 64, (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(100_000_000))
    ),
    "a profile of 100 MB": lambda: png(64, 64, (b"iCCP", b"p\0\0" + zeros(100_000_000)), kind=2),
    "40,000 texts": lambda: png(64, 64, *((b"tEXt", b"k%d\0v" % k) for k in range(40_000))),
    "eXIf of shared values": lambda: png(64, 64, (b"eXIf", exif(4000, 900_000))),
    "APP1 of shared values": lambda: jpeg(segment(0xE1, b"Exif\0\0" + exif(4000, 17_000))),
    "200,000 comments": lambda: jpeg(b"\xff\xfe\0\2" * 200_000),
    "a megabyte of fill bytes": lambda: jpeg(b"\xff" * 1_000_000),
    "EXIF of a WebP of shared values": lambda: webp((b"EXIF", exif(4000, 900_000))),
    "TIFF tags that share a value": lambda: tiff(
        gray_page() + [(50000 + k, 1, 900_000, 8) for k in range(4000)], bytes(900_000)
    ),
    "pages that share XMP": lambda: tiff(
        gray_page() + [(700, 1, 900_000, 8), (34675, 7, 900_000, 8)], bytes(900_000), pages=9
    ),
    "XMP that never ends": lambda: png(
        64,
        64,
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<rdf:RDF" + b" " * 900_000)),
    ),
    "XMP of many elements": lambda: png(64, 64, packed_xmp(RDF % (b"<a/>" * 200_000))),
}
REFUSED = {
    "a WebP of 34 bytes": (empty_webp, "unpacks to at most 200 times"),
    "an interlaced PNG": (
        lambda: png(9000, 9000, bits=16, kind=6, interlace=1, pixels=zeros(648_000_000 // 64)),
        "too few|unpacks|as a whole",
    ),
    "a PNG that is empty": (lambda: png(8000, 8000), "unpacks to at most 200 times"),
    "a PNG whose pixels are missing": (
        lambda: png(8000, 8000, pixels=zlib.compress(bytes(900))),
        "too few for 8000 x 8000",
    ),
    "a PNG of one long row": (lambda: png(200_000_000, 1, pixels=b""), "at most 10000000 pixels"),
    "too many pages": (lambda: tiff(gray_page(), bytes(64), 301), "at most 300 pages"),
    "pages that share words": (
        lambda: tiff(gray_page() + [(700, 1, 900_000, 8)], bytes(900_000), pages=99),
        "its pages share metadata",
    ),
    "pages that share pixels": (
        lambda: tiff(gray_page(1000), bytes(1_000_000), 290),
        "unpacks to at most 200 times",
    ),
    "a JPEG of a thousand scans": (lambda: scans(1000), "has at most .* scans"),
}


def scans(count):
    buffer = io.BytesIO()
    Image.new("L", (2000, 2000), 90).save(buffer, "jpeg", progressive=True)
    whole = buffer.getvalue()
    last, end = whole.rfind(b"\xff\xda"), whole.rfind(b"\xff\xd9")
    return whole[:last] + whole[last:end] * count + whole[end:]


@pytest.mark.parametrize("name", REFUSED)
def test_what_asks_for_too_much_is_refused_before_it_is_decoded(name):
    make, message = REFUSED[name]
    data = make()
    begun = time.process_time()
    with pytest.raises((PhotoTooLargeError, UnreadablePhotoError), match=message) as caught:
        Photo.open(data)
    assert "\n" not in str(caught.value)
    assert time.process_time() - begun < 2


CHILD = """
import sys, time
from pathlib import Path
from photochrom.photo.photo import Photo
from photochrom.photo.write import write_photo
from photochrom.photo.metadata.xmp import Marker

def number(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]) / 1024

def colour(path):
    photo = Photo.open(path)
    assert photo.small_lightness(8, 8).shape == (8, 8)
    pages = []
    for page in range(photo.pages):
        tone = photo.tone(page).codes
        pages.append(tone.bandjoin([tone, tone]).copy(interpretation="srgb"))
    write_photo(photo, pages, None, marker=Marker("gray", "1"))

paths = sorted(Path(sys.argv[1]).iterdir())
colour(paths[0])
for path in paths:
    Path("/proc/self/clear_refs").write_text("5")
    before, begun = number("VmRSS"), time.process_time()
    colour(path)
    print(path.name, round(number("VmHWM") - before), round(time.process_time() - begun, 2))
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="what is held is told by Linux alone"
)
def test_a_file_under_a_megabyte_holds_100_mb_and_takes_5_seconds_at_most(tmp_path):
    for number, make in enumerate(CASES.values()):
        data = make()
        assert len(data) < 1_200_000
        (tmp_path / f"{number:02}").write_bytes(data)
    words = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(CASES)
    for name, line in zip(CASES, lines, strict=True):
        assert float(line[1]) < 100, (name, line)
        assert float(line[2]) < 5, (name, line)


def in_file(read):
    def run(data, folder):
        path = folder / "file"
        path.write_bytes(data)
        return lambda: read(path)

    return run


def on_bytes(read):
    return lambda data, _: lambda: read(data)


def items(count):
    """Make a box of many items with a place each."""
    infos = b"".join(
        box(b"infe", struct.pack(">IHH", 0x02000000, i & 0xFFFF, 0) + b"mimex\0y\0")
        for i in range(count)
    )
    places = b"".join(struct.pack(">HHHII", i & 0xFFFF, 0, 1, 9, 9) for i in range(count))
    iinf = box(b"iinf", struct.pack(">IH", 0, count & 0xFFFF) + infos)
    iloc = box(b"iloc", struct.pack(">IHH", 0, 0x4400, count & 0xFFFF) + places)
    head = box(b"ftyp", b"avif\0\0\0\0")
    return head + box(b"meta", bytes(4) + iinf + iloc)


def box(kind, data):
    return struct.pack(">I", len(data) + 8) + kind + data


PARSERS = {
    "chunks of PNG": (in_file(read_png), lambda n: png(8, 8, *[(b"tEXt", b"k\0v")] * n), 1500),
    "segments of JPEG": (in_file(read_jpeg), lambda n: jpeg(b"\xff\xfe\0\3x" * n), 1000),
    "scans of JPEG": (
        in_file(trailer_notes),
        lambda n: jpeg()[:-2] + b"\xff\0\xff\xda\0\4ab" * n,
        4000,
    ),
    "chunks of WebP": (in_file(read_webp), lambda n: webp(*[(b"abcd", b"")] * n), 3000),
    "items of HEIF": (in_file(read_boxes), items, 1500),
    "blocks of GIF": (
        in_file(read_gif),
        lambda n: b"GIF89a\1\0\1\0\0\0\0!\xfe" + b"\1a" * n + b"\0;",
        4000,
    ),
    "pages of TIFF": (in_file(find_pages), lambda n: tiff(gray_page(), bytes(64), n), 300),
    "datasets of IPTC": (on_bytes(iim_to_xmp), lambda n: b"\x1c\x02\x19\0\1a" * n, 3000),
    "resources of Photoshop": (on_bytes(to_app13), lambda n: b"8BIM\4\0\0\0\0\0\0\0" * n, 3000),
    "entries of EXIF": (on_bytes(lambda d: edited(d, 6, None)), lambda n: exif(n, 9), 500),
    "spaces in XMP": (
        on_bytes(merged),
        lambda n: b"<rdf:RDF" + b" " * n,
        90_000,
    ),
    "closings in XMP": (
        on_bytes(merged),
        lambda n: RDF % (b"<!--" + b"</rdf:RDF>" * n + b"-->"),
        9000,
    ),
    "descriptions in XMP": (
        on_bytes(merged),
        lambda n: RDF % (b"<!--" + b"<rdf:Description " * n + b"-->"),
        9000,
    ),
    "elements of XMP": (on_bytes(merged), lambda n: RDF % (b"<a/>" * n), 2000),
    "markers in XMP": (
        on_bytes(merged),
        lambda n: RDF % described(n),
        300,
    ),
    "attributes of XMP": (
        on_bytes(merged),
        lambda n: RDF % (b"<x " + b" ".join(b'a%d=""' % i for i in range(n)) + b"/>"),
        3000,
    ),
}


def described(count):
    block = (
        b'<rdf:Description rdf:about="" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        b'i:DigitalSourceType="x" i:other="y"/>'
    )
    return block * count


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_eight_times_the_input_takes_about_eight_times_as_long(name, tmp_path):
    prepare, make, size = PARSERS[name]

    def seconds(count):
        run = prepare(make(count), tmp_path)
        spent = []
        for _ in range(3):
            begun = time.process_time()
            run()
            spent.append(time.process_time() - begun)
        return min(spent)

    few, many = seconds(size), seconds(8 * size)
    # Work that grows with the square of its input would take 64 times as long.
    assert many < 24 * few + 0.002


def test_pages_are_opened_in_proportion_to_their_number(tmp_path):
    path = tmp_path / "pages.tif"
    spent = {}
    for pages in (36, 288):
        path.write_bytes(tiff(gray_page(), bytes(64), pages))
        begun = time.process_time()
        assert Photo.open(path).pages == pages
        spent[pages] = time.process_time() - begun
    assert spent[288] < 24 * spent[36]


def test_the_bounds_can_be_set():
    data = tiff(gray_page(), bytes(64), 5)
    with pytest.raises(PhotoTooLargeError, match="at most 4 pages are allowed.*it has 5"):
        Photo.open(data, max_pages=4)
    assert Photo.open(tiff(gray_page(), bytes(950_000), 310)).pages == 310
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "webp", lossless=True)
    with pytest.raises(PhotoTooLargeError, match="may use at most 1 MB.*need about"):
        Photo.open(buffer.getvalue(), max_megabytes=1)
    assert Photo.open(buffer.getvalue()).width == 400


def test_a_large_picture_of_few_bytes_is_read_where_it_is_no_bomb(neutral):
    photo = Photo.open(png(6000, 6000))
    assert write_photo(photo, [neutral(photo)], None, marker=None).format == "png"
