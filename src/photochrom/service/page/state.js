/**
 * The wishes (guidance) for one photograph, with undo and redo: a pure reducer, without DOM or network.
 *
  * A history is {past, present, future, gesture}; each step is {wishes, label}, where the label names
  * the change that led to it. Changes of one gesture (a drag, a slider) share one step.
 */

import { middleOf } from "./shapes.js";

/** The default wishes; coordinates are full-size pixels of the upright photo. */
export const DEFAULTS = Object.freeze({
  method: "photochrom",
  vividness: null,
  saturation: 1,
  restore: false,
  white_lightness: null, // L* that pure white is lowered to
  hints: Object.freeze([]),
  // {kind: "automatic"} | {kind: "mood", mood} | {kind: "palette", colours} | {kind: "reference", token, name, thumb}
  source: Object.freeze({ kind: "automatic" }),
  candidate: 0,
  seed: 0,
});

const MOST_STEPS = 200;

/** L* of a slightly toned-down white. */
export const MILD_WHITE = 92;

/** Whether all wishes are the defaults. */
export function isPlain(wishes) {
  return same({ ...DEFAULTS, ...wishes }, DEFAULTS);
}

/** Begin a history. */
export function begin(wishes = DEFAULTS) {
  return { past: [], present: { wishes: { ...DEFAULTS, ...wishes }, label: "opened" }, future: [], gesture: null };
}

/** The wishes after one action; null if nothing changes. */
function changed(wishes, action) {
  switch (action.type) {
    case "set":
      return same(wishes[action.field], action.value) ? null : { ...wishes, [action.field]: action.value };
    case "replace":
      return { ...DEFAULTS, ...action.wishes };
    case "add-hint":
      return { ...wishes, hints: [...wishes.hints, action.hint] };
    case "change-hint":
      return {
        ...wishes,
        hints: wishes.hints.map((hint) => (hint.id === action.id ? { ...hint, ...action.changes } : hint)),
      };
    case "delete-hint":
      return { ...wishes, hints: wishes.hints.filter((hint) => hint.id !== action.id) };
    case "clear-hints":
      return wishes.hints.length ? { ...wishes, hints: [] } : null;
    default:
      throw new Error(`Unknown action '${action.type}'.`);
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * Return the history after an action.
 * @param {Object} history
 * @param {{type: string, label?: string, gesture?: string, wishes?: any}} action  'undo', 'redo' or a change.
 * @returns {Object}  The same object if nothing changed.
 */
export function reduce(history, action) {
  const { past, present, future } = history;
  if (action.type === "undo") {
    if (!past.length) return history;
    return { past: past.slice(0, -1), present: past.at(-1), future: [present, ...future], gesture: null };
  }
  if (action.type === "redo") {
    if (!future.length) return history;
    return { past: [...past, present], present: future[0], future: future.slice(1), gesture: null };
  }
  const wishes = changed(present.wishes, action);
  if (!wishes) return history;
  const gesture = action.gesture ?? null;
  const step = { wishes, label: action.label ?? action.type };
  if (gesture !== null && gesture === history.gesture) {
    return { past, present: { ...step, label: present.label }, future: [], gesture };
  }
  return { past: [...past, present].slice(-MOST_STEPS), present: step, future: [], gesture };
}

/**
 * Convert wishes to the service's format, without what the method does not accept.
 * @param {Object} wishes
 * @param {{accepts: string[]}} method
 */
export function toRequest(wishes, method) {
  const { kind, ...source } = wishes.source;
  const takes = sourcesOf(method);
  const used = takes.includes(kind) ? kind : "automatic";
  return {
    method: wishes.method,
    vividness: wishes.vividness,
    saturation: wishes.saturation,
    restore: wishes.restore,
    white_lightness: wishes.white_lightness,
    hints: wishes.hints.map(hintToRequest),
    palette: used === "palette" && source.colours.length ? source.colours : null,
    mood: used === "mood" ? source.mood : null,
    reference: used === "reference" && Boolean(source.token),
    candidate: hasCandidates(method) ? wishes.candidate : 0,
    seed: wishes.seed,
  };
}

/** The named reaches of a hint, nearest first; the first is the default. */
export const REACHES = { near: "Near", thing: "This thing", whole: "Everywhere" };

/** Range of a numeric reach: shares of the photograph's longer side. */
export const REACH_RANGE = [0.02, 2];
const REACH_NUMBERS = { near: 1 / 1.8, thing: 2, whole: 2 }; // where the ring of a named reach is drawn

/** The reach of a hint as a number. */
export const reachNumber = ({ reach }) => (typeof reach === "number" ? reach : REACH_NUMBERS[reach ?? "near"]);

/** The reach of a hint in words. */
export const reachText = ({ reach }) => (typeof reach === "number" ? `${Number((100 * reach).toPrecision(2))} %` : REACHES[reach ?? "near"]);

/** A reach as a position on a logarithmic slider from 0 to 100; and back. */
export const reachShare = (reach) => (100 * Math.log(reach / REACH_RANGE[0])) / Math.log(REACH_RANGE[1] / REACH_RANGE[0]);
export const reachAt = (share) => REACH_RANGE[0] * (REACH_RANGE[1] / REACH_RANGE[0]) ** (share / 100);

/** Position of a hint's marker: the click on an object, a point itself, the middle of a stroke or outline. */
export function anchorOf(hint) {
  if (hint.anchor) return hint.anchor;
  if (hint.shape === "region") return middleOf(hint.points);
  return hint.points[Math.floor(hint.points.length / 2)];
}

let known = new Set(); // fields of a hint that the service accepts
/** Set the fields of a hint that the service accepts; others are not sent. */
export function hintsTake(fields) {
  known = fields;
}
export const takes = (field) => known.has(field);

/** Convert a hint to the service's format, with `reach` and `keep` only if they are used. */
export function hintToRequest({ shape, points, colour, radius, reach, keep }) {
  const request = { shape, points, colour: colour ?? null, radius };
  if (reach && reach !== "near" && takes("reach")) request.reach = reach;
  if (keep && takes("keep")) return { shape, points, radius, keep: true };
  return request;
}

/** The colour sources that a method supports. */
export function sourcesOf(method) {
  if (method.accepts.includes("histogram")) return ["automatic", "mood", "palette", "reference"];
  return method.accepts.includes("reference") ? ["automatic", "reference"] : ["automatic"];
}

/** Whether a method predicts several likely colours of a place. */
export function hasCandidates(method) {
  return method.accepts.includes("histogram");
}

/** A message that says what a method still needs, or null. */
export function missing(wishes, method) {
  if (method.requires.includes("hints") && !wishes.hints.length) {
    return "This method only spreads the colours of your hints. Click a place in the picture and choose a colour.";
  }
  if (method.requires.includes("reference") && !(wishes.source.kind === "reference" && wishes.source.token)) {
    return "This method takes its colours from another photograph. Choose one under “Colours from”.";
  }
  return null;
}

let counter = 0;
/** A unique name of a hint or gesture, also across reloads. */
export function freshId(prefix) {
  counter += 1;
  return `${prefix}-${Date.now().toString(36)}-${counter}`;
}

/** Scale hints to a copy of the photograph that is `factor` times as large. */
export function scaleHints(hints, factor) {
  return hints.map((hint) => ({
    ...hint,
    points: hint.points.map(([x, y]) => [x * factor, y * factor]),
    radius: hint.radius * factor,
    ...(hint.anchor ? { anchor: hint.anchor.map((at) => at * factor) } : {}),
  }));
}
