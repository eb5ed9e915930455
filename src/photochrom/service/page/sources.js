/** Where colours come from: the method, a mood, your own palette, or another photograph. */

import { button, byId, element, icon, replaceChildren } from "./dom.js";
import { droppedFile } from "./files.js";
import { say, showProblem } from "./notices.js";
import { freshId, sourcesOf } from "./state.js";

const TABS = { automatic: "Automatic", mood: "Mood", palette: "Palette", reference: "A photo" };
const MOST_COLOURS = 12;
const OFFERED = ["#b5835a", "#5b7f9e", "#7d8a4f", "#a3483c", "#d6b36a", "#6a5a80"]; // initial colours of a palette
const THUMB_PX = 192;

/** Arrow keys along a group of radio buttons. */
export function radioKeys(group) {
  group.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    const choices = [...group.querySelectorAll("[role=radio]:enabled")];
    const next = choices[(choices.indexOf(document.activeElement) + step + choices.length) % choices.length];
    event.preventDefault();
    event.stopPropagation();
    next?.focus();
    next?.click();
  });
}

/** Mark the chosen radio button; the others leave the tab order. */
export function chooseRadio(group, isChosen) {
  const choices = [...group.querySelectorAll("[role=radio]")];
  const any = choices.some(isChosen);
  choices.forEach((choice, index) => {
    const chosen = isChosen(choice);
    choice.setAttribute("aria-checked", String(chosen));
    choice.tabIndex = chosen || (!any && index === 0) ? 0 : -1;
  });
}

export class Sources {
  constructor(desk, moods, pickFile) {
    this.desk = desk;
    this.pickFile = pickFile;
    this.tabs = byId("source-tabs");
    this.mood = byId("source-mood");
    this.tab = null; // the open tab, in which nothing may be chosen yet
    for (const [kind, text] of Object.entries(TABS)) this.addTab(kind, text);
    for (const [name, colours] of Object.entries(moods)) this.addMood(name, colours);
    radioKeys(this.tabs);
    radioKeys(this.mood);
  }

  addTab(kind, text) {
    const tab = button(text, () => this.openTab(kind));
    tab.setAttribute("role", "radio");
    tab.dataset.kind = kind;
    this.tabs.append(tab);
  }

  addMood(name, colours) {
    const made = button("", () => this.set({ kind: "mood", mood: name }, `mood ${name}`), { kind: "mood" });
    made.setAttribute("role", "radio");
    made.dataset.mood = name;
    const chips = colours.map((colour) => {
      const chip = element("i");
      chip.style.setProperty("--colour", colour);
      return chip;
    });
    made.append(element("span", { "aria-hidden": "true" }, ...chips), name);
    this.mood.append(made);
  }

  openTab(kind) {
    this.tab = kind;
    if (kind === "automatic") this.set({ kind }, "automatic colours");
    else this.draw();
  }

  set(source, label) {
    showProblem("source", null);
    this.desk.act({ type: "set", field: "source", value: source, label });
  }

  /** Use a photograph as the colour reference. */
  async lend(file) {
    const photo = this.desk.current;
    const source = { kind: "reference", token: freshId("reference"), name: file.name || "pasted picture", thumb: null };
    photo.references.set(source.token, file);
    showProblem("source", null);
    try {
      // Uploaded before it is chosen, so that a rejected file changes nothing.
      [source.thumb] = await Promise.all([
        thumbOf(file).catch(() => null), // a format that only the service can read
        this.desk.sendReference(photo, source),
      ]);
    } catch (problem) {
      photo.references.delete(source.token);
      showProblem("source", `${problem.message} Choose a photograph in colour.`);
      return;
    }
    if (photo !== this.desk.current) return;
    this.tab = "reference";
    this.set(source, "a colour reference");
    say(`${file.name || "The photograph"} is the colour reference.`);
  }

  /** Another photograph is current: show its source. */
  reset() {
    this.tab = null;
  }

  draw() {
    const { wishes } = this.desk;
    if (!wishes) return;
    const takes = sourcesOf(this.desk.methodOf(wishes));
    const { source } = wishes;
    const wanted = this.tab ?? source.kind;
    const shown = takes.includes(wanted) ? wanted : "automatic";
    for (const tab of this.tabs.children) tab.disabled = !takes.includes(tab.dataset.kind);
    chooseRadio(this.tabs, (tab) => tab.dataset.kind === shown);
    for (const kind of ["mood", "palette", "reference"]) byId(`source-${kind}`).hidden = kind !== shown;
    chooseRadio(this.mood, (made) => source.kind === "mood" && made.dataset.mood === source.mood);
    if (shown === "palette") this.drawPalette(source.kind === "palette" ? source.colours : []);
    if (shown === "reference") this.drawReference(source.kind === "reference" ? source : null);
  }

  drawPalette(colours) {
    const node = byId("source-palette");
    if (node.contains(document.activeElement) && node.querySelectorAll("input").length === colours.length) return;
    const set = (changed) =>
      this.set(changed.length ? { kind: "palette", colours: changed } : { kind: "automatic" }, "palette");
    const chips = colours.map((colour, index) => {
      const change = (event) => set(colours.with(index, event.target.value));
      const input = element("input", { type: "color", value: colour, "aria-label": `Palette colour ${index + 1}`, on: { change } });
      const remove = button("", () => set(colours.toSpliced(index, 1)), { iconName: "close", label: `Remove palette colour ${index + 1}` });
      return element("span", { class: "colour" }, input, remove);
    });
    const add = button("Add a colour", () => set([...colours, OFFERED[colours.length % OFFERED.length]]), { kind: "plain" });
    add.disabled = colours.length >= MOST_COLOURS;
    replaceChildren(node, [...chips, add], this.tabs.querySelector("[aria-checked=true]"));
  }

  drawReference(source) {
    const node = byId("source-reference");
    node.replaceChildren();
    if (source) {
      const shown = element("div", { class: "reference-shown" });
      if (source.thumb) shown.append(element("img", { src: source.thumb, alt: "The colour reference" }));
      shown.append(element("p", {}, source.name));
      shown.append(button("", () => this.openTab("automatic"), { iconName: "close", kind: "quiet", label: "Remove the colour reference" }));
      node.append(shown);
    }
    const drop = button("", () => this.pickFile((file) => this.lend(file)), { kind: "reference-drop" });
    drop.append(icon("open"), element("strong", {}, source ? "Drop another photograph" : "Drop a colour photograph"), element("span", {}, "or choose one"));
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("is-over"); });
    }
    drop.addEventListener("dragleave", () => drop.classList.remove("is-over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      drop.classList.remove("is-over");
      document.dispatchEvent(new CustomEvent("drop-done"));
      const file = droppedFile(event.dataTransfer);
      if (file) this.lend(file);
      else showProblem("source", "A colour reference is a single photograph. Drop a file, not a folder.");
    });
    node.append(drop);
  }
}

/** A thumbnail as a data URL, to store with the wishes. */
async function thumbOf(file) {
  const bitmap = await createImageBitmap(file);
  const scale = THUMB_PX / Math.max(bitmap.width, bitmap.height);
  const canvas = element("canvas");
  Object.assign(canvas, { width: Math.max(1, bitmap.width * scale), height: Math.max(1, bitmap.height * scale) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.75);
}
