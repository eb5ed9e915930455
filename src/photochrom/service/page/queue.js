/** The strip of open photographs: their progress, and the download of all as a zip. */

import * as api from "./api.js";
import { button, byId, element } from "./dom.js";
import { notify, say } from "./notices.js";
import { busyWhile, handOver, wantedKind } from "./saving.js";
import { reduce } from "./state.js";

const BATCH = 24; // photographs per zip, if the service keeps that many at once
const LIST_OF_FAILURES = "not-coloured.txt";
const LOOK = ["method", "vividness", "saturation", "restore", "white_lightness", "source"]; // settings that photographs can share

export class Queue {
  constructor(desk, painter) {
    this.desk = desk;
    this.painter = painter;
    this.frames = new Map(); // photo -> list item, kept when redrawing, so that the focus stays
    this.colouring = null; // the promise of the running work
    // Each is coloured before the next upload; the service might remove the first otherwise.
    desk.afterOpening = () => this.colourAll();
    byId("zip").addEventListener("click", () => this.zip());
    byId("look-for-all").addEventListener("click", () => this.lookForAll());
    byId("strip-show").addEventListener("click", () => this.showNextLost());
    byId("colour-all").addEventListener("click", () => desk.photographs.forEach((photo) => !photo.agreed && desk.agree(photo)));
  }

  draw() {
    const { photographs: photos, current } = this.desk;
    byId("strip").hidden = photos.length < 2;
    for (const [photo, frame] of this.frames) {
      if (!photos.includes(photo)) {
        const next = frame.contains(document.activeElement) && (frame.nextElementSibling ?? frame.previousElementSibling);
        frame.remove();
        if (next) (photos.length > 1 ? next.querySelector("button") : byId("pane-main")).focus();
        this.frames.delete(photo);
      }
    }
    for (const photo of photos) this.drawFrame(photo, photo === current);
    this.drawCount(photos);
    this.colourAll();
  }

  drawFrame(photo, isCurrent) {
    let frame = this.frames.get(photo);
    if (!frame) {
      frame = element("li", { class: "frame" });
      const open = button("", () => this.desk.look(photo));
      open.append(element("img", { alt: "", hidden: true }), element("span", { class: "state" }), element("span", { class: "bar-share" }));
      const remove = button("", () => this.desk.remove(photo), { iconName: "close", kind: "remove", label: `Close ${photo.name}` });
      frame.append(open, remove);
      this.frames.set(photo, frame);
      byId("strip-list").append(frame);
    }
    const [open] = frame.children;
    const [image, state, share] = open.children;
    if (photo.thumb && image.getAttribute("src") !== photo.thumb) image.src = photo.thumb;
    image.hidden = !photo.thumb;
    const word = this.word(photo);
    state.textContent = word ?? "";
    state.hidden = !word;
    share.hidden = photo.status !== "uploading";
    share.style.setProperty("--share", photo.share);
    if (isCurrent && open.getAttribute("aria-current") !== "true") frame.scrollIntoView({ block: "nearest", inline: "nearest" });
    open.title = photo.problem ? `${photo.name}: ${photo.problem.message}` : photo.name;
    open.setAttribute("aria-label", `${photo.name}, ${word ?? "coloured"}`);
    open.setAttribute("aria-current", String(isCurrent));
  }

  word(photo) {
    if (photo.status === "uploading") return "opening";
    if (photo.stuck) return "not coloured";
    if (photo.status === "gone") return "removed";
    if (photo.status !== "ready") return photo.status;
    if (!photo.agreed) return "has colours";
    return photo.coloured ? null : "colouring";
  }

  /** Photographs that could not be coloured. */
  get lost() {
    return this.desk.photographs.filter((photo) => photo.stuck || ["failed", "gone"].includes(photo.status));
  }

  showNextLost() {
    const { lost } = this;
    this.desk.look(lost[(lost.indexOf(this.desk.current) + 1) % lost.length]);
  }

