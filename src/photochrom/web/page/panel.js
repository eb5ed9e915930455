/** The settings of one photograph: look, method, restore, the list of hints, what the file is. */

import { button, byId, element, paintSwatch, replaceChildren } from "./dom.js";
import { describe } from "./hints.js";
import { freshId } from "./state.js";

const MIDDLE_VIVIDNESS = 50; // where the slider stands while the method's own is used
// Said of a method when it is chosen; the page's own, photochrom, needs no explanation.
const WHAT = {
  gray: "Leaves the photograph as it is.",
  levin: "Spreads your hints to the edges. Levin and others, 2004.",
  rbf: "Spreads your hints by distance alone.",
  transfer: "Gives each tone its colours in the reference. After Reinhard and others, 2001.",
  welsh: "Finds for each place the like in the reference. Welsh and others, 2002.",
};

export class Panel {
  constructor(desk, painter, editor) {
    this.desk = desk;
    this.painter = painter;
    this.editor = editor;
    this.slider("vividness", (value) => value / 100, null, "vividness");
    this.slider("saturation", (value) => value / 100, 1, "saturation");
    this.fillMethods();
    byId("method").addEventListener("change", (event) =>
      desk.act({ type: "set", field: "method", value: event.target.value, label: "method" }));
    byId("compare").addEventListener("change", (event) => this.compareWith(event.target.value));
    byId("restore").addEventListener("change", (event) =>
      desk.act({ type: "set", field: "restore", value: event.target.checked, label: "restore" }));
  }

  /** Bind a range; a double click, Delete or Backspace gives it back its own value. */
  slider(field, valueOf, own, label) {
    const range = byId(field);
    let gesture = null;
    range.addEventListener("input", () => {
      gesture ??= freshId(field);
      this.desk.act({ type: "set", field, value: valueOf(Number(range.value)), label, gesture });
    });
    range.addEventListener("change", () => { gesture = null; this.painter.paint(); });
    const reset = () => this.desk.act({ type: "set", field, value: own, label });
    range.addEventListener("dblclick", reset);
    range.addEventListener("keydown", ({ key }) => ["Delete", "Backspace"].includes(key) && reset());
    range.title = "Double click or Delete: back to normal";
  }

  fillMethods() {
    const options = [...this.desk.methods.values()].map(({ name, paper }) => {
      const option = element("option", { value: name, title: paper ?? "" }, name);
      return option;
    });
    byId("method").replaceChildren(...options);
    byId("compare").replaceChildren(element("option", { value: "" }, "nothing"), ...options.map((o) => o.cloneNode(true)));
  }

  compareWith(name) {
    this.painter.compare = name;
    this.painter.stage.beside(Boolean(name));
    this.drawLabels();
    this.painter.afterwards();
  }

  drawLabels() {
    const beside = Boolean(this.painter.compare);
    byId("label-main").hidden = !beside;
    byId("label-main").textContent = this.desk.wishes?.method ?? "";
    byId("label-other").textContent = this.painter.compare;
  }

  draw() {
    const { wishes, current: photo } = this.desk;
    if (!wishes) return;
    const { vividness, saturation } = wishes;
    byId("vividness").value = vividness === null ? MIDDLE_VIVIDNESS : vividness * 100;
    byId("vividness-value").textContent = vividness === null ? "as trained" : `${Math.round(vividness * 100)}`;
    byId("saturation").value = saturation * 100;
    byId("saturation-value").textContent = `${Math.round(saturation * 100)} %`;
    byId("vividness").disabled = !this.desk.methodOf(wishes).accepts.includes("vividness");
    byId("method").value = wishes.method;
    const what = WHAT[wishes.method];
    byId("method-note").hidden = !what;
    byId("method-note").textContent = what ?? "";
    byId("restore").checked = wishes.restore;
    this.drawLabels();
    this.drawHints(wishes.hints);
    byId("about").textContent = "";
    byId("notes").replaceChildren();
    if (photo.status === "ready") this.drawAbout(photo.info);
  }

  drawHints(hints) {
    byId("hint-none").hidden = hints.length > 0;
    byId("title-hints").textContent = hints.length ? `Hints · ${hints.length}` : "Hints";
    const { info } = this.desk.current;
    const rows = hints.map((hint) => {
      const words = describe(hint, info);
      const open = button("", () => this.editor.openHint(hint.id), { kind: "hint" });
      const name = element("span", { class: "name" }, `${words.shape}, ${words.colour}`);
      open.append(paintSwatch(element("span", { class: "swatch" }), hint.colour), name);
      open.append(element("span", { class: "where number" }, words.where));
      const bin = button("", () => this.editor.delete(hint.id), { iconName: "close", kind: "quiet", label: `Delete ${words.shape.toLowerCase()}, ${words.colour}` });
      return element("li", {}, open, bin);
    });
    replaceChildren(byId("hint-list"), rows, byId("pane-main"));
  }

  drawAbout(info) {
    const tints = { toned: "toned print", colour: "a colour photograph", neutral: "" };
    const facts = [String(info.format).toUpperCase(), `${info.width} × ${info.height}`, `${info.bit_depth} bit`];
    if (info.pages > 1) facts.push(`${info.pages} pages`);
    if (tints[info.tint]) facts.push(tints[info.tint]);
    byId("about").textContent = facts.join(" · ");
    byId("notes").replaceChildren(...(info.notes ?? []).map((note) => element("li", {}, note)));
  }
}
