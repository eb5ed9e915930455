import io
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvips
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from photochrom.photo.metadata.exif import edited
from photochrom.photo.metadata.iptc import datasets, iim_to_xmp, to_app13, to_iim
from photochrom.photo.metadata.jpeg import read_jpeg
from photochrom.photo.metadata.xmp import (
    DIGITAL_SOURCE_TYPE,
    IPTC_EXTENSION,
    Marker,
    marker_of,
    merge,
)
from photochrom.photo.photo import Photo
from photochrom.photo.tiff import EXIF_IFD, GPS_IFD, Entry, TiffError, TiffReader
from photochrom.photo.tiff_writing import write_metadata
from photochrom.photo.write import write_photo

MARKER = Marker(method='a "quoted" <method>', version="1.2", weights="00ff", recipe="beef")
SHELF = "{https://example.org/shelf/}box"
SOURCE_TYPE = f"{{{IPTC_EXTENSION}}}DigitalSourceType"


def attributes(packet):
    found = {}
    for element in ElementTree.fromstring(packet).iter():
        found |= element.attrib
    return found


def test_the_marker_goes_into_a_packet_without_changing_a_byte_of_it(xmp):
    merged, notes = merge(xmp, MARKER)
    assert notes == ()
    at = xmp.index(b"</rdf:RDF>")
    assert merged.startswith(xmp[:at])
    assert merged.endswith(xmp[at:])
    assert marker_of(merged) == MARKER
    assert attributes(merged)[SHELF] == "17"
    assert attributes(merged)[SOURCE_TYPE] == DIGITAL_SOURCE_TYPE


def test_a_packet_is_made_where_there_is_none():
    merged, notes = merge(None, MARKER)
    assert (marker_of(merged), notes) == (MARKER, ())
    assert merged.startswith(b"<?xpacket begin=")
    assert merge(None, None) == (None, ())


def test_a_second_marker_replaces_the_first(xmp):
    once, _ = merge(xmp, MARKER)
    twice, _ = merge(once, Marker(method="levin", version="2"))
    assert marker_of(twice) == Marker(method="levin", version="2")
    assert twice.count(b"DigitalSourceType=") == 1
    assert attributes(twice)[SHELF] == "17"


def test_an_earlier_source_type_is_replaced(xmp):
    scanned = xmp.replace(
        b'shelf:box="17"',
        b'shelf:box="17" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        b'i:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/print"',
    )
    merged, _ = merge(scanned, MARKER)
    assert b"digitalsourcetype/print" not in merged
    assert attributes(merged)[SOURCE_TYPE] == DIGITAL_SOURCE_TYPE


@pytest.mark.parametrize(
    "packet",
    [b"<broken", b"\xff\xfe\x00", b"<a/>", b'<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>', b""],
)
def test_a_broken_packet_is_replaced_and_said(packet):
    merged, notes = merge(packet, MARKER)
    assert marker_of(merged) == MARKER
    assert notes == ("The XMP packet was damaged and has been replaced.",)
    assert marker_of(packet) is None


def test_an_empty_rdf_element_is_opened(xmp):
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
    )
    merged, notes = merge(packet, MARKER)
    assert (marker_of(merged), notes) == (MARKER, ())


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_a_packet_in_other_encodings_of_unicode_is_merged_too(xmp, encoding):
    merged, notes = merge(xmp.decode().lstrip("\ufeff").encode(encoding), MARKER)
    assert notes == ()
    assert marker_of(merged) == MARKER
    assert attributes(merged)[SHELF] == "17"


def test_iptc_fields_move_to_the_properties_that_the_standard_names(iim, xmp):
    properties, left = iim_to_xmp(iim)
    assert left == 1
    assert properties["dc:description", "alt"] == ["Am Strand, 1906: Müller"]
    assert properties["dc:subject", "bag"] == ["beach", "family"]
    assert properties["photoshop:DateCreated", "text"] == ["1906-04-18"]
    merged, _ = merge(xmp, None, properties)
    text = [element.text for element in ElementTree.fromstring(merged).iter() if element.text]
    for value in ("Anna Atkins", "family", "(c) Archive & Sons", "Am Strand, 1906: Müller"):
        assert value in text


def test_what_xmp_says_already_is_left_alone(xmp):
    once, _ = merge(xmp, None, {("dc:creator", "seq"): ["first"]})
    twice, _ = merge(once, None, {("dc:creator", "seq"): ["second"], ("dc:title", "alt"): ["t"]})
    assert b"first" in twice
    assert b"second" not in twice
    assert b"<dc:title>" in twice


def test_utf_8_captions_are_told_from_latin_1():
    iim = b"\x1c\x01\x5a\0\x03\x1b%G" + b"\x1c\x02\x78\0\x02" + "ü".encode()
    assert iim_to_xmp(iim)[0]["dc:description", "alt"] == ["ü"]