  drawCount(photos) {
    const lost = this.lost.length;
    const kept = photos.filter((photo) => photo.status === "ready" && !photo.agreed).length;
    const alive = photos.filter((photo) => !this.lost.includes(photo) && (photo.status !== "ready" || photo.agreed));
    const done = alive.filter((photo) => photo.coloured).length;
    const open = alive.length - done;
    const parts = [open ? `${done} of ${alive.length} coloured` : `${done} coloured`];
    if (kept) parts.push(`${kept} already in colour`);
    if (lost) parts.push(`${lost} failed`);
    byId("strip-count").textContent = parts.join(", ") + (lost ? ":" : "");
    byId("strip-show").hidden = !lost;
    byId("colour-all").hidden = kept < 2;
    const progress = byId("strip-progress");
    progress.max = alive.length || 1;
    progress.value = done;
    progress.hidden = done === alive.length;
    const zip = byId("zip");
    if (!zip.hasAttribute("aria-busy")) zip.disabled = !done || done < alive.length;
    if (this.counted !== undefined && done > this.counted && done === alive.length && done > 1) {
      say(`All ${done} photographs are coloured.`);
    }
    this.counted = done;
  }

  /** Colour one photograph after another; the painter handles the current one. */
  colourAll() {
    this.colouring ??= this.colourRest().finally(() => { this.colouring = null; });
    return this.colouring;
  }

  async colourRest() {
    for (const photo of this.desk.photographs.filter((p) => p.status === "ready" && !p.agreed && !p.thumb)) {
      await this.showAsItCame(photo);
    }
    for (;;) {
      const next = this.desk.photographs.find((p) => p.status === "ready" && p.agreed && !p.coloured && !p.stuck && p !== this.desk.current);
      if (!next) return;
      await this.colour(next);
      this.desk.tell("list");
    }
  }

  async colour(photo) {
    const { wishes } = photo.history.present;
    try {
      const request = await this.desk.request(photo);
      const coloured = await this.desk.ask(photo, (id) => api.preview(id, request));
      Object.assign(photo, { coloured, colouredFor: wishes, problem: null });
      await this.painter.thumb(photo);
    } catch (problem) {
      Object.assign(photo, { stuck: wishes, problem }); // opening it shows what it needs
    }
  }

  /** A thumbnail of a photograph that is already in colour. */
  async showAsItCame(photo) {
    try {
      photo.original ??= await this.desk.ask(photo, (id) => api.original(id));
      await this.painter.thumb(photo, photo.original);
    } catch {
      // opening it shows the problem
    }
  }

  zip() {
    const photos = this.desk.photographs.filter((photo) => photo.status === "ready" && photo.coloured);
    busyWhile([byId("zip")], "strip", async () => {
      const batch = Math.min(BATCH, (await api.limits()).photos);
      const count = Math.ceil(photos.length / batch);
      let whole = true;
      for (let number = 0; number < count; number += 1) {
        const which = count > 1 ? `, zip ${number + 1} of ${count}` : "";
        byId("zip-text").textContent = `Colouring ${photos.length} at full size${which}…`;
        say(`Colouring ${photos.length} photographs at full size${which}.`);
        const from = number * batch;
        const tell = (done) => { byId("zip-text").textContent = `Colouring ${Math.min(from + done + 1, photos.length)} of ${photos.length}…`; };
        whole = (await this.zipOf(photos.slice(from, from + batch), tell)) && whole;
      }
      if (!whole) throw new Error(`Some photographs could not be coloured; ${LIST_OF_FAILURES} in the zip names them.`);
      notify(count > 1 ? "The zip files were saved." : "The zip file was saved.");
    }).finally(() => { byId("zip-text").textContent = "Download all"; });
  }

  /** @param {(done: number) => void} tell  Called with the number of photographs that are done, where the engine knows. */
  async zipOf(photos, tell) {
    const wanted = [];
    for (const photo of photos) {
      await this.desk.ask(photo, (id) => api.photo(id)); // uploads again what the service has removed
      const wishes = await this.desk.request(photo);
      wanted.push({ id: photo.info.id, wishes });
    }
    const file = await api.zip(wanted, wantedKind(), undefined, tell);
    handOver(file);
    // The central directory at the end of the zip lists its entries.
    return !(await file.blob.slice(-200 * (photos.length + 2)).text()).includes(LIST_OF_FAILURES);
  }

  /** Apply the settings of this photograph to all; each keeps its own hints and candidate. */
  lookForAll() {
    const { current, wishes, photographs: photos } = this.desk;
    const shared = Object.fromEntries(LOOK.map((field) => [field, wishes[field]]));
    for (const photo of photos) {
      if (photo === current) continue;
      const action = { type: "replace", wishes: { ...photo.history.present.wishes, ...shared }, label: "settings of another photograph" };
      photo.history = reduce(photo.history, action);
      for (const [token, file] of current.references) photo.references.set(token, file);
      Object.assign(photo, { coloured: null, stuck: null });
      this.desk.remember(photo);
    }
    this.desk.tell("list");
    notify("These settings were applied to all photographs.");
  }
}
