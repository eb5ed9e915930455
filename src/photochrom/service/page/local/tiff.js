/** Read the first page of a TIFF with GeoTIFF, which is loaded when the first one is opened. */

import { turned } from "./orientation.js";
import { curveProfile, isSrgb } from "./profiles.js";
import { Problem } from "../problem.js";
import { tiffMetadata } from "./tiff-metadata.js";

const LIBRARY = new URL("../../runtime/geotiff.js", import.meta.url).href;
const [KIND, ORIENTATION, EXTRA] = [262, 274, 338];
const [ACROSS, DOWN, UNIT] = [282, 283, 296];
const [BITS, SAMPLES] = [258, 277];
const DEFAULTS = { [BITS]: [1], [SAMPLES]: 1 }; // of files that leave them out, which GeoTIFF does not know
const [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK] = [0, 1, 2, 5];
const ALPHA = [1, 2]; // of ExtraSamples: associated or not
const PER_METRE = { 2: 1 / 0.0254, 3: 100 }; // of an inch, of a centimetre
const LIMITS = { Uint8Array: 255, Uint8ClampedArray: 255, Uint16Array: 65535, Float32Array: 1, Float64Array: 1 };

/**
 * @typedef {Object} Tiff
 * @property {number} width   Upright, as everything here.
 * @property {number} height
 * @property {() => Promise<import("./samples.js").Samples>} read
 * @property {string[]} notes
 * @property {{density: {across: number, down: number}|null, turn: number} & Awaited<ReturnType<typeof tiffMetadata>>} carried
 */

/**
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<Tiff>}
 */
export async function openTiff(file, name) {
  await import(LIBRARY).catch(() => {
    throw new Problem(0, "Not loaded", `${name}: the reader for TIFF could not be loaded. Is this browser online? Then open the file again.`);
  });
  const library = /** @type {any} */ (globalThis).GeoTIFF;
  const page = await unlessDamaged(name, async () => {
    const tiff = await library.fromBlob(file);
    const image = await tiff.getImage(0);
    const [tags, metadata] = [await tagsOf(image), await tiffMetadata(file)];
    for (const tag of [BITS, SAMPLES]) if (!image.fileDirectory.hasTag(tag)) image.fileDirectory.actualizedFields.set(tag, DEFAULTS[tag]);
    return { image, tags, metadata };
  });
  const { image, tags, metadata } = page;
  const turn = tags.orientation >= 1 && tags.orientation <= 8 ? tags.orientation : 1;
  const size = [image.getWidth(), image.getHeight()];
  const [width, height] = turn > 4 ? size.reverse() : size;
  return {
    width, height, notes: notesOn(page),
    carried: { ...metadata, turn, density: densityOf(tags) },
    read: () => unlessDamaged(name, () => samplesOf(image, tags, profileFor(tags, metadata), turn)),
  };
}

async function unlessDamaged(name, act) {
  try {
    return await act();
  } catch (error) {
    if (error instanceof RangeError && /allocation|array length/i.test(error.message)) throw error; // memory
    const isUnknown = /compression|unsupported|unknown|not supported|photometric/i.test(error.message);
    throw new Problem(422, "Not readable", isUnknown
      ? `${name}: this TIFF is stored in a way that the browser cannot read (${error.message}). Convert it to PNG, or colour it with photochrom on a computer.`
      : `${name}: this file is damaged or incomplete. Copy it again.`);
  }
}

async function tagsOf(image) {
  const directory = image.fileDirectory;
  const value = async (tag) => (directory.hasTag(tag) ? directory.loadValue(tag) : undefined);
  return {
    orientation: Number((await value(ORIENTATION)) ?? 1),
    extra: [...((await value(EXTRA)) ?? [])],
    kind: Number((await value(KIND)) ?? BLACK_IS_ZERO),
    resolution: [await value(ACROSS), await value(DOWN)],
    unit: Number((await value(UNIT)) ?? 2),
  };
}

function densityOf({ resolution, unit }) {
  const [across, down] = resolution.map((found) => (found ? (found[0] / (found[1] ?? 1)) * PER_METRE[unit] : NaN));
  return across > 0 && down > 0 ? { across, down } : null;
}

/** The profile of the values; null for sRGB, and where it cannot be read. */
function profileFor(tags, { icc }) {
  const profile = icc && !isSrgb(icc) ? curveProfile(icc) : null;
  return profile?.curves.length === (isGray(tags) ? 1 : 3) ? profile : null;
}

function notesOn({ tags, metadata }) {
  const isUnread = metadata.icc && !isSrgb(metadata.icc) && !profileFor(tags, metadata);
  return [
    ...(metadata.pages > 1 ? [`The file has ${metadata.pages} pages: only the first is used.`] : []),
    ...(isUnread ? ["The colour profile of this TIFF cannot be read in the browser: its values are taken as sRGB."] : []),
  ];
}

const isGray = ({ kind }) => kind === WHITE_IS_ZERO || kind === BLACK_IS_ZERO;

/** @returns {Promise<import("./samples.js").Samples>} */
async function samplesOf(image, tags, profile, turn) {
  const [across, down] = [image.getWidth(), image.getHeight()];
  if (tags.kind === CMYK) throw new Error("unsupported inks (CMYK)");
  const bands = isGray(tags) ? 1 : 3;
  const bits = image.getBitsPerSample(0) || 1;
  const extra = tags.extra.findIndex((kind) => ALPHA.includes(Number(kind)));
  const read = (samples) => image.readRasters({ samples, interleave: true });
  const isPlain = bands === 1 || tags.kind === RGB;
  const own = bands === 1 ? [0] : [0, 1, 2];
  const hasAlpha = isPlain && extra >= 0;
  const all = isPlain ? await read(hasAlpha ? [...own, bands + extra] : own) : await image.readRGB({ interleave: true });
  const [values, clear] = hasAlpha ? parted(all, bands) : [all, null];
  const data = rangeOf(values, isPlain ? bits : 16, tags.kind === WHITE_IS_ZERO); // GeoTIFF's colours fill their range
  const alpha = clear && rangeOf(clear, bits, false);
  const [width, height] = turn > 4 ? [down, across] : [across, down];
  return { width, height, bands, profile, data: turned(data, across, down, turn, bands), alpha: alpha && turned(alpha, across, down, turn) };
}

/** The colours of interleaved values, and the last of each pixel: its transparency. */
function parted(all, bands) {
  const count = all.length / (bands + 1);
  const [values, clear] = [bands * count, count].map((length) => new all.constructor(length));
  for (let i = 0, from = 0, to = 0; i < count; i += 1) {
    for (let band = 0; band < bands; band += 1) values[to++] = all[from++];
    clear[i] = all[from++];
  }
  return [values, clear];
}

/** Values over the whole range of 8 or 16 bits. */
function rangeOf(values, bits, isInverted) {
  const limit = LIMITS[values.constructor.name];
  if (!limit) throw new Error("unsupported kind of numbers");
  const most = limit === 1 ? 1 : Math.min(limit, 2 ** bits - 1);
  const top = limit === 255 ? 255 : 65535;
  if (most === top && !isInverted) return values;
  const factor = top / most;
  const fitted = (value) => Math.round(Math.min(most, Math.max(0, value)) * factor); // 0 for no number
  const out = top === 255 ? new Uint8Array(values.length) : new Uint16Array(values.length);
  for (let i = 0; i < out.length; i += 1) out[i] = isInverted ? top - fitted(values[i]) : fitted(values[i]);
  return out;
}
