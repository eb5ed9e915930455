/** Spot, brush, lasso, select, keep-gray and keep-as-it-is: by pointer, and by a crosshair that the keyboard moves. */

import { byId } from "./dom.js";
import { listen } from "./gestures.js";
import { say } from "./notices.js";

const SMALLEST = 0.002; // radius as a share of the long side
const LARGEST = 0.08;
const CURSOR_PX = 12;
const THIN_PX = 1.5; // points of a stroke closer than this are dropped
const MOST_POINTS = 1900; // of a stroke; every second one is dropped beyond this

const BY_CLICK = ["spot", "select"]; // a drag pans
const WIDE = ["stroke", "gray", "keep"];
const NAMES = { spot: "Spot", stroke: "Brush", lasso: "Lasso", select: "Select a thing", gray: "Keep gray", keep: "Keep as it is" };

/** Radius in full-size pixels of a slider's 0 to 100; on a logarithmic scale. */
export function radiusOf(share, info) {
  const long = Math.max(info.width, info.height);
  return Math.max(0.5, long * SMALLEST * (LARGEST / SMALLEST) ** (share / 100));
}

export function shareOf(radius, info) {
  const long = Math.max(info.width, info.height);
  return Math.round((100 * Math.log(radius / long / SMALLEST)) / Math.log(LARGEST / SMALLEST));
}

export class Tools {
  constructor(stage, desk, editor) {
    this.stage = stage;
    this.desk = desk;
    this.editor = editor;
    this.name = "spot";
    this.points = null; // of the current stroke
    this.cursor = null; // [x, y] in the picture: the keyboard's crosshair
    this.crosshair = stage.main.querySelector(".crosshair");
    this.ring = stage.main.querySelector(".brush");
    for (const tool of this.buttons) tool.addEventListener("click", () => this.use(tool.dataset.tool));
    byId("size").addEventListener("input", () => this.drawRing());
    stage.addEventListener("view", () => { this.drawCursor(); this.drawRing(); });
    this.listenTo(stage.main, true);
    this.listenTo(stage.other, false);
    stage.main.addEventListener("keydown", (event) => this.onKey(event));
    stage.main.addEventListener("pointermove", (event) => this.follow(event));
    for (const name of ["pointerleave", "pointerup"]) {
      stage.main.addEventListener(name, (event) => {
        if (name === "pointerup" && event.pointerType === "mouse") return;
        this.at = null; // a lifted finger has no position
        this.drawRing();
      });
    }
    for (const name of ["focus", "blur"]) stage.main.addEventListener(name, () => this.drawCursor());
  }

  /** @returns {any[]} */
  get buttons() {
    return Array.from(document.querySelectorAll(".rail [data-tool]"));
  }

  get radius() {
    return radiusOf(Number(byId("size").value), this.desk.current.info);
  }

  get ready() {
    return this.desk.current?.status === "ready";
  }

  get hasWidth() {
    return WIDE.includes(this.name);
  }

  use(name) {
    if (byId(`tool-${name}`).hidden) return;
    this.name = name;
    this.lift(false);
    this.editor.stopSelecting();
    for (const tool of this.buttons) tool.setAttribute("aria-pressed", String(tool.dataset.tool === name));
    this.stage.main.classList.toggle("is-brush", this.hasWidth);
    byId("rail").classList.toggle("has-width", this.hasWidth);
    this.drawRing();
    say(NAMES[name]);
  }

  changeSize(by) {
    const size = byId("size");
    size.value = Number(size.value) + by;
    this.drawRing();
  }

  listenTo(pane, draws) {
    listen(pane, this.stage.view, {
      draws: () => draws && this.ready && !BY_CLICK.includes(this.name),
      click: (x, y) => this.click(...this.stage.view.toPicture(x, y)),
      drawStart: (x, y) => { this.editor.close(); this.begin(...this.stage.view.toPicture(x, y)); },
      drawMove: (x, y) => this.extend(...this.stage.view.toPicture(x, y)),
      drawEnd: (kept) => this.lift(kept),
      moved: () => this.stage.draw(),
    });
  }

  click(x, y) {
    if (!this.ready) return;
    if (this.editor.picker.isOpen && !this.stage.view.contains(x, y)) this.editor.close();
    else if (this.stage.view.contains(x, y)) this.pick([x, y], false);
  }

