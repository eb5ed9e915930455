"""The table of carriers in docs/formats.md, checked with exiftool, a reader of another house."""

import io
import json
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image
from tests.photo.made import chunk

from photochrom.photo.metadata.xmp import Marker
from photochrom.photo.photo import Photo
from photochrom.photo.tiff import Entry, pack_directory
from photochrom.photo.write import write_photo

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats.md"
EXIFTOOL = shutil.which("exiftool")
MARKER = Marker("gray", "1")
ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
GRAY = (np.add.outer(np.arange(32), np.arange(48)) * 3).astype(np.uint8)
PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="album 7" '
    b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/></rdf:RDF>'
    b"</x:xmpmeta>"
)
IIM = b"\x1c\x02\x78\0\x05beach" + b"\x1c\x02\x50\0\x04Anna"
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


def read_table():
    """Return {(format, carrier): what becomes of it} as the document says."""
    lines = DOCUMENT.read_text().split("## Carriers")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {(row[0], row[1]): row[2] for row in rows[2:]}


def text(value):
    return Entry(ASCII, value.encode() + b"\0")


def short(value):
    return Entry(SHORT, struct.pack("<H", value))


def ratio(top, bottom=1):
    return Entry(RATIONAL, struct.pack("<II", top, bottom))


def exif(maker=True, thumbnail=b""):
    """Lay out EXIF with a maker's note that points into the block, as Canon's do."""
    main = {
        270: text("the old mill"),
        271: text("Canon"),
        272: text("Canon EOS 5D"),
        274: short(6),
        282: ratio(300),
        283: ratio(300),
        296: short(2),
        34665: Entry(LONG, struct.pack("<I", 400)),
        34853: Entry(LONG, struct.pack("<I", 300)),
    }
    note = {6: text("Canon EOS 5D"), 7: text("Firmware 1.1.1"), 9: text("the owner of it")}
    packed = pack_directory(note, "<", 600)
    camera = {36867: text("1906:04:18 05:12:00")}
    if maker:
        camera[37500] = Entry(UNDEFINED, packed)
    place = {1: text("N"), 2: Entry(RATIONAL, struct.pack("<6I", 47, 1, 22, 1, 41, 1))}
    second = {}
    if thumbnail:
        long = [Entry(LONG, struct.pack("<I", number)) for number in (1000, len(thumbnail))]
        second = {259: short(6), 513: long[0], 514: long[1]}
    block = bytearray(b"II*\0\x08\0\0\0".ljust(1000, b"\0") + thumbnail)
    parts = {
        8: pack_directory(main, "<", 8, 900 if thumbnail else 0),
        300: pack_directory(place, "<", 300),
        400: pack_directory({36867: camera[36867], 37500: Entry(UNDEFINED, b"")}, "<", 400),
        900: pack_directory(second, "<", 900),
    }
    # The note's own offsets hold for one place alone: 600.
    count = 2 if maker else 1
    entry = struct.pack("<HHI", 36867, ASCII, 20) + struct.pack("<I", 550)
    if maker:
        entry += struct.pack("<HHII", 37500, UNDEFINED, len(packed), 600)
    parts[400] = struct.pack("<H", count) + entry + bytes(4)
    parts[550] = camera[36867].data
    if maker:
        parts[600] = packed
    for at, part in parts.items():
        block[at : at + len(part)] = part
    return bytes(block)


def jpeg(*segments, after=b"", exif_block=None):
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, "jpeg", dpi=(72, 72))
    whole = buffer.getvalue()
    if exif_block is not None:
        segments = ((0xE1, b"Exif\0\0" + exif_block), *segments)
    packed = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data for marker, data in segments
    )
    return whole[:20] + packed + whole[20:] + after


def png(*chunks, late=(), after=b""):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 8, 0, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in GRAY))
    early = b"".join(chunk(*c) for c in chunks)
    behind = b"".join(chunk(*c) for c in late)
    pixels = chunk(b"IDAT", rows)
    return b"\x89PNG\r\n\x1a\n" + head + early + pixels + behind + chunk(b"IEND", b"") + after


