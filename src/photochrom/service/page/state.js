/**
 * What is wished of one photograph, with undo and redo: a pure reducer, no page and no service.
 *
 * A history is {past, present, future, gesture}; each step is {wishes, label}, the label saying what
 * was done to come there. Changes of one gesture (a drag, a slider) share one step.
 */

import { middleOf } from "./shapes.js";

/** Wishes before anybody has wished anything; coordinates are full-size pixels of the upright photo. */
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

/** L* of a white that is toned down a little. */
export const MILD_WHITE = 92;

/** Whether nothing has been wished. */
export function isPlain(wishes) {
  return same({ ...DEFAULTS, ...wishes }, DEFAULTS);
}

/** Begin a history. */
export function begin(wishes = DEFAULTS) {
  return { past: [], present: { wishes: { ...DEFAULTS, ...wishes }, label: "opened" }, future: [], gesture: null };
}

/** Change wishes by one action; null where nothing changes. */
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
 * Give the history after an action.
 * @param {Object} history
 * @param {{type: string, label?: string, gesture?: string, wishes?: any}} action  'undo', 'redo' or a change.
 * @returns {Object}  The same object where nothing changed.
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
 * Write wishes as the service takes them, without what the method does not take.
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

/** How far a hint reaches, nearest first; the first is what a hint has that says nothing of it. */
export const REACHES = { near: "Near", thing: "This thing", whole: "Everywhere" };

/** Least and most of a reach that is a number: shares of the photograph's longer side. */
export const REACH_RANGE = [0.02, 2];
const REACH_NUMBERS = { near: 1 / 1.8, thing: 2, whole: 2 }; // where the ring of a named reach lies

/** How far a hint reaches, as a number. */
export const reachNumber = ({ reach }) => (typeof reach === "number" ? reach : REACH_NUMBERS[reach ?? "near"]);

/** Say how far a hint reaches. */
export const reachText = ({ reach }) => (typeof reach === "number" ? `${Number((100 * reach).toPrecision(2))} %` : REACHES[reach ?? "near"]);

/** A reach as a place on a slider from 0 to 100, whose steps are equal factors; and back. */
export const reachShare = (reach) => (100 * Math.log(reach / REACH_RANGE[0])) / Math.log(REACH_RANGE[1] / REACH_RANGE[0]);
export const reachAt = (share) => REACH_RANGE[0] * (REACH_RANGE[1] / REACH_RANGE[0]) ** (share / 100);

/** Where a hint's marker stands: where a thing was clicked, a point itself, a stroke's middle point, the middle of an outline. */
export function anchorOf(hint) {
  if (hint.anchor) return hint.anchor;
  if (hint.shape === "region") return middleOf(hint.points);
  return hint.points[Math.floor(hint.points.length / 2)];
}

let known = new Set(); // fields of a hint that the service takes
/** Say which fields of a hint the service takes; what it does not take is not sent. */
export function hintsTake(fields) {
  known = fields;
}
export const takes = (field) => known.has(field);

/** Write a hint as the service takes it: `reach` and `keep` only where somebody has used them. */
export function hintToRequest({ shape, points, colour, radius, reach, keep }) {
  const request = { shape, points, colour: colour ?? null, radius };
  if (reach && reach !== "near" && takes("reach")) request.reach = reach;
  if (keep && takes("keep")) return { shape, points, radius, keep: true };
  return request;
}

/** Where a method can take colours from. */
export function sourcesOf(method) {
  if (method.accepts.includes("histogram")) return ["automatic", "mood", "palette", "reference"];
  return method.accepts.includes("reference") ? ["automatic", "reference"] : ["automatic"];
}

/** Whether a method knows several likely colours of a place. */
export function hasCandidates(method) {
  return method.accepts.includes("histogram");
}

/** Say what a method still needs, or null when it can go. */
export function missing(wishes, method) {
  if (method.requires.includes("hints") && !wishes.hints.length) {
    return `${method.name} spreads the colours that you give it. Click a place in the picture and choose one.`;
  }
  if (method.requires.includes("reference") && !(wishes.source.kind === "reference" && wishes.source.token)) {
    return `${method.name} takes its colours from another photograph. Choose one under “Colours from”.`;
  }
  return null;
}

let counter = 0;
/** A name that no other hint or gesture has, across reloads too. */
export function freshId(prefix) {
  counter += 1;
  return `${prefix}-${Date.now().toString(36)}-${counter}`;
}

/** Fit hints to a copy of the photograph that is `factor` as large. */
export function scaleHints(hints, factor) {
  return hints.map((hint) => ({
    ...hint,
    points: hint.points.map(([x, y]) => [x * factor, y * factor]),
    radius: hint.radius * factor,
    ...(hint.anchor ? { anchor: hint.anchor.map((at) => at * factor) } : {}),
  }));
}
