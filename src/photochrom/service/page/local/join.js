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
const TINY = 0.05; // of LINEAR_MAX
const AB_TO_F = [1 / 500, -1 / 200];

const ENCODED = Uint8Array.from({ length: LINEAR_MAX + 1 }, (_, v) => Math.round(255 * linearToSrgb(v / LINEAR_MAX)));

/** Positions between the cells of a field. */
function placesOf(starts, length, scale, cells) {
  return starts.map((start) => {
    const centre = Math.min(Math.max((start + 0.5 * length) * scale - 0.5, 0), cells - 1);
    const before = Math.floor(centre);
    return { before, after: Math.min(before + 1, cells - 1), share: centre - before };
  });
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
    this.line = this.planes.map(() => new Float32Array(this.columns.length));
  }

  /** Interpolate a plane of the field to the steps across. */
  stretched(values) {
    const wide = new Float32Array(this.lines * this.columns.length);
    for (let y = 0, at = 0; y < this.lines; y += 1) {
      for (const { before, after, share } of this.columns) {
        const [low, high] = [values[y * this.cells + before], values[y * this.cells + after]];
        wide[at] = low + (high - low) * share;
        at += 1;
      }
    }
    return wide;
  }

  /**
   * Colour some rows.
   * @param {Uint8Array|Uint16Array} codes  Of the whole picture.
   * @param {number} top
   * @param {number} rows
   * @param {Uint8Array|Uint8ClampedArray} out  RGB or RGBA of the rows.
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
    const { before, after, share } = this.rows[step];
    const count = this.columns.length;
    this.wide.forEach((wide, number) => {
      const line = this.line[number];
      for (let x = 0; x < count; x += 1) {
        const low = wide[before * count + x];
        line[x] = low + (wide[after * count + x] - low) * share;
      }
    });
  }

  row(codes, from, out, to, bands) {
    const [slopeA, slopeB, offsetA, offsetB, lowA, lowB, highA, highB] = this.line;
    const { f: table, repeat, width } = this;
    const [[rx, rz], [gx, gz], [bx, bz]] = CHROMA;
    for (let x = 0, step = 0, left = repeat; x < width; x += 1, to += bands) {
      const f = table[codes[from + x]];
      const y = expand(f);
      const dx = expand(f + Math.min(Math.max(f * slopeA[step] + offsetA[step], lowA[step]), highA[step])) - y;
      const dz = expand(f + Math.min(Math.max(f * slopeB[step] + offsetB[step], lowB[step]), highB[step])) - y;
      const red = rx * dx + rz * dz;
      const green = gx * dx + gz * dz;
      const blue = bx * dx + bz * dz;
      const above = Math.max(red, green, blue) / (LINEAR_MAX + TINY - y);
      const below = Math.min(red, green, blue) / (-TINY - y);
      const less = 1 / Math.max(above, below, 1);
      const base = y + 0.5;
      out[to] = ENCODED[(red * less + base) | 0];
      out[to + 1] = ENCODED[(green * less + base) | 0];
      out[to + 2] = ENCODED[(blue * less + base) | 0];
      left -= 1;
      if (!left) { step += 1; left = repeat; }
    }
  }
}

/** Scaled f to linear light; CIE's straight line is a tangent of the cube. */
function expand(f) {
  if (f > F_DARK) return f * f * f;
  return F_DARK ** 3 + 3 * F_DARK ** 2 * (f - F_DARK);
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