def raw(kind, data):
    digits = f"\n{kind}\n{len(data):8d}\n".encode() + data.hex().encode() + b"\n"
    return b"zTXt", f"Raw profile type {kind}".encode() + b"\0\0" + zlib.compress(digits)


def tiff(tags=None, subs=None, pages=1):
    """Lay out a gray TIFF; `subs`: tag -> directory that it points to."""
    pixels = GRAY.tobytes()
    whole = bytearray(b"II*\0\0\0\0\0" + pixels)
    pointer_at = 4
    for _ in range(pages):
        entries = {256: short(48), 257: short(32), 258: short(8), 259: short(1), 262: short(1)}
        entries |= {277: short(1), 278: short(32)}
        entries[273] = Entry(LONG, struct.pack("<I", 8))
        entries[279] = Entry(LONG, struct.pack("<I", len(pixels)))
        entries |= tags or {}
        for tag, directory in (subs or {}).items():
            entries[tag] = Entry(LONG, struct.pack("<I", len(whole)))
            whole += pack_directory(directory, "<", len(whole))
            whole += bytes(len(whole) % 2)
        at = len(whole)
        whole[pointer_at : pointer_at + 4] = struct.pack("<I", at)
        whole += pack_directory(entries, "<", at)
        whole += bytes(len(whole) % 2)
        pointer_at = at + 2 + 12 * len(entries)
    return bytes(whole)


def webp(*chunks, flags=0):
    buffer = io.BytesIO()
    Image.fromarray(GRAY).convert("RGB").save(buffer, "webp", lossless=True)
    pixels = buffer.getvalue()[12:]
    sides = struct.pack("<I", 47)[:3] + struct.pack("<I", 31)[:3]
    body = b"WEBP" + riff(b"VP8X", bytes([flags, 0, 0, 0]) + sides) + pixels
    body += b"".join(riff(*c) for c in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def avif(**options):
    buffer = io.BytesIO()
    Image.fromarray(GRAY).convert("RGB").save(buffer, "avif", quality=95, **options)
    return buffer.getvalue()


def with_property(whole, kind, data):
    """Add a property to a HEIF's container; nothing refers to it, and 'mdat' moves."""
    box = struct.pack(">I", len(data) + 8) + kind + data
    at = whole.index(b"ipco") + 4
    end = at - 8 + int.from_bytes(whole[at - 8 : at - 4], "big")
    patched = bytearray(whole[:end] + box + whole[end:])
    for name in (b"meta", b"iprp", b"ipco"):
        start = whole.index(name) - 4
        size = int.from_bytes(patched[start : start + 4], "big") + len(box)
        patched[start : start + 4] = struct.pack(">I", size)
    # iloc: every offset of 4 bytes that leads behind the new box.
    start = whole.index(b"iloc") + 4
    sizes, count = whole[start + 4], int.from_bytes(whole[start + 6 : start + 8], "big")
    assert sizes == 0x44
    at = start + 8
    for _ in range(count):
        extents = int.from_bytes(patched[at + 4 : at + 6], "big")
        at += 6
        for _ in range(extents):
            offset = int.from_bytes(patched[at : at + 4], "big")
            patched[at : at + 4] = struct.pack(">I", offset + len(box))
            at += 8
    return bytes(patched)


def gif(*blocks, frames=1):
    buffer = io.BytesIO()
    Image.fromarray(GRAY).save(buffer, "gif")
    whole = buffer.getvalue()
    at = whole.index(b",\0\0\0\0", 13)
    if whole[at - 8 : at - 6] == b"!\xf9":
        at -= 8
    return whole[:at] + b"".join(blocks) + whole[at:-1] * frames + b";"


def icc():
    profile = pyvips.Image.black(1, 1).copy(interpretation="srgb").bandjoin([0, 0])
    return bytes(profile.icc_export(output_profile="p3").get("icc-profile-data"))


def sub_blocks(data):
    parts = (data[i : i + 255] for i in range(0, len(data), 255))
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


MAGIC = bytes([1, *range(255, -1, -1), 0])
RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IIM)) + IIM + bytes(len(IIM) % 2)
RESOURCES += b"8BIM\x04\x0a\0\0\0\0\0\x01\x01\0"  # Copyright Flag
PHOTOSHOP = b"Photoshop 3.0\0" + RESOURCES
ITXT = (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET)
GUID = b"0123456789ABCDEF0123456789ABCDEF"
DEPTH = PACKET.replace(b"album 7", b"shelf 3")
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0" + GUID
EXTENDED += struct.pack(">II", len(DEPTH), 0) + DEPTH
NAMING = PACKET.replace(
    b'dc:source="album 7"',
    b'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="' + GUID + b'"',
)
MPF = b"MPF\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
MPF += struct.pack("<HHII", 0xB001, 4, 1, 2) + bytes(4)
GEO = {
    33550: Entry(12, struct.pack("<3d", 1, 1, 0)),
    33922: Entry(12, struct.pack("<6d", 0, 0, 0, 5, 6, 0)),
    34735: Entry(SHORT, struct.pack("<8H", 1, 1, 0, 1, 1024, 0, 1, 2)),
}
CAMERA = {36867: text("1906:04:18 05:12:00")}
PLACE = {1: text("N"), 2: Entry(RATIONAL, struct.pack("<6I", 47, 1, 22, 1, 41, 1))}
URN = b"urn:com:apple:photo:2020:aux:hdrgainmap\0"
SMALL = io.BytesIO()
Image.fromarray(GRAY[::4, ::4]).save(SMALL, "jpeg")

