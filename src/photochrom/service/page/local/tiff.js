/** Read the first page of a TIFF with GeoTIFF, which is loaded when the first one is opened. */

import { isSrgb } from "./profiles.js";
import { Problem } from "../problem.js";

const LIBRARY = new URL("../../runtime/geotiff.js", import.meta.url).href;
const [XMP, ORIENTATION, EXTRA, PROFILE] = [700, 274, 338, 34675];
const DESCRIBING = [270, 315, 33432, 33723, 34665]; // description, artist, copyright, IPTC, EXIF
const [ACROSS, DOWN, UNIT] = [282, 283, 296];
const [WHITE_IS_ZERO, BLACK_IS_ZERO, CMYK] = [0, 1, 5];
const PER_METRE = { 2: 1 / 0.0254, 3: 100 }; // of an inch, of a centimetre
const LIMITS = { Uint8Array: 255, Uint8ClampedArray: 255, Uint16Array: 65535, Float32Array: 1, Float64Array: 1 };

/**
 * @typedef {Object} Tiff
 * @property {number} width   Upright, as everything here.
 * @property {number} height
 * @property {() => Promise<{codes: Uint8Array|Uint16Array|null, image: ImageData}>} read  Codes of sRGB's grays, or null
 *   for a picture in colours; and all pixels in 8 bits.
 * @property {string[]} notes
 * @property {{xmp: Uint8Array<ArrayBuffer>|null, density: {across: number, down: number}|null}} carried
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
    const tags = await tagsOf(image);
    return { image, tags, pages: await tiff.getImageCount() };
  });
  const { image, tags } = page;
  const turn = tags.orientation >= 1 && tags.orientation <= 8 ? tags.orientation : 1;
  const size = [image.getWidth(), image.getHeight()];
  const [width, height] = turn > 4 ? size.reverse() : size;
  return {
    width, height, notes: notesOn(page),
    carried: { xmp: tags.xmp, density: densityOf(tags) },
    read: () => unlessDamaged(name, () => pixelsOf(image, tags, turn)),
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
  const bytes = (found) => (found ? Uint8Array.from(found) : null);
  return {
    orientation: Number((await value(ORIENTATION)) ?? 1),
    extra: [...((await value(EXTRA)) ?? [])],
    kind: Number((await value(262)) ?? BLACK_IS_ZERO),
    profile: bytes(await value(PROFILE)),
    xmp: bytes(await value(XMP)),
    resolution: [await value(ACROSS), await value(DOWN)],
    isDescribed: DESCRIBING.some((tag) => directory.hasTag(tag)),
    unit: Number((await value(UNIT)) ?? 2),
  };
}

function densityOf({ resolution, unit }) {
  const [across, down] = resolution.map((found) => (found ? (found[0] / (found[1] ?? 1)) * PER_METRE[unit] : NaN));
  return across > 0 && down > 0 ? { across, down } : null;
}

function notesOn({ image, tags, pages }) {
  const deep = image.getBitsPerSample(0) > 8;
  return [
    ...(pages > 1 ? [`The file has ${pages} pages: only the first is used.`] : []),
    ...(deep && !isGray(tags) ? ["This file has more than 8 bits per channel; the browser reads 8 of them."] : []),
    ...(deep && isGray(tags) ? ["This file has more than 8 bits per channel; it is saved with 8."] : []),
    ...(tags.profile && !isSrgb(tags.profile) ? ["The colour profile of a TIFF is not read in the browser: its values are taken as sRGB."] : []),
    ...(tags.extra.some((kind) => Number(kind) > 0) ? ["The transparency of a TIFF is left out."] : []),
    ...(tags.isDescribed ? ["EXIF data, IPTC data and texts of a TIFF are left out in the browser."] : []),
  ];
}

const isGray = ({ kind }) => kind === WHITE_IS_ZERO || kind === BLACK_IS_ZERO;

async function pixelsOf(image, tags, turn) {
  const [width, height] = [image.getWidth(), image.getHeight()];
  const gray = isGray(tags);
  if (tags.kind === CMYK) throw new Error("unsupported inks (CMYK)");
  const read = gray ? await image.readRasters({ samples: [0], interleave: true }) : await image.readRGB({ interleave: true });
  const own = rangeOf(read, image.getBitsPerSample(0), gray && tags.kind === WHITE_IS_ZERO);
  const rgba = new Uint32Array(width * height);
  const bytes = new Uint8ClampedArray(rgba.buffer);
  const less = own instanceof Uint16Array ? 255 / 65535 : 1;
  for (let i = 0, to = 0; i < rgba.length; i += 1, to += 4) {
    for (let band = 0; band < 3; band += 1) bytes[to + band] = own[gray ? i : 3 * i + band] * less; // rounded by the array
    bytes[to + 3] = 255;
  }
  const upright = turned(rgba, width, height, turn);
  const [wide, high] = turn > 4 ? [height, width] : [width, height];
  return {
    codes: gray ? turned(own, width, height, turn) : null,
    image: new ImageData(new Uint8ClampedArray(upright.buffer), wide, high),
  };
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

/** Turn pixels upright by their orientation, as in EXIF. */
function turned(values, width, height, turn) {
  if (turn === 1) return values;
  const [isSwapped, flipsX, flipsY] = [turn > 4, [2, 3, 6, 7].includes(turn), [3, 4, 7, 8].includes(turn)];
  const [wide, high] = isSwapped ? [height, width] : [width, height];
  const out = new values.constructor(values.length);
  for (let y = 0, to = 0; y < high; y += 1) {
    for (let x = 0; x < wide; x += 1, to += 1) {
      const [across, down] = [flipsX ? wide - 1 - x : x, flipsY ? high - 1 - y : y];
      out[to] = values[isSwapped ? across * width + down : down * width + across];
    }
  }
  return out;
}
