/** From the guidance for a picture to a field of colour: `engine.conditioning`, `engine.prediction`. */

import { fitField } from "./guided.js";
import { interpolateHints } from "./interpolation.js";
import { Kept } from "./kept.js";
import { plane, resize } from "./planes.js";
import { featuresOf, propagate } from "./propagation.js";
import { hintPlanes, overlaysOf } from "./rasterize.js";
import { proposals } from "./suggestions.js";
import { LONGEST, workingSize } from "./tiling.js";

const KEPT = 4; // features that are remembered

/**
 * @typedef {import("./planes.js").Plane} Plane
 * @typedef {import("./tiling.js").WorkingSize} WorkingSize
 * @typedef {Object} Ask       What is wanted for one picture.
 * @property {string} key      Of the picture, its lightness and its colour source.
 * @property {Plane} lightness  At the working size.
 * @property {WorkingSize} size
 * @property {{width: number, height: number}} full  In whose pixels the hints are.
 * @property {any[]} hints
 * @property {{histogram: Float32Array, chroma: number}|null} target
 * @property {number|null} vividness
 * @property {number} saturation
 * @property {number} candidate
 * @property {() => Promise<void>} pause
 */

export class Colouring {
  /** @param {import("./network.js").Network} network */
  constructor(network) {
    this.network = network;
    this.features = new Kept(KEPT);
    this.proposals = new Kept(KEPT);
  }

  /**
   * @param {Ask} ask
   * @returns {Promise<{field: import("./guided.js").Field, confidence: Plane}>}
   */
  async of(ask) {
    const { ab: plain, confidence } = await this.predicted(ask, null);
    let ab = plain.map(({ width, height, data }) => plane(width, height, data.slice()));
    const hints = this.wideHints(ask);
    if (hints) {
      const { ab: hinted } = await this.predicted(ask, hints);
      ab = interpolateHints(plain, hinted, hints, ask.lightness, this.network.look(ask.vividness).saturation);
    }
    const spots = await this.spotsOf(ask);
    if (spots.length) propagate(ab, ask.lightness, spots, plain, await this.featuresFor(ask));
    return { field: fitField(ask.lightness, ab), confidence };
  }

  /** The hints that reach everywhere, drawn at the working size; null if there are none. */
  wideHints(ask) {
    const wide = overlaysOf(ask.hints.filter((hint) => !hint.keep && hint.reach === "whole"));
    return wide.length ? hintPlanes(wide, ask.full, ask.size) : null;
  }

  async spotsOf(ask) {
    const near = ask.hints.filter((hint) => hint.keep || hint.reach !== "whole").map((hint) => spotOf(hint, ask));
    if (!ask.candidate) return near;
    const found = await this.proposalsFor(ask);
    const other = found.length ? found[(ask.candidate - 1) % found.length] : null;
    const decided = ask.hints.map((hint) => spotOf(hint, ask).mask);
    if (!other || decided.some((mask) => mask.some((value, i) => value && other.thing[i]))) return near;
    return [{ mask: other.seed, ab: other.ab, reach: "thing" }, ...near];
  }

  /** Features that separate objects; computed once. */
  featuresFor(ask) {
    return this.features.get(ask.key, async () => featuresOf(await this.distribution(ask, null)));
  }

  /** The changes that other candidates make; computed once. */
  proposalsFor(ask) {
    return this.proposals.get(ask.key, async () => {
      const logits = await this.distribution(ask, null);
      return proposals(logits, this.network.info.centres, ask.lightness, await this.featuresFor(ask));
    });
  }

  /** Colours with saturation, and the confidence, at the working size. */
  async predicted(ask, hints) {
    const parts = [];
    for (const tile of ask.size.tiles) {
      const part = (each) => cut(each, ask.size, tile);
      const own = hints && { ab: hints.ab.map(part), mask: part(hints.mask) };
      const lightness = part(ask.lightness);
      const found = await this.predict(ask, lightness, own, `${ask.key}#${tile[0]}`);
      parts.push([...found.ab, found.confidence].map((each) => resize(each, lightness.height, lightness.width)));
    }
    const [a, b, confidence] = [0, 1, 2].map((band) => blend(parts.map((part) => part[band]), ask.size));
    for (const { data } of [a, b]) for (let i = 0; i < data.length; i += 1) data[i] *= ask.saturation;
    return { ab: [a, b], confidence };
  }

  predict({ target, vividness, pause }, lightness, hints, key) {
    return this.network.predict({ lightness, hints, vividness, histogram: target?.histogram, chroma: target?.chroma }, key, pause);
  }

  /** The logits for a whole picture; a very long one is squeezed, without tiles. */
  async distribution(ask, hints) {
    const { lightness, size, key } = ask;
    const { width, height } = lightness;
    if (Math.max(width, height) <= LONGEST * Math.min(width, height)) {
      return (await this.predict(ask, lightness, hints, `${key}#${size.tiles[0][0]}`)).logits;
    }
    const short = Math.min(width, height);
    const side = Math.floor(LONGEST * short);
    const squeezed = workingSize(Math.min(height, side), Math.min(width, side), short, this.network.info.stride);
    const small = (each) => resize(each, squeezed.height, squeezed.width);
    const own = hints && { ab: hints.ab.map((each) => nearest(each, squeezed)), mask: nearest(hints.mask, squeezed) };
    return (await this.predict(ask, small(lightness), own, `${key}#squeezed`)).logits;
  }
}

function nearest({ width, height, data }, size) {
  const out = plane(size.width, size.height);
  for (let y = 0, i = 0; y < size.height; y += 1) {
    const row = Math.floor((y * height) / size.height) * width;
    for (let x = 0; x < size.width; x += 1, i += 1) out.data[i] = data[row + Math.floor((x * width) / size.width)];
  }
  return out;
}

/** One hint at the working size. */
function spotOf(hint, { full, size }) {
  const [overlay] = overlaysOf([hint]);
  const { mask } = hintPlanes([overlay], full, size);
  return {
    mask: Uint8Array.from(mask.data), ab: overlay.ab,
    reach: hint.shape === "region" ? "region" : hint.reach ?? "near",
  };
}

const isWide = ({ width, height }) => width >= height;

/** A tile of a plane, along the longer side. */
function cut(source, size, [start, stop]) {
  if (size.tiles.length === 1) return source;
  const { width, height, data } = source;
  if (!isWide(size)) return plane(width, stop - start, data.slice(start * width, stop * width));
  const out = plane(stop - start, height);
  for (let y = 0; y < height; y += 1) out.data.set(data.subarray(y * width + start, y * width + stop), y * out.width);
  return out;
}

/** Join overlapping tiles, each fading towards its ends. */
function blend(parts, size) {
  if (parts.length === 1) return parts[0];
  const { width, height } = size;
  const total = plane(width, height);
  const weights = new Float64Array(Math.max(width, height));
  parts.forEach((part, number) => {
    const [start, stop] = size.tiles[number];
    const fade = (at) => Math.min(at + 1, stop - start - at) / (stop - start);
    for (let at = 0; at < stop - start; at += 1) weights[start + at] += fade(at);
    for (let y = 0, i = 0; y < part.height; y += 1) {
      for (let x = 0; x < part.width; x += 1, i += 1) {
        const to = isWide(size) ? y * width + start + x : (start + y) * width + x;
        total.data[to] += part.data[i] * fade(isWide(size) ? x : y);
      }
    }
  });
  for (let i = 0; i < total.data.length; i += 1) total.data[i] /= weights[isWide(size) ? i % width : Math.floor(i / width)];
  return total;
}
