/**
 * What a TIFF carries besides pixels, from its first directory: `photochrom.photo.page_files`.
 *
 * Source: TIFF 6.0, section 2; BigTIFF; EXIF 2.32, section 4.6.
 */

import { joined, little, big, viewOf } from "./bytes.js";
import { withIim } from "./iptc.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{tag: number, kind: number, count: number, size: number, entry: Bytes}} Slot */
/** @typedef {{tag: number, kind: number, count: number, data: Bytes}} Entry */

const [EXIF_IFD, GPS_IFD, XMP, IPTC, PHOTOSHOP, PROFILE, MAKER_NOTE] = [34665, 34853, 700, 33723, 34377, 34675, 37500];
// Tags that the first directories of EXIF and TIFF share.
const DESCRIPTIVE = [
  269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 40091, 40092, 40093, 40094, 40095,
];
const RESOLUTION = [282, 283, 296];
// Tags of the pixels' layout, which do not describe the result.
const OF_PIXELS = new Set([
  254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 290, 291, 292, 293, 296, 301,
  317, 318, 319, 320, 321, 322, 323, 324, 325, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518,
  519, 520, 521, 529, 530, 531, 532, 559, 37439, 50674, 330,
]);
const UNIT = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8 }; // bytes of a value
const LONG = 4;
const MOST_KIND = 13; // in EXIF: others are of BigTIFF only
const MOST_BYTES = 1_000_000; // of one carrier
const MOST_PROFILE = 8_000_000;
const MOST_ENTRIES = 4096;
const MOST_NAMED = 10;
const MOST_PAGES = 1000; // that are counted
const NAMES = { [EXIF_IFD]: "EXIF", [GPS_IFD]: "The place (GPS)", [IPTC]: "IPTC", [XMP]: "XMP", [PHOTOSHOP]: "Photoshop's resources", [PROFILE]: "The profile" };

class Reader {
  constructor(file, head) {
    this.file = file;
    this.isLittle = head[0] === 0x49;
    const view = viewOf(head);
    this.isBig = view.getUint16(2, this.isLittle) === 43;
    this.first = this.number(view, this.isBig ? 8 : 4);
  }

  number(view, at) {
    return this.isBig ? Number(view.getBigUint64(at, this.isLittle)) : view.getUint32(at, this.isLittle);
  }

  async bytes(at, size) {
    const found = new Uint8Array(await this.file.slice(at, at + size).arrayBuffer());
    if (found.length < size) throw new Error("cut off");
    return found;
  }

  /** The entries of a directory, without their values. @returns {Promise<Map<number, Slot>>} */
  async table(at) {
    const [head, each] = this.isBig ? [8, 20] : [2, 12];
    const view = viewOf(await this.bytes(at, head));
    const count = this.isBig ? this.number(view, 0) : view.getUint16(0, this.isLittle);
    if (count > MOST_ENTRIES) throw new Error("too many entries");
    const table = await this.bytes(at + head, count * each);
    const slots = new Map();
    for (let place = 0; place < table.length; place += each) {
      const entry = table.slice(place, place + each);
      const own = viewOf(entry);
      const [tag, kind] = [own.getUint16(0, this.isLittle), own.getUint16(2, this.isLittle)];
      const number = this.number(own, 4);
      if (UNIT[kind] && !slots.has(tag)) slots.set(tag, { tag, kind, count: number, size: number * UNIT[kind], entry });
    }
    return slots;
  }

  /** How many directories there are; the chain of a damaged file may be a circle. */
  async count() {
    const seen = new Set();
    for (let at = this.first; at && !seen.has(at) && seen.size < MOST_PAGES;) {
      seen.add(at);
      try {
        const [head, each, pointer] = this.isBig ? [8, 20, 8] : [2, 12, 4];
        const view = viewOf(await this.bytes(at, head));
        const entries = this.isBig ? this.number(view, 0) : view.getUint16(0, this.isLittle);
        at = this.number(viewOf(await this.bytes(at + head + each * entries, pointer)), 0);
      } catch {
        break;
      }
    }
    return seen.size;
  }

  /** @returns {Promise<Entry>} */
  async value({ tag, kind, count, size, entry }, most) {
    const inline = this.isBig ? 8 : 4;
    const start = 4 + inline;
    if (size > most) throw new Error("too large");
    const data = size <= inline ? entry.slice(start, start + size) : await this.bytes(this.number(viewOf(entry), start), size);
    return { tag, kind, count, data };
  }
}

/**
 * @param {Blob} file
 * @returns {Promise<{exif: Bytes|null, xmp: Bytes|null, iptc: Bytes|null, icc: Bytes|null, pages: number, notes: string[]}>}
 */
