/**
 * Join a photograph's lightness with a small field of colour, strip by strip: `photochrom.photo.join`.
 * Every pixel keeps its luminance; where the gamut ends, chroma is reduced.
 */

import { CHROMA, DELTA, linearToSrgb, luminanceToLightness } from "./light.js";
import { paint } from "./rasterize.js";

const STEPS_PER_CELL = 4;
const LINEAR_MAX = 65535;
const F_MAX = Math.cbrt(LINEAR_MAX);
const F_DARK = DELTA * F_MAX; // below it, CIE 15 has a straight line instead of the cube
const [DARK_CUBE, DARK_SLOPE] = [F_DARK ** 3, 3 * F_DARK ** 2];
const TINY = 0.05; // of LINEAR_MAX
const AB_TO_F = [1 / 500, -1 / 200];

const ENCODED = Uint8Array.from({ length: LINEAR_MAX + 1 }, (_, v) => Math.round(255 * linearToSrgb(v / LINEAR_MAX)));
let deeplyEncoded = null;
function encodedIn(out) {
  if (!(out instanceof Uint16Array)) return ENCODED;
  deeplyEncoded ??= Uint16Array.from({ length: LINEAR_MAX + 1 }, (_, v) => Math.round(65535 * linearToSrgb(v / LINEAR_MAX)));
  return deeplyEncoded;
}

/** Positions between the cells of a field. */
function placesOf(starts, length, scale, cells) {
  const places = { before: new Int32Array(starts.length), after: new Int32Array(starts.length), share: new Float64Array(starts.length) };
  starts.forEach((start, i) => {
    const centre = Math.min(Math.max((start + 0.5 * length) * scale - 0.5, 0), cells - 1);
    places.before[i] = Math.floor(centre);
    places.after[i] = Math.min(places.before[i] + 1, cells - 1);
    places.share[i] = centre - places.before[i];
  });
  return places;
}

const stepsOf = (length, step) => Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step);

export class Join {
  /**
   * @param {Float64Array} luminance  Y of each code.
   * @param {import("./guided.js").Field} field
   * @param {import("./rasterize.js").Overlay[]} overlays
   * @param {number} width   Of the picture.
   * @param {number} height
   */
  constructor(luminance, field, overlays, width, height) {
    this.luminance = luminance;
    this.overlays = overlays;
    this.width = width;
    this.height = height;
    this.f = Float32Array.from(luminance, (y) => ((luminanceToLightness(y) + 16) / 116) * F_MAX);
    this.cells = field.width;
    this.lines = field.height;
    this.planes = asF(field);
    this.repeatRows = Math.max(1, Math.floor(height / (STEPS_PER_CELL * field.height)));
    this.repeat = Math.max(1, Math.floor(width / (STEPS_PER_CELL * field.width)));
    this.columns = placesOf(stepsOf(width, this.repeat), this.repeat, field.width / width, field.width);
    this.rows = placesOf(stepsOf(height, this.repeatRows), this.repeatRows, field.height / height, field.height);
    this.wide = this.planes.map((values) => this.stretched(values));
    this.line = this.planes.map(() => new Float32Array(this.columns.share.length));
  }

  /** Interpolate a plane of the field to the steps across. */
  stretched(values) {
    const { before, after, share } = this.columns;
    const count = share.length;
    const wide = new Float32Array(this.lines * count);
    for (let y = 0, at = 0; y < this.lines; y += 1) {
      const row = y * this.cells;
      for (let x = 0; x < count; x += 1, at += 1) {
        const low = values[row + before[x]];
        wide[at] = low + (values[row + after[x]] - low) * share[x];
      }
    }
    return wide;
  }

  /**
   * Colour some rows.
   * @param {Uint8Array|Uint16Array} codes  Of the whole picture.
   * @param {number} top
   * @param {number} rows
   * @param {Uint8Array|Uint8ClampedArray|Uint16Array} out  RGB or RGBA of the rows, of 8 or 16 bits.
   * @param {number} bands  3 or 4; alpha is not written.
   */
  strip(codes, top, rows, out, bands = 3) {
    for (let row = 0; row < rows; row += 1) {
      const y = top + row;
      if (row === 0 || y % this.repeatRows === 0) this.fieldAt(Math.floor(y / this.repeatRows));
      this.row(codes, y * this.width, out, row * this.width * bands, bands);
    }
    if (this.overlays.length) paint(this.overlays, out, bands, this.luminance, codes, this.width, top, rows);
  }

  fieldAt(step) {
    const count = this.columns.share.length;
    const [before, after, share] = [this.rows.before[step] * count, this.rows.after[step] * count, this.rows.share[step]];
    for (let number = 0; number < this.wide.length; number += 1) blend(this.wide[number], this.line[number], before, after, share);
  }

  row(codes, from, out, to, bands) {
    const [slopeA, slopeB, offsetA, offsetB, lowA, lowB, highA, highB] = this.line;
    const { f: table, repeat, width } = this;
    const encoded = encodedIn(out);
    const [[rx, rz], [gx, gz], [bx, bz]] = CHROMA;
    for (let x = 0, step = 0, left = repeat; x < width; x += 1, to += bands) {
      const f = table[codes[from + x]];
      const y = expand(f);
      let a = f * slopeA[step] + offsetA[step];
      if (a < lowA[step]) a = lowA[step];
      else if (a > highA[step]) a = highA[step];
      let b = f * slopeB[step] + offsetB[step];
      if (b < lowB[step]) b = lowB[step];
      else if (b > highB[step]) b = highB[step];
      const dx = expand(f + a) - y;
      const dz = expand(f + b) - y;
      const red = rx * dx + rz * dz;
      const green = gx * dx + gz * dz;
      const blue = bx * dx + bz * dz;
      const most = red > green ? (red > blue ? red : blue) : (green > blue ? green : blue);
      const least = red < green ? (red < blue ? red : blue) : (green < blue ? green : blue);
      const above = most / (LINEAR_MAX + TINY - y);
      const below = least / (-TINY - y);
      const beyond = above > below ? above : below;
      const less = beyond > 1 ? 1 / beyond : 1;
      const base = y + 0.5;
      out[to] = encoded[(red * less + base) | 0];
      out[to + 1] = encoded[(green * less + base) | 0];
      out[to + 2] = encoded[(blue * less + base) | 0];
      left -= 1;
      if (!left) { step += 1; left = repeat; }
    }
  }
}

/** Interpolate between two lines of a plane. */
function blend(wide, line, before, after, share) {
  for (let x = 0; x < line.length; x += 1) {
    const low = wide[before + x];
    line[x] = low + (wide[after + x] - low) * share;
  }
}

/** Scaled f to linear light; CIE's straight line is a tangent of the cube. */
function expand(f) {
  if (f > F_DARK) return f * f * f;
  return DARK_CUBE + DARK_SLOPE * (f - F_DARK);
}

/** A field of ab over L as a field of the terms added to f(Y): eight planes. */
function asF({ slope, offset, low, high }) {
  const scaled = (planes, of) => planes.map((values, i) => values.data.map((v, at) => of(v, i, at)));
  const bound = (pick) => low.map((values, i) =>
    values.data.map((v, at) => pick(v * AB_TO_F[i], high[i].data[at] * AB_TO_F[i]) * F_MAX));
  return [
    ...scaled(slope, (v, i) => v * 116 * AB_TO_F[i]),
    ...scaled(offset, (v, i, at) => (v - 16 * slope[i].data[at]) * AB_TO_F[i] * F_MAX),
    ...bound(Math.min), ...bound(Math.max),
  ];
}
