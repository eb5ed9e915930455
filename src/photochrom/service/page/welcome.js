/** The welcome view: a sample to compare, and photographs from an earlier session. */

import { byId } from "./dom.js";
import * as memory from "./memory.js";
import { notify } from "./notices.js";

const SAMPLE = new URL("sample.jpg", import.meta.url);

export class Welcome {
  constructor(desk) {
    this.desk = desk;
    this.earlier = memory.openElsewhere();
    const line = byId("sample-line");
    const follow = () => byId("sample").style.setProperty("--share", `${line.value}%`);
    line.addEventListener("input", follow);
    follow();
    byId("try-sample").addEventListener("click", () => this.trySample());
    byId("earlier-open").addEventListener("click", () => this.openEarlier());
    byId("earlier-forget").addEventListener("click", () => this.forgetEarlier());
    this.draw();
  }

  draw() {
    const { length } = this.earlier;
    byId("earlier").hidden = !length;
    byId("earlier-text").textContent = length === 1
      ? "A photograph from your last visit is still stored here."
      : `${length} photographs from your last visit are still stored here.`;
  }

  async trySample() {
    try {
      const blob = await (await fetch(SAMPLE)).blob();
      this.desk.add([new File([blob], "portrait.jpg", { type: "image/jpeg" })]);
    } catch {
      notify("The sample could not be loaded. Is photochrom still running?");
    }
  }

  async openEarlier() {
    const list = this.earlier;
    this.earlier = [];
    await this.desk.resume(list);
    this.draw();
    if (!this.desk.photos.length) notify("They are no longer stored here. Open the files again.");
  }

  forgetEarlier() {
    this.desk.forget(this.earlier);
    this.earlier = [];
    this.draw();
    byId("choose").focus();
  }
}
