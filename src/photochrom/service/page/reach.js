/** The reach of the selected hint's colour: a ring around its place, which can be dragged. */

import { byId, element } from "./dom.js";
import { distanceTo } from "./shapes.js";
import { REACH_RANGE, anchorOf, freshId, reachNumber, takes } from "./state.js";

const CLICK_PX = 3;
const MARGIN_PX = 40; // distance of the handle from the pane's edges
const ANGLES = [180, 135, 225, 90, 270, 45, 315, 0].map((degrees) => (degrees * Math.PI) / 180);
const HALVINGS = 24;

/** Limit a reach to its range, and round it to three digits. */
export function bounded(reach) {
  const [least, most] = REACH_RANGE;
  return Number(Math.min(most, Math.max(least, reach)).toPrecision(3));
}

/** Whether a hint has a reach that can be dragged: outlines and gray hints have none. */
export const hasReach = (hint) =>
  Boolean(hint && takes("reach") && hint.shape !== "region" && hint.colour && !hint.keep);

export class ReachRing {
  /** @param {import("./hints.js").HintLayer} layer  Draws the ring, with its `svg` and markers. */
  constructor(layer) {
    this.layer = layer;
    this.stage = layer.stage;
    this.editor = layer.editor;
    this.hint = null;
    this.angle = ANGLES[0]; // of the handle, as long as it fits
    this.handle = element("div", { class: "reach-handle", "aria-hidden": "true", title: "Drag to change how far the colour spreads", hidden: true });
    layer.markers.append(this.handle);
    this.listen();
  }

  draw(hint) {
    if (hint?.id !== this.hint?.id) this.angle = ANGLES[0];
    this.hint = hasReach(hint) ? hint : null;
    this.handle.hidden = true;
    if (!this.hint) return;
    if (hint.reach !== "whole") this.drawRing();
    const at = this.handlePlace();
    if (!at) return;
    this.handle.hidden = false;
    this.handle.style.transform = `translate(${at[0]}px, ${at[1]}px)`;
  }

  get line() {
    return this.hint.points.map((point) => this.stage.view.toPane(...point));
  }

  /** Screen pixels in a reach of 1. */
  get unit() {
    const { width, height } = this.stage.info;
    return Math.max(width, height) * this.stage.view.scale;
  }

  /** Half the width of the hint, from whose edge the reach is measured, in screen pixels. */
  get own() {
    return this.hint.radius * this.stage.view.scale;
  }

  drawRing() {
    const { layer, line } = this;
    const r = this.own + reachNumber(this.hint) * this.unit;
    if (line.length === 1) {
      const [[cx, cy]] = line;
      layer.svg("circle", { cx, cy, r, class: "reach-casing" });
      layer.svg("circle", { cx, cy, r, class: "reach-ring" });
      return;
    }
    // The edge of a thick stroke: a thicker stroke minus a thinner one.
    const mask = layer.svg("mask", { id: "reach-rim", maskUnits: "userSpaceOnUse", x: 0, y: 0, width: "100%", height: "100%" });
    const points = line.join(" ");
    mask.append(
      layer.svg("polyline", { points, stroke: "#fff", "stroke-width": 2 * r + 1.5 }),
      layer.svg("polyline", { points, stroke: "#000", "stroke-width": Math.max(0, 2 * r - 1.5) }),
    );
    layer.svg("rect", { width: "100%", height: "100%", fill: "#fff", mask: "url(#reach-rim)" });
  }

  /** Position of the handle: on the ring if visible, else towards it; null if nowhere. */
  handlePlace() {
    const from = this.stage.view.toPane(...anchorOf(this.hint));
    /** @type {[number, number[]][]} */
    const places = [this.angle, ...ANGLES].map((angle) => [angle, this.onRing(from, angle)]);
    const seen = places.find(([, at]) => this.isFree(at));
    if (seen) {
      [this.angle] = seen;
      return seen[1];
    }
    /** @type {[number, number[]][]} */
    const inwards = places.map(([angle, at]) => /** @type {[number, number[]]} */ ([angle, this.inside(from, at)])).filter(([, at]) => at && this.isFree(at));
    const far = (at) => Math.hypot(at[0] - from[0], at[1] - from[1]);
    const best = inwards.sort(([, one], [, other]) => far(other) - far(one))[0];
    return best?.[1] ?? null;
  }

  onRing(from, angle) {
    const { line } = this;
    const wanted = this.own + reachNumber(this.hint) * this.unit;
    const along = (length) => [from[0] + length * Math.cos(angle), from[1] + length * Math.sin(angle)];
    let [near, far] = [0, wanted + Math.max(...line.map(([x, y]) => Math.hypot(x - from[0], y - from[1])))];
    for (let i = 0; i < HALVINGS; i += 1) {
      const middle = (near + far) / 2;
      if (distanceTo(line, along(middle)) < wanted) near = middle;
      else far = middle;
    }
    return along(far);
  }

  /**
   * The last visible place between the hint and the ring; null if there is none.
   * @param {number[]} from
   * @param {number[]} at
   */
  inside(from, at) {
    const [x, y] = from;
    const { width, height } = this.stage.view.pane;
    const shares = [[x, at[0], width], [y, at[1], height]].map(([start, end, side]) =>
      end < MARGIN_PX ? (start - MARGIN_PX) / (start - end) : end > side - MARGIN_PX ? (side - MARGIN_PX - start) / (end - start) : 1);
    const share = Math.min(...shares) - 1e-6;
    return share > 0 ? [x + share * (at[0] - x), y + share * (at[1] - y)] : null;
  }

  /**
   * Whether a place of the pane is visible: well inside, and not under the palette.
   * @param {number[]} place
   */
  isFree(place) {
    const [x, y] = place;
    const { width, height } = this.stage.view.pane;
    if (x < MARGIN_PX || y < MARGIN_PX || x > width - MARGIN_PX || y > height - MARGIN_PX) return false;
    const palette = byId("picker").getBoundingClientRect();
    const pane = this.stage.main.getBoundingClientRect();
    const [left, top] = [x + pane.left, y + pane.top];
    const gap = MARGIN_PX / 2;
    return left < palette.left - gap || left > palette.right + gap || top < palette.top - gap || top > palette.bottom + gap;
  }

  listen() {
    const { handle } = this;
    let drag = null;
    handle.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.stopPropagation();
      handle.setPointerCapture(event.pointerId);
      drag = { at: [event.clientX, event.clientY], gesture: freshId("reach"), moved: false };
    });
    handle.addEventListener("pointermove", (event) => {
      if (!drag || !this.hint) return;
      drag.moved ||= Math.hypot(event.clientX - drag.at[0], event.clientY - drag.at[1]) >= CLICK_PX;
      if (drag.moved) this.dragTo(event, drag.gesture);
    });
    for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, () => { drag = null; });
  }

  dragTo(event, gesture) {
    const pane = this.stage.main.getBoundingClientRect();
    const at = [event.clientX - pane.left, event.clientY - pane.top];
    const from = this.stage.view.toPane(...anchorOf(this.hint));
    this.angle = Math.atan2(at[1] - from[1], at[0] - from[0]);
    this.editor.reachTo(bounded((distanceTo(this.line, at) - this.own) / this.unit), gesture);
  }
}
