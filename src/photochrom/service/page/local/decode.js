/** From a file to the lightness of its pixels. The browser decodes; the arithmetic is photochrom's. */

import { startsWith, text, viewOf } from "./bytes.js";
import { orientationOfJpeg } from "./exif.js";
import { LINEAR, LUMINANCE, grayOf, lightnessCodeTable, lightnessCodes, luminanceToLightness } from "./light.js";
import { plane } from "./planes.js";
import { deepPng, isDeepPng } from "./png-decoder.js";
import { Problem } from "../problem.js";
import { resample } from "./resample.js";
import { alphaIn, imageOf, smallTone, toneOf } from "./samples.js";
import { shrinkFor, shrunk } from "./shrink.js";
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
 *   alpha: Codes|null, bits: 8|16, tint: string, original: Blob|null, notes: string[]}} Decoded
 */

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
  const { bitmap, samples, notes } = await pixelsIn(file, name, format, head);
  try {
    const { width, height } = bitmap;
    checkSize(name, [width, height]);
    const alpha = samples ? alphaIn(samples) : WITH_ALPHA.includes(format) ? alphaOf(bitmap) : null;
    const { codes, luminance } = samples ? toneOf(samples) : toneIn(bitmap, alpha);
    const isGray = luminance !== lightnessCodes();
    const tint = tintOf(drawn(bitmap, ...fitted(width, height, PROBE_PX)));
    const original = isGray ? null : await jpegOf(canvasOf(bitmap, ...fitted(width, height, PROOF_PX)));
    const size = sizeOf(width, height);
    const reduced = reducer(bitmap, size, format, head);
    const small = samples ? smallTone(samples, size.width, size.height) : smallIn(bitmap, codes, isGray, alpha, reduced);
    const seen = plane(size.width, size.height, Float32Array.from(small, (code) => luminanceToLightness(luminance[code])));
    const bits = samples?.data instanceof Uint16Array ? 16 : 8;
    const clear = alpha ? [samples ? "A PNG keeps the transparency of this file." : "Transparent places are shown on white; a PNG keeps them."] : [];
    return { format, width, height, codes, luminance, seen, alpha, bits, tint, original, notes: [...notes, ...clear] };
  } finally {
    bitmap.close();
  }
}

/** The lightness of what the browser has decoded: of grays, or of colours. */
function toneIn(bitmap, alpha) {
  const codes = codesOf(bitmap, alpha);
  return { codes, luminance: codes instanceof Uint8Array ? LINEAR : lightnessCodes() };
}

/**
 * The pixels of a file in 8 bits, and all of them where photochrom has read them itself.
 * @param {Blob} file
 * @param {string} name
 * @param {string} format
 * @param {Uint8Array} head
 */
async function pixelsIn(file, name, format, head) {
  if (format === "tiff") {
    const tiff = await openTiff(file, name);
    checkSize(name, [tiff.width, tiff.height]);
    const samples = await tiff.read();
    return { bitmap: await createImageBitmap(imageOf(samples)), samples, notes: tiff.notes };
  }
  if (!isDeepPng(head)) return { bitmap: await bitmapOf(file, name, format), samples: null, notes: [] };
  const samples = await deepPng(new Uint8Array(await file.arrayBuffer())).catch((error) => {
    if (error instanceof RangeError && /allocation|array length/i.test(error.message)) throw error; // memory
    throw new Problem(422, "Not readable", `${name}: this file is damaged or incomplete. Copy it again.`);
  });
  if (samples) return { bitmap: await createImageBitmap(imageOf(samples)), samples, notes: [] };
  const notes = ["This file has 16 bits per channel; because of how its colours are described, the browser reads 8 of them."];
  return { bitmap: await bitmapOf(file, name, format), samples: null, notes };
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

/** How codes are reduced to a size; libvips lets libjpeg begin with that. */
function reducer({ width, height }, wanted, format, head) {
  const factor = format === "jpeg" ? shrinkFor(width, height, wanted) : 1;
  return (data) => {
    const whole = { width, height, data };
    const source = factor > 1 && data instanceof Uint8Array ? shrunk(whole, factor, orientationOfJpeg(head)) : whole;
    return resample(source, wanted.width, wanted.height).data;
  };
}

/** The codes at the size that the network sees: colours are reduced before they become lightness. */
function smallIn(bitmap, codes, isGray, alpha, reduced) {
  if (isGray || codes.length > MOST_BANDS) return reduced(codes);
  const [red, green, blue] = bandsOf(bitmap, alpha).map(reduced);
  return Uint16Array.from(red, (v, i) => codeOf(v, green[i], blue[i]));
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
  return lightnessCodeTable()[Math.min(65535, (reds[red] + greens[green] + blues[blue] + 0.5) | 0)];
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
  if (luminance === LINEAR) return small;
  return { width: wide, height: high, data: Uint8Array.from(small.data, (code) => grayOf(luminanceToLightness(luminance[code]))) };
}

/** A part of a file as it is, as a JPEG. */
export async function originalCrop(file, name, { left, top, width, height, long_side_px: side }) {
  const { head, format } = await headOf(file, name);
  const { bitmap } = await pixelsIn(file, name, format, head);
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
  const { head, format } = await headOf(file, name);
  const { bitmap } = await pixelsIn(file, name, format, head);
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
