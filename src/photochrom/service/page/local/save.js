/** Write a coloured photograph as a file, strip by strip. */

import { sha256 } from "./bytes.js";
import { JpegEncoder, fitsJpeg } from "./jpeg-encoder.js";
import { deepLinearTable } from "./light.js";
import { carriedOf, jpegSegments, pngChunks } from "./metadata.js";
import { PngEncoder } from "./png-encoder.js";
import { encodingOf, restorable } from "./profiles.js";

/** @typedef {Uint8Array|Uint16Array} Values */

const STRIP_ROWS = 64; // a multiple of 8
const LEAST_QUALITY = 92;
const LOSSLESS = ["png", "gif", "bmp", "tiff"];
const SUFFIXES = { jpeg: [".jpg", ".jpeg", ".jpe", ".jfif"], png: [".png"] };

/** `photo.jpg` -> `photo-color.jpg`. */
export function colouredName(name, format) {
  const [, stem, suffix] = /^(.*?)(\.[^.]*)?$/s.exec(name);
  const known = SUFFIXES[format];
  return `${stem || "photo"}-color${known.includes((suffix ?? "").toLowerCase()) ? suffix : known[0]}`;
}

/**
 * Colour and encode a photograph.
 * @param {any} photo
 * @param {Values} codes  At the size of the result.
 * @param {Values|null} alpha  The transparency, of the same size; a JPEG is put on white.
 * @param {import("./join.js").Join} join
 * @param {any} wishes
 * @param {{format: string|null, quality: number|null}} kind
 * @param {any} facts
 * @param {() => Promise<void>} pause
 */
export async function save(photo, codes, alpha, join, wishes, kind, facts, pause) {
  const { width, height } = join;
  const wanted = kind.format ?? (LOSSLESS.includes(photo.format) ? "png" : "jpeg");
  const format = fitsJpeg(width, height) ? wanted : "png";
  const bits = format === "png" ? photo.bits : 8;
  const carried = await carriedOf(photo.file, photo.name, photo.format);
  const profile = restorable(carried.icc);
  const marker = await markerOf(wishes, kind, facts);
  const bands = alpha && format === "png" ? 4 : 3;
  const quality = kind.quality ?? qualityFor(carried);
  const { encoder, notes } = await encoderOf(format, width, height, { bands, bits }, quality, carried, marker);
  const size = bands * width * STRIP_ROWS;
  const joined = profile || bits === 16 ? new Uint16Array(size) : new Uint8Array(size);
  const out = profile && bits === 8 ? new Uint8Array(size) : joined;
  const encode = profile && encoderTo(profile, bits);
  for (let top = 0; top < height; top += STRIP_ROWS) {
    if (top % 1024 === 0) await pause();
    const rows = Math.min(STRIP_ROWS, height - top);
    join.strip(codes, top, rows, joined, bands);
    encode?.(joined, out, bands);
    if (alpha) withAlpha(out, alpha.subarray(top * width, (top + rows) * width), bands);
    await encoder.write(out.subarray(0, rows * width * bands), rows);
  }
  if (photo.bits > bits) notes.push(`${photo.bits} bits became ${bits} bits a channel in ${format.toUpperCase()}.`);
  if (!["jpeg", "png"].includes(photo.format)) {
    notes.push(`${photo.format.toUpperCase()} cannot be written in the browser: the result is a ${format.toUpperCase()}.`);
  }
  return { blob: await encoder.finish(), name: colouredName(photo.name, format), notes };
}

/**
 * Convert sRGB of 16 bits to a profile: `photochrom.photo.profiles.srgb_to_profile`.
 * @param {import("./profiles.js").CurveProfile} profile
 * @param {8|16} bits
 */
function encoderTo(profile, bits) {
  const linear = deepLinearTable();
  const codes = encodingOf(profile, bits === 16 ? 65535 : 255);
  const matrix = profile.fromSrgb.map((row) => row.map((value) => value * 65535));
  return (/** @type {Values} */ from, /** @type {Values} */ to, /** @type {number} */ bands) => {
    for (let at = 0; at < from.length; at += bands) {
      const [red, green, blue] = [linear[from[at]], linear[from[at + 1]], linear[from[at + 2]]];
      for (let band = 0; band < 3; band += 1) {
        const [r, g, b] = matrix[band];
        const value = r * red + g * green + b * blue + 0.5;
        to[at + band] = codes[band][value < 0 ? 0 : value > 65535 ? 65535 : value | 0];
      }
    }
  };
}

/** Add the transparency, or put colours on white. */
function withAlpha(rgb, alpha, bands) {
  const [top, most] = [rgb, alpha].map((values) => (values instanceof Uint16Array ? 65535 : 255));
  for (let i = 0, at = 0; i < alpha.length; i += 1, at += bands) {
    if (bands === 4) rgb[at + 3] = Math.round((alpha[i] * top) / most);
    else for (let band = 0; band < 3; band += 1) rgb[at + band] = top - Math.round(((top - rgb[at + band]) * alpha[i]) / most);
  }
}

/** At least as good as the source. */
const qualityFor = ({ quality }) => Math.max(LEAST_QUALITY, quality ?? 0);

/** @returns {Promise<{encoder: any, notes: string[]}>} */
async function encoderOf(format, width, height, { bands, bits }, quality, carried, marker) {
  if (format === "png") {
    const { chunks, notes } = await pngChunks(carried, width, height, marker);
    return { encoder: new PngEncoder(width, height, chunks, bands, bits), notes };
  }
  const { segments, notes } = jpegSegments(carried, width, height, marker);
  return { encoder: new JpegEncoder(width, height, quality, segments), notes };
}

/** The marker of a coloured file. */
async function markerOf(wishes, kind, facts) {
  const recipe = new TextEncoder().encode(JSON.stringify([wishes, kind.quality]));
  return {
    method: facts.method.name, version: facts.version, weights: facts.weights.sha256,
    recipe: crypto.subtle ? (await sha256(recipe)).slice(0, 16) : "", tool: "photochrom", source: "",
  };
}
