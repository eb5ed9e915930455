/** What the worker does: open photographs, and answer what the page asks about them. */

import { sha256 } from "./bytes.js";
import { Colouring } from "./colouring.js";
import { ofPalette, ofReference } from "./colour-source.js";
import { cutOut, partOf } from "./crop.js";
import { PROOF_PX, decode, fitted, originalCrop, proofOf, referenceOf } from "./decode.js";
import { Join } from "./join.js";
import { Kept } from "./kept.js";
import { LIGHTNESS, LINEAR, grayOf, hexOf, lightnessToLuminance, luminanceToLightness } from "./light.js";
import { openNetwork } from "./opening.js";
import { mapPlane, plane } from "./planes.js";
import { Problem } from "../problem.js";
import { moved, overlaysOf, scaled } from "./rasterize.js";
import { resample } from "./resample.js";
import { save } from "./save.js";
import { outlineOf, thingAt } from "./selection.js";
import { suggest } from "./suggestions.js";
import { workingSize } from "./tiling.js";

const KEPT_PIXELS = 2; // photographs whose full-size lightness stays in memory
const KEPT_ANSWERS = 8;
const STEPS = 655.35; // of one L*, in codes of 16 bits
const KNEE = 4; // of the white that is toned down: see `photochrom.engine.highlights`

/** Lower the lightest tones: `photochrom.engine.highlights`. */
function tonedDown(lightness, white) {
  const width = KNEE * (100 - white);
  return lightness - (100 - white) * (Math.max(lightness - (100 - width), 0) / width) ** 2;
}

export class Engine {
  /**
   * @param {any} facts   What `photochrom page` wrote about method, weights and version.
   * @param {string} root  The address of the folder.
   */
  constructor(facts, root) {
    this.facts = facts;
    this.root = root;
    this.photos = new Map();
    this.pixels = new Kept(KEPT_PIXELS);
    this.fields = new Kept(KEPT_ANSWERS);
    this.small = new Kept(KEPT_ANSWERS);
    this.opening = null;
    const { short_side_px: shortSide, stride } = facts.method;
    this.seenSize = (width, height) => workingSize(height, width, shortSide, stride);
  }

  /** Load the network, once; after a failure, try again. */
  ready() {
    this.opening ??= openNetwork(this.facts, this.root).then((network) => new Colouring(network));
    return this.opening.catch((problem) => {
      this.opening = null;
      throw problem;
    });
  }

  /** Load the network before anything asks for it. */
  async load() {
    await this.ready();
    return true;
  }

  photo(id) {
    const found = this.photos.get(id);
    if (!found) throw new Problem(410, "Not open", "This photograph is not open any more.");
    return found;
  }

  /** Open a photograph; its full-size lightness is read again when it is needed. */
  async open({ id, file, name }) {
    const decoded = await decode(file, name, this.seenSize);
    const { width, height } = decoded;
    const proof = proofOf(decoded);
    await this.pixels.get(id, () => decoded);
    const { format, bits, tint, notes, original, seen } = decoded;
    this.photos.set(id, { id, file, name, format, bits, width, height, proof, seen, original, reference: null });
    return {
      id, name, format, width, height, pages: 1, bit_depth: bits, notes, tint,
      preview: { width: proof.width, height: proof.height },
    };
  }

  close({ id }) {
    this.photos.delete(id);
    this.pixels.forget(id);
  }

  decoded({ id, file, name }) {
    return this.pixels.get(id, () => decode(file, name, this.seenSize));
  }

  async setReference({ id, file, name }) {
    const photo = this.photo(id);
    const digest = crypto.subtle ? await sha256(await file.arrayBuffer()) : "";
    photo.reference = { small: await referenceOf(file, name), name, sha256: digest, key: digest || performance.now() };
  }

  gray({ id }) {
    const { proof } = this.photo(id);
    return pictureOf(proof, (code) => [code, code, code]);
  }

  original({ id }) {
    return this.photo(id).original ?? this.gray({ id });
  }

  /** The proof, with white toned down if that is wanted. */
  proof({ proof }, white) {
    if (white === null || white === undefined) return proof;
    const lowered = LIGHTNESS.map((lightness) => grayOf(tonedDown(lightness, white)));
    return { ...proof, data: proof.data.map((code) => lowered[code]) };
  }

