/** Load the visible part at full size when the view exceeds the preview's resolution. */

import * as api from "./api.js";
import { debounce } from "./dom.js";
import { showProblem, superseded } from "./notices.js";

const CALM_MS = 220;
const MARGIN = 0.12; // of the visible part, added around it
const FINER = 1.15; // screen pixels per preview pixel from which on the full size is loaded
const MOST_PX = 2560;

export class Closer {
  /**
   * @param {import("./desk.js").Desk} desk
   * @param {import("./stage.js").Stage} stage
   * @param {import("./painter.js").Painter} painter
   */
  constructor(desk, stage, painter) {
    this.desk = desk;
    this.stage = stage;
    this.painter = painter;
    this.shown = {}; // by layer: the loaded part, with the wishes it was requested for
    this.work = null;
    this.later = debounce(() => this.look(), CALM_MS);
    stage.addEventListener("view", () => this.later());
    stage.addEventListener("share", () => this.later());
    stage.addEventListener("painted", (/** @type {CustomEvent} */ { detail }) => detail !== "before" && this.reset(detail));
  }

  /** Another photograph, or another preview of it: the loaded parts are stale. */
  reset(...names) {
    this.work?.abort();
    for (const name of names) delete this.shown[name];
    this.later();
  }

  /** Whether no newer picture is being loaded. */
  get isCalm() {
    return !this.painter.work && !this.painter.trying;
  }

  /** Screen pixels per preview pixel. */
  get fineness() {
    const { info, view } = this.stage;
    return (view.scale * devicePixelRatio * info.width) / info.preview.width;
  }

  async look() {
    const photo = this.desk.current;
    if (photo?.status !== "ready" || !this.stage.info || !this.isCalm) return;
    if (this.fineness < FINER || photo.info.preview.width >= photo.info.width) return;
    this.work?.abort();
    this.work = new AbortController();
    const { signal } = this.work;
    try {
      if (this.stage.share < 1 && photo.agreed && photo.coloured) await this.bring("after", photo, signal);
      if (this.stage.share > 0 || !photo.agreed) await this.bring("before", photo, signal);
      if (this.painter.compare && this.stage.painted.has("other")) await this.bring("other", photo, signal);
    } catch (problem) {
      if (!superseded(problem) && photo.status === "ready") showProblem("picture", problem);
    }
  }

  async bring(name, photo, signal) {
    const { wishes } = photo.history.present;
    const part = this.part();
    const old = this.shown[name];
    if (old && old.photo === photo && covers(old.part, part) && (name === "before" || old.wishes === wishes)) return;
    const changes = name === "other" ? { method: this.painter.compare } : {};
    const request = name === "before" ? null : await this.desk.request(photo, changes);
    const blob = await this.desk.ask(photo, (id) => api.crop(id, part, request, signal));
    if (signal.aborted) return;
    await this.stage.paintClose(name, blob, part, signal);
    this.shown[name] = { photo, part, wishes };
  }

  /** The visible part, with a margin. */
  part() {
    const { view, info } = this.stage;
    const bounded = (at, most) => Math.min(Math.max(Math.round(at), 0), most);
    const [x0, y0] = view.toPicture(-MARGIN * view.pane.width, -MARGIN * view.pane.height);
    const [x1, y1] = view.toPicture((1 + MARGIN) * view.pane.width, (1 + MARGIN) * view.pane.height);
    const left = bounded(x0, info.width - 1);
    const top = bounded(y0, info.height - 1);
    const width = Math.max(1, bounded(x1, info.width) - left);
    const height = Math.max(1, bounded(y1, info.height) - top);
    const shownPx = Math.max(width, height) * view.scale * devicePixelRatio;
    return { left, top, width, height, long_side_px: Math.max(64, Math.min(MOST_PX, Math.ceil(shownPx))) };
  }
}

/** Whether a loaded part covers a new one at about the same resolution. */
function covers(old, wanted) {
  const inside = old.left <= wanted.left && old.top <= wanted.top &&
    old.left + old.width >= wanted.left + wanted.width && old.top + old.height >= wanted.top + wanted.height;
  const fineness = (part) => Math.min(1, part.long_side_px / Math.max(part.width, part.height));
  return inside && fineness(old) > 0.9 * fineness(wanted);
}
