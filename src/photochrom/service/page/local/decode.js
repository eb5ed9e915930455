/** From a file to the lightness of its pixels. The browser decodes; the arithmetic is photochrom's. */

import { startsWith, text, viewOf } from "./bytes.js";
import { LINEAR, LUMINANCE, grayOf, lightnessToLuminance, luminanceToLightness, srgbToLinear } from "./light.js";
import { plane } from "./planes.js";
import { Problem } from "../problem.js";
import { resample } from "./resample.js";
import { openTiff } from "./tiff.js";
import { PROBE_PX, tintOf } from "./tint.js";

export const PROOF_PX = 1280;
const STRIP_ROWS = 256;
const HEAD_BYTES = 1 << 18; // in which the size of a JPEG or PNG stands
const MEGAPIXELS = { each: 20, most: 120, unknown: 60 }; // for each GiB of memory, where a browser says how much
const WITH_ALPHA = ["png", "gif", "webp", "avif"];
const REFERENCE_PX = 192; // short side at which a reference is kept
const MOST_BANDS = 40e6; // pixels whose three bands are held at once
/** @type {[string, (head: Uint8Array) => boolean][]} */
const FORMATS = [
  ["jpeg", (head) => startsWith(head, [0xff, 0xd8, 0xff])],
  ["png", (head) => startsWith(head, [137, 80, 78, 71])],
  ["gif", (head) => startsWith(head, "GIF8")],
  ["bmp", (head) => startsWith(head, "BM")],
  ["webp", (head) => startsWith(head, "RIFF") && text(head.subarray(8, 12)) === "WEBP"],
  ["tiff", (head) => ["II*\0", "MM\0*", "II+\0", "MM\0+"].some((magic) => startsWith(head, magic))], // also BigTIFF
  ["avif", (head) => text(head.subarray(4, 8)) === "ftyp" && /avi[fs]/.test(text(head.subarray(8, 32)))],
  ["heic", (head) => text(head.subarray(4, 8)) === "ftyp" && /hei[cxfm]|hev|mif1/.test(text(head.subarray(8, 32)))],
];

/**
 * @typedef {Uint8Array|Uint16Array} Codes
 * `seen` is the lightness in L* at the size at which the network sees the photograph; `alpha` is null where all is opaque.
 * @typedef {{format: string, width: number, height: number, codes: Codes, luminance: Float64Array, seen: import("./planes.js").Plane,
 *   alpha: Uint8Array|null, tint: string, original: Blob|null, notes: string[]}} Decoded
 */

/** Y of each code: of 256 or 65536 grays of sRGB, or of L* in 65535 steps. */
function tableOf(codes, isGray) {
  if (codes instanceof Uint8Array) return LINEAR;
  return isGray ? ofDeepGray() : ofLightness();
}
let grayTable = null;
function ofDeepGray() {
  grayTable ??= Float64Array.from({ length: 65536 }, (_, code) => srgbToLinear(code / 65535));
  return grayTable;
}
let lightnessTable = null;
function ofLightness() {
  lightnessTable ??= Float64Array.from({ length: 65536 }, (_, code) => lightnessToLuminance(code / 655.35));
  return lightnessTable;
}
let codeTable = null;
/** The code of L* of each luminance in 65535 steps. */
function ofLuminance() {
  codeTable ??= Uint16Array.from({ length: 65536 }, (_, y) => Math.round(luminanceToLightness(y / 65535) * 655.35));
  return codeTable;
}

/** The largest number of megapixels that this device is asked to hold. */
export function mostMegapixels() {
  const { deviceMemory } = /** @type {any} */ (navigator);
  return deviceMemory ? Math.min(MEGAPIXELS.most, MEGAPIXELS.each * deviceMemory) : MEGAPIXELS.unknown;
}

/** The format of a file, by its first bytes; null if it is not a picture. */
export const formatOf = (head) => FORMATS.find(([, fits]) => fits(head))?.[0] ?? null;

