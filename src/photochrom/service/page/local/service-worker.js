/**
 * Keep the files of the page in this browser, by their hash, so that it works offline. The list of
 * files is written by `photochrom page`; the large ones are kept when they are first fetched.
 */

const FILES = /* FILES */ {};
const LARGE = /* LARGE */ [];
const ROOT = new URL("./", self.location.href).href;
const CACHE = `photochrom ${ROOT}`; // a host may have several copies of the page
const TOLD_BYTES = 500_000; // of a large file, after which the pages hear how much has come
const scope = /** @type {any} */ (self);

const keyOf = (path) => `${ROOT}${path}?sha256=${FILES[path]}`;

async function hashOf(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (value) => value.toString(16).padStart(2, "0")).join("");
}

/** Fetch a file, keep it if it is the one of this version, and return it. */
async function load(path) {
  const answer = await fetch(ROOT + path, { cache: "no-cache" });
  if (!answer.ok) return answer;
  const content = LARGE.includes(path) && answer.body ? await told(path, answer.body) : await answer.arrayBuffer();
  const made = new Response(content, { headers: headersOf(answer) });
  if ((await hashOf(content)) === FILES[path]) {
    // Storage may be full: then the page works, but not offline.
    await caches.open(CACHE).then((cache) => cache.put(keyOf(path), made.clone())).catch(() => {});
  }
  return made;
}

/** Read a large file, and tell the open pages how many bytes of it have come. */
async function told(path, body) {
  const tell = async (bytes, isAll) => {
    for (const page of await scope.clients.matchAll({ includeUncontrolled: true })) page.postMessage({ path, bytes, isAll });
  };
  const parts = [];
  let [bytes, last] = [0, 0];
  for (const reader = body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    if (bytes - last < TOLD_BYTES) continue;
    last = bytes;
    tell(bytes, false);
  }
  tell(bytes, true);
  return new Blob(parts).arrayBuffer();
}

/** The type, and the isolation that threads need: everything is of this host. */
const headersOf = (answer) => ({
  "Content-Type": answer.headers.get("Content-Type") ?? "application/octet-stream",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
});

const kept = async (path) => (await caches.open(CACHE)).match(keyOf(path));

async function install() {
  const small = Object.keys(FILES).filter((path) => !LARGE.includes(path));
  await Promise.all(small.map(async (path) => (await kept(path)) ?? load(path)));
  await scope.skipWaiting();
}

async function activate() {
  const wanted = new Set(Object.keys(FILES).map(keyOf));
  const cache = await caches.open(CACHE);
  for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
  await scope.clients.claim();
}

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  url.search = url.hash = "";
  const path = url.href === ROOT ? "index.html" : url.href.slice(ROOT.length);
  if (event.request.method !== "GET" || !url.href.startsWith(ROOT) || !Object.hasOwn(FILES, path)) return;
  event.respondWith(kept(path).catch(() => undefined).then((found) => found ?? load(path)));
});
