/**
 * Write a baseline JPEG of full chroma resolution (4:4:4), strip by strip. A browser's own encoder
 * halves the resolution of colours, and needs the whole picture in memory.
 *
 * Sources: ITU-T T.81 (tables of annex K), JFIF 1.02; the DCT of Arai, Agui and Nakajima, 1988.
 */

import { big, joined, latin } from "./bytes.js";

const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
const LUMA = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA = [
  17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
  ...Array(32).fill(99),
];
// Counts of codes of 1 to 16 bits, and the symbols.
const DC_COUNTS = [[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]];
const DC_SYMBOLS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_COUNTS = [[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77]];
const AC_SYMBOLS = [
  "0102030004110512213141061351610722711432 8191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
  "0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
].map((digits) => digits.replace(/\s/g, "").match(/../g).map((pair) => parseInt(pair, 16)));
const SCALES = [1, 1.387039845, 1.306562965, 1.175875602, 1, 0.785694958, 0.5411961, 0.275899379];
const LONGEST = 65535; // a side of a JPEG

/** Whether a JPEG can hold a picture. */
export const fitsJpeg = (width, height) => Math.max(width, height) <= LONGEST;

function quantisation(table, quality) {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return table.map((value) => Math.min(255, Math.max(1, Math.floor((value * scale + 50) / 100))));
}

/** The quality whose table is nearest to the first one of a file, in zigzag order. */
export function qualityOf(table) {
  const sum = table.reduce((total, value) => total + value, 0);
  const apart = (quality) => Math.abs(quantisation(LUMA, quality).reduce((total, value) => total + value, 0) - sum);
  let best = 100;
  for (let quality = 99; quality > 0; quality -= 1) if (apart(quality) < apart(best)) best = quality;
  return best;
}

/** Codes and their lengths by symbol. */
function huffman(counts, symbols) {
  const codes = new Uint16Array(256);
  const lengths = new Uint8Array(256);
  let code = 0;
  let at = 0;
  counts.forEach((count, i) => {
    for (let k = 0; k < count; k += 1, at += 1, code += 1) {
      codes[symbols[at]] = code;
      lengths[symbols[at]] = i + 1;
    }
    code *= 2;
  });
  return { codes, lengths };
}

const segment = (marker, ...parts) => {
  const content = joined(...parts);
  return joined([0xff, marker], big(content.length + 2, 2), content);
};

export class JpegEncoder {
  /**
   * @param {number} width
   * @param {number} height
   * @param {number} quality        1 to 100, in libjpeg's scale.
   * @param {Uint8Array[]} segments  To place after the start of the file.
   */
  constructor(width, height, quality, segments) {
    this.width = width;
    this.tables = [LUMA, CHROMA].map((table) => quantisation(table, quality));
    this.divisors = this.tables.map((table) =>
      Float32Array.from(table, (value, i) => 1 / (8 * value * SCALES[i >> 3] * SCALES[i & 7])));
    this.dc = DC_COUNTS.map((counts) => huffman(counts, DC_SYMBOLS));
    this.ac = AC_COUNTS.map((counts, i) => huffman(counts, AC_SYMBOLS[i]));
    this.predicted = [0, 0, 0];
    this.block = new Float32Array(64);
    this.levels = new Int32Array(64);
    this.parts = [this.head(width, height, segments)];
    this.out = new Uint8Array(1 << 16);
    this.length = this.bits = this.held = 0;
  }

  head(width, height, segments) {
    const tables = this.tables.map((table, i) => joined([i], ZIGZAG.map((place) => table[place])));
    const codes = [0, 1].flatMap((i) => [
      joined([i], DC_COUNTS[i], DC_SYMBOLS), joined([0x10 + i], AC_COUNTS[i], AC_SYMBOLS[i]),
    ]);
    return joined(
      [0xff, 0xd8], ...segments, segment(0xdb, ...tables),
      segment(0xc0, [8], big(height, 2), big(width, 2), [3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1]),
      segment(0xc4, ...codes), segment(0xda, [3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]));
  }

  /**
   * Write some rows: a multiple of 8, or the last ones.
   * @param {Uint8Array} rgb
   * @param {number} rows
   */
  write(rgb, rows) {
    for (let top = 0; top < rows; top += 8) {
      for (let left = 0; left < this.width; left += 8) {
        for (let band = 0; band < 3; band += 1) {
          this.fetch(rgb, rows, left, top, band);
          this.encode(band);
        }
      }
    }
  }

