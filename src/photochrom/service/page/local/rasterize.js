/** Exact colours inside small places of a full-size picture: `photochrom.photo.rasterize`. */

import { LINEAR, abOf, deepLinearTable, labToLinear, linearToSrgb, luminanceToLightness } from "./light.js";
import { plane } from "./planes.js";

const RADIUS = 8; // of a hint that names none
const FEATHER = 0.25; // of the radius
const REGION_FEATHER_PX = 2;
const SMALLEST_RADIUS_PX = 0.71; // at the working size

/**
 * A place and its colour, in pixels of a picture; without one it restores the picture below earlier places.
 * @typedef {{points: number[][], radius: number, ab: [number, number]|null, closed: boolean}} Overlay
 */

/**
 * Each hint as a place.
 * @returns {Overlay[]}
 */
export function overlaysOf(hints) {
  return hints.map((hint) => ({
    points: hint.points,
    radius: hint.shape === "region" ? 0 : hint.radius ?? RADIUS,
    ab: hint.keep ? null : /** @type {[number, number]} */ (hint.colour ? abOf(hint.colour) : [0, 0]),
    closed: hint.shape === "region",
  }));
}

/** @returns {Overlay} */
export const scaled = (overlay, across, down) => ({
  ...overlay,
  points: overlay.points.map(([x, y]) => [x * across, y * down]),
  radius: overlay.radius * Math.sqrt(across * down),
});

/** @returns {Overlay} */
export const moved = (overlay, across, down) => ({ ...overlay, points: overlay.points.map(([x, y]) => [x + across, y + down]) });

const featherOf = ({ closed, radius }) => (closed ? REGION_FEATHER_PX : Math.max(1, FEATHER * radius));
const bounded = (value, most) => Math.min(Math.max(value, 0), most);

/** Left, top, right and bottom of what an overlay may change. */
export function windowOf(overlay, width, height) {
  const reach = overlay.radius + featherOf(overlay);
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of overlay.points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return [
    bounded(Math.floor(left - reach), width), bounded(Math.floor(top - reach), height),
    bounded(Math.ceil(right + reach), width), bounded(Math.ceil(bottom + reach), height),
  ];
}

/** How much of the colour shows in each pixel of a window: 1 inside, 0 beyond the feather. */
export function coverage(overlay, left, top, width, height) {
  const near = new Float32Array(width * height).fill(Infinity);
  const feather = featherOf(overlay);
  const reach = overlay.radius + feather;
  for (const [start, stop] of segmentsOf(overlay)) {
    const x0 = Math.max(Math.floor(Math.min(start[0], stop[0]) - reach) - left, 0);
    const y0 = Math.max(Math.floor(Math.min(start[1], stop[1]) - reach) - top, 0);
    const x1 = Math.min(Math.ceil(Math.max(start[0], stop[0]) + reach) - left, width);
    const y1 = Math.min(Math.ceil(Math.max(start[1], stop[1]) + reach) - top, height);
    const [dx, dy] = [stop[0] - start[0], stop[1] - start[1]];
    const length = dx * dx + dy * dy;
    for (let row = y0; row < y1; row += 1) {
      const y = row + top + 0.5 - start[1];
      for (let column = x0; column < x1; column += 1) {
        const x = column + left + 0.5 - start[0];
        const share = length ? bounded((x * dx + y * dy) / length, 1) : 0;
        const distance = Math.hypot(x - share * dx, y - share * dy);
        if (distance < near[row * width + column]) near[row * width + column] = distance;
      }
    }
  }
  if (overlay.closed) fillInside(overlay.points, near, left, top, width, height);
  return near.map((distance) => bounded((reach - distance) / feather, 1));
}

function segmentsOf({ points, closed }) {
  if (points.length === 1) return [[points[0], points[0]]];
  const ends = closed ? [...points.slice(1), points[0]] : points.slice(1);
  return ends.map((end, i) => [points[i], end]);
}

/** Set pixels whose centres lie in a polygon to 0: an odd number of edges to their right. */
function fillInside(points, near, left, top, width, height) {
  for (let row = 0; row < height; row += 1) {
    const y = row + top + 0.5;
    const crossings = points.flatMap(([x0, y0], i) => {
      const [x1, y1] = points[(i + 1) % points.length];
      return y0 > y !== y1 > y ? [x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)] : [];
    }).sort((one, other) => one - other);
    for (let column = 0, passed = 0; column < width; column += 1) {
      while (passed < crossings.length && crossings[passed] <= column + left + 0.5) passed += 1;
      if (passed % 2) near[row * width + column] = 0;
    }
  }
}

/**
 * Draw overlays on some rows of a joined picture, in linear light, in place.
 * @param {Overlay[]} overlays  Later ones are on top.
 * @param {Uint8Array|Uint8ClampedArray|Uint16Array} out  The rows, of 8 or 16 bits.
 * @param {Float64Array} luminance  Y of each code.
 * @param {Uint8Array|Uint16Array} codes  Of the whole picture.
 */
export function paint(overlays, out, bands, luminance, codes, width, top, rows) {
  const [most, linear] = out instanceof Uint16Array ? [65535, deepLinearTable()] : [255, LINEAR];
  const below = overlays.some((overlay) => !overlay.ab) ? out.slice() : out;
  for (const overlay of overlays) {
    const [left, first, right, last] = windowOf(overlay, width, top + rows);
    const from = Math.max(first, top);
    if (from >= last || left >= right) continue;
    const shares = coverage(overlay, left, from, right - left, last - from);
    const known = new Map(); // code -> the overlay's colour there
    for (let y = from, i = 0; y < last; y += 1) {
      for (let x = left; x < right; x += 1, i += 1) {
        if (!shares[i]) continue;
        const at = ((y - top) * width + x) * bands;
        const code = codes[y * width + x];
        let wanted = overlay.ab ? known.get(code) : [linear[below[at]], linear[below[at + 1]], linear[below[at + 2]]];
        if (!wanted) known.set(code, wanted = labToLinear(luminanceToLightness(luminance[code]), ...overlay.ab, luminance[code]));
        for (let band = 0; band < 3; band += 1) {
          const present = linear[out[at + band]];
          out[at + band] = Math.round(most * linearToSrgb(present + (wanted[band] - present) * shares[i]));
        }
      }
    }
  }
}

/**
 * Draw places at the working size.
 * @param {Overlay[]} overlays  On the full-size picture.
 * @returns {{ab: import("./planes.js").Plane[], mask: import("./planes.js").Plane}}
 */
export function hintPlanes(overlays, full, working) {
  const { width, height } = working;
  const [a, b, mask] = [plane(width, height), plane(width, height), plane(width, height)];
  for (const overlay of overlays) {
    const small = scaled(overlay, width / full.width, height / full.height);
    if (!overlay.closed) small.radius = Math.max(small.radius, SMALLEST_RADIUS_PX);
    const [left, top, right, bottom] = windowOf(small, width, height);
    if (left >= right || top >= bottom) continue;
    const shares = coverage(small, left, top, right - left, bottom - top);
    for (let y = top, i = 0; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1, i += 1) {
        if (shares[i] < 1) continue;
        const at = y * width + x;
        [a.data[at], b.data[at]] = overlay.ab ?? [0, 0];
        mask.data[at] = 1;
      }
    }
  }
  return { ab: [a, b], mask };
}
