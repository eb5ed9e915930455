/** Load the network: its weights, checked by their hash, and ONNX Runtime Web. */

import { sha256 } from "./bytes.js";
import { Network } from "./network.js";
import { Problem } from "../problem.js";

const MOST_THREADS = 4;

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

/** Open the network. */
export async function openNetwork(facts, root) {
  if (typeof WebAssembly === "undefined") {
    throw new Problem(0, "No WebAssembly", "This browser has WebAssembly switched off, which colouring needs. Switch it on, or use another browser.");
  }
  const content = await fetched(new URL(facts.weights.path, root), facts.weights);
  const ort = await import(new URL("runtime/ort.wasm.min.mjs", root).href);
  ort.env.wasm.wasmPaths = new URL("runtime/", root).href;
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
  ort.env.logLevel = "error";
  try {
    const session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
    return new Network(ort, session, facts.method);
  } catch (error) {
    throw new Problem(0, "Not started", `The colouring network could not be started: ${error.message}. Close other tabs, then reload the page.`);
  }
}