# (format, carrier) -> a file that has it, what exiftool says of its result (None: nothing any
# more), and words of the note if something is left out.
EXIF_SAYS = {
    "IFD0:ImageDescription": "the old mill",
    "IFD0:Orientation": 6,
    "IFD0:XResolution": 300,
    "ExifIFD:DateTimeOriginal": "1906:04:18 05:12:00",
    "Canon:CanonFirmwareVersion": "Firmware 1.1.1",
    "Canon:OwnerName": "the owner of it",
    "GPS:GPSLatitudeRef": "N",
}
XMP_SAYS = {"XMP-dc:Source": "album 7", "XMP-hdrgm:HDRGMVersion": None, "XMP-hdrgm:Version": None}
GAIN = "a gain map (HDR)"
CASES = {
    ("JPEG", "APP0 JFIF"): (jpeg(), {"JFIF:XResolution": 72, "JFIF:ResolutionUnit": 1}, ""),
    ("JPEG", "APP0 JFXX (thumbnail)"): (jpeg((0xE0, b"JFXX\0\x10" + SMALL.getvalue())), {}, "JFXX"),
    ("JPEG", "APP1 EXIF"): (
        jpeg(exif_block=exif(thumbnail=SMALL.getvalue())),
        EXIF_SAYS | {"IFD1:ThumbnailOffset": None, "JFIF:XResolution": 300},
        "thumbnail",
    ),
    ("JPEG", "APP1 XMP"): (jpeg((0xE1, XMP_HEAD + PACKET)), XMP_SAYS, GAIN),
    ("JPEG", "APP1 extended XMP"): (
        jpeg((0xE1, XMP_HEAD + NAMING), (0xE1, EXTENDED)),
        {"XMP-dc:Source": "shelf 3", "XMP-xmpNote:HasExtendedXMP": GUID.decode()},
        GAIN,
    ),
    ("JPEG", "APP2 ICC profile"): (
        jpeg((0xE2, b"ICC_PROFILE\0\x01\x01" + icc())),
        {"ICC_Profile:ProfileDescription": None},
        "profile",
    ),
    ("JPEG", "APP2 MPF and the pictures that it names"): (
        jpeg((0xE2, MPF), after=SMALL.getvalue()),
        {"MPF0:NumberOfImages": None},
        "MPF",
    ),
    ("JPEG", "APP2 FPXR, APP3 to APP10, APP12, APP15"): (
        jpeg((0xE2, b"FPXR\0x"), (0xE5, b"RMETA\0x"), (0xEC, b"Ducky\0\x01\0\x04\0\0\0\x3c")),
        {"Ducky:Quality": None},
        "APP2 FPXR, APP5 RMETA, APP12 Ducky",
    ),
    ("JPEG", "APP11 JUMBF (C2PA, JPEG XT)"): (
        jpeg((0xEB, b"JP\0\x01\0\0\0\x01\0\0\0\x20jumb" + bytes(16))),
        {},
        "JUMBF",
    ),
    ("JPEG", "APP13 Photoshop with IPTC"): (
        jpeg((0xED, PHOTOSHOP)),
        {"IPTC:Caption-Abstract": "beach", "IPTC:By-line": "Anna", "Photoshop:CopyrightFlag": 1},
        "",
    ),
    ("JPEG", "APP14 Adobe"): (jpeg((0xEE, b"Adobe\0\x64\0\0\0\0\0")), {}, ""),
    ("JPEG", "COM"): (jpeg((0xFE, b"Danzig 1923")), {"File:Comment": "Danzig 1923"}, ""),
    ("JPEG", "bytes behind the end (gain map, film)"): (jpeg(after=bytes(900)), {}, "900 bytes"),
    ("PNG", "tEXt, zTXt, iTXt"): (
        png(
            (b"tEXt", b"Title\0Stra\xdfe"),
            (b"zTXt", "Größe und Maß\0\0".encode("latin-1") + zlib.compress(b"10 x 15")),
            (b"iTXt", b"Author\0\0\0de\0\0" + "Łucja".encode()),
            (b"tEXt", b"two words\0kept"),
        ),
        {"PNG:Title": "Straße", "PNG:Author-de": "Łucja", "PNG:TwoWords": "kept"},
        "",
    ),
    ("PNG", "iTXt XML:com.adobe.xmp, before or behind the pixels"): (
        png(late=[ITXT]),
        XMP_SAYS,
        GAIN,
    ),
    ("PNG", "eXIf, before or behind the pixels"): (png(late=[(b"eXIf", exif())]), EXIF_SAYS, ""),
    ("PNG", "Raw profile type exif, APP1, xmp"): (
        png(raw("APP1", b"Exif\0\0" + exif()), raw("xmp", PACKET)),
        EXIF_SAYS | XMP_SAYS,
        GAIN,
    ),
    ("PNG", "Raw profile type iptc, 8bim"): (
        png(raw("iptc", RESOURCES)),
        {"XMP-dc:Description": "beach", "XMP-dc:Creator": "Anna"},
        "moved to XMP",
    ),
    ("PNG", "iCCP, Raw profile type icc"): (
        png((b"iCCP", b"p\0\0" + zlib.compress(icc()))),
        {},
        "profile",
    ),
    ("PNG", "pHYs"): (
        png((b"pHYs", struct.pack(">II", 3, 2) + b"\0")),
        {"PNG-pHYs:PixelsPerUnitX": 3, "PNG-pHYs:PixelsPerUnitY": 2, "PNG-pHYs:PixelUnits": 0},
        "",
    ),
    ("PNG", "oFFs, pCAL, sCAL, sTER"): (
        png((b"oFFs", struct.pack(">ii", 7, 8) + b"\0"), (b"sTER", b"\0")),
        {"PNG:StereoMode": 0},
        "",
    ),
    ("PNG", "bKGD, hIST, sPLT, tIME, caBX (C2PA) and chunks that are not known"): (
        png((b"bKGD", b"\0\x05"), (b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5))),
        {"PNG:BackgroundColor": None, "PNG:ModifyDate": None},
        "bKGD, tIME",
    ),
    ("PNG", "acTL, fcTL, fdAT (animation)"): (
        png((b"acTL", struct.pack(">II", 3, 0))),
        {"PNG:AnimationFrames": None},
        "animated (3 frames)",
    ),
    ("PNG", "bytes behind the end"): (png(after=bytes(77)), {}, "77 bytes"),
    (
        "TIFF",
        "ImageDescription, Make, Model, Software, DateTime, Artist, Copyright and the like",
    ): (
        tiff({270: text("mill"), 271: text("Kodak"), 315: text("Anna"), 33432: text("c")}, pages=2),
        {
            "IFD0:ImageDescription": "mill",
            "IFD0:Make": "Kodak",
            "IFD1:ImageDescription": "mill",
            "IFD1:Artist": "Anna",
        },
        "",
    ),
    ("TIFF", "EXIF and GPS directories"): (
        tiff(subs={34665: CAMERA | {37500: Entry(UNDEFINED, b"AOC\0abcdef")}, 34853: PLACE}),
        {"ExifIFD:DateTimeOriginal": "1906:04:18 05:12:00", "GPS:GPSLatitudeRef": "N"},
        "camera's maker note was moved",
    ),
    ("TIFF", "XMP"): (tiff({700: Entry(1, PACKET)}, pages=2), XMP_SAYS, GAIN),
    ("TIFF", "IPTC, Photoshop's resources"): (
        tiff({33723: Entry(UNDEFINED, IIM), 34377: Entry(1, RESOURCES)}),
        {"IPTC:Caption-Abstract": "beach", "Photoshop:CopyrightFlag": 1},
        "",
    ),
    ("TIFF", "ICC profile"): (tiff({34675: Entry(UNDEFINED, icc())}), {}, "profile"),
    ("TIFF", "XResolution, YResolution, ResolutionUnit"): (
        tiff({282: ratio(72), 283: ratio(36), 296: short(1)}),
        {"IFD0:XResolution": 72, "IFD0:YResolution": 36, "IFD0:ResolutionUnit": 1},
        "",
    ),
    ("TIFF", "PageNumber, ImageID, GeoTIFF's and GDAL's tags"): (
        tiff(GEO | {297: Entry(SHORT, struct.pack("<HH", 1, 9)), 32781: text("box 4")}),
        {"GeoTiff:GTModelType": 2, "IFD0:ImageID": "box 4", "IFD0:PageNumber": "1 9"},
        "",
    ),
    ("TIFF", "other tags (ImageSourceData, private ones)"): (
        tiff({37724: Entry(UNDEFINED, b"Adobe Photoshop Document Data Block\0"), 50000: short(1)}),
        {"IFD0:ImageSourceData": None},
        "37724, 50000",
    ),
    ("WebP", "EXIF"): (webp((b"EXIF", exif()), flags=8), EXIF_SAYS, ""),
    ("WebP", "XMP"): (webp((b"XMP ", PACKET), flags=4), XMP_SAYS, GAIN),
    ("WebP", "ICCP"): (webp(), {}, ""),
    ("WebP", "ANIM, ANMF (further frames)"): (None, {}, ""),
    ("WebP", "chunks that are not known"): (webp((b"C2PA", b"claim!")), {}, "C2PA"),
    ("AVIF", "Exif item"): (
        avif(exif=b"Exif\0\0" + exif(maker=False)),
        {
            "IFD0:ImageDescription": "the old mill",
            "ExifIFD:DateTimeOriginal": "1906:04:18 05:12:00",
        },
        "",
    ),
    ("AVIF", "XMP item"): (avif(xmp=PACKET), XMP_SAYS, GAIN),
    ("AVIF", "colr with a profile"): (avif(icc_profile=icc()), {}, ""),
    ("AVIF", "irot, imir"): (
        avif(exif=b"Exif\0\0" + exif(maker=False)),
        {"QuickTime:ImageSpatialExtent": "32 48"},
        "",
    ),
    ("AVIF, HEIC", "gain maps, depth maps, mattes and further items"): (
        with_property(avif(), b"auxC", bytes(4) + URN),
        {},
        GAIN,
    ),
    ("GIF", "comment extension"): (
        gif(b"!\xfe" + sub_blocks(b"Danzig")),
        {"PNG:Comment": "Danzig"},
        "",
    ),
    ("GIF", "XMP extension"): (
        gif(b"!\xff\x0bXMP DataXMP" + PACKET + MAGIC),
        XMP_SAYS,
        GAIN,
    ),
    ("GIF", "ICC extension"): (gif(b"!\xff\x0bICCRGBG1012" + sub_blocks(icc())), {}, ""),
    ("GIF", "further frames; other extensions"): (
        gif(b"!\xff\x0bSOMEBODY1.0" + sub_blocks(b"x"), frames=3),
        {},
        "SOMEBODY",
    ),
}
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "TIFF": "tif", "WebP": "webp", "AVIF": "avif"}
SUFFIXES |= {"GIF": "png", "AVIF, HEIC": "avif"}
TABLE = read_table()


