/**
 * Resize codes of a photograph to the bit as libvips does, which `photochrom.photo` uses: one level
 * of difference in the lightness changes what the network sees in calm areas.
 *
 * Where pixels become far fewer, a box first, then Lanczos with three lobes; where they become more,
 * Catmull and Rom's cubic (libvips: shrinkv.c, shrinkh.c, reducev.cpp, reduceh.cpp, bicubic.cpp).
 * Weights are integers, of one of 64 places between two pixels, and each step is rounded.
 */

const LOBES = 3;
const GAP = 2; // by which the box leaves more pixels than are wanted
const PLACES = 64; // between two pixels
const [ONE, SHIFT] = [4096, 12]; // a weight of 1

/**
 * @typedef {Uint8Array|Uint16Array} Codes
 * @typedef {{width: number, height: number, data: ArrayLike<number>}} Numbers
 * For each new pixel its first old one, which may lie outside, and the weights from there on.
 * @typedef {{starts: Int32Array, weights: ArrayLike<number>[]}} Taps
 */

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const lanczos = (x) => (Math.abs(x) <= LOBES ? sinc(x) * sinc(x / LOBES) : 0);
const clipped = (value, top) => (value < 0 ? 0 : value > top ? top : value);
const roundHalfEven = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The number, 0 to PLACES, of the nearest place between two pixels. */
const placeOf = (x) => ((Math.trunc(x * PLACES * 2) & (PLACES * 2 - 1)) + 1) >> 1;

/** Integer weights of Lanczos, `step` old pixels wide, for each place. */
function lanczosTable(step) {
  const points = 2 * roundHalfEven(LOBES * step) + 1;
  return Array.from({ length: PLACES + 1 }, (_, place) => {
    const half = place / PLACES + points / 2 - 1;
    const own = Float64Array.from({ length: points }, (__, i) => lanczos((i - half) * (1 / step)));
    const sum = own.reduce((total, value) => total + value, 0);
    return Int32Array.from(own, (value) => (value / sum) * ONE);
  });
}

/** The weights of Catmull and Rom's cubic for each place. */
function cubicTable() {
  return Array.from({ length: PLACES + 1 }, (_, place) => {
    const x = place / PLACES;
    return Float64Array.of(
      -0.5 * x * (1 - x) ** 2, 1.5 * x ** 3 - 2.5 * x ** 2 + 1,
      -1.5 * x ** 3 + 2 * x ** 2 + 0.5 * x, -0.5 * x * x * (1 - x),
    );
  });
}
const CUBIC = cubicTable();
const CUBIC_INTEGERS = CUBIC.map((own) => Int32Array.from(own, (value) => value * ONE));

/**
 * Apply weights along one axis; edges are extended.
 * @param {Numbers} source
 * @param {boolean} isAcross
 * @param {Taps} taps
 * @param {(sum: number) => number} finish
 * @param {any} Values  The array that is returned.
 * @returns {Numbers}
 */
function along(source, isAcross, taps, finish, Values) {
  const { width, height, data } = source;
  const size = taps.starts.length;
  const last = (isAcross ? width : height) - 1;
  const { starts, weights } = within(taps, last);
  const out = new Values((isAcross ? height : width) * size);
  if (isAcross) {
    for (let y = 0, to = 0; y < height; y += 1) {
      for (let x = 0; x < size; x += 1, to += 1) {
        const own = weights[x];
        const first = y * width + starts[x];
        let sum = 0;
        for (let i = 0; i < own.length; i += 1) sum += own[i] * data[first + i];
        out[to] = finish(sum);
      }
    }
    return { width: size, height, data: out };
  }
  const line = new Float64Array(width);
  for (let y = 0, to = 0; y < size; y += 1) {
    line.fill(0);
    for (let i = 0; i < weights[y].length; i += 1) {
      const share = weights[y][i];
      for (let x = 0, from = (starts[y] + i) * width; x < width; x += 1, from += 1) line[x] += share * data[from];
    }
    for (let x = 0; x < width; x += 1, to += 1) out[to] = finish(line[x]);
  }
  return { width, height: size, data: out };
}

