"""XMP packets: what photochrom writes into one, and how without losing what is there.

Sources: ISO 16684-1 (XMP), "IPTC Photo Metadata Standard 2023.1" (DigitalSourceType).

New properties go into an rdf:Description of their own, inserted as text before the closing
rdf:RDF: nothing of the packet is parsed and written again, so that unknown namespaces, comments
and the wrapper stay byte for byte.
"""

import html  # and not xml.sax, which imports an HTTP client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from xml.etree import ElementTree

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
MARKER = "https://github.com/photochrom/photochrom/ns/1.0/"
IPTC_EXTENSION = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
CONTAINERS = {"alt": "Alt", "bag": "Bag", "seq": "Seq"}
EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
).encode()
CLOSING = re.compile(
    rb"</([A-Za-z_][\w.-]*:)?RDF\s*>(?!.*</([A-Za-z_][\w.-]*:)?RDF\s*>)", re.DOTALL
)
ENTITIES = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class Marker:
    """What photochrom writes into each picture that it has coloured.

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
        `photochrom.engine.names.state_of`. Two markers are equal whatever it is.
    """

    method: str
    version: str
    weights: str = ""
    recipe: str = ""
    tool: str = "photochrom"
    source: str = field(default="", compare=False)


def _parse(packet: bytes) -> ElementTree.Element | None:
    """Parse a packet; None if it is broken, is no RDF, or declares entities (a known attack)."""
    if ENTITIES.search(packet):
        return None
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))
    except (ElementTree.ParseError, ValueError):  # ValueError: an encoding that is not known
        return None
    return (
        root if root.tag == f"{{{RDF}}}RDF" or root.find(f".//{{{RDF}}}RDF") is not None else None
    )


def marker_of(packet: bytes | None) -> Marker | None:
    """Read photochrom's marker from an XMP packet, or give None."""
    if packet is None or MARKER.encode() not in packet:
        return None
    root = _parse(packet)
    found: dict[str, str] = {}
    names = {f"{{{MARKER}}}{part.name}": part.name for part in fields(Marker)}
    for element in root.iter() if root is not None else ():
        found |= {names[key]: value for key, value in element.attrib.items() if key in names}
        if element.tag in names:
            found[names[element.tag]] = element.text or ""
    return Marker(**found) if {"method", "version"} <= found.keys() else None


def merge(
    packet: bytes | None,
    marker: Marker | None,
    properties: Mapping[tuple[str, str], list[str]] | None = None,
) -> tuple[bytes | None, tuple[str, ...]]:
    """Put the marker and further properties into an XMP packet.

    Parameters
    ----------
    packet : bytes or None
        What the source has.
    marker : Marker or None
        Replaces an earlier marker; IPTC's DigitalSourceType comes with it.
    properties : mapping, optional
        (property, how it is held) -> values, as `photochrom.photo.iptc.iim_to_xmp` gives. What
        the packet has already is left alone.

    Returns
    -------
    packet : bytes or None
        None if there is nothing to write.
    notes : tuple of str
        That a broken packet was replaced.
    """
    notes: tuple[str, ...] = ()
    packet = None if packet is None else _as_utf8(packet)
    if packet is not None and (_parse(packet) is None or not CLOSING.search(packet)):
        packet = CLOSED_EMPTY.sub(rb"\1></rdf:RDF>", packet)
        if _parse(packet) is None or not CLOSING.search(packet):
            packet, notes = None, ("The XMP packet was broken: it was replaced.",)
    blocks = [] if marker is None else [_marker_block(marker)]
    if marker is not None and packet is not None:
        packet = _without_earlier_marker(packet)
    blocks += [_property_block(packet, properties)] if properties else []
    addition = "".join(blocks).encode()
    if not addition:
        return packet, notes
    whole = packet or EMPTY
    closing = CLOSING.search(whole)
    assert closing is not None  # checked above
    return whole[: closing.start()] + addition + whole[closing.start() :], notes


CLOSED_EMPTY = re.compile(rb"(<rdf:RDF\b[^>]*[^/>])\s*/>")
EARLIER = (
    re.compile(
        rb'<rdf:Description\b[^>]*\bxmlns:photochrom="' + re.escape(MARKER.encode()) + rb'"[^>]*/>'
    ),
    re.compile(rb'\s(?:[A-Za-z_][\w.-]*:)DigitalSourceType\s*=\s*("[^"]*"|\'[^\']*\')'),
    re.compile(rb"<([A-Za-z_][\w.-]*:DigitalSourceType)\b(?:[^>]*/>|[^>]*>[^<]*</\1\s*>)"),
)


def _without_earlier_marker(packet: bytes) -> bytes:
    """Drop an earlier marker and DigitalSourceType, if the packet stays well-formed."""
    for pattern in EARLIER:
        shorter = pattern.sub(b"", packet)
        packet = shorter if _parse(shorter) is not None else packet
    return packet


def _as_utf8(packet: bytes) -> bytes:
    """XMP may be UTF-16 or UTF-32 in theory; insertion needs UTF-8."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if packet.startswith(mark):
            return packet.decode(encoding, "replace").rstrip("\0").encode()
    return packet.rstrip(b"\0")


def _marker_block(marker: Marker) -> str:
    attributes = "".join(
        f' photochrom:{part.name}="{html.escape(getattr(marker, part.name))}"'
        for part in fields(marker)
    )
    return (
        f'<rdf:Description xmlns:rdf="{RDF}" rdf:about="" xmlns:photochrom="{MARKER}" '
        f'xmlns:Iptc4xmpExt="{IPTC_EXTENSION}"{attributes} '
        f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>'
    )


def _property_block(packet: bytes | None, properties: Mapping[tuple[str, str], list[str]]) -> str:
    """Give one rdf:Description with what the packet does not have yet."""
    root = None if packet is None else _parse(packet)
    present: set[str] = set()
    for element in root.iter() if root is not None else ():
        present |= {element.tag, *element.attrib}
    lines = []
    for (name, held), values in properties.items():
        prefix, local = name.split(":")
        if f"{{{NAMESPACES[prefix]}}}{local}" not in present:
            lines.append(f"<{name}>{_value(held, values)}</{name}>")
    if not lines:
        return ""
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    body = "".join(lines)
    return f'<rdf:Description xmlns:rdf="{RDF}" rdf:about=""{spaces}>{body}</rdf:Description>'


def _value(held: str, values: list[str]) -> str:
    cleaned = [
        html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", value), quote=False)
        for value in values
    ]
    if held == "text":
        return cleaned[0]
    language = ' xml:lang="x-default"' if held == "alt" else ""
    shown = cleaned[:1] if held == "alt" else cleaned
    items = "".join(f"<rdf:li{language}>{value}</rdf:li>" for value in shown)
    return f"<rdf:{CONTAINERS[held]}>{items}</rdf:{CONTAINERS[held]}>"
