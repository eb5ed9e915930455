/**
 * Resize codes of a photograph as libvips does, which `photochrom.photo` uses: a box first where
 * pixels become far fewer, then Lanczos with three lobes; cubic where they become more.
 */

import { apply } from "./planes.js";

const LOBES = 3;
const GAP = 2; // by which the box leaves more pixels than are wanted

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const lanczos = (x) => (Math.abs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0);

/** Catmull and Rom's cubic. */
function cubic(x) {
  const t = Math.abs(x);
  if (t >= 2) return 0;
  return t < 1 ? 1.5 * t ** 3 - 2.5 * t ** 2 + 1 : -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2;
}

/**
 * The weights of a kernel around each new pixel's place, with edges extended.
 * @param {number} size
 * @param {number} pixels  That there are.
 * @param {(at: number) => number} placeOf
 * @param {(x: number) => number} kernel
 * @param {number} reach
 * @returns {import("./planes.js").Taps}
 */
function tapsOf(size, pixels, placeOf, kernel, reach) {
  const starts = new Int32Array(size);
  const weights = [];
  for (let at = 0; at < size; at += 1) {
    const place = placeOf(at);
    const [low, high] = [Math.ceil(place - reach), Math.floor(place + reach)];
    const first = Math.min(pixels - 1, Math.max(0, low));
    const own = new Float64Array(Math.max(first, Math.min(pixels - 1, high)) - first + 1);
    let sum = 0;
    for (let i = low; i <= high; i += 1) {
      const weight = kernel(i - place);
      own[Math.min(pixels - 1, Math.max(0, i)) - first] += weight;
      sum += weight;
    }
    for (let i = 0; i < own.length; i += 1) own[i] /= sum;
    starts[at] = first;
    weights.push(own);
  }
  return { starts, weights };
}

/** Fewer pixels: Lanczos, as wide as a new pixel. */
function fewer(length, size, pixels) {
  const step = length / size;
  return tapsOf(size, pixels, (at) => (at + 0.5) * step - 0.5, (x) => lanczos(x / step), LOBES * step);
}

/** More pixels: cubic. libvips places the first new pixel half an old one before the first old one. */
const more = (length, size) => tapsOf(size, length, (at) => (at * length) / size - 0.5, cubic, 2);

/** Means of whole runs of pixels; a last, shorter run is extended. */
function boxTaps(length, factor) {
  const size = Math.ceil(length / factor);
  const starts = Int32Array.from({ length: size }, (_, at) => at * factor);
  const weights = Array.from(starts, (first) => {
    const own = new Float64Array(Math.min(factor, length - first)).fill(1 / factor);
    own[own.length - 1] += (factor - own.length) / factor;
    return own;
  });
  return { starts, weights };
}

/**
 * Resize codes.
 * @template {Uint8Array|Uint16Array} Codes
 * @param {{width: number, height: number, data: Codes}} source
 * @param {number} width
 * @param {number} height
 * @returns {{width: number, height: number, data: Codes}}
 */
export function resample(source, width, height) {
  if (width === source.width && height === source.height) return source;
  /** @type {{width: number, height: number, data: ArrayLike<number>}} */
  let out = source;
  for (const isAcross of [false, true]) {
    const [length, wanted] = isAcross ? [source.width, width] : [source.height, height];
    if (wanted >= length) continue;
    const factor = Math.max(1, Math.floor(length / wanted / GAP));
    if (factor > 1) out = apply(out, Math.ceil(length / factor), isAcross, boxTaps(length, factor));
    // The last run of the box may be shorter: the scale is that of the whole runs.
    out = apply(out, wanted, isAcross, fewer(length / factor, wanted, isAcross ? out.width : out.height));
  }
  if (width > source.width || height > source.height) { // both axes, as libvips does
    out = apply(out, height, false, more(out.height, height));
    out = apply(out, width, true, more(out.width, width));
  }
  const top = source.data instanceof Uint8Array ? 255 : 65535;
  const data = /** @type {Codes} */ (new /** @type {any} */ (source.data).constructor(width * height));
  for (let i = 0; i < data.length; i += 1) data[i] = Math.min(top, Math.max(0, Math.round(out.data[i])));
  return { width, height, data };
}
