/**
 * Hints that reach everywhere: `photochrom.engine.hint_interpolation` and `photochrom.engine.kriging`.
 */

import { solve } from "./components.js";
import { boxMean, plane } from "./planes.js";

const CELL_PX = 8;
const CELL_LIGHTNESS = 10;
const ENOUGH = 0.004;
const BELIEF = [2.2, -2.8];
const FAR = 1;
const NEARER = [25, 330];
const [TOLD_SATURATION, HALF_TOLD] = [0.8, 0.1];
const PLACE = [0.12, 1.5];
const [LIGHTNESS, COLOUR] = [15, 21];
const [ONE, MANY] = [1, 3];
const NOISE = 0.01;
const MOST_CENTRES = 120;
const GATHER_PX = 6;

const bounded = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * @typedef {import("./planes.js").Plane} Plane
 * Group hinted pixels into centres; `columns` are averaged, after row and column.
 * @returns {{means: number[][], shares: number[]}}
 */
function gather(mask, columns) {
  const { width, data } = mask;
  for (let cell = GATHER_PX; ; cell *= 2) {
    const cells = new Map();
    for (let i = 0; i < data.length; i += 1) {
      if (!data[i]) continue;
      const [row, column] = [Math.floor(i / width), i % width];
      const number = Math.floor(row / cell) * (Math.floor(width / cell) + 1) + Math.floor(column / cell);
      if (!cells.has(number)) cells.set(number, [0, ...Array(columns.length + 2).fill(0)]);
      const sums = cells.get(number);
      [1, row, column, ...columns.map((values) => values[i])].forEach((value, k) => { sums[k] += value; });
    }
    if (cells.size > MOST_CENTRES) continue;
    const sorted = [...cells].sort(([one], [other]) => one - other).map(([, sums]) => sums);
    return { means: sorted.map(([count, ...sums]) => sums.map((sum) => sum / count)), shares: sorted.map(([count]) => count / cell ** 2) };
  }
}

/** Interpolation of values known at hinted pixels. */
class Kriging {
  constructor(mask, lightness, ab) {
    this.mask = mask;
    this.lightness = lightness;
    this.ab = ab;
    const { means, shares } = gather(mask, [ab[0].data, ab[1].data, lightness.data]);
    this.longer = Math.max(mask.width, mask.height);
    this.centres = means.map(([row, column, a, b, tone]) => [row / this.longer, column / this.longer, tone, a, b]);
    const noise = shares.map((share) => NOISE / Math.max(share, 0.05));
    const between = (of) => this.centres.map((one, i) => this.centres.map((other, j) => of(one, other) + (i === j ? noise[i] : 0)));
    const apart = between((one, other) => Math.exp(-Math.hypot(one[0] - other[0], one[1] - other[1]) / PLACE[0]));
    const effective = solve(apart, apart.map(() => [1])).reduce((sum, [value]) => sum + value, 0);
    this.told = bounded((effective - ONE) / (MANY - ONE), 0, 1) ** 3;
    this.place = PLACE[0] + (PLACE[1] - PLACE[0]) * this.told;
    this.between = between((one, other) => this.covariance(one, ...other));
    this.alike = this.alikeness();
  }

  covariance(centre, row, column, tone, a, b) {
    const place = Math.hypot(centre[0] - row, centre[1] - column) / this.place;
    const kind = (centre[2] - tone) ** 2 / (2 * LIGHTNESS ** 2) + ((centre[3] - a) ** 2 + (centre[4] - b) ** 2) / (2 * COLOUR ** 2);
    return Math.exp(-place - kind);
  }

  /** The covariance of every pixel with every centre. */
  alikeness() {
    const { width, data } = this.lightness;
    const count = this.centres.length;
    const out = new Float32Array(data.length * count);
    for (let i = 0, at = 0; i < data.length; i += 1) {
      const [row, column] = [Math.floor(i / width) / this.longer, (i % width) / this.longer];
      for (let k = 0; k < count; k += 1, at += 1) {
        out[at] = this.covariance(this.centres[k], row, column, data[i], this.ab[0].data[i], this.ab[1].data[i]);
      }
    }
    return out;
  }

  /** @returns {Plane}  Of one column of known values, bounded. */
  interpolate(known, low, high) {
    const weights = solve(this.between, known.map((value) => [value])).map(([value]) => value);
    const out = plane(this.mask.width, this.mask.height);
    for (let i = 0, at = 0; i < out.data.length; i += 1) {
      let sum = 0;
      for (let k = 0; k < weights.length; k += 1, at += 1) sum += this.alike[at] * weights[k];
      out.data[i] = bounded(sum, low, high);
    }
    return out;
  }

  /** How much is known about each pixel: 1 at known places, 0 far away. */
  known() {
    return this.interpolate(this.centres.map(() => 1), 0, 1);
  }

