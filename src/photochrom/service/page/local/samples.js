/** Pixels that photochrom's own readers have decoded: TIFF, and PNG of 16 bits. */

import { LINEAR, LUMINANCE, deepLinearTable, lightnessCodeTable, lightnessCodes, linearToSrgb } from "./light.js";
import { toSrgb } from "./profiles.js";
import { resample } from "./resample.js";

/**
 * @typedef {Uint8Array|Uint16Array} Values
 * @typedef {Object} Samples  Upright, over the whole range of 8 or 16 bits.
 * @property {number} width
 * @property {number} height
 * @property {1|3} bands
 * @property {Values} data  Interleaved.
 * @property {Values|null} alpha
 * @property {import("./profiles.js").CurveProfile|null} profile  Null for sRGB.
 */

const topOf = (values) => (values instanceof Uint8Array ? 255 : 65535);

/** Linear light of each code, for each channel. */
function tablesOf({ data, bands, profile }) {
  const top = topOf(data);
  const own = top === 255 ? LINEAR : deepLinearTable();
  if (!profile) return Array(bands).fill(own);
  const step = 65535 / top;
  return profile.curves.map((curve) => Float64Array.from({ length: top + 1 }, (_, code) => curve[code * step]));
}

/**
 * The lightness of all pixels: grays as they are, colours as codes of lightness.
 * @param {Samples} samples
 * @returns {{codes: Values, luminance: Float64Array}}
 */
export function toneOf(samples) {
  if (samples.bands === 1) return { codes: samples.data, luminance: tablesOf(samples)[0] };
  return { codes: lightnessOf(samples, samples.data), luminance: lightnessCodes() };
}

/** Codes of lightness of colours. */
function lightnessOf(samples, data) {
  const shares = samples.profile?.weights ?? LUMINANCE;
  const [reds, greens, blues] = tablesOf(samples).map((table, band) => table.map((value) => value * shares[band] * 65535));
  const codes = lightnessCodeTable();
  const out = new Uint16Array(data.length / 3);
  for (let i = 0, at = 0; i < out.length; i += 1, at += 3) {
    out[i] = codes[Math.min(65535, (reds[data[at]] + greens[data[at + 1]] + blues[data[at + 2]] + 0.5) | 0)];
  }
  return out;
}

/** Codes of `toneOf` at a smaller size: colours are reduced before they become lightness. */
export function smallTone(samples, width, height) {
  const { bands, data } = samples;
  const count = samples.width * samples.height;
  const Kind = /** @type {any} */ (data.constructor);
  const reduced = Array.from({ length: bands }, (_, band) => {
    const own = bands === 1 ? data : new Kind(count);
    if (bands === 3) for (let i = 0; i < count; i += 1) own[i] = data[3 * i + band];
    return resample({ width: samples.width, height: samples.height, data: own }, width, height).data;
  });
  if (bands === 1) return reduced[0];
  const joined = new Kind(3 * width * height);
  for (let i = 0; i < width * height; i += 1) for (let band = 0; band < 3; band += 1) joined[3 * i + band] = reduced[band][i];
  return lightnessOf(samples, joined);
}

/** The picture in sRGB of 8 bits, to look at; without its transparency. */
export function imageOf(samples) {
  const { width, height, bands, data, profile } = samples;
  const image = new ImageData(width, height);
  const bytes = image.data.fill(255);
  if (bands === 3 && profile) {
    inSrgb(samples, bytes);
    return image;
  }
  const less = 255 / topOf(data);
  const codes = profile && tablesOf(samples)[0].map((value) => 255 * linearToSrgb(value));
  for (let i = 0, to = 0; i < width * height; i += 1, to += 4) {
    for (let band = 0; band < 3; band += 1) {
      const code = data[bands === 1 ? i : 3 * i + band];
      bytes[to + band] = codes ? codes[code] : code * less; // rounded by the array
    }
  }
  return image;
}

function inSrgb(samples, bytes) {
  const { data, profile } = samples;
  const tables = tablesOf(samples);
  const matrix = toSrgb(profile);
  const encoded = Uint8Array.from({ length: 4096 }, (_, v) => Math.round(255 * linearToSrgb(v / 4095)));
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    const [red, green, blue] = [tables[0][data[from]], tables[1][data[from + 1]], tables[2][data[from + 2]]];
    for (let band = 0; band < 3; band += 1) {
      const [r, g, b] = matrix[band];
      bytes[to + band] = encoded[(Math.min(1, Math.max(0, r * red + g * green + b * blue)) * 4095 + 0.5) | 0];
    }
  }
}

/** The transparency; null if there is none. */
export function alphaIn({ alpha }) {
  if (!alpha) return null;
  const top = topOf(alpha);
  return alpha.some((value) => value < top) ? alpha : null;
}