def test_resources_survive_but_for_the_thumbnail(app13, iim):
    stale = b"8BIM\x04\x0c\0\0\0\0\0\x03abc\0" + b"8BIM\x04\x0a\x01n\0\0\0\x01x\0"
    block = to_app13(app13 + stale)
    assert to_iim(block) == iim
    assert b"abc" not in block
    assert b"8BIM\x04\x0a\x01n\0\0\0\x01x\0" in block
    assert to_app13(iim) == app13
    assert len(list(datasets(iim))) == 7


def _pillow_exif(path_or_file):
    with Image.open(path_or_file) as picture:
        block = picture.getexif()
        return dict(block), dict(block.get_ifd(EXIF_IFD)), dict(block.get_ifd(GPS_IFD))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_exif_reaches_every_format_as_another_reader_sees_it(jpeg_with_everything, neutral, suffix):
    photo = Photo.open(jpeg_with_everything)
    target = photo.path.with_name(f"b.{suffix}")
    write_photo(photo, [neutral(photo)], target, marker=None)
    main, camera, place = _pillow_exif(target)
    assert main[0x010F] == "Kodak"
    assert main[0x8298] == "Archive & Sons"
    assert camera[0x9003] == "1906:04:18 05:12:00"
    assert place[1] == "N"
    assert [float(x) for x in place[2]] == [47.0, 22.0, 41.5]


@pytest.mark.parametrize(("suffix", "endian"), [("tif", "<"), ("jpg", "<"), ("jpg", ">")])
def test_exif_of_either_byte_order_passes_through_a_tiff(save, gray, exif, neutral, suffix, endian):
    block = Image.Exif()
    block.load(exif.tobytes())
    block.endian = endian
    photo = Photo.open(save(gray, f"a.{suffix}", exif=block))
    assert (b"MM\0*" in photo.path.read_bytes()) == (endian == ">")
    first = write_photo(photo, [neutral(photo)], None, marker=None, format="tiff").data
    second = Photo.open(first)
    data = write_photo(second, [neutral(second)], None, marker=None, format="jpeg").data
    main, camera, place = _pillow_exif(io.BytesIO(data))
    assert (main[0x010F], camera[0x9003], place[1]) == ("Kodak", "1906:04:18 05:12:00", "N")


def test_iptc_of_a_jpeg_reaches_a_tiff_and_comes_back_whole(jpeg_with_everything, neutral, iim):
    photo = Photo.open(jpeg_with_everything)
    tiff = Photo.open(write_photo(photo, [neutral(photo)], None, marker=None, format="tiff").data)
    assert to_iim(tiff.metadata.iptc) == iim
    jpeg = Photo.open(write_photo(tiff, [neutral(tiff)], None, marker=None, format="jpeg").data)
    assert to_iim(jpeg.metadata.iptc) == iim


def test_the_stale_thumbnail_is_dropped_and_said(save, gray, neutral):
    small = io.BytesIO()
    Image.fromarray(gray[::4, ::4]).save(small, "jpeg")
    exif = _with_thumbnail(small.getvalue())
    photo = Photo.open(save(gray, "a.jpg", exif=exif))
    assert small.getvalue() in photo.metadata.exif
    written = write_photo(photo, [neutral(photo)], None, marker=None)
    assert written.notes == ("The embedded thumbnail showed the original picture: dropped.",)
    back = Photo.open(written.data)
    assert "jpeg-thumbnail-data" not in back.headers[0].fields
    assert b"Kodak" in back.metadata.exif
    assert small.getvalue()[:200] not in written.data


def _with_thumbnail(jpeg):
    """Lay out an EXIF block by hand: a maker, and a second directory with a thumbnail."""
    import struct

    first = struct.pack("<H", 1) + struct.pack("<HHI", 0x010F, 2, 6) + struct.pack("<I", 60)
    second_at = 8 + len(first) + 4
    body = b"II*\0" + struct.pack("<I", 8) + first + struct.pack("<I", second_at)
    second = struct.pack("<H", 3)
    for tag, value in ((0x0103, 6), (0x0201, 80), (0x0202, len(jpeg))):
        second += struct.pack("<HHII", tag, 4 if tag != 0x0103 else 3, 1, value)
    body += second + bytes(4)
    shift = len(body)
    body = body.replace(struct.pack("<I", 60), struct.pack("<I", shift), 1)
    body = body.replace(struct.pack("<I", 80), struct.pack("<I", shift + 6), 1)
    return b"Exif\0\0" + body + b"Kodak\0" + jpeg


def test_damaged_exif_is_left_out_and_said(save, gray, neutral):
    photo = Photo.open(save(gray, "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\0\0"))
    written = write_photo(photo, [neutral(photo)], None, marker=None)
    assert "The EXIF block is damaged" in written.notes[0]


