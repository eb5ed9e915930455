/** Write a PNG of 8 or 16 bits, strip by strip; the browser compresses (ISO/IEC 15948). */

import { big, crc32, joined, latin } from "./bytes.js";

export const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const UP = 2; // filter: the difference from the row above

/** @returns {Uint8Array<ArrayBuffer>} */
export function chunk(type, content) {
  const head = latin(type);
  return joined(big(content.length, 4), head, content, big(crc32(head, content), 4));
}

export class PngEncoder {
  /**
   * @param {number} width
   * @param {number} height
   * @param {Uint8Array<ArrayBuffer>[]} chunks  To place before the pixels.
   * @param {number} bands  3, or 4 with transparency.
   * @param {8|16} bits
   */
  constructor(width, height, chunks, bands = 3, bits = 8) {
    this.line = (bands * width * bits) / 8; // bytes
    /** @type {BlobPart[]} */
    this.parts = [SIGNATURE, chunk("IHDR", joined(big(width, 4), big(height, 4), [bits, bands === 4 ? 6 : 2, 0, 0, 0])), ...chunks];
    const stream = new CompressionStream("deflate");
    this.writer = stream.writable.getWriter();
    this.reading = this.collect(stream.readable.getReader());
    this.above = new Uint8Array(this.line);
  }

  async collect(reader) {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.parts.push(chunk("IDAT", value));
    }
  }

  /**
   * Write some rows of RGB or RGBA.
   * @param {Uint8Array|Uint16Array} rgb  16 bits for a PNG of 16 bits.
   * @param {number} rows
   */
  async write(rgb, rows) {
    const { line } = this;
    const bytes = rgb instanceof Uint16Array ? bigEndian(rgb) : rgb;
    const filtered = new Uint8Array(rows * (line + 1));
    for (let row = 0, to = 0; row < rows; row += 1) {
      filtered[to] = UP;
      to += 1;
      for (let i = 0; i < line; i += 1, to += 1) filtered[to] = bytes[row * line + i] - this.above[i];
      this.above.set(bytes.subarray(row * line, (row + 1) * line));
    }
    await this.writer.write(filtered);
  }

  /** @returns {Promise<Blob>} */
  async finish() {
    await this.writer.close();
    await this.reading;
    return new Blob([...this.parts, chunk("IEND", new Uint8Array())], { type: "image/png" });
  }
}

function bigEndian(values) {
  const bytes = new Uint8Array(2 * values.length);
  for (let i = 0; i < values.length; i += 1) {
    bytes[2 * i] = values[i] >> 8;
    bytes[2 * i + 1] = values[i];
  }
  return bytes;
}
