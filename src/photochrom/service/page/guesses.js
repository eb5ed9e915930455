/** Mark uncertain colours with zebra stripes; a tint could be mistaken for a colour. */

const PERIOD_PX = 11;
const SURE = 150; // of 255: no stripes above this
const GUESS = 70; // full stripes below this

/**
 * Draw stripes where a confidence map is low.
 * @param {HTMLCanvasElement} canvas
 * @param {Blob} blob  Gray PNG: 255 is sure, 0 a guess.
 * @param {{width: number, height: number}} size  In pixels of the preview.
 */
export async function drawGuesses(canvas, blob, { width, height }) {
  const map = await createImageBitmap(blob);
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(map, 0, 0, width, height);
  map.close();
  const image = context.getImageData(0, 0, width, height);
  const { data } = image;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const doubt = Math.min(1, Math.max(0, (SURE - data[at]) / (SURE - GUESS)));
      const light = (x + y) % PERIOD_PX < PERIOD_PX / 2;
      data[at] = data[at + 1] = data[at + 2] = light ? 255 : 0;
      data[at + 3] = doubt * (light ? 190 : 110);
    }
  }
  context.putImageData(image, 0, 0);
}
