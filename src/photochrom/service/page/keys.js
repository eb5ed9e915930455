/** Global keyboard shortcuts, and the list of all keys. */

import { byId, element } from "./dom.js";

/** @type {[string[], string][]} */
const LIST = [
  [["Ctrl Z", "Ctrl Shift Z"], "Undo, redo"],
  [["O"], "Open photographs"],
  [["Ctrl V"], "Paste a photograph"],
  [["D"], "Download at full size"],
  [["1", "2", "3", "4", "5", "6"], "Spot, brush, lasso, select a thing, keep gray, keep as it is"],
  [["[", "]"], "Smaller, larger brush"],
  [["P"], "Go to the picture"],
  [["← ↑ → ↓"], "In the picture: move the crosshair. On a hint: move it"],
  [["Enter"], "Colours for the place or object; start or end a brush or lasso stroke"],
  [["Delete"], "Delete the hint. On a slider: reset"],
  [["Esc"], "Close the palette"],
  [["+", "−", "0"], "Zoom in, out, fit"],
  [["Shift ← ↑ → ↓"], "Pan the picture"],
  [["Space", "drag"], "Pan while a brush is chosen"],
  [["B"], "Original: tap to switch, hold to compare"],
  [["C", "H"], "Uncertain places, hints"],
  [["F"], "Full screen"],
  [["PageUp", "PageDown"], "Previous, next photograph"],
];

/**
 * @param {Object<string, (event: KeyboardEvent) => void>} acts  By key, Ctrl and Cmd as "ctrl+".
 */
export function listenToKeys(acts) {
  addEventListener("keydown", (event) => {
    const types = /** @type {Element} */ (event.target).closest?.("input[type=text], input[type=password], dialog[open]");
    const pages = event.key.startsWith("Page") && /** @type {Element} */ (event.target).closest?.("input[type=range], .panel-scroll");
    if (types || pages || event.altKey || event.defaultPrevented) return;
    const held = event.ctrlKey || event.metaKey ? "ctrl+" : "";
    const shift = held && event.shiftKey ? "shift+" : "";
    const act = acts[held + shift + (event.key.length === 1 ? event.key.toLowerCase() : event.key)];
    if (!act || (/** @type {Element} */ (event.target).tagName === "SELECT" && !held)) return;
    event.preventDefault();
    act(event);
  });
}

const HOLD_MS = 300;

/**
 * A tap on a key or button toggles; holding it toggles only while it is held.
 * @param {string} key
 * @param {HTMLButtonElement} button
 * @param {() => void} act  Toggles.
 */
export function listenToHold(key, button, act) {
  let since = 0;
  const begin = () => {
    since = performance.now();
    act();
  };
  const end = () => {
    if (since && performance.now() - since > HOLD_MS) act();
    since = 0;
  };
  addEventListener("keydown", (event) => {
    const types = /** @type {Element} */ (event.target).closest?.("input[type=text], input[type=password], select, dialog[open]");
    if (event.key.toLowerCase() !== key || event.repeat || types || event.ctrlKey || event.metaKey || event.altKey) return;
    if (button.closest("[inert]")) return;
    event.preventDefault();
    begin();
  });
  addEventListener("keyup", (event) => event.key.toLowerCase() === key && end());
  addEventListener("blur", end);
  button.addEventListener("pointerdown", (event) => !event.button && begin());
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(name, end);
  button.addEventListener("contextmenu", (event) => event.preventDefault()); // from a long press
  button.addEventListener("click", (event) => !event.detail && act()); // from the keyboard or a screen reader
}

export function fillKeyList() {
  const rows = LIST.flatMap(([keys, text]) => [
    element("dt", {}, ...keys.flatMap((key, i) => [i ? " " : "", element("kbd", {}, key)])),
    element("dd", {}, text),
  ]);
  byId("keyboard-list").replaceChildren(...rows);
}

/** Pan while Space is held, with any tool. */
export function listenToHand(panes) {
  const toggle = (on) => panes.forEach((pane) => pane.classList.toggle("is-hand", on));
  addEventListener("keydown", (event) => {
    if (event.code !== "Space" || /** @type {Element} */ (event.target).closest?.("input, select, button, dialog, [role=slider]")) return;
    toggle(true);
    if (event.target === document.body) event.preventDefault();
  });
  addEventListener("keyup", (event) => event.code === "Space" && toggle(false));
  addEventListener("blur", () => toggle(false));
}
