/** How photographs come in: dropped, pasted, picked, or taken. */

import { byId } from "./dom.js";

/**
 * @param {Object} takes
 * @param {(files: File[]) => void} takes.open
 * @param {(file: File) => void} takes.lend   As a reference.
 * @param {() => boolean} takes.canLend       Whether there is a photograph to lend to.
 */
export class Files {
  constructor(takes) {
    this.takes = takes;
    this.input = byId("file-input");
    this.then = null; // what the next picked file is for, if not to be opened
    this.input.addEventListener("change", () => this.picked(this.input));
    byId("camera-input").addEventListener("change", (event) => this.picked(event.target));
    for (const id of ["choose", "open"]) byId(id).addEventListener("click", () => this.pick());
    byId("take").addEventListener("click", () => byId("camera-input").click());
    this.listenToPaste();
    this.listenToDrop();
  }

  /** Let the owner choose files; `then` takes one of them for something else than opening. */
  pick(then = null) {
    this.then = then;
    this.input.multiple = then === null;
    this.input.click();
  }

  picked(input) {
    const files = [...input.files];
    const { then } = this;
    input.value = "";
    this.then = null;
    if (!files.length) return;
    if (then) then(files[0]);
    else this.takes.open(files);
  }

  listenToPaste() {
    addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.takes.open(files);
    });
  }

  listenToDrop() {
    const drops = byId("drops");
    let depth = 0;
    const hide = () => {
      depth = 0;
      drops.hidden = true;
    };
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (event) => {
      const zone = event.target.closest?.(".drop");
      for (const drop of drops.children) drop.classList.toggle("is-over", drop === zone);
    };
    addEventListener("dragenter", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth += 1;
      drops.hidden = !this.takes.canLend();
      over(event);
    });
    addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
    addEventListener("dragleave", () => {
      depth -= 1;
      if (depth <= 0) hide();
    });
    document.addEventListener("drop-done", hide);
    addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      const lends = event.target.closest?.("[data-drop=reference]");
      const files = [...event.dataTransfer.files];
      hide();
      if (lends) this.takes.lend(files[0]);
      else if (files.length) this.takes.open(files);
    });
  }
}