  /** Open the palette for a place, or for the object that it belongs to. */
  pick(place, focus) {
    if (this.name === "select") this.editor.selectThing(place, this.radius, { focus });
    else this.editor.openDraft("point", [place], this.radius, { focus });
  }

  begin(x, y) {
    if (!this.stage.view.contains(x, y)) return;
    this.points = [[x, y]];
    this.showStroke();
  }

  extend(x, y) {
    if (!this.points) return;
    const { width, height } = this.desk.current.info;
    const point = [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
    const [lastX, lastY] = this.points.at(-1);
    if (Math.hypot(point[0] - lastX, point[1] - lastY) * this.stage.view.scale < THIN_PX) return;
    if (this.points.length >= MOST_POINTS) this.points = this.points.filter((_, index) => index % 2 === 0);
    this.points.push(point);
    this.showStroke();
  }

  /** Lift the brush: the stroke becomes a hint, or is discarded. */
  lift(kept, focus = false) {
    const { points } = this;
    this.points = null;
    this.crosshair.classList.remove("is-down");
    if (!points) return; // a draft without a colour stays
    this.editor.draft = null;
    if (!kept) this.editor.redraw();
    else if (this.name === "gray" || this.name === "keep") this.editor.protect("stroke", points, this.radius, this.name === "keep");
    else if (this.name === "stroke") this.editor.openDraft("stroke", points, this.radius, { focus });
    else if (points.length >= 3) this.editor.openDraft("region", points, this.radius, { focus });
    else this.editor.redraw();
  }

  showStroke() {
    const shape = this.name === "lasso" && this.points.length > 2 ? "region" : "stroke";
    const radius = this.name === "lasso" ? 0 : this.radius;
    this.editor.draft = { shape, points: this.points, radius };
    this.editor.redraw();
  }

  follow(event) {
    this.cursor = this.points ? this.cursor : null; // the pointer is in use, not the keyboard
    this.drawCursor();
    const box = this.stage.main.getBoundingClientRect();
    this.at = [event.clientX - box.left, event.clientY - box.top];
    this.overButton = Boolean(event.target.closest("button, [role=slider]"));
    this.drawRing();
  }

  drawRing() {
    this.ring.hidden = !this.hasWidth || !this.ready || !this.at || this.overButton;
    if (this.ring.hidden) return;
    const side = Math.max(4, 2 * this.radius * this.stage.view.scale);
    this.ring.style.width = this.ring.style.height = `${side}px`;
    this.ring.style.transform = `translate(${this.at[0]}px, ${this.at[1]}px)`;
  }

  onKey(event) {
    if (event.target !== this.stage.main || !this.ready || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (moves[event.key]) this.step(...moves[event.key], event.shiftKey);
    else if (event.key === "Enter") this.press();
    else if (event.key === "Escape" && this.points) this.lift(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(across, down, pans) {
    const { view } = this.stage;
    if (pans) {
      view.pan(-across * 80, -down * 80);
      this.stage.draw();
      return;
    }
    const { width, height } = view.picture;
    const [x, y] = this.cursor ?? view.toPicture(view.pane.width / 2, view.pane.height / 2);
    const by = this.cursor ? CURSOR_PX / view.scale : 0;
    this.cursor = [Math.min(Math.max(x + across * by, 0), width - 1), Math.min(Math.max(y + down * by, 0), height - 1)];
    view.reveal(...this.cursor);
    this.stage.draw();
    if (this.points) this.extend(...this.cursor);
    const percent = (at, whole) => `${Math.round((100 * at) / whole)} %`;
    say(`${percent(this.cursor[0], width)}, ${percent(this.cursor[1], height)}`);
  }

  press() {
    if (!this.cursor) {
      this.step(0, 0, false);
      return;
    }
    if (BY_CLICK.includes(this.name)) {
      this.pick(this.cursor, true);
    } else if (this.points) {
      this.lift(true, true);
    } else {
      this.begin(...this.cursor);
      this.crosshair.classList.add("is-down");
      say(this.name === "lasso" ? "Outline started. Arrow keys draw it, Enter closes it." : "The brush is down. Arrow keys draw, Enter lifts it.");
    }
  }

  drawCursor() {
    this.crosshair.hidden = !this.cursor || !this.ready || document.activeElement !== this.stage.main;
    if (!this.cursor) return;
    const [x, y] = this.stage.view.toPane(...this.cursor);
    this.crosshair.style.transform = `translate(${x}px, ${y}px)`;
  }
}
