"""IPTC-IIM, the caption block of press photographs, and its conversion to XMP.

Sources: IPTC-IIM 4.2 (datasets: 0x1C, record, number, size); "IPTC Photo Metadata Standard
2023.1", which names the XMP property of each; Photoshop file format, "Image resource section"
(0x0404 holds the IIM block; 0x0409 and 0x040C hold thumbnails).
"""

from collections.abc import Iterator

APP13 = b"Photoshop 3.0\0"
IIM_RESOURCE = 0x0404
STALE_RESOURCES = (0x0409, 0x040C, 0x0425)  # thumbnails, and the digest of the IIM block
UTF8 = b"\x1b%G"
CHARACTER_SET, DATE_CREATED = (1, 90), (2, 55)

# (record, dataset) -> XMP property, and its container: 'text', 'alt', 'bag' or 'seq'.
IIM_TO_XMP = {
    (2, 5): ("dc:title", "alt"),
    (2, 25): ("dc:subject", "bag"),
    (2, 40): ("photoshop:Instructions", "text"),
    (2, 55): ("photoshop:DateCreated", "text"),
    (2, 80): ("dc:creator", "seq"),
    (2, 85): ("photoshop:AuthorsPosition", "text"),
    (2, 90): ("photoshop:City", "text"),
    (2, 95): ("photoshop:State", "text"),
    (2, 101): ("photoshop:Country", "text"),
    (2, 103): ("photoshop:TransmissionReference", "text"),
    (2, 105): ("photoshop:Headline", "text"),
    (2, 110): ("photoshop:Credit", "text"),
    (2, 115): ("photoshop:Source", "text"),
    (2, 116): ("dc:rights", "alt"),
    (2, 120): ("dc:description", "alt"),
    (2, 122): ("photoshop:CaptionWriter", "text"),
}


def resources(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Walk Photoshop's image resources: their number, name field and content."""
    at = len(APP13) if block.startswith(APP13) else 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        name_end = at + 7 + block[at + 6] + (block[at + 6] + 1) % 2
        size = int.from_bytes(block[name_end : name_end + 4], "big")
        content = block[name_end + 4 : name_end + 4 + size]
        yield number, block[at + 6 : name_end], content
        at = name_end + 4 + size + size % 2


def to_iim(block: bytes) -> bytes:
    """Return the IIM datasets of an APP13 segment, or of an IIM block."""
    if block[:1] == b"\x1c":
        return block.rstrip(b"\0")
    return next((content for n, _, content in resources(block) if n == IIM_RESOURCE), b"")


def to_app13(block: bytes) -> bytes:
    """Return an APP13 segment with the resources of `block` that stay valid after colouring."""
    if block[:1] == b"\x1c":
        kept = [(IIM_RESOURCE, b"\0\0", block)]
    else:
        kept = [entry for entry in resources(block) if entry[0] not in STALE_RESOURCES]
    return _packed(kept)


def with_iim(block: bytes, iim: bytes | None) -> bytes:
    """Return Photoshop's resources with these IIM datasets, if any, instead of their own."""
    kept = list(resources(block))
    if iim:
        kept = [entry for entry in kept if entry[0] != IIM_RESOURCE]
        kept.append((IIM_RESOURCE, b"\0\0", iim))
    return _packed(kept)


def has_more_than_iim(block: bytes) -> bool:
    """Return whether there are resources besides IIM that stay valid after colouring."""
    if block[:1] == b"\x1c":
        return False
    return any(number not in (IIM_RESOURCE, *STALE_RESOURCES) for number, _, _ in resources(block))


def _packed(kept: list[tuple[int, bytes, bytes]]) -> bytes:
    parts = [APP13] if kept else []
    for number, name, content in kept:
        size = len(content).to_bytes(4, "big")
        end = b"\0" * (len(content) % 2)
        parts += [b"8BIM", number.to_bytes(2, "big"), name, size, content, end]
    return b"".join(parts)


def datasets(iim: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Walk the datasets of an IIM block: (record, number) and content."""
    at = 0
    while iim[at : at + 1] == b"\x1c" and at + 5 <= len(iim):
        size = int.from_bytes(iim[at + 3 : at + 5], "big")
        if size & 0x8000:  # extended: the size of the size comes first; never used for text
            return
        yield (iim[at + 1], iim[at + 2]), iim[at + 5 : at + 5 + size]
        at += 5 + size


def iim_to_xmp(iim: bytes) -> tuple[dict[tuple[str, str], list[str]], int]:
    """Return the fields of an IIM block as XMP properties.

    Returns
    -------
    properties : dict
        (property, container) -> values.
    left : int
        Number of datasets without an XMP equivalent here.
    """
    found = list(datasets(iim))
    encoding = "utf-8" if (CHARACTER_SET, UTF8) in found else "latin-1"
    properties: dict[tuple[str, str], list[str]] = {}
    left = 0
    for key, content in found:
        if key in IIM_TO_XMP:
            text = content.decode(encoding, "replace")
            if key == DATE_CREATED and len(text) == 8 and text.isdigit():
                text = f"{text[:4]}-{text[4:6]}-{text[6:]}"  # XMP's form of 19060418
            properties.setdefault(IIM_TO_XMP[key], []).append(text)
        elif key[1] != 0 and key != CHARACTER_SET:
            left += 1
    return properties, left
