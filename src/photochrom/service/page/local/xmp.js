/** The marker of coloured pictures in an XMP packet: `photochrom.photo.metadata.xmp`. */

const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const MARKER = "https://github.com/photochrom/photochrom/ns/1.0/";
const IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const NAMESPACES = { dc: "http://purl.org/dc/elements/1.1/", photoshop: "http://ns.adobe.com/photoshop/1.0/" };
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

/** The names under which a packet may have a property: one for each prefix of its namespace. */
function ownNames(text, name) {
  const [prefix, local] = name.split(":");
  const wanted = { Iptc4xmpExt: IPTC, ...NAMESPACES }[prefix];
  const bound = [...text.matchAll(/xmlns:([\w.-]+)\s*=\s*["']([^"']*)["']/g)].filter(([, , space]) => space === wanted);
  return new Set(bound.map(([, own]) => `${own}:${local}`));
}

/** Whether a packet has a property, under whatever prefix. */
const hasProperty = (text, name) => [...ownNames(text, name)].some((own) => new RegExp(`[<\\s]${own}[\\s=>/]`).test(text));

/** A packet without a property, be it an attribute or an element. */
function withoutProperty(text, name) {
  let without = text;
  for (const own of ownNames(text, name)) {
    without = without
      .replace(new RegExp(`\\s${own}\\s*=\\s*("[^"]*"|'[^']*')`, "g"), "")
      .replace(new RegExp(`<${own}(\\s[^<>]*)?/>|<${own}(\\s[^<>]*)?>[\\s\\S]*?</${own}\\s*>`, "g"), "");
  }
  return without;
}

/** An element with the properties that a packet does not have. */
function propertiesOf(text, properties) {
  const missing = properties.filter(({ name }) => !hasProperty(text, name));
  if (!missing.length) return "";
  const spaces = Object.entries(NAMESPACES).map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`).join("");
  const lines = missing.map(({ name, container, values }) => `<${name}>${valueOf(container, values)}</${name}>`);
  return `<rdf:Description xmlns:rdf="${RDF}" rdf:about=""${spaces}>${lines.join("")}</rdf:Description>`;
}

function valueOf(container, values) {
  // eslint-disable-next-line no-control-regex -- XML forbids these
  const cleaned = values.map((value) => escaped(value.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "")));
  if (!container) return cleaned[0];
  const language = container === "Alt" ? ' xml:lang="x-default"' : "";
  const shown = container === "Alt" ? cleaned.slice(0, 1) : cleaned;
  return `<rdf:${container}>${shown.map((value) => `<rdf:li${language}>${value}</rdf:li>`).join("")}</rdf:${container}>`;
}

/**
 * Put the marker, and properties that are not there yet, into a packet; everything else in it stays.
 * @param {Uint8Array|null} packet
 * @param {Object<string, string>} marker
 * @param {import("./iptc.js").Property[]} properties
 * @returns {{packet: Uint8Array, notes: string[]}}
 */
export function withMarker(packet, marker, properties = []) {
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
  text = withoutProperty(text, "Iptc4xmpExt:DigitalSourceType");
  const at = text.search(/<\/[\w.-]+:RDF\s*>(?![\s\S]*<\/[\w.-]+:RDF\s*>)/);
  text = text.slice(0, at) + blockOf(marker) + propertiesOf(text, properties) + text.slice(at);
  return { packet: new TextEncoder().encode(text), notes };
}
