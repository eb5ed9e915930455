/**
 * EXIF, XMP, ICC profile, resolution and comments of a file, to carry into the coloured one.
 *
 * Sources: ITU-T T.81, JFIF 1.02, CIPA DC-008 (EXIF), ISO 16684-1 (XMP), ISO/IEC 15948 (PNG), and
 * WebP's container.
 */

import { big, joined, latin, startsWith, text, viewOf } from "./bytes.js";
import { EXIF, orientationIn, uprightExif } from "./exif.js";
import { APP13, app13Of, iptcAsXmp } from "./iptc.js";
import { jfif, qualityOf, segment } from "./jpeg-encoder.js";
import { SIGNATURE, chunk } from "./png-encoder.js";
import { isSrgb, restorable } from "./profiles.js";
import { openTiff } from "./tiff.js";
import { XMP_EXTENDED, withMarker } from "./xmp.js";

const XMP = "http://ns.adobe.com/xap/1.0/\0";
const ICC = "ICC_PROFILE\0";
const XMP_WORD = "XML:com.adobe.xmp";
const PER_INCH = 1 / 0.0254; // of dots per metre
const MOST_SEGMENT = 65533 - 2;
const MOST_HEAD = 1 << 16; // bytes in which an AVIF says what it carries

/**
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 * @typedef {Object} Carried
 * @property {Bytes|null} exif   The TIFF structure.
 * @property {Bytes|null} xmp
 * @property {Bytes|null} icc
 * @property {Bytes|null} iptc   IIM datasets, or Photoshop's resources.
 * @property {{across: number, down: number}|null} density  Dots per metre, upright.
 * @property {number} turn        The orientation in the file, 1 to 8.
 * @property {Bytes[]} segments  Further segments of a JPEG: extended XMP, comments.
 * @property {Bytes[]} chunks    Further chunks of a PNG: texts and time.
 * @property {number|null} quality    Of a JPEG, in libjpeg's scale.
 * @property {string[]} notes  What is damaged or left out.
 */

/** @returns {Carried} */
const nothing = () => ({
  exif: null, xmp: null, icc: null, iptc: null, density: null, turn: 1, segments: [], chunks: [], quality: null, notes: [],
});

/**
 * Read what a file carries.
 * @param {Blob} file
 * @param {string} name
 * @param {string} format
 */
export async function carriedOf(file, name, format) {
  const found = await asStored(file, name, format);
  if (found.exif && format !== "tiff") found.turn = orientationIn(found.exif);
  const { density } = found;
  if (density && found.turn > 4) found.density = { across: density.down, down: density.across };
  return found;
}

/** @returns {Promise<Carried>} */
async function asStored(file, name, format) {
  try {
    if (format === "tiff") return { ...nothing(), ...(await openTiff(file, name)).carried };
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (format === "jpeg") return ofJpeg(bytes);
    if (format === "png") return await ofPng(bytes);
    if (format === "webp") return ofWebp(bytes);
    return { ...nothing(), notes: leftOut(bytes, format) };
  } catch {
    // A damaged structure: what was found in it cannot be trusted.
  }
  return nothing();
}

/** What a file of a format that is not read here carries, as a note. */
function leftOut(bytes, format) {
  const signs = { EXIF: "Exif\0", XMP: "application/rdf+xml", "the colour profile": "colrprof" }; // in AVIF and HEIC
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, MOST_HEAD));
  const found = format === "gif" ? inGif(bytes) : Object.keys(signs).filter((name) => head.includes(signs[name]));
  return found.length ? [`The browser cannot copy what this ${format.toUpperCase()} carries (${found.join(", ")}): left out.`] : [];
}

