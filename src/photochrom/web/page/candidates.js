/** Three plausible colourings, small, one to be chosen. */

import * as api from "./api.js";
import { button, byId, element } from "./dom.js";
import { showProblem, superseded } from "./notices.js";
import { chooseRadio, radioKeys } from "./sources.js";
import { hasCandidates } from "./state.js";

const NAMES = ["likeliest", "second", "third"];

export class Candidates {
  constructor(desk) {
    this.desk = desk;
    this.group = byId("candidates");
    this.asked = ""; // what the shown ones were asked for: photograph and wishes, as text
    this.work = null;
    NAMES.forEach((name, index) => {
      const made = button("", () => this.choose(index), { kind: "candidate", label: `Colouring ${index + 1}, ${name}` });
      made.setAttribute("role", "radio");
      this.group.append(made);
    });
    radioKeys(this.group);
  }

  choose(candidate) {
    this.desk.act({ type: "set", field: "candidate", value: candidate, label: "another colouring" });
  }

  /** Newer wishes are coming: what is shown is old, what is under way is useless. */
  stale(isNewPhoto) {
    this.work?.abort();
    this.work = null;
    if (isNewPhoto) {
      this.asked = "";
      for (const choice of this.group.children) choice.replaceChildren();
    }
    this.draw();
  }

  draw() {
    const { wishes } = this.desk;
    if (!wishes) return;
    this.group.closest("section").hidden = !hasCandidates(this.desk.methodOf(wishes));
    chooseRadio(this.group, (choice) => [...this.group.children].indexOf(choice) === wishes.candidate);
  }

  /** Ask for thumbnails, unless those that are shown are the ones. */
  async refresh(photo) {
    if (!hasCandidates(this.desk.methodOf(photo.history.present.wishes))) return;
    const work = new AbortController();
    this.work?.abort();
    this.work = work;
    try {
      const request = await this.desk.request(photo, { candidate: 0 });
      const asked = photo.key + JSON.stringify(request);
      if (asked === this.asked) return;
      this.group.classList.add("is-stale");
      const found = await this.desk.ask(photo, (id) => api.candidates(id, request, work.signal));
      if (work.signal.aborted || photo !== this.desk.current) return;
      this.asked = asked;
      this.show(found);
      showProblem("candidates", null);
    } catch (problem) {
      // A lost reference is told on the picture already.
      if (!superseded(problem) && problem.status && photo.status === "ready") showProblem("candidates", problem);
    } finally {
      if (this.work === work) this.group.classList.remove("is-stale");
    }
  }

  show(found) {
    for (const { candidate, image } of found) {
      this.group.children[candidate]?.replaceChildren(element("img", { src: image, alt: "" }));
    }
  }
}
