/**
  * State that survives a reload: the photographs open in this tab (sessionStorage), and the wishes
  * for each (localStorage), which a new tab restores only if asked to.
 */

const PREFIX = "photochrom/";
const LIST = PREFIX + "open"; // of all tabs
const TAB = PREFIX + "tab"; // of this one
const FILM = PREFIX + "film"; // of this tab

function read(store, key) {
  try {
    return JSON.parse(store().getItem(key));
  } catch {
    return null; // forbidden, written by another version, or truncated: treated as missing
  }
}

function write(store, key, value) {
  try {
    store().setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false; // full or forbidden: the state does not survive a reload
  }
}

const local = () => localStorage;
const session = () => sessionStorage;

/** @returns {{id: string, name: string}[]}  The photographs that were open in this tab. */
export function openHere() {
  return read(session, TAB) ?? [];
}

/** @returns {{id: string, name: string}[]}  Those that were open in other tabs, or in an earlier session. */
export function openElsewhere() {
  const here = new Set(openHere().map(({ id }) => id));
  return (read(local, LIST) ?? []).filter(({ id }) => !here.has(id) && recall(id));
}

/** Store the id of this tab's film, or null. */
export const keepFilm = (id) => write(session, FILM, id);

/** @returns {string|null}  The id of the film that was open in this tab. */
export const keptFilm = () => read(session, FILM);

/** The stored name, size and wishes of a photograph, or null. */
export function recall(id) {
  return read(local, PREFIX + id);
}

/**
 * Store wishes.
 * @param {{id: string, name: string, width: number, height: number}} info
 * @param {Object} more  Other state to store.
 * @returns {boolean}  Whether it could be stored.
 */
export function keep({ id, name, width, height }, wishes, more = {}) {
  return write(local, PREFIX + id, { name, width, height, wishes, ...more });
}

/** Store the list of this tab's photographs, along with those of other tabs. */
export function keepList(photos) {
  const ours = new Set([...photos, ...openHere()].map(({ id }) => id));
  const others = (read(local, LIST) ?? []).filter(({ id }) => !ours.has(id));
  write(local, LIST, [...others, ...photos]);
  write(session, TAB, photos);
}

/** Whether anything was ever stored here, and not deleted since. */
export function hasAny() {
  try {
    return Object.keys(localStorage).some((key) => key.startsWith(PREFIX));
  } catch {
    return false; // forbidden
  }
}

/** Whether this is the first time that something is told; it is not told again. */
export function isFirstTime(what) {
  const key = `${PREFIX}told ${what}`;
  if (read(local, key)) return false;
  write(local, key, true);
  return true;
}

const without = (list, id) => (list ?? []).filter((photo) => photo.id !== id);

/** Forget that this tab has a photograph open; other tabs may have it too. */
export const leave = (id) => write(session, TAB, without(read(session, TAB), id));

/** Forget a photograph. */
export function drop(id) {
  write(local, LIST, without(read(local, LIST), id));
  leave(id);
  try {
    localStorage.removeItem(PREFIX + id);
  } catch {
    // as in write()
  }
}

/** Listen for changes that another tab makes to a photograph's wishes. */
export function onChangeElsewhere(hear) {
  addEventListener("storage", ({ key, newValue }) => {
    if (!key?.startsWith(PREFIX) || key === LIST || !newValue) return;
    try {
      hear(key.slice(PREFIX.length), JSON.parse(newValue).wishes);
    } catch {
      // of another version
    }
  });
}