/** What the extensions of a GIF carry. */
function inGif(bytes) {
  const found = new Set();
  const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let at = 13 + table(bytes[10]);
  while (at < bytes.length && bytes[at] !== 0x3b) {
    if (bytes[at] === 0x21 && bytes[at + 1] === 0xfe) found.add("comments");
    if (bytes[at] === 0x21 && bytes[at + 1] === 0xff) {
      const name = new TextDecoder("latin1").decode(bytes.subarray(at + 3, at + 14));
      if (name === "XMP DataXMP") found.add("XMP");
      if (name === "ICCRGBG1012") found.add("the colour profile");
    }
    at += bytes[at] === 0x2c ? 11 + table(bytes[at + 9]) : 2;
    while (bytes[at]) at += bytes[at] + 1; // blocks with their lengths, up to an empty one
    at += 1;
  }
  return [...found];
}

function ofJpeg(bytes) {
  const found = nothing();
  const profile = [];
  const view = viewOf(bytes);
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1];
    if (marker === 0xff) { at += 1; continue; }
    if (marker === 0xda || marker === 0xd9) break;
    const length = view.getUint16(at + 2);
    const content = bytes.subarray(at + 4, at + 2 + length);
    if (marker === 0xdb && content[0] === 0) found.quality ??= qualityOf(content.subarray(1, 65));
    else if (marker === 0xe0 && startsWith(content, "JFIF\0")) found.density ??= densityOfJfif(content);
    else if (marker === 0xe1 && startsWith(content, EXIF)) found.exif ??= content.slice(EXIF.length);
    else if (marker === 0xe1 && startsWith(content, XMP)) found.xmp ??= content.slice(XMP.length);
    else if (marker === 0xe2 && startsWith(content, ICC)) profile.push([content[ICC.length], content.slice(ICC.length + 2)]);
    else if (marker === 0xed && startsWith(content, APP13)) {
      found.iptc = joined(found.iptc ?? latin(APP13), content.subarray(APP13.length));
    } else if (marker === 0xfe || (marker === 0xe1 && startsWith(content, XMP_EXTENDED))) {
      found.segments.push(bytes.slice(at, at + 2 + length));
    }
    at += 2 + length;
  }
  if (profile.length) found.icc = joined(...profile.sort(([one], [other]) => one - other).map(([, part]) => part));
  return found;
}

function densityOfJfif(content) {
  const view = viewOf(content);
  const unit = { 1: PER_INCH, 2: 100 }[content[7]];
  return unit ? { across: view.getUint16(8) * unit, down: view.getUint16(10) * unit } : null;
}

async function ofPng(bytes) {
  const found = nothing();
  let isDescribed = false;
  const view = viewOf(bytes);
  for (let at = SIGNATURE.length; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = text(bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === "eXIf") found.exif = content.slice();
    else if (type === "pHYs" && content[8] === 1) {
      found.density = { across: view.getUint32(at + 8), down: view.getUint32(at + 12) };
    } else if (type === "iCCP") found.icc = await inflated(content.subarray(content.indexOf(0) + 2));
    else if (type === "cICP") isDescribed = true; // the browser has followed it, not the profile
    else if (type === "iTXt" && startsWith(content, XMP_WORD)) found.xmp = await textOf(content);
    else if (["tEXt", "zTXt", "iTXt", "tIME"].includes(type)) found.chunks.push(bytes.slice(at, at + 12 + length));
    at += 12 + length;
  }
  if (isDescribed) found.icc = null;
  return found;
}

/** The text of an iTXt chunk: keyword, compression, language and translation come first. */
async function textOf(content) {
  const after = content.indexOf(0) + 1;
  const language = content.indexOf(0, after + 2) + 1;
  const value = content.subarray(content.indexOf(0, language) + 1);
  return content[after] ? inflated(value) : value.slice();
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function deflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function ofWebp(bytes) {
  const found = nothing();
  const view = viewOf(bytes);
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = view.getUint32(at + 4, true);
    const content = bytes.slice(at + 8, at + 8 + length);
    const type = text(bytes.subarray(at, at + 4));
    if (type === "EXIF") found.exif = startsWith(content, EXIF) ? content.slice(EXIF.length) : content;
    if (type === "XMP ") found.xmp = content;
    if (type === "ICCP") found.icc = content;
    at += 8 + length + (length % 2);
  }
  return found;
}

