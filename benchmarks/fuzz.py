"""Mutate small pictures of every format and metadata by a seed, and read and write them.

    python benchmarks/fuzz.py --seconds 3600 --corpus folder

A file that is read, or refused in one line, is right. Anything else is a fault: another exception,
a death of the process, more than 5 seconds, or more than 100 MB held beyond what its pixels need.
Each kind runs in a process of its own. With --corpus, files at fault and the worst are kept there,
and all that lies there is mutated too. The seed and the number of a file make it again.
"""

import argparse
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from PIL import Image

from photochrom.errors import PhotochromError
from photochrom.photo.metadata.exif import edited
from photochrom.photo.metadata.iptc import iim_to_xmp, to_app13, to_iim
from photochrom.photo.metadata.xmp import Marker, marker_of, merge
from photochrom.photo.photo import Photo
from photochrom.photo.tiff import TiffError
from photochrom.photo.write import write_photo

MOST_SECONDS, MOST_MEGABYTES = 5.0, 100.0
BYTES_FOR_A_PIXEL = 40  # what the pixels need: buffers of decoder, conversion and encoder
MARKER = Marker("fuzz", "1")
SUFFIXES = {"jpeg": ".jpg", "tiff": ".tif"}
INTERESTING = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
PACKET = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a &gt; b" '
    b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"><dc:creator><rdf:Seq>'
    b"<rdf:li>Anna</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
    b'<?xpacket end="w"?>'
)
IIM = b"\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x78\0\x05beach\x1c\x02\x37\0\x0819060418"


def scene() -> np.ndarray:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:48, 0:64]
    return np.clip(x * 2 + y + rng.normal(0, 6, (48, 64)), 0, 255).astype(np.uint8)


def exif() -> bytes:
    block = Image.Exif()
    block[0x010E], block[0x0112], block[0x010F] = "the old mill", 6, "Kodak"
    block[0x011A] = block[0x011B] = 300.0
    block.get_ifd(0x8769)[0x9003] = "1906:04:18 05:12:00"
    block.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 41.5)})
    return block.tobytes()


def seeds(kind: str) -> list[bytes]:
    """Make small files of a kind, each with another feature."""
    gray = Image.fromarray(scene())
    rgb, alpha = gray.convert("RGB"), gray.convert("LA")
    words = {"exif": exif(), "xmp": PACKET}

    def save(picture: Image.Image, name: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, name, **options)
        return buffer.getvalue()

    if kind == "jpeg":
        plain = save(gray, "jpeg", comment=b"Danzig", dpi=(72, 72), **words)
        return [plain, save(rgb, "jpeg", progressive=True), save(rgb.convert("CMYK"), "jpeg")]
    if kind == "png":
        more = [save(alpha, "png"), save(rgb.quantize(8), "png")]
        wide = pyvips.Image.new_from_array(scene().astype(np.uint16) * 257)
        more.append(bytes(wide.pngsave_buffer(interlace=True)))
        texts = b"".join(
            chunk(*c)
            for c in (
                (b"tEXt", b"Title\0Stra\xdfe"),
                (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(digits(exif()))),
                (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET),
                (b"eXIf", exif()[6:]),
            )
        )
        return [save(gray, "png")[:33] + texts + save(gray, "png")[33:], *more]
    if kind == "tiff":
        image = pyvips.Image.new_from_array(scene())
        made = [save(gray, "tiff", save_all=True, append_images=[rgb, gray], **words)]
        for options in (
            {"tile": True, "tile_width": 16, "tile_height": 16, "compression": "deflate"},
            {"compression": "lzw", "predictor": "horizontal"},
            {"compression": "jpeg"},
            {"bigtiff": True},
            {"compression": "ccittfax4", "bitdepth": 1},
        ):
            made.append(bytes(image.tiffsave_buffer(**options)))
        return made
    if kind == "webp":
        frames = [rgb, rgb.rotate(9)]
        return [
            save(rgb, "webp", **words),
            save(alpha.convert("RGBA"), "webp", lossless=True),
            save(frames[0], "webp", save_all=True, append_images=frames[1:]),
        ]
    if kind == "avif":
        return [save(rgb, "avif", **words), save(alpha.convert("RGBA"), "avif", speed=9)]
    if kind == "gif":
        animated = save(gray, "gif", save_all=True, append_images=[gray.rotate(9)])
        return [save(gray, "gif", comment=b"Danzig"), animated]
    return {"xmp": [PACKET], "exif": [exif()[6:]], "iptc": [IIM, to_app13(IIM)]}[kind]


