/** Reading and writing numbers and texts in files. */

export const text = (bytes) => String.fromCharCode(...bytes);
export const latin = (string) => Uint8Array.from(string, (letter) => letter.charCodeAt(0));
export const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * @param {...ArrayLike<number>} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function joined(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function startsWith(bytes, prefix) {
  const wanted = typeof prefix === "string" ? latin(prefix) : prefix;
  return wanted.every((value, i) => bytes[i] === value);
}

/** An unsigned number in big-endian order. */
export const big = (value, count) => Uint8Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** (count - 1 - i)) % 256);
/** The same in little-endian order. */
export const little = (value, count) => big(value, count).reverse();

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let k = 0; k < 8; k += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 of PNG and zip, of bytes in several parts. */
export function crc32(...parts) {
  let value = 0xffffffff;
  for (const part of parts) for (let i = 0; i < part.length; i += 1) value = CRC[(value ^ part[i]) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (value) => value.toString(16).padStart(2, "0")).join("");
}
