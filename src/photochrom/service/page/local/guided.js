/** The fast guided filter: `photochrom.engine.guided`. */

import { boxMean, extreme, mapPlane } from "./planes.js";

const RADIUS = 3;
const EPSILON = 2; // L* units squared
const MIDDLE = 50;
const BOUND_RADIUS = 4;

/**
 * ab = slope L + offset within bounds, at a small size.
 * @typedef {import("./planes.js").Plane} Plane
 * @typedef {{width: number, height: number, slope: Plane[], offset: Plane[], low: Plane[], high: Plane[]}} Field
 */

/**
 * Fit ab = slope L + offset in every window.
 * @param {Plane} lightness  L*, at the working size.
 * @param {Plane[]} ab
 * @returns {Field}
 */
export function fitField(lightness, ab) {
  const { width, height } = lightness;
  const guide = mapPlane(lightness, (i) => lightness.data[i] - MIDDLE);
  const meanL = boxMean(guide, RADIUS);
  const meanLL = boxMean(mapPlane(guide, (i) => guide.data[i] ** 2), RADIUS);
  const slope = [];
  const offset = [];
  for (const own of ab) {
    const mean = boxMean(own, RADIUS);
    const product = boxMean(mapPlane(own, (i) => own.data[i] * guide.data[i]), RADIUS);
    const steep = mapPlane(own, (i) => {
      const variance = Math.max(meanLL.data[i] - meanL.data[i] ** 2, 0);
      return (product.data[i] - meanL.data[i] * mean.data[i]) / (variance + EPSILON);
    });
    slope.push(boxMean(steep, RADIUS));
    offset.push(boxMean(mapPlane(own, (i) => mean.data[i] - steep.data[i] * (meanL.data[i] + MIDDLE)), RADIUS));
  }
  const bounds = (/** @type {1|-1} */ sign) => ab.map((own) => extreme(own, BOUND_RADIUS, sign));
  return { width, height, slope, offset, low: bounds(-1), high: bounds(1) };
}
