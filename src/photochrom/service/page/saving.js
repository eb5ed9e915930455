/** Downloads: the full-size photograph, its settings, a zip of all; and opening settings. */

import * as api from "./api.js";
import { byId, element } from "./dom.js";
import { endNotice, notify, say, showProblem } from "./notices.js";
import { readSettings } from "./settings.js";

const LOSSLESS = ["png"];

/** Download a file. */
export function handOver({ blob, name }) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // a slow disk may still be reading it
}

/**
 * Run the action of a button: the button shows as busy, a problem is shown in its paragraph.
 * @param {HTMLButtonElement[]} buttons
 * @param {string} place
 */
export async function busyWhile(buttons, place, run) {
  for (const one of buttons) {
    one.disabled = true;
    one.setAttribute("aria-busy", "true");
  }
  showProblem(place, null);
  try {
    await run();
  } catch (problem) {
    showProblem(place, problem);
  } finally {
    for (const one of buttons) {
      one.disabled = false;
      one.removeAttribute("aria-busy");
    }
  }
}

/** The chosen kind of file, in the service's format; null leaves it to the service. */
export function wantedKind() {
  const quality = byId("save-quality");
  const format = byId("save-format").value || null;
  const chosen = quality.dataset.chosen === "yes" && !LOSSLESS.includes(format);
  return { format, quality: chosen ? Number(quality.value) : null, long_side_px: Number(byId("save-size").value) || null };
}

export class Saving {
  constructor(desk, pickFile) {
    this.desk = desk;
    this.buttons = [byId("save"), byId("save-short")];
    for (const one of this.buttons) one.addEventListener("click", () => this.save());
    byId("save-settings").addEventListener("click", () => this.saveSettings());
    byId("open-settings").addEventListener("click", () => pickFile((file) => this.openSettings(file)));
    const quality = byId("save-quality");
    quality.addEventListener("input", () => { quality.dataset.chosen = "yes"; this.drawKind(); });
    quality.addEventListener("dblclick", () => { quality.dataset.chosen = ""; this.drawKind(); });
    for (const id of ["save-format", "save-size"]) byId(id).addEventListener("change", () => this.drawKind());
    this.drawKind();
  }

  /** Name what the button saves. */
  drawButton() {
    const isFrame = this.desk.film && this.desk.current?.at !== null;
    byId("save-text").textContent = isFrame ? "Download this frame" : "Download";
  }

  drawKind() {
    const { format, quality, long_side_px: side } = wantedKind();
    byId("save-quality-row").hidden = LOSSLESS.includes(format);
    byId("save-quality-value").textContent = quality ?? "automatic";
    const text = [format ? byId("save-format").selectedOptions[0].text : null, quality ? `quality ${quality}` : null, side ? `up to ${side} px` : null];
    byId("save-kind").textContent = text.filter(Boolean).join(", ") || "as the original, full size";
  }

  save() {
    const photo = this.desk.current;
    if (photo?.status !== "ready" && !photo?.bringing) return;
    if (!photo.agreed) {
      notify("This photograph is already in colour. Choose “Colour it again” first.");
      return;
    }
    const text = byId("save-text");
    this.tell(null);
    busyWhile(this.buttons, "save", async () => {
      text.textContent = "Colouring at full size…";
      const isSeen = text.checkVisibility(); // on a phone the button is folded away
      if (isSeen) say("Colouring at full size.");
      else notify("Colouring at full size…", null, true);
      try {
        await photo.bringing; // the service had removed it, and it is uploaded again
        const request = await this.desk.request(photo);
        const file = await this.desk.ask(photo, (id) => api.result(id, request, wantedKind()));
        handOver(file);
        this.tell(`${file.name} was saved.`, file.notes);
      } catch (problem) {
        if (!isSeen) endNotice();
        throw problem;
      } finally {
        this.drawButton();
      }
    });
  }

  /** Say what was saved, with its notes, next to the button. */
  tell(text, notes = []) {
    const told = byId("saved");
    told.hidden = text === null;
    told.replaceChildren();
    if (text === null) return;
    told.append(element("strong", {}, text), ...notes.map((note) => element("span", {}, sentence(note))));
    const seen = told.checkVisibility();
    (seen ? say : notify)([text, ...notes.map(sentence)].join(" "));
  }

  saveSettings() {
    const photo = this.desk.current;
    if (photo?.status !== "ready") return;
    busyWhile([byId("save-settings")], "save", async () => {
      const request = await this.desk.request(photo);
      const file = await this.desk.ask(photo, (id) => api.sidecar(id, request));
      handOver(file);
      this.tell(`${file.name} was saved.`);
    });
  }

  /** Apply the settings of a file to the current photograph. */
  async openSettings(file) {
    const photo = this.desk.current;
    if (photo?.status !== "ready") {
      notify("Open the photograph first, then the settings.");
      return;
    }
    showProblem("save", null);
    this.tell(null);
    try {
      const { wishes, missing, unused } = await readSettings(file, photo.info, new Set(this.desk.methods.keys()));
      this.desk.act({ type: "replace", wishes, label: "settings from a file" });
      if (!photo.agreed) this.desk.agree(photo);
      const left = unused ? ` They also set a working size or a range of numbers, which only the command follows.` : "";
      notify((missing
        ? `The settings of ${file.name} were applied, except the colour reference ${missing}. Choose that photograph under “Colours from”.`
        : `The settings of ${file.name} were applied.`) + left);
    } catch (problem) {
      showProblem("save", problem);
    }
  }
}

/** A note as a sentence. */
const sentence = (note) => note[0].toUpperCase() + note.slice(1) + (/[.!?]$/.test(note) ? "" : ".");
