/** A part of a photograph at full size: `photochrom.photo.crop`. */

import { plane } from "./planes.js";

const FINER = 4; // cells of a part's field for one of the whole's

/** The codes of a part. */
export function cutOut({ width, codes }, { left, top, width: wide, height: high }) {
  const data = codes instanceof Uint8Array ? new Uint8Array(wide * high) : new Uint16Array(wide * high);
  for (let row = 0; row < high; row += 1) {
    const from = (top + row) * width + left;
    data.set(codes.subarray(from, from + wide), row * wide);
  }
  return { width: wide, height: high, data };
}

/**
 * The field of a part.
 * @param {import("./guided.js").Field} field
 */
export function partOf(field, { left, top, width, height }, photo) {
  const columns = betweenCells(left / photo.width, width / photo.width, field.width);
  const rows = betweenCells(top / photo.height, height / photo.height, field.height);
  const cut = ({ width: cells, data }) => {
    const out = plane(columns.length, rows.length);
    rows.forEach((row, y) => columns.forEach((column, x) => {
      const line = (at) => {
        const low = data[at * cells + column.before];
        return low + (data[at * cells + column.after] - low) * column.share;
      };
      const [before, after] = [line(row.before), line(row.after)];
      out.data[y * columns.length + x] = before + (after - before) * row.share;
    }));
    return out;
  };
  const parts = Object.fromEntries(["slope", "offset", "low", "high"].map((name) => [name, field[name].map(cut)]));
  return { width: columns.length, height: rows.length, slope: parts.slope, offset: parts.offset, low: parts.low, high: parts.high };
}

/** Places between the centres of cells, for a range of an axis given as shares. */
function betweenCells(start, share, cells) {
  const count = Math.max(2, Math.round(FINER * share * cells));
  return Array.from({ length: count }, (_, i) => {
    const place = Math.min(Math.max((start + ((i + 0.5) * share) / count) * cells - 0.5, 0), cells - 1);
    const before = Math.floor(place);
    return { before, after: Math.min(before + 1, cells - 1), share: place - before };
  });
}
