/** Select an object by a click, and its outline: `photochrom.engine.selection`. */

import { belonging } from "./propagation.js";

const BELONGS = 0.5;
const TOLERANCE_PX = 0.9;
const MOST_CORNERS = 400;
const TURNS = [[0, 1], [1, 0], [0, -1], [-1, 0]]; // right, down, left, up, as (row, column)

/**
 * The mask of the object at a place: one connected piece.
 * @param {import("./planes.js").Plane} lightness
 * @param {import("./planes.js").Plane[]} features
 */
export function thingAt(lightness, features, row, column, radius = 1) {
  const { width, height } = lightness;
  const seed = new Uint8Array(width * height);
  for (let y = Math.max(0, row - radius); y <= Math.min(height - 1, row + radius); y += 1) {
    for (let x = Math.max(0, column - radius); x <= Math.min(width - 1, column + radius); x += 1) seed[y * width + x] = 1;
  }
  const { share } = belonging(lightness, features, [{ mask: seed, ab: null, reach: "thing" }]);
  return connected(seed.map((own, i) => (own || share.data[i] > BELONGS ? 1 : 0)), width, row * width + column);
}

/** The four-connected piece of a mask that holds a place. */
function connected(mask, width, start) {
  const piece = new Uint8Array(mask.length);
  const waiting = mask[start] ? [start] : [];
  piece[start] = mask[start];
  while (waiting.length) {
    const at = waiting.pop();
    const column = at % width;
    const sides = [at - width, at + width, column > 0 ? at - 1 : -1, column < width - 1 ? at + 1 : -1];
    for (const next of sides) {
      if (next < 0 || next >= mask.length || !mask[next] || piece[next]) continue;
      piece[next] = 1;
      waiting.push(next);
    }
  }
  return piece;
}

/**
 * The outer border of a connected mask: corners [x, y] of a closed polygon, clockwise.
 * @returns {number[][]}
 */
export function outlineOf(mask, width, height) {
  const inside = (row, column) => row >= 0 && column >= 0 && row < height && column < width && mask[row * width + column] > 0;
  const first = mask.findIndex(Boolean);
  const start = [Math.floor(first / width), first % width];
  let at = start;
  let heading = 0;
  const corners = [];
  do {
    corners.push([at[1], at[0]]);
    at = [at[0] + TURNS[heading][0], at[1] + TURNS[heading][1]];
    heading = turned(inside, at, heading);
  } while (at[0] !== start[0] || at[1] !== start[1] || heading !== 0);
  let tolerance = TOLERANCE_PX;
  let found = simplified(corners, tolerance);
  while (found.length > MOST_CORNERS) {
    tolerance *= 1.5;
    found = simplified(corners, tolerance);
  }
  return found;
}

/** Follow the border with the mask to the right. */
function turned(inside, /** @type {number[]} */ [row, column], heading) {
  const [left, right] = [
    [[row - 1, column], [row, column]],
    [[row, column], [row, column - 1]],
    [[row, column - 1], [row - 1, column - 1]],
    [[row - 1, column - 1], [row - 1, column]],
  ][heading].map(([y, x]) => inside(y, x));
  if (!right) return (heading + 1) % 4;
  return left ? (heading + 3) % 4 : heading;
}

/**
 * Leave out corners that lie near the line between their neighbours (Douglas and Peucker).
 * @param {number[][]} points
 */
function simplified(points, tolerance) {
  const closed = [...points, points[0]];
  let far = 0;
  points.forEach(([x, y], i) => {
    if (Math.hypot(x - points[0][0], y - points[0][1]) > Math.hypot(points[far][0] - points[0][0], points[far][1] - points[0][1])) far = i;
  });
  const kept = new Set([0, far, points.length]);
  const waiting = [[0, far], [far, points.length]];
  while (waiting.length) {
    const [first, last] = waiting.pop();
    if (last - first < 2) continue;
    const [x0, y0] = closed[first];
    const [dx, dy] = [closed[last][0] - x0, closed[last][1] - y0];
    const length = Math.max(Math.hypot(dx, dy), 1e-9);
    let [middle, most] = [first + 1, -1];
    for (let i = first + 1; i < last; i += 1) {
      const away = Math.abs((closed[i][0] - x0) * dy - (closed[i][1] - y0) * dx) / length;
      if (away > most) [middle, most] = [i, away];
    }
    if (length > 1e-9 && most <= tolerance) continue;
    kept.add(middle);
    waiting.push([first, middle], [middle, last]);
  }
  const found = points.filter((_, i) => kept.has(i));
  return found.length >= 3 ? found : points.filter((_, i) => i % (1 + Math.floor(points.length / MOST_CORNERS)) === 0);
}