export async function tiffMetadata(file) {
  const reader = new Reader(file, new Uint8Array(await file.slice(0, 16).arrayBuffer()));
  const slots = await reader.table(reader.first);
  const notes = [];
  const valueOf = async (tag, most = MOST_BYTES) => {
    const slot = slots.get(tag);
    if (!slot) return null;
    try {
      return (await reader.value(slot, most)).data;
    } catch {
      notes.push(`${NAMES[tag]} of the TIFF is damaged or too large, and is left out.`);
      return null;
    }
  };
  const exif = await exifOf(reader, slots, notes);
  const [xmp, own, resources, icc] = [await valueOf(XMP), await valueOf(IPTC), await valueOf(PHOTOSHOP), await valueOf(PROFILE, MOST_PROFILE)];
  const others = [...slots.keys()].filter((tag) => !OF_PIXELS.has(tag) && !DESCRIPTIVE.includes(tag) && !NAMES[tag]);
  if (others.length) notes.push(`TIFF tags left out: ${named(others)}.`);
  return { exif, xmp, iptc: resources ? withIim(resources, own) : own, icc, pages: await reader.count(), notes };
}

const named = (tags) => tags.slice(0, MOST_NAMED).join(", ") + (tags.length > MOST_NAMED ? ` and ${tags.length - MOST_NAMED} more` : "");

/** The values of a directory that are readable, with a note on the others. @returns {Promise<Entry[]>} */
async function readable(reader, slots, what, notes) {
  const found = [];
  const left = [];
  let rest = MOST_BYTES;
  for (const slot of slots) {
    try {
      if (slot.kind > MOST_KIND) throw new Error("not of EXIF");
      found.push(await reader.value(slot, rest));
      rest -= slot.size;
    } catch {
      left.push(slot.tag);
    }
  }
  if (left.length) notes.push(`${what} tags left out: ${named(left)}.`);
  return found;
}

/** A TIFF's EXIF as a block for other formats. @returns {Promise<Bytes|null>} */
async function exifOf(reader, slots, notes) {
  const pick = (tags) => tags.filter((tag) => slots.has(tag)).map((tag) => slots.get(tag));
  const main = await readable(reader, pick(DESCRIPTIVE), "EXIF", notes);
  const subs = [];
  for (const tag of [EXIF_IFD, GPS_IFD]) {
    if (!slots.has(tag)) continue;
    try {
      const pointer = viewOf((await reader.value(slots.get(tag), 8)).data);
      const at = pointer.byteLength === 8 ? Number(pointer.getBigUint64(0, reader.isLittle)) : pointer.getUint32(0, reader.isLittle);
      const entries = await readable(reader, [...(await reader.table(at)).values()], NAMES[tag], notes);
      if (entries.length) subs.push({ tag, entries });
    } catch {
      notes.push(`${NAMES[tag]} of the TIFF is damaged and left out.`);
    }
  }
  if (!main.length && !subs.length) return null;
  if (subs.some(({ entries }) => entries.some(({ tag }) => tag === MAKER_NOTE))) {
    notes.push("The camera's maker note was moved with EXIF: some readers may not find all parts of it.");
  }
  return block([...main, ...(await readable(reader, pick(RESOLUTION), "EXIF", notes))], subs, reader.isLittle);
}

/** A TIFF header with directories; the first comes last, as in `photochrom.photo.tiff`. */
function block(main, subs, isLittle) {
  const numberOf = isLittle ? little : big;
  const entries = [...main];
  let body = new Uint8Array();
  for (const { tag, entries: own } of subs) {
    entries.push({ tag, kind: LONG, count: 1, data: numberOf(8 + body.length, 4) });
    body = joined(body, directory(own, 8 + body.length, numberOf));
  }
  const mark = isLittle ? 0x49 : 0x4d;
  return joined([mark, mark], numberOf(42, 2), numberOf(8 + body.length, 4), body, directory(entries, 8 + body.length, numberOf));
}

/** The bytes of a directory at an even place, followed by its values. */
function directory(entries, at, numberOf) {
  const sorted = [...entries].sort((one, other) => one.tag - other.tag);
  const start = at + 2 + 12 * sorted.length + 4;
  const [table, values] = [[], []];
  let size = 0;
  for (const { tag, kind, count, data } of sorted) {
    table.push(numberOf(tag, 2), numberOf(kind, 2), numberOf(count, 4));
    if (data.length <= 4) {
      table.push(joined(data, new Uint8Array(4 - data.length)));
      continue;
    }
    table.push(numberOf(start + size, 4));
    values.push(data, new Uint8Array(data.length % 2));
    size += data.length + (data.length % 2);
  }
  return joined(numberOf(sorted.length, 2), ...table, numberOf(0, 4), ...values);
}
