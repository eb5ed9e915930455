/** Turn pixels upright by their orientation, as in EXIF. */

/**
 * @template {Uint8Array|Uint16Array} Values
 * @param {Values} values
 * @param {number} width   As stored.
 * @param {number} height
 * @param {number} turn    1 to 8.
 * @param {number} bands
 * @returns {Values}
 */
export function turned(values, width, height, turn, bands = 1) {
  if (turn === 1) return values;
  const [isSwapped, flipsX, flipsY] = [turn > 4, [2, 3, 6, 7].includes(turn), [3, 4, 7, 8].includes(turn)];
  const [wide, high] = isSwapped ? [height, width] : [width, height];
  const out = /** @type {Values} */ (new (/** @type {any} */ (values.constructor))(values.length));
  for (let y = 0, to = 0; y < high; y += 1) {
    for (let x = 0; x < wide; x += 1) {
      const [across, down] = [flipsX ? wide - 1 - x : x, flipsY ? high - 1 - y : y];
      const from = (isSwapped ? across * width + down : down * width + across) * bands;
      for (let band = 0; band < bands; band += 1, to += 1) out[to] = values[from + band];
    }
  }
  return out;
}
