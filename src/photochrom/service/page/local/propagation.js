/** Spread hints over the object they are on: `photochrom.engine.hint_propagation`. */

import { principalComponents } from "./components.js";
import { boxMean, mapPlane, plane, resize, roundEven } from "./planes.js";

const GRID_PX = 64;
const REACHES = {
  near: { place: 1.8, lightness: 0.25, features: 0.4 },
  thing: { place: 0.5, lightness: 0.2, features: 0.35 },
  region: { place: 400, lightness: 0, features: 0 },
};
const REACH_STEP = 1.04;
const SOFTNESS = 0.12;
const FREE_LIGHTNESS = 2;
const [REFINE_RADIUS, REFINE_EPSILON] = [4, 4];
const SHADE = 0.3;
const SHADES = [0.6, 1.15];
const EDGE = 1.5;
const FEATURES = 6;
const [SPREAD, MOST_SPREADING] = [0.32, 2];
const [FREE_TONE, UNLIKE_TONE, UNLIKE] = [12, 0.15, 1.6];
const STEPS = [[0, 1], [1, 0], [1, 1], [1, -1]];
const MOST_SWEEPS = 400;

/**
 * @typedef {import("./planes.js").Plane} Plane
 * A hinted place at the working size; without ab the network's colours stay.
 * @typedef {{mask: Uint8Array, ab: number[]|null, reach: string|number}} Spot
 */

/** The costs of a step for a reach. */
export function reachOf(reach) {
  if (typeof reach === "string") return REACHES[reach];
  const { near, thing } = REACHES;
  const share = Math.min(1, Math.max(0, Math.log(reach * near.place) / Math.log(near.place / thing.place)));
  const mix = (name) => near[name] + share * (thing[name] - near[name]);
  return { place: 1 / reach, lightness: mix("lightness"), features: mix("features") };
}

const inSteps = (reach) => (typeof reach === "string" ? reach
  : REACH_STEP ** roundEven(Math.log(reach) / Math.log(REACH_STEP)));

/**
 * Colour the objects that hints lie on, in place.
 * @param {Plane[]} ab         Colours without these hints.
 * @param {Plane} lightness
 * @param {Spot[]} given       Later ones are on top.
 * @param {Plane[]} plain      Colours without any hint.
 * @param {Plane[]} features
 */
export function propagate(ab, lightness, given, plain, features) {
  const spots = given.filter(({ mask }) => mask.some(Boolean));
  if (!spots.length) return;
  const { owner, share } = belonging(lightness, features, spots);
  const tones = spots.map((spot) => medianUnder(lightness.data, spot.mask));
  for (let i = 0; i < owner.length; i += 1) {
    const spot = spots[owner[i]];
    const raised = ((lightness.data[i] + 5) / (tones[owner[i]] + 5)) ** SHADE;
    const shade = Math.min(Math.max(raised, SHADES[0]), SHADES[1]);
    for (const band of [0, 1]) {
      const wanted = spot.ab ? spot.ab[band] * shade : plain[band].data[i];
      ab[band].data[i] += share.data[i] * (wanted - ab[band].data[i]);
    }
  }
  for (const { mask, ab: own } of spots) {
    for (let i = 0; i < mask.length; i += 1) {
      if (mask[i]) for (const band of [0, 1]) ab[band].data[i] = own ? own[band] : plain[band].data[i];
    }
  }
}

