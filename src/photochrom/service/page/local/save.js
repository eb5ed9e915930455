/** Write a coloured photograph as a file, strip by strip. */

import { sha256 } from "./bytes.js";
import { JpegEncoder, fitsJpeg } from "./jpeg-encoder.js";
import { carriedOf, jpegSegments, pngChunks } from "./metadata.js";
import { PngEncoder } from "./png-encoder.js";

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
 * @param {Uint8Array|Uint16Array} codes  At the size of the result.
 * @param {Uint8Array|null} alpha  The transparency, of the same size; a JPEG is put on white.
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
  const carried = await carriedOf(photo.file, photo.name, photo.format);
  const marker = await markerOf(wishes, kind, facts);
  const bands = alpha && format === "png" ? 4 : 3;
  const { encoder, notes } = await encoderOf(format, width, height, bands, kind.quality ?? qualityFor(carried), carried, marker);
  const rgb = new Uint8Array(bands * width * STRIP_ROWS);
  for (let top = 0; top < height; top += STRIP_ROWS) {
    if (top % 1024 === 0) await pause();
    const rows = Math.min(STRIP_ROWS, height - top);
    join.strip(codes, top, rows, rgb, bands);
    if (alpha) withAlpha(rgb, alpha.subarray(top * width, (top + rows) * width), bands);
    await encoder.write(rgb, rows);
  }
  if (!["jpeg", "png"].includes(photo.format)) {
    notes.push(`${photo.format.toUpperCase()} cannot be written in the browser: the result is a ${format.toUpperCase()}.`);
  }
  return { blob: await encoder.finish(), name: colouredName(photo.name, format), notes };
}

/** Add the transparency, or put colours on white. */
function withAlpha(rgb, alpha, bands) {
  for (let i = 0, at = 0; i < alpha.length; i += 1, at += bands) {
    if (bands === 4) rgb[at + 3] = alpha[i];
    else for (let band = 0; band < 3; band += 1) rgb[at + band] = 255 - Math.round(((255 - rgb[at + band]) * alpha[i]) / 255);
  }
}

/** At least as good as the source. */
const qualityFor = ({ quality }) => Math.max(LEAST_QUALITY, quality ?? 0);

async function encoderOf(format, width, height, bands, quality, carried, marker) {
  if (format === "png") {
    const { chunks, notes } = await pngChunks(carried, width, height, marker);
    return { encoder: new PngEncoder(width, height, chunks, bands), notes };
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
