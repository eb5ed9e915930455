/** Load the network: its weights, checked by their hash, and ONNX Runtime Web, on a graphics processor if there is one. */

import { sha256 } from "./bytes.js";
import { Network } from "./network.js";
import { plane } from "./planes.js";
import { Problem } from "../problem.js";

const MOST_THREADS = 4;
const PROBE_MS = 20000; // in which a graphics processor must have started and answered

/** Fetch a file of this page, and check its hash where the browser can. */
export async function fetched(url, { sha256: wanted, bytes }) {
  let content;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(String(answer.status));
    content = new Uint8Array(await answer.arrayBuffer());
  } catch {
    throw new Problem(0, "Not loaded", "The colouring network could not be loaded. Is this browser online? Then reload the page.");
  }
  const isWhole = content.length === bytes && (!crypto.subtle || (await sha256(content)) === wanted);
  if (!isWhole) {
    throw new Problem(0, "Damaged",
      "The colouring network is damaged: it was not loaded completely, or the site has a wrong file. Reload the page; if that does not help, delete everything stored here.");
  }
  return content;
}

const notStarted = (error) => new Problem(0, "Not started",
  `The colouring network could not be started: ${error.message}. Close other tabs, then reload the page.`);

/** Load a build of ONNX Runtime Web. */
async function runtime(name, root) {
  const ort = await import(new URL(`runtime/${name}`, root).href);
  ort.env.wasm.wasmPaths = new URL("runtime/", root).href;
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  return ort;
}

const sessionOn = (ort, provider, content) =>
  ort.InferenceSession.create(content, { executionProviders: [provider], graphOptimizationLevel: "all" });

/** Whether there is a graphics processor, and what the runtime's build for it needs of the browser. */
async function hasGpu(isAnyWelcome) {
  const { gpu } = /** @type {any} */ (navigator);
  if (!gpu || !("Suspending" in WebAssembly)) return false;
  const adapter = await gpu.requestAdapter().catch(() => null);
  return Boolean(adapter) && (isAnyWelcome || !adapter.info?.isFallbackAdapter); // in software it is slower than WebAssembly
}

/** Return a promise, wrapped, that is rejected when the graphics processor is lost. */
async function lossOf(ort) {
  const device = await ort.env.webgpu.device;
  const lost = device.lost.then(({ message }) => { throw new Error(message || "The graphics processor was lost."); });
  lost.catch(() => {}); // heard where the network runs
  return { lost };
}

/** Open the network on any processor, with a build of the runtime that is loaded, or else with the plain one. */
async function openPlainly(content, facts, root, ort = null) {
  if (ort) {
    try {
      const session = await sessionOn(ort, "wasm", content);
      if (await answersAs(new Network(ort, session, facts.method), facts.probe)) return { ort, session };
    } catch {
      // it may still wait for a lost processor
    }
  }
  const plain = await runtime("ort.wasm.min.mjs", root);
  return { ort: plain, session: await sessionOn(plain, "wasm", content) };
}

/**
 * Open the network on the graphics processor, or without it where its answer to the probe is not
 * photochrom's; null if it is late. If it fails later, the network goes on without it.
 */
async function openOnGpu(content, facts, root) {
  const ort = await runtime("ort.jspi.min.mjs", root);
  const plainly = () => openPlainly(content, facts, root, ort);
  const late = new Promise((resolve) => setTimeout(() => resolve(null), facts.any_gpu ? 20 * PROBE_MS : PROBE_MS));
  let network = null;
  const isRight = (async () => {
    const session = await sessionOn(ort, "webgpu", content);
    network = new Network(ort, session, facts.method);
    network.guard((await lossOf(ort)).lost, plainly);
    return answersAs(network, facts.probe);
  })();
  const verdict = await Promise.race([isRight.catch(() => false), late]);
  if (verdict) return network;
  if (verdict === null) return null;
  const other = await plainly();
  return new Network(other.ort, other.session, facts.method);
}

/** Whether a network gives the colours that photochrom gave for a drawn picture. */
async function answersAs(network, { width, height, ab, within }) {
  const lightness = plane(width, height, Float32Array.from({ length: width * height }, (_, i) => 10 + ((i * 7 + Math.floor(i / width) * 3) % 80)));
  const found = await network.predict({ lightness }, "probe", async () => {});
  return found.ab.every(({ data }, band) => data.every((value, i) => Math.abs(value - ab[band][i]) <= within));
}

/** Open the network. */
export async function openNetwork(facts, root) {
  if (typeof WebAssembly === "undefined") {
    throw new Problem(0, "No WebAssembly", "This browser has WebAssembly switched off, which colouring needs. Switch it on, or use another browser.");
  }
  const content = await fetched(new URL(facts.weights.path, root), facts.weights);
  const onGpu = await hasGpu(facts.any_gpu) ? await openOnGpu(content, facts, root).catch(() => null) : null;
  if (onGpu) return onGpu;
  try {
    const { ort, session } = await openPlainly(content, facts, root);
    return new Network(ort, session, facts.method);
  } catch (error) {
    throw notStarted(error);
  }
}