/**
 * What can be written into a coloured file, with notes on what cannot.
 * @param {Carried} carried
 * @param {Object<string, string>} marker
 * @param {import("./iptc.js").Property[]} properties  To add to XMP.
 */
function kept(carried, width, height, marker, properties) {
  const notes = [...carried.notes];
  const exif = carried.exif && uprightExif(carried.exif, width, height, carried.turn > 4);
  if (carried.exif && !exif) notes.push("The EXIF data are damaged and were left out.");
  const icc = carried.icc && (isSrgb(carried.icc) || restorable(carried.icc)) ? carried.icc : null;
  if (carried.icc && !icc) notes.push("The colour profile was converted to sRGB.");
  const xmp = withMarker(carried.xmp, marker, properties);
  notes.push(...xmp.notes);
  return { exif, icc, xmp: xmp.packet, notes };
}

/**
 * The segments of a coloured JPEG.
 * @param {Carried} carried
 */
export function jpegSegments(carried, width, height, marker) {
  const { exif, icc, xmp, notes } = kept(carried, width, height, marker, []);
  const { density } = carried;
  const inches = density && [density.across, density.down].map((dots) => Math.min(65535, Math.max(1, Math.round(dots / PER_INCH))));
  const segments = [inches ? jfif(1, inches[0], inches[1]) : jfif(0, 1, 1)];
  const add = (marker_, prefix, content, what) => {
    if (prefix.length + content.length <= MOST_SEGMENT) segments.push(segment(marker_, latin(prefix), content));
    else notes.push(`The ${what} are too large for a JPEG and were left out.`);
  };
  if (exif) add(0xe1, EXIF, exif, "EXIF data");
  add(0xe1, XMP, xmp, "XMP data");
  const size = MOST_SEGMENT - ICC.length - 2;
  const count = Math.ceil((icc?.length ?? 0) / size);
  for (let i = 0; i < count; i += 1) {
    segments.push(segment(0xe2, latin(ICC), [i + 1, count], icc.subarray(i * size, (i + 1) * size)));
  }
  const iptc = carried.iptc && app13Of(carried.iptc);
  const resources = iptc ? iptc.subarray(APP13.length) : new Uint8Array();
  const step = MOST_SEGMENT - APP13.length;
  for (let at = 0; at < resources.length; at += step) {
    segments.push(segment(0xed, latin(APP13), resources.subarray(at, at + step)));
  }
  segments.push(...carried.segments);
  if (carried.chunks.length) notes.push("Texts that only a PNG can hold were left out.");
  return { segments, notes };
}

/**
 * The chunks of a coloured PNG.
 * @param {Carried} carried
 */
export async function pngChunks(carried, width, height, marker) {
  const moved = carried.iptc ? iptcAsXmp(carried.iptc, "PNG") : { properties: [], notes: [] };
  const { exif, icc, xmp, notes } = kept(carried, width, height, marker, moved.properties);
  notes.push(...moved.notes);
  const chunks = [];
  if (icc) chunks.push(chunk("iCCP", joined(latin("icc\0\0"), await deflated(icc))));
  else chunks.push(chunk("sRGB", Uint8Array.of(0)));
  const { density } = carried;
  if (density) chunks.push(chunk("pHYs", joined(big(Math.round(density.across), 4), big(Math.round(density.down), 4), [1])));
  chunks.push(chunk("iTXt", joined(latin(`${XMP_WORD}\0\0\0\0\0`), xmp)));
  if (exif) chunks.push(chunk("eXIf", exif));
  chunks.push(...carried.chunks);
  if (carried.segments.length) notes.push("Comments that only a JPEG can hold were left out.");
  return { chunks, notes };
}
