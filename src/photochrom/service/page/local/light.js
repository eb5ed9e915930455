/** sRGB, linear light and CIE L*a*b* (D65): the formulas and constants of `photochrom.color`. */

export const RGB_TO_XYZ = [
  [0.4123908, 0.3575843, 0.1804808],
  [0.212639, 0.7151687, 0.0721923],
  [0.0193308, 0.1191948, 0.9505322],
];
const WHITE = RGB_TO_XYZ.map((row) => row[0] + row[1] + row[2]);
export const LUMINANCE = RGB_TO_XYZ[1];
export const DELTA = 6 / 29;
const TINY = 1e-12;

/** The inverse of a 3 x 3 matrix by its cofactors. */
export function inverse(m) {
  const at = (i, j) => m[i % 3][j % 3];
  const cofactor = (i, j) => at(i + 1, j + 1) * at(i + 2, j + 2) - at(i + 1, j + 2) * at(i + 2, j + 1);
  const determinant = [0, 1, 2].reduce((sum, j) => sum + m[0][j] * cofactor(0, j), 0);
  return [0, 1, 2].map((j) => [0, 1, 2].map((i) => cofactor(i, j) / determinant));
}

/** channel - y = CHROMA[i][0] (x - y) + CHROMA[i][1] (z - y), white-relative. */
export const CHROMA = inverse(RGB_TO_XYZ).map((row) => [row[0] * WHITE[0], row[2] * WHITE[2]]);

export const srgbToLinear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
export const linearToSrgb = (v) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);
const compress = (t) => (t > DELTA ** 3 ? Math.cbrt(t) : t / (3 * DELTA ** 2) + 4 / 29);
const expand = (f) => (f > DELTA ? f * f * f : 3 * DELTA ** 2 * (f - 4 / 29));
export const luminanceToLightness = (y) => 116 * compress(y) - 16;
export const lightnessToLuminance = (lightness) => expand((lightness + 16) / 116);

/** Linear light of each of 256 codes of sRGB. */
export const LINEAR = Float64Array.from({ length: 256 }, (_, code) => srgbToLinear(code / 255));
let deepLinear = null;
/** Linear light of each of 65536 codes of sRGB. */
export function deepLinearTable() {
  deepLinear ??= Float64Array.from({ length: 65536 }, (_, code) => srgbToLinear(code / 65535));
  return deepLinear;
}
let lightnessTable = null;
/** Y of each code of lightness: L* 0 to 100 in 65535 steps. */
export function lightnessCodes() {
  lightnessTable ??= Float64Array.from({ length: 65536 }, (_, code) => lightnessToLuminance(code / 655.35));
  return lightnessTable;
}
let codeTable = null;
/** The code of lightness of each luminance in 65535 steps. */
export function lightnessCodeTable() {
  codeTable ??= Uint16Array.from({ length: 65536 }, (_, y) => Math.round(luminanceToLightness(y / 65535) * 655.35));
  return codeTable;
}
/** L* of each of 256 gray codes of sRGB. */
export const LIGHTNESS = LINEAR.map(luminanceToLightness);

/** The gray code, 0 to 255, that shows an L*. */
export const grayOf = (lightness) => Math.round(255 * linearToSrgb(lightnessToLuminance(lightness)));

/**
 * Convert L*a*b* to linear sRGB inside the gamut: chroma is reduced, the luminance stays.
 * @param {number} lightness
 * @param {number} a
 * @param {number} b
 * @param {number} [y]  The luminance, if it is known.
 * @returns {[number, number, number]}
 */
export function labToLinear(lightness, a, b, y = lightnessToLuminance(lightness)) {
  const f = (lightness + 16) / 116;
  const own = expand(f);
  const x = expand(f + a / 500) - own;
  const z = expand(f - b / 200) - own;
  const [red, green, blue] = CHROMA.map(([ofX, ofZ]) => own + ofX * x + ofZ * z - y);
  const above = Math.max(red, green, blue, TINY);
  const below = Math.max(-Math.min(red, green, blue), TINY);
  const t = Math.min(1, Math.max(0, Math.min((1 - y) / above, y / below)));
  const bounded = (chroma) => Math.min(1, Math.max(0, y + t * chroma));
  return [bounded(red), bounded(green), bounded(blue)];
}

/** Convert L*a*b* to sRGB codes, 0 to 255, not rounded. */
export const labToRgb = (lightness, a, b) => labToLinear(lightness, a, b).map((v) => 255 * linearToSrgb(v));

/**
 * Convert sRGB codes, 0 to 255, to L*a*b*.
 * @returns {[number, number, number]}
 */
export function rgbToLab(red, green, blue) {
  const linear = [red, green, blue].map((v) => srgbToLinear(v / 255));
  const [x, y, z] = RGB_TO_XYZ.map((row, i) =>
    compress((row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]) / WHITE[i]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** a and b of '#rrggbb'. */
export function abOf(colour) {
  const [, a, b] = rgbToLab(...colourOf(colour));
  return [a, b];
}

/** @returns {[number, number, number]}  Codes of '#rrggbb'. */
export const colourOf = (hex) => [parseInt(hex.slice(1, 3), 16), parseInt(hex.slice(3, 5), 16), parseInt(hex.slice(5, 7), 16)];
export const hexOf = (rgb) => "#" + rgb.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("");
