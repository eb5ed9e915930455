/** Films without DOM or network: times, the shot of a time, cues from the wishes for frames. */

import { toRequest } from "./state.js";

/** Films by their names, whether or not the service takes them. */
const FILM = /\.(3gp|avi|dv|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|vob|webm|wmv)$/i;

export const isFilm = (file) => FILM.test(file.name) || file.type.startsWith("video/");

/** A time in words: 83.4 -> "1:23.40". */
export function clock(seconds) {
  const whole = Math.floor(seconds / 60);
  return `${whole}:${(seconds - 60 * whole).toFixed(2).padStart(5, "0")}`;
}

/** The name of a frame as a photograph. */
export function frameName(film, seconds) {
  return `${film.replace(/\.[^.]*$/, "")}-${clock(seconds).replace(":", "m")}s.png`;
}

/**
 * The times of each shot, and where it ends.
 * @param {{at: number, start: number, picture: string}[]} shots
 * @param {number} seconds  Of the film; 0 if unknown.
 */
export function withEnds(shots, seconds) {
  return shots.map((shot, index) => ({ ...shot, end: shots[index + 1]?.start ?? Math.max(seconds, shot.at) }));
}

/** The index of the shot that a time falls into. */
export const shotOf = (shots, at) => Math.max(0, shots.findLastIndex((shot) => shot.start <= at + 1e-6));

/**
 * Convert the wishes for frames to the cues of a film.
 * @param {{at: number, wishes: any, method: any, reference?: string|null}[]} frames  `reference` is
 *   the id of an uploaded one.
 */
export function cuesOf(frames) {
  const hints = [];
  const shots = [];
  for (const { at, wishes, method, reference = null } of frames) {
    const request = toRequest(wishes, method);
    for (const hint of request.hints) hints.push({ ...hint, at });
    const { vividness, saturation, candidate, seed } = request;
    const chosen = { reference, palette: request.palette ?? request.mood, vividness, saturation: saturation === 1 ? null : saturation,
      candidate: candidate || null, seed: seed || null };
    const shot = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== null));
    if (Object.keys(shot).length) shots.push({ ...shot, at });
  }
  return { hints, shots };
}

/** What was chosen for a frame that films cannot follow, in words; null if there is nothing. */
export function unheeded(frames) {
  const wants = (test) => frames.some(({ wishes }) => test(wishes));
  const words = [
    wants(({ restore }) => restore) && "Restore",
    wants((wishes) => wishes.white_lightness !== null) && "Tone white down",
  ].filter(Boolean);
  return words.length ? `Not used for films: ${words.join(", ")}.` : null;
}

/** How far a job has come, in words. */
export function progressText({ state, frames, expected, fps, seconds_left: left }) {
  if (state === "waiting") return "Waiting for its turn";
  if (!frames) return "Starting";
  const parts = [expected >= frames ? `${frames} of ${expected} frames` : `${frames} frames`];
  if (fps) parts.push(`${fps.toFixed(1)} a second`);
  if (left) parts.push(`${Math.floor(left / 60)}:${String(Math.floor(left % 60)).padStart(2, "0")} left`);
  return parts.join(", ");
}
