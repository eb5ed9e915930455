/** Saying what happened: in words for those who hear the page, and errors where they happened. */

import { byId } from "./dom.js";

/** Say something through the live region. */
export function say(text) {
  const status = byId("status");
  status.textContent = "";
  // The same words twice are only spoken twice when the region was empty in between.
  requestAnimationFrame(() => { status.textContent = text; });
}

const SHOWN_MS = 7000;
let timer = 0;

/**
 * Say something to everybody: spoken, and shown for a while at the foot of the picture.
 * @param {string} text
 */
export function notify(text) {
  say(text);
  const toast = byId("toast");
  clearTimeout(timer);
  toast.textContent = text;
  toast.hidden = false;
  const hide = () => {
    if (toast.matches(":hover")) timer = setTimeout(hide, 1000);
    else toast.hidden = true;
  };
  timer = setTimeout(hide, SHOWN_MS);
}

/**
 * Show a problem at its place, or clear it with null.
 * @param {string} place  `error-{place}` is the id of its paragraph.
 * @param {{ message: string }|string|null} problem
 */
export function showProblem(place, problem) {
  const paragraph = byId(`error-${place}`);
  paragraph.hidden = problem === null;
  paragraph.textContent = typeof problem === "string" ? problem : problem?.message ?? "";
  const panel = paragraph.closest("#panel");
  if (problem === null || !panel || panel.offsetParent) return;
  byId("adjust").click(); // on a phone the panel is folded away
}

/** Whether an error only means that newer work took its place. */
export function superseded(error) {
  return error.name === "AbortError" || error.status === 409;
}