@pytest.mark.parametrize(
    "content", [b"", b"II", b"II*\0\x08\0\0\0\xff\xff", b"II*\0\x08\0\0\0\x01\0\0\x01\x07\0"]
)
def test_damaged_directories_are_an_error_not_a_crash(content):
    with pytest.raises(TiffError):
        reader = TiffReader(io.BytesIO(content))
        list(reader.pages())
        edited(content, 1, None)


def test_a_chain_of_directories_that_bites_its_tail_ends():
    loop = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"
    assert len(list(TiffReader(io.BytesIO(loop)).pages())) == 1


def test_metadata_of_a_picture_without_any_stays_none(save, gray):
    metadata = Photo.open(save(gray, "a.webp")).metadata
    assert (metadata.exif, metadata.xmp, metadata.iptc, metadata.profile) == (None,) * 4
    assert np.isclose(metadata.resolution["xres"], 1.0)


def test_a_packet_too_large_for_a_jpeg_still_leaves_the_marker(save, gray, neutral, xmp):
    large = xmp.replace(b"kept", b"k" * 70_000)
    png = save(gray, "a.png", pnginfo=png_text("XML:com.adobe.xmp", large.decode()))
    photo = Photo.open(png)
    written = write_photo(photo, [neutral(photo)], None, marker=MARKER, format="jpeg")
    assert Photo.open(written.data).marker == MARKER
    assert any("XMP has" in note and "left out" in note for note in written.notes)


def test_the_text_of_a_png_stays_in_png_and_is_said_elsewhere(save, gray, neutral):
    photo = Photo.open(save(gray, "a.png", pnginfo=png_text("Description", "the old mill")))
    kept = write_photo(photo, [neutral(photo)], None, marker=None)
    assert Image.open(io.BytesIO(kept.data)).text["Description"] == "the old mill"
    assert kept.notes == ()
    lost = write_photo(photo, [neutral(photo)], None, marker=None, format="jpeg")
    assert lost.notes == ("Text, which only PNG can hold, left out: Description.",)


def test_the_comments_of_a_jpeg_stay_in_jpeg_and_are_said_elsewhere(save, gray, neutral, tmp_path):
    path = save(gray, "a.jpg", comment=b"Danzig 1923")
    data = path.read_bytes()
    second = b"\xff\xff\xfe\x00\x06Mon\xe9"  # behind a fill byte
    path.write_bytes(data[:2] + second + data[2:])
    photo = Photo.open(path)
    kept = write_photo(photo, [neutral(photo)], tmp_path / "b.jpg", marker=MARKER)
    again = Photo.open(kept.path)
    assert again.metadata.comments == (b"Mon\xe9", b"Danzig 1923")
    assert (again.marker, kept.notes) == (MARKER, ())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "b.jpg"]
    moved = write_photo(photo, [neutral(photo)], None, marker=None, format="png")
    assert [piece.data for piece in Photo.open(moved.data).metadata.pieces] == [
        b"Comment\0Mon\xe9",
        b"Comment\0Danzig 1923",
    ]
    lost = write_photo(photo, [neutral(photo)], None, marker=None, format="webp")
    assert lost.notes == ("Only JPEG and PNG can hold a comment: left out.",)


def test_a_comment_that_no_segment_holds_becomes_several(save, gray, neutral, tmp_path):
    comment = b"0123456789" * 7_000
    photo = Photo.open(save(Image.fromarray(gray), "a.gif", comment=comment))
    kept = write_photo(photo, [neutral(photo)], tmp_path / "b.jpg", marker=None)
    assert b"".join(Photo.open(kept.path).metadata.comments) == comment


def test_a_jpeg_that_breaks_off_gives_the_comments_until_there(save, gray):
    path = save(gray, "a.jpg", comment=b"Danzig 1923")
    data = path.read_bytes()
    whole = data.index(b"Danzig 1923") + len(b"Danzig 1923")
    for cut in range(2, whole + 30):
        path.write_bytes(data[:cut])
        assert read_jpeg(path).comments == ((b"Danzig 1923",) if cut >= whole else ())


def test_a_jpeg_of_nothing_but_segments_holds_nobody_up(tmp_path):
    path = tmp_path / "long.jpg"
    path.write_bytes(b"\xff\xd8" + b"\xff\xfe\x00\x03a" * 5_000)
    assert len(read_jpeg(path).comments) == 1_000
    path.write_bytes(b"\xff\xd8" + b"\xff" * 50_000)
    assert read_jpeg(path).comments == ()


def png_text(keyword, text):
    info = PngInfo()
    info.add_itxt(keyword, text)
    return info


