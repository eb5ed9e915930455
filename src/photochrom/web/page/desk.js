/** The desk: which photographs are open, which one is looked at, and what is wished of each. */

import * as api from "./api.js";
import * as memory from "./memory.js";
import { say } from "./notices.js";
import { begin, freshId, isPlain, reduce, scaleHints, toRequest } from "./state.js";

/**
 * Events: "list" (a photograph came, went or changed its status), "current" (another one is looked
 * at), "wishes" (detail.gesture: whether a drag goes on), "session" (the service knows it by a new id).
 */
export class Desk extends EventTarget {
  constructor(methods) {
    super();
    this.methods = new Map(methods.map((method) => [method.name, method]));
    this.photos = [];
    this.current = null;
    this.uploading = Promise.resolve();
    this.afterOpening = async () => {}; // what has to be done before the next file comes
  }

  /** Put files on the desk; the first is looked at once it is there. */
  add(files) {
    const added = files.map((file) => ({
      key: freshId("photo"), file, name: file.name || "pasted.png", info: null, history: begin(),
      status: "waiting", share: 0, problem: null, thumb: null, gray: null, coloured: null,
      references: new Map(), sentReference: null,
    }));
    this.photos.push(...added);
    if (!this.current || this.current.status === "failed") this.look(added[0]);
    else if (added.length === 1) this.look(added[0]);
    this.tell("list");
    for (const photo of added) this.uploading = this.uploading.then(() => this.open(photo)).then(() => this.afterOpening());
    return this.uploading;
  }

  /** Look at a photograph. */
  look(photo) {
    this.current = photo;
    this.tell("current");
  }

  remove(photo) {
    const index = this.photos.indexOf(photo);
    this.photos.splice(index, 1);
    if (photo.info) {
      memory.drop(photo.info.id);
      if (photo.status === "ready") api.forget(photo.info.id).catch(() => {}); // it goes by itself in time
    }
    this.keepList();
    if (this.current === photo) this.look(this.photos[Math.min(index, this.photos.length - 1)] ?? null);
    this.tell("list");
  }

  /** Upload a photograph's file; its wishes stay. */
  async open(photo) {
    if (!this.photos.includes(photo)) return;
    Object.assign(photo, { status: "uploading", share: 0, problem: null });
    this.tell("list");
    try {
      const info = await api.upload(photo.file, (share) => { photo.share = share; this.tell("list"); });
      if (!this.photos.includes(photo)) {
        api.forget(info.id).catch(() => {}); // closed meanwhile
        return;
      }
      this.fitHints(photo, info);
      if (photo.info) memory.drop(photo.info.id);
      Object.assign(photo, { info, name: info.name, status: "ready", sentReference: null });
      this.remember(photo);
      this.keepList();
    } catch (problem) {
      Object.assign(photo, { status: "failed", problem });
    }
    this.tell("list");
    if (photo === this.current) this.tell("session");
  }

  /** Wishes of a copy of another size follow it; of another shape they cannot. */
  fitHints(photo, info) {
    const old = photo.info;
    const { wishes } = photo.history.present;
    if (!old || !wishes.hints.length || (old.width === info.width && old.height === info.height)) return;
    const factor = info.width / old.width;
    if (Math.abs((factor * old.height) / info.height - 1) > 0.01) {
      throw new api.Problem(422, "Another shape",
        `The hints were made on ${old.width} × ${old.height} pixels; this file has ${info.width} × ${info.height}. ` +
        "Choose the same photograph, or open this one anew.");
    }
    photo.history = begin({ ...wishes, hints: scaleHints(wishes.hints, factor) });
  }

  /** Take up what was open before a reload. */
  async resume() {
    for (const { id, name } of memory.openPhotos()) {
      const kept = memory.recall(id);
      if (!kept) continue;
      const photo = {
        key: freshId("photo"), file: null, name, info: { id, name, width: kept.width, height: kept.height },
        history: begin(kept.wishes), status: "ready", share: 1, problem: null, thumb: null, gray: null,
        coloured: null, references: new Map(), sentReference: kept.sentReference ?? null,
      };
      try {
        photo.info = await api.photo(id);
      } catch (problem) {
        if (problem.status === 404 && isPlain(photo.history.present.wishes)) {
          memory.drop(id); // nothing was wished, so nothing is lost
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
   * Ask the service about a photograph; if it has forgotten it, bring the file again and ask again.
   * @param {(id: string) => Promise<any>} ask
   * @param {() => Promise<void>} bring  What else the service has forgotten.
   */
  async ask(photo, ask, bring = () => this.bringReference(photo)) {
    try {
      return await ask(photo.info.id);
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      if (!photo.file) {
        Object.assign(photo, { status: "gone", problem });
        this.tell("list");
        if (photo === this.current) this.tell("session");
        throw problem;
      }
      await this.open(photo);
      if (photo.status !== "ready") throw photo.problem;
      await bring();
      return ask(photo.info.id);
    }
  }

  /** Change the wishes of the photograph that is looked at. */
  act(action) {
    const photo = this.current;
    if (!photo) return;
    const history = reduce(photo.history, action);
    if (history === photo.history) return;
    photo.history = history;
    this.remember(photo);
    this.dispatchEvent(new CustomEvent("wishes", { detail: { gesture: Boolean(action.gesture) } }));
  }

  get wishes() {
    return this.current?.history.present.wishes ?? null;
  }

  methodOf(wishes) {
    return this.methods.get(wishes.method) ?? { name: wishes.method, accepts: [], requires: [] };
  }

  /** Wishes as the service takes them, its reference being there. */
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
      throw new api.Problem(0, "Reference gone",
        `The reference ${source.name} was given before the page was loaded. Drop it again.`);
    }
    await this.ask(photo, (id) => api.putReference(id, file), async () => {});
    photo.sentReference = source.token;
    this.remember(photo);
  }

  async bringReference(photo) {
    const { source } = photo.history.present.wishes;
    if (source.kind === "reference") await this.sendReference(photo, source);
  }

  remember(photo) {
    if (!photo.info || memory.keep(photo.info, photo.history.present.wishes, photo.sentReference)) return;
    if (!this.isForgetful) say("This browser keeps nothing: hints will not survive a reload.");
    this.isForgetful = true;
  }

  keepList() {
    memory.keepList(this.photos.filter((p) => p.info).map((p) => ({ id: p.info.id, name: p.name })));
  }

  tell(event) {
    this.dispatchEvent(new CustomEvent(event));
  }
}
