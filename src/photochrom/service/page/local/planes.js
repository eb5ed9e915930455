/**
 * Small planes of numbers: resizing and windows, as `photochrom.photo.resize` and
 * `photochrom.engine.guided` do it.
 *
 * @typedef {{width: number, height: number, data: Float32Array}} Plane
 */

/** @returns {Plane} */
export const plane = (width, height, data = new Float32Array(width * height)) => ({ width, height, data });

/** Round as Python does: halves to the nearest even number. */
export function roundEven(value) {
  const down = Math.floor(value);
  const rest = value - down;
  return rest === 0.5 ? down + (down % 2 ? 1 : 0) : Math.round(value);
}

/**
 * Resize a plane: by area down, linearly up.
 * @param {Plane} source
 * @param {number} height
 * @param {number} width
 * @returns {Plane}
 */
export function resize(source, height, width) {
  let out = source;
  if (height !== out.height) out = along(out, height, false, height < out.height ? areas : between);
  if (width !== out.width) out = along(out, width, true, width < out.width ? areas : between);
  return out;
}

/**
 * The weights of a resize along one axis: for each new pixel its first source pixel and weights.
 * @typedef {{starts: Int32Array, weights: Float64Array[]}} Taps
 */

/** Mean over each new pixel's area. @returns {Taps} */
function areas(length, size) {
  const step = length / size;
  return taps(size, (at) => {
    const [low, high] = [at * step, Math.min(length, (at + 1) * step)];
    const first = Math.floor(low);
    const last = Math.min(length - 1, Math.ceil(high) - 1);
    const weights = new Float64Array(last - first + 1);
    for (let i = first; i <= last; i += 1) weights[i - first] = (Math.min(high, i + 1) - Math.max(low, i)) / step;
    return [first, weights];
  });
}

/** Linear between pixel centres. @returns {Taps} */
function between(length, size) {
  return taps(size, (at) => {
    const place = Math.min(Math.max(((at + 0.5) * length) / size - 0.5, 0), length - 1);
    const first = Math.floor(place);
    return first + 1 < length ? [first, Float64Array.of(1 - (place - first), place - first)] : [first, Float64Array.of(1)];
  });
}

/** @returns {Taps} */
function taps(size, of) {
  const found = Array.from({ length: size }, (_, at) => of(at));
  return { starts: Int32Array.from(found, ([first]) => first), weights: found.map(([, weights]) => weights) };
}

function along(source, size, isAcross, kind) {
  return apply(source, size, isAcross, kind(isAcross ? source.width : source.height, size));
}

/**
 * Apply weights along one axis.
 * @param {{width: number, height: number, data: ArrayLike<number>}} source
 * @param {number} size
 * @param {boolean} isAcross
 * @param {Taps} given
 * @returns {Plane}
 */
export function apply(source, size, isAcross, given) {
  const { starts, weights } = given;
  const { width, height, data } = source;
  const out = isAcross ? plane(size, height) : plane(width, size);
  if (isAcross) {
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < size; x += 1) {
        const own = weights[x];
        const first = y * width + starts[x];
        let sum = 0;
        for (let i = 0; i < own.length; i += 1) sum += own[i] * data[first + i];
        out.data[y * size + x] = sum;
      }
    }
    return out;
  }
  const line = new Float64Array(width);
  for (let y = 0; y < size; y += 1) {
    line.fill(0);
    for (let i = 0; i < weights[y].length; i += 1) {
      const share = weights[y][i];
      const first = (starts[y] + i) * width;
      for (let x = 0; x < width; x += 1) line[x] += share * data[first + x];
    }
    out.data.set(line, y * width);
  }
  return out;
}

/** The mean over a square window of 2 radius + 1 pixels, clipped at the borders. */
export function boxMean(source, radius) {
  const { width, height } = source;
  const across = plane(width, height);
  for (let y = 0; y < height; y += 1) meanOfRow(source.data, across.data, y * width, width, radius);
  return meanDown(across, radius);
}

function meanOfRow(from, to, start, length, radius) {
  let sum = 0;
  for (let i = 0; i < Math.min(radius, length); i += 1) sum += from[start + i];
  for (let i = 0; i < length; i += 1) {
    if (i + radius < length) sum += from[start + i + radius];
    if (i > radius) sum -= from[start + i - radius - 1];
    to[start + i] = sum / (Math.min(length, i + radius + 1) - Math.max(0, i - radius));
  }
}

/** Down the columns, a row at a time: memory is read in order. */
function meanDown({ width, height, data }, radius) {
  const out = plane(width, height);
  const sums = new Float64Array(width);
  const add = (row, sign) => {
    for (let x = 0, at = row * width; x < width; x += 1, at += 1) sums[x] += sign * data[at];
  };
  for (let y = 0; y < Math.min(radius, height); y += 1) add(y, 1);
  for (let y = 0; y < height; y += 1) {
    if (y + radius < height) add(y + radius, 1);
    if (y > radius) add(y - radius - 1, -1);
    const share = 1 / (Math.min(height, y + radius + 1) - Math.max(0, y - radius));
    for (let x = 0, at = y * width; x < width; x += 1, at += 1) out.data[at] = sums[x] * share;
  }
  return out;
}

/**
 * The largest value in a square window, clipped at the borders; the smallest for a sign of -1.
 * @param {Plane} source
 * @param {number} radius
 * @param {1|-1} sign
 */
export function extreme(source, radius, sign) {
  const { width, height } = source;
  const across = plane(width, height);
  for (let y = 0; y < height; y += 1) {
    const [start, end] = [y * width, (y + 1) * width];
    for (let at = start; at < end; at += 1) {
      let found = -Infinity;
      const last = Math.min(end - 1, at + radius);
      for (let i = Math.max(start, at - radius); i <= last; i += 1) {
        const value = sign * source.data[i];
        if (value > found) found = value;
      }
      across.data[at] = found;
    }
  }
  const out = plane(width, height);
  out.data.fill(-Infinity);
  for (let y = 0; y < height; y += 1) {
    for (let row = Math.max(0, y - radius); row <= Math.min(height - 1, y + radius); row += 1) {
      for (let x = 0, at = y * width, from = row * width; x < width; x += 1, at += 1, from += 1) {
        if (across.data[from] > out.data[at]) out.data[at] = across.data[from];
      }
    }
  }
  if (sign < 0) for (let i = 0; i < out.data.length; i += 1) out.data[i] = -out.data[i];
  return out;
}

/** A plane computed pixel by pixel. */
export function mapPlane({ width, height }, of) {
  const out = plane(width, height);
  for (let i = 0; i < out.data.length; i += 1) out.data[i] = of(i);
  return out;
}
