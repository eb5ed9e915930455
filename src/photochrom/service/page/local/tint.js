/** Whether a picture is neutral, toned or in colour: `photochrom.photo.tint_detection`. */

import { solve } from "./components.js";
import { rgbToLab } from "./light.js";

export const PROBE_PX = 96; // long side of the copy that is analysed
const NEUTRAL_CHROMA = 2;
const RESIDUE_SHARE = 0.072;
const RESIDUE_CHROMA = 12;
const MOST_CHROMA = 24;
const CELLS = 20;
const KNOTS = 4;

/**
 * @param {{width: number, height: number, data: Uint8ClampedArray}} small  RGBA.
 * @returns {'neutral'|'toned'|'colour'}
 */
export function tintOf(small) {
  const { cells, wide, high } = cellsOf(small);
  const energy = energyOf(cells.map(([, a, b]) => [a, b]));
  if (energy <= NEUTRAL_CHROMA ** 2) return "neutral";
  const left = energyOf(residue(cells, wide, high));
  const allowed = RESIDUE_SHARE * (RESIDUE_CHROMA + Math.min(Math.sqrt(energy), MOST_CHROMA));
  return left <= allowed ** 2 ? "toned" : "colour";
}

const energyOf = (ab) => ab.reduce((sum, [a, b]) => sum + a * a + b * b, 0) / ab.length;

/** Mean L*a*b* of squares; the rest at the edges joins the last ones. */
function cellsOf({ width, height, data }) {
  const side = Math.max(1, Math.round(Math.max(width, height) / CELLS));
  const [wide, high] = [width, height].map((length) => Math.max(1, Math.floor(length / side)));
  const sums = Array.from({ length: wide * high }, () => [0, 0, 0, 0]);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = 4 * (y * width + x);
      const own = sums[Math.min(high - 1, Math.floor(y / side)) * wide + Math.min(wide - 1, Math.floor(x / side))];
      [1, ...rgbToLab(data[i], data[i + 1], data[i + 2])].forEach((value, k) => { own[k] += value; });
    }
  }
  return { cells: sums.map(([count, ...lab]) => lab.map((sum) => sum / count)), wide, high };
}

/** What is left of ab where lightness and place have explained it. */
function residue(cells, wide, high) {
  const terms = termsOf(cells, wide, high);
  const count = terms[0].length;
  const square = Array.from({ length: count }, (_, i) => Array.from({ length: count }, (__, j) =>
    terms.reduce((sum, row) => sum + row[i] * row[j], 0) + (i === j ? 1e-4 * terms.length : 0)));
  const right = Array.from({ length: count }, (_, i) => [1, 2].map((band) =>
    terms.reduce((sum, row, k) => sum + row[i] * cells[k][band], 0)));
  const weights = solve(square, right);
  return cells.map((lab, k) => [0, 1].map((band) =>
    lab[band + 1] - terms[k].reduce((sum, value, i) => sum + value * weights[i][band], 0)));
}

function percentile(sorted, share) {
  const at = share * (sorted.length - 1);
  const before = Math.floor(at);
  return sorted[before] + ((sorted[before + 1] ?? sorted[before]) - sorted[before]) * (at - before);
}

/** The regressors: a curve over lightness, five of place, five of a stain. */
function termsOf(cells, wide, high) {
  const sorted = cells.map(([lightness]) => lightness).sort((one, other) => one - other);
  const low = percentile(sorted, 0.01);
  const step = (Math.max(percentile(sorted, 0.99), low + 10) - low) / (KNOTS - 1);
  return cells.map(([lightness], i) => {
    const inside = Math.min(Math.max(lightness, low), low + step * (KNOTS - 1));
    const curve = Array.from({ length: KNOTS }, (_, k) => Math.max(0, 1 - Math.abs(inside - low - k * step) / step));
    const x = wide > 1 ? (2 * (i % wide)) / (wide - 1) - 1 : -1;
    const y = high > 1 ? (2 * Math.floor(i / wide)) / (high - 1) - 1 : -1;
    const place = [x, y, x * x, x * y, y * y];
    return [...curve, ...place, ...place.map((value) => value * (lightness / 50 - 1))];
  });
}
