/** The painter: requests pictures from the service when wishes change; new requests cancel older ones. */

import * as api from "./api.js";
import { byId, debounce } from "./dom.js";
import { glimpseOf } from "./glimpse.js";
import { say, showProblem, superseded } from "./notices.js";
import { hasCandidates, missing } from "./state.js";
import { drawGuesses } from "./guesses.js";

const THUMB_PX = 160;
const DRAFT_PX = 640; // long side during a drag, and of previewed colours
const CALM_MS = 700; // wait before loading more colourings, which would delay the next hint

export class Painter {
  constructor(desk, stage) {
    this.desk = desk;
    this.stage = stage;
    this.compare = ""; // the method to compare with, or none
    this.guesses = false;
    this.work = null; // AbortController of the current request
    this.side = null; // the same for the comparison and the confidence map
    this.trying = null; // the same for a hovered colour
    this.glimpsed = null; // the photograph whose file is shown before it is open
    this.waiting = false; // during a drag: paint once more when this is done
    this.settled = debounce(() => this.afterwards(), 80);
    this.calm = debounce(() => this.rest(), CALM_MS);
    this.listeners = new Set();
  }

  /** Set a listener for when a picture is painted and wishes have not changed for a while. */
  onSettled(listener) {
    this.listeners.add(listener);
  }

  /** Show another photograph. */
  async show() {
    for (const work of [this.work, this.side, this.trying, this.stop]) work?.abort();
    this.work = this.trying = null;
    this.stop = new AbortController();
    const photo = this.desk.current;
    const ready = photo?.status === "ready";
    const isOpening = ["uploading", "waiting"].includes(photo?.status);
    this.stage.begin(ready ? photo.info : null, this.glimpsed === photo);
    showProblem("picture", null);
    showProblem("other", null);
    byId("busy").hidden = !isOpening;
    if (isOpening) this.glimpse(photo);
    this.glimpsed = null;
    if (!ready) return;
    const fresh = !photo.coloured;
    this.stage.setShare(fresh ? 1 : 0);
    const original = this.original(photo);
    if (!photo.agreed) {
      byId("busy").hidden = true;
    } else if (photo.coloured && this.isShown(photo)) {
      await this.stage.paint("after", photo.coloured, this.stop.signal);
      this.settled();
    } else {
      await this.paint();
    }
    await original;
    if (fresh && photo === this.desk.current && photo.coloured) this.stage.unveil();
  }

  /** Show a photograph's file while the engine opens it, where the browser itself can. */
  async glimpse(photo) {
    const found = photo.file && await glimpseOf(photo.file);
    if (!found || photo !== this.desk.current || photo.status === "ready" || photo.status === "failed") return;
    this.stage.begin({ name: photo.name, width: found.width, height: found.height, preview: found.canvas });
    this.stage.put("before", found.canvas);
    this.glimpsed = photo;
  }

  /** Whether the stored picture of a photograph matches its current wishes. */
  isShown(photo) {
    return photo.colouredFor === photo.history.present.wishes && !photo.isDraft;
  }

  async original(photo) {
    try {
      photo.original ??= await this.desk.ask(photo, (id) => api.original(id));
      if (photo === this.desk.current) await this.stage.paint("before", photo.original, this.stop.signal);
    } catch (problem) {
      if (photo === this.desk.current && photo.status === "ready") showProblem("picture", problem);
    }
  }

