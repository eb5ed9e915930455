/**
 * IPTC-IIM, the caption block of press photographs: `photochrom.photo.metadata.iptc`.
 *
 * Sources: IPTC-IIM 4.2; IPTC Photo Metadata Standard 2023.1; Photoshop's image resources.
 */

import { big, joined, latin, startsWith, text, viewOf } from "./bytes.js";

/**
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 * @typedef {{name: string, container: string, values: string[]}} Property
 */

export const APP13 = "Photoshop 3.0\0";
const IIM_RESOURCE = 0x0404;
const STALE = [0x0409, 0x040c, 0x0425]; // thumbnails, and the digest of the IIM block
const UTF8 = "\x1b%G";
const [CHARACTER_SET, DATE_CREATED] = ["1:90", "2:55"];
/** The XMP property of a dataset, and its container. */
const TO_XMP = {
  "2:5": ["dc:title", "Alt"], "2:25": ["dc:subject", "Bag"], "2:40": ["photoshop:Instructions", ""],
  "2:55": ["photoshop:DateCreated", ""], "2:80": ["dc:creator", "Seq"], "2:85": ["photoshop:AuthorsPosition", ""],
  "2:90": ["photoshop:City", ""], "2:95": ["photoshop:State", ""], "2:101": ["photoshop:Country", ""],
  "2:103": ["photoshop:TransmissionReference", ""], "2:105": ["photoshop:Headline", ""], "2:110": ["photoshop:Credit", ""],
  "2:115": ["photoshop:Source", ""], "2:116": ["dc:rights", "Alt"], "2:120": ["dc:description", "Alt"],
  "2:122": ["photoshop:CaptionWriter", ""],
};

const isIim = (block) => block[0] === 0x1c;

/** Photoshop's resources. @returns {{number: number, name: Bytes, content: Bytes}[]} */
function resourcesOf(block) {
  const found = [];
  const view = viewOf(block);
  for (let at = startsWith(block, APP13) ? APP13.length : 0; at + 12 <= block.length && startsWith(block.subarray(at), "8BIM");) {
    const end = at + 7 + block[at + 6] + ((block[at + 6] + 1) % 2);
    if (end + 4 > block.length) break;
    const size = view.getUint32(end);
    found.push({ number: view.getUint16(at + 4), name: block.slice(at + 6, end), content: block.slice(end + 4, end + 4 + size) });
    at = end + 4 + size + (size % 2);
  }
  return found;
}

/** @returns {Bytes} */
const packed = (resources) => joined(...resources.flatMap(({ number, name, content }) =>
  [latin("8BIM"), big(number, 2), name, big(content.length, 4), content, new Uint8Array(content.length % 2)]));

/** The content of a JPEG's segment, of the IIM block or Photoshop's resources of a file; null if nothing stays valid. */
export function app13Of(block) {
  const resources = isIim(block) ? [{ number: IIM_RESOURCE, name: new Uint8Array(2), content: block }]
    : resourcesOf(block).filter(({ number }) => !STALE.includes(number));
  return resources.length ? joined(latin(APP13), packed(resources)) : null;
}

/** Photoshop's resources with this IIM block instead of their own. */
export function withIim(block, iim) {
  if (!iim) return block;
  const others = resourcesOf(block).filter(({ number }) => number !== IIM_RESOURCE);
  return packed([...others, { number: IIM_RESOURCE, name: new Uint8Array(2), content: iim }]);
}

const iimOf = (block) => (isIim(block) ? block : resourcesOf(block).find(({ number }) => number === IIM_RESOURCE)?.content ?? new Uint8Array());

/** Whether there is more than IIM that stays valid. */
const hasMore = (block) => !isIim(block) && resourcesOf(block).some(({ number }) => ![IIM_RESOURCE, ...STALE].includes(number));

function datasetsOf(iim) {
  const found = [];
  for (let at = 0; iim[at] === 0x1c && at + 5 <= iim.length;) {
    const size = viewOf(iim).getUint16(at + 3);
    if (size & 0x8000) break; // extended: never used for text
    found.push([`${iim[at + 1]}:${iim[at + 2]}`, iim.subarray(at + 5, at + 5 + size)]);
    at += 5 + size;
  }
  return found;
}

/**
 * The fields of IPTC as properties of XMP, for formats that cannot hold it, with notes.
 * @param {Bytes} block
 * @param {string} format  For the notes.
 * @returns {{properties: Property[], notes: string[]}}
 */
export function iptcAsXmp(block, format) {
  const notes = hasMore(block) ? [`${format} cannot hold Photoshop's resources: left out.`] : [];
  const datasets = datasetsOf(iimOf(block));
  if (!datasets.length) return { properties: [], notes };
  const isUtf8 = datasets.some(([key, content]) => key === CHARACTER_SET && text(content) === UTF8);
  const decoder = new TextDecoder(isUtf8 ? "utf-8" : "latin1");
  const properties = new Map();
  let left = 0;
  for (const [key, content] of datasets) {
    if (TO_XMP[key]) {
      const [name, container] = TO_XMP[key];
      const said = decoder.decode(content);
      const value = key === DATE_CREATED ? said.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3") : said;
      if (!properties.has(name)) properties.set(name, { name, container, values: [] });
      properties.get(name).values.push(value);
    } else if (key !== CHARACTER_SET && !key.endsWith(":0")) left += 1;
  }
  const rest = left ? `; ${left} of its fields have no equivalent there and are lost` : "";
  notes.push(`${format} cannot hold IPTC: moved to XMP${rest}.`);
  return { properties: [...properties.values()], notes };
}
