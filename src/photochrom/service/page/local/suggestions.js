/** Likely colours of a place, and other colourings: `photochrom.engine.suggestions`. */

import { labToRgb, rgbToLab } from "./light.js";
import { boxMean, plane, resize, roundEven } from "./planes.js";
import { belonging, enlarged, median, sharesOf } from "./propagation.js";

const WIDTH_AB = 5;
const LIKE_AB = 11;
const LEAST_SHARE = 1e-3;
const LEAST_CHROMA = 20 - 1e-6;
const GRID = 5;
const APART_AB = 22;
const MOST_APART_AB = [22, 34];
const LIKELY = 0.2;
const THING_SHARES = [0.02, 0.3];
const SHOWS_COLOUR = [15, 90];
const NEARLY = 14;
const BELONGS = 0.5;
const GRID_PX = 64;
const [MOST_TRIES, MOST_THINGS] = [16, 5];
const SEED_PX = 1;

const ofRgb = (lightness, /** @type {number[]} */ [a, b]) => labToRgb(lightness, a, b);
const boundedAb = (lightness, ab) => rgbToLab(...ofRgb(lightness, ab)).slice(1);
const squaredBetween = (/** @type {number[]} */ [a, b], /** @type {number[]} */ [c, d]) => (a - c) ** 2 + (b - d) ** 2;

function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * The likely colours of a spot, most likely first; gray is not among them.
 * @param {ArrayLike<number>} shares  Of the bins.
 * @param {number[][]} centres
 * @param {number} lightness
 * @returns {{rgb: number[], ab: number[], share: number}[]}
 */
export function suggest(shares, centres, lightness, count = 6) {
  const shown = placesOf(centres).map((ab) => boundedAb(lightness, ab));
  const colourful = shown.filter((ab) => Math.hypot(...ab) >= LEAST_CHROMA);
  const places = colourful.length ? colourful : shown;
  const bins = centres.map((ab) => boundedAb(lightness, ab));
  const squared = places.map((place) => Float64Array.from(bins, (bin) => squaredBetween(place, bin)));
  const near = squared.map((row) => row.map((value) => Math.exp(-value / (2 * WIDTH_AB ** 2))));
  const left = Float64Array.from(shares);
  const found = [];
  while (found.length < count) {
    const likely = near.map((row) => row.reduce((sum, weight, i) => sum + weight * left[i], 0));
    if (!likely.some(Boolean)) break;
    const best = argmax(likely);
    let share = 0;
    squared[best].forEach((value, i) => { if (value <= LIKE_AB ** 2) share += left[i]; });
    if (share < LEAST_SHARE) {
      near[best].fill(0);
      continue;
    }
    squared[best].forEach((value, i) => { if (value <= LIKE_AB ** 2) left[i] = 0; });
    found.push({ rgb: ofRgb(lightness, places[best]).map(Math.round), ab: places[best], share });
  }
  return found.sort((one, other) => other.share - one.share);
}

/** The places of the ab plane that may be suggested, in order. */
function placesOf(centres) {
  const known = new Map();
  for (const [a, b] of centres) {
    for (const place of [[a, b], [a, b + GRID], [a + GRID, b], [a + GRID, b + GRID]]) known.set(place.join(), place);
  }
  return [...known.values()].sort(([a, b], [c, d]) => a - c || b - d);
}

/**
 * The changes that other candidates make, in order: each object's most likely other colour comes
 * before any object's second one.
 * @param {import("./network.js").Logits} logits
 * @param {number[][]} centres
 * @param {import("./planes.js").Plane} lightness
 * @param {import("./planes.js").Plane[]} features
 * @returns {{thing: Uint8Array, seed: Uint8Array, ab: number[]}[]}
 */
export function proposals(logits, centres, lightness, features) {
  const things = thingsIn(logits, centres, lightness, features);
  const most = Math.max(0, ...things.map((others) => others.length));
  return Array.from({ length: most }, (_, row) => things.flatMap((others) => others[row] ?? [])).flat();
}