/** The same taps with the weights of places outside given to the first or last pixel. */
function within({ starts, weights }, last) {
  const inside = weights.map((own, at) => {
    const first = starts[at];
    if (first >= 0 && first + own.length - 1 <= last) return own;
    const low = Math.min(last, Math.max(0, first));
    const high = Math.max(0, Math.min(last, first + own.length - 1));
    const out = new Float64Array(high - low + 1);
    for (let i = 0; i < own.length; i += 1) out[Math.min(high, Math.max(low, first + i)) - low] += own[i];
    return out;
  });
  return { starts: starts.map((first) => Math.min(last, Math.max(0, first))), weights: inside };
}

/** Means of whole runs of pixels, rounded. */
function boxed(source, isAcross, count, top) {
  const length = isAcross ? source.width : source.height;
  const size = Math.ceil(length / count);
  const half = count >> 1;
  const each = Math.floor(2 ** 24 / count);
  const finish = top === 255 ? (sum) => Math.imul(sum + half, each) >>> 24 : (sum) => Math.floor((sum + half) / count);
  const taps = { starts: Int32Array.from({ length: size }, (_, at) => at * count), weights: Array(size).fill(new Float64Array(count).fill(1)) };
  return along(source, isAcross, taps, finish, top === 255 ? Uint8Array : Uint16Array);
}

/** Fewer pixels along one axis. */
function fewer(source, isAcross, wanted, top) {
  const length = isAcross ? source.width : source.height;
  const step = 1 / (wanted / length); // as libvips divides
  const count = Math.max(1, Math.floor(length / wanted / GAP));
  const small = count > 1 ? boxed(source, isAcross, count, top) : source;
  const residual = step / count;
  if (residual === 1) return small;
  const surplus = (wanted * step - length) / count;
  const table = lanczosTable(residual);
  const reach = (table[0].length - 1) / 2;
  const starts = new Int32Array(wanted);
  const weights = [];
  let place = 0.5 * residual - 0.5 - ((1 + surplus) / 2 - 1);
  for (let at = 0; at < wanted; at += 1, place += residual) {
    starts[at] = Math.trunc(place) - reach;
    weights.push(table[placeOf(place)]);
  }
  const finish = (sum) => clipped((sum + ONE / 2) >> SHIFT, top);
  return along(small, isAcross, { starts, weights }, finish, top === 255 ? Uint8Array : Uint16Array);
}

/** More pixels along one or both axes, across first. */
function more(source, width, height, top) {
  const scales = [width / source.width, height / source.height];
  const least = 1 / (scales[0] * scales[1]);
  // In libvips' own space, which has two pixels more at each edge.
  const tapsOf = (size, scale, step, table, isSummed) => {
    const starts = new Int32Array(size);
    const weights = [];
    const first = 2 - 0.5 * (1 - 1 / scale);
    for (let at = 0, place = first; at < size; at += 1, place = isSummed ? place + step : at * step + first) {
      starts[at] = Math.trunc(place) - 3;
      weights.push(table[placeOf(place)]);
    }
    return { starts, weights };
  };
  const isByte = top === 255;
  const table = isByte ? CUBIC_INTEGERS : CUBIC;
  const rounded = isByte ? (sum) => (sum + ONE / 2) >> SHIFT : (sum) => sum;
  const wide = along(source, true, tapsOf(width, scales[0], least * scales[1], table, true), rounded, isByte ? Int32Array : Float64Array);
  const down = tapsOf(height, scales[1], least * scales[0], table, false);
  return along(wide, false, down, (sum) => clipped(Math.trunc(rounded(sum)), top), isByte ? Uint8Array : Uint16Array);
}

/**
 * Resize codes.
 * @template {Codes} Kind
 * @param {{width: number, height: number, data: Kind}} source
 * @param {number} width
 * @param {number} height
 * @returns {{width: number, height: number, data: Kind}}
 */
export function resample(source, width, height) {
  const top = source.data instanceof Uint8Array ? 255 : 65535;
  /** @type {Numbers} */
  let out = source;
  if (height < out.height) out = fewer(out, false, height, top);
  if (width < out.width) out = fewer(out, true, width, top);
  if (width > out.width || height > out.height) out = more(out, width, height, top);
  return /** @type {any} */ (out);
}