  /** Read a block of Y, Cb or Cr; edges are extended. */
  fetch(rgb, rows, left, top, band) {
    const { block, width } = this;
    for (let y = 0, i = 0; y < 8; y += 1) {
      const row = Math.min(top + y, rows - 1) * width;
      for (let x = 0; x < 8; x += 1, i += 1) {
        const at = 3 * (row + Math.min(left + x, width - 1));
        const [r, g, b] = [rgb[at], rgb[at + 1], rgb[at + 2]];
        // Rounded as libjpeg does, so that a gray stays exactly gray.
        if (band === 0) block[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b) - 128;
        else if (band === 1) block[i] = Math.round(-0.168735892 * r - 0.331264108 * g + 0.5 * b);
        else block[i] = Math.round(0.5 * r - 0.418687589 * g - 0.081312411 * b);
      }
    }
  }

  encode(band) {
    const kind = band ? 1 : 0;
    transform(this.block);
    const divisors = this.divisors[kind];
    const { levels } = this;
    let last = 0;
    for (let i = 0; i < 64; i += 1) {
      const place = ZIGZAG[i];
      levels[i] = Math.round(this.block[place] * divisors[place]);
      if (levels[i]) last = i;
    }
    const change = levels[0] - this.predicted[band];
    this.predicted[band] = levels[0];
    this.number(this.dc[kind], 0, change);
    let run = 0;
    for (let i = 1; i <= last; i += 1) {
      if (!levels[i]) { run += 1; continue; }
      for (; run > 15; run -= 16) this.code(this.ac[kind], 0xf0);
      this.number(this.ac[kind], run, levels[i]);
      run = 0;
    }
    if (last < 63) this.code(this.ac[kind], 0);
  }

  /** Write a number: the code of its run and size, then its bits. */
  number(table, run, value) {
    const size = 32 - Math.clz32(Math.abs(value));
    this.code(table, run * 16 + size);
    if (size) this.put(value < 0 ? value + 2 ** size - 1 : value, size);
  }

  code({ codes, lengths }, symbol) {
    this.put(codes[symbol], lengths[symbol]);
  }

  put(value, count) {
    this.held = (this.held << count) | value;
    this.bits += count;
    while (this.bits >= 8) {
      this.bits -= 8;
      const byte = (this.held >> this.bits) & 255;
      this.byte(byte);
      if (byte === 255) this.byte(0);
    }
    this.held &= (1 << this.bits) - 1;
  }

  byte(value) {
    this.out[this.length] = value;
    this.length += 1;
    if (this.length < this.out.length) return;
    this.parts.push(this.out);
    this.out = new Uint8Array(1 << 16);
    this.length = 0;
  }

  /** @returns {Blob} */
  finish() {
    if (this.bits) this.put((1 << (8 - this.bits)) - 1, 8 - this.bits);
    return new Blob([...this.parts, this.out.subarray(0, this.length), Uint8Array.of(0xff, 0xd9)], { type: "image/jpeg" });
  }
}

/** The density of a file and its marker as JFIF: after the start, before everything else. */
export const jfif = (unit, across, down) => segment(0xe0, latin("JFIF\0"), [1, 2, unit], big(across, 2), big(down, 2), [0, 0]);
export { segment };

/** The DCT of a block, in place, up to the factors in SCALES. */
function transform(d) {
  for (let i = 0; i < 64; i += 8) dct(d, i, 1);
  for (let i = 0; i < 8; i += 1) dct(d, i, 8);
}

function dct(d, at, step) {
  const place = (k) => at + k * step;
  const [p0, p1, p2, p3] = [place(0), place(1), place(2), place(3)];
  const [p4, p5, p6, p7] = [place(4), place(5), place(6), place(7)];
  const s0 = d[p0] + d[p7], t7 = d[p0] - d[p7];
  const s1 = d[p1] + d[p6], t6 = d[p1] - d[p6];
  const s2 = d[p2] + d[p5], t5 = d[p2] - d[p5];
  const s3 = d[p3] + d[p4], t4 = d[p3] - d[p4];
  const e0 = s0 + s3, e3 = s0 - s3, e1 = s1 + s2, e2 = s1 - s2;
  d[p0] = e0 + e1;
  d[p4] = e0 - e1;
  const z1 = (e2 + e3) * 0.707106781;
  d[p2] = e3 + z1;
  d[p6] = e3 - z1;
  const o0 = t4 + t5, o1 = t5 + t6, o2 = t6 + t7;
  const z5 = (o0 - o2) * 0.382683433;
  const z2 = 0.5411961 * o0 + z5;
  const z4 = 1.306562965 * o2 + z5;
  const z3 = o1 * 0.707106781;
  const z11 = t7 + z3, z13 = t7 - z3;
  d[p5] = z13 + z2;
  d[p3] = z13 - z2;
  d[p1] = z11 + z4;
  d[p7] = z11 - z4;
}
