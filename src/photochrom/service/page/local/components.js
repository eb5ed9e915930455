/**
 * Principal components, and the inverse of a matrix.
 *
 * The largest eigenvectors come from subspace iteration with a Rayleigh-Ritz step (Golub, Van Loan,
 * "Matrix Computations", section 8.2.4); the small eigenproblem in it is solved by Jacobi's method.
 */

const MORE = 10; // vectors iterated beyond those wanted: convergence depends on the first left out
const MOST_STEPS = 60;
const ENOUGH = 1e-10; // relative change of the eigenvalues

/**
 * The eigenvectors with the largest eigenvalues of rows rows^T.
 * @param {Float32Array} rows   (count, length), row by row.
 * @param {number} count
 * @param {number} length
 * @param {number} wanted
 * @returns {Float64Array[]}
 */
export function principalComponents(rows, count, length, wanted) {
  const matrix = productWithItself(rows, count, length);
  const size = Math.min(count, wanted + MORE);
  // Cosines as the first guess: no randomness, and no two alike.
  let vectors = Array.from({ length: size }, (_, k) =>
    Float64Array.from({ length: count }, (__, i) => Math.cos((Math.PI * k * (i + 0.5)) / count)));
  orthonormalise(vectors);
  let before = new Float64Array(wanted);
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const images = vectors.map((vector) => times(matrix, vector, count));
    const small = vectors.map((vector) => Float64Array.from(images, (image) => dot(vector, image)));
    const { values, vectors: turns } = jacobi(small);
    vectors = turns.map((turn) => combined(images, turn));
    orthonormalise(vectors);
    const largest = values.slice(0, wanted);
    const moved = largest.reduce((most, v, i) => Math.max(most, Math.abs(v - before[i])), 0);
    before = Float64Array.from(largest);
    if (moved <= ENOUGH * Math.abs(largest[0])) break;
  }
  return vectors.slice(0, wanted);
}

/** rows rows^T, (count, count). */
function productWithItself(rows, count, length) {
  const out = new Float64Array(count * count);
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = 0;
      for (let k = 0, one = i * length, other = j * length; k < length; k += 1) sum += rows[one + k] * rows[other + k];
      out[i * count + j] = out[j * count + i] = sum;
    }
  }
  return out;
}

function times(matrix, vector, count) {
  const out = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    let sum = 0;
    for (let j = 0; j < count; j += 1) sum += matrix[i * count + j] * vector[j];
    out[i] = sum;
  }
  return out;
}

function dot(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i += 1) sum += one[i] * other[i];
  return sum;
}

function combined(vectors, weights) {
  const out = new Float64Array(vectors[0].length);
  vectors.forEach((vector, k) => { for (let i = 0; i < out.length; i += 1) out[i] += weights[k] * vector[i]; });
  return out;
}

/** Gram and Schmidt, twice, in place: once is not exact where vectors are nearly parallel. */
function orthonormalise(vectors) {
  vectors.forEach((vector, k) => {
    for (const earlier of [...vectors.slice(0, k), ...vectors.slice(0, k)]) {
      const share = dot(vector, earlier);
      for (let i = 0; i < vector.length; i += 1) vector[i] -= share * earlier[i];
    }
    const length = Math.sqrt(dot(vector, vector)) || 1;
    for (let i = 0; i < vector.length; i += 1) vector[i] /= length;
  });
}

/**
 * Eigenvalues, largest first, and eigenvectors of a small symmetric matrix.
 * @param {Float64Array[]} given
 */
export function jacobi(given) {
  const n = given.length;
  const a = given.map((row) => Float64Array.from(row));
  const v = given.map((_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 50; sweep += 1) {
    let off = 0;
    for (let p = 0; p < n; p += 1) for (let q = p + 1; q < n; q += 1) off += a[p][q] ** 2;
    if (off < 1e-30 * (a[0][0] ** 2 || 1)) break;
    for (let p = 0; p < n; p += 1) for (let q = p + 1; q < n; q += 1) rotate(a, v, p, q);
  }
  const order = a.map((_, i) => i).sort((i, j) => a[j][j] - a[i][i]);
  return { values: order.map((i) => a[i][i]), vectors: order.map((i) => Float64Array.from(v, (row) => row[i])) };
}

/** Make one pair of elements zero by a rotation. */
function rotate(a, v, p, q) {
  if (a[p][q] === 0) return;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cos = 1 / Math.sqrt(t * t + 1);
  const sin = t * cos;
  const turn = (row, i, j) => {
    const [x, y] = [row[i], row[j]];
    row[i] = cos * x - sin * y;
    row[j] = sin * x + cos * y;
  };
  for (const row of a) turn(row, p, q);
  for (let k = 0; k < a.length; k += 1) {
    const [x, y] = [a[p][k], a[q][k]];
    a[p][k] = cos * x - sin * y;
    a[q][k] = sin * x + cos * y;
  }
  for (const row of v) turn(row, p, q);
}

/**
 * Solve A X = B by elimination with pivots.
 * @param {number[][]} matrix
 * @param {number[][]} right   One row for each row of the matrix.
 */
export function solve(matrix, right) {
  const n = matrix.length;
  const rows = matrix.map((row, i) => Float64Array.from([...row, ...right[i]]));
  for (let k = 0; k < n; k += 1) {
    let pivot = k;
    for (let i = k + 1; i < n; i += 1) if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < n; i += 1) {
      const share = rows[i][k] / rows[k][k];
      if (i === k || !share) continue;
      for (let j = k; j < rows[k].length; j += 1) rows[i][j] -= share * rows[k][j];
    }
  }
  return rows.map((row, k) => Array.from(row.slice(n), (value) => value / row[k]));
}
