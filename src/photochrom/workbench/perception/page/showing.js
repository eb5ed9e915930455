/** Shows one picture after the other for a time that is kept and measured by frames. */

const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Show a picture from one frame to another.
 * Both happen in a frame's callback, so that what is between them is what the screen shows.
 * @param {HTMLImageElement} image  Decoded already.
 * @param {number} ms
 * @returns {Promise<number>}  Milliseconds that it was seen.
 */
async function showFor(image, ms) {
  const start = await frame();
  image.classList.add("is-seen");
  let now = await frame();
  const step = Math.min(now - start, 34); // of this screen; a late frame says nothing about it
  while (now - start < ms - step / 2) now = await frame();
  image.classList.remove("is-seen");
  return now - start;
}

/**
 * Show a pair, with the same empty gray before, between and after.
 * @param {HTMLElement} stage
 * @param {HTMLImageElement[]} images  Two.
 * @param {string[]} sources
 * @param {{ms: number, gapMs: number, say: (text: string) => void}} timing
 * @returns {Promise<number[]>}  Milliseconds that each was seen.
 */
export async function showPair(stage, images, sources, { ms, gapMs, say }) {
  images.forEach((image, number) => { image.src = sources[number]; });
  await Promise.all(images.map((image) => image.decode()));
  const seen = [];
  for (const image of images) {
    stage.classList.add("is-waiting");
    await pause(gapMs);
    stage.classList.remove("is-waiting");
    say(image.alt);
    seen.push(await showFor(image, ms));
  }
  await pause(gapMs);
  for (const image of images) image.removeAttribute("src"); // nobody looks twice
  sources.forEach((source) => URL.revokeObjectURL(source));
  return seen;
}