  /** Everything that the network needs to know about a photograph and its guidance. */
  async ask(photo, wishes, pause) {
    const { info } = (await this.ready()).network;
    const white = wishes.white_lightness ?? null;
    const target = this.targetOf(photo, wishes, info.centres);
    const key = JSON.stringify([photo.id, white, wishes.palette, wishes.mood, wishes.reference ? photo.reference?.key : null]);
    const lightness = white === null ? photo.seen : await this.small.get(`${photo.id} ${white}`, () => this.seenWith(photo, white));
    return {
      key, lightness, size: this.seenSize(photo.width, photo.height), target, pause,
      full: { width: photo.width, height: photo.height }, hints: wishes.hints,
      vividness: wishes.vividness, saturation: wishes.saturation, candidate: this.candidateOf(wishes),
    };
  }

  /** What the network sees where white is toned down: at full size, as photochrom does it. */
  async seenWith(photo, white) {
    const { codes, luminance } = await this.decoded(photo);
    const table = Uint16Array.from(luminance, (y) =>
      Math.round(STEPS * tonedDown(Math.round(STEPS * luminanceToLightness(y)) / STEPS, white)));
    const data = Uint16Array.from(codes, (code) => table[code]);
    const small = resample({ width: photo.width, height: photo.height, data }, photo.seen.width, photo.seen.height);
    return mapPlane(photo.seen, (i) => small.data[i] / STEPS);
  }

  candidateOf({ candidate, seed }) {
    if (!candidate || !seed) return candidate;
    throw new Problem(422, "Seed", "These settings choose other colourings at random, by a seed, which only the photochrom command can do.");
  }

  targetOf(photo, wishes, centres) {
    const colours = wishes.palette ?? this.facts.moods[wishes.mood] ?? null;
    if (colours) return ofPalette(colours, centres);
    if (!wishes.reference) return null;
    if (!photo.reference) throw new Problem(410, "No reference", "The colour reference is not open any more.");
    return ofReference(photo.reference.small, centres);
  }

  /** The colours of a photograph, with exact places in its own pixels. */
  async field(photo, wishes, pause) {
    const ask = await this.ask(photo, wishes, pause);
    const { hints, vividness, saturation, candidate } = wishes;
    const key = JSON.stringify([ask.key, hints, vividness, saturation, candidate]);
    const found = await this.fields.get(key, async () => (await this.ready()).of(ask));
    return { ...found, overlays: overlaysOf(hints) };
  }

  /** Pixels of a preview, RGBA. */
  async pixelsOf({ id, wishes, longSide }, pause) {
    const photo = this.photo(id);
    const { field, overlays } = await this.field(photo, wishes, pause);
    const proof = this.proof(photo, wishes.white_lightness);
    const [width, height] = fitted(proof.width, proof.height, longSide ?? PROOF_PX);
    const codes = resample(proof, width, height).data;
    const scale = Math.max(width, height) / Math.max(photo.width, photo.height);
    const join = new Join(LINEAR, field, overlays.map((overlay) => scaled(overlay, scale, scale)), width, height);
    const image = new ImageData(width, height);
    image.data.fill(255);
    join.strip(codes, 0, height, image.data, 4);
    return image;
  }

  async preview(asked, pause) {
    return blobOf(await this.pixelsOf(asked, pause));
  }

  async crop({ id, part, wishes }, pause) {
    const photo = this.photo(id);
    if (!wishes) return originalCrop(photo.file, photo.name, part);
    const { field, overlays } = await this.field(photo, wishes, pause);
    const decoded = await this.decoded(photo);
    const codes = cutOut(decoded, part);
    const [width, height] = fitted(part.width, part.height, part.long_side_px);
    const [across, down] = [width / part.width, height / part.height];
    const places = overlays.map((overlay) => scaled(moved(overlay, -part.left, -part.top), across, down));
    const join = new Join(this.luminanceOf(decoded, wishes), partOf(field, part, photo), places, width, height);
    const image = new ImageData(width, height);
    image.data.fill(255);
    join.strip(resample(codes, width, height).data, 0, height, image.data, 4);
    return blobOf(image);
  }

  /** Y of each code, with white toned down if that is wanted. */
  luminanceOf({ luminance }, { white_lightness: white }) {
    if (white === null || white === undefined) return luminance;
    return luminance.map((y) => lightnessToLuminance(tonedDown(luminanceToLightness(y), white)));
  }