/** The size that a file's head tells, as stored; null if it does not. */
function sizeIn(head, format) {
  if (head.length < 26) return null; // cut short: decoding says so
  const view = viewOf(head);
  if (format === "png") return [view.getUint32(16), view.getUint32(20)];
  if (format === "gif") return [view.getUint16(6, true), view.getUint16(8, true)];
  if (format !== "jpeg") return null;
  for (let at = 2; at + 9 < head.length && head[at] === 0xff;) {
    const marker = head[at + 1];
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}

function checkSize(name, /** @type {number[]} */ [width, height]) {
  const most = mostMegapixels();
  const megapixels = (width * height) / 1e6;
  if (megapixels <= most) return;
  throw new Problem(413, "Too large",
    `${name}: this photograph has ${Math.round(megapixels)} megapixels; this device can colour up to ${most}. ` +
    "Make it smaller, or colour it with photochrom on a computer.");
}

async function bitmapOf(file, name, format) {
  try {
    // An element is drawn upright by its EXIF orientation; so is a bitmap, which Firefox must be told.
    return await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    throw new Problem(422, "Not readable", ["heic", "avif"].includes(format)
      ? `${name}: this browser cannot read ${format.toUpperCase()} files. Convert the file to JPEG or PNG, or colour it with photochrom on a computer.`
      : `${name}: this file is damaged or incomplete. Copy it again.`);
  }
}

/** Check a file by its first bytes. */
async function headOf(file, name) {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const format = formatOf(head);
  if (!format) throw new Problem(415, "Not a picture", `${name}: this file is not a picture. Choose a photograph.`);
  const size = sizeIn(head, format);
  if (size) checkSize(name, size);
  return { head, format };
}

/**
 * Decode a photograph.
 * @param {Blob} file
 * @param {string} name
 * @param {(width: number, height: number) => {width: number, height: number}} sizeOf  At which the network sees it.
 * @returns {Promise<Decoded>}
 */
export async function decode(file, name, sizeOf) {
  const { head, format } = await headOf(file, name);
  const { bitmap, grays, notes } = await pixelsIn(file, name, format);
  try {
    const { width, height } = bitmap;
    checkSize(name, [width, height]);
    const alpha = WITH_ALPHA.includes(format) ? alphaOf(bitmap) : null;
    const codes = grays ?? codesOf(bitmap, alpha);
    const isGray = Boolean(grays) || codes instanceof Uint8Array;
    const tint = tintOf(drawn(bitmap, ...fitted(width, height, PROBE_PX)));
    const original = isGray ? null : await jpegOf(canvasOf(bitmap, ...fitted(width, height, PROOF_PX)));
    const luminance = tableOf(codes, isGray);
    const seen = seenOf(bitmap, codes, luminance, isGray, alpha, sizeOf(width, height));
    const said = [...notes, ...notesOn(head, format), ...(alpha ? ["Transparent places are shown on white; a PNG keeps them."] : [])];
    return { format, width, height, codes, luminance, seen, alpha, tint, original, notes: said };
  } finally {
    bitmap.close();
  }
}

/** The pixels of a file in 8 bits, and its grays where they are deeper or the browser did not decode them. */
async function pixelsIn(file, name, format) {
  if (format !== "tiff") return { bitmap: await bitmapOf(file, name, format), grays: null, notes: [] };
  const tiff = await openTiff(file, name);
  checkSize(name, [tiff.width, tiff.height]);
  const { codes, image } = await tiff.read();
  return { bitmap: await createImageBitmap(image), grays: codes, notes: tiff.notes };
}

function notesOn(head, format) {
  return format === "png" && head[24] === 16 ? ["This file has 16 bits per channel; the browser reads 8 of them."] : [];
}

/** The size of a picture reduced to a longest side. */
export function fitted(width, height, longSide) {
  const scale = Math.min(1, longSide / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, Math.round(side * scale)));
}

function contextOf(width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  return context;
}

function canvasOf(bitmap, width, height) {
  const context = contextOf(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return context.canvas;
}

/** A picture drawn at a small size, as RGBA. */
function drawn(bitmap, width, height) {
  return canvasOf(bitmap, width, height).getContext("2d").getImageData(0, 0, width, height);
}

const jpegOf = (canvas) => canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });

/** Codes of all pixels: grays as they are; colours as lightness, in 16 bits. */
function codesOf(bitmap, alpha) {
  return fill(bitmap, new Uint8Array(bitmap.width * bitmap.height), grays, !alpha) ??
    fill(bitmap, new Uint16Array(bitmap.width * bitmap.height), lightnesses, !alpha);
}

/**
 * Fill values strip by strip; null where a strip does not suit them.
 * @template Values
 * @param {ImageBitmap} bitmap
 * @param {Values} values
 * @param {(data: Uint8ClampedArray, values: Values, from: number) => boolean} of
 * @param {boolean} isOpaque  Otherwise colours are read as stored, and white where nothing shows.
 */
function fill(bitmap, values, of, isOpaque) {
  const { width, height } = bitmap;
  const rows = Math.min(height, STRIP_ROWS);
  const context = contextOf(width, rows);
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    if (isOpaque) context.fillRect(0, 0, width, rows);
    else context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
    const { data } = context.getImageData(0, 0, width, count);
    if (!isOpaque) for (let i = 3; i < data.length; i += 4) if (!data[i]) data.fill(255, i - 3, i);
    if (!of(data, values, top * width)) return null;
  }
  return values;
}

