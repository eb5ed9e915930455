/** Client of the HTTP service: one function per route. Every failure is a Problem. */

import { Problem } from "./problem.js";

/** @type {import("./api.js").Capabilities} */
export const capabilities = Object.freeze({
  restores: true,
  noFilms: "Films need more than is installed here. On the machine that runs photochrom, run: pip install '.[video]'",
  formats: ["jpeg", "png", "tiff", "webp", "avif"],
  staysHere: ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname),
  clearStorage: null,
  whenLoading: null,
});

const MOST_TRIES = 4;
const KEY = "photochrom-api-key";
/** @type {(refused: boolean) => Promise<string | null>} */
let askForKey = async () => null;

/**
 * Set how the page asks for the API key of a service that needs one.
 * @param {(refused: boolean) => Promise<string|null>} ask  Told whether the last key was rejected.
 */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

// Without session storage, the key is asked for again after a reload.
let key = null;
try { key = sessionStorage.getItem(KEY); } catch { /* forbidden */ }

const authorization = () => (key ? { Authorization: `Bearer ${key}` } : {});

/** Simpler wording for some of the service's error messages. */
function inWords(detail) {
  const damaged = /^(.*?): truncated or corrupt \((.*)\)\.( This file is cut short.*)?$/s.exec(detail ?? "");
  if (!damaged) return detail;
  const [, name, reason, said] = damaged;
  return said || /premature|early|end of|truncat|short|few/i.test(reason)
    ? `${name}: this file is incomplete. Copy it again.`
    : `${name}: this file is damaged. Copy it again.`;
}

async function problemOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  try {
    const { title, detail } = await response.json();
    return new Problem(response.status, title, inWords(detail), retryAfter);
  } catch {
    return new Problem(response.status, response.statusText, `The service answered ${response.status}.`, retryAfter);
  }
}

const pause = (seconds, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, seconds * 1000);
  signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
});

/**
 * Fetch; retry when the service is busy, and ask for the key when it is required.
 * @param {string} path
 * @param {{ method?: string, json?: any, form?: FormData, signal?: AbortSignal }} [options]
 */
async function request(path, { method = "GET", json, form, signal } = {}) {
  for (let tries = 1; ; tries += 1) {
    const headers = { ...authorization(), ...(json === undefined ? {} : { "Content-Type": "application/json" }) };
    const body = json === undefined ? form : JSON.stringify(json);
    let response;
    try {
      response = await fetch(path, { method, headers, body, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem(0, "No answer", "No answer from the service. Is photochrom still running? Start it with: photochrom serve");
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status === 401 && (await takeKey())) continue;
    if (problem.status !== 503 || tries >= MOST_TRIES) throw problem;
    await pause(Math.min(problem.retryAfter ?? 1, 5), signal);
  }
}

let asking = null;
async function takeKey() {
  asking ??= askForKey(key !== null).finally(() => { asking = null; });
  const given = await asking;
  if (!given) return false;
  key = given;
  try { sessionStorage.setItem(KEY, key); } catch { /* forbidden */ }
  return true;
}

const get = async (path, signal) => (await request(path, { signal })).json();
const post = (path, json, signal) => request(path, { method: "POST", json, signal });

export const methods = () => get("/v1/methods");
export const limits = () => get("/v1/limits");
export const moods = () => get("/v1/moods");
export const photo = (id) => get(`/v1/photos/${id}`);
/** The file of a photograph: the service keeps it to itself. */
export const fileOf = async (_id) => null;
export const forget = (id) => request(`/v1/photos/${id}`, { method: "DELETE" });
const image = async (path, options) => (await request(path, options)).blob();
/** The lightness only. */
export const gray = (id, signal) => image(`/v1/photos/${id}/gray`, { signal });
/** The original, with its own colours. */
export const original = (id, signal) => image(`/v1/photos/${id}/original`, { signal });
/** The coloured preview; `longSide` requests a smaller one. */
export const preview = (id, wishes, signal, longSide = null) =>
  image(`/v1/photos/${id}/preview${longSide ? `?long_side_px=${longSide}` : ""}`, { method: "POST", json: wishes, signal });
/** A crop at full size; of the original if `wishes` is null. */
export const crop = (id, part, wishes, signal) =>
  image(`/v1/photos/${id}/crop`, { method: "POST", json: { ...part, wishes }, signal });
export const suggestions = async (id, place, wishes, signal) =>
  (await post(`/v1/photos/${id}/suggestions`, { ...place, wishes }, signal)).json();
/** The outline of the object at a place. */
export const outline = async (id, place, signal) => (await post(`/v1/photos/${id}/outline`, place, signal)).json();
export const confidence = async (id, wishes, signal) => (await post(`/v1/photos/${id}/confidence`, wishes, signal)).blob();

export function putReference(id, file, signal) {
  const form = new FormData();
  form.append("file", file, file.name);
  return request(`/v1/photos/${id}/reference`, { method: "PUT", form, signal });
}

/** A file to download, with the name from the service. */
async function kept(response, fallback) {
  const disposition = response.headers.get("Content-Disposition") ?? "";
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition);
  const plain = /filename="?([^";]+)"?/i.exec(disposition);
  const notes = JSON.parse(response.headers.get("Photochrom-Notes") || "[]");
  const name = encoded ? decodeURIComponent(encoded[1]) : plain?.[1] ?? fallback;
  return { blob: await response.blob(), name, notes };
}

