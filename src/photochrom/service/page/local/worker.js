/**
 * The worker: runs one request after another, and drops those that nobody waits for any more. Loading
 * the network holds up only what needs it: a photograph is opened and shown meanwhile.
 */

import { Engine } from "./engine.js";

const cancelled = new Set();
const channel = new MessageChannel();
let engine = null;
let last = Promise.resolve();

/** Let messages in, such as a cancellation: a timer would wait for milliseconds. */
const breathe = () => new Promise((resolve) => {
  channel.port1.onmessage = () => resolve();
  channel.port2.postMessage(null);
});

class Cancelled extends Error {}

async function run({ id, call, given }) {
  const pause = async () => {
    await breathe();
    if (cancelled.has(id)) throw new Cancelled();
  };
  try {
    await pause();
    const value = await engine[call](given, pause);
    postMessage({ id, value });
  } catch (error) {
    if (error instanceof Cancelled) return;
    const { status = 500, title = error.name, message } = error;
    postMessage({ id, problem: { status, title, message: status === 500 ? inWords(error) : message } });
  } finally {
    cancelled.delete(id);
  }
}

/** An error that was not foreseen; most often the device has no more memory. */
function inWords(error) {
  if (error instanceof RangeError || /memory|allocat/i.test(error.message)) {
    return "This device does not have enough memory for this photograph. Close other tabs, or make the photograph smaller.";
  }
  return `This could not be done: ${error.message}`;
}

addEventListener("message", ({ data }) => {
  if (data.start) engine = new Engine(data.start.facts, data.start.root);
  else if (data.cancel) cancelled.add(data.cancel);
  else if (data.call === "load") run(data);
  else last = last.then(() => run(data));
});
