/** Thumbnails of plausible colourings to choose from; each says where it differs from the first. */

import * as api from "./api.js";
import { nameOf, rgbToLab, toHex } from "./colour.js";
import { button, byId, element, onHover } from "./dom.js";
import { showProblem, superseded } from "./notices.js";
import { chooseRadio, radioKeys } from "./sources.js";
import { hasCandidates } from "./state.js";

const SHOWN = 3;
const MOST = 6; // candidates that the service offers
const THUMB_PX = 256;
const SAMPLE_PX = 48; // long side at which two of them are compared
const APART_AB = 9; // ab units by which a place differs visibly
const LEAST_SHARE = 0.02; // of the picture that must differ

export class Candidates {
  constructor(desk, painter) {
    this.desk = desk;
    this.painter = painter;
    this.group = byId("candidates");
    this.asked = ""; // the photograph and wishes of the shown ones, as text
    this.work = null;
    radioKeys(this.group);
  }

  choose(candidate) {
    this.desk.act({ type: "set", field: "candidate", value: candidate, label: "another colouring" });
  }

  /** The wishes are changing: mark the shown ones as stale and cancel the requests. */
  stale(isNewPhoto) {
    this.work?.abort();
    this.work = null;
    if (isNewPhoto) {
      this.asked = "";
      this.wait(0);
      byId("candidates-note").hidden = true;
    }
    this.draw();
  }

  draw() {
    const { wishes } = this.desk;
    if (!wishes) return;
    this.group.closest("section").hidden = !hasCandidates(this.desk.methodOf(wishes));
    chooseRadio(this.group, (choice) => Number(choice.dataset.candidate) === wishes.candidate);
  }

  /** Keep the first few, and placeholders for those still being computed. */
  wait(kept) {
    const waiting = Array.from({ length: SHOWN - kept }, () => element("span", { class: "candidate is-waiting", "aria-hidden": "true" }));
    this.group.replaceChildren(...[...this.group.children].slice(0, kept), ...waiting);
  }

  /** Request the thumbnails one after another, unless they are already shown. */
  async refresh(photo) {
    if (!hasCandidates(this.desk.methodOf(photo.history.present.wishes))) return;
    this.work?.abort();
    const work = new AbortController();
    this.work = work;
    try {
      const request = await this.desk.request(photo, { candidate: 0 });
      const asked = photo.key + JSON.stringify(request);
      if (asked === this.asked) return;
      this.group.classList.add("is-stale");
      await this.find(photo, request, work.signal);
      if (work.signal.aborted) return;
      this.asked = asked;
      showProblem("candidates", null);
    } catch (problem) {
      // A lost reference is already reported on the picture.
      if (!superseded(problem) && problem.status && photo.status === "ready") showProblem("candidates", problem);
    } finally {
      if (this.work === work) this.group.classList.remove("is-stale");
    }
  }

  async find(photo, request, signal) {
    const shown = [];
    const made = [];
    const similar = []; // that differ, but in the same words as one that is shown
    for (let candidate = 0; candidate < MOST && made.length < SHOWN; candidate += 1) {
      const wishes = { ...request, candidate };
      const blob = await this.desk.ask(photo, (id) => api.preview(id, wishes, signal, THUMB_PX));
      const sample = await sampleOf(blob);
      const change = shown.length ? changeOf(shown[0], sample) : null;
      const isNew = shown.every((other) => changeOf(other, sample) !== null);
      if (signal.aborted || photo !== this.desk.current) return;
      if (!isNew && candidate !== request.candidate) continue;
      shown.push(sample);
      if (made.some(({ title }) => title === change?.words)) {
        similar.push(await this.make(blob, candidate, { ...change, words: change.words.replace(": ", ": another ") }));
        continue;
      }
      made.push(await this.make(blob, candidate, change));
      if (signal.aborted) return;
      this.show(made);
    }
    made.push(...similar.slice(0, SHOWN - made.length));
    this.group.replaceChildren(...made);
    this.draw();
    byId("candidates-note").hidden = made.length > 1;
  }

  /** Replace older thumbnails by the available ones, without losing the focus. */
  show(made) {
    const focused = [...this.group.children].indexOf(document.activeElement);
    made.forEach((node, index) => {
      if (this.group.children[index] !== node) this.group.children[index]?.replaceWith(node);
      if (!node.parentNode) this.group.append(node);
    });
    if (focused >= 0 && focused < made.length) made[focused].focus({ preventScroll: true });
    this.draw();
  }

  async make(blob, candidate, change) {
    const words = change?.words ?? "most likely";
    const made = button("", () => this.choose(candidate), { kind: "candidate" });
    made.setAttribute("role", "radio");
    made.setAttribute("aria-label", `Colouring ${candidate + 1}: ${words}`);
    made.title = words;
    made.dataset.candidate = candidate;
    const canvas = element("canvas", { "aria-hidden": "true" });
    const bitmap = await createImageBitmap(blob);
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    // A thumbnail is square: it shows the part that differs.
    if (change) canvas.style.objectPosition = `${Math.round(100 * change.across)}% ${Math.round(100 * change.down)}%`;
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    made.append(canvas, element("span", { class: "says" }, words));
    onHover(made, (on) => this.painter.tryOut(on && candidate !== this.desk.wishes.candidate ? { candidate } : null));
    return made;
  }
}

/** A colouring reduced for comparison: its size and the Lab of each pixel. */
async function sampleOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = SAMPLE_PX / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = Array.from({ length: width * height }, (_, i) => [data[4 * i], data[4 * i + 1], data[4 * i + 2]]);
  return { width, height, rgb, lab: rgb.map(rgbToLab) };
}

/**
 * Describe where a colouring visibly differs from another, and its colour there.
 * @returns {{words: string, across: number, down: number}|null}  With the middle, as shares of the sides; null if nowhere.
 */
export function changeOf(usual, other) {
  const places = other.lab.flatMap(([, a, b], i) =>
    Math.hypot(a - usual.lab[i][1], b - usual.lab[i][2]) > APART_AB ? [i] : []);
  if (places.length < LEAST_SHARE * other.lab.length) return null;
  const mean = (value) => places.reduce((sum, i) => sum + value(i), 0) / places.length;
  const across = mean((i) => (i % other.width) / other.width);
  const down = mean((i) => Math.floor(i / other.width) / other.height);
  const colour = toHex([0, 1, 2].map((band) => Math.round(mean((i) => other.rgb[i][band]))));
  return { words: `${whereOf(across, down, places.length / other.lab.length)}: ${nameOf(colour)}`, across, down };
}

function whereOf(across, down, share) {
  if (share > 0.6) return "all over";
  const row = down < 0.38 ? "top" : down > 0.62 ? "bottom" : "";
  const column = across < 0.38 ? "left" : across > 0.62 ? "right" : "";
  return [row, column].filter(Boolean).join(" ") || "middle";
}
