/** Ways to open photographs: drop, paste, file dialog, camera. */

import { byId } from "./dom.js";
import { isFilm } from "./film.js";
import { notify } from "./notices.js";
import { isSettings } from "./settings.js";

const PHOTOGRAPH = /\.(jpe?g|jpe|jfif|png|tiff?|webp|avif|heic|heif|gif)$/i;

const isHidden = (file) => (file.webkitRelativePath || file.name).split("/").some((part) => part.startsWith("."));

/** The dropped files and folders; must be read before the event ends. */
const entriesOf = (data) => [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);

/** The file dropped as a colour reference; null if it is a folder. */
export function droppedFile(data) {
  return entriesOf(data).some((entry) => entry.isDirectory) ? null : data.files[0] ?? null;
}

/** All files of a dropped folder, and of its subfolders. */
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    for (const inner of some) found.push(...(await filesOf(inner)));
  }
  return found.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}

/**
 * @param {Object} takes
 * @param {(files: File[]) => void} takes.open
 * @param {(file: File) => void} takes.lend   Use as a colour reference.
 * @param {(file: File) => void} takes.settings
 * @param {(file: File) => void} takes.film
 * @param {() => boolean} takes.canLend       Whether a photograph is open that can use it.
 * @param {string[]} suffixes  Of photographs, beside those of common formats.
 */
export class Files {
  constructor(takes, suffixes) {
    this.takes = takes;
    this.suffixes = new Set(suffixes); // of photographs that only the service reads, such as raw files
    this.input = byId("file-input");
    this.then = null; // what the next picked file is for, if not for opening
    this.input.addEventListener("change", () => this.picked(this.input));
    byId("camera-input").addEventListener("change", (event) => this.picked(event.target));
    byId("folder-input").addEventListener("change", (event) => this.pickedFolder(event.target));
    for (const id of ["choose-folder", "open-folder"]) byId(id).addEventListener("click", () => byId("folder-input").click());
    for (const id of ["choose", "open"]) byId(id).addEventListener("click", () => this.pick());
    byId("take").addEventListener("click", () => {
      this.then = null; // of a dialog that was cancelled
      byId("camera-input").click();
    });
    this.listenToPaste();
    this.listenToDrop();
  }

  /** Show the file dialog; `then` receives one file for something other than opening. */
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
    else this.open(files);
  }

  pickedFolder(input) {
    const files = [...input.files];
    input.value = "";
    this.openFolder(files);
  }

  isPhotograph(file) {
    const suffix = /\.\w+$/.exec(file.name.toLowerCase())?.[0];
    return PHOTOGRAPH.test(file.name) || this.suffixes.has(suffix) || file.type.startsWith("image/");
  }

  /** Whether it is none for certain; a file without a type may be one: its bytes decide. */
  isOther(file) {
    return Boolean(file.type) && !this.isPhotograph(file);
  }

  /** Open photographs and a film; a settings file is applied to the current photograph. */
  open(files) {
    const settings = files.filter(isSettings);
    const films = files.filter(isFilm);
    const rest = files.filter((file) => !isSettings(file) && !isFilm(file));
    const photographs = rest.filter((file) => !this.isOther(file));
    const others = rest.filter((file) => this.isOther(file));
    if (others.length) notify(`${others.length === 1 ? `${others[0].name} is not a photograph.` : `${others.length} files are not photographs.`}`);
    if (films.length > 1) notify("One film can be open at a time. The first one was opened.");
    if (films.length) this.takes.film(films[0]);
    if (photographs.length) this.takes.open(photographs);
    if (settings.length) this.takes.settings(settings[0]);
  }

  /** Open the photographs in a folder, and report the number of other files. */
  openFolder(files) {
    const seen = files.filter((file) => !isHidden(file));
    const photographs = seen.filter((file) => this.isPhotograph(file));
    const others = seen.length - photographs.length;
    if (!photographs.length) {
      notify("There are no photographs in this folder.");
      return;
    }
    if (others) notify(`${photographs.length} photographs opened. ${others} other file${others > 1 ? "s" : ""} skipped.`);
    this.takes.open(photographs);
  }

  async dropped(data) {
    const entries = entriesOf(data);
    if (!entries.some((entry) => entry.isDirectory)) {
      this.open([...data.files]);
      return;
    }
    try {
      this.openFolder((await Promise.all(entries.map(filesOf))).flat());
    } catch {
      notify("This folder could not be read. Use “Choose a folder”.");
    }
  }

  listenToPaste() {
    addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.open(files);
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
      const zone = /** @type {Element} */ (event.target).closest?.(".drop");
      for (const drop of drops.children) drop.classList.toggle("is-over", drop === zone);
    };
    addEventListener("dragenter", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth += 1;
      drops.hidden = false;
      for (const part of drops.querySelectorAll(".beside")) part.hidden = !this.takes.canLend();
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
      const lends = /** @type {Element} */ (event.target).closest?.("[data-drop=reference]");
      hide();
      const lender = lends && droppedFile(event.dataTransfer);
      if (lender) this.takes.lend(lender);
      else if (lends) notify("A colour reference is a single photograph. Drop a file, not a folder.");
      else if (event.dataTransfer.files.length) this.dropped(event.dataTransfer);
    });
  }
}
