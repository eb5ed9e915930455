/**
 * sRGB and CIE L*a*b* (D65), the gamut, and names of colours.
 *
 * Sources: IEC 61966-2-1 and CIE 15:2004, with the constants of `photochrom.color.lab`, so that the
 * page and the engine agree on the gamut at each lightness.
 */

const TO_XYZ = [
  [0.4123908, 0.3575843, 0.1804808],
  [0.212639, 0.7151687, 0.0721923],
  [0.0193308, 0.1191948, 0.9505322],
];
const WHITE = TO_XYZ.map((row) => row[0] + row[1] + row[2]);
const FROM_XYZ = [
  [3.2409699, -1.5373832, -0.4986108],
  [-0.9692436, 1.8759675, 0.0415551],
  [0.0556301, -0.203977, 1.0569715],
];
const DELTA = 6 / 29;
const SLACK = 1e-4; // of linear light: rounding of the seven digits, not colour

const compress = (t) => (t > DELTA ** 3 ? Math.cbrt(t) : t / (3 * DELTA ** 2) + 4 / 29);
const expand = (f) => (f > DELTA ? f ** 3 : 3 * DELTA ** 2 * (f - 4 / 29));
const decode = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const encode = (v) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);

/** sRGB in [0, 255] to L* in [0, 100], a, b. */
export function rgbToLab(rgb) {
  const linear = rgb.map((v) => decode(v / 255));
  const [x, y, z] = TO_XYZ.map((row, i) =>
    compress((row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]) / WHITE[i]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

// A colour field takes 35,000 conversions, so powers come from a table.
const ENCODED = Uint8Array.from({ length: 4097 }, (_, i) => Math.round(255 * encode(i / 4096)));

/** L*, a, b to sRGB in [0, 255], or null outside the gamut. */
export function labToRgb([lightness, a, b]) {
  const f = (lightness + 16) / 116;
  const x = expand(f + a / 500) * WHITE[0];
  const y = expand(f) * WHITE[1];
  const z = expand(f - b / 200) * WHITE[2];
  const rgb = [0, 0, 0];
  for (let i = 0; i < 3; i += 1) {
    const [fromX, fromY, fromZ] = FROM_XYZ[i];
    const linear = fromX * x + fromY * y + fromZ * z;
    if (linear < -SLACK || linear > 1 + SLACK) return null;
    const kept = Math.min(1, Math.max(0, linear));
    rgb[i] = kept < 0.02 ? Math.round(255 * encode(kept)) : ENCODED[Math.round(4096 * kept)];
  }
  return rgb;
}

/** The largest chroma that sRGB can show at a lightness and a hue in degrees, to 0.1. */
export function largestChroma(lightness, hue) {
  const [cos, sin] = [Math.cos((hue * Math.PI) / 180), Math.sin((hue * Math.PI) / 180)];
  let [inside, outside] = [0, 150];
  while (outside - inside > 0.1) {
    const middle = (inside + outside) / 2;
    if (labToRgb([lightness, middle * cos, middle * sin])) inside = middle;
    else outside = middle;
  }
  return inside;
}

/** A colour by lightness, chroma and hue in degrees; chroma is reduced to stay inside the gamut. */
export function colourOf(lightness, chroma, hue) {
  const kept = Math.min(chroma, largestChroma(lightness, hue));
  const angle = (hue * Math.PI) / 180;
  /** @type {[number, number, number]} */
  const lab = [lightness, kept * Math.cos(angle), kept * Math.sin(angle)];
  return toHex(labToRgb(lab) ?? labToRgb([lightness, 0, 0]));
}

/** Chroma and hue in degrees of '#rrggbb'. */
export function chromaAndHue(hex) {
  const [, a, b] = rgbToLab(fromHex(hex));
  return [Math.hypot(a, b), ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360];
}

/** The same hue and chroma at another lightness: what a place of that lightness shows. */
export function atLightness(hex, lightness) {
  const [chroma, hue] = chromaAndHue(hex);
  return colourOf(lightness, chroma, hue);
}

export function toHex(rgb) {
  return "#" + rgb.map((v) => v.toString(16).padStart(2, "0")).join("");
}

export function fromHex(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

// Upper bounds of the hue angle in ab, in degrees, and the name of the hue below each.
/** @type {[number, string][]} */
const HUES = [
  [20, "pink"], [52, "red"], [78, "orange"], [108, "yellow"], [125, "yellow-green"], [165, "green"],
  [222, "teal"], [309, "blue"], [332, "violet"], [350, "magenta"], [361, "pink"],
];

/** The name of a colour, for screen readers and beside the swatch. */
export function nameOf(hex) {
  if (hex === null) return "kept gray";
  const [lightness] = rgbToLab(fromHex(hex));
  const [chroma, hue] = chromaAndHue(hex);
  const depth = lightness < 30 ? "dark " : lightness > 75 ? "light " : "";
  if (chroma < 6) return `${depth}gray`;
  const hueName = HUES.find(([bound]) => hue < bound)[1];
  const warmDark = hue >= 30 && hue < 85 && lightness < 62 && chroma < 50;
  const strength = chroma < 20 ? "muted " : chroma > 60 ? "strong " : "";
  return depth + strength + (warmDark ? "brown" : hueName);
}

const NO_COLOUR = "#010203"; // stays where a text is not a colour

/**
 * Read a colour by its name in CSS, with or without spaces, or by its code.
 * @param {string} text
 * @returns {string|null}  As #rrggbb; null if it is none.
 */
export function colourIn(text) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = NO_COLOUR;
  context.fillStyle = /^([0-9a-f]{3}|[0-9a-f]{6})$/i.test(text) ? `#${text}` : text.replace(/[\s-]/g, "");
  const colour = String(context.fillStyle);
  return colour !== NO_COLOUR && /^#[0-9a-f]{6}$/.test(colour) ? colour : null;
}
