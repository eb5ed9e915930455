/** A file as the browser itself shows it, before the engine has opened it. */

const LONG_SIDE_PX = 1280;
const MOST_PIXELS = 40e6; // more would be decoded twice at once
const LATE_MS = 10_000;

/**
 * Draw a file at preview size, upright and on white.
 * @param {File} file
 * @returns {Promise<{width: number, height: number, canvas: OffscreenCanvas}|null>}  Null where the browser cannot.
 */
export async function glimpseOf(file) {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    const isLoaded = await Promise.race([
      new Promise((resolve) => { image.onload = () => resolve(true); image.onerror = () => resolve(false); }),
      new Promise((resolve) => setTimeout(() => resolve(false), LATE_MS)),
    ]);
    const { naturalWidth: width, naturalHeight: height } = image;
    if (!isLoaded || !width || !height || width * height > MOST_PIXELS) return null;
    const scale = Math.min(1, LONG_SIDE_PX / Math.max(width, height));
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return { width, height, canvas };
  } catch {
    return null; // the engine shows it anyway
  } finally {
    URL.revokeObjectURL(url);
  }
}
