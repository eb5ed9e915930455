"""Write photochrom's properties to XMP packets without losing existing ones.

Sources: ISO 16684-1 (XMP), "IPTC Photo Metadata Standard 2023.1" (DigitalSourceType).

New properties go into an rdf:Description of their own, inserted as text before the closing
rdf:RDF. The packet is not serialised again, so unknown namespaces, comments and the wrapper stay
byte for byte. expat reports the positions, in one pass. A packet that declares a document type or
entities (a known attack), or is nested too deeply for XMP, counts as damaged.
"""

import html  # and not xml.sax, which imports an HTTP client
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from xml.parsers import expat

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MARKER = "https://github.com/photochrom/photochrom/ns/1.0/"
IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = (IPTC_EXTENSION, "DigitalSourceType")
DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
XMP_NOTE = "http://ns.adobe.com/xmp/note/"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
# Namespaces that announce further content of the file, which is not copied.
ANNOUNCING = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": "a gain map (HDR)",
    "http://ns.apple.com/HDRGainMap/1.0/": "a gain map (HDR)",
    "http://ns.google.com/photos/1.0/container/": "further pictures (Container)",
    "http://ns.google.com/photos/1.0/depthmap/": "a depth map",
    "http://ns.google.com/photos/1.0/image/": "the original picture",
    "http://ns.google.com/photos/1.0/audio/": "sound",
    "http://ns.google.com/photos/dd/1.0/device/": "a depth map",
}
MOTION_PHOTO = "a film (motion photo)"
CONTAINERS = {"alt": "Alt", "bag": "Bag", "seq": "Seq"}
EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
).encode()
MOST_DEPTH = 200
MOST_ELEMENTS = 100_000
MOST_BYTES = 4_000_000  # of a packet; files may hold less, see `photochrom.photo.metadata.carried`
ENCODINGS = {"iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii", "windows-1252"}
SPLIT = "\x1f"  # between namespace, name and prefix in expat's names; XML cannot contain it


@dataclass(frozen=True)
class Marker:
    """The marker that photochrom writes into each coloured picture.

    Attributes
    ----------
    method : str
    version : str
        Of photochrom.
    weights : str
        SHA-256 of the network's file, or ''.
    recipe : str
        Hash of every parameter that shaped the result.
    tool : str
    source : str
        The state of the file that was coloured: size, time and hash, see
        `photochrom.engine.output_names.state_of`. Two markers are equal whatever it is.
    """

    method: str
    version: str
    weights: str = ""
    recipe: str = ""
    tool: str = "photochrom"
    source: str = field(default="", compare=False)


@dataclass(slots=True)
class _Element:
    """An element: its expanded name, its attributes, and the offsets of its start and end tags."""

    name: tuple[str, str]
    attributes: dict[tuple[str, str], tuple[str, str]]  # expanded name -> name as written, value
    start: int
    end: int = -1
    text: str = ""
    children: int = 0


class _BrokenError(ValueError):
    """A packet that is not XMP, or declares what XMP does not allow."""


class _Packet:
    """A packet in UTF-8, parsed in one pass; _BrokenError if it cannot be."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MOST_BYTES:
            raise _BrokenError("too large")
        self.data = data
        self.elements: list[_Element] = []
        self._open: list[_Element] = []
        parser = expat.ParserCreate("UTF-8", SPLIT)
        parser.namespace_prefixes = True
        parser.buffer_text = True
        self._place: Callable[[], int] = lambda: parser.CurrentByteIndex
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        try:
            parser.Parse(data, True)
        except (expat.ExpatError, ValueError) as error:
            raise _BrokenError(str(error)) from None
        finally:
            self._place = lambda: -1  # the parser's handlers refer to this object

    def _refuse(self, *_: object) -> None:
        raise _BrokenError("a document type or entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MOST_DEPTH:
            raise _BrokenError("nested too deeply")
        if len(self.elements) >= MOST_ELEMENTS:
            raise _BrokenError("too many elements")
        if self._open:
            self._open[-1].children += 1
        given = {_split(key)[:2]: (_split(key)[2], value) for key, value in attributes.items()}
        element = _Element(_split(name)[:2], given, self._place())
        self._open.append(element)
        self.elements.append(element)

    def _end(self, _: str) -> None:
        self._open.pop().end = self._place()

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) < 10_000:
            element.text += text

    def stop(self, element: _Element) -> int:
        """Return the offset after an element."""
        if self.is_self_closing(element):
            return element.end
        return self.data.index(b">", element.end) + 1

    def is_self_closing(self, element: _Element) -> bool:
        """Return whether an element is self-closing: expat then reports the end of its only tag."""
        end = _tag_end(self.data, element.start)
        return element.end == end and self.data[end - 2 : end] == b"/>"

    @property
    def rdf(self) -> _Element | None:
        """The rdf:RDF element."""
        return next((e for e in self.elements if e.name == (RDF, "RDF")), None)


def _split(name: str) -> tuple[str, str, str]:
    """Return the namespace, the local name and the qualified name of one of expat's names."""
    parts = name.split(SPLIT)
    if len(parts) == 1:
        return "", name, name
    return parts[0], parts[1], f"{parts[2]}:{parts[1]}" if len(parts) > 2 else parts[1]


