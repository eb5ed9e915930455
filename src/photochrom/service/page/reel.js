/** The reel: an open film, its shots as a strip, its frames as photographs, and its job. */

import * as api from "./api.js";
import { button, byId, element } from "./dom.js";
import { clock, cuesOf, frameName, progressText, shotOf, unheeded, withEnds } from "./film.js";
import { keepFilm, keptFilm } from "./memory.js";
import { notify, say, showProblem } from "./notices.js";
import { busyWhile, handOver } from "./saving.js";
import { isPlain } from "./state.js";

const POLL_MS = 400;
const KEEP_MS = 5 * 60_000; // how often the service is told that an open film is still used
const BUSY = ["waiting", "running"];

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

export class Reel {
  /** @param {string[]} suffixes  Of the films that the service takes. */
  constructor(desk, suffixes) {
    this.desk = desk;
    this.takesFilms = suffixes.length > 0;
    this.file = null;
    this.info = null; // the film, as the service describes it
    this.shots = [];
    this.items = []; // list items, one a shot
    this.text = ""; // what is being done with the file
    this.isPreview = false; // whether the job is for one shot
    byId("takes-films").hidden = !this.takesFilms;
    byId("file-input").accept += suffixes.map((suffix) => `,${suffix}`).join("");
    const presses = {
      "reel-preview": () => this.preview(), "reel-colour": () => this.colour(), "reel-cancel": () => this.cancel(),
      "reel-edit": () => this.cancel(), "reel-close": () => this.close(),
    };
    for (const [id, press] of Object.entries(presses)) byId(id).addEventListener("click", press);
    byId("reel-download").addEventListener("click", (event) => this.download(event));
    byId("reel-time").addEventListener("input", (event) => this.drawTime(Number(event.target.value)));
    byId("reel-time").addEventListener("change", (event) => this.openFrame(Number(event.target.value)));
    byId("player").addEventListener("close", () => this.stopPlaying());
    byId("player-video").addEventListener("error", () => showProblem("player", "This browser cannot play the preview."));
    setInterval(() => this.info && api.video(this.info.id).catch(() => {}), KEEP_MS);
    for (const event of ["current", "wishes", "list"]) desk.addEventListener(event, () => this.draw());
  }

  /** Open a film. */
  async open(file) {
    if (!this.takesFilms || this.desk.film) {
      notify(this.takesFilms ? "Close the film that is open first." : api.capabilities.noFilms);
      return;
    }
    this.file = file;
    this.desk.film = { name: file.name };
    this.text = `Opening ${file.name}`;
    this.draw();
    try {
      await this.upload();
      await this.findShots();
    } catch (problem) {
      showProblem("reel", problem);
      if (this.info) this.draw();
      else this.forget();
    }
  }

  async upload() {
    this.show(await api.uploadVideo(this.file, (share) => {
      this.text = `Opening ${this.file.name}, ${Math.round(100 * share)} %`;
      this.draw();
    }));
    keepFilm(this.info.id);
  }

  /** Restore the film that was open in this tab before a reload. */
  async resume() {
    const id = keptFilm();
    if (!id || !this.takesFilms) return;
    try {
      this.show(await api.video(id));
      if (this.info.is_part) await this.cancel(); // nobody waits for that preview any more
      if (BUSY.includes(this.info.state)) this.follow().catch((problem) => showProblem("reel", problem));
      await this.findShots();
    } catch (problem) {
      if (problem.status !== 404) showProblem("reel", problem);
      this.forget();
    }
  }

  show(info) {
    this.info = info;
    this.desk.film = info;
    this.desk.tell("list");
  }

  /** Make a request; a film that the service has removed is uploaded again. */
  async ask(request) {
    try {
      return await request(this.info.id);
    } catch (problem) {
      if (problem.status !== 404 || !this.file) throw problem;
      await this.upload();
      return request(this.info.id);
    }
  }

  async findShots() {
    const found = [];
    for (let isComplete = false; !isComplete && this.info;) {
      const answer = await this.ask((id) => api.shots(id, found.length));
      if (!this.info) return;
      isComplete = answer.is_complete;
      found.push(...answer.shots);
      this.shots = withEnds(found, this.info.seconds);
      this.text = isComplete ? "" : `Finding shots: ${found.length}`;
      this.draw();
      if (found.length && !this.desk.current) await this.openFrame(found[0].at);
      if (!isComplete && !answer.shots.length) await pause(POLL_MS);
    }
    say(`${found.length} ${found.length === 1 ? "shot" : "shots"} found.`);
  }

