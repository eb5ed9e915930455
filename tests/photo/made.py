"""Files that no library here writes, byte by byte from the specifications; and their L*."""

import struct
import zlib

import numpy as np

TIFF_CODES = {1: "B", 3: "H", 4: "I", 5: "I", 10: "i"}  # a rational is two numbers
GRID = 17  # places on each axis of a table of a profile


def star(luminance):
    """CIE 15: L* of Y."""
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, 24389 / 27 * luminance)


def seen(photo):
    """Return a photo's L*, at full size."""
    return photo.lightness_codes() / 655.35


def chunk(kind, data):
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels, chunks=()):
    """Return a PNG of 8 or 16 bits, gray or RGB, with chunks before the pixels."""
    height, width = pixels.shape[:2]
    wide = pixels.dtype == np.uint16
    rows = pixels.astype(">u2" if wide else "u1").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(
        ">IIBBBBB", width, height, 16 if wide else 8, 2 * (pixels.ndim == 3), 0, 0, 0
    )
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            *(chunk(kind, data) for kind, data in chunks),
            chunk(b"IDAT", zlib.compress(raw)),
            chunk(b"IEND", b""),
        )
    )


def tiff(*pages, order="<"):
    """Return a TIFF of pages, each (tags, [strip or tile bytes]).

    `tags` are {tag: (type, values)}; those of offsets and byte counts are added.
    """
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0))
    pointer = 4
    for tags, parts in pages:
        offsets = []
        for part in parts:
            offsets.append(len(out))
            out += part + bytes(len(part) % 2)
        places = (324, 325) if 322 in tags else (273, 279)
        tags = tags | {places[0]: (4, offsets), places[1]: (4, [len(part) for part in parts])}
        entries = []
        for tag, (kind, values) in sorted(tags.items()):
            data = struct.pack(f"{order}{len(values)}{TIFF_CODES[kind]}", *values)
            if len(data) > 4:
                at = len(out)
                out += data + bytes(len(data) % 2)
                data = struct.pack(order + "I", at)
            count = len(values) // (2 if kind in (5, 10) else 1)
            entries.append(struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0"))
        out[pointer : pointer + 4] = struct.pack(order + "I", len(out))
        out += struct.pack(order + "H", len(entries)) + b"".join(entries)
        pointer = len(out)
        out += bytes(4)
    return bytes(out)


def baseline(width, height, *, bits=(8,), photometric=1, compression=1, **more):
    """Return the tags of a page of one strip; `more` by 't' and the tag's number."""
    tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, list(bits)),
        259: (3, [compression]),
        262: (3, [photometric]),
        277: (3, [len(bits)]),
        278: (4, [height]),
    }
    return tags | {int(name[1:]): value for name, value in more.items()}


def icc(space, tags):
    """Return an input profile with these tags."""
    table, body = struct.pack(">I", len(tags)), b""
    start = 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI", start + len(body), bytes(4), 0x02400000) + b"scnr" + space + b"Lab "
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def table_profile(to_lab, *, back=None):
    """Return an RGB profile of tables alone: to_lab of (n, 3) in [0, 1], and what `back` says."""
    steps = np.linspace(0, 1, GRID)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    lab = to_lab(cube)
    codes = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], axis=-1)
    tags = {b"A2B0": _table(codes)}
    if back is not None:
        tags[b"B2A0"] = _table(back(cube) * 65535)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    return icc(
        b"RGB ", {b"desc": text, b"cprt": b"text" + bytes(4) + b"x\0", b"wtpt": white} | tags
    )


def _table(codes):
    ramp = np.linspace(0, 65535, 256).round().astype(">u2").tobytes()
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return b"".join(
        (
            b"mft2" + bytes(4) + bytes([3, 3, GRID, 0]) + identity + struct.pack(">HH", 256, 2),
            ramp * 3,
            np.clip(codes, 0, 65535).round().astype(">u2").tobytes(),
            struct.pack(">2H", 0, 65535) * 3,
        )
    )


def dng(light, *, order="<", **more):
    """Give a camera raw, DNG 1.4, of 16 bits: linear light (H, W, 3) in [0, 1] behind RGGB."""
    mosaic = light[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = light[0::2, 0::2, 0], light[1::2, 1::2, 2]
    to_srgb = (3.2404, -1.5371, -0.4985, -0.9692, 1.876, 0.0415, 0.0556, -0.204, 1.0572)
    matrix = [number for value in to_srgb for number in (round(value * 10000), 10000)]
    height, width = mosaic.shape
    tags = baseline(width, height, bits=(16,), photometric=32803) | {
        272: (1, list(b"Test\0")),  # its name may be of bytes
        33421: (3, [2, 2]),
        33422: (1, [0, 1, 1, 2]),
        50706: (1, [1, 4, 0, 0]),
        50717: (4, [65535]),
        50721: (10, matrix),
        50728: (5, [1, 1] * 3),
        50778: (3, [21]),  # D65
    }
    tags |= {int(name[1:]): value for name, value in more.items()}
    return tiff((tags, [np.round(mosaic * 65535).astype(order + "u2").tobytes()]), order=order)