  /**
   * Paint the current wishes.
   * @param {boolean} gesture  During a drag, pictures are smaller, and a running request is
   *   finished first: aborting it at every move would never show anything.
   */
  async paint(gesture = false) {
    const photo = this.desk.current;
    if (photo?.status !== "ready" || !photo.agreed) return;
    this.settled.cancel();
    this.calm.cancel();
    this.side?.abort();
    this.trying?.abort();
    this.trying = null;
    if (gesture && this.work) {
      this.waiting = true;
      return;
    }
    this.work?.abort();
    const work = new AbortController();
    this.work = work;
    this.waiting = false;
    const slow = setTimeout(() => { if (this.work === work) byId("busy").hidden = false; }, 180);
    let overtaken = false;
    try {
      await this.colour(photo, work.signal, gesture);
      showProblem("picture", null);
    } catch (problem) {
      if (work.signal.aborted) return;
      overtaken = superseded(problem); // an older, aborted request reached the service after this one
      this.waiting ||= overtaken;
      if (!overtaken && photo.status === "ready") showProblem("picture", problem);
    } finally {
      clearTimeout(slow);
      if (this.work === work) {
        this.work = null;
        byId("busy").hidden = true;
        if (!photo.coloured) this.desk.tell("list"); // it failed
        if (this.waiting) this.paint(gesture && !overtaken);
        else this.settled();
      }
    }
  }

  async colour(photo, signal, isDraft) {
    const { wishes } = photo.history.present;
    const needed = missing(wishes, this.desk.methodOf(wishes));
    if (needed) throw new api.Problem(0, "Needed", needed);
    const request = await this.desk.request(photo);
    const blob = await this.desk.ask(photo, (id) => api.preview(id, request, signal, isDraft ? DRAFT_PX : null));
    if (signal.aborted) return;
    const first = !photo.coloured;
    Object.assign(photo, { coloured: blob, colouredFor: wishes, isDraft, stuck: null });
    if (photo === this.desk.current) await this.stage.paint("after", blob, signal);
    if (!first) return;
    say(`${photo.name} is coloured.`);
    this.desk.tell("list");
  }

  /**
   * Preview the picture with other wishes, without applying them; null ends the preview.
   * @param {Object|null} changes
   */
  async tryOut(changes) {
    const photo = this.desk.current;
    this.trying?.abort();
    if (photo?.status !== "ready" || !photo.coloured) return;
    if (!changes) {
      const tried = this.trying;
      this.trying = null;
      if (tried && !this.work) await this.stage.paint("after", photo.coloured);
      return;
    }
    const trying = new AbortController();
    this.trying = trying;
    try {
      const request = await this.desk.request(photo, changes);
      const blob = await this.desk.ask(photo, (id) => api.preview(id, request, trying.signal, DRAFT_PX - 1));
      if (this.trying === trying && !this.work) await this.stage.paint("after", blob, trying.signal);
    } catch (problem) {
      if (!superseded(problem) && this.trying === trying) this.trying = null;
    }
  }

  /** Work that can wait until the picture itself is shown. */
  async afterwards() {
    const photo = this.desk.current;
    if (photo?.status !== "ready" || this.work || !photo.agreed) return;
    if (photo.isDraft && photo.coloured) {
      await this.paint(); // the drag has ended
      return;
    }
    if (photo.thumbOf) this.calm();
    else this.rest();
    this.side?.abort();
    this.side = new AbortController();
    const { signal } = this.side;
    await Promise.all([this.paintOther(photo, signal), this.paintGuesses(photo, signal)]);
    if (!signal.aborted) await this.foresee(photo, signal);
  }

  /** Prefetch the likely colours, so that the palette opens with them. */
  async foresee(photo, signal) {
    const { wishes } = photo.history.present;
    if (!hasCandidates(this.desk.methodOf(wishes))) return;
    try {
      const [x, y] = [photo.info.width / 2, photo.info.height / 2];
      const request = await this.desk.request(photo);
      await this.desk.ask(photo, (id) => api.suggestions(id, { x, y, radius: 1 }, request, signal));
    } catch {
      // reported when the palette is opened
    }
  }

  /** Work that can wait until wishes have not changed for a while. */
  async rest() {
    const photo = this.desk.current;
    if (photo?.status !== "ready" || this.work || !photo.agreed) return;
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
      if (superseded(problem)) return; // the newer request shows or hides the canvas
      canvas.hidden = true;
      showProblem("picture", problem);
    }
  }

  /** A thumbnail for the strip. */
  async thumb(photo, picture = photo.coloured) {
    if (!picture || photo.thumbOf === picture) return;
    photo.thumbOf = picture;
    const bitmap = await createImageBitmap(picture);
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
