/** Messages: spoken by screen readers, and errors shown where they occurred. */

import { byId } from "./dom.js";

/** Announce a text through the live region. */
export function say(text) {
  const status = byId("status");
  status.textContent = "";
  // A repeated text is only announced again if the region was empty in between.
  requestAnimationFrame(() => { status.textContent = text; });
}

const SHOWN_MS = 7000;
let timer = 0;

/**
 * Announce a text, and show it for a while at the bottom of the picture.
 * @param {string} text
 * @param {{name: string, act: () => void}|null} offer  A button beside it.
 * @param {boolean} isLasting  Show it until the next text, or `endNotice`.
 */
export function notify(text, offer = null, isLasting = false) {
  say(text);
  const toast = byId("toast");
  const button = byId("toast-act");
  clearTimeout(timer);
  byId("toast-text").textContent = text;
  button.hidden = !offer;
  button.textContent = offer?.name ?? "";
  button.onclick = offer && offer.act;
  toast.onclick = endNotice;
  toast.hidden = false;
  const hide = () => {
    if (toast.matches(":hover, :focus-within")) timer = setTimeout(hide, 1000);
    else endNotice();
  };
  if (!isLasting) timer = setTimeout(hide, SHOWN_MS);
}

/** Hide what was shown last. */
export function endNotice() {
  byId("toast").hidden = true;
  byId("toast-act").onclick = null; // what it offered need not be kept
}

/**
 * Show a problem in its paragraph, or clear it with null.
 * @param {string} place  `error-{place}` is the id of its paragraph.
 * @param {{ message: string }|string|null} problem
 */
export function showProblem(place, problem) {
  const paragraph = byId(`error-${place}`);
  paragraph.hidden = problem === null;
  paragraph.textContent = typeof problem === "string" ? problem : problem?.message ?? "";
  const panel = paragraph.closest("#panel");
  if (problem === null || !panel || panel.offsetParent) return;
  byId("adjust").click(); // on a phone the panel is collapsed
}

/** Whether an error only means that a newer request replaced this one. */
export function superseded(error) {
  return error.name === "AbortError" || error.status === 409;
}