TAG_PART = re.compile(rb"[^\"'>]*+(?:\"[^\"]*+\"|'[^']*+'|(>))")


def _tag_end(data: bytes, start: int) -> int:
    """Return the offset after a tag, in linear time; its values may contain '>'."""
    at = start
    while (part := TAG_PART.match(data, at)) is not None:
        at = part.end()
        if part[1]:
            return at
    raise _BrokenError("an unterminated tag")


def _parse(packet: bytes | None) -> _Packet | None:
    """Parse a packet; return None if it is damaged or has no RDF."""
    if packet is None:
        return None
    try:
        parsed = _Packet(packet.strip(b"\0 \r\n\t"))
    except _BrokenError:
        return None
    return parsed if parsed.rdf is not None else None


def marker_of(packet: bytes | None) -> Marker | None:
    """Return photochrom's marker in an XMP packet, or None."""
    packet = None if packet is None else _as_utf8(packet)
    if packet is None or MARKER.encode() not in packet:
        return None
    parsed = _parse(packet)
    found: dict[str, str] = {}
    names = {(MARKER, each.name): each.name for each in fields(Marker)}
    for element in parsed.elements if parsed is not None else ():
        found |= {
            names[key]: value for key, (_, value) in element.attributes.items() if key in names
        }
        if element.name in names:
            found[names[element.name]] = element.text
    return Marker(**found) if {"method", "version"} <= found.keys() else None


def merge(
    packet: bytes | None,
    marker: Marker | None,
    properties: Mapping[tuple[str, str], list[str]] | None = None,
    *,
    keeps_extended: bool = False,
) -> tuple[bytes | None, tuple[str, ...]]:
    """Insert the marker and further properties into an XMP packet.

    Parameters
    ----------
    packet : bytes or None
        The source's packet.
    marker : Marker or None
        Replaces an earlier marker; IPTC's DigitalSourceType comes with it.
    properties : mapping, optional
        (property, container) -> values, as `iptc.iim_to_xmp` returns them. Existing properties of
        the packet are not changed.
    keeps_extended : bool
        Whether the extended packet that this one may refer to is written too.

    Returns
    -------
    packet : bytes or None
        None if there is nothing to write. It announces no gain map, video or further picture.
    notes : tuple of str
        Whether a damaged packet was replaced, and which announcements were removed.
    """
    notes: tuple[str, ...] = ()
    parsed = None
    if packet is not None:
        parsed = _parse_open(_as_utf8(packet))
        if parsed is None:
            notes = ("The XMP packet was damaged and has been replaced.",)
        else:
            parsed, notes = _without_announcements(parsed, keeps_extended)
    blocks = [] if marker is None else [_marker_block(marker)]
    if marker is not None and parsed is not None:
        parsed = _without(parsed, lambda name: name[0] == MARKER or name == SOURCE_TYPE)
    blocks += [_property_block(parsed, properties)] if properties else []
    addition = "".join(blocks).encode()
    if not addition:
        return None if parsed is None else parsed.data, notes
    whole = parsed or _Packet(EMPTY)
    assert whole.rdf is not None  # `_parse_open` returns no other
    at = whole.rdf.end
    return whole.data[:at] + addition + whole.data[at:], notes


def _parse_open(packet: bytes) -> _Packet | None:
    """Parse a packet, and replace a self-closing rdf:RDF by a pair of tags."""
    parsed = _parse(packet)
    if parsed is None or parsed.rdf is None or not parsed.is_self_closing(parsed.rdf):
        return parsed
    end = parsed.rdf.end
    name = re.match(rb"<([^\s/>]+)", parsed.data[parsed.rdf.start : end])
    assert name is not None  # expat has read it
    head = parsed.data[: end - 2]
    return _parse(head + b"></" + name[1] + b">" + parsed.data[end:])


def _without_announcements(
    parsed: _Packet, keeps_extended: bool
) -> tuple[_Packet, tuple[str, ...]]:
    """Remove references to pictures, videos and packets that are not written; return notes."""
    said: dict[str, None] = {}

    def announces(name: tuple[str, str]) -> bool:
        what = ANNOUNCING.get(name[0])
        if name[0] == CAMERA and name[1].startswith(("MotionPhoto", "MicroVideo")):
            what = MOTION_PHOTO
        if name == (XMP_NOTE, "HasExtendedXMP") and not keeps_extended:
            what = "further XMP (extended)"
        if what is not None:
            said[what] = None
        return what is not None

    shorter = _without(parsed, announces)
    if not said:
        return parsed, ()
    return shorter, (f"Left out, and no longer announced in XMP: {', '.join(said)}.",)