/** @param {{format: string|null, quality: number|null, long_side_px: number|null}} kind  Of file. */
export const result = async (id, wishes, kind, signal) =>
  kept(await post(`/v1/photos/${id}/result`, { wishes, ...kind }, signal), "photo-color");
export const sidecar = async (id, wishes) =>
  kept(await post(`/v1/photos/${id}/sidecar`, wishes), "photo-color.json");
export const zip = async (photos, kind, signal, _tell) =>
  kept(await post("/v1/zip", { photos, ...kind }, signal), "photochrom.zip");

/** The fields of a hint that this service accepts. */
export async function hintFields() {
  const { components } = await get("/openapi.json");
  return new Set(Object.keys(components.schemas.HintBody.properties));
}

/** Whether the service needs a key, which links do not send. */
export const hasKey = () => key !== null;

export const video = (id) => get(`/v1/videos/${id}`);
export const forgetVideo = (id) => request(`/v1/videos/${id}`, { method: "DELETE" });
/** The shots after those that are known. */
export const shots = (id, after) => get(`/v1/videos/${id}/shots?after=${after}`);
export const videoFrame = (id, at) => image(`/v1/videos/${id}/frame?at=${at}`, {});
export const colourVideo = async (id, options) => (await post(`/v1/videos/${id}/job`, options)).json();
/** Upload a colour reference for shots; returns its id. */
export async function addVideoReference(id, file) {
  const form = new FormData();
  form.append("file", file, file.name);
  return (await (await request(`/v1/videos/${id}/references`, { method: "POST", form })).json()).reference;
}
export const cancelVideo = (id) => request(`/v1/videos/${id}/job`, { method: "DELETE" });
export const videoResult = async (id) => kept(await request(`/v1/videos/${id}/result`), "film-color");

/**
 * Upload a photograph.
 * @param {File} file
 * @param {(share: number) => void} onProgress  Called with the share uploaded, 0 to 1.
 */
export const upload = (file, onProgress = () => {}) => sendUntilTaken("/v1/photos", { file }, onProgress);

/** Upload a film without colouring it yet. */
export const uploadVideo = (file, onProgress) => sendUntilTaken("/v1/videos", { file, start: "false" }, onProgress);

/** Send a form. fetch reports no upload progress, so this uses XMLHttpRequest. */
async function sendUntilTaken(path, fields, onProgress) {
  for (let tries = 1; ; tries += 1) {
    const { status, json, retryAfter } = await send(path, fields, onProgress);
    if (status === 201 || status === 202) return json;
    if (status === 401 && (await takeKey())) continue;
    if (status !== 503 || tries >= MOST_TRIES) {
      throw new Problem(status, json?.title, inWords(json?.detail) ?? "The file could not be uploaded. Is photochrom still running?");
    }
    await pause(Math.min(retryAfter || 1, 5));
  }
}

function send(path, { file, ...fields }, onProgress) {
  return new Promise((resolve) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", file, file.name || "pasted.png");
    const call = new XMLHttpRequest();
    call.open("POST", path);
    call.responseType = "json";
    for (const [name, value] of Object.entries(authorization())) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    call.onload = () =>
      resolve({ status: call.status, json: call.response, retryAfter: Number(call.getResponseHeader("Retry-After")) });
    call.onerror = () => resolve({ status: 0, json: null, retryAfter: 0 });
    call.send(form);
  });
}
