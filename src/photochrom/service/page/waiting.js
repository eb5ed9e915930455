/** What a photograph waits for until it has its first colours, in words over the picture. */

import { byId } from "./dom.js";
import { say } from "./notices.js";

const PATIENCE_MS = 700; // what takes less is not worth reading

export class Waiting {
  /** @param {import("./desk.js").Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.loading = null; // what has come of the engine, in words
    this.since = null;
    this.said = "";
    for (const event of ["current", "session", "list"]) desk.addEventListener(event, () => this.draw());
  }

  /** Hear what the engine still loads; null if nothing. */
  load(text) {
    this.loading = text;
    this.draw();
  }

  /** What the current photograph waits for; null if for nothing. */
  get text() {
    const photo = this.desk.current;
    if (photo?.status === "waiting") return "Opening…";
    if (photo?.status === "uploading") return photo.share > 0 && photo.share < 1 ? `Opening: ${Math.round(100 * photo.share)} %` : "Opening…";
    if (photo?.status !== "ready" || !photo.agreed || photo.coloured || !byId("error-picture").hidden) return null;
    return this.loading ?? "Colouring…";
  }

  draw() {
    const { text } = this;
    this.since = text ? this.since ?? performance.now() : null;
    const rest = text ? PATIENCE_MS - (performance.now() - this.since) : 0;
    clearTimeout(this.timer);
    if (rest > 0) this.timer = setTimeout(() => this.draw(), rest);
    const node = byId("waiting");
    node.hidden = !text || rest > 0;
    node.textContent = text ?? "";
    const kind = node.hidden ? this.said : text.split(/[:…]/)[0];
    if (kind !== this.said) say(text); // not each number
    this.said = kind;
  }
}
