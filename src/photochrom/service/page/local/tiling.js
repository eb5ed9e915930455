/** The size at which the network sees a picture: `photochrom.engine.tiling`. */

import { roundEven } from "./planes.js";

const MOST_PIXELS = 2 * 320 * 256;
export const LONGEST = 3; // beyond this aspect ratio a picture is split into tiles
const MOST_TILES = 16;
const OVERLAP = 0.25;

/**
 * @typedef {{height: number, width: number, tiles: [number, number][]}} WorkingSize
 * @param {number} height
 * @param {number} width
 * @param {number} shortSide
 * @param {number} stride
 * @returns {WorkingSize}
 */
export function workingSize(height, width, shortSide, stride) {
  const ratio = Math.max(height, width) / Math.min(height, width);
  if (ratio <= LONGEST) {
    const scale = Math.min(shortSide, Math.sqrt(MOST_PIXELS / ratio)) / Math.min(height, width);
    const [high, wide] = multiples([height * scale, width * scale], stride);
    return { height: high, width: wide, tiles: [[0, Math.max(high, wide)]] };
  }
  const side = Math.min(shortSide, Math.sqrt(MOST_PIXELS / LONGEST));
  const short = Math.min(...multiples([side, LONGEST * side], stride));
  const tile = roundEven((LONGEST * short) / stride) * stride;
  const step = roundEven((tile * (1 - OVERLAP)) / stride) * stride;
  const most = tile + (MOST_TILES - 1) * step;
  const long = Math.min(most, Math.max(tile, roundEven((ratio * short) / stride) * stride));
  const count = 1 + Math.ceil((long - tile) / step);
  const gap = (long - tile) / stride / Math.max(1, count - 1);
  /** @type {[number, number][]} */
  const tiles = Array.from({ length: count }, (_, i) => {
    const start = roundEven(i * gap) * stride;
    return [start, start + tile];
  });
  return width >= height ? { height: short, width: long, tiles } : { height: long, width: short, tiles };
}

function multiples(sides, stride) {
  const nearest = sides.map((side) => Math.max(1, roundEven(side / stride)) * stride);
  if (nearest[0] * nearest[1] <= MOST_PIXELS) return nearest;
  return sides.map((side) => Math.max(1, Math.floor(side / stride)) * stride);
}