/** The other colours of each uncertain object, the most important object first. */
function thingsIn(logits, centres, lightness, features) {
  const { width, height } = lightness;
  const scale = Math.min(1, GRID_PX / Math.min(width, height));
  const [high, wide] = [height, width].map((side) => Math.max(1, roundEven(side * scale)));
  const tones = resize(lightness, high, wide);
  const shares = smallShares(logits, high, wide);
  const worth = worthOf(shares, centres, tones);
  const found = [];
  for (let tries = 0; tries < MOST_TRIES && found.length < MOST_THINGS; tries += 1) {
    const best = argmax(worth);
    if (worth[best] <= 0) break;
    const place = around(best, wide, high);
    const { share } = belonging(tones, features, [{ mask: place, ab: null, reach: "thing" }]);
    const thing = Uint8Array.from(share.data, (value) => (value > BELONGS ? 1 : 0));
    const covered = thing.reduce((sum, value) => sum + value, 0);
    for (let i = 0; i < worth.length; i += 1) if (thing[i] || place[i]) worth[i] = 0;
    if (covered < THING_SHARES[0] * thing.length || covered > THING_SHARES[1] * thing.length) continue;
    const mixture = shares.map(({ data }) => data.reduce((sum, v, i) => sum + (thing[i] ? v : 0), 0) / covered);
    const others = othersOf(mixture, centres, median(tones.data.filter((_, i) => thing[i])));
    if (!others.length) continue;
    const [whole, seed] = [thing, place].map((mask) => enlarged(mask, wide, high, width, height));
    found.push({
      weight: others[0].share * Math.sqrt(covered / thing.length),
      others: others.map(({ ab }) => ({ thing: whole, seed, ab })),
    });
  }
  return found.sort((one, other) => other.weight - one.weight).map(({ others }) => others);
}

function smallShares(logits, high, wide) {
  const { width, height, bins } = logits;
  const shares = sharesOf(logits);
  const count = width * height;
  return Array.from({ length: bins }, (_, bin) =>
    resize(plane(width, height, shares.subarray(bin * count, (bin + 1) * count)), high, wide));
}

/** How uncertain each place is that can show colour. */
function worthOf(shares, centres, tones) {
  const doubt = plane(tones.width, tones.height);
  for (let i = 0; i < doubt.data.length; i += 1) {
    let [a, b, squared] = [0, 0, 0];
    shares.forEach(({ data }, bin) => {
      const [x, y] = centres[bin];
      a += data[i] * x;
      b += data[i] * y;
      squared += data[i] * (x * x + y * y);
    });
    doubt.data[i] = Math.sqrt(Math.max(0, squared - a * a - b * b));
  }
  const [darkest, lightest] = SHOWS_COLOUR;
  return boxMean(doubt, 1).data.map((value, i) => (tones.data[i] > darkest && tones.data[i] < lightest ? value : 0));
}

function around(at, wide, high) {
  const [row, column] = [Math.floor(at / wide), at % wide];
  const place = new Uint8Array(wide * high);
  for (let y = Math.max(0, row - SEED_PX); y <= Math.min(high - 1, row + SEED_PX); y += 1) {
    for (let x = Math.max(0, column - SEED_PX); x <= Math.min(wide - 1, column + SEED_PX); x += 1) place[y * wide + x] = 1;
  }
  return place;
}

/** An object's colours that visibly differ from its usual one, most likely first. */
function othersOf(mixture, centres, lightness) {
  const usual = [0, 1].map((band) => mixture.reduce((sum, share, bin) => sum + share * centres[bin][band], 0));
  const telling = mixture.map((share, bin) => {
    const [a, b] = centres[bin];
    return Math.hypot(a, b) > NEARLY && Math.hypot(a - usual[0], b - usual[1]) > NEARLY ? share : 0;
  });
  const found = [];
  for (const { ab: wanted, share } of suggest(telling, centres, lightness, 8)) {
    const step = [wanted[0] - usual[0], wanted[1] - usual[1]];
    const length = Math.hypot(...step);
    if (length < APART_AB) continue;
    const farthest = MOST_APART_AB[0] + (MOST_APART_AB[1] - MOST_APART_AB[0]) * Math.min(1, share / LIKELY);
    const less = Math.min(1, farthest / length);
    const ab = usual.map((value, band) => value + step[band] * less);
    if (found.every((other) => Math.hypot(ab[0] - other.ab[0], ab[1] - other.ab[1]) >= APART_AB)) found.push({ ab, share });
  }
  return found;
}
