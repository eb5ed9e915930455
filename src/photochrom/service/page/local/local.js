/** The engine in this browser: the interface of `remote.js`, answered by a worker. */

import { Problem } from "../problem.js";
import { client } from "./client.js";
import { distinct, zipOf } from "./zip.js";
import * as store from "./store.js";

const HINT_FIELDS = ["shape", "points", "colour", "radius", "reach", "keep"];
const FAILURES = "not-coloured.txt";
const NO_FILMS = "Films need the photochrom command or its service. This page colours photographs.";
const FILES = 2; // of the large ones that a browser loads: the weights and one build of their runtime
const LARGE_BYTES = 1e6; // of what is still to be loaded, so that it is worth saying

const facts = fetch(new URL("facts.json", import.meta.url)).then((answer) => answer.json());
const worker = client(facts);
const open = new Map(); // id -> {file, name, info, reference}

/** @type {import("../api.js").Capabilities} */
export const capabilities = Object.freeze({
  restores: false,
  noFilms: NO_FILMS,
  formats: ["jpeg", "png"],
  staysHere: true,
  clearStorage: () => store.clear().then(() => location.reload()),
  whenLoading,
});

/** Load the network; tell what has come of it, and null at the end. */
async function whenLoading(hear) {
  const come = new Map(); // path -> bytes
  const whole = new Set(); // paths
  const isFirst = !navigator.serviceWorker?.controller;
  const all = Math.round((await facts).bytes / 1e6);
  const tell = () => {
    const bytes = [...come.values()].reduce((sum, one) => sum + one, 0);
    hear(`Getting ready, the first time only: ${bytes < LARGE_BYTES ? "" : `${Math.round(bytes / 1e6)} of `}${all} MB`);
  };
  const follow = ({ data }) => {
    if (!data?.path) return;
    come.set(data.path, data.bytes);
    if (data.isAll) whole.add(data.path);
    if (whole.size < FILES) tell();
    else hear(null); // what is left takes as long as any start
  };
  navigator.serviceWorker?.addEventListener("message", follow);
  if (isFirst) tell();
  await worker.ask("load", {}).catch(() => {}); // told when a photograph is coloured
  navigator.serviceWorker?.removeEventListener("message", follow);
  hear(null);
}

const freshId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (v) => v.toString(16).padStart(2, "0")).join("");

/** Ask about a photograph; after the worker has been lost, it is opened again first. */
async function ask(call, id, given = {}, signal = undefined) {
  try {
    return await worker.ask(call, { id, ...given }, signal);
  } catch (problem) {
    if (problem.status !== 410) throw problem;
    await reopen(id);
    return worker.ask(call, { id, ...given }, signal);
  }
}

async function reopen(id) {
  const known = open.get(id) ?? await store.get(id);
  if (!known) throw new Problem(404, "Not here", "This photograph is not stored here any more. Open the file again.");
  const info = await worker.ask("open", { id, file: known.file, name: known.name });
  open.set(id, { ...known, info });
  if (known.reference) await worker.ask("setReference", { id, ...known.reference });
  return info;
}

export function onKeyNeeded() {} // this engine needs no key
export const hasKey = () => false;

const noFilms = async (..._given) => { throw new Problem(404, "No films", NO_FILMS); };
export const uploadVideo = noFilms;
export const video = noFilms;
export const forgetVideo = noFilms;
export const shots = noFilms;
export const videoFrame = noFilms;
export const colourVideo = noFilms;
export const cancelVideo = noFilms;
export const addVideoReference = noFilms;
export const videoResult = noFilms;

export const methods = async () => {
  const { name, paper, licence, accepts, requires } = (await facts).method;
  return [{ name, paper, licence, accepts, requires }];
};
export const limits = async () => ({ photos: 1000, photo_suffixes: [], film_suffixes: [] });
export const moods = async () => (await facts).moods;
export const hintFields = async () => new Set(HINT_FIELDS);

/** Open a photograph; its file stays in this browser. */
export async function upload(file, onProgress = (_share) => {}) {
  const id = freshId();
  const name = (file.name || "pasted.png").split(/[\\/]/).at(-1);
  const info = await worker.ask("open", { id, file, name });
  onProgress(1);
  if (!(await store.put(id, { file, name }))) {
    info.notes.push("This browser's storage is full or forbidden: after a reload, this file must be opened again.");
  }
  open.set(id, { file, name, info, reference: null });
  return info;
}

/** The file of an open photograph. */
export const fileOf = async (id) => open.get(id)?.file ?? null;

export const photo = async (id) => open.get(id)?.info ?? reopen(id);

export async function forget(id) {
  open.delete(id);
  await Promise.all([store.remove(id), worker.ask("close", { id })]);
}

export const gray = (id, signal) => ask("gray", id, {}, signal);
export const original = (id, signal) => ask("original", id, {}, signal);
export const preview = (id, wishes, signal, longSide = null) => ask("preview", id, { wishes, longSide }, signal);
export const crop = (id, part, wishes, signal) => ask("crop", id, { part, wishes }, signal);
export const suggestions = (id, place, wishes, signal) => ask("suggestions", id, { ...place, wishes }, signal);
export const outline = (id, place, signal) => ask("outline", id, place, signal);
export const confidence = (id, wishes, signal) => ask("confidence", id, { wishes }, signal);

export async function putReference(id, file, signal) {
  const reference = { file, name: file.name || "pasted picture" };
  await ask("setReference", id, reference, signal);
  const known = open.get(id);
  if (!known) return;
  known.reference = reference;
  await store.put(id, { file: known.file, name: known.name, reference });
}

export const result = (id, wishes, kind, signal) => ask("result", id, { wishes, kind }, signal);

/** The settings file: the same as `photochrom.engine.sidecar` writes. */
export async function sidecar(id, wishes) {
  const { version, weights, moods: named } = await facts;
  const { width, height, name } = await photo(id);
  const { white_lightness: white } = wishes;
  const table = {
    photochrom: version,
    method: wishes.method,
    weights_sha256: weights.sha256,
    size: [width, height],
    float_range: null,
    look: {
      vividness: wishes.vividness, saturation: wishes.saturation, short_side_px: null, restore: false,
      ...(white === null ? {} : { white_lightness: white }),
    },
    wishes: {
      hints: wishes.hints.map(({ shape, points, colour = null, radius, reach = "near", keep = false }) =>
        ({ shape, points, colour, radius, reach, keep })),
      reference: wishes.reference ? await ask("reference", id) : null,
      palette: wishes.palette ?? named[wishes.mood] ?? null,
      candidate: wishes.candidate,
      seed: wishes.seed,
    },
  };
  const blob = new Blob([`${JSON.stringify(table, null, 2)}\n`], { type: "application/json" });
  return { blob, name: `${name.replace(/\.[^.]*$/, "") || "photo"}-color.json`, notes: [] };
}

/** Colour several photographs, one after another, into a zip. */
export async function zip(photos, kind, signal, tell = (_done) => {}) {
  const files = [];
  const failures = [];
  for (const { id, wishes } of photos) {
    tell(files.length + failures.length);
    try {
      files.push(await result(id, wishes, kind, signal));
    } catch (problem) {
      if (signal?.aborted) throw problem;
      failures.push(`${open.get(id)?.name ?? "photo"}: ${problem.message}\n`);
    }
  }
  const names = distinct(files.map(({ name }) => name));
  const entries = files.map(({ blob }, i) => ({ name: names[i], blob }));
  if (failures.length) entries.push({ name: FAILURES, blob: new Blob(failures) });
  return { blob: await zipOf(entries), name: "photochrom.zip", notes: [] };
}