  /** The frames that are open as photographs. */
  get frames() {
    return this.desk.photos.filter((photo) => photo.at !== null);
  }

  /** The index of the shot that is worked on. */
  get shot() {
    const at = this.desk.current?.at ?? null;
    return at === null ? -1 : shotOf(this.shots, at);
  }

  framesOf(index) {
    return this.frames.filter((photo) => shotOf(this.shots, photo.at) === index);
  }

  /** Show a shot: the frame of it that was worked on last, or its picture. */
  openShot(index) {
    const frames = this.framesOf(index);
    if (frames.length) this.desk.look(frames.findLast((photo) => !isPlain(photo.history.present.wishes)) ?? frames.at(-1));
    else this.openFrame(this.shots[index].at);
  }

  /** Open the frame at a time as a photograph; one without wishes makes room for it. */
  async openFrame(at) {
    const same = this.frames.find((photo) => Math.abs(photo.at - at) < 0.5 / this.info.rate);
    if (same) {
      this.desk.look(same);
      return;
    }
    showProblem("reel", null);
    try {
      const blob = await this.ask((id) => api.videoFrame(id, at));
      const before = this.frames.filter((photo) => isPlain(photo.history.present.wishes));
      this.desk.add([new File([blob], frameName(this.info.name, at), { type: "image/png" })], { at });
      for (const photo of before) this.desk.remove(photo);
    } catch (problem) {
      showProblem("reel", problem);
    }
  }

  /** The wishes for the frames of some shots, in the form of cues. */
  wishesOf(photos) {
    return photos.map((photo) => {
      const { wishes } = photo.history.present;
      return { at: photo.at, wishes, method: this.desk.methodOf(wishes) };
    });
  }

  async start(photos, part) {
    const frames = this.wishesOf(photos);
    const said = unheeded(frames);
    if (said) notify(said);
    const { method } = (this.desk.current?.at ?? null) === null ? { method: "photochrom" } : this.desk.wishes;
    this.show(await this.ask(async (id) => {
      const lent = await this.lend(id, photos);
      const told = frames.map((frame, index) => ({ ...frame, reference: lent[index] }));
      return api.colourVideo(id, { method, cues: cuesOf(told), ...part });
    }));
    await this.follow();
  }

  /** Upload the colour references of frames; their ids, null where there is none. */
  async lend(id, photos) {
    const sent = new Map(); // token -> id: several frames may share one
    const ids = [];
    for (const { history, references } of photos) {
      const { source } = history.present.wishes;
      if (source.kind === "reference" && !sent.has(source.token)) {
        const file = references.get(source.token);
        if (!file) throw new Error(`The colour reference ${source.name} is not at hand any more. Choose it again.`);
        sent.set(source.token, await api.addVideoReference(id, file));
      }
      ids.push(source.kind === "reference" ? sent.get(source.token) : null);
    }
    return ids;
  }

  /** Follow the job to its end. */
  async follow() {
    while (this.info && BUSY.includes(this.info.state)) {
      await pause(POLL_MS);
      if (!this.info) return;
      const info = await api.video(this.info.id).catch((problem) => {
        if (this.info && problem.status !== 0) throw problem; // without an answer, ask again
      });
      if (this.info && info) this.show(info);
    }
    if (this.info?.problem) throw new Error(this.info.problem);
  }

  /** Colour the shot that is worked on, and play it. */
  preview() {
    const index = this.shot;
    const { start, end } = this.shots[index];
    const part = { from: start, container: "mp4", ...(index < this.shots.length - 1 ? { to: end } : {}) };
    this.isPreview = true;
    return busyWhile([byId("reel-preview")], "reel", async () => {
      try {
        await this.start(this.framesOf(index), part);
        if (this.info?.state !== "finished") return;
        this.play((await api.videoResult(this.info.id)).blob, index);
      } finally {
        await this.cancel();
        this.isPreview = false;
        this.draw();
      }
    });
  }

  play(blob, index) {
    showProblem("player", null);
    byId("player-title").textContent = `Shot ${index + 1}`;
    byId("player-video").src = URL.createObjectURL(blob);
    byId("player").showModal();
    byId("player-video").play().catch(() => {}); // its controls start it
  }

  stopPlaying() {
    const video = byId("player-video");
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
  }