def _without(parsed: _Packet, is_dropped: Callable[[tuple[str, str]], bool]) -> _Packet:
    """Remove elements and attributes, and rdf:Descriptions that are empty without them."""
    cuts: list[tuple[int, int]] = []
    for element in parsed.elements:
        if cuts and element.start < cuts[-1][1]:
            continue  # inside a removed element
        dropped = [key for key in element.attributes if is_dropped(key)]
        others = set(element.attributes) - set(dropped) - {(RDF, "about")}
        is_empty = element.name == (RDF, "Description") and not element.children and not others
        if is_dropped(element.name) or (dropped and is_empty):
            cuts.append((element.start, parsed.stop(element)))
        elif dropped:
            names = {element.attributes[key][0] for key in dropped}
            cuts += _attributes(parsed.data, element.start, names)
    if not cuts:
        return parsed
    parts, at = [], 0
    for start, end in cuts:
        parts.append(parsed.data[at:start])
        at = max(at, end)
    shorter = _parse(b"".join(parts) + parsed.data[at:])
    return parsed if shorter is None else shorter


ATTRIBUTE = re.compile(rb"\s++([^\s=]++)\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+')")


def _attributes(data: bytes, start: int, names: set[str]) -> list[tuple[int, int]]:
    """Return the ranges of a tag's attributes with these qualified names."""
    at = start
    while data[at : at + 1] not in (b" ", b"\t", b"\r", b"\n", b">", b"/"):
        at += 1
    found = []
    while (attribute := ATTRIBUTE.match(data, at)) is not None:
        if attribute[1].decode("utf-8", "replace") in names:
            found.append((attribute.start(), attribute.end()))
        at = attribute.end()
    return found


def _as_utf8(packet: bytes) -> bytes:
    """Return a packet as UTF-8, without an XML declaration; XMP may also be UTF-16 or UTF-32."""
    for mark, encoding in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"<\0\0\0", "utf-32-le"),
        (b"\0\0\0<", "utf-32-be"),
        (b"<\0", "utf-16-le"),
        (b"\0<", "utf-16-be"),
    ):
        if packet.startswith(mark):
            packet = packet.decode(encoding, "replace").strip("\0").encode("utf-8", "replace")
            break
    packet = packet.strip(b"\0 \r\n\t")
    body = packet.removeprefix(b"\xef\xbb\xbf")
    if not body.startswith(b"<?xml "):
        return packet
    declaration, _, rest = body.partition(b"?>")
    named = re.search(rb"encoding\s*=\s*[\"']([\w.-]+)[\"']", declaration[:200])
    if named is not None and named[1].decode().lower() in ENCODINGS:
        return rest.decode(named[1].decode(), "replace").encode().lstrip()
    return rest.lstrip()


def _marker_block(marker: Marker) -> str:
    attributes = "".join(
        f' photochrom:{each.name}="{html.escape(getattr(marker, each.name))}"'
        for each in fields(marker)
    )
    return (
        f'<rdf:Description xmlns:rdf="{RDF}" rdf:about="" xmlns:photochrom="{MARKER}" '
        f'xmlns:Iptc4xmpExt="{IPTC_EXTENSION}"{attributes} '
        f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>'
    )


def _property_block(parsed: _Packet | None, properties: Mapping[tuple[str, str], list[str]]) -> str:
    """Return an rdf:Description with the properties that the packet does not have."""
    present: set[tuple[str, str]] = set()
    for element in parsed.elements if parsed is not None else ():
        present |= {element.name, *element.attributes}
    lines = []
    for (name, held), values in properties.items():
        prefix, local = name.split(":")
        if (NAMESPACES[prefix], local) not in present:
            lines.append(f"<{name}>{_value(held, values)}</{name}>")
    if not lines:
        return ""
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    body = "".join(lines)
    return f'<rdf:Description xmlns:rdf="{RDF}" rdf:about=""{spaces}>{body}</rdf:Description>'


def _value(held: str, values: list[str]) -> str:
    cleaned = [
        html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", value), quote=False)
        for value in values
    ]
    if held == "text":
        return cleaned[0]
    language = ' xml:lang="x-default"' if held == "alt" else ""
    shown = cleaned[:1] if held == "alt" else cleaned
    items = "".join(f"<rdf:li{language}>{value}</rdf:li>" for value in shown)
    return f"<rdf:{CONTAINERS[held]}>{items}</rdf:{CONTAINERS[held]}>"
