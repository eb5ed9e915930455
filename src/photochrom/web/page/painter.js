/** The painter: asks the service for pixels whenever wishes change; the newest wish cancels older work. */

import * as api from "./api.js";
import { byId, debounce } from "./dom.js";
import { say, showProblem, superseded } from "./notices.js";
import { missing } from "./state.js";
import { drawGuesses } from "./guesses.js";

const THUMB_PX = 160;
const CALM_MS = 900; // three more colourings would only be in the way of the next hint

export class Painter {
  constructor(desk, stage) {
    this.desk = desk;
    this.stage = stage;
    this.compare = ""; // the method beside, or none
    this.guesses = false;
    this.work = null; // AbortController of what is under way
    this.side = null; // the same for the picture beside it and the guesses
    this.waiting = false; // a drag goes on: paint once more when this is done
    this.settled = debounce(() => this.afterwards(), 80);
    this.calm = debounce(() => this.rest(), CALM_MS);
    this.listeners = new Set();
  }

  /** Hear when a picture is painted and no newer wish has come for a while. */
  onSettled(listener) {
    this.listeners.add(listener);
  }

  /** Look at another photograph. */
  async show() {
    this.work?.abort();
    this.work = null;
    this.side?.abort();
    this.stop?.abort();
    this.stop = new AbortController();
    const photo = this.desk.current;
    const ready = photo?.status === "ready";
    this.stage.begin(ready ? photo.info : null);
    showProblem("picture", null);
    showProblem("other", null);
    byId("busy").hidden = !photo || !["uploading", "waiting"].includes(photo.status);
    if (!ready) return;
    const fresh = !photo.coloured;
    this.stage.setShare(fresh ? 1 : 0);
    const gray = this.gray(photo);
    if (photo.coloured && photo.colouredFor === photo.history.present.wishes) {
      await this.stage.paint("after", photo.coloured, this.stop.signal);
      this.settled();
    } else {
      await this.paint();
    }
    await gray;
    if (fresh && photo === this.desk.current && photo.coloured) this.stage.unveil();
  }

  async gray(photo) {
    try {
      photo.gray ??= await this.desk.ask(photo, (id) => api.gray(id));
      if (photo === this.desk.current) await this.stage.paint("before", photo.gray, this.stop.signal);
    } catch (problem) {
      if (photo === this.desk.current) showProblem("picture", problem);
    }
  }

  /**
   * Paint what is wished now.
   * @param {boolean} gesture  While a drag goes on, work under way is finished first: aborting it at
   *   every move would never show anything.
   */
  async paint(gesture = false) {
    const photo = this.desk.current;
    if (photo?.status !== "ready") return;
    this.settled.cancel();
    this.calm.cancel();
    this.side?.abort();
    if (gesture && this.work) {
      this.waiting = true;
      return;
    }
    this.work?.abort();
    const work = new AbortController();
    this.work = work;
    this.waiting = false;
    const slow = setTimeout(() => { if (this.work === work) byId("busy").hidden = false; }, 180);
    try {
      await this.colour(photo, work.signal);
      showProblem("picture", null);
    } catch (problem) {
      if (work.signal.aborted) return;
      if (superseded(problem)) { // an older request, given up here, came to the service after this one
        this.waiting = true;
        return;
      }
      if (photo.status === "ready") showProblem("picture", problem);
    } finally {
      clearTimeout(slow);
      if (this.work === work) {
        this.work = null;
        byId("busy").hidden = true;
        if (this.waiting) this.paint();
        else this.settled();
      }
    }
  }

  async colour(photo, signal) {
    const { wishes } = photo.history.present;
    const needed = missing(wishes, this.desk.methodOf(wishes));
    if (needed) throw new api.Problem(0, "Needed", needed);
    const request = await this.desk.request(photo);
    const blob = await this.desk.ask(photo, (id) => api.preview(id, request, signal));
    if (signal.aborted) return;
    const first = !photo.coloured;
    Object.assign(photo, { coloured: blob, colouredFor: wishes, stuck: null });
    if (photo === this.desk.current) await this.stage.paint("after", blob, signal);
    if (first) say(`${photo.name} is coloured.`);
  }

  /** What can wait until the picture itself is there. */
  async afterwards() {
    const photo = this.desk.current;
    if (photo?.status !== "ready" || this.work) return;
    if (photo.thumbOf) this.calm();
    else this.rest();
    this.side?.abort();
    this.side = new AbortController();
    const { signal } = this.side;
    await Promise.all([this.paintOther(photo, signal), this.paintGuesses(photo, signal)]);
  }

  /** What can wait until no wish has come for a while. */
  async rest() {
    const photo = this.desk.current;
    if (photo?.status !== "ready" || this.work) return;
    for (const listener of this.listeners) listener(photo);
    await this.thumb(photo);
  }

  async paintOther(photo, signal) {
    if (!this.compare) return;
    const wishes = { ...photo.history.present.wishes, method: this.compare };
    const needed = missing(wishes, this.desk.methodOf(wishes));
    try {
      if (needed) throw new api.Problem(0, "Needed", needed);
      const request = await this.desk.request(photo, { method: this.compare });
      const blob = await this.desk.ask(photo, (id) => api.preview(id, request, signal));
      await this.stage.paint("other", blob, signal);
      showProblem("other", null);
    } catch (problem) {
      if (needed) this.stage.other.querySelector(".picture").hidden = true;
      if (!superseded(problem)) showProblem("other", problem);
    }
  }

  async paintGuesses(photo, signal) {
    const canvas = this.stage.layer(this.stage.main, "guesses");
    canvas.hidden = !this.guesses;
    if (!this.guesses) return;
    try {
      const request = await this.desk.request(photo);
      const blob = await this.desk.ask(photo, (id) => api.confidence(id, request, signal));
      if (!signal.aborted) await drawGuesses(canvas, blob, photo.info.preview);
    } catch (problem) {
      canvas.hidden = true;
      if (!superseded(problem)) showProblem("picture", problem);
    }
  }

  /** A small picture for the strip. */
  async thumb(photo) {
    if (!photo.coloured || photo.thumbOf === photo.coloured) return;
    photo.thumbOf = photo.coloured;
    const bitmap = await createImageBitmap(photo.coloured);
    const scale = THUMB_PX / Math.max(bitmap.width, bitmap.height);
    const canvas = new OffscreenCanvas(Math.max(1, bitmap.width * scale), Math.max(1, bitmap.height * scale));
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const url = URL.createObjectURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 }));
    if (photo.thumb) URL.revokeObjectURL(photo.thumb);
    photo.thumb = url;
    this.desk.tell("list");
  }
}