  /** Spread values that are known where the mask is 1. */
  spread(values) {
    const { means } = gather(this.mask, values);
    return values.map((_, band) => {
      const known = means.map((mean) => mean[2 + band]);
      return this.interpolate(known, Math.min(0, ...known), Math.max(0, ...known));
    });
  }
}

/**
 * Join the colours without and with hints, and correct both where hints differ.
 * @param {Plane[]} plain
 * @param {Plane[]} hinted
 * @param {{ab: Plane[], mask: Plane}} hints
 * @param {Plane} lightness
 * @param {number} saturation  By which the look raises colours.
 * @returns {Plane[]}
 */
export function interpolateHints(plain, hinted, hints, lightness, saturation) {
  if (!hints.mask.data.some(Boolean)) return plain;
  const { width, height } = lightness;
  const kriging = new Kriging(hints.mask, lightness, plain);
  const known = kriging.known().data;
  const told = 1 - Math.min(1, TOLD_SATURATION / saturation);
  const ab = [plane(width, height), plane(width, height)];
  for (let i = 0; i < known.length; i += 1) {
    const change = [0, 1].map((band) => hinted[band].data[i] - plain[band].data[i]);
    const most = FAR + known[i] * (NEARER[0] + (NEARER[1] - NEARER[0]) * kriging.told);
    const share = Math.min(1 / (1 + Math.exp(-BELIEF[0] - BELIEF[1] * known[i])), most / (Math.hypot(...change) + 1e-6));
    const calm = 1 - told * Math.max(known[i] / (known[i] + HALF_TOLD), kriging.told);
    for (const band of [0, 1]) ab[band].data[i] = (plain[band].data[i] + change[band] * share) * calm;
  }
  return corrected(ab, kriging, hints, lightness);
}

/** Correct the error at the hints: widely, then closely. */
function corrected(ab, kriging, hints, lightness) {
  const missed = ab.map(({ data }, band) => data.map((v, i) => hints.ab[band].data[i] - v));
  const spread = kriging.spread(missed);
  const near = ab.map(({ width, height, data }, band) => plane(width, height, data.map((v, i) => v + spread[band].data[i])));
  const obeyed = closely(near, hints, lightness);
  return ab.map(({ width, height, data }, band) => {
    let [low, high] = [0, 0];
    hints.mask.data.forEach((share, i) => {
      low = Math.min(low, missed[band][i] * share);
      high = Math.max(high, missed[band][i] * share);
    });
    return plane(width, height, data.map((v, i) => v + bounded(obeyed[band].data[i] - v, low, high)));
  });
}

/** A normalised sum over the hinted pixels on a bilateral grid. */
function closely(ab, hints, lightness) {
  const { width, height } = lightness;
  const [rows, columns, slices] = [Math.ceil(height / CELL_PX), Math.ceil(width / CELL_PX), Math.floor(100 / CELL_LIGHTNESS) + 2];
  const grid = [0, 1, 2].map(() => Array.from({ length: slices }, () => plane(columns, rows)));
  const toneOf = (i) => bounded(lightness.data[i], 0, 100) / CELL_LIGHTNESS;
  const cellOf = (i) => Math.floor(Math.floor(i / width) / CELL_PX) * columns + Math.floor((i % width) / CELL_PX);
  const mask = hints.mask.data;
  for (let i = 0; i < mask.length; i += 1) {
    if (!mask[i]) continue;
    const values = [hints.ab[0].data[i] - ab[0].data[i], hints.ab[1].data[i] - ab[1].data[i], 1];
    values.forEach((value, k) => { grid[k][Math.round(toneOf(i))].data[cellOf(i)] += (value * mask[i]) / CELL_PX ** 2; });
  }
  const blurred = grid.map(blur);
  const out = ab.map(() => plane(width, height));
  for (let i = 0; i < mask.length; i += 1) {
    const below = Math.floor(toneOf(i));
    const upper = toneOf(i) - below;
    const [a, b, weight] = blurred.map((own) => {
      const low = own[below].data[cellOf(i)];
      return low + (own[below + 1].data[cellOf(i)] - low) * upper;
    });
    const part = Math.min(1, weight / ENOUGH) / Math.max(weight, 1e-9);
    [a, b].forEach((value, band) => {
      out[band].data[i] = mask[i] * hints.ab[band].data[i] + (1 - mask[i]) * (ab[band].data[i] + value * part);
    });
  }
  return out;
}

/** Blur rows, columns and slices with three box blurs: nearly a Gaussian. */
function blur(slices) {
  let now = slices;
  for (let round = 0; round < 3; round += 1) {
    const flat = now.map((each) => boxMean(each, 1));
    now = flat.map(({ width, height, data }, k) => plane(width, height, data.map((v, i) =>
      ((flat[k - 1]?.data[i] ?? 0) + 2 * v + (flat[k + 1]?.data[i] ?? 0)) / 4)));
  }
  return now;
}
