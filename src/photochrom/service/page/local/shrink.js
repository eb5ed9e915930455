/**
 * Reduce pixels as libjpeg does it while it decodes, which photochrom lets it do: the mean of each
 * square of 2, 4 or 8 pixels, counted from the corner at which the file begins.
 */

import { roundEven } from "./planes.js";

const SHRINKS = [8, 4, 2];
const MARGIN = 2; // left to the better filter: `photochrom.photo.source`

/** The factor by which a JPEG is reduced before it is resized to a size. */
export function shrinkFor(width, height, wanted) {
  const shrink = Math.min(width / wanted.width, height / wanted.height);
  return SHRINKS.find((factor) => shrink >= factor * MARGIN) ?? 1;
}

/**
 * Reduce 8-bit pixels; the last ones that fill no square are left out, as libvips does it.
 * @param {{width: number, height: number, data: Uint8Array}} source  Upright.
 * @param {number} factor
 * @param {number} turn  The orientation in the file, 1 to 8.
 */
export function shrunk({ width, height, data }, factor, turn) {
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.floor(side / factor)));
  const left = [2, 3, 6, 7].includes(turn) ? width - wide * factor : 0;
  const top = [3, 4, 7, 8].includes(turn) ? height - high * factor : 0;
  const out = new Uint8Array(wide * high);
  const sums = new Uint32Array(wide);
  const count = factor * factor; // libjpeg rounds once, the browser each pixel, too: halves must not all go up
  for (let y = 0; y < high; y += 1) {
    sums.fill(0);
    for (let k = 0; k < factor; k += 1) {
      for (let x = 0, at = (top + y * factor + k) * width + left; x < wide; x += 1) {
        for (let j = 0; j < factor; j += 1, at += 1) sums[x] += data[at];
      }
    }
    for (let x = 0; x < wide; x += 1) out[y * wide + x] = roundEven(sums[x] / count);
  }
  return { width: wide, height: high, data: out };
}
