/** The colour field: hue horizontally, chroma vertically, within sRGB at one lightness. */

import { atLightness, chromaAndHue, colourOf, labToRgb, largestChroma, nameOf } from "./colour.js";

const HEADROOM = 1.04;
const POWER = 0.6; // most colours in photographs have little chroma: muted colours get more space

export class Plane {
  /**
   * @param {HTMLElement} node
   * @param {Object} act
   * @param {(colour: string, dragging: boolean) => void} act.pick
   * @param {(colour: string|null) => void} act.tryOut  The pointer is over a colour, or has left.
   */
  constructor(node, act) {
    this.node = node;
    this.canvas = node.querySelector("canvas");
    /** @type {HTMLElement} */
    this.knob = node.querySelector(".knob");
    this.act = act;
    this.lightness = null;
    this.chroma = 0;
    this.hue = 0;
    this.listen();
  }

  /** Set the lightness; redraw only if it differs visibly. */
  setLightness(lightness) {
    const kept = Math.min(98, Math.max(2, Math.round(lightness)));
    const size = `${this.node.clientWidth}x${this.node.clientHeight}`;
    if (this.lightness === kept && this.drawn === size) return;
    this.lightness = kept;
    this.drawn = size;
    this.most = 0;
    for (let hue = 0; hue < 360; hue += 4) this.most = Math.max(this.most, largestChroma(kept, hue));
    this.most *= HEADROOM;
    this.draw();
    this.place();
  }

  draw() {
    const width = this.node.clientWidth;
    const height = this.node.clientHeight;
    if (!width || !height) return;
    Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let x = 0; x < width; x += 1) {
      const angle = (2 * Math.PI * x) / width;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let y = height - 1; y >= 0; y -= 1) {
        const chroma = this.chromaAt((height - 1 - y) / (height - 1));
        const rgb = labToRgb([this.lightness, chroma * cos, chroma * sin]);
        if (!rgb) break; // nothing is in gamut above the first colour that is not
        image.data.set([...rgb, 255], 4 * (y * width + x));
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** Chroma at a height in [0, 1]. */
  chromaAt(height) {
    return this.most * height ** (1 / POWER);
  }

  /** Move the knob to a colour; null hides it. */
  show(colour) {
    this.colour = colour;
    if (colour) [this.chroma, this.hue] = chromaAndHue(colour);
    else this.chroma = 0;
    this.place();
  }

  place() {
    const shown = Boolean(this.colour && this.lightness);
    this.knob.hidden = !shown;
    this.node.setAttribute("aria-valuenow", String(Math.round(this.hue)));
    this.node.setAttribute("aria-valuetext", shown
      ? `${nameOf(atLightness(this.colour, this.lightness))}, hue ${Math.round(this.hue)}°, chroma ${Math.round(this.chroma)}`
      : "no colour chosen");
    if (!shown) return;
    const chroma = Math.min(this.chroma, largestChroma(this.lightness, this.hue));
    const x = (this.hue / 360) * this.node.clientWidth;
    const y = (1 - (chroma / this.most) ** POWER) * this.node.clientHeight;
    this.knob.style.transform = `translate(${x}px, ${y}px)`;
    this.knob.style.background = colourOf(this.lightness, chroma, this.hue);
  }

  pick(hue, chroma, dragging) {
    this.hue = (hue + 360) % 360;
    this.chroma = Math.min(Math.max(chroma, 0), largestChroma(this.lightness, this.hue));
    const { hue: keptHue, chroma: keptChroma } = this;
    this.act.pick(colourOf(this.lightness, this.chroma, this.hue), dragging);
    // With 8 bits, hue is imprecise at low chroma; keep the knob under the finger.
    [this.hue, this.chroma] = [keptHue, keptChroma];
    this.place();
  }

  listen() {
    const { node } = this;
    let dragging = false;
    const under = (event) => {
      const box = node.getBoundingClientRect();
      const x = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.9999);
      const y = Math.min(Math.max((event.clientY - box.top) / box.height, 0), 1);
      return [360 * x, this.chromaAt(1 - y)];
    };
    const follow = (event) => this.pick(...under(event), true);
    node.addEventListener("pointerdown", (event) => {
      if (this.lightness === null) return;
      node.setPointerCapture(event.pointerId);
      dragging = true;
      follow(event);
    });
    node.addEventListener("pointermove", (event) => {
      if (dragging) {
        follow(event);
      } else if (event.pointerType === "mouse" && this.lightness !== null) {
        const [hue, chroma] = under(event);
        this.act.tryOut(colourOf(this.lightness, chroma, hue));
      }
    });
    node.addEventListener("pointerleave", () => !dragging && this.act.tryOut(null));
    for (const name of ["pointerup", "pointercancel"]) {
      node.addEventListener(name, () => {
        if (dragging) this.pick(this.hue, this.chroma, false);
        dragging = false;
      });
    }
    node.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 4 : 1;
      const by = { ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, 2], ArrowDown: [0, -2] }[event.key];
      if (!by || this.lightness === null) return;
      event.preventDefault();
      event.stopPropagation();
      this.pick(this.hue + step * by[0], this.chroma + step * by[1], false);
    });
  }
}
