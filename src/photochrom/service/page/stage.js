/** The stage: the picture in one or two panes, its view, and the line between before and after. */

import { byId } from "./dom.js";
import { View } from "./view.js";

const NARROW_PX = 600;
const LABEL_PX = 84; // what "Before" and "After" need beside the line

/** Draw a bitmap into a canvas, which is resized to it. */
function put(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}

/** Free the memory of a canvas. */
function empty(canvas) {
  Object.assign(canvas, { width: 1, height: 1 });
}

/** Events: "view" after zoom, pan or a new size of the pane; "share"; "painted" (detail: the layer). */
export class Stage extends EventTarget {
  constructor() {
    super();
    this.view = new View();
    this.main = byId("pane-main");
    this.other = byId("pane-other");
    this.split = byId("split");
    this.share = 0; // of the visible picture that shows the original
    this.held = null; // the share to restore after the original was shown
    this.painted = new Set(); // layers that have pixels
    this.info = null; // of the photograph
    new ResizeObserver(() => this.measure()).observe(this.main);
    this.listenToSplit();
  }

  layer(pane, name) {
    return pane.querySelector(`.picture .${name}`);
  }

  /** The pane and the canvas of "before", "after" or "other", or of the full-size part over it. */
  canvasOf(name, suffix = "") {
    const pane = name === "other" ? this.other : this.main;
    return [pane, this.layer(pane, (name === "other" ? "after" : name) + suffix)];
  }

  measure() {
    const { width, height } = this.main.getBoundingClientRect();
    if (!width || !height) return;
    this.view.setPane(width, height, Math.min(width, height) > NARROW_PX ? 28 : 8);
    this.draw();
  }

  /**
   * Show another photograph: its size now, its pixels when they arrive.
   * @param {Object|null} info
   * @param {boolean} keeps  The original, which is this photograph's already.
   */
  begin(info, keeps = false) {
    const kept = keeps && info && info.width === this.info?.width && info.height === this.info?.height;
    for (const pane of [this.main, this.other]) {
      if (!kept) pane.querySelector(".picture").hidden = true;
      for (const canvas of pane.querySelectorAll("canvas")) if (!kept || !canvas.matches(".before")) empty(canvas);
    }
    this.painted.clear();
    if (kept) this.painted.add("before");
    this.hideClose();
    this.split.hidden = true;
    this.info = info;
    if (!info) {
      this.dispatchEvent(new CustomEvent("view"));
      return;
    }
    this.main.setAttribute("aria-label", `Picture ${info.name}`);
    this.view.setPicture(info.width, info.height);
    this.draw();
  }

  /**
    * Draw pixels into a layer once they are decoded, so that nothing flickers. Each layer is one
    * canvas that is reused, so that old pictures take no memory.
   * @param {"before"|"after"|"other"} name
   * @param {Blob} blob
   */
  async paint(name, blob, signal) {
    const bitmap = await createImageBitmap(blob);
    if (!signal?.aborted) this.put(name, bitmap);
    bitmap.close();
  }

  /** Draw a bitmap or a canvas into a layer. */
  put(name, picture) {
    const [pane, canvas] = this.canvasOf(name);
    put(canvas, picture);
    canvas.style.filter = "";
    canvas.dataset.version = Number(canvas.dataset.version ?? 0) + 1;
    this.painted.add(name);
    pane.querySelector(".picture").hidden = false;
    if (name === "after") this.split.hidden = false;
    if (name !== "before") this.hideClose(name);
    this.drawSplit();
    this.dispatchEvent(new CustomEvent("painted", { detail: name }));
  }

  /** Show a part at full size over a layer. */
  async paintClose(name, blob, { left, top, width, height }, signal) {
    const [, canvas] = this.canvasOf(name, "-close");
    const bitmap = await createImageBitmap(blob);
    if (!signal?.aborted && this.info) {
      put(canvas, bitmap);
      const percent = (part, whole) => `${(100 * part) / whole}%`;
      canvas.style.left = percent(left, this.info.width);
      canvas.style.top = percent(top, this.info.height);
      canvas.style.width = percent(width, this.info.width);
      canvas.style.height = percent(height, this.info.height);
      canvas.hidden = false;
    }
    bitmap.close();
  }