/** The transparency of a picture; null if there is none. */
function alphaOf(bitmap) {
  let isOpaque = true;
  const alpha = fill(bitmap, new Uint8Array(bitmap.width * bitmap.height), (data, values, from) => {
    for (let i = 3, at = from; i < data.length; i += 4, at += 1) {
      values[at] = data[i];
      if (data[i] < 255) isOpaque = false;
    }
    return true;
  }, false);
  return isOpaque ? null : alpha;
}

function grays(data, codes, from) {
  for (let i = 0, at = from; i < data.length; i += 4, at += 1) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
    codes[at] = data[i];
  }
  return true;
}

/** The lightness that the network sees: colours are reduced before they become lightness, as photochrom does it. */
function seenOf(bitmap, codes, luminance, isGray, alpha, { width, height }) {
  const reduced = (data) => resample({ width: bitmap.width, height: bitmap.height, data }, width, height).data;
  let small = null;
  if (!isGray && codes.length <= MOST_BANDS) {
    const [red, green, blue] = bandsOf(bitmap, alpha).map(reduced);
    small = Uint16Array.from(red, (v, i) => codeOf(v, green[i], blue[i]));
  }
  return plane(width, height, Float32Array.from(small ?? reduced(codes), (code) => luminanceToLightness(luminance[code])));
}

/** Red, green and blue of all pixels. */
function bandsOf(bitmap, alpha) {
  const bands = [0, 1, 2].map(() => new Uint8Array(bitmap.width * bitmap.height));
  return fill(bitmap, bands, (data, own, from) => {
    for (let i = 0, at = from; i < data.length; i += 4, at += 1) for (let band = 0; band < 3; band += 1) own[band][at] = data[i + band];
    return true;
  }, !alpha);
}

const WEIGHTED = LUMINANCE.map((share) => LINEAR.map((v) => v * share * 65535));

/** The code of lightness of a colour. */
function codeOf(red, green, blue) {
  const [reds, greens, blues] = WEIGHTED;
  return ofLuminance()[Math.min(65535, (reds[red] + greens[green] + blues[blue] + 0.5) | 0)];
}

function lightnesses(data, codes, from) {
  for (let i = 0, at = from; i < data.length; i += 4, at += 1) codes[at] = codeOf(data[i], data[i + 1], data[i + 2]);
  return true;
}

/**
 * The small gray copy from which previews are made.
 * @param {Decoded} decoded
 */
export function proofOf({ width, height, codes, luminance }) {
  const [wide, high] = fitted(width, height, PROOF_PX);
  const small = resample({ width, height, data: codes }, wide, high);
  if (small.data instanceof Uint8Array) return small;
  return { width: wide, height: high, data: Uint8Array.from(small.data, (code) => grayOf(luminanceToLightness(luminance[code]))) };
}

/** A part of a file as it is, as a JPEG. */
export async function originalCrop(file, name, format, { left, top, width, height, long_side_px: side }) {
  const { bitmap } = await pixelsIn(file, name, format);
  const [wide, high] = fitted(width, height, side);
  const context = contextOf(wide, high);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, width, height, 0, 0, wide, high);
  bitmap.close();
  return jpegOf(context.canvas);
}

/**
 * A colour reference, reduced to a small copy.
 * @returns {Promise<{width: number, height: number, data: Uint8ClampedArray}>}  RGBA.
 */
export async function referenceOf(file, name) {
  const { format } = await headOf(file, name);
  const { bitmap } = await pixelsIn(file, name, format);
  const { width, height } = bitmap;
  const isColour = tintOf(drawn(bitmap, ...fitted(width, height, PROBE_PX))) === "colour";
  const scale = Math.min(1, REFERENCE_PX / Math.min(width, height));
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  // The browser's own reduction is coarse: it leaves four times as many pixels.
  const larger = drawn(bitmap, ...[width, height].map((side, i) => Math.min(side, 4 * [wide, high][i])));
  bitmap.close();
  if (!isColour) throw new Problem(422, "Not in colour", `${name}: a reference must be in colour; this picture is not.`);
  return reducedColours(larger, wide, high);
}

function reducedColours({ width, height, data }, wide, high) {
  const out = new Uint8ClampedArray(4 * wide * high).fill(255);
  for (let band = 0; band < 3; band += 1) {
    const own = Uint8Array.from({ length: width * height }, (_, i) => data[4 * i + band]);
    resample({ width, height, data: own }, wide, high).data.forEach((value, i) => { out[4 * i + band] = value; });
  }
  return { width: wide, height: high, data: out };
}
