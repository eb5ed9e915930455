/** What leaves the page: the full-size photograph, its recipe, a zip of all. */

import * as api from "./api.js";
import { byId } from "./dom.js";
import { say, showProblem } from "./notices.js";

/** Hand a file to the browser's downloads. */
export function handOver({ blob, name }) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // a slow disk reads from it still
}

/**
 * Run what a button asks for: the button waits, a problem is shown at its place.
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

export class Saving {
  constructor(desk) {
    this.desk = desk;
    this.buttons = [byId("save"), byId("save-short")];
    for (const one of this.buttons) one.addEventListener("click", () => this.save());
    byId("save-recipe").addEventListener("click", () => this.saveRecipe());
  }

  save() {
    const photo = this.desk.current;
    if (photo?.status !== "ready") return;
    const text = byId("save-text");
    busyWhile(this.buttons, "save", async () => {
      text.textContent = "Colouring at full size…";
      say("Colouring at full size.");
      try {
        const request = await this.desk.request(photo);
        const file = await this.desk.ask(photo, (id) => api.result(id, request));
        handOver(file);
        say([`${file.name} is downloaded.`, ...file.notes].join(" "));
      } finally {
        text.textContent = "Download photo";
      }
    });
  }

  saveRecipe() {
    const photo = this.desk.current;
    if (photo?.status !== "ready") return;
    busyWhile([byId("save-recipe")], "save", async () => {
      const request = await this.desk.request(photo);
      const file = await this.desk.ask(photo, (id) => api.sidecar(id, request));
      handOver(file);
      say(`${file.name} is downloaded.`);
    });
  }
}
