/** The marker of coloured pictures in an XMP packet: `photochrom.photo.metadata.xmp`. */

const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const MARKER = "https://github.com/photochrom/photochrom/ns/1.0/";
const IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
export const XMP_EXTENDED = "http://ns.adobe.com/xmp/extension/\0";
// Namespaces that announce further pictures, films or maps in the file, which are not copied.
const ANNOUNCING = [
  "http://ns.adobe.com/hdr-gain-map/1.0/", "http://ns.apple.com/HDRGainMap/1.0/", "http://ns.google.com/photos/1.0/",
  "http://ns.google.com/photos/dd/1.0/device/",
];
const EMPTY = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">' +
  `<rdf:RDF xmlns:rdf="${RDF}"></rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>`;

const escaped = (value) => String(value).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

function blockOf(marker) {
  const attributes = Object.entries(marker).map(([name, value]) => ` photochrom:${name}="${escaped(value)}"`).join("");
  return `<rdf:Description xmlns:rdf="${RDF}" rdf:about="" xmlns:photochrom="${MARKER}" xmlns:Iptc4xmpExt="${IPTC}"${attributes} ` +
    `Iptc4xmpExt:DigitalSourceType="${SOURCE_TYPE}"/>`;
}

/**
 * Put the marker into a packet; everything else in it stays.
 * @param {Uint8Array|null} packet
 * @param {Object<string, string>} marker
 * @returns {{packet: Uint8Array, notes: string[]}}
 */
export function withMarker(packet, marker) {
  const notes = [];
  let text = packet === null ? EMPTY : new TextDecoder().decode(packet).replace(/\0+$/, "");
  if (!/<\/[\w.-]+:RDF\s*>/.test(text)) {
    notes.push("The XMP packet was damaged and has been replaced.");
    text = EMPTY;
  } else if (ANNOUNCING.some((space) => text.includes(space))) {
    notes.push("The XMP packet announced further pictures, which are not copied, and has been replaced.");
    text = EMPTY;
  }
  // An earlier marker, as photochrom writes it: one element of its own.
  text = text.replace(new RegExp(`<rdf:Description[^<>]*xmlns:photochrom="${MARKER}"[^<>]*/>`, "g"), "");
  const at = text.search(/<\/[\w.-]+:RDF\s*>(?![\s\S]*<\/[\w.-]+:RDF\s*>)/);
  text = text.slice(0, at) + blockOf(marker) + text.slice(at);
  return { packet: new TextEncoder().encode(text), notes };
}