def digits(data: bytes) -> bytes:
    return f"\nexif\n{len(data):8d}\n".encode() + data.hex().encode() + b"\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def mutated(rng: random.Random, pool: list[bytes], kind: str) -> bytes:
    """Change one of the pool in one to eight places."""
    data = bytearray(rng.choice(pool))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if not data:
            break
        at, how = rng.randrange(len(data)), rng.randrange(8)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at] = rng.randrange(256)
        elif how in (2, 3):
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(INTERESTING) & (256**size - 1)
            data[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
        elif how == 4:
            del data[at : len(data) if rng.random() < 0.3 else at + rng.randrange(1, 40)]
        elif how == 5:
            data[at:at] = data[at : at + rng.randrange(1, 200)] * rng.choice((1, 2, 50))
        elif how == 6:
            data[at:at] = rng.randbytes(rng.randrange(1, 30))
        else:
            other = rng.choice(pool)
            data[at:] = other[rng.randrange(len(other)) :]
    if kind == "png" and rng.random() < 0.8:
        return with_sums(bytes(data))
    return bytes(data)


def with_sums(data: bytes) -> bytes:
    """Return each chunk of a PNG the sum that it needs, so that more than sums is tried."""
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if at + 12 + size > len(data):
            break
        body = data[at + 4 : at + 8 + size]
        parts.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + size
    return b"".join(parts) + data[at:]


def try_picture(path: Path, pixels: list[int]) -> None:
    """Read and write a picture; note how many pixels its pages say that they have."""
    photo = Photo.open(path, max_megapixels=50)
    pixels += [header.width * header.height for header in photo.headers]
    photo.small_lightness(16, 16)
    pages = []
    for page in range(photo.pages):
        tone = photo.tone(page).codes
        eight = tone if tone.format == "uchar" else (tone >> 8).cast("uchar")
        pages.append(eight.bandjoin([eight, eight]).copy(interpretation="srgb"))
    write_photo(photo, pages, None, marker=MARKER)


def try_words(kind: str, data: bytes) -> None:
    if kind == "xmp":
        merged, _ = merge(data, MARKER)
        assert marker_of(merged) == MARKER
    elif kind == "exif":
        edited(data, 1, {"xres": 10.0, "yres": 10.0, "resolution-unit": "in"})
    else:
        iim_to_xmp(to_iim(data))
        to_app13(data)


def status() -> dict[str, str]:
    """Return what Linux says of this process; {} elsewhere."""
    path = Path("/proc/self/status")
    if not path.exists():
        return {}
    return dict(line.split(":", 1) for line in path.read_text().splitlines())


def peak() -> float:
    """Return the most that this process has held since it was last asked, MB; 0 elsewhere."""
    lines = status()
    if not lines:
        return 0.0
    Path("/proc/self/clear_refs").write_text("5")
    return int(lines["VmHWM"].split()[0]) / 1024


def held() -> float:
    return int(status().get("VmRSS", "0").split()[0]) / 1024


def fuzz(kind: str, seconds: float, seed: int, corpus: Path | None) -> dict[str, Any]:
    """Try mutated files of a kind for some seconds; give what was found."""
    rng = random.Random(f"{kind} {seed}")
    pool = seeds(kind)
    if corpus is not None:
        pool += [path.read_bytes() for path in sorted(corpus.glob(f"{kind}-*"))]
    found: dict[str, Any] = {"kind": kind, "files": 0, "read": 0, "faults": []}
    found |= {"worst_seconds": 0.0, "worst_megabytes": 0.0}
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"mutated{SUFFIXES.get(kind, '.' + kind)}"
        while time.monotonic() < end:
            data = mutated(rng, pool, kind)
            path.write_bytes(data)  # what a death of this process leaves behind
            if corpus is not None:
                (corpus / f".{kind}-in-work").write_bytes(data)
            one(kind, data, path, found, corpus)
    if corpus is not None:
        (corpus / f".{kind}-in-work").unlink(missing_ok=True)
    return found


def one(kind: str, data: bytes, path: Path, found: dict[str, Any], corpus: Path | None) -> None:
    found["files"] += 1
    begun, before, pixels = time.process_time(), held(), list[int]()
    peak()
    fault = ""
    try:
        if kind in ("xmp", "exif", "iptc"):
            try_words(kind, data)
        else:
            try_picture(path, pixels)
        found["read"] += 1
    except (PhotochromError, TiffError) as error:
        if "\n" in str(error):
            fault = f"more than a line: {error}"
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    spent = time.process_time() - begun
    megabytes = peak() - before - sum(pixels) * BYTES_FOR_A_PIXEL / 1e6
    if spent > MOST_SECONDS or megabytes > MOST_MEGABYTES:
        fault = f"{spent:.1f} s, {megabytes:.0f} MB"
    is_worst = spent > max(1.0, found["worst_seconds"])
    found["worst_seconds"] = max(found["worst_seconds"], round(spent, 2))
    found["worst_megabytes"] = max(found["worst_megabytes"], round(megabytes))
    if fault and len(found["faults"]) < 20:
        found["faults"].append(f"file {found['files']}: {fault}"[:300])
    if corpus is not None and (fault or is_worst):
        name = f"{kind}-{zlib.crc32(data):08x}{path.suffix}"
        (corpus / name).write_bytes(data)


KINDS = ("jpeg", "png", "tiff", "webp", "avif", "gif", "xmp", "exif", "iptc")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all kinds together")
    parser.add_argument("--kind", choices=KINDS, help="default: each in turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="a folder for what is worth keeping")
    asked = parser.parse_args()
    if asked.corpus is not None:
        asked.corpus.mkdir(parents=True, exist_ok=True)
    if asked.kind is not None:
        print(json.dumps(fuzz(asked.kind, asked.seconds, asked.seed, asked.corpus)), flush=True)
        return 0
    failed = 0
    for kind in KINDS:
        words = [sys.executable, __file__, "--kind", kind, "--seed", str(asked.seed)]
        words += ["--seconds", str(asked.seconds / len(KINDS))]
        if asked.corpus is not None:
            words += ["--corpus", str(asked.corpus)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout.strip() or f"{kind}: died with {done.returncode}", flush=True)
        failed += done.returncode != 0 or bool(json.loads(done.stdout)["faults"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
