/** EXIF blocks, which are TIFF directories (CIPA DC-008). */

import { startsWith, viewOf } from "./bytes.js";

export const EXIF = "Exif\0\0";
const [ACROSS, DOWN] = [282, 283]; // resolution
const [ORIENTATION, SUB_IFD, PIXEL_WIDTH, PIXEL_HEIGHT] = [0x0112, 0x8769, 0xa002, 0xa003];

/** Call with the view and place of each entry of an IFD; return the place of the next IFD's offset. */
function entriesOf(view, ifd, isLittle, hear) {
  const count = view.getUint16(ifd, isLittle);
  for (let i = 0; i < count; i += 1) hear(ifd + 2 + 12 * i, view.getUint16(ifd + 2 + 12 * i, isLittle));
  return ifd + 2 + 12 * count;
}

/** Set an entry that holds one number of 16 or 32 bits. */
function setEntry(view, at, isLittle, value) {
  if (view.getUint16(at + 2, isLittle) === 3) view.setUint16(at + 8, value, isLittle);
  else view.setUint32(at + 8, value, isLittle);
}

/**
 * EXIF for an upright picture: the orientation is reset, the size is the picture's, the thumbnail in
 * gray is left out. Null if it is damaged.
 * @param {boolean} isSwapped  Whether its sides were.
 */
export function uprightExif(exif, width, height, isSwapped) {
  const out = exif.slice();
  const view = viewOf(out);
  try {
    const isLittle = out[0] === 0x49;
    let sub = 0;
    const places = {};
    const next = entriesOf(view, view.getUint32(4, isLittle), isLittle, (at, tag) => {
      places[tag] = at + 8;
      if (tag === ORIENTATION) setEntry(view, at, isLittle, 1);
      if (tag === SUB_IFD) sub = view.getUint32(at + 8, isLittle);
    });
    view.setUint32(next, 0, isLittle);
    if (isSwapped && places[ACROSS] && places[DOWN]) {
      const [across, down] = [view.getUint32(places[ACROSS]), view.getUint32(places[DOWN])];
      view.setUint32(places[ACROSS], down);
      view.setUint32(places[DOWN], across);
    }
    if (sub) {
      entriesOf(view, sub, isLittle, (at, tag) => {
        if (tag === PIXEL_WIDTH) setEntry(view, at, isLittle, width);
        if (tag === PIXEL_HEIGHT) setEntry(view, at, isLittle, height);
      });
    }
    return out;
  } catch {
    return null;
  }
}

/** The orientation in an EXIF block, 1 to 8; 1 if there is none. */
export function orientationIn(exif) {
  let found = 1;
  try {
    const view = viewOf(exif);
    const isLittle = exif[0] === 0x49;
    entriesOf(view, view.getUint32(4, isLittle), isLittle, (at, tag) => {
      if (tag === ORIENTATION) found = view.getUint16(at + 8, isLittle);
    });
  } catch {
    return 1; // damaged
  }
  return found >= 1 && found <= 8 ? found : 1;
}

/** The orientation of a JPEG, from its first bytes. */
export function orientationOfJpeg(head) {
  const view = viewOf(head);
  for (let at = 2; at + 4 <= head.length && head[at] === 0xff && head[at + 1] !== 0xda;) {
    const length = view.getUint16(at + 2);
    const content = head.subarray(at + 4, at + 2 + length);
    if (head[at + 1] === 0xe1 && startsWith(content, EXIF)) return orientationIn(content.subarray(EXIF.length));
    at += head[at + 1] === 0xff ? 1 : 2 + length;
  }
  return 1;
}
