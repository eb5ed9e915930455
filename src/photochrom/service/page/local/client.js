/** The page's side of the worker: requests with an answer, cancellation, and a worker that is lost. */

import { Problem } from "../problem.js";

const LOST = "This device ran out of memory, and colouring was started again. If it happens again, close other tabs or make the photograph smaller.";
const INSTALL_MS = 8000; // to wait for the service worker, which keeps what is loaded

/** Wait until the service worker keeps what is fetched; without one, only the browser's cache does. */
async function installed(root) {
  if (!navigator.serviceWorker) return;
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", root));
    if (navigator.serviceWorker.controller) return;
    await Promise.race([
      new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true })),
      new Promise((resolve) => setTimeout(resolve, INSTALL_MS)),
    ]);
  } catch {
    // forbidden, or not served over https: the page works, but not offline
  }
}

/**
 * @param {Promise<any>} facts
 * @returns {{ask: (call: string, given: any, signal?: AbortSignal) => Promise<any>}}
 */
export function client(facts) {
  const root = new URL("../../", import.meta.url).href;
  const waiting = new Map(); // number -> {resolve, reject}
  let started = null;
  let count = 0;

  const start = async () => {
    await installed(root);
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "photochrom" });
    worker.addEventListener("message", ({ data: { id, value, problem } }) => {
      const asked = waiting.get(id);
      waiting.delete(id);
      if (problem) asked?.reject(new Problem(problem.status, problem.title, problem.message));
      else asked?.resolve(value);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      worker.terminate();
      started = null;
      for (const { reject } of waiting.values()) reject(new Problem(0, "Lost", LOST));
      waiting.clear();
    });
    worker.postMessage({ start: { facts: await facts, root } });
    return worker;
  };

  const ask = async (call, given, signal) => {
    signal?.throwIfAborted();
    started ??= start().catch((problem) => {
      started = null; // the next call tries again
      throw problem;
    });
    const worker = await started;
    signal?.throwIfAborted();
    count += 1;
    const id = count;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      signal?.addEventListener("abort", () => {
        if (!waiting.delete(id)) return; // it was answered
        worker.postMessage({ cancel: id });
        reject(signal.reason);
      }, { once: true });
      worker.postMessage({ id, call, given });
    });
  };
  return { ask };
}
