/** The desk: the open photographs, the current one, and the wishes (guidance) for each. */

import * as api from "./api.js";
import * as memory from "./memory.js";
import { notify } from "./notices.js";
import { DEFAULTS, begin, freshId, isPlain, reduce, scaleHints, toRequest } from "./state.js";

const LOCK = "photochrom/";

/** A photograph before its upload. */
const fresh = (file, name) => ({
  key: freshId("photo"), file, name, info: null, history: begin(), status: "waiting", share: 0, problem: null,
  agreed: false, // to recolour a colour photograph
  at: null, // of a film's frame: seconds from its beginning
  thumb: null, original: null, coloured: null, levels: null, references: new Map(), sentReference: null,
});

/**
  * Events: "list" (a photograph was added, removed or changed its status), "current" (another one is
  * current), "wishes" (detail.gesture: whether a drag is in progress), "session" (it has a new id),
  * "closed" (detail: a photograph with changes, which can be reopened).
 */
export class Desk extends EventTarget {
  constructor(methods) {
    super();
    this.methods = new Map(methods.map((method) => [method.name, method]));
    this.photos = [];
    this.current = null;
    this.film = null; // the open film; its frames are not listed with the photographs
    this.claims = new Map(); // id -> releases the lock
    this.uploading = Promise.resolve();
    this.afterOpening = async () => {}; // awaited before the next file is uploaded
    memory.onChangeElsewhere((id, wishes) => this.follow(id, wishes));
  }

  /** The photographs, without the frames of the open film. */
  get photographs() {
    return this.film ? this.photos.filter((photo) => photo.at === null) : this.photos;
  }

  /**
   * Add files; the first becomes current.
   * @param {File[]} files
   * @param {Object} more  What else is known about them.
   */
  add(files, more = {}) {
    const added = files.map((file) => ({ ...fresh(file, file.name || "pasted.png"), ...more }));
    this.photos.push(...added);
    if (!this.current || this.current.status === "failed") this.look(added[0]);
    else if (added.length === 1) this.look(added[0]);
    this.tell("list");
    for (const photo of added) this.uploading = this.uploading.then(() => this.open(photo)).then(() => this.afterOpening());
    return this.uploading;
  }

  /** Make a photograph the current one. */
  look(photo) {
    this.current = photo;
    this.tell("current");
  }

  remove(photo) {
    const index = this.photos.indexOf(photo);
    this.photos.splice(index, 1);
    if (photo.info && photo.status === "ready") {
      memory.leave(photo.info.id);
      this.forgetUnlessOpenElsewhere(photo.info.id);
    } else if (photo.info) {
      memory.drop(photo.info.id);
    }
    this.keepList();
    if (this.current === photo) this.look(this.photos[Math.min(index, this.photos.length - 1)] ?? null);
    this.tell("list");
    const canReopen = photo.file && photo.info && photo.at === null && !isPlain(photo.history.present.wishes);
    if (canReopen) this.dispatchEvent(new CustomEvent("closed", { detail: photo }));
  }

  /** Open a photograph again that was just closed, with its changes and their history. */
  reopen(photo) {
    if (this.photos.includes(photo)) return;
    Object.assign(photo, { status: "waiting", coloured: null, stuck: null });
    this.photos.push(photo);
    this.look(photo);
    this.tell("list");
    this.uploading = this.uploading.then(() => this.open(photo)).then(() => this.afterOpening());
  }

  /** Tell other tabs, by a shared lock, that this tab has the photograph open. */
  claim(id) {
    // Without locks (they need https or localhost), closing it in one tab closes it in all.
    navigator.locks?.request(LOCK + id, { mode: "shared" }, () => new Promise((resolve) => this.claims.set(id, resolve)));
  }

  async forgetUnlessOpenElsewhere(id) {
    this.claims.get(id)?.();
    this.claims.delete(id);
    await new Promise((resolve) => setTimeout(resolve)); // the lock is released first
    const { held } = (await navigator.locks?.query()) ?? { held: [] };
    if (held.some(({ name }) => name === LOCK + id)) return;
    memory.drop(id);
    await api.forget(id).catch(() => {}); // it expires by itself
  }

  /** Upload a photograph's file; its wishes are kept. */
  async open(photo) {
    if (!this.photos.includes(photo)) return;
    Object.assign(photo, { status: "uploading", share: 0, problem: null });
    this.tell("list");
    try {
      const info = await api.upload(photo.file, (share) => { photo.share = share; this.tell("list"); });
      if (!this.photos.includes(photo)) {
        api.forget(info.id).catch(() => {}); // closed in the meantime
        return;
      }
      this.fitHints(photo, info);
      if (photo.info) memory.drop(photo.info.id);
      const agreed = photo.agreed || info.tint !== "colour";
      Object.assign(photo, { info, agreed, name: info.name, status: "ready", sentReference: null });
      this.claim(info.id);
      this.remember(photo);
      this.keepList();
    } catch (problem) {
      Object.assign(photo, { status: "failed", problem });
    }
    this.tell("list");
    if (photo === this.current) this.tell("session");
  }

  /** Scale the wishes to a copy of another size; throw for another aspect ratio. */
  fitHints(photo, info) {
    const old = photo.info;
    const { wishes } = photo.history.present;
    if (!old || !wishes.hints.length || (old.width === info.width && old.height === info.height)) return;
    const factor = info.width / old.width;
    if (Math.abs((factor * old.height) / info.height - 1) > 0.01) {
      throw new api.Problem(422, "Another aspect ratio",
        `The hints were made on ${old.width} × ${old.height} pixels; this file has ${info.width} × ${info.height}. ` +
        "Choose the same photograph, or open this one as a new photograph.");
    }
    photo.history = begin({ ...wishes, hints: scaleHints(wishes.hints, factor) });
  }

