/** The hints drawn over the picture: a marker each, to drag, open and delete; strokes as lines. */

import { element, paintSwatch } from "./dom.js";
import { nameOf } from "./colour.js";
import { ReachRing } from "./reach.js";
import { anchorOf, freshId, reachText } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";
const CLICK_PX = 4;

/** Describe a hint in words. */
export function describe(hint, info) {
  const [x, y] = anchorOf(hint);
  const percent = (part, whole) => `${Math.round((100 * part) / whole)} %`;
  const shape = hint.anchor ? "Object" : { point: "Spot", stroke: "Stroke", region: "Outline" }[hint.shape];
  const far = typeof hint.reach === "number" ? `reach ${reachText(hint)}` : reachText(hint).toLowerCase();
  const reach = hint.reach && hint.reach !== "near" ? `, ${far}` : "";
  const colour = hint.keep ? "kept as it is" : nameOf(hint.colour) + reach;
  return { shape, colour, where: `${percent(x, info.width)}, ${percent(y, info.height)}` };
}

export class HintLayer {
  /**
   * @param {import("./stage.js").Stage} stage
   * @param {import("./desk.js").Desk} desk
   * @param {import("./editor.js").Editor} editor  Opens and deletes what is chosen here.
   */
  constructor(stage, desk, editor) {
    this.stage = stage;
    this.desk = desk;
    this.editor = editor;
    this.shown = true;
    this.markers = stage.main.querySelector(".markers");
    this.lines = stage.main.querySelector(".strokes");
    this.buttons = new Map(); // id -> button: kept when redrawing, so that the focus stays
    this.ring = new ReachRing(this);
    stage.addEventListener("view", () => this.draw());
  }

  show(shown) {
    this.shown = shown;
    this.draw();
  }

  draw() {
    const hints = (this.shown && this.desk.current?.status === "ready" && this.desk.wishes.hints) || [];
    const living = new Set(hints.map((hint) => hint.id));
    for (const [id, made] of this.buttons) {
      if (!living.has(id)) {
        made.remove();
        this.buttons.delete(id);
      }
    }
    this.lines.replaceChildren();
    for (const hint of hints) {
      if (hint.shape !== "point") this.drawLine(hint, this.editor.selected === hint.id);
      this.drawMarker(hint);
    }
    const { draft } = this.editor;
    if (draft) this.drawDraft(draft);
    const selected = hints.find((hint) => hint.id === this.editor.selected);
    if (selected?.shape === "point") this.drawSpot(selected);
    this.ring.draw(selected ?? null);
  }

  drawMarker(hint) {
    const made = this.buttons.get(hint.id) ?? this.makeMarker(hint.id);
    const [x, y] = this.stage.view.toPane(...anchorOf(hint));
    made.style.transform = `translate(${x}px, ${y}px)`;
    const words = describe(hint, this.desk.current.info);
    made.setAttribute("aria-label", `${words.shape}, ${words.colour}, at ${words.where}`);
    made.setAttribute("aria-pressed", String(this.editor.selected === hint.id));
    paintSwatch(made, hint.colour);
    made.classList.toggle("is-kept", Boolean(hint.keep));
  }

  makeMarker(id) {
    const made = element("button", { type: "button", class: "marker" });
    this.buttons.set(id, made);
    this.markers.append(made);
    this.listenToMarker(made, id);
    return made;
  }

  listenToMarker(made, id) {
    let drag = null;
    made.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.stopPropagation();
      made.setPointerCapture(event.pointerId);
      drag = { at: [event.clientX, event.clientY], gesture: freshId("drag"), moved: false };
    });
    made.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const across = event.clientX - drag.at[0];
      const down = event.clientY - drag.at[1];
      if (!drag.moved && Math.hypot(across, down) < CLICK_PX) return;
      if (!drag.moved) this.editor.close();
      drag.moved = true;
      drag.at = [event.clientX, event.clientY];
      this.move(id, across / this.stage.view.scale, down / this.stage.view.scale, drag.gesture);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      made.addEventListener(name, () => {
        made.dataset.dragged = drag?.moved ? "yes" : "";
        drag = null;
      });
    }
    made.addEventListener("click", () => {
      if (made.dataset.dragged) made.dataset.dragged = "";
      else this.editor.openHint(id);
    });
    made.addEventListener("keydown", (event) => this.onKey(event, id));
  }

  onKey(event, id) {
    const step = (event.shiftKey ? 20 : 4) / this.stage.view.scale;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) this.move(id, ...moves[event.key], `keys-${id}`);
    else if (event.key === "Delete" || event.key === "Backspace") this.editor.delete(id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Move a hint by full-size pixels; its marker stays inside the picture. */
  move(id, across, down, gesture) {
    const hint = this.desk.wishes.hints.find((one) => one.id === id);
    const { width, height } = this.desk.current.info;
    const [x, y] = anchorOf(hint);
    const dx = Math.min(Math.max(x + across, 0), width - 1) - x;
    const dy = Math.min(Math.max(y + down, 0), height - 1) - y;
    const points = hint.points.map(([px, py]) => [px + dx, py + dy]);
    const changes = hint.anchor ? { points, anchor: [x + dx, y + dy] } : { points };
    this.desk.act({ type: "change-hint", id, changes, gesture, label: "moved a hint" });
  }

  svg(tag, properties) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
    this.lines.append(made);
    return made;
  }

  drawLine(hint, selected) {
    const { view } = this.stage;
    const points = hint.points.map((point) => view.toPane(...point).join()).join(" ");
    const shape = hint.shape === "region" ? "polygon" : "polyline";
    const tried = selected && this.editor.tried;
    if (shape === "polygon") {
      if (selected) this.svg(shape, { points, class: "inside" });
    } else if (selected) {
      const made = this.svg(shape, { points, class: "width", "stroke-width": 2 * hint.radius * view.scale });
      if (tried) made.style.stroke = tried;
    }
    const rest = selected ? "" : " is-idle"; // the colours at its edge are what one looks at
    this.svg(shape, { points, class: `casing${rest}` });
    this.svg(shape, { points, class: `line${rest}` });
  }

  drawSpot(hint) {
    const [cx, cy] = this.stage.view.toPane(...anchorOf(hint));
    const r = Math.max(hint.radius * this.stage.view.scale, 3);
    if (this.editor.tried) this.svg("circle", { cx, cy, r, class: "tried" }).style.fill = this.editor.tried;
    this.svg("circle", { cx, cy, r, class: "ring-casing" });
    this.svg("circle", { cx, cy, r, class: "ring" });
  }

  drawDraft(draft) {
    if (draft.shape === "point") this.drawSpot(draft);
    else this.drawLine(draft, true);
  }
}
