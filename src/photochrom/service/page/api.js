/**
 * What colours the photographs: the one interface that the rest of the page knows.
 *
 * The service's page has `remote.js` (its HTTP routes) behind it; the folder that `photochrom page`
 * writes has `local/local.js` (this browser). `engine.js` says which; both export the same names.
 */

/**
 * What an engine can do beyond colouring and hints.
 * @typedef {Object} Capabilities
 * @property {boolean} restores
 * @property {string} noFilms        What is said where it takes no films.
 * @property {string[]} formats      That it writes.
 * @property {boolean} staysHere     Whether photographs stay on this computer.
 * @property {(() => Promise<void>)|null} clearStorage  Deletes all that is stored in the browser.
 * @property {((hear: (text: string|null) => void) => Promise<void>)|null} whenLoading  Says what it waits for, then null.
 */

export { Problem } from "./problem.js";
export {
  addVideoReference, cancelVideo, capabilities, colourVideo, confidence, crop, fileOf, forget, forgetVideo, gray, hasKey, hintFields, limits, methods, moods,
  onKeyNeeded, original, outline, photo, preview, putReference, result, shots, sidecar, suggestions, upload, uploadVideo, video,
  videoFrame, videoResult, zip,
} from "./engine.js";
