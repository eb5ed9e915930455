/**
 * ICC profiles of curves and a matrix, read exactly: `photochrom.photo.icc`.
 *
 * Sources: ICC.1:2022, sections 8.3, 8.4, 10.6 (`curv`) and 10.18 (`para`); Lindbloom, "Chromatic
 * Adaptation" (Bradford, D50 to D65).
 */

import { text, viewOf } from "./bytes.js";
import { RGB_TO_XYZ, inverse, linearToSrgb } from "./light.js";

const D50_TO_D65 = [
  [0.9555766, -0.0230393, 0.0631636],
  [-0.0282895, 1.0099416, 0.0210077],
  [0.012298, -0.020483, 1.3299098],
];
const LEVELS = 65536;
const MOST_TAGS = 100;
const PARAMETERS = [1, 3, 4, 5, 7]; // of each kind of `para`
const SRGB_TOLERANCE = 1 / 255;
const STEPS = [0, 32, 64, 96, 128, 159, 191, 223, 255]; // in which a profile is compared with sRGB

/**
 * @typedef {Object} CurveProfile
 * @property {Float64Array[]} curves  One or three: linear light of 65536 codes.
 * @property {number[]|null} weights  Y (D65) of each primary; null for gray.
 * @property {number[][]|null} fromSrgb  From linear sRGB to this profile's linear RGB; null for gray.
 */

const product = (one, other) => one.map((row) => other[0].map((_, j) => row.reduce((sum, value, k) => sum + value * other[k][j], 0)));
const sumOf = (values) => values.reduce((sum, value) => sum + value, 0);

/** @returns {CurveProfile|null}  Null if it has tables instead, or is damaged. */
export function curveProfile(icc) {
  try {
    return read(icc);
  } catch {
    return null;
  }
}

function read(icc) {
  const space = text(icc.subarray(16, 20));
  const tags = tagsOf(icc);
  const names = { "GRAY": ["kTRC"], "RGB ": ["rTRC", "gTRC", "bTRC"] }[space];
  if (!names || tags.has("A2B0") || text(icc.subarray(20, 24)) !== "XYZ " || text(icc.subarray(36, 40)) !== "acsp") return null;
  const curves = names.map((name) => curveOf(tags.get(name)));
  const rises = curves.every((curve) => curve[LEVELS - 1] > 0 && curve.every((value, i) => Number.isFinite(value) && (!i || value >= curve[i - 1])));
  if (!rises) return null;
  if (curves.length === 1) return { curves, weights: null, fromSrgb: null };
  const primaries = ["rXYZ", "gXYZ", "bXYZ"].map((name) => placeOf(tags.get(name)));
  const toXyz = product(D50_TO_D65, [0, 1, 2].map((i) => primaries.map((primary) => primary[i])));
  const total = sumOf(toXyz[1]);
  const fromSrgb = product(inverse(toXyz), RGB_TO_XYZ).map((row) => row.map((value) => value / sumOf(row))); // white stays white
  if (!fromSrgb.flat().every(Number.isFinite)) return null;
  return { curves, weights: toXyz[1].map((y) => y / total), fromSrgb };
}

function tagsOf(icc) {
  const view = viewOf(icc);
  const tags = new Map();
  const count = Math.min(view.getUint32(128), MOST_TAGS);
  for (let at = 132; at < 132 + 12 * count; at += 12) {
    const start = view.getUint32(at + 4);
    tags.set(text(icc.subarray(at, at + 4)), icc.subarray(start, start + view.getUint32(at + 8)));
  }
  return tags;
}

const fixed = (view, at) => view.getInt32(at) / 65536;

function placeOf(tag) {
  const view = viewOf(tag);
  if (text(tag.subarray(0, 4)) !== "XYZ ") throw new Error("no place of a primary");
  return [8, 12, 16].map((at) => fixed(view, at));
}

/** Sample a curve at all codes. */
function curveOf(tag) {
  const view = viewOf(tag);
  const sampled = (of) => Float64Array.from({ length: LEVELS }, (_, i) => of(i / (LEVELS - 1)));
  const kind = text(tag.subarray(0, 4));
  if (kind === "curv") {
    const count = view.getUint32(8);
    if (count === 0) return sampled((x) => x);
    if (count === 1) return sampled((x) => x ** (view.getUint16(12) / 256));
    const table = Float64Array.from({ length: count }, (_, i) => view.getUint16(12 + 2 * i) / 65535);
    return sampled((x) => between(table, x * (count - 1)));
  }
  if (kind !== "para") throw new Error("no curve");
  const number = view.getUint16(8);
  return sampled(parametric(number, Array.from({ length: PARAMETERS[number] }, (_, i) => fixed(view, 12 + 4 * i))));
}

function between(table, place) {
  const before = Math.min(Math.floor(place), table.length - 1);
  const after = Math.min(before + 1, table.length - 1);
  return table[before] + (table[after] - table[before]) * (place - before);
}

/** (a x + b)^g + e from x = d on, c x + f below. */
function parametric(kind, /** @type {number[]} */ given) {
  const [g, a = 1, b = 0] = given;
  let [c = 0, d = 0, e = 0, f = 0] = given.slice(3);
  if (kind === 1 || kind === 2) [d, e, c, f] = [-b / a, c, 0, c]; // the curve breaks where a x + b is 0
  return (x) => Math.min(1, Math.max(0, x >= d ? Math.max(0, a * x + b) ** g + e : c * x + f));
}

/**
 * The codes, 0 to `top`, of 65536 evenly spaced linear values, for each channel.
 * @param {CurveProfile} profile
 * @param {255|65535} top
 */
export function encodingOf({ curves }, top) {
  return curves.map((curve) => {
    const codes = top === 255 ? new Uint8Array(LEVELS) : new Uint16Array(LEVELS);
    for (let i = 0, after = 0; i < LEVELS; i += 1) {
      const value = i / (LEVELS - 1);
      while (after < LEVELS - 1 && curve[after] < value) after += 1;
      const before = Math.max(0, after - 1);
      const rise = curve[after] - curve[before];
      const place = rise > 0 ? before + Math.min(1, (value - curve[before]) / rise) : after;
      codes[i] = Math.round((place / (LEVELS - 1)) * top);
    }
    return codes;
  });
}

/** From this profile's linear RGB to linear sRGB. */
export const toSrgb = ({ fromSrgb }) => inverse(fromSrgb);

/** Whether a profile describes sRGB: by its values, or by its name if it has tables. */
export function isSrgb(icc) {
  if (text(icc.subarray(16, 20)) !== "RGB ") return false;
  const profile = curveProfile(icc);
  if (profile) return isNearSrgb(profile);
  let described = "";
  for (let at = 128; at < icc.length; at += 8192) described += text(icc.subarray(at, at + 8192));
  return /sRGB/.test(described.replaceAll("\0", ""));
}

function isNearSrgb(profile) {
  const matrix = toSrgb(profile);
  return STEPS.every((red) => STEPS.every((green) => STEPS.every((blue) => {
    const codes = [red, green, blue];
    const linear = codes.map((code, band) => profile.curves[band][257 * code]);
    return matrix.every((row, band) => {
      const value = Math.min(1, Math.max(0, row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]));
      return Math.abs(linearToSrgb(value) - codes[band] / 255) <= SRGB_TOLERANCE;
    });
  })));
}

/** The profile to which colours are converted on saving; null where sRGB will do. */
export function restorable(icc) {
  if (!icc || isSrgb(icc)) return null;
  const profile = curveProfile(icc);
  return profile?.fromSrgb ? profile : null;
}