export function median(values) {
  const sorted = Float32Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const medianUnder = (values, mask) => median(values.filter((_, i) => mask[i]));

/** The shares of bins, (Q, n), from logits: a softmax over the first axis. */
export function sharesOf({ bins, width, height, data }) {
  const count = width * height;
  const shares = new Float32Array(data.length);
  const top = new Float32Array(count).fill(-Infinity);
  const total = new Float64Array(count);
  for (let at = 0; at < data.length; at += count) {
    for (let i = 0; i < count; i += 1) if (data[at + i] > top[i]) top[i] = data[at + i];
  }
  for (let at = 0; at < data.length; at += count) {
    for (let i = 0; i < count; i += 1) total[i] += shares[at + i] = Math.exp(data[at + i] - top[i]);
  }
  for (let bin = 0, at = 0; bin < bins; bin += 1) {
    for (let i = 0; i < count; i += 1, at += 1) shares[at] /= total[i];
  }
  return shares;
}

/**
 * Features that separate objects: main components of the square roots of the shares.
 * @param {import("./network.js").Logits} logits
 * @returns {Plane[]}
 */
export function featuresOf(logits) {
  const { bins, width, height } = logits;
  const count = width * height;
  const roots = sharesOf(logits).map(Math.sqrt);
  for (let at = 0; at < roots.length; at += count) {
    let mean = 0;
    for (let i = 0; i < count; i += 1) mean += roots[at + i];
    mean /= count;
    for (let i = 0; i < count; i += 1) roots[at + i] -= mean;
  }
  const found = principalComponents(roots, bins, count, FEATURES).map((vector) => {
    const out = plane(width, height);
    for (let bin = 0, at = 0; bin < bins; bin += 1) {
      for (let i = 0; i < count; i += 1, at += 1) out.data[i] += vector[bin] * roots[at];
    }
    return out;
  });
  let squared = 0;
  for (const { data } of found) for (const v of data) squared += v * v;
  const factor = Math.min(MOST_SPREADING, SPREAD / Math.max(Math.sqrt(squared / count), 1e-6));
  return found.map((each) => mapPlane(each, (i) => each.data[i] * factor));
}

/**
 * The spot that each place belongs to, and its share: from 1 at the spot to 0 beyond its reach.
 * @param {Plane} lightness
 * @param {Plane[]} features
 * @param {Spot[]} spots
 */
export function belonging(lightness, features, spots) {
  const { width, height } = lightness;
  const scale = Math.min(1, GRID_PX / Math.min(height, width));
  const [high, wide] = [height, width].map((side) => Math.max(2, roundEven(side * scale)));
  const planes = [lightness, ...features].map((each) => resize(each, high, wide));
  const smooth = planes.map((each) => boxMean(each, 1));
  const distance = new Float32Array(high * wide).fill(Infinity);
  const owner = new Int32Array(high * wide);
  const reaches = spots.map(({ reach }) => inSteps(reach));
  for (const reach of new Set(reaches)) {
    const seeds = new Int32Array(high * wide).fill(-1);
    spots.forEach(({ mask }, number) => {
      if (reaches[number] === reach) seed(seeds, number, mask, width, height, wide, high);
    });
    const found = geodesic(planes, seeds, reachOf(reach));
    addUnlikeness(found, smooth, seeds);
    for (let i = 0; i < distance.length; i += 1) {
      if (found.distance[i] < distance[i]) [distance[i], owner[i]] = [found.distance[i], found.nearest[i]];
    }
  }
  const full = 1 + Math.exp(-1 / SOFTNESS);
  const share = mapPlane({ width: wide, height: high }, (i) =>
    Math.min(1, full / (1 + Math.exp(Math.min((distance[i] - 1) / SOFTNESS, 50)))));
  return { owner: enlarged(owner, wide, high, width, height), share: refined(resize(share, height, width), lightness) };
}

/** Repeat cells of a grid over a picture. */
export function enlarged(cells, wide, high, width, height) {
  const out = new cells.constructor(width * height);
  for (let y = 0, i = 0; y < height; y += 1) {
    const row = Math.floor((y * high) / height) * wide;
    for (let x = 0; x < width; x += 1, i += 1) out[i] = cells[row + Math.floor((x * wide) / width)];
  }
  return out;
}

/** Mark a spot on the grid: even a small one has a cell. */
function seed(seeds, number, mask, width, height, wide, high) {
  for (let i = 0; i < mask.length; i += 1) {
    if (!mask[i]) continue;
    const [row, column] = [Math.floor(i / width), i % width];
    seeds[Math.floor((row * high) / height) * wide + Math.floor((column * wide) / width)] = number;
  }
}

/** Add the dissimilarity of each place to its nearest spot. */
function addUnlikeness({ distance, nearest }, smooth, seeds) {
  const sums = new Map(); // number -> [count, a sum of each plane]
  seeds.forEach((number, i) => {
    if (number < 0) return;
    if (!sums.has(number)) sums.set(number, new Float64Array(smooth.length + 1));
    const own = sums.get(number);
    own[0] += 1;
    smooth.forEach(({ data }, k) => { own[k + 1] += data[i]; });
  });
  for (let i = 0; i < distance.length; i += 1) {
    const own = sums.get(nearest[i]);
    const change = (k) => smooth[k].data[i] - (own ? own[k + 1] / own[0] : 0);
    let squared = 0;
    for (let k = 1; k < smooth.length; k += 1) squared += change(k) ** 2;
    const tone = Math.max(Math.abs(change(0)) - FREE_TONE, 0) / 10;
    distance[i] += UNLIKE_TONE * tone + UNLIKE * Math.sqrt(squared);
  }
}

/** Relax distances from seeds until they converge. */
function geodesic(planes, seeds, reach) {
  const { width, height } = planes[0];
  const distance = Float32Array.from(seeds, (number) => (number >= 0 ? 0 : Infinity));
  const nearest = seeds.map((number) => Math.max(number, 0));
  const costs = STEPS.map(([down, right]) => costsOf(planes, down, right, reach));
  let changed = true;
  const relax = (from, to, cost) => {
    const offered = Math.fround(distance[from] + cost);
    if (offered >= distance[to]) return;
    distance[to] = offered;
    nearest[to] = nearest[from];
    changed = true;
  };
  const visit = (x, y) => STEPS.forEach(([down, right], k) => {
    const at = y * width + x;
    const [x1, y1] = [x + right, y + down];
    if (x1 >= 0 && x1 < width && y1 < height) {
      relax(at, y1 * width + x1, costs[k][at]);
      relax(y1 * width + x1, at, costs[k][at]);
    }
  });
  for (let sweep = 0; changed && sweep < MOST_SWEEPS; sweep += 1) {
    changed = false;
    for (let i = 0; i < distance.length; i += 1) {
      const at = sweep % 2 ? distance.length - 1 - i : i;
      visit(at % width, Math.floor(at / width));
    }
  }
  return { distance, nearest };
}

/** The cost of a step from each place to its neighbour. */
function costsOf(planes, down, right, reach) {
  const { width, height } = planes[0];
  const length = Math.hypot(down, right) / Math.max(width, height);
  const out = new Float32Array(width * height);
  for (let y = 0; y + down < height; y += 1) {
    for (let x = Math.max(0, -right); x + Math.max(0, right) < width; x += 1) {
      const at = y * width + x;
      const to = (y + down) * width + x + right;
      let squared = 0;
      for (let k = 1; k < planes.length; k += 1) squared += (planes[k].data[at] - planes[k].data[to]) ** 2;
      const tone = (Math.max(Math.abs(planes[0].data[at] - planes[0].data[to]) - FREE_LIGHTNESS, 0) / 10) ** EDGE;
      out[at] = reach.place * length + reach.lightness * tone + reach.features * Math.sqrt(squared);
    }
  }
  return out;
}

/** Align a soft border with the edges of the lightness (guided filter). */
function refined(share, lightness) {
  const guide = mapPlane(lightness, (i) => lightness.data[i] - 50);
  const mean = (of) => boxMean(mapPlane(guide, of), REFINE_RADIUS);
  const meanL = boxMean(guide, REFINE_RADIUS);
  const meanLL = mean((i) => guide.data[i] ** 2);
  const meanS = boxMean(share, REFINE_RADIUS);
  const meanLS = mean((i) => share.data[i] * guide.data[i]);
  const slope = mapPlane(guide, (i) => (meanLS.data[i] - meanL.data[i] * meanS.data[i]) /
    (Math.max(meanLL.data[i] - meanL.data[i] ** 2, 0) + REFINE_EPSILON));
  const offset = boxMean(mapPlane(guide, (i) => meanS.data[i] - slope.data[i] * meanL.data[i]), REFINE_RADIUS);
  const smooth = boxMean(slope, REFINE_RADIUS);
  return mapPlane(guide, (i) => Math.min(1, Math.max(0, smooth.data[i] * guide.data[i] + offset.data[i])));
}