RDF = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="Größe"%s</rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("name", ["rot13", "iso-8859-1", "ebcdic-cp-us", "no-such-thing", "zip"])
def test_a_packet_that_declares_another_encoding_is_read_as_what_it_is(name):
    written = "latin-1" if name == "iso-8859-1" else "utf-8"
    head = f'<?xml version="1.0" encoding="{name}"?>'
    merged, notes = merge((head + RDF % "/>").encode(written), MARKER)
    assert (marker_of(merged), notes) == (MARKER, ())
    assert "Größe".encode() in merged
    assert b"<?xml" not in merged


def test_xmp_does_not_announce_what_is_left_out():
    announced = RDF % (
        " xmlns:h='http://ns.adobe.com/hdr-gain-map/1.0/' h:Version='1>0' "
        'xmlns:C="http://ns.google.com/photos/1.0/container/" '
        'xmlns:G="http://ns.google.com/photos/1.0/camera/" G:MotionPhoto="1" G:Other="kept">'
        "<C:Directory><rdf:Seq><rdf:li>GainMap</rdf:li></rdf:Seq></C:Directory>"
        "<G:MicroVideoOffset>9</G:MicroVideoOffset><dc:title>kept too</dc:title></rdf:Description>"
    )
    merged, notes = merge(announced.encode(), MARKER)
    for gone in (b"Version='1", b"GainMap", b"MotionPhoto", b"MicroVideo"):
        assert gone not in merged
    for kept in (b'G:Other="kept"', b"kept too", "Größe".encode()):
        assert kept in merged
    assert notes == (
        "Left out, and no longer announced in XMP: a gain map (HDR), a film (motion photo), "
        "further pictures (Container).",
    )
    assert marker_of(merged) == MARKER


@pytest.mark.parametrize("big", [False, True])
def test_one_bad_pointer_costs_nothing_but_itself(big, neutral, tmp_path, iim):
    path = tmp_path / "a.tif"
    gray = pyvips.Image.black(40, 30).cast("uchar").copy(interpretation="b-w")
    gray.tiffsave(str(path), bigtiff=big)
    nowhere = Entry(16, b"\xf0" + b"\xff" * 7) if big else Entry(4, b"\xf0\xff\xff\xff")
    mill = Entry(2, b"the mill\0")
    write_metadata(path, None, iim, {270: mill, EXIF_IFD: nowhere})
    photo = Photo.open(path)
    assert len([note for note in photo.notes if "EXIF of the TIFF is damaged" in note]) == 1
    written = write_photo(photo, [neutral(photo)], tmp_path / "b.tif", marker=MARKER)
    assert to_iim(Photo.open(written.path).metadata.iptc) == iim
    with written.path.open("rb") as file:
        reader = TiffReader(file)
        assert reader.directory(reader.first, {270})[0][270].data == b"the mill\0"


def test_exif_enters_a_bigtiff_too(neutral, tmp_path, exif):
    path = tmp_path / "a.tif"
    pyvips.Image.black(40, 30).cast("uchar").tiffsave(str(path), bigtiff=True)
    write_metadata(path, exif.tobytes(), None)
    block = Image.Exif()
    block.load(Photo.open(path).metadata.exif)
    assert block[0x010F] == "Kodak"
    assert block.get_ifd(EXIF_IFD)[0x9003] == "1906:04:18 05:12:00"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_a_resolution_without_a_unit_stays_one(save, gray, neutral, suffix, tmp_path):
    path = save(gray, "a.tif", tiffinfo={282: 72.0, 283: 36.0, 296: 1})
    photo = Photo.open(path)
    wanted = {"xres": 72.0, "yres": 36.0, "resolution-unit": "none"}
    assert photo.metadata.resolution == wanted
    written = write_photo(photo, [neutral(photo)], tmp_path / f"b.{suffix}", marker=None)
    assert Photo.open(written.path).metadata.resolution == wanted


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_no_resolution_stays_none(save, gray, neutral, suffix, tmp_path):
    photo = Photo.open(save(gray, "a.webp"))
    written = write_photo(photo, [neutral(photo)], tmp_path / f"b.{suffix}", marker=None)
    back = Photo.open(written.path).metadata
    assert "resolution-unit" not in back.resolution or back.resolution["xres"] == 1
    assert back.exif is None


def test_one_bad_value_of_exif_costs_nothing_but_itself(save, gray, tmp_path, exif):
    path = save(gray, "a.tif")
    write_metadata(path, exif.tobytes(), None)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x03\x90\x02\0")  # DateTimeOriginal, a text
    data[at + 8 : at + 12] = b"\xf0\xff\xff\xff"
    photo = Photo.open(bytes(data))
    assert photo.notes == ("EXIF tags left out: 36867.",)
    block = Image.Exif()
    block.load(photo.metadata.exif)
    assert block[0x010F] == "Kodak"
    assert block.get_ifd(GPS_IFD)[1] == "N"
