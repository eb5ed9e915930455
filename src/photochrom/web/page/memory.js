/** What outlives a reload: which photographs are open and what was wished of each (localStorage). */

const PREFIX = "photochrom/";
const LIST = PREFIX + "open";

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // written by another version or cut short: as good as nothing
  }
}

/** @returns {{id: string, name: string}[]} */
export function openPhotos() {
  return read(LIST) ?? [];
}

/** The wishes and the size of a photograph, or null. */
export function recall(id) {
  return read(PREFIX + id);
}

/**
 * Keep wishes. A full or forbidden store costs the survival of a reload, nothing else.
 * @param {{id: string, name: string, width: number, height: number}} info
 * @returns {boolean}  Whether it could be kept.
 */
export function keep(info, wishes, sentReference = null) {
  try {
    const { id, name, width, height } = info;
    localStorage.setItem(PREFIX + id, JSON.stringify({ name, width, height, wishes, sentReference }));
    return true;
  } catch {
    return false;
  }
}

/** Keep the list of this tab's photographs, beside those of other tabs. */
export function keepList(photos) {
  const ours = new Set(photos.map(({ id }) => id));
  writeList([...openPhotos().filter(({ id }) => !ours.has(id)), ...photos]);
}

function writeList(photos) {
  try {
    localStorage.setItem(LIST, JSON.stringify(photos));
  } catch {
    // as in keep()
  }
}

/** Forget a photograph. */
export function drop(id) {
  writeList(openPhotos().filter((photo) => photo.id !== id));
  try {
    localStorage.removeItem(PREFIX + id);
  } catch {
    // as in keep()
  }
}
