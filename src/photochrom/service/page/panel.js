/** The settings of one photograph: look, method, restore, the list of hints, facts about the file. */

import { button, byId, element, paintSwatch, replaceChildren } from "./dom.js";
import { describe } from "./hints.js";
import { notify } from "./notices.js";
import { MILD_WHITE, freshId, isPlain } from "./state.js";

const MIDDLE_VIVIDNESS = 50; // slider position for the method's default
// Title and description of each method, for people who have not read the papers.
const METHODS = {
  photochrom: ["Automatic (photochrom)", ""],
  gray: ["No colour (gray)", "Leaves the photograph black and white."],
  levin: ["Hints only, up to edges (levin)", "Spreads your hints up to the edges of objects. Levin et al., 2004."],
  rbf: ["Hints only, by distance (rbf)", "Spreads your hints by distance only."],
  transfer: ["Colours of a photo, by tone (transfer)", "Gives each tone the colours it has in your colour reference. After Reinhard et al., 2001."],
  welsh: ["Colours of a photo, by texture (welsh)", "Gives each place the colour of a similar place in your colour reference. Welsh et al., 2002."],
};
const titleOf = (name) => METHODS[name]?.[0] ?? name;

export class Panel {
  constructor(desk, painter, editor) {
    this.desk = desk;
    this.painter = painter;
    this.editor = editor;
    this.slider("vividness", (value) => value / 100, null, "vividness");
    this.slider("saturation", (value) => value / 100, 1, "saturation");
    byId("start-over").addEventListener("click", () => this.startOver());
    this.fillMethods();
    byId("method").addEventListener("change", (event) =>
      desk.act({ type: "set", field: "method", value: event.target.value, label: "method" }));
    byId("compare").addEventListener("change", (event) => this.compareWith(event.target.value));
    byId("restore").addEventListener("change", (event) =>
      desk.act({ type: "set", field: "restore", value: event.target.checked, label: "restore" }));
    byId("white-lightness").addEventListener("change", (event) =>
      desk.act({ type: "set", field: "white_lightness", value: event.target.checked ? MILD_WHITE : null, label: "toned down white" }));
  }

  /** Bind a slider; a double-click, Delete or Backspace resets it. */
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
    range.title = "Double-click or press Delete to reset";
  }

  fillMethods() {
    const options = [...this.desk.methods.values()].map(({ name, paper }) => {
      const option = element("option", { value: name, title: paper ?? "" }, titleOf(name));
      return option;
    });
    byId("method").replaceChildren(...options);
    byId("advanced").hidden = options.length < 2;
    byId("compare").replaceChildren(element("option", { value: "" }, "none"), ...options.map((o) => o.cloneNode(true)));
  }

  /** Reset all wishes, as a single undo step. */
  startOver() {
    this.editor.close();
    this.desk.act({ type: "replace", wishes: {}, label: "started over" });
    notify("All your changes were reset.", { name: "Undo", act: () => byId("undo").click() });
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
    byId("label-main").textContent = titleOf(this.desk.wishes?.method ?? "");
    byId("label-other").textContent = titleOf(this.painter.compare);
  }

  draw() {
    const { wishes, current: photo } = this.desk;
    if (!wishes) return;
    const { vividness, saturation } = wishes;
    byId("vividness").value = vividness === null ? MIDDLE_VIVIDNESS : vividness * 100;
    byId("vividness-value").textContent = vividness === null ? "automatic" : `${Math.round(vividness * 100)}`;
    byId("saturation").value = saturation * 100;
    byId("saturation-value").textContent = `${Math.round(saturation * 100)} %`;
    byId("vividness").disabled = !this.desk.methodOf(wishes).accepts.includes("vividness");
    byId("method").value = wishes.method;
    const what = METHODS[wishes.method]?.[1];
    byId("method-note").hidden = !what;
    byId("method-note").textContent = what ?? "";
    byId("restore").checked = wishes.restore;
    byId("white-lightness").checked = wishes.white_lightness !== null;
    byId("start-over").disabled = isPlain(wishes);
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
      open.title = `${words.shape}, ${words.colour}, at ${words.where}`;
      const bin = button("", () => this.editor.delete(hint.id), { iconName: "close", kind: "quiet", label: `Delete ${words.shape.toLowerCase()}, ${words.colour}` });
      return element("li", {}, open, bin);
    });
    replaceChildren(byId("hint-list"), rows, byId("pane-main"));
  }

  drawAbout(info) {
    const tints = { toned: "toned", colour: "in colour", neutral: "" };
    const facts = [String(info.format).toUpperCase(), `${info.width} × ${info.height}`, `${info.bit_depth} bit`];
    if (info.pages > 1) facts.push(`${info.pages} pages`);
    if (tints[info.tint]) facts.push(tints[info.tint]);
    byId("about").textContent = facts.join(" · ");
    byId("notes").replaceChildren(...(info.notes ?? []).map((note) => element("li", {}, note)));
  }
}