  async suggestions({ id, x, y, radius, wishes }, pause) {
    const photo = this.photo(id);
    const plain = { ...wishes, palette: null, mood: null, reference: false, vividness: null, candidate: 0 };
    const ask = await this.ask(photo, plain, pause);
    const colouring = await this.ready();
    const logits = await colouring.distribution(ask, colouring.wideHints(ask));
    const [across, down] = [x / photo.width, y / photo.height];
    const shares = softmax(Array.from({ length: logits.bins }, (_, bin) => {
      const count = logits.width * logits.height;
      return windowMean(plane(logits.width, logits.height, logits.data.subarray(bin * count, (bin + 1) * count)), across, down, 0);
    }));
    const lightness = windowMean(ask.lightness, across, down, radius / photo.width);
    const found = suggest(shares, colouring.network.info.centres, lightness);
    return {
      lightness: this.lightnessAt(photo, plain, x, y, radius),
      suggestions: found.map(({ rgb, share }) => ({ colour: hexOf(rgb), share })),
    };
  }

  lightnessAt(photo, { white_lightness: white }, x, y, radius) {
    const proof = this.proof(photo, white);
    const scale = proof.width / photo.width;
    const span = (at, most) => [Math.max(0, Math.trunc((at - radius) * scale)), Math.min(most, Math.trunc((at + radius) * scale) + 1)];
    const [[left, right], [top, bottom]] = [span(x, proof.width), span(y, proof.height)];
    let [sum, count] = [0, 0];
    for (let row = top; row < bottom; row += 1) {
      for (let column = left; column < right; column += 1, count += 1) sum += LIGHTNESS[proof.data[row * proof.width + column]];
    }
    return count ? sum / count : 50;
  }

  async outline({ id, x, y }, pause) {
    const photo = this.photo(id);
    const ask = await this.ask(photo, { hints: [], vividness: null, saturation: 1, candidate: 0 }, pause);
    const features = await (await this.ready()).featuresFor(ask);
    const { width, height } = ask.size;
    const [across, down] = [photo.width / width, photo.height / height];
    const thing = thingAt(ask.lightness, features, Math.trunc(y / down), Math.trunc(x / across));
    return { points: outlineOf(thing, width, height).map(([right, low]) => [right * across, low * down]) };
  }

  async confidence({ id, wishes }, pause) {
    const { confidence } = await this.field(this.photo(id), wishes, pause);
    return pictureOf(confidence, (value) => Array(3).fill(Math.round(255 * Math.min(1, Math.max(0, value)))), "image/png");
  }

  /** The coloured file at full size, or smaller. */
  async result({ id, wishes, kind }, pause) {
    const photo = this.photo(id);
    const { field, overlays } = await this.field(photo, wishes, pause);
    const decoded = await this.decoded(photo);
    const [width, height] = fitted(photo.width, photo.height, kind.long_side_px ?? Infinity);
    const scale = Math.max(width, height) / Math.max(photo.width, photo.height);
    const { data } = resample({ width: photo.width, height: photo.height, data: decoded.codes }, width, height);
    const join = new Join(this.luminanceOf(decoded, wishes), field, overlays.map((each) => scaled(each, scale, scale)), width, height);
    const alpha = decoded.alpha && resample({ width: photo.width, height: photo.height, data: decoded.alpha }, width, height).data;
    return save(photo, data, alpha, join, wishes, kind, this.facts, pause);
  }

  /** What a settings file says of the reference. */
  reference({ id }) {
    const { reference } = this.photo(id);
    return reference && { file: reference.name, sha256: reference.sha256 };
  }
}

/** Average a plane around a place given as shares of its sides. */
function windowMean({ width, height, data }, x, y, radius) {
  const reach = radius * width;
  const span = (at, most) => [Math.trunc(Math.max(0, at * most - reach)), Math.trunc(Math.min(most - 1, at * most + reach)) + 1];
  const [[left, right], [top, bottom]] = [span(x, width), span(y, height)];
  let [sum, count] = [0, 0];
  for (let row = top; row < bottom; row += 1) {
    for (let column = left; column < right; column += 1, count += 1) sum += data[row * width + column];
  }
  return sum / count;
}

function softmax(logits) {
  const top = Math.max(...logits);
  const raised = logits.map((value) => Math.exp(value - top));
  const total = raised.reduce((sum, value) => sum + value, 0);
  return raised.map((value) => value / total);
}

function pictureOf({ width, height, data }, of, type = "image/jpeg") {
  const image = new ImageData(width, height);
  image.data.fill(255);
  for (let i = 0; i < data.length; i += 1) image.data.set(of(data[i]), 4 * i);
  return blobOf(image, type);
}

/** At quality 1 browsers do not halve the resolution of colours. */
function blobOf(image, type = "image/jpeg") {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.convertToBlob({ type, quality: 1 });
}