def animated_webp():
    buffer = io.BytesIO()
    frames = [Image.fromarray(np.roll(GRAY, i)).convert("RGB") for i in range(3)]
    frames[0].save(buffer, "webp", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.fixture(scope="module")
def results(tmp_path_factory, neutral):
    """Colour every case; give its notes, and what exiftool says of what was written."""
    folder = tmp_path_factory.mktemp("carriers")
    notes, paths = {}, {}
    for number, (key, (data, _, _)) in enumerate(CASES.items()):
        photo = Photo.open(data or animated_webp())
        paths[key] = folder / f"{number}.{SUFFIXES[key[0]]}"
        pages = [neutral(photo, page) for page in range(photo.pages)]
        written = write_photo(photo, pages, paths[key], marker=MARKER)
        notes[key] = " ".join((*photo.notes, *written.notes))
    said = {}
    if EXIFTOOL is not None:
        words = [EXIFTOOL, "-json", "-G1", "-n", "-a", "-api", "largefilesupport=1", str(folder)]
        done = subprocess.run(words, capture_output=True, check=False)
        said = {Path(one["SourceFile"]).name: one for one in json.loads(done.stdout)}
    return notes, {key: said.get(path.name, {}) for key, path in paths.items()}


def test_every_carrier_of_the_table_is_tried():
    assert set(CASES) == set(TABLE)


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed: nobody else reads it")
@pytest.mark.parametrize("key", CASES, ids=": ".join)
def test_another_reader_finds_what_the_table_says(results, key):
    _, said = results
    for tag, value in CASES[key][1].items():
        assert said[key].get(tag) == value, (tag, said[key])
    wrong = [value for name, value in said[key].items() if name.endswith(("Warning", "Error"))]
    assert wrong in ([], ["[minor] Unrecognized MakerNotes"])
    assert said[key]["XMP-iptcExt:DigitalSourceType"].endswith("AlgorithmicMedia")


@pytest.mark.parametrize("key", CASES, ids=": ".join)
def test_what_is_left_out_is_said(results, key):
    notes, _ = results
    assert CASES[key][2] in notes[key]
    if TABLE[key].startswith("dropped"):
        assert notes[key]


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed: nobody else reads it")
def test_a_makers_note_stays_readable_in_every_format_but_tiff(neutral, tmp_path):
    photo = Photo.open(jpeg(exif_block=exif()))
    for suffix in ("jpg", "png", "webp", "avif"):
        write_photo(photo, [neutral(photo)], tmp_path / f"a.{suffix}", marker=MARKER)
    words = [EXIFTOOL, "-json", "-G1", "-n", str(tmp_path)]
    said = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert len(said) == 4
    for one in said:
        turn = 1 if one["SourceFile"].endswith("avif") else 6
        wanted = EXIF_SAYS | {"IFD0:Orientation": turn}
        assert {tag: one.get(tag) for tag in wanted} == wanted
        assert not [name for name in one if name.endswith(("Warning", "Error"))]


def test_a_thumbnail_is_not_left_behind_in_the_block(neutral):
    photo = Photo.open(jpeg(exif_block=exif(thumbnail=SMALL.getvalue())))
    written = write_photo(photo, [neutral(photo)], None, marker=MARKER)
    assert SMALL.getvalue()[100:200] not in written.data
