/**
 * Read a PNG of 16 bits, of which browsers decode 8 (ISO/IEC 15948). Null for files that only the
 * browser reads right: with another depth, or colours that are described by other than a profile
 * of curves.
 */

import { startsWith, text, viewOf } from "./bytes.js";
import { orientationIn } from "./exif.js";
import { turned } from "./orientation.js";
import { curveProfile, isSrgb } from "./profiles.js";

const FIRST_CHUNK = 8;
const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 }; // of a colour type
const INTERLACED = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const SRGB_GAMMA = 45455;

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<import("./samples.js").Samples|null>}
 */
export async function deepPng(bytes) {
  const { head, chunks, pixels } = partsOf(bytes);
  const channels = CHANNELS[head?.[9]];
  if (head?.[8] !== 16 || !channels || chunks.has("cICP")) return null;
  const icc = chunks.has("iCCP") ? await inflatedProfile(chunks.get("iCCP")) : null;
  const gamma = chunks.has("gAMA") ? viewOf(chunks.get("gAMA")).getUint32(0) : SRGB_GAMMA;
  const profile = icc && !isSrgb(icc) ? curveProfile(icc) : null;
  const isPlain = icc ? isSrgb(icc) : chunks.has("sRGB") || (gamma === SRGB_GAMMA && !chunks.has("cHRM"));
  const bands = /** @type {1|3} */ (channels > 2 ? 3 : 1);
  if (!isPlain && profile?.curves.length !== bands) return null;
  const [width, height] = [viewOf(head).getUint32(0), viewOf(head).getUint32(4)];
  const read = await samplesOf(pixels, width, height, channels, head[12] === 1);
  const split = apart(read, channels, bands, chunks.get("tRNS"));
  const turn = chunks.has("eXIf") ? orientationIn(chunks.get("eXIf")) : 1;
  const [wide, high] = turn > 4 ? [height, width] : [width, height];
  return {
    width: wide, height: high, bands, profile, data: turned(split.data, width, height, turn, bands),
    alpha: split.alpha && turned(split.alpha, width, height, turn),
  };
}

function partsOf(bytes) {
  const view = viewOf(bytes);
  const chunks = new Map();
  const pixels = [];
  for (let at = FIRST_CHUNK; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = text(bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === "IDAT") pixels.push(content);
    else if (!chunks.has(type)) chunks.set(type, content);
    at += 12 + length;
  }
  return { head: chunks.get("IHDR"), chunks, pixels };
}

async function inflatedProfile(content) {
  const packed = content.subarray(content.indexOf(0) + 2);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The lines of a PNG in their order, and the pixels of each. */
function* linesOf(width, height, isInterlaced) {
  for (const [left, top, across, down] of isInterlaced ? INTERLACED : [[0, 0, 1, 1]]) {
    const count = Math.ceil((width - left) / across);
    if (count <= 0) continue;
    for (let y = top; y < height; y += down) yield { y, left, across, count, isFirst: y === top };
  }
}

/** Decompress, undo the filters, and put all samples in their places. */
async function samplesOf(pixels, width, height, channels, isInterlaced) {
  const out = new Uint16Array(width * height * channels);
  /** @type {Iterator<any>} */
  const lines = linesOf(width, height, isInterlaced);
  const each = 2 * channels;
  let line = lines.next().value || null;
  let bytes = new Uint8Array(1 + line.count * each);
  let above = new Uint8Array(bytes.length);
  let filled = 0;
  const stream = new Blob(pixels).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    for (let from = 0; from < value.length && line;) {
      const part = value.subarray(from, from + bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled < bytes.length) continue;
      if (line.isFirst) above.fill(0);
      unfilter(bytes, above, each);
      place(bytes, out, line, width, channels);
      [above, bytes] = [bytes, above];
      filled = 0;
      const next = lines.next().value || null;
      if (next && next.count !== line.count) [bytes, above] = [1, 2].map(() => new Uint8Array(1 + next.count * each));
      line = next;
    }
  }
  if (line) throw new Error("the pixels end too early");
  return out;
}

/** Undo a filter; `above` is the line above, without its filter. */
function unfilter(line, above, each) {
  const kind = line[0];
  for (let i = 1; i < line.length; i += 1) {
    const left = i > each ? line[i - each] : 0;
    if (kind === 1) line[i] += left;
    else if (kind === 2) line[i] += above[i];
    else if (kind === 3) line[i] += (left + above[i]) >> 1;
    else if (kind === 4) line[i] += paeth(left, above[i], i > each ? above[i - each] : 0);
  }
  if (kind > 4) throw new Error("an unknown filter");
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [ofLeft, ofUp, ofCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (ofLeft <= ofUp && ofLeft <= ofCorner) return left;
  return ofUp <= ofCorner ? up : corner;
}

function place(bytes, out, { y, left, across, count }, width, channels) {
  for (let i = 0, from = 1; i < count; i += 1) {
    const to = (y * width + left + i * across) * channels;
    for (let k = 0; k < channels; k += 1, from += 2) out[to + k] = (bytes[from] << 8) | bytes[from + 1];
  }
}

/** Separate the transparency, which may also be one colour. */
function apart(read, channels, bands, key) {
  const count = read.length / channels;
  if (channels === bands) return { data: read, alpha: key ? alphaOfKey(read, bands, key) : null };
  const [data, alpha] = [new Uint16Array(count * bands), new Uint16Array(count)];
  for (let i = 0; i < count; i += 1) {
    for (let band = 0; band < bands; band += 1) data[i * bands + band] = read[i * channels + band];
    alpha[i] = read[i * channels + bands];
  }
  return { data, alpha };
}

function alphaOfKey(read, bands, key) {
  const view = viewOf(key);
  const clear = Array.from({ length: bands }, (_, band) => view.getUint16(2 * band));
  return Uint16Array.from({ length: read.length / bands }, (_, i) => (clear.every((value, band) => read[i * bands + band] === value) ? 0 : 65535));
}

/** Whether a file is a PNG of 16 bits. */
export const isDeepPng = (head) => startsWith(head, [137, 80, 78, 71]) && head[24] === 16;