  colour() {
    return busyWhile([byId("reel-colour")], "reel", async () => {
      await this.start(this.frames, {});
      if (this.info?.state !== "finished") return;
      notify("The film is coloured. Download it.");
      byId("reel-download").focus();
    });
  }

  /** End the job, or drop its result; the film stays open. */
  async cancel() {
    if (!this.info) return;
    const { id } = this.info;
    await api.cancelVideo(id).catch(() => {}); // it expires by itself
    if (this.info) this.show({ ...this.info, state: "uploaded", problem: null });
  }

  /** With an API key a link cannot fetch the file. */
  download(event) {
    if (!api.hasKey()) return;
    event.preventDefault();
    busyWhile([], "reel", async () => handOver(await api.videoResult(this.info.id)));
  }

  close() {
    const id = this.info?.id;
    for (const photo of this.frames) this.desk.remove(photo);
    showProblem("reel", null);
    this.forget();
    if (id) api.forgetVideo(id).catch(() => {}); // it expires by itself
    (this.desk.current ? byId("pane-main") : byId("choose")).focus();
  }

  forget() {
    keepFilm(null);
    Object.assign(this, { info: null, file: null, shots: [], text: "" });
    this.desk.film = null;
    for (const item of this.items.splice(0)) item.remove();
    this.draw();
    this.desk.tell("list");
  }

  draw() {
    const { info } = this;
    const state = info?.state ?? "";
    byId("reel").hidden = !this.desk.film && byId("error-reel").hidden;
    this.shots.forEach((shot, index) => this.drawShot(shot, index));
    const isBusy = BUSY.includes(state);
    const isDone = state === "finished" && !this.isPreview;
    byId("reel-text").textContent = isBusy ? progressText(info) : this.text;
    const progress = byId("reel-progress");
    progress.hidden = !isBusy;
    progress.max = info?.expected || 1;
    progress.value = info?.frames ?? 0;
    const canStart = Boolean(info) && !isBusy && !isDone && !this.isPreview;
    const hasEnd = !this.text || this.shot < this.shots.length - 1; // else it is still being found
    byId("reel-preview").hidden = !canStart || this.shot < 0 || !hasEnd;
    byId("reel-colour").hidden = !canStart;
    byId("reel-cancel").hidden = !isBusy;
    byId("reel-close").hidden = !info && byId("error-reel").hidden;
    for (const id of ["reel-download", "reel-edit"]) byId(id).hidden = !isDone;
    if (info) byId("reel-download").href = `/v1/videos/${info.id}/result`;
    this.drawTime(this.desk.current?.at ?? null);
  }

  drawShot(shot, index) {
    this.items[index] ??= this.newItem(index);
    const [open] = this.items[index].children;
    const [image, mark] = open.children;
    const frames = this.framesOf(index);
    shot.thumb = frames.findLast((photo) => photo.thumb)?.thumb ?? shot.thumb;
    const picture = shot.thumb ?? shot.picture;
    if (image.getAttribute("src") !== picture) image.src = picture;
    const hints = frames.reduce((sum, photo) => sum + photo.history.present.wishes.hints.length, 0);
    mark.textContent = hints ? `${clock(shot.start)} · ${hints}` : clock(shot.start);
    const words = hints ? `, ${hints} ${hints === 1 ? "hint" : "hints"}` : "";
    open.setAttribute("aria-label", `Shot ${index + 1}, from ${clock(shot.start)}${words}`);
    open.setAttribute("aria-current", String(index === this.shot));
  }

  newItem(index) {
    const open = button("", () => this.openShot(index));
    open.append(element("img", { alt: "" }), element("span", { class: "state" }));
    const item = element("li", { class: "frame" }, open);
    byId("reel-list").append(item);
    return item;
  }

  /** Draw the time of the frame that is shown, or of the one that the slider is at. */
  drawTime(at) {
    const shot = at === null ? null : this.shots[shotOf(this.shots, at)];
    byId("reel-when").hidden = !shot || !this.info;
    if (!shot || !this.info) return;
    const step = 1 / this.info.rate;
    const slider = byId("reel-time");
    const last = Math.max(shot.at, shot.end - step);
    Object.assign(slider, { min: shot.start, max: last, step: "any", value: at });
    slider.disabled = last <= shot.start;
    slider.setAttribute("aria-valuetext", clock(at));
    byId("reel-time-value").textContent = clock(at);
  }
}