  /**
   * Restore photographs that were open before: in this tab, or those of a list.
   * @param {{id: string, name: string}[]} list
   */
  async resume(list = memory.openHere()) {
    for (const { id, name } of list) {
      const kept = memory.recall(id);
      if (!kept) continue;
      const photo = {
        ...fresh(null, name), info: { id, name, width: kept.width, height: kept.height }, history: begin(kept.wishes),
        status: "ready", share: 1, agreed: Boolean(kept.agreed), sentReference: kept.sentReference ?? null,
        at: kept.at ?? null,
      };
      try {
        photo.info = await api.photo(id);
        photo.file = await api.fileOf(id);
        this.claim(id);
        photo.agreed ||= photo.info.tint !== "colour";
      } catch (problem) {
        if (problem.status === 404 && isPlain(photo.history.present.wishes)) {
          memory.drop(id); // it had no wishes, so nothing is lost
          continue;
        }
        photo.status = problem.status === 404 ? "gone" : "failed";
        photo.problem = problem;
      }
      this.photos.push(photo);
      if (!this.current) this.look(photo);
      this.tell("list");
    }
    this.keepList();
  }

  /**
   * Make a request for a photograph; if the service has removed it, upload the file and retry.
   * @param {(id: string) => Promise<any>} ask
   */
  async ask(photo, ask) {
    const { id } = photo.info;
    try {
      return await ask(id);
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      // Several requests may fail at the same time: the file is uploaded once.
      if (photo.info.id === id) photo.bringing ??= this.bring(photo, problem).finally(() => { photo.bringing = null; });
      await photo.bringing;
      return ask(photo.info.id);
    }
  }

  /** Upload a photograph again that the service has removed, with its colour reference. */
  async bring(photo, problem) {
    if (!photo.file) {
      Object.assign(photo, { status: "gone", problem });
      this.tell("list");
      if (photo === this.current) this.tell("session");
      throw problem;
    }
    await this.open(photo);
    if (photo.status !== "ready") throw photo.problem;
    const { source } = photo.history.present.wishes;
    const file = source.kind === "reference" ? photo.references.get(source.token) : null;
    if (!file) return;
    await api.putReference(photo.info.id, file);
    photo.sentReference = source.token;
    this.remember(photo);
  }

  /** Discard what was open before, here and in the service. */
  forget(list) {
    for (const { id } of list) {
      memory.drop(id);
      api.forget(id).catch(() => {}); // it is already gone
    }
  }

  /** Another tab has changed the wishes for a photograph that is open here too: update. */
  follow(id, wishes) {
    const photo = this.photos.find((one) => one.info?.id === id);
    if (!photo || JSON.stringify(photo.history.present.wishes) === JSON.stringify({ ...DEFAULTS, ...wishes })) return;
    photo.history = reduce(photo.history, { type: "replace", wishes, label: "a change in another tab" });
    if (photo === this.current) this.dispatchEvent(new CustomEvent("wishes", { detail: { gesture: false } }));
    else Object.assign(photo, { coloured: null, stuck: null });
    this.tell("list");
  }

  /** Recolour a photograph that is already in colour. */
  agree(photo) {
    photo.agreed = true;
    this.remember(photo);
    this.tell("list");
    if (photo === this.current) this.tell("session");
  }

  /** Change the wishes for the current photograph. */
  act(action) {
    const photo = this.current;
    if (!photo) return;
    const history = reduce(photo.history, action);
    if (history === photo.history) return;
    photo.history = history;
    this.remember(photo);
    this.dispatchEvent(new CustomEvent("wishes", { detail: { gesture: Boolean(action.gesture), field: action.field } }));
  }

  get wishes() {
    return this.current?.history.present.wishes ?? null;
  }

  methodOf(wishes) {
    return this.methods.get(wishes.method) ?? { name: wishes.method, accepts: [], requires: [] };
  }

  /** The wishes in the service's format, after uploading the reference. */
  async request(photo, changes = {}) {
    const wishes = { ...photo.history.present.wishes, ...changes };
    const request = toRequest(wishes, this.methodOf(wishes));
    if (request.reference) await this.sendReference(photo, wishes.source);
    return request;
  }

  async sendReference(photo, source) {
    if (photo.sentReference === source.token) return;
    const file = photo.references.get(source.token);
    if (!file) {
      throw new api.Problem(0, "Reference missing",
        `${source.name} was chosen before the page was reloaded. Choose it again under “Colours from”.`);
    }
    await this.ask(photo, (id) => api.putReference(id, file));
    photo.sentReference = source.token;
    this.remember(photo);
  }

  remember(photo) {
    if (!photo.info) return;
    const { agreed, at, sentReference } = photo;
    if (memory.keep(photo.info, photo.history.present.wishes, { agreed, at, sentReference })) return;
    if (!this.isForgetful) notify("This browser stores nothing: your hints will be lost when the page is reloaded.");
    this.isForgetful = true;
  }

  keepList() {
    memory.keepList(this.photos.filter((p) => p.info).map((p) => ({ id: p.info.id, name: p.name })));
  }

  tell(event) {
    this.dispatchEvent(new CustomEvent(event));
  }
}
