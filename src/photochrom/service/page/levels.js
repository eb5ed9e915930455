/** Lightness of places in a photograph, from its gray preview, which is loaded once. */

import * as api from "./api.js";
import { rgbToLab } from "./colour.js";
import { holds, middleOf } from "./shapes.js";

const WHITE = 97; // L* above which no colour can be shown, and
const BLACK = 4; // L* below which none can
const MOST_SAMPLES = 400;

const LIGHTNESS = Float32Array.from({ length: 256 }, (_, v) => rgbToLab([v, v, v])[0]);

/** @returns {Promise<{width: number, height: number, values: Uint8Array}>} */
export async function levelsOf(desk, photo) {
  photo.levels ??= decode(await desk.ask(photo, (id) => api.gray(id)));
  return photo.levels;
}

async function decode(blob) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, values: Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]) };
}

/**
 * Mean L* under a hint.
 * @param {{width: number, height: number, values: Uint8Array}} levels
 * @param {{points: number[][], radius: number, shape: string}} hint  In full-size pixels.
 * @param {{width: number, height: number}} info
 */
export function lightnessUnder({ width, height, values }, hint, info) {
  const scale = width / info.width;
  const places = hint.shape === "region" ? within(hint.points) : hint.points;
  const step = Math.max(1, Math.ceil(places.length / MOST_SAMPLES));
  const reach = hint.shape === "region" ? 0 : Math.min(6, Math.floor((hint.radius * scale) / 2));
  let [sum, count] = [0, 0];
  for (let i = 0; i < places.length; i += step) {
    const [x, y] = places[i].map((at) => Math.floor(at * scale));
    for (let down = y - reach; down <= y + reach; down += 1) {
      for (let across = x - reach; across <= x + reach; across += 1) {
        if (across < 0 || down < 0 || across >= width || down >= height) continue;
        sum += LIGHTNESS[values[down * width + across]];
        count += 1;
      }
    }
  }
  return count ? sum / count : 50;
}

/** Sample places inside an outline: between its corners and its middle. */
function within(corners) {
  const middle = middleOf(corners);
  const places = [0.2, 0.5, 0.8].flatMap((share) =>
    corners.map((corner) => corner.map((at, axis) => at + share * (middle[axis] - at))));
  return [middle, ...places.filter((place) => holds(corners, place))];
}

/** Whether a place is too light to show colour. */
export const isWhite = (lightness) => lightness > WHITE;

/** A message if a place can show no colour, else null. */
export function colourless(lightness) {
  if (isWhite(lightness)) return "This place is pure white and cannot show colour.";
  return lightness < BLACK ? "This place is pure black and cannot show colour." : null;
}
