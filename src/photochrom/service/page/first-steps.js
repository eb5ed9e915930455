/** On a phone, where the settings and their texts are folded away: what to do first, told once. */

import { byId } from "./dom.js";
import { isFirstTime } from "./memory.js";
import { endNotice, notify } from "./notices.js";

export class FirstSteps {
  /** @param {import("./desk.js").Desk} desk */
  constructor(desk) {
    desk.addEventListener("list", () => {
      const photo = desk.current;
      const isFolded = !byId("panel").checkVisibility();
      if (!photo?.coloured || photo.history.past.length || !isFolded || !isFirstTime("first steps")) return;
      const verb = matchMedia("(pointer: coarse)").matches ? "Tap" : "Click";
      notify(`${verb} a place to change its colour. “Adjust” has everything else.`);
      byId("pane-main").addEventListener("pointerdown", endNotice, { once: true }); // understood, and it would cover the picture
    });
  }
}
