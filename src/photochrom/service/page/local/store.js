/** The files of open photographs in this browser's own storage, so that a reload finds them again. */

const NAME = "photochrom";
const FILES = "files";
const BYTES = "bytes of a file";
const ROOT = new URL("../../", import.meta.url).href; // of this copy of the page

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(FILES);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function inStore(mode, act) {
  const base = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = base.transaction(FILES, mode);
      const asked = act(transaction.objectStore(FILES));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error ?? asked.error);
    });
  } finally {
    base.close();
  }
}

/**
 * The same with bytes instead of files: a private window of WebKit stores no others.
 * @returns {Promise<any>}
 */
async function inBytes(value) {
  if (value instanceof Blob) return { [BYTES]: await value.arrayBuffer(), type: value.type };
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([key, one]) => [key, await inBytes(one)])));
}

function inFiles(value) {
  if (!value || typeof value !== "object" || value instanceof Blob) return value;
  if (value[BYTES]) return new Blob([value[BYTES]], { type: value.type });
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inFiles(one)]));
}

/** @returns {Promise<boolean>}  Whether the file could be stored: storage may be full or forbidden. */
export async function put(id, file) {
  const store = (value) => inStore("readwrite", (files) => files.put(value, id));
  try {
    await store(file).catch(async () => store(await inBytes(file)));
    return true;
  } catch {
    return false;
  }
}
/** @returns {Promise<any>}  The stored file and its name, or null. */
export const get = (id) => inStore("readonly", (files) => files.get(id)).then((found) => inFiles(found ?? null), () => null);
export const remove = (id) => inStore("readwrite", (files) => files.delete(id)).catch(() => {});

/** Delete the photographs, settings and files that this page has stored; loading it again stores its files again. */
export async function clear() {
  for (const store of [localStorage, sessionStorage]) {
    for (const key of Object.keys(store)) if (key.startsWith("photochrom")) store.removeItem(key);
  }
  await new Promise((resolve) => {
    const asked = indexedDB.deleteDatabase(NAME);
    asked.onsuccess = asked.onerror = asked.onblocked = resolve;
  });
  if (globalThis.caches) await caches.delete(`${NAME} ${ROOT}`);
  for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) {
    if (registration.scope === ROOT) await registration.unregister(); // other pages of this host keep theirs
  }
}