  /** Hide the full-size parts over the layers, which are stale. */
  hideClose(...names) {
    for (const name of names.length ? names : ["before", "after", "other"]) {
      const [, canvas] = this.canvasOf(name, "-close");
      canvas.hidden = true;
      empty(canvas);
    }
  }

  /** Preview a change of chroma, approximately as the service will apply it. */
  saturate(ratio) {
    for (const name of ["after", "after-close"]) this.layer(this.main, name).style.filter = `saturate(${ratio})`;
  }

  /** Show or hide the second pane. */
  beside(shown) {
    if (this.other.hidden === !shown) return;
    this.other.hidden = !shown;
    this.measure();
  }

  draw() {
    const { left, top, width, height } = this.view.box;
    for (const pane of [this.main, this.other]) {
      const { style } = pane.querySelector(".picture");
      style.transform = `translate(${left}px, ${top}px)`;
      style.width = `${width}px`;
      style.height = `${height}px`;
    }
    this.drawSplit();
    this.dispatchEvent(new CustomEvent("view"));
  }

  drawSplit() {
    const [left, right] = this.view.seenAcross;
    const at = left + this.share * (right - left);
    const box = this.view.box;
    const before = this.layer(this.main, "before-side");
    const shown = Math.max(0, at - box.left);
    before.style.clipPath = `inset(0 ${Math.max(0, box.width - shown)}px 0 0)`;
    // Before it is coloured, show only the original.
    if (!this.painted.has("after")) before.style.clipPath = "none";
    const inside = Math.min(Math.max(at, 17), this.view.pane.width - 17);
    this.split.style.transform = `translateX(${inside}px)`;
    this.split.style.top = `${Math.max(box.top, 0)}px`;
    this.split.style.bottom = `${Math.max(this.view.pane.height - box.top - box.height, 0)}px`;
    this.split.classList.toggle("is-home", this.share <= 0 || this.share >= 1);
    this.split.classList.toggle("is-far-left", inside < LABEL_PX);
    this.split.classList.toggle("is-far-right", inside > this.view.pane.width - LABEL_PX);
    const percent = Math.round(this.share * 100);
    this.split.setAttribute("aria-valuenow", percent);
    this.split.setAttribute("aria-valuetext", `${percent} % original`);
  }

  setShare(share) {
    this.share = Math.min(1, Math.max(0, share));
    this.held = null;
    this.drawSplit();
    this.dispatchEvent(new CustomEvent("share"));
  }

  /** Show all of the original, or restore the line's position. */
  toggleOriginal() {
    const back = this.held ?? 0;
    const original = this.share >= 1;
    const share = this.share;
    this.setShare(original ? back : 1);
    this.held = original ? null : share;
    return !original;
  }

  /** Animate the colours across a newly opened photograph, once. */
  unveil() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.setShare(0);
      return;
    }
    const start = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - start) / 700);
      if (this.dragging) return;
      this.setShare(1 - (1 - (1 - t) ** 3));
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  listenToSplit() {
    const { split } = this;
    const move = (event) => {
      const [left, right] = this.view.seenAcross;
      this.setShare((event.clientX - this.main.getBoundingClientRect().left - left) / (right - left));
    };
    split.addEventListener("pointerdown", (event) => {
      split.setPointerCapture(event.pointerId);
      this.dragging = true;
    });
    split.addEventListener("pointermove", (event) => this.dragging && move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      split.addEventListener(name, () => { this.dragging = false; });
    }
    split.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const to = { ArrowLeft: this.share - step, ArrowDown: this.share - step, ArrowRight: this.share + step, ArrowUp: this.share + step, Home: 0, End: 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.setShare(to);
    });
  }
}
