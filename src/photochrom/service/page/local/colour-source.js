/** Palettes and references as the network's histogram: `options.palette`, `engine.reference`. */

import { abOf, rgbToLab } from "./light.js";
import { plane, resize } from "./planes.js";

const SHADES = [0.15, 0.4, 0.7, 1];
const SHADE_WEIGHTS = [0.35, 0.3, 0.2, 0.15];
const NEIGHBOURS = 5;
const SIGMA = 5; // ab units
const HISTOGRAM_STEP = 4;

/**
 * @typedef {{histogram: Float32Array, chroma: number}} Target
 * @param {string[]} colours   '#rrggbb'
 * @param {number[][]} centres
 * @returns {Target}
 */
export function ofPalette(colours, centres) {
  const histogram = new Float64Array(centres.length);
  let chroma = 0;
  for (const [a, b] of colours.map(abOf)) {
    SHADES.forEach((shade, i) => {
      const share = SHADE_WEIGHTS[i] / colours.length;
      /** @type {[number, number]} */
      const own = [a * shade, b * shade];
      chroma += share * Math.hypot(...own);
      for (const [bin, weight] of encoded(own, centres)) histogram[bin] += weight * share;
    });
  }
  return { histogram: Float32Array.from(histogram), chroma };
}

/** The nearest bins of a colour and their weights. */
function encoded([a, b], centres) {
  const nearest = centres.map(([x, y], bin) => [bin, (x - a) ** 2 + (y - b) ** 2])
    .sort(([, one], [, other]) => one - other).slice(0, NEIGHBOURS);
  const weights = nearest.map(([, squared]) => Math.exp((nearest[0][1] - squared) / (2 * SIGMA ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return nearest.map(([bin], i) => [bin, weights[i] / total]);
}

/**
 * The colours of a reference.
 * @param {{width: number, height: number, data: Uint8ClampedArray}} small  RGBA.
 * @param {number[][]} centres
 * @returns {Target}
 */
export function ofReference({ width, height, data }, centres) {
  const planes = [plane(width, height), plane(width, height)];
  for (let i = 0; i < width * height; i += 1) {
    const [, a, b] = rgbToLab(data[4 * i], data[4 * i + 1], data[4 * i + 2]);
    [planes[0].data[i], planes[1].data[i]] = [a, b];
  }
  const [high, wide] = [height, width].map((side) => Math.max(1, Math.floor(side / HISTOGRAM_STEP)));
  const [a, b] = planes.map((each) => resize(each, high, wide).data);
  const histogram = new Float32Array(centres.length);
  let chroma = 0;
  for (let i = 0; i < a.length; i += 1) {
    chroma += Math.hypot(a[i], b[i]) / a.length;
    let best = 0;
    let least = Infinity;
    centres.forEach(([x, y], bin) => {
      const squared = (x - a[i]) ** 2 + (y - b[i]) ** 2;
      if (squared < least) [best, least] = [bin, squared];
    });
    histogram[best] += 1 / a.length;
  }
  return { histogram, chroma };
}
