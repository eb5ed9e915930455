/**
 * What colours the photographs: the one interface that the rest of the page knows.
 *
 * The service's page has `remote.js` (its HTTP routes) behind it; the folder that `photochrom page`
 * writes has `local/local.js` (this browser). `engine.js` says which; both export the same names.
 */

export { Problem } from "./problem.js";
export {
  capabilities, confidence, crop, forget, gray, hintFields, limits, methods, moods, onKeyNeeded, original, outline, photo,
  preview, putReference, result, sidecar, suggestions, upload, zip,
} from "./engine.js";
